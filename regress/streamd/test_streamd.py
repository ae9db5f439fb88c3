"""streamd under its real confinement; the test plays the parent."""

import array
import os
import pwd
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("CRIOD_BUILD", os.path.join(TOP, "build"))
FRONT = 2	# enum role

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def types():
    with open(os.path.join(TOP, "imsg/msg_table.h")) as f:
        names = re.findall(r"^MSG\((\w+)", f.read(), re.M)
    return {n: i + 1 for i, n in enumerate(names)}


TYPES = types()


@pytest.fixture(scope="module")
def pb(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("stubs"))
    subprocess.run(["protoc", "--python_out=" + out, "-I" + TOP,
                    "proto/cri.proto", "proto/msg.proto"], check=True,
                   cwd=TOP)
    sys.path.insert(0, out)
    from proto import msg_pb2
    return msg_pb2


class Streamd:
    def __init__(self, pb, root):
        self.pb = pb
        self.sock, theirs = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self.log = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(
            [os.path.join(BUILD, "libexec/criod/streamd")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.log, env={}, pass_fds=(3,),
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        user = pwd.getpwnam("nobody")
        fd = os.open(root, os.O_PATH)
        self.send("BOOT", pb.Boot(log_level=3, uid=user.pw_uid,
                                  gid=user.pw_gid), [fd])
        os.close(fd)
        self.kinds = {}
        self.front = None

    def send(self, name, body, fds=()):
        body = body if isinstance(body, bytes) else body.SerializeToString()
        head = struct.pack("<HHIHHI", TYPES[name], 0, 0, len(fds), 0,
                           len(body))
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                array.array("i", fds))] if fds else []
        self.sock.sendmsg([head + body], anc)

    def listen(self, kind, family=socket.AF_INET):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        self.kinds[kind] = s.getsockname()
        self.send("LISTENER", self.pb.Listener(
            kind=self.pb.Listener.Kind.Value(kind), name="test"),
            [s.fileno()])
        s.close()

    def start(self):
        self.send("START", struct.pack("<I", 0))
        self.sock.settimeout(10)
        try:
            head = self.sock.recv(65536)
        except ConnectionResetError:
            head = b""
        assert head, self.text()
        assert struct.unpack("<H", head[:2])[0] == TYPES["READY"]

    def link_front(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        self.send("LINK", struct.pack("<I", FRONT), [theirs.fileno()])
        theirs.close()
        self.front = ours

    def status(self, key):
        with open("/proc/%d/status" % self.proc.pid) as f:
            return re.search(r"^%s:\s*(.*)$" % key, f.read(), re.M).group(1)

    def text(self):
        self.log.seek(0)
        return self.log.read().decode()

    def http(self, data, kind="METRICS", whole=True):
        s = socket.create_connection(self.kinds[kind], 10)
        s.settimeout(30)
        s.sendall(data)
        if not whole:
            return s
        out = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                s.close()
                return out
            out += piece

    def get(self, path, kind="METRICS", method="GET"):
        got = self.http(("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         "\r\n" % (method, path)).encode(), kind)
        head, _, body = got.partition(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
        return int(head.split()[1]), body.decode(), head.decode()


@pytest.fixture
def streamd(pb):
    with tempfile.TemporaryDirectory(prefix="criod-streamd.") as root:
        os.chmod(root, 0o755)
        s = Streamd(pb, root)
        s.listen("METRICS")
        s.listen("STREAM")
        s.start()
        yield s
        assert s.proc.poll() is None, "streamd died: " + s.text()
        s.send("STOP", struct.pack("<I", 0))
        assert s.proc.wait(10) == 0, s.text()


def wait_for(fn, seconds=10):
    end = time.monotonic() + seconds
    while not fn():
        assert time.monotonic() < end
        time.sleep(0.02)


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
