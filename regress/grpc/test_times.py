"""The transport's long limits, made short: 2 s without a byte of what is under
way (60), 4 s without a stream (3600).  What is in time is not cut off."""

import os
import struct
import tempfile
import time

import pytest

import h2raw
from conftest import Echo
from h2raw import (ACK, DATA, END_HEADERS, GOAWAY, HEADERS, RST, SETTINGS,
                   Raw, frame, head, version)

STALL, IDLE = 2, 4
CANCEL, NO_ERROR = 8, 0


@pytest.fixture
def echo():
    with tempfile.TemporaryDirectory(prefix="criod-grpc.") as d:
        e = Echo(os.path.join(d, "sock"), STALL, IDLE)
        yield e
        assert e.proc.poll() is None, "the server died"
        e.proc.terminate()
        assert e.proc.wait(10) == 0


@pytest.fixture
def raw(echo):
    made = []

    def new(ack=True, **kw):
        r = Raw(echo.path, **kw)
        if ack:
            r.send(frame(SETTINGS, ACK, 0))
        made.append(r)
        return r
    yield new
    for r in made:
        r.close()


def reset_of(r, sid):
    got = r.pump(lambda f: f[0] == RST and f[2] == sid, 15)
    assert got is not None, "never reset"
    return struct.unpack(">I", got[3])[0]


def test_idle_connection(raw):
    r = raw()
    assert r.answer(r.request(version("x")))["grpc-status"] == "0"
    start = time.monotonic()
    assert r.gone(20) == NO_ERROR
    assert time.monotonic() - start > IDLE - 1


def test_settings_never_acknowledged(raw):
    r = raw(ack=False)
    r.request(version("hang"))
    r.gone(15)


def test_request_that_stops(raw):
    r = raw()
    sid = r.request(b"")
    r.send(frame(DATA, 0, sid, version("x")[:4]))
    assert reset_of(r, sid) == CANCEL


def test_answer_that_is_not_let_out(raw):
    """The peer gives no window for it; other streams go on."""
    r = raw(settings=struct.pack(">HI", 4, 0))
    sid = r.request(version("x"))
    assert reset_of(r, sid) == CANCEL


def test_peer_that_reads_nothing(raw, echo, client):
    r = raw(settings=struct.pack(">HI", 4, (1 << 31) - 1))
    r.send(frame(h2raw.WINDOW, 0, 0, struct.pack(">I", 1 << 30)))
    word = b"8000000"
    spec = b"\x0a" + bytes([len(word)]) + word
    flt = b"\x0a" + bytes([len(spec)]) + spec
    body = h2raw.message(b"\x0a" + bytes([len(flt)]) + flt)
    r.request(body, path="/runtime.v1.ImageService/ListImages")
    end = time.monotonic() + 15
    before = echo.fds()
    while echo.fds() == before:
        assert time.monotonic() < end
        assert client.version("x") == "x"
        time.sleep(0.1)


def test_work_is_not_idle(raw, client):
    """A call that takes its time is neither stalled nor idle."""
    r = raw()
    sid = r.request(version("sleep:%d" % ((IDLE + 2) * 1000)))
    assert r.answer(sid, 20)["grpc-status"] == "0"
    assert client.counts()["cancelled"] == 0


def test_slow_but_moving(raw):
    """Every byte of a request is a sign of life."""
    r = raw()
    sid = 1
    r.send(frame(HEADERS, END_HEADERS, sid, head()))
    for c in version("x"):
        r.send(frame(DATA, 0, sid, bytes([c])))
        time.sleep(STALL / 4)
    r.send(frame(DATA, 1, sid))
    assert r.answer(sid)["grpc-status"] == "0"
    assert not any(f[0] == GOAWAY for f in r.frames)
