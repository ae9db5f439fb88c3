"""Layers made to do harm: refused, or harmless, and never outside the layer."""
import gzip
import hashlib
import io
import os
import signal
import struct
import tempfile
import time

import pytest

import driver
import layer as make
from conftest import make_root
from layer import CHAR, DIR, END, FIFO, LINK, SYMLINK, Layer, header, pad, pax

MIB = 1 << 20


def refused(root, blob, code="INVALID_ARGUMENT", match="", **more):
    with pytest.raises(driver.Failed, match=match) as info:
        driver.unpack(root, blob, **more)
    assert info.value.code == code, info.value
    return info.value


# ---- security.md rows 1, 4, 6: out of the layer ----

@pytest.mark.parametrize("name", [
    "../x", "a/../../x", "..", "a/..", "/../x", "./../x", "a/b/../c"])
def test_dotdot(root, canary, name):
    refused(root, Layer().add(name, b"evil").bytes(), match=r'"\.\."')
    assert not os.path.exists(root / "../x")


@pytest.mark.parametrize("name", ["../canary/file", "a/../../canary/file"])
def test_hardlink_out(root, canary, name):
    refused(root, Layer().add("a/x").add("h", kind=LINK, linkname=name)
            .bytes(), match=r'"\.\."')


def test_absolute_names_are_relative(root, canary):
    target = str(canary / "file")
    driver.unpack(root, Layer().add(target, b"evil").bytes())
    assert (root / target[1:]).read_text() == "evil"


def test_hardlink_absolute_is_relative(root, canary):
    refused(root, Layer().add("h", kind=LINK, linkname=str(canary / "file"))
            .bytes(), match="not there")


@pytest.mark.parametrize("to", ["{canary}", "../../../canary",
                                "../" * 60 + "{canary}"])
def test_through_symlink(root, canary, to):
    """Parents that an earlier entry made a link out of the layer."""
    to = to.format(canary=canary)
    sub = Layer().add("s", kind=SYMLINK, linkname=to)
    sub.add("s/file", b"evil")
    sub.add("s/dir", kind=DIR, mode=0o777, uid=1, mtime=1)
    refused(root, sub.bytes(), match="parent directory")


def test_through_symlink_stays_inside(root, canary):
    """The same path inside the layer is what such a link means."""
    inside = str(canary)[1:]
    sub = Layer().add(inside, kind=DIR).add("s", kind=SYMLINK,
                                            linkname=str(canary))
    sub.add("s/file", b"inside", uid=7)
    sub.add(".wh.x").add("s/.wh.y").add("s/.wh..wh..opq")
    driver.unpack(root, sub.bytes())
    assert (root / inside / "file").read_text() == "inside"


def test_symlink_then_same_name(root, canary):
    """CVE-2021-32760: mode, owner, times, attributes of the link's target."""
    sub = Layer()
    for i, kind in enumerate((make.FILE, DIR, FIFO)):
        sub.add(f"f{i}", kind=SYMLINK, linkname=str(canary / "file"))
        sub.add(f"f{i}", kind=kind, mode=0o7777, uid=1, gid=1, mtime=1,
                pax_headers={"SCHILY.xattr.user.x": "y"})
    sub.add("l", kind=SYMLINK, linkname=str(canary / "file"))
    sub.add("h", kind=LINK, linkname="l")           # a link to the link
    sub.add("h", mode=0o7777, uid=1)
    driver.unpack(root, sub.bytes())
    for i in range(3):
        assert not (root / f"f{i}").is_symlink()


def test_dir_replaced_before_its_times(root, canary):
    """Times of directories come last: then the name may be a link."""
    sub = Layer().add("d", kind=DIR, mtime=1)
    sub.add("d", kind=SYMLINK, linkname=str(canary / "dir"))
    sub.add("e/x", kind=DIR, mtime=1)
    sub.add("e", kind=SYMLINK, linkname=str(canary))
    sub.add("g", kind=DIR, mtime=1).add("g", b"file")
    sub.add("real", kind=DIR, mtime=5).add("was", kind=DIR, mtime=1)
    sub.add("was", kind=SYMLINK, linkname="real")
    driver.unpack(root, sub.bytes())
    assert (root / "real").stat().st_mtime == 5


def test_symlink_loop(root):
    sub = Layer().add("a", kind=SYMLINK, linkname="b")
    sub.add("b", kind=SYMLINK, linkname="a").add("a/f")
    refused(root, sub.bytes(), match="parent directory")


def test_link_to_directory_and_root(root):
    refused(root, Layer().add("d", kind=DIR)
            .add("h", kind=LINK, linkname="d").bytes(), match="no file")
    driver.remove(root)
    refused(root, Layer().add("h", kind=LINK, linkname="/").bytes(),
            match="no file")
    refused(root, Layer().add("/", b"data").bytes(), match="root")


def test_proc_self_root(root, canary):
    """Magic links are not followed, were /proc there."""
    sub = Layer().add("p", kind=SYMLINK, linkname="/proc/self/root")
    sub.add("p" + str(canary) + "/file", b"evil")
    refused(root, sub.bytes())


# ---- whiteouts and what only the kernel may say ----

def test_forged_whiteout(root):
    refused(root, Layer().add("x", kind=CHAR, devmajor=0, devminor=0).bytes(),
            match="forged whiteout")


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh.",
                                  ".wh.x/y"])
def test_bad_whiteouts(root, name):
    refused(root, Layer().add(name).bytes(), match="whiteout")


def test_link_to_whiteout(root):
    refused(root, Layer().add(".wh.x").add("y", kind=LINK, linkname="x")
            .bytes(), match="hard link")
    driver.remove(root)
    refused(root, Layer().add(".wh.x").add("y", kind=LINK, linkname=".wh.x")
            .bytes(), match="hard link")


# ---- rows 50, 51, 52: bombs and broken streams ----

def test_long_names(root):
    refused(root, Layer().add("n" * 256).bytes(), match="255")
    refused(root, Layer().add("d/" * 2048 + "x").bytes(), match="4095")
    refused(root, Layer().add("l", kind=SYMLINK, linkname="x" * 5000).bytes(),
            match="4095")
    driver.unpack(root, Layer().add("d/" * 2000 + "x").bytes())
    driver.remove(root)
    assert os.listdir(root) == []


def test_deeper_than_a_path(root):
    """A link into the depth, and on from there: refused when it is found,
    and what was made by then can be removed."""
    sub = Layer()
    for i in range(5):
        sub.add("l/" * (i > 0) + "d/" * 1900 + "x")
        sub.add("l", kind=SYMLINK,
                linkname="/" + ("d/" * 1900) if i == 0 else "d/")
    refused(root, sub.bytes(), match="path longer")
    driver.remove(root)
    assert os.listdir(root) == []


def test_pax_too_large(root):
    for kind in (b"x", b"L", b"K"):
        for size in (MIB + 1, 1 << 30, 1 << 32):
            refused(root, header(b"p", kind, size), "RESOURCE_EXHAUSTED",
                    "extended header larger")


def test_many_pax_records(root):
    body = b"8 a=b\n" * 0 + b"6 a=b\n" * 170000
    blob = header(b"p", b"x", len(body)) + pad(body) + header(b"f") + END
    driver.unpack(root, blob)


def test_many_xattrs(root):
    records = [(b"SCHILY.xattr.user.a%d" % i, b"v") for i in range(300)]
    refused(root, pax(records) + header(b"f") + END, match="256")


@pytest.mark.parametrize("body", [
    b"1 a=b\n", b"0 a=b\n", b"99 a=b\n", b"6 ab\n ", b"6 a=bX", b"-6 a=b\n",
    b"6a=bb\n", b"18446744073709551622 a=b\n", b"\n", b"6 =",
    b"9 path=\0\n", b"12 uid=-10\n\n", b"19 uid=4294967295\n",
    b"14 mtime=1.x\n"])
def test_bad_pax(root, body):
    blob = header(b"p", b"x", len(body)) + pad(body) + header(b"f") + END
    refused(root, blob)


def test_pax_nul_in_path(root):
    refused(root, pax([(b"path", b"a\0b")]) + header(b"f") + END, match="NUL")


def test_sparse_bombs(root):
    """A map of a million pieces; a file of eight exabytes."""
    text = b"1000000\n" + b"0\n0\n" * 1000000
    head = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b"f"), (b"GNU.sparse.realsize", b"100")]
    blob = pax(head) + header(b"f", size=len(pad(text))) + pad(text) + END
    refused(root, blob, match="too many pieces")
    head[3] = (b"GNU.sparse.realsize", b"9223372036854775807")
    text = pad(b"1\n9223372036854775807\n0\n")
    blob = pax(head) + header(b"f", size=512) + text + END
    refused(root, blob, "RESOURCE_EXHAUSTED", "too large")
    text = pad(b"2\n100\n100\n0\n412\n")
    blob = pax(head) + header(b"f", size=1024) + text + END + END
    refused(root, blob, match="sparse")
    text = pad(b"1\n18446744073709551615\n2\n")
    blob = pax(head) + header(b"f", size=514) + text + END + END
    refused(root, blob, match="sparse")
    refused(root, pax([(b"GNU.sparse.map", b"0,1,2")]) + header(b"f") + END,
            match="sparse")


def test_too_many_entries(root):
    sub = Layer()
    for i in range(1001):
        sub.add(f"f{i}")
    refused(root, sub.bytes(), "RESOURCE_EXHAUSTED", "too many",
            max_entries=1000)
    driver.remove(root)
    # directories that no entry names count as well
    sub = Layer()
    for i in range(20):
        sub.add(f"{i}/" + "d/" * 100 + "x")
    refused(root, sub.bytes(), "RESOURCE_EXHAUSTED", "too many",
            max_entries=1000)


def test_entries_that_make_nothing(root):
    for block in (header(b".wh..wh.x"), header(b"g", b"g"),
                  header(b"d", b"5")):
        refused(root, block * 5000 + END, "RESOURCE_EXHAUSTED", "too many",
                max_entries=1000)


def test_too_many_bytes(root):
    tar = Layer().add("f", b"x" * (4 * MIB)).bytes()
    refused(root, tar, "RESOURCE_EXHAUSTED", "large", max_bytes=2 * MIB)
    # holes count too
    refused(root, pax([(b"GNU.sparse.major", b"1"),
                       (b"GNU.sparse.realsize", b"%d" % (3 * MIB))])
            + header(b"f", size=512) + pad(b"0\n") + END,
            "RESOURCE_EXHAUSTED", "too large", max_bytes=2 * MIB)


def test_gzip_bomb(root):
    """Sixteen gigabytes from sixteen megabytes, after the tar's end."""
    blob = gzip.compress(Layer().add("f").bytes()) + make.gzip_bomb(16)
    start = time.time()
    refused(root, blob, "RESOURCE_EXHAUSTED", "larger", compression="gzip",
            diff_id="0" * 64, max_bytes=1 << 30)
    assert time.time() - start < 20


def test_gzip_bomb_in_file(root):
    body = header(b"f", size_field=b"\x80" + b"\0" * 5 + b"\x10" + b"\0" * 5)
    blob = gzip.compress(body) + make.gzip_bomb(2)
    refused(root, blob, "RESOURCE_EXHAUSTED", "large", compression="gzip",
            diff_id="0" * 64, max_bytes=1 << 28)
    used = sum(os.lstat(os.path.join(d, n)).st_blocks
               for d, ds, fs in os.walk(root) for n in fs)
    assert used * 512 <= 1 << 28


def test_zstd_window(root):
    """A frame that asks for a window of 2 GiB gets no memory for it."""
    frame = struct.pack("<I", 0xFD2FB528) + bytes([0x00, (31 - 10) << 3])
    refused(root, frame + b"\x01\0\0", compression="zstd", diff_id="0" * 64,
            match="requires too much memory")


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_broken_streams(base, name):
    tar = Layer().add("f", os.urandom(100000)).add("g").bytes()
    whole = gzip.compress(tar) if name == "gzip" else make.zstd(tar)
    cases = [whole[:n] for n in (0, 1, 5, 17, 1000, len(whole) // 2,
                                 len(whole) - 1)]
    cases.append(whole + b"\0")
    cases.append(whole + b"garbage")
    cases.append(whole + whole[:20])
    for at in (0, 3, 30, len(whole) // 2, len(whole) - 3):
        cases.append(whole[:at] + bytes([whole[at] ^ 0xff]) + whole[at + 1:])
    for i, blob in enumerate(cases):
        root = make_root(base, str(i))
        start = time.time()
        refused(root, blob, compression=name, tar=tar)
        assert time.time() - start < 10


def test_blob_shorter_than_said(root):
    tar = Layer().add("f").bytes()
    refused(root, tar, size=len(tar) + 1, match="shorter")


def test_wrong_compression(root):
    tar = Layer().add("f").bytes()
    refused(root, gzip.compress(tar), match="tar", tar=tar)
    refused(root, tar, compression="gzip", match="gzip")
    refused(root, gzip.compress(tar), compression="zstd", tar=tar)


def test_wrong_diff_id(root):
    refused(root, Layer().add("f").bytes(), diff_id="0" * 64,
            match="layer is sha256")


@pytest.mark.parametrize("cut", [1, 100, 511, 513, 1000, 1024, 1500])
def test_truncated_tar(root, cut):
    tar = header(b"f", size=1000) + b"x" * 1024
    if cut == 1024:
        cut = 1023
    refused(root, tar[:cut], match="tar")


@pytest.mark.parametrize("block", [
    header(b"f", checksum=1), header(b"f", kind=b"9"),
    header(b"f", kind=b"M"), header(b"f", uid=b"notanum\0"),
    header(b"f", mode=b"\xff" * 8), header(b"f", size_field=b"-0000000001\0"),
    header(b"f", size_field=b"\xff" * 12), header(b"f", size_field=b"9" * 12),
    header(b"f", size_field=b"\x80" + b"\x7f" * 11),
    header(b"f", uid=b"\x80\0\0\0\xff\xff\xff\xff"),
    header(b"f", kind=b"2"), header(b""), header(b"f", kind=b"S", size=5),
    b"\0" * 512 + header(b"f"),
    os.urandom(512), b"\x1f\x8b" + b"\0" * 510])
def test_bad_headers(root, block):
    refused(root, block + END + b"\0" * 512)


def test_xattr_of_the_kernel(root):
    refused(root, pax([(b"SCHILY.xattr.security.capability", b"junk")])
            + header(b"f") + END, match="extended attribute")


# ---- the process ----

def hold(root, tar):
    """An unpack that waits for more of its blob, and that blob."""
    blob = tempfile.TemporaryFile()
    blob.write(tar)
    blob.flush()
    u = driver.Unpack(root)
    body = struct.pack("<IQ65sQQQ256s", 0, 1 << 30, b"0" * 64, 1 << 40, 1000,
                       len(tar), b"")
    null = os.open("/dev/null", os.O_WRONLY)
    u.send("UNPACK_LAYER", body, [blob.fileno(), null])
    os.close(null)
    return u, blob


def more(u, have):
    u.send("UNPACK_MORE", struct.pack("<Q", have), ident=0)


def test_ends_with_its_link(root):
    u, _ = hold(root, header(b"f", size=1 << 29))
    u.link.close()
    assert u.process.wait(10) in (0, 1)


@pytest.mark.parametrize("have", [0, 1, 1 << 31, (1 << 64) - 1])
def test_told_nonsense(root, have):
    """Less than it had, or more than the blob's size."""
    u, _ = hold(root, header(b"f", size=1 << 29))
    more(u, have)
    with pytest.raises(driver.Failed, match="size"):
        u.receive()
    assert u.finish() == 0


def test_told_too_early(root):
    """More than the file holds."""
    u, _ = hold(root, header(b"f", size=1 << 29))
    more(u, 1 << 20)
    with pytest.raises(driver.Failed, match="shorter"):
        u.receive()
    assert u.finish() == 0


def test_status_in_proc(root):
    u, _ = hold(root, header(b"f", size=1 << 29))
    while not os.path.exists(os.path.join(root, "f")):
        time.sleep(0.01)
    check_status(u.process.pid,
                 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 31)
    u.process.kill()


def check_status(pid, caps):
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f
                      if ":\t" in line)
    assert status["Uid"].split() == [str(driver.UID)] * 4
    assert status["Gid"].split() == [str(driver.GID)] * 4
    assert status["Groups"].strip() == ""
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[name], 16) == caps, name
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    for ns in ("net", "ipc", "uts", "mnt"):
        assert (os.readlink(f"/proc/{pid}/ns/{ns}")
                != os.readlink(f"/proc/self/ns/{ns}"))
    with open(f"/proc/{pid}/mounts") as f:
        mounts = f.read().splitlines()
    assert len(mounts) == 1
    options = set(mounts[0].split()[3].split(","))
    assert {"nodev", "nosuid", "noexec"} <= options
    return options


def test_no_file_of_the_image_is_loaded(root, base):
    """CVE-2019-14271: libraries, converters and configuration of the image."""
    sub = Layer()
    for name in ("etc/nsswitch.conf", "etc/ld.so.cache", "etc/passwd",
                 "etc/ssl/openssl.cnf", "usr/lib/ssl/openssl.cnf",
                 "lib/x86_64-linux-gnu/libnss_files.so.2",
                 "usr/lib/x86_64-linux-gnu/gconv/gconv-modules",
                 "usr/lib/locale/locale-archive"):
        sub.add(name, b"evil")
    sub.add("\u00e9t\u00e9", b"", uname="nobody", gname="nogroup")
    driver.unpack(root, sub.bytes())
    trace = base / "trace"
    driver.unpack(make_root(base, "again"), sub.bytes(),
                  prefix=["strace", "-f", "-o", str(trace), "-e",
                          "trace=openat,open,openat2,execve,seccomp,prctl"])
    text = trace.read_text()
    sealed = text.index("PR_SET_SECCOMP")
    opened = [line for line in text[sealed:].splitlines() if "O_RDONLY" in line]
    assert all("O_DIRECTORY" in line for line in opened), opened
    assert "evil" not in text and "execve" not in text[sealed:]


def test_malformed_request(root):
    for name, body, fds in (("UNPACK_LAYER", b"short", 2),
                            ("UNPACK_LAYER", b"\0" * 357, 1),
                            ("UNPACK_LAYER", b"\xff" * 357, 2),
                            ("UNPACK_DONE", b"\0" * 81, 0),
                            ("UNPACK_MORE", b"\0" * 8, 0),
                            ("STOP", b"\0" * 4, 0), ("BOOT", b"", 0)):
        u = driver.Unpack(root)
        null = os.open("/dev/null", os.O_RDONLY)
        u.send(name, body, [null] * fds)
        os.close(null)
        with pytest.raises(driver.Died):
            u.receive()
        assert u.process.returncode == 1
        assert os.listdir(root) == []


def test_full_disk(base):
    """No space and no inodes: the layer fails, what is there can go."""
    import subprocess
    disk = base / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=60",
                    "tmpfs", str(disk)], check=True)
    try:
        root = make_root(disk, "1")
        refused(root, Layer().add("a").add("f", b"x" * (4 * MIB)).bytes(),
                "RESOURCE_EXHAUSTED", "No space")
        driver.remove(root)
        sub = Layer()
        for i in range(100):
            sub.add(f"f{i}")
        refused(root, sub.bytes(), "RESOURCE_EXHAUSTED", "No space")
        driver.remove(root)
        assert os.listdir(root) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
