"""streamd under its real confinement; the test plays the parent."""

import os
import re
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from rig import BUILD, TYPES, Streamd, wait_for

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def test_confined(streamd):
    pid = streamd.proc.pid
    assert streamd.status("Uid").split()[0] != "0"
    for c in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"):
        assert int(streamd.status(c), 16) == 0
    assert streamd.status("Seccomp") == "2"
    assert streamd.status("NoNewPrivs") == "1"
    for ns in ("net", "mnt", "ipc", "uts"):
        assert os.readlink("/proc/%d/ns/%s" % (pid, ns)) != \
            os.readlink("/proc/self/ns/" + ns)
    assert os.listdir("/proc/%d/root/" % pid) == []
    fds = [os.readlink("/proc/%d/fd/%s" % (pid, f))
           for f in os.listdir("/proc/%d/fd" % pid)]
    assert len(fds) < 10, fds


def test_health_follows_the_front(streamd):
    for kind in ("METRICS", "STREAM"):
        assert streamd.get("/healthz", kind)[0] == 503
    streamd.link_front()
    wait_for(lambda: streamd.get("/healthz")[0] == 200)
    assert streamd.get("/healthz", "STREAM")[1] == "ok\n"
    streamd.front.close()
    wait_for(lambda: streamd.get("/healthz")[0] == 503)
    streamd.link_front()
    wait_for(lambda: streamd.get("/healthz")[0] == 200)


def test_metrics(streamd, pb):
    streamd.send("METRICS", pb.Metrics(role="imaged", restarts=3,
                                       violations=1))
    streamd.send("METRICS", pb.Metrics(role="front"))
    wait_for(lambda: "front" in streamd.get("/metrics")[1])
    code, body, head = streamd.get("/metrics?x=y")
    assert code == 200 and "text/plain; version=0.0.4" in head
    assert 'criod_helper_restarts_total{role="imaged"} 3\n' in body
    assert 'criod_filter_violations_total{role="imaged"} 1\n' in body
    assert 'criod_helper_restarts_total{role="front"} 0\n' in body
    assert re.search(r'criod_build_info\{version="[^"]+"\} 1\n', body)
    for line in body.splitlines():
        assert re.match(r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? \d+)$',
                        line)
    # not for those who come for streams
    assert streamd.get("/metrics", "STREAM")[0] == 404


@pytest.mark.parametrize("path", ["/", "/healthz/", "//healthz", "/Healthz",
                                  "/metrics%20", "/../healthz"])
def test_not_found(streamd, path):
    assert streamd.get(path)[0] == 404


def test_method(streamd):
    code, _, head = streamd.get("/healthz", method="POST")
    assert code == 405 and "Allow: GET" in head


@pytest.mark.parametrize("data,code", [
    (b"\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
     413),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
     b"\r\n", 413),
    (b"GET /" + b"x" * 9000, 431),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 70 + b"\r\n",
     431),
    (b"\0" * 9000, 431),
], ids=lambda v: v[:24].decode("latin1").split("\r")[0].strip("\0")
    if isinstance(v, bytes) else v)
def test_refused(streamd, data, code):
    got = streamd.http(data)
    assert int(got.split()[1]) == code
    assert b"Connection: close" in got


def test_keep_alive_and_pipelining(streamd):
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    s = streamd.http(one, whole=False)
    assert s.recv(4096).startswith(b"HTTP/1.1 503")
    s.sendall(one)
    assert s.recv(4096).startswith(b"HTTP/1.1 503")
    s.sendall(one * 50 + b"GET / HTTP/1.0\r\n\r\n")
    out = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        out += piece
    assert out.count(b"HTTP/1.1 503") == 50
    assert out.count(b"HTTP/1.1 404") == 1


def test_byte_by_byte(streamd):
    s = streamd.http(b"", whole=False)
    for c in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
        s.sendall(bytes([c]))
    assert s.recv(4096).startswith(b"HTTP/1.1 503")
    s.close()


def test_slow_request_is_ended(streamd):
    s = streamd.http(b"GET /hea", whole=False)
    start = time.monotonic()
    assert s.recv(4096).startswith(b"HTTP/1.1 408")
    assert 8 < time.monotonic() - start < 15
    s.close()


def test_many_connections(streamd):
    idle = [streamd.http(b"GET /", whole=False) for _ in range(300)]
    assert streamd.get("/healthz")[0] == 503
    assert len(os.listdir("/proc/%d/fd" % streamd.proc.pid)) < 150
    for s in idle:
        s.close()
    assert streamd.get("/healthz")[0] == 503


def test_reader_that_never_reads(streamd):
    s = socket.create_connection(streamd.kinds["METRICS"], 10)
    s.setblocking(False)
    one = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100
    sent, end = 0, time.monotonic() + 3
    while time.monotonic() < end:
        try:
            sent += s.send(one)
        except BlockingIOError:
            time.sleep(0.05)
    rss = int(streamd.status("VmRSS").split()[0])
    assert rss < 16 * 1024
    assert streamd.get("/healthz")[0] == 503
    s.close()


def test_garbage_from_the_front_is_reported(streamd):
    streamd.link_front()
    wait_for(lambda: streamd.get("/healthz")[0] == 200)
    streamd.front.send(b"x" * 100)
    streamd.sock.settimeout(10)
    got = streamd.sock.recv(65536)
    assert struct.unpack("<H", got[:2])[0] == TYPES["PEER_BAD"]
    assert streamd.get("/healthz")[0] == 503


def test_end_of_the_parent_is_the_end(pb):
    with tempfile.TemporaryDirectory(prefix="criod-streamd.") as root:
        s = Streamd(pb, root)
        s.listen("METRICS")
        s.start()
        s.sock.close()
        assert s.proc.wait(10) == 0, s.text()


def test_surplus_descriptor_at_start(pb):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    proc = subprocess.Popen(
        [os.path.join(BUILD, "libexec/criod/streamd")],
        stderr=subprocess.PIPE, pass_fds=(3, theirs.fileno()),
        preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    assert b"descriptors" in proc.communicate(timeout=10)[1]
    assert proc.returncode == 1
