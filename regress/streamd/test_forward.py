"""Port-forwards over SPDY, WebSocket, and SPDY in WebSocket."""

import hashlib
import os
import socket
import struct
import threading
import time

import pytest

from rig import wait_for
from spdy import Spdy, connect
from ws import Ws

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")

UPGRADE = ["Connection: Upgrade", "Upgrade: SPDY/3.1",
           "X-Stream-Protocol-Version: portforward.k8s.io"]


class Server:
    """What listens in the pod; port 2 is closed, port 3 answers and ends."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.conns = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            self.conns += 1
            threading.Thread(target=self.echo, args=(c,), daemon=True).start()

    def echo(self, c):
        with c:
            while True:
                try:
                    piece = c.recv(65536)
                    if not piece:
                        c.sendall(b"bye")
                        return
                    c.sendall(piece)
                except OSError:
                    return

    def dial(self, port):
        if port == 2:
            raise ConnectionRefusedError("nobody listens on port 2")
        if port == 3:
            a, b = socket.socketpair()
            a.sendall(b"hello and bye")
            a.close()
            return b
        return socket.create_connection(self.sock.getsockname())


@pytest.fixture
def server():
    s = Server()
    yield s
    s.sock.close()


def spdy(backend, server):
    url, session = backend.prepare("PORT_FORWARD", server.dial)
    s, status, head = connect(url, UPGRADE)
    assert status == 101, head
    return Spdy(s), session


def pair(c, port, ident):
    """As kubectl: the error stream first, ended at once."""
    head = {"port": str(port), "requestid": str(ident)} \
        if ident is not None else {"port": str(port)}
    error = c.open(streamtype="error", **head)
    c.write(error, b"", fin=True)
    return c.open(streamtype="data", **head), error


def exchange(c, port, ident, payload):
    d, e = pair(c, port, ident)
    for i in range(0, len(payload), 32768):
        c.write(d, payload[i:i + 32768])
    c.write(d, b"", fin=True)
    c.wait(lambda: d.ended and e.ended)
    assert not e.data and not e.reset
    return bytes(d.data)


def test_connections(backend, server, streamd):
    c, session = spdy(backend, server)
    for i in range(20):
        text = b"%d " % i * i
        assert exchange(c, 80 + i, i, text) == text + b"bye"
    assert exchange(c, 80, None, b"old") == b"oldbye"
    assert server.conns == 21
    assert not backend.ends
    c.close()
    wait_for(lambda: backend.ends == [("front", session)])


def test_large(backend, server):
    c, _ = spdy(backend, server)
    payload = os.urandom(1 << 20) * 16
    got = exchange(c, 80, 0, payload)
    assert hashlib.sha256(got).digest() == \
        hashlib.sha256(payload + b"bye").digest()
    c.close()


def test_many_at_once(backend, server, streamd):
    c, _ = spdy(backend, server)
    pairs = [pair(c, 80, i) for i in range(100)]
    for i, (d, _) in enumerate(pairs):
        c.write(d, b"%d" % i)
    c.wait(lambda: all(d.data for d, _ in pairs))
    assert [bytes(d.data) for d, _ in pairs] == \
        [b"%d" % i for i in range(100)]
    assert len(os.listdir("/proc/%d/fd" % streamd.proc.pid)) > 100
    # as kubectl ends one: reset, then it waits for the error stream
    for d, e in pairs:
        c.drop(d)
    c.wait(lambda: all(e.ended for _, e in pairs))
    wait_for(lambda: len(os.listdir("/proc/%d/fd" % streamd.proc.pid)) < 15)
    c.close()


def test_refused_and_ended_by_the_server(backend, server):
    c, _ = spdy(backend, server)
    d, e = pair(c, 2, 0)
    c.wait(lambda: d.ended and e.ended)
    assert bytes(e.data) == b"error forwarding port 2 to c0ffee: " \
        b"nobody listens on port 2"
    d, e = pair(c, 3, 1)
    c.wait(lambda: d.ended and e.ended)
    assert bytes(d.data) == b"hello and bye" and not e.data
    c.drop(d)
    # the connection is as good as before
    assert exchange(c, 80, 2, b"x") == b"xbye"
    c.close()


@pytest.mark.parametrize("head", [
    {"streamtype": "data"}, {"streamtype": "data", "port": "0"},
    {"streamtype": "data", "port": "65536"},
    {"streamtype": "data", "port": "-1"},
    {"streamtype": "data", "port": "80", "requestid": "x" * 40},
    {"streamtype": "stdin", "port": "80"}, {"port": "80"},
    {"streamtype": "data", "port": "81", "requestid": "0"},
    {"streamtype": "error", "port": "80", "requestid": "0"}])
def test_streams_that_are_refused(backend, server, head):
    c, _ = spdy(backend, server)
    assert c.open(streamtype="error", port="80", requestid="0").replied
    st = c.open(**head)
    assert st.reset and not st.replied
    c.close()


def test_not_well_with_the_front(backend):
    url, _ = backend.prepare("PORT_FORWARD", "the pod is not ready")
    s, _, _ = connect(url, UPGRADE)
    c = Spdy(s)
    error = c.open(wait=False, streamtype="error", port="80", requestid="0")
    c.wait(lambda: c.closed)
    assert not error.data or b"not ready" in error.data


# ---- WebSocket ----

def test_tunnel(backend, server):
    url, session = backend.prepare("PORT_FORWARD", server.dial)
    w = Ws(url, ["SPDY/3.1+portforward.k8s.io"])
    assert w.status == 101
    assert "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n" in w.head
    c = Spdy(w)
    for i in range(5):
        payload = os.urandom(200000)
        assert exchange(c, 80, i, payload) == payload + b"bye"
    c.close()
    wait_for(lambda: backend.ends == [("front", session)])


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", ""])
def test_ws_channels(backend, server, protocol):
    url, _ = backend.prepare("PORT_FORWARD", server.dial, ports=[80, 2, 258])
    w = Ws(url, [protocol] if protocol else [])
    assert w.status == 101
    w.channel(0, b"first")
    w.channel(4, b"third")
    got = {}
    while len(got.get(0, b"")) < 7 or len(got.get(4, b"")) < 7 or \
            len(got.get(3, b"")) < 10:
        m = w.message()
        got[m[0]] = got.get(m[0], b"") + m[1:]
    assert got[0] == b"\x50\0first" and got[1] == b"\x50\0"
    assert got[2] == b"\2\0"
    assert got[3].startswith(b"\2\0error forwarding port 2 to c0ffee")
    assert got[4] == b"\2\1third" and got[5] == b"\2\1"
    w.close()


def test_ws_ends_with_its_connections(backend, server):
    url, session = backend.prepare("PORT_FORWARD", server.dial, ports=[3])
    w = Ws(url, ["v4.channel.k8s.io"])
    assert w.collect()[0] == b"\3\0hello and bye"
    assert w.code == 1000
    wait_for(lambda: backend.ends == [("front", session)])


def test_too_many_ports(backend, server):
    with pytest.raises(RuntimeError, match="64 ports"):
        backend.prepare("PORT_FORWARD", server.dial, ports=[80] * 65)
    with pytest.raises(RuntimeError, match="no port"):
        backend.prepare("PORT_FORWARD", server.dial, ports=[65536])
