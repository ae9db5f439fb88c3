"""Clients that do what no client does: each is cut off, streamd goes on."""

import os
import socket
import struct
import time
import zlib

import pytest

from rig import command, wait_for
from spdy import DICT, Remote, Spdy, block, connect, control, data

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")

UPGRADE = ["Connection: Upgrade", "Upgrade: SPDY/3.1",
           "X-Stream-Protocol-Version: v4.channel.k8s.io"]


def client(backend):
    url, session = backend.prepare(
        "EXEC", command(["sleep", "1000"]), stdin=True, stdout=True)
    s, status, _ = connect(url, UPGRADE)
    assert status == 101
    return Spdy(s), session


def packed(raw, level=-1):
    c = zlib.compressobj(level, zdict=DICT)
    return c.compress(raw) + c.flush(zlib.Z_SYNC_FLUSH)


def syn(ident, raw):
    return control(1, struct.pack(">IIBB", ident, 0, 0, 0) + raw)


HEADERS = block([("streamtype", "error")])

# Row 48: counts and lengths that are trusted before there is memory for them.
COUNTS = {
    "too_many_headers": syn(1, packed(block([("a%d" % i, "")
                                             for i in range(33)]))),
    "length_lies": syn(1, packed(struct.pack(">II", 1, 0xffffffff) + b"a")),
    "settings_count": control(4, struct.pack(">I", 1000)),
}

BREACHES = {
    "bomb": syn(1, packed(b"\0" * (3 << 20))),
    "not_compressed": syn(1, HEADERS),
    "other_dictionary": syn(1, (lambda c: c.compress(HEADERS) +
                                c.flush(zlib.Z_SYNC_FLUSH))(
                                    zlib.compressobj(zdict=b"other"))),
    "no_count": syn(1, packed(b"\0\0")),
    "count_lies": syn(1, packed(struct.pack(">I", 2) + HEADERS[4:])),
    "no_name": syn(1, packed(block([("", "x")]))),
    "more_behind": syn(1, packed(HEADERS + b"x")),
    "long_control": control(1, b"x" * 4097),
    "huge_control": struct.pack(">HHI", 0x8003, 1, 0xffffff),
    "short_syn": control(1, b"x" * 9),
    "version_2": control(1, b"x" * 20, version=2),
    "reply": control(2, b"\0\0\0\1"),
    "credential": control(10, b"x" * 16),
    "unknown_type": control(99, b""),
    "stream_0": data(0, b"x"),
    "stream_that_never_was": data(7, b"x"),
    "even_stream": syn(2, packed(HEADERS)),
    "stream_twice": (lambda c: syn(5, c.compress(HEADERS) +
                                   c.flush(zlib.Z_SYNC_FLUSH)) +
                     syn(3, c.compress(HEADERS) +
                         c.flush(zlib.Z_SYNC_FLUSH)))(
                             zlib.compressobj(zdict=DICT)),
    "settings_window": control(4, struct.pack(">III", 1, 7, 0x80000000)),
    "window_0": control(9, struct.pack(">II", 0, 0)),
    "window_too_large": control(9, struct.pack(">II", 0, 0x80000000)),
    "window_length": control(9, b"x" * 9),
    "rst_length": control(3, b"x" * 4),
    "ping_length": control(6, b"x" * 8),
    "garbage": b"\xff" * 64,
    "http_again": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


def cut_off(backend, raw):
    c, session = client(backend)
    c.send(raw)
    c.wait(lambda: c.closed, 5)
    assert c.goaway in (None, 1)	# a reset may have eaten it
    wait_for(lambda: ("front", session) in backend.ends)


@pytest.mark.parametrize("name", COUNTS)
def test_row_48(backend, streamd, name):
    cut_off(backend, COUNTS[name])


@pytest.mark.parametrize("name", BREACHES)
def test_spdy_breach(backend, streamd, name):
    cut_off(backend, BREACHES[name])


def test_what_is_borne(backend):
    """Not wrong: settings, pings, window updates, goaway, more headers, late
    data, resets of what is not there."""
    r = Remote(backend.prepare("EXEC", command(["cat"]), stdin=True,
                               stdout=True)[0], ("stdin", "stdout"))
    c = r.spdy
    st = r.st["stdin"]
    with c.lock:
        more = c.deflate.compress(HEADERS) + \
            c.deflate.flush(zlib.Z_SYNC_FLUSH)
    for raw in (control(4, struct.pack(">III", 1, 7, 1 << 20)),
                control(6, struct.pack(">I", 1)),
                control(6, struct.pack(">I", 2)),
                control(9, struct.pack(">II", 0, 0x7fffffff)) * 3,
                control(9, struct.pack(">II", st.ident, 0x7fffffff)) * 3,
                control(8, struct.pack(">I", st.ident) + more),
                control(3, struct.pack(">II", 99, 5)),
                data(st.ident, b"")):
        c.send(raw)
    r.write(b"hello", fin=True)
    c.send(data(st.ident, b"late"))
    c.send(control(7, struct.pack(">II", 0, 0)))
    out, _, status = r.result()
    assert out == b"hello" and b"Success" in status
    assert c.pings == [1]


def test_too_many_streams(backend, streamd):
    c, _ = client(backend)
    for name in ("error", "stdin", "stdin", "error", "banana"):
        c.open(streamtype=name)
    assert [st.replied for st in c.streams.values()] == \
        [True, True, False, False, False]
    sts = [c.open(wait=False, streamtype="x") for _ in range(2000)]
    c.wait(lambda: all(st.reset for st in sts))
    c.close()


def test_streams_that_never_come(backend):
    """A client that makes no streams holds nothing but its connection."""
    c, session = client(backend)
    c.open(streamtype="stdin")
    time.sleep(0.3)
    assert not backend.procs
    c.close()
    wait_for(lambda: ("front", session) in backend.ends)


def test_flood_of_pings_unread(backend, streamd):
    url, _ = backend.prepare("EXEC", command(["sleep", "1000"]), stdin=True,
                             stdout=True)
    s, _, _ = connect(url, UPGRADE)
    s.settimeout(1)
    ping = control(6, struct.pack(">I", 1)) * 5000
    sent = 0
    with pytest.raises(OSError):
        while sent < 64 << 20:
            sent += s.send(ping)
    assert int(streamd.status("VmRSS").split()[0]) < 24 << 10
    s.close()


def test_idle(pb):
    import tempfile
    from rig import Backend, Streamd
    with tempfile.TemporaryDirectory(prefix="criod-streamd.") as root:
        os.chmod(root, 0o755)
        s = Streamd(pb, root, idle=1)
        s.listen("STREAM")
        s.start()
        b = Backend(s, pb)
        r = Remote(b.prepare("EXEC", command(["cat"]), stdin=True,
                             stdout=True)[0], ("stdin", "stdout"))
        for _ in range(4):
            time.sleep(0.5)
            r.write(b"x")
        assert not r.spdy.closed
        start = time.monotonic()
        r.spdy.wait(lambda: r.spdy.closed, 5)
        assert 0.5 < time.monotonic() - start < 3
        wait_for(lambda: len(b.ends) == 2)
        b.close()
        s.send("STOP", struct.pack("<I", 0))
        assert s.proc.wait(10) == 0


def guess(streamd):
    s = socket.create_connection(streamd.kinds["STREAM"], 10)
    s.settimeout(30)
    s.sendall(("GET /exec/%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (
        os.urandom(20).hex(), "\r\n".join(UPGRADE))).encode())
    return s


def test_E4_guesses(backend, streamd):
    """Wrong URLs are let in at a rate; who knows his is served meanwhile."""
    url, session = backend.prepare("EXEC", command(["cat"]), stdin=True,
                                   stdout=True)
    start = time.monotonic()
    for i in range(100):
        socks = [guess(streamd) for _ in range(15)]
        for s in socks:
            assert s.recv(100).split()[1] == b"404"
            s.close()
        if i == 50:
            r = Remote(url, ("stdin", "stdout"))
            r.write(b"hello", fin=True)
            assert r.result()[0] == b"hello"
    # 50 and those that were let in already, each quarter of a second
    assert time.monotonic() - start > 4
    assert streamd.text().count("guesses URLs") == 1
    assert int(streamd.status("VmRSS").split()[0]) < 24 << 10
