"""Exec, attach and port-forward with crictl, over both its transports."""

import fcntl
import hashlib
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import grpc
import pytest

import cri
from conftest_integ import NODE, children, wait_for

CRICTL = os.path.join(cri.BUILD, "go/crictl")
MIB = 1 << 20

pytestmark = pytest.mark.skipif(
    not os.path.exists(CRICTL), reason="no Go here to build crictl with")

both = pytest.mark.parametrize("transport", ("spdy", "websocket"))


class Crictl:
    def __init__(self, criod, path):
        self.conf = path / "crictl.yaml"
        self.conf.write_text("runtime-endpoint: unix://%s\nimage-endpoint: "
                             "unix://%s\n" % (criod.socket, criod.socket))

    def argv(self, *args):
        return [CRICTL, "-c", str(self.conf), *args]

    def run(self, *args, data=b"", timeout=60):
        return subprocess.run(self.argv(*args), input=data,
                              capture_output=True, timeout=timeout)

    def start(self, *args, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kw)


class Terminal:
    """A command with a terminal, as a person has it."""

    def __init__(self, argv, columns=100, rows=30):
        self.fd, slave = pty.openpty()
        self.size(columns, rows)
        self.proc = subprocess.Popen(argv, stdin=slave, stdout=slave,
                                     stderr=slave, start_new_session=True)
        os.close(slave)
        self.text = b""

    def size(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("4H", rows, columns, 0, 0))

    def read(self):
        os.set_blocking(self.fd, False)
        try:
            self.text += os.read(self.fd, 65536)
        except OSError:
            pass

    def expect(self, pattern, seconds=20):
        def look():
            self.read()
            return re.search(pattern, self.text)
        try:
            return wait_for(pattern, look, seconds)
        except AssertionError:
            raise AssertionError("%s not in %r" % (pattern, self.text))

    def type(self, text):
        os.write(self.fd, text)

    def close(self):
        self.proc.kill()
        self.proc.wait()
        os.close(self.fd)


@pytest.fixture
def crictl(criod, tmp_path):
    return Crictl(criod, tmp_path)


@pytest.fixture
def ctr(pods):
    pod, config = pods.run()
    return pods.start(pod, config, ["sleep", "3600"])


def count(pods, ctr, number):
    """Processes "sleep NUMBER" in the container."""
    out = pods.sh(ctr, "grep -alz '^%d$' /proc/[0-9]*/cmdline | wc -l"
                  % number).stdout
    return int(out)


class Traces:
    """What a stream must not leave behind: descriptors and processes."""

    def __init__(self, criod):
        self.criod = criod
        self.before = None
        while self.before != (now := self.look()):
            self.before = now
            time.sleep(0.3)

    def look(self):
        out = {}
        for name, pid in self.criod.helpers().items():
            out[name] = len(os.listdir("/proc/%d/fd" % pid))
            out[name, "children"] = len(children(pid))
        return out

    def gone(self):
        end = time.monotonic() + 10
        while more := {k: (self.before.get(k), n)
                       for k, n in self.look().items()
                       if n > self.before.get(k, 0)}:
            assert time.monotonic() < end, more
            time.sleep(0.05)


# ---- exec ----

@both
def test_exec_both_ways(crictl, ctr, transport):
    """Standard input and output at once, hashed; error on its own."""
    data = os.urandom(16 * MIB)
    got = crictl.run("exec", "-r", transport, "-i", ctr, "sh", "-c",
                     "echo apart >&2; tee /tmp/in | cat; exit 7", data=data)
    assert hashlib.sha256(got.stdout).digest() == \
        hashlib.sha256(data).digest()
    assert got.stderr.startswith(b"apart\n")
    assert b"exit code 7" in got.stderr and got.returncode != 0
    got = crictl.run("exec", "-r", transport, ctr, "sha256sum", "/tmp/in")
    assert got.returncode == 0 and got.stderr == b""
    assert got.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


@both
def test_exec_small_things(crictl, ctr, transport):
    run = crictl.run
    # No input asked for: it is empty, not somebody else's.
    got = run("exec", "-r", transport, ctr, "cat", data=b"not sent")
    assert (got.returncode, got.stdout) == (0, b"")
    # A grandchild that holds the streams does not hold the client.
    t = time.monotonic()
    got = run("exec", "-r", transport, ctr, "sh", "-c",
              "sleep 1009 & echo out")
    assert got.stdout == b"out\n" and time.monotonic() - t < 10
    got = run("exec", "-r", transport, ctr, "/no/such/program")
    assert got.returncode != 0 and b"no/such/program" in got.stderr
    # A command that closes its input while more comes.
    got = run("exec", "-r", transport, "-i", ctr, "sh", "-c",
              "exec <&-; echo closed; exit 3", data=b"x" * MIB)
    assert got.stdout == b"closed\n" and b"exit code 3" in got.stderr
    # Killed by a signal, as a shell would say it.
    got = run("exec", "-r", transport, ctr, "sh", "-c", "kill -9 $$")
    assert b"exit code 137" in got.stderr


@both
def test_exec_terminal(crictl, ctr, transport):
    t = Terminal(crictl.argv("exec", "-r", transport, "-it", ctr, "sh"))
    t.type(b"test -t 0 && test -t 2 && echo yes$((40+2)) TERM=$TERM.\n")
    t.expect(rb"yes42 TERM=xterm\.")
    t.type(b"until stty size | grep -q '30 100'; do sleep 0.1; done; "
           b"echo size$((1+1))\n")
    t.expect(rb"size2")
    t.size(132, 43)
    t.proc.send_signal(signal.SIGWINCH)
    t.type(b"until stty size | grep -q '43 132'; do sleep 0.1; done; "
           b"echo size$((1+2))\n")
    t.expect(rb"size3")
    t.type(b"exit 5\n")
    t.expect(rb"exit code 5")
    t.close()


def test_exec_refused(pods, criod):
    pod, config = pods.run()
    c = pods.create(pod, config, ["sleep", "3600"])
    for kw, code in ((dict(stdout=True), "FAILED_PRECONDITION"),
                     (dict(), "INVALID_ARGUMENT"),
                     (dict(stdout=True, stderr=True, tty=True),
                      "INVALID_ARGUMENT")):
        with pytest.raises(grpc.RpcError) as e:
            criod.client.Exec(container_id=c, cmd=["true"], **kw)
        assert e.value.code().name == code
    with pytest.raises(grpc.RpcError) as e:
        criod.client.Attach(container_id=c, tty=True, stdout=True)
    assert e.value.code().name == "INVALID_ARGUMENT"


@both
def test_clients_killed(crictl, pods, ctr, criod, transport):
    """Nothing of what they started or opened is left."""
    crictl.run("exec", ctr, "true")
    traces = Traces(criod)
    for i in range(10):
        args = ["-i", ctr] if i % 2 else [ctr]
        p = crictl.start("exec", "-r", transport, *args, "sh", "-c",
                         "trap '' HUP; echo up; sleep 1010 & setsid sleep "
                         "1010 & sleep 1010", stdin=subprocess.PIPE)
        assert p.stdout.read(3) == b"up\n"
        p.kill()
        p.wait()
    t = Terminal(crictl.argv("exec", "-r", transport, "-it", ctr, "sh", "-c",
                             "trap '' HUP; echo up; sleep 1010 & setsid "
                             "sleep 1010 & sleep 1010"))
    t.expect(rb"up")
    wait_for("its commands", lambda: count(pods, ctr, 1010) >= 3)
    t.close()
    wait_for("commands to die", lambda: count(pods, ctr, 1010) == 0)
    traces.gone()


def test_many_at_once(crictl, ctr, criod):
    crictl.run("exec", ctr, "true")
    traces = Traces(criod)
    procs = [crictl.start("exec", "-r", ("spdy", "websocket")[i % 2], "-i",
                          ctr, "sh", "-c", "cat; exit %d" % (i % 5),
                          stdin=subprocess.PIPE) for i in range(20)]
    for i, p in enumerate(procs):
        out, err = p.communicate(b"%d" % i * 10000)
        assert out == b"%d" % i * 10000
        assert (b"exit code %d" % (i % 5) in err) == (i % 5 != 0), err
    traces.gone()


@pytest.mark.parametrize("helper", ("streamd", "execd", "front",
                                    "execlaunch"))
def test_helper_dies(crictl, pods, ctr, criod, helper):
    """The command goes with it, and the next one works."""
    p = crictl.start("exec", "-i", ctr, "sh", "-c",
                     "echo up; sleep 1011 & sleep 1011",
                     stdin=subprocess.PIPE)
    assert p.stdout.read(3) == b"up\n"
    wait_for("its commands", lambda: count(pods, ctr, 1011) == 2)
    os.kill(criod.helpers()[helper], signal.SIGKILL)
    # Over SPDY a client cannot tell a lost connection from success.
    assert p.wait(20) != 0 or helper == "streamd"

    def none():
        try:
            return count(pods, ctr, 1011) == 0
        except grpc.RpcError:
            return False
    wait_for("commands to die", none)
    wait_for("a new one", lambda: crictl.run(
        "exec", ctr, "echo", "again").stdout == b"again\n")


# ---- attach ----

@both
def test_attach(crictl, pods, transport):
    pod, config = pods.run()
    c = pods.start(pod, config, ["sh", "-c", "while read x; do echo \"o$x\"; "
                                 "echo \"e$x\" >&2; done; exit 6"],
                   stdin=True)
    for i in range(3):
        p = crictl.start("attach", "-r", transport, "-i", c,
                         stdin=subprocess.PIPE)
        p.stdin.write(b"%d\n" % i)
        p.stdin.flush()
        assert p.stdout.read(3) == b"o%d\n" % i
        assert p.stderr.read(3) == b"e%d\n" % i
        # Left: its end of input is not the container's.
        p.kill()
        p.wait()
    assert pods.status(c).state == 1
    a, b = (crictl.start("attach", "-r", transport, c) for _ in range(2))
    time.sleep(1)
    p = crictl.start("attach", "-r", transport, "-i", c,
                     stdin=subprocess.PIPE)
    p.stdin.write(b"all\n")
    p.stdin.flush()
    for x in (a, b, p):
        assert x.stdout.read(5) == b"oall\n"
    pods.client.StopContainer(container_id=c, timeout=0)
    for x in (a, b, p):
        assert x.wait(10) is not None
    assert pods.text(c) == "o0\no1\no2\noall\n"


@both
def test_attach_once(crictl, pods, transport):
    """The first client's end of input is the container's."""
    pod, config = pods.run()
    c = pods.create(pod, config, ["sh", "-c", "cat; exit 6"], stdin=True,
                    stdin_once=True)
    data = b"".join(b"%07d\n" % i for i in range(64 * 1024))
    p = crictl.start("attach", "-r", transport, "-i", c,
                     stdin=subprocess.PIPE)
    time.sleep(1)
    pods.client.StartContainer(container_id=c)
    out, _ = p.communicate(data, timeout=30)
    st = pods.exited(c)
    assert st.exit_code == 6
    assert pods.text(c).encode() == data
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()


@both
def test_attach_terminal(crictl, pods, transport):
    pod, config = pods.run()
    c = pods.start(pod, config, ["sh"], tty=True, stdin=True)
    for size in ((100, 30), (132, 43)):
        t = Terminal(crictl.argv("attach", "-r", transport, "-it", c), *size)
        t.type(b"until stty size | grep -q '%d %d'; do sleep 0.1; done; "
               b"echo size$((%d+1))\n" % (size[1], size[0], size[0]))
        t.expect(b"size%d" % (size[0] + 1))
        t.close()
    t = Terminal(crictl.argv("attach", "-r", transport, "-it", c))
    t.type(b"exit 9\n")
    assert pods.exited(c).exit_code == 9
    wait_for("the client's end", lambda: t.read() or
             t.proc.poll() is not None)
    t.close()


@both
def test_attach_slow(crictl, pods, transport):
    """Who does not read is cut off; the log has it all, at once."""
    pod, config = pods.run()
    c = pods.start(pod, config, [
        "sh", "-c", "read x; yes $(head -c 8000 /dev/zero | tr '\\0' x) | "
        "head -n 4000; echo end; read x"], stdin=True)
    log = pods.status(c).log_path
    p = crictl.start("attach", "-r", transport, "-i", c,
                     stdin=subprocess.PIPE)
    p.stdin.write(b"go\n")
    p.stdin.flush()
    wait_for("the log", lambda: open(log, "rb").read()[-5:] == b" end\n")
    out, _ = p.communicate(timeout=30)
    assert 8001 < len(out) < 4000 * 8001
    assert out[:len(out) // 8001 * 8001] == (b"x" * 8000 + b"\n") * \
        (len(out) // 8001)
    assert pods.status(c).state == 1
    # The next one is served.
    got = crictl.run("attach", "-r", transport, "-i", c, data=b"end\n",
                     timeout=20)
    assert pods.exited(c).exit_code == 0


def test_attach_killed(crictl, pods, criod):
    pod, config = pods.run()
    c = pods.start(pod, config, ["cat"], stdin=True)
    crictl.run("exec", c, "true")
    traces = Traces(criod)
    for i in range(12):
        p = crictl.start("attach", "-r", ("spdy", "websocket")[i % 2], "-i",
                         c, stdin=subprocess.PIPE)
        p.stdin.write(b"%d\n" % i)
        p.stdin.flush()
        assert p.stdout.readline() == b"%d\n" % i
        p.kill()
        p.wait()
    traces.gone()
    assert pods.text(c).split() == [str(i) for i in range(12)]


# ---- port-forward ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(port, path):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path)
        out = b""
        while data := s.recv(65536):
            out += data
    return out.partition(b"\r\n\r\n")[2]


class Forward:
    def __init__(self, crictl, transport, pod, *ports):
        self.local = [free_port() for _ in ports]
        self.proc = crictl.start(
            "port-forward", "-r", transport, pod,
            *("%d:%d" % p for p in zip(self.local, ports)))
        for port in self.local:
            wait_for("the client listens", lambda: self.listens(port))

    def listens(self, port):
        with open("/proc/net/tcp") as f:
            return "0100007F:%04X 00000000:0000 0A" % port in f.read()

    def close(self):
        self.proc.kill()
        self.proc.communicate()


@both
@pytest.mark.parametrize("network", (0, NODE))
def test_port_forward(crictl, pods, criod, transport, network):
    port = 8080 if network == 0 else free_port()
    pod, config = pods.run(network=network)
    c = pods.start(pod, config, [
        "sh", "-c", "mkdir /www; head -c 8388608 /dev/urandom >/www/big; "
        "echo small >/www/small; sha256sum /www/big | cut -c1-64; "
        "httpd -f -p 127.0.0.1:%d -h /www & "
        "nc -ll -p %d -e cat" % (port, port + 1)])
    want = wait_for("its hash", lambda: pods.text(c)).strip()
    crictl.run("exec", c, "true")
    traces = Traces(criod)
    f = Forward(crictl, transport, pod, port, port + 1)
    assert fetch(f.local[0], b"/small") == b"small\n"
    assert hashlib.sha256(fetch(f.local[0], b"/big")).hexdigest() == want
    # Many connections, one after the other and at once.
    out = []
    threads = [threading.Thread(target=lambda: out.append(
        fetch(f.local[0], b"/small"))) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert out == [b"small\n"] * 10
    # Both ways, with a half-close in the middle.
    data = os.urandom(2 * MIB)
    with socket.create_connection(("127.0.0.1", f.local[1]), 20) as s:
        feeder = threading.Thread(target=lambda: (
            s.sendall(data), s.shutdown(socket.SHUT_WR)))
        feeder.start()
        back = b""
        while len(back) < len(data) and (got := s.recv(65536)):
            back += got
        feeder.join()
    assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
    # One in the middle of it when the client dies.
    s = socket.create_connection(("127.0.0.1", f.local[1]), 20)
    s.sendall(b"x")
    assert s.recv(1) == b"x"
    f.close()
    s.close()
    traces.gone()


@both
def test_port_forward_refused(crictl, pods, criod, transport):
    """Nobody listens: this connection ends, the next may succeed."""
    pod, config = pods.run()
    c = pods.start(pod, config, ["sleep", "3600"])
    crictl.run("exec", c, "true")
    traces = Traces(criod)
    f = Forward(crictl, transport, pod, 8081)
    with socket.create_connection(("127.0.0.1", f.local[0]), 20) as s:
        s.settimeout(20)
        try:
            assert s.recv(10) == b""
        except ConnectionResetError:
            pass
    f.close()
    f = Forward(crictl, transport, pod, 8081)
    pods.sh(c, "echo hi >/tmp/f; httpd -p '[::1]:8081' -h /tmp")
    assert fetch(f.local[0], b"/f") == b"hi\n"
    f.close()
    traces.gone()
