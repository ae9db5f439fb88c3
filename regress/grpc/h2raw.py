"""HTTP/2 frames by hand, for what no proper client sends."""

import ctypes
import socket
import struct
import time

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT = \
    range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CALM = 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
VERSION = "/runtime.v1.RuntimeService/Version"


def frame(kind, flags, stream, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
            struct.pack(">I", stream) + payload)


def integer(n, bits, first):
    if n < (1 << bits) - 1:
        return bytes([first | n])
    out = bytearray([first | ((1 << bits) - 1)])
    n -= (1 << bits) - 1
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return integer(len(s), 7, 0) + s


def field(name, value):
    """Literal, never indexed, new name."""
    return b"\x10" + text(name) + text(value)


def head(path=VERSION, method="POST", scheme="http",
         content_type="application/grpc", extra=()):
    out = []
    for name, value in ((":method", method), (":scheme", scheme),
                        (":path", path), (":authority", "localhost"),
                        ("content-type", content_type), ("te", "trailers")):
        if value is not None:
            out.append(field(name, value))
    return b"".join(out) + b"".join(field(*f) for f in extra)


def message(body, flag=0):
    return bytes([flag]) + struct.pack(">I", len(body)) + body


def version(word):
    word = word.encode() if isinstance(word, str) else word
    return message(b"\x0a" + integer(len(word), 8, 0) + word)


class Pair(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_ubyte)),
                ("value", ctypes.POINTER(ctypes.c_ubyte)),
                ("namelen", ctypes.c_size_t), ("valuelen", ctypes.c_size_t),
                ("flags", ctypes.c_uint8)]


class Inflater:
    """HPACK, by the library that criod links as well."""

    def __init__(self):
        self.lib = ctypes.CDLL("libnghttp2.so.14")
        self.lib.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.it = ctypes.c_void_p()
        assert self.lib.nghttp2_hd_inflate_new(ctypes.byref(self.it)) == 0

    def decode(self, block):
        out, pair, flags = {}, Pair(), ctypes.c_int(0)
        while True:
            n = self.lib.nghttp2_hd_inflate_hd2(
                self.it, ctypes.byref(pair), ctypes.byref(flags), block,
                ctypes.c_size_t(len(block)), 1)
            assert n >= 0
            block = block[n:]
            if flags.value & 2:
                out[bytes(pair.name[:pair.namelen]).decode()] = \
                    bytes(pair.value[:pair.valuelen]).decode()
            if flags.value & 1:
                self.lib.nghttp2_hd_inflate_end_headers(self.it)
                return out


class Raw:
    """One connection; frames that came are kept in order."""

    def __init__(self, path, preface=True, settings=b""):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)	# waits if there is a queue
        self.sock.settimeout(10)
        self.got = b""
        self.frames = []
        self.fields = {}
        self.inflater = Inflater()
        self.closed = False
        self.broken = False		# cannot send any more
        self.next_id = 1
        if preface:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.broken = True

    def request(self, body=b"", flags=0, **kw):
        """HEADERS and, if there is a body, DATA that ends the stream."""
        sid = self.next_id
        self.next_id += 2
        block = head(**kw)
        pieces = [block[i:i + 16000] for i in range(0, len(block), 16000)]
        out = b""
        for i, piece in enumerate(pieces):
            last = END_HEADERS if i == len(pieces) - 1 else 0
            out += frame(CONT if i else HEADERS,
                         last | (0 if i else flags), sid, piece)
        if body:
            out += frame(DATA, END_STREAM, sid, body)
        self.send(out)
        return sid

    def pump(self, until, seconds=10):
        """Reads until until(frame) or the end; the frame or None."""
        end = time.monotonic() + seconds
        seen = 0
        while True:
            while seen < len(self.frames):
                if until(self.frames[seen]):
                    return self.frames[seen]
                seen += 1
            if self.closed or time.monotonic() > end:
                return None
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                return None
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
            self.got += data
            while len(self.got) >= 9:
                n = int.from_bytes(self.got[:3], "big")
                if len(self.got) < 9 + n:
                    break
                kind, flags = self.got[3], self.got[4]
                sid = int.from_bytes(self.got[5:9], "big") & 0x7fffffff
                if kind == HEADERS:
                    self.fields.setdefault(sid, {}).update(
                        self.inflater.decode(self.got[9:9 + n]))
                self.frames.append((kind, flags, sid, self.got[9:9 + n]))
                self.got = self.got[9 + n:]

    def answer(self, sid, seconds=10):
        """Header fields and trailers of the stream, once it has ended."""
        last = self.pump(lambda f: f[2] == sid and (
            f[0] == RST or f[0] in (HEADERS, DATA) and f[1] & END_STREAM),
            seconds)
        assert last is not None, "no end of stream %d" % sid
        if last[0] == RST and sid not in self.fields:
            return {"reset": int.from_bytes(last[3], "big")}
        return self.fields[sid]

    def gone(self, seconds=10):
        """Reads to the end; the GOAWAY's code, None without one."""
        self.pump(lambda f: False, seconds)
        assert self.closed, "connection still open"
        for kind, _, _, payload in self.frames:
            if kind == GOAWAY:
                return int.from_bytes(payload[4:8], "big")
        return None

    def close(self):
        self.sock.close()
