"""A SPDY/3.1 client of its own, as small as these tests need, and the streams
of Kubernetes' remote commands and port-forwards on it."""

import codecs
import os
import re
import select
import socket
import ssl
import struct
import threading
import zlib
from urllib.parse import urlsplit

from rig import TOP, read_head, receive


def dictionary():
    with open(os.path.join(TOP, "streamd/spdy_dict.c")) as f:
        text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"',
                                  f.read().split("=", 1)[1]))
    d = codecs.decode(text, "unicode_escape").encode("latin1")
    assert zlib.adler32(d) == 0xe3c6a7c2	# of the specification's
    return d


DICT = dictionary()


def block(headers):
    out = struct.pack(">I", len(headers))
    for k, v in headers:
        k, v = k.encode(), v.encode()
        out += struct.pack(">I", len(k)) + k + struct.pack(">I", len(v)) + v
    return out


def control(kind, payload, flags=0, version=3):
    return struct.pack(">HHI", 0x8000 | version, kind,
                       flags << 24 | len(payload)) + payload


def data(stream, payload, fin=False):
    return struct.pack(">II", stream, (1 if fin else 0) << 24 |
                       len(payload)) + payload


class Tls:
    """A TLS socket that one thread may read while another writes: OpenSSL's
    connections allow one caller at a time, and Python keeps no order."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setblocking(False)
        self.lock = threading.Lock()

    def again(self, fn, *args):
        while True:
            with self.lock:
                try:
                    return fn(*args)
                except ssl.SSLWantReadError:
                    wanted = ([self.sock], [])
                except ssl.SSLWantWriteError:
                    wanted = ([], [self.sock])
            if not any(select.select(*wanted, [], 30)):
                raise TimeoutError

    def recv(self, n):
        return self.again(self.sock.recv, n)

    def sendall(self, raw):
        while raw:
            raw = raw[self.again(self.sock.send, raw):]

    def shutdown(self, how):
        self.sock.shutdown(how)

    def close(self):
        self.sock.close()


def connect(url, fields, tls=None):
    """The socket, the status and the head of the answer."""
    u = urlsplit(url)
    s = socket.create_connection((u.hostname, u.port), 10)
    s.settimeout(30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        s = Tls(tls.wrap_socket(s, server_hostname="localhost"))
    s.sendall(("POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: 0\r\n"
               "\r\n" % (u.path, u.netloc, "\r\n".join(fields))).encode())
    head = read_head(s)
    return s, int(head.split()[1]) if head else 0, head


class Stream:
    def __init__(self, ident):
        self.ident = ident
        self.data = bytearray()
        self.replied = self.ended = self.reset = False
        self.total = 0
        self.keep = True


class Spdy:
    """sock: anything with sendall and recv."""

    def __init__(self, sock, read=True):
        self.sock = sock
        self.deflate = zlib.compressobj(zdict=DICT)
        self.inflate = zlib.decompressobj(zdict=DICT)
        self.streams = {}
        self.next = 1
        self.closed = False
        self.goaway = None
        self.pings = []
        self.updates = {}
        self.cond = threading.Condition()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        if read:
            self.thread.start()

    def read(self, n):
        return receive(self.sock.recv, n)

    def run(self):
        try:
            while True:
                first, second = struct.unpack(">II", self.read(8))
                self.take(first, second >> 24,
                          self.read(second & 0xffffff))
        except (OSError, EOFError, ValueError):
            pass
        with self.cond:
            self.closed = True
            self.cond.notify_all()

    def take(self, first, flags, payload):
        with self.cond:
            if not first & 0x80000000:
                st = self.streams[first]
                assert st.replied and not st.ended
                st.total += len(payload)
                if st.keep:
                    st.data += payload
                st.ended = bool(flags & 1)
            else:
                assert first >> 16 == 0x8003
                self.take_control(first & 0xffff, payload)
            self.cond.notify_all()

    def take_control(self, kind, p):
        ident = struct.unpack(">I", p[:4])[0]
        if kind == 2:
            assert self.inflate.decompress(p[4:]) == b"\0\0\0\0"
            self.known(ident).replied = True
        elif kind == 3:
            st = self.known(ident)
            st.reset = st.ended = True
        elif kind == 6:
            self.pings.append(ident)
        elif kind == 7:
            self.goaway = struct.unpack(">I", p[4:8])[0]
        elif kind == 9:
            self.updates[ident] = self.updates.get(ident, 0) + \
                struct.unpack(">I", p[4:8])[0]
        else:
            raise ValueError(kind)

    def known(self, ident):
        return self.streams.setdefault(ident, Stream(ident))

    def wait(self, fn, seconds=20):
        with self.cond:
            assert self.cond.wait_for(fn, seconds), "not in time"

    def send(self, raw):
        with self.lock:
            self.sock.sendall(raw)

    def open(self, wait=True, fin=False, **headers):
        with self.lock:
            st = Stream(self.next)
            self.next += 2
            self.streams[st.ident] = st
            payload = struct.pack(">IIBB", st.ident, 0, 0, 0) + \
                self.deflate.compress(block(list(headers.items()))) + \
                self.deflate.flush(zlib.Z_SYNC_FLUSH)
            self.sock.sendall(control(1, payload, 1 if fin else 0))
        if wait:
            self.wait(lambda: st.replied or st.reset or self.closed)
        return st

    def write(self, st, payload, fin=False):
        self.send(data(st.ident, payload, fin))

    def drop(self, st):
        self.send(control(3, struct.pack(">II", st.ident, 5)))

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self.thread.ident is not None:
            self.thread.join()
        self.sock.close()


class Remote:
    """An exec or attach, as kubectl does it."""

    NAMES = ["error", "stdin", "stdout", "stderr", "resize"]

    def __init__(self, url, streams, protocols=("v4.channel.k8s.io",),
                 tls=None):
        self.sock, self.status, self.head = connect(
            url, ["Connection: Upgrade", "Upgrade: SPDY/3.1"] +
            ["X-Stream-Protocol-Version: " + p for p in protocols], tls)
        assert self.status == 101, self.head
        self.spdy = Spdy(self.sock)
        self.st = {n: self.spdy.open(streamtype=n) for n in self.NAMES
                   if n in ["error"] + list(streams)}

    def write(self, payload, fin=False):
        self.spdy.write(self.st["stdin"], payload, fin)

    def result(self, seconds=20):
        """What came on stdout, stderr and the error stream."""
        self.spdy.wait(lambda: self.st["error"].ended or self.spdy.closed,
                       seconds)
        self.spdy.wait(lambda: self.spdy.closed, seconds)
        return tuple(bytes(self.st[n].data) if n in self.st else None
                     for n in ("stdout", "stderr", "error"))

    def close(self):
        self.spdy.close()
