"""Makes layers, honest and hostile ones."""
import gzip
import io
import struct
import subprocess
import tarfile

FILE, DIR = tarfile.REGTYPE, tarfile.DIRTYPE
LINK, SYMLINK = tarfile.LNKTYPE, tarfile.SYMTYPE
CHAR, BLOCK, FIFO = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE


class Layer:
    def __init__(self, form=tarfile.PAX_FORMAT):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=form,
                                encoding="utf-8", errors="surrogateescape")

    def add(self, name, data=b"", kind=FILE, **facts):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.size = len(data)
        info.mtime = 1000000000
        info.mode = 0o755 if kind == DIR else 0o644
        for key, value in facts.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def header(name=b"x", kind=b"0", size=0, mode=b"0000644\0", uid=b"0000000\0",
           link=b"", magic=b"ustar\x0000", tail=b"", checksum=None,
           size_field=None, mtime=b"00000000000\0"):
    """One block, field by field, right checksum unless told otherwise."""
    block = bytearray(512)

    def put(at, value):
        block[at:at + len(value)] = value

    put(0, name)
    put(100, mode)
    put(108, uid)
    put(116, b"0000000\0")
    put(124, size_field or b"%011o\0" % size)
    put(136, mtime)
    put(148, b" " * 8)
    put(156, kind)
    put(157, link)
    put(257, magic)
    put(329, tail)
    total = sum(block) if checksum is None else checksum
    put(148, b"%06o\0 " % total)
    return bytes(block)


def pad(data):
    return data + b"\0" * (-len(data) % 512)


END = b"\0" * 1024


def pax(records):
    out = b""
    for key, value in records:
        body = b" " + key + b"=" + value + b"\n"
        n = len(body)
        while len(str(n)) + len(body) != n:
            n = len(str(n)) + len(body)
        out += str(n).encode() + body
    return header(b"pax", b"x", len(out)) + pad(out)


def zstd(data, *options):
    return subprocess.run(["zstd", "-c", "-q", *options], input=data,
                          stdout=subprocess.PIPE, check=True).stdout


def gzip_bomb(gigabytes):
    """Many members of zeros, each from the same megabyte-sized one."""
    member = gzip.compress(b"\0" * (64 << 20), 9)
    return member * (gigabytes * 16)


def capability(effective=1, permitted=0x400):
    return struct.pack("<IIIII", 0x02000000 | effective, permitted, 0, 0, 0)
