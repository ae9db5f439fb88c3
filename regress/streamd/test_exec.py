"""Remote commands over SPDY and WebSocket; processes are the test's own."""

import base64
import hashlib
import json
import os
import socket
import struct
import threading
import time

import pytest

from rig import command, job, terminal, wait_for
from spdy import Remote, Spdy, connect
from ws import Ws

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")

SUCCESS = {"metadata": {}, "status": "Success"}
IO = {"stdin": True, "stdout": True}


def failure(code):
    return {"metadata": {}, "status": "Failure",
            "message": "command terminated with non-zero exit code: %d" % code,
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode",
                                    "message": str(code)}]}}


def fds(streamd):
    return len(os.listdir("/proc/%d/fd" % streamd.proc.pid))


def rss(streamd):
    return int(streamd.status("VmRSS").split()[0])


def run(backend, argv, streams=("stdout",), protocols=("v4.channel.k8s.io",),
        **more):
    flags = {n: n in streams for n in ("stdin", "stdout", "stderr")}
    url, session = backend.prepare("EXEC", command(argv, **flags), **flags)
    return Remote(url, streams, protocols, **more), session


# ---- SPDY ----

def test_spdy_stdin_until_its_end(backend):
    r, _ = run(backend, ["tac"], ("stdin", "stdout"))
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in r.head
    r.write(b"one\n")
    r.write(b"two\n", fin=True)
    out, _, status = r.result()
    assert out == b"two\none\n"
    assert json.loads(status) == SUCCESS
    assert r.st["stdout"].ended and not r.st["stdout"].reset


def test_spdy_exit_status_and_stderr(backend):
    r, session = run(backend, ["sh", "-c", "echo out; echo err >&2; exit 3"],
                     ("stdout", "stderr"))
    out, err, status = r.result()
    assert (out, err) == (b"out\n", b"err\n")
    assert json.loads(status) == failure(3)
    wait_for(lambda: ("front", session) in backend.ends)
    assert ("execd", session) not in backend.ends


@pytest.mark.parametrize("version", ["channel.k8s.io", "v2.channel.k8s.io",
                                     "v3.channel.k8s.io"])
def test_spdy_old_versions_say_it_in_words(backend, version):
    r, _ = run(backend, ["sh", "-c", "exit 3"], protocols=["x/y", version])
    assert "X-Stream-Protocol-Version: %s\r\n" % version in r.head
    assert r.result()[2] == \
        b"command terminated with non-zero exit code: 3"
    r, _ = run(backend, ["true"], protocols=[version])
    assert r.result()[2] == b""


def test_killed_by_a_signal(backend):
    r, _ = run(backend, ["sh", "-c", "kill -9 $$"])
    assert json.loads(r.result()[2]) == failure(137)


def test_terminal_and_its_size(backend):
    url, _ = backend.prepare(
        "EXEC", terminal(["sh", "-c", "read x; stty size; echo got $x; "
                          "exit 4"]), stdin=True, stdout=True, tty=True)
    r = Remote(url, ("stdin", "stdout", "resize"))
    size = b'{"Width":123,"Height":45}\n'
    for piece in (b'{"Width":80,"Height":24}\n', size[:9], size[9:]):
        r.spdy.write(r.st["resize"], piece)
    time.sleep(0.1)
    r.write(b"hello\n")
    out, _, status = r.result()
    assert b"45 123\r\n" in out and b"got hello\r\n" in out
    assert json.loads(status) == failure(4)


def test_bad_sizes_are_ignored(backend):
    url, _ = backend.prepare(
        "EXEC", terminal(["sh", "-c", "read x; stty size"]), stdin=True,
        stdout=True, tty=True)
    r = Remote(url, ("stdin", "stdout", "resize"))
    r.spdy.write(r.st["resize"], b'{"Width":80,"Height":24}')
    r.spdy.write(r.st["resize"], b'{"Width":-1,"Height":"x"}' + b"{" * 999)
    r.spdy.write(r.st["resize"], b'{"Width":9,"Height":9}')
    time.sleep(0.1)
    r.write(b"\n")
    assert b"24 80" in r.result()[0]


def test_why_it_did_not_start(backend):
    url, _ = backend.prepare("EXEC", "container is not running \"x\"",
                             stdout=True)
    status = json.loads(Remote(url, ("stdout",)).result()[2])
    assert status["reason"] == "InternalError" and status["code"] == 500
    assert 'container is not running "x"' in status["message"]

    @job
    def fails(b, session):
        b.exit(session, 0, "no such file")
    url, _ = backend.prepare("EXEC", fails, stdout=True)
    status = json.loads(Remote(url, ("stdout",)).result()[2])
    assert "no such file" in status["message"]


def test_grandchild_that_holds_the_pipe(backend):
    r, _ = run(backend, ["sh", "-c", "echo done; sleep 20 & exit 5"])
    start = time.monotonic()
    out, _, status = r.result()
    assert out == b"done\n" and json.loads(status) == failure(5)
    assert 0.5 < time.monotonic() - start < 5


def test_grandchild_that_writes_for_ever(backend):
    r, _ = run(backend, ["sh", "-c", "yes & exit 6"])
    r.st["stdout"].keep = False
    assert json.loads(r.result()[2]) == failure(6)
    assert r.st["stdout"].total < 4 << 20


def test_client_goes(backend):
    r, session = run(backend, ["sleep", "1000"])
    wait_for(lambda: backend.procs)
    r.close()
    wait_for(lambda: len(backend.ends) == 2)
    assert sorted(backend.ends) == [("execd", session), ("front", session)]


def test_descriptors_that_come_too_late(backend):
    @job
    def late(b, session):
        wait_for(lambda: len(b.ends) == 2)
        command(["sleep", "1000"], stdin=False)(b, session)
    url, session = backend.prepare("EXEC", late, stdout=True)
    Remote(url, ("stdout",)).close()
    wait_for(lambda: backend.ends.count(("execd", session)) == 2)


def test_execd_dies(backend, streamd):
    r, _ = run(backend, ["sleep", "1000"])
    wait_for(lambda: backend.procs)
    backend.execd.close()
    assert json.loads(r.result()[2])["reason"] == "InternalError"


def test_stdin_nobody_reads(backend, streamd):
    """Back-pressure towards the client, and its end is seen even so."""
    r, session = run(backend, ["sleep", "1000"], ("stdin", "stdout"))
    wait_for(lambda: backend.procs)
    before = rss(streamd)
    r.sock.settimeout(1)
    sent = 0
    with pytest.raises(OSError):
        while sent < 64 << 20:
            r.write(b"x" * 32768)
            sent += 32768
    assert sent < 16 << 20
    assert rss(streamd) - before < 4096
    # reset, for an orderly end would stand behind the data
    r.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    r.sock.shutdown(socket.SHUT_RD)
    r.spdy.thread.join()
    r.sock.close()
    wait_for(lambda: ("execd", session) in backend.ends)


def test_ws_stdin_nobody_reads_for_long(backend):
    """A client that is not read gets pongs all the same."""
    w = ws_run(backend, ["sleep", "1000"], "v5.channel.k8s.io", **IO)
    assert w.message() == b"\1"

    def fill():
        try:
            while True:
                w.channel(0, b"x" * 30000)
        except OSError:
            pass
    t = threading.Thread(target=fill, daemon=True)
    t.start()
    assert w.recv_frame() == (10, b"")
    w.sock.shutdown(socket.SHUT_RDWR)
    t.join()


def test_client_that_does_not_read(backend, streamd):
    """Back-pressure towards the command."""
    url, session = backend.prepare(
        "EXEC", command(["sh", "-c", "yes | head -c 100000000; echo end >&2"],
                        stdin=False, stderr=True), stdout=True, stderr=True)
    s, status, _ = connect(url, ["Connection: Upgrade", "Upgrade: SPDY/3.1",
                                 "X-Stream-Protocol-Version: "
                                 "v4.channel.k8s.io"])
    assert status == 101
    spdy = Spdy(s, read=False)
    before = rss(streamd)
    for name in ("error", "stdout", "stderr"):
        spdy.open(wait=False, streamtype=name)
    time.sleep(1)
    with open("/proc/%d/io" % streamd.proc.pid) as f:
        moved = int(f.readline().split()[1])
    assert rss(streamd) - before < 4096 and moved < 32 << 20
    assert backend.procs[0].poll() is None
    for st in spdy.streams.values():
        st.keep = False
    spdy.thread.start()
    spdy.wait(lambda: spdy.closed)
    assert spdy.streams[3].total == 100000000 and spdy.streams[5].total == 4


SIZE = 64 << 20


def pour(write, close):
    block = os.urandom(1 << 16)
    want = hashlib.sha256()

    def run():
        for i in range(SIZE >> 16):
            piece = block[:-8] + struct.pack("<Q", i)
            want.update(piece)
            for k in (0, 32768):
                write(piece[k:k + 32768])
        close()
    t = threading.Thread(target=run, daemon=True)
    t.start()
    return t, want


def test_spdy_64_mib_both_ways(backend, streamd):
    r, _ = run(backend, ["cat"], ("stdin", "stdout"))
    got = hashlib.sha256()
    take = r.spdy.take

    def taking(first, flags, payload):
        if first == r.st["stdout"].ident:
            got.update(payload)
        take(first, flags, payload)
    r.st["stdout"].keep = False
    r.spdy.take = taking
    t, want = pour(r.write, lambda: r.write(b"", fin=True))
    _, _, status = r.result(120)
    t.join()
    assert json.loads(status) == SUCCESS
    assert r.st["stdout"].total == SIZE
    assert got.digest() == want.digest()
    # a client that does flow control would have been told
    assert r.spdy.updates[r.st["stdin"].ident] > SIZE - (1 << 18)
    assert rss(streamd) < 32 << 10


# ---- WebSocket ----

def ws_run(backend, argv, protocol, **flags):
    job = command(argv, **{n: flags.get(n, False)
                           for n in ("stdin", "stdout", "stderr")})
    url, _ = backend.prepare("EXEC", job, **flags)
    w = Ws(url, [protocol] if protocol else [])
    assert w.status == 101, w.head
    if protocol:
        assert "Sec-WebSocket-Protocol: %s\r\n" % protocol in w.head
    else:
        assert "Sec-WebSocket-Protocol" not in w.head
    return w


def test_ws_v5_closes_stdin(backend):
    w = ws_run(backend, ["sh", "-c", "tac; echo err >&2; exit 7"],
               "v5.channel.k8s.io", stdin=True, stdout=True, stderr=True)
    assert w.message() == b"\1"	# the connection stands
    w.channel(0, b"a\nb\n")
    w.send(b"\xff\0")
    got = w.collect()
    assert got[1] == b"b\na\n" and got[2] == b"err\n"
    assert json.loads(got[3]) == failure(7)
    assert w.code == 1000


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "channel.k8s.io",
                                      ""])
def test_ws_older(backend, protocol):
    w = ws_run(backend, ["head", "-n", "1"], protocol, **IO)
    w.channel(0, b"hello\nmore\n")
    w.send(b"\xff\0")	# means nothing here
    got = w.collect()
    assert got[1] == b"hello\n"
    if protocol.startswith("v4"):
        assert json.loads(got[3]) == SUCCESS
    else:
        assert 3 not in got


def test_ws_base64(backend):
    w = ws_run(backend, ["head", "-c", "1000"], "v4.base64.channel.k8s.io",
               **IO)
    sent = os.urandom(1000)
    text = base64.b64encode(sent[:301])
    w.send(b"0" + text[:7], opcode=1, fin=False)
    w.send(text[7:], opcode=0)
    w.send(b"0" + base64.b64encode(sent[301:]), opcode=1)
    out = b""
    while True:
        op, m = w.recv_frame()
        if op == 8:
            break
        assert op == 1
        if m[:1] == b"1":
            out += base64.b64decode(m[1:], validate=True)
        else:
            assert m[:1] == b"3"
            assert json.loads(base64.b64decode(m[1:])) == SUCCESS
    assert out == sent


@pytest.mark.parametrize("text", [b"0!!!!", b"0QUJD=QUJ", b"0QUJDR"])
def test_ws_bad_base64(backend, text):
    w = ws_run(backend, ["cat"], "v4.base64.channel.k8s.io", **IO)
    w.send(text, opcode=1)
    while w.message() is not None:
        pass
    assert w.code == 1007


def test_ws_fragments_and_pings(backend):
    w = ws_run(backend, ["cat"], "v5.channel.k8s.io", **IO)
    assert w.message() == b"\1"
    w.send(b"\0", fin=False)
    w.send(b"ab", opcode=0, fin=False)
    w.send(b"ping", opcode=9)
    w.send(b"cd", opcode=0)
    got = b""
    pong = None
    while len(got) < 4 or pong is None:
        op, m = w.recv_frame()
        if op == 10:
            pong = m
        else:
            got += m[1:]
    assert got == b"abcd" and pong == b"ping"
    w.send(b"\xff\0")
    assert json.loads(w.collect()[3]) == SUCCESS


@pytest.mark.parametrize("raw", [
    b"\x82\x03\0ab",			# not masked
    b"\x83\x80\0\0\0\0",		# a reserved opcode
    b"\xf2\x80\0\0\0\0",		# reserved bits
    b"\x80\x80\0\0\0\0",		# continues nothing
    b"\x89\xfe\0\x80\0\0\0\0",		# a long ping
    b"\x82\xff" + b"\xff" * 8 + b"\0\0\0\0",
], ids=["unmasked", "opcode", "rsv", "continuation", "ping", "length"])
def test_ws_breach(backend, raw):
    w = ws_run(backend, ["sleep", "1000"], "v5.channel.k8s.io", stdout=True)
    wait_for(lambda: backend.procs)
    w.sock.sendall(raw)
    w.collect()
    assert w.code in (None, 1002, 1009)
    wait_for(lambda: len(backend.ends) == 2)


def test_ws_resize(backend):
    url, _ = backend.prepare(
        "EXEC", terminal(["sh", "-c", "read x; stty size"]), stdin=True,
        stdout=True, tty=True)
    w = Ws(url, ["v5.channel.k8s.io"])
    w.channel(4, b'{"Width":100,"Height":50}')
    time.sleep(0.1)
    w.channel(0, b"\n")
    assert b"50 100\r\n" in w.collect()[1]


def test_ws_64_mib_both_ways(backend, streamd):
    w = ws_run(backend, ["cat"], "v5.channel.k8s.io", **IO)
    lock = threading.Lock()

    def write(piece):
        # a key of zeros: masking is tested elsewhere
        n = len(piece) + 1
        with lock:
            w.sock.sendall(b"\x82\xfe" + struct.pack(">HI", n, 0) + b"\0" +
                           piece)
    t, want = pour(write, lambda: w.send(b"\xff\0"))
    got, total = hashlib.sha256(), 0
    while True:
        m = w.message()
        if m is None:
            break
        if m[0] == 1:
            got.update(m[1:])
            total += len(m) - 1
        else:
            assert json.loads(m[1:]) == SUCCESS
    t.join()
    assert total == SIZE and got.digest() == want.digest()
    assert rss(streamd) < 32 << 10


# ---- attach ----

def monitor():
    """A monitor's socket, and the job that gives its other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)

    @job
    def give(b, session):
        b.stdio(session, "ATTACH", [theirs.fileno()])
        theirs.close()
    return ours, give


def test_attach(backend):
    ours, give = monitor()
    url, session = backend.prepare("ATTACH", give, stdin=True, stdout=True,
                                   stderr=True)
    r = Remote(url, ("stdin", "stdout", "stderr"))
    r.write(b"in")
    assert ours.recv(65536) == b"\0in"
    r.write(b"y" * 100000, fin=True)
    got = b""
    while len(got) < 100000:
        p = ours.recv(65536)
        assert p[0] == 0 and len(p) <= 32768
        got += p[1:]
    assert ours.recv(65536) == b"\3"
    ours.send(b"\1out")
    ours.send(b"\2err")
    ours.send(b"\7what")	# not a type of this direction
    ours.send(b"\1" + b"z" * 32767)
    ours.close()
    out, err, status = r.result()
    assert out == b"out" + b"z" * 32767 and err == b"err"
    assert json.loads(status) == SUCCESS


def test_attach_terminal_and_a_client_that_goes(backend):
    ours, give = monitor()
    url, session = backend.prepare("ATTACH", give, stdin=True, stdout=True,
                                   tty=True)
    r = Remote(url, ("stdin", "stdout", "resize"))
    r.spdy.write(r.st["resize"], b'{"Width":258,"Height":24}\n')
    assert ours.recv(65536) == b"\4\2\1\x18\0"
    ours.send(b"\1hello")
    r.spdy.wait(lambda: r.st["stdout"].total == 5)
    r.close()
    assert ours.recv(65536) == b""
    wait_for(lambda: len(backend.ends) == 2)


# ---- tokens ----

UPGRADE = ["Connection: Upgrade", "Upgrade: SPDY/3.1",
           "X-Stream-Protocol-Version: v4.channel.k8s.io"]


def test_row_68_token_is_for_one_use(backend):
    url, _ = backend.prepare("EXEC", command(["true"], stdin=False),
                             stdout=True)
    assert len(url.rsplit("/", 1)[1]) == 40
    r = Remote(url, ("stdout",))
    assert connect(url, UPGRADE)[1] == 404
    assert json.loads(r.result()[2]) == SUCCESS
    assert connect(url, UPGRADE)[1] == 404


def test_row_68_token_is_for_one_kind(backend):
    url, _ = backend.prepare("EXEC", command(["true"], stdin=False),
                             stdout=True)
    for wrong in (url.replace("/exec/", "/attach/"), url[:-1], url + "0",
                  url[:-1] + "g", url.replace("/exec/", "/exec//")):
        assert connect(wrong, UPGRADE)[1] == 404
    assert json.loads(Remote(url, ("stdout",)).result()[2]) == SUCCESS


def test_tokens_are_bounded(backend):
    for _ in range(1000):
        url, _ = backend.prepare("EXEC", command(["true"], stdin=False),
                                 stdout=True)
    with pytest.raises(RuntimeError, match="1000"):
        backend.prepare("EXEC", None, stdout=True)
    assert json.loads(Remote(url, ("stdout",)).result()[2]) == SUCCESS
    backend.prepare("EXEC", None, stdout=True)


def test_front_that_dies_takes_its_tokens_along(backend, streamd):
    url, _ = backend.prepare("EXEC", None, stdout=True)
    backend.front.close()
    wait_for(lambda: connect(url, UPGRADE)[1] == 404)


@pytest.mark.parametrize("fields,code", [
    ([], 400),
    (["Connection: Upgrade", "Upgrade: SPDY/3.1"], 400),
    (["Connection: Upgrade", "Upgrade: SPDY/3.1",
      "X-Stream-Protocol-Version: portforward.k8s.io"], 403),
    (["Connection: close", "Upgrade: SPDY/3.1",
      "X-Stream-Protocol-Version: v4.channel.k8s.io"], 400),
    (["Connection: Upgrade", "Upgrade: h2c"], 400),
    (["Connection: Upgrade", "Upgrade: websocket",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: "
      "AAAAAAAAAAAAAAAAAAAAAA=="], 400),	# a POST
])
def test_no_upgrade(backend, fields, code):
    url, _ = backend.prepare("EXEC", command(["true"], stdin=False),
                             stdout=True)
    _, status, head = connect(url, fields)
    assert status == code
    assert (code == 403) == ("X-Accepted-Stream-Protocol-Versions: "
                             "v4.channel.k8s.io" in head)
    # and the token is still good
    assert json.loads(Remote(url, ("stdout",)).result()[2]) == SUCCESS


def test_ws_versions_and_protocols(backend):
    url, _ = backend.prepare("EXEC", command(["true"], stdin=False),
                             stdout=True)
    w = Ws(url, ["v5.channel.k8s.io"], version="12")
    assert w.status == 426 and "Sec-WebSocket-Version: 13" in w.head
    assert Ws(url, ["chat", "SPDY/3.1+portforward.k8s.io"]).status == 403
    w = Ws(url, ["chat", "v4.channel.k8s.io", "v5.channel.k8s.io"])
    assert json.loads(w.collect()[3]) == SUCCESS


# ---- many ----

def test_too_many_sessions(backend, streamd):
    fields = UPGRADE[:2] + ["X-Stream-Protocol-Version: portforward.k8s.io"]
    socks = []
    for _ in range(512):
        url, _ = backend.prepare("PORT_FORWARD", lambda port: None)
        s, status, _ = connect(url, fields)
        assert status == 101
        socks.append(s)
    url, _ = backend.prepare("EXEC", command(["true"], stdin=False),
                             stdout=True)
    assert connect(url, UPGRADE)[1] == 503
    socks[0].close()
    wait_for(lambda: len(backend.ends) == 1)
    assert json.loads(Remote(url, ("stdout",)).result()[2]) == SUCCESS
    for s in socks[1:]:
        s.close()
    wait_for(lambda: fds(streamd) < 12)


def test_sessions_leave_nothing(backend, streamd):
    """A hundred at a time; SESSIONS=100 makes ten thousand of them."""
    each = int(os.environ.get("SESSIONS", "8"))

    @job
    def quick(b, session):
        r, w = os.pipe()
        os.write(w, b"hi")
        os.close(w)
        b.stdio(session, "PIPES", [r])
        os.close(r)
        b.exit(session, 3)

    def one(what):
        url, _ = backend.prepare("EXEC", what, stdout=True)
        r = Remote(url, ("stdout",))
        assert json.loads(r.result(60)[2]) == failure(3)
        r.close()
    one(quick)
    wait_for(lambda: fds(streamd) < 12)
    before = fds(streamd)
    real = command(["sh", "-c", "exit 3"], stdin=False)
    threads = [threading.Thread(target=lambda: [one(
        quick if i else real) for i in range(each)]) for _ in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_for(lambda: fds(streamd) == before)
    done = 100 * each + 1
    wait_for(lambda: len([e for e in backend.ends if e[0] == "front"]) == done)
    wait_for(lambda: 'criod_streams_total{kind="exec"} %d\n' % done in
             streamd.get("/metrics")[1])
    assert "\ncriod_streams_open 0\n" in streamd.get("/metrics")[1]
