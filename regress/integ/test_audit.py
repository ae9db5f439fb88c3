"""The audit log: who called what, and what the policy decided."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request

import grpc
import pytest

import cri
from conftest_integ import NODE, Criod, Pods, wait_for

POLICY = """policy {
	deny host network
	allow host pid
	deny registry "bad.example"
}
"""


class Audited:
    def __init__(self, scratch, name, to=None, conf=""):
        path = os.path.join(scratch, name)
        self.file = to or os.path.join(path, "audit.log")
        self.criod = Criod(path, args=["-m"], conf=(
            'audit log "%s"\nmetrics listen on 127.0.0.1 port 19%03d\n%s' % (
                self.file, len(name) + 400, conf)))
        self.port = 19400 + len(name)
        self.criod.start()
        self.client = self.criod.client

    def text(self):
        with open(self.file, "rb") as f:
            return f.read()

    def lines(self):
        """All of it; every line is whole and JSON."""
        text = self.text()
        assert not text or text.endswith(b"\n")
        return [json.loads(x) for x in text.decode("utf-8").splitlines()]

    def some(self, **want):
        return [x for x in self.lines() if all(
            x.get(k) == v for k, v in want.items())]

    def wait(self, n=1, **want):
        """Those that fit; there must come to be n of them."""
        wait_for("%s" % want, lambda: len(self.some(**want)) >= n)
        got = self.some(**want)
        assert len(got) == n, got
        return got

    def metric(self, name):
        url = "http://127.0.0.1:%d/metrics" % self.port
        with urllib.request.urlopen(url, timeout=10) as r:
            for x in r.read().decode().splitlines():
                if x.startswith(name + " "):
                    return int(x.split()[1])
        return None


@pytest.fixture(scope="module")
def audited(scratch, registry):
    a = Audited(scratch, "audited", conf=POLICY)
    a.client.PullImage(image={"image": "busybox"},
                       auth={"username": "me", "password": "s3cret"})
    yield a
    a.criod.stop()


@pytest.fixture
def pods(audited, scratch):
    p = Pods(audited.criod, scratch)
    yield p
    p.clean()


def test_file(audited):
    st = os.stat(audited.file)
    assert (st.st_mode & 0o7777, st.st_uid, st.st_gid) == (0o600, 0, 0)
    pid = audited.criod.helpers()["scribe"]
    fds = {os.readlink("/proc/%d/fd/%s" % (pid, n)): n
           for n in os.listdir("/proc/%d/fd" % pid)}
    with open("/proc/%d/fdinfo/%s" % (pid, fds[audited.file])) as f:
        flags = int(re.search(r"flags:\s+(\d+)", f.read()).group(1), 8)
    assert flags & os.O_APPEND and flags & os.O_ACCMODE == os.O_WRONLY


def test_calls(audited, pods):
    """Each one, with its peer, its names and how it ended."""
    c = audited.client
    pod, config = pods.run()
    ctr = pods.create(pod, config, ["sh", "-c", "sleep 1000"],
                      envs=[{"key": "K", "value": b"s3cret"}],
                      args=["s3cret"])
    c.StartContainer(container_id=ctr)
    c.ExecSync(container_id=ctr, cmd=["echo", "s3cret"])
    name = config["metadata"]["name"]
    me = {"event": "call", "by": "front", "uid": 0, "pid": os.getpid(),
          "code": "OK"}
    run, = audited.wait(method="RunPodSandbox", pod=pod, name=name,
                        namespace="regress", **me)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", run["time"])
    assert isinstance(run["ms"], float) and run["ms"] > 0
    audited.wait(method="CreateContainer", pod=pod, container=ctr, name="c",
                 image="busybox", namespace="regress", **me)
    audited.wait(method="StartContainer", container=ctr, **me)
    audited.wait(method="ExecSync", container=ctr, **me)
    audited.wait(method="PullImage", image="busybox", **me)
    with pytest.raises(grpc.RpcError):
        c.ContainerStatus(container_id="0" * 64)
    audited.wait(method="ContainerStatus", container="0" * 64,
                 **dict(me, code="NOT_FOUND"))
    assert b"s3cret" not in audited.text()


def test_gone(audited, pods):
    """One whose client left, with what became of it."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    with pytest.raises(grpc.RpcError):
        audited.client.ExecSync(container_id=ctr, cmd=["sleep", "1000"],
                                rpc_timeout=0.5)
    got, = audited.wait(method="ExecSync", container=ctr)
    assert got["code"] != "OK" and got["gone"] is True


def test_criodctl(audited):
    run = [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
           os.path.join(audited.criod.path, "control.sock"), "status"]
    with subprocess.Popen(run, stdout=subprocess.DEVNULL) as p:
        p.wait()
    wait_for("criodctl's", lambda: audited.some(
        criodctl=True, pid=p.pid, uid=0, code="OK"))


def test_decisions(audited, pods):
    """Both ways, with the rule."""
    conf = os.path.join(audited.criod.path, "criod.conf")
    with open(conf) as f:
        lines = [x.strip() for x in f]

    def rule(text):
        return "%s:%d" % (conf, lines.index(text) + 1)
    with pytest.raises(grpc.RpcError):
        pods.run(network=NODE)
    got, = audited.wait(event="decision", by="execd", verdict="deny",
                        what="host network", namespace="regress",
                        rule=rule("deny host network"))
    assert len(got["pod"]) == 64
    pod, _ = pods.run(pid=NODE)
    audited.wait(event="decision", by="execd", verdict="allow",
                 what="host pid", pod=pod, rule=rule("allow host pid"))
    with pytest.raises(grpc.RpcError):
        audited.client.PullImage(image={"image": "bad.example/x"})
    audited.wait(event="decision", by="imaged", verdict="deny",
                 what="registry", value="bad.example/x",
                 rule=rule('deny registry "bad.example"'))


HOSTILE = 'a"b\\c\nd\r\t\x01\x7f{"event":"call"}'


def test_hostile(audited):
    """No client writes a line of its own, or breaks one."""
    c = audited.client
    with pytest.raises(grpc.RpcError):
        c.ContainerStatus(container_id=HOSTILE)
    audited.wait(method="ContainerStatus", container=HOSTILE)
    big = "é" * (1 << 19)
    with pytest.raises(grpc.RpcError):
        c.RemoveImage(image={"image": big})
    got = wait_for("the large one", lambda: [
        x for x in audited.some(method="RemoveImage")
        if x.get("image", "").startswith("éé")])
    assert len(got[0]["image"]) < 400
    with pytest.raises(grpc.RpcError):
        c.channel.unary_unary('/x."\\/' + "y" * 80)(b"")
    got = wait_for("the unknown", lambda: [
        x for x in audited.some(code="UNIMPLEMENTED")
        if x.get("method", "").startswith('/x."\\/yy')])
    assert len(got[0]["method"]) < 64
    # Bytes that are no UTF-8, as fields: refused, and the line is whole.
    with pytest.raises(grpc.RpcError):
        c.channel.unary_unary("/runtime.v1.RuntimeService/ContainerStatus")(
            b"\x0a\x02\xff\xfe")
    audited.wait(method="ContainerStatus", code="INVALID_ARGUMENT", n=len(
        audited.some(method="ContainerStatus", code="INVALID_ARGUMENT")))
    audited.lines()


def test_concurrent(audited):
    """From several clients at once: none is lost, all are whole."""
    before = len(audited.some(method="Version"))

    def many():
        client = cri.Client(audited.criod.socket)
        for _ in range(200):
            client.Version()
        client.close()
    threads = [threading.Thread(target=many) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_for("800 records", lambda: len(
        audited.some(method="Version")) >= before + 800)
    assert len(audited.some(method="Version")) == before + 800
    assert not audited.some(event="lost")


def test_rotation(audited):
    """Renamed, then SIGHUP: what comes goes to the new one, nobody restarts."""
    helpers = audited.criod.helpers()
    audited.client.Version()
    wait_for("a record", lambda: audited.some(method="Version"))
    os.rename(audited.file, audited.file + ".1")
    audited.client.Status()
    os.kill(audited.criod.parent(), signal.SIGHUP)
    wait_for("the new file", lambda: os.path.exists(audited.file)
             and audited.some(event="open", by="scribe"))
    audited.client.ListContainers()
    audited.wait(method="ListContainers")
    with open(audited.file + ".1") as f:
        old = [json.loads(x) for x in f]
    assert [x for x in old if x.get("method") == "Status"]
    assert audited.criod.helpers() == helpers
    assert os.stat(audited.file).st_mode & 0o777 == 0o600


def test_killed(audited):
    """Calls go on without the scribe; the gap is told."""
    pid = audited.criod.helpers()["scribe"]
    os.kill(pid, signal.SIGSTOP)
    for _ in range(20):
        audited.client.Version()
    audited.criod.replace("scribe")
    wait_for("a record", lambda: audited.client.Version() and audited.some(
        event="open"))
    audited.client.ListPodSandbox()
    wait_for("a record", lambda: audited.some(method="ListPodSandbox"))


def test_full(scratch, registry):
    """A full disk delays nobody; what is lost is counted."""
    top = os.path.join(scratch, "small")
    os.makedirs(top)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", top],
                   check=True)
    a = None
    try:
        a = Audited(scratch, "audit-full", os.path.join(top, "audit.log"))
        for _ in range(1000):
            a.client.Version()
        wait_for("losses", lambda: a.metric("criod_audit_lost_total"))
        lost = a.metric("criod_audit_lost_total")
        with open(a.file, "r+") as f:
            f.truncate(0)
        a.client.ListContainers()
        wait_for("room again", lambda: b"ListContainers" in a.text())
        text = a.text().lstrip(b"\n")
        assert [json.loads(x) for x in text.splitlines()]
        assert a.metric("criod_audit_lost_total") >= lost > 0
        assert a.metric("criod_audit_records_total") > 0
    finally:
        if a is not None:
            a.criod.stop()
        subprocess.run(["umount", top], check=True)


def test_blocked(scratch, registry):
    """A reader that does not read: calls go on, what is lost is counted."""
    r, w = os.pipe()
    conf = os.path.join(scratch, "blocked")
    os.makedirs(conf)
    path = os.path.join(conf, "criod.conf")
    with open(path, "w") as f:
        f.write("audit log stderr\nlog to \"%s/log\"\n"
                "metrics listen on 127.0.0.1 port 19555\n" % conf)
    os.chmod(path, 0o600)
    proc = subprocess.Popen(
        [os.path.join(cri.BUILD, "sbin/criod"), "-r", conf, "-x",
         os.path.join(cri.BUILD, "libexec/criod"), "-f", path],
        stdin=subprocess.DEVNULL, stderr=w)
    os.close(w)
    try:
        sock = os.path.join(conf, "criod.sock")
        wait_for("the socket", lambda: os.path.exists(sock))
        client = cri.Client(sock)
        wait_for("an answer", lambda: answers(client))
        for _ in range(1500):
            client.Version(rpc_timeout=5)
        a = Audited.__new__(Audited)
        a.port = 19555
        wait_for("losses", lambda: a.metric("criod_audit_lost_total"))
        os.set_blocking(r, False)
        text = b""
        while chunk := read(r):
            text += chunk
        assert all(json.loads(x) for x in text.splitlines())
        client.close()
    finally:
        proc.terminate()
        proc.wait(20)
        os.close(r)


class Syslog:
    """A daemon's socket, which it reads at once: not many packets wait."""

    def __init__(self, path):
        self.path, self.packets = path, []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while text := self.sock.recv(65536):
            self.packets.append(text.decode())

    def wait(self, **want):
        """The record that fits; each is a packet of authpriv, info."""
        def found():
            for text in self.packets:
                m = re.fullmatch(r"<86>criod-audit\[\d+\]: (\{.*\})", text)
                got = json.loads(m.group(1))
                if all(got.get(k) == v for k, v in want.items()):
                    return got
        return wait_for("%s" % want, found)

    def stop(self):
        if self.sock.fileno() == -1:
            return
        self.sock.shutdown(socket.SHUT_RD)
        self.reader.join()
        self.sock.close()
        os.unlink(self.path)


@pytest.fixture
def syslog():
    if os.path.lexists("/dev/log"):
        pytest.skip("the machine has a /dev/log of its own")
    s = Syslog("/dev/log")
    yield s
    s.stop()


def test_syslog(scratch, syslog):
    a = Audited.__new__(Audited)
    path, a.port = os.path.join(scratch, "audit-syslog"), 19556
    a.criod = Criod(path, conf=(
        "audit log syslog\nmetrics listen on 127.0.0.1 port 19556\n"))
    client = a.criod.start().client
    try:
        client.Version()
        got = syslog.wait(method="Version", pid=os.getpid())
        assert got["uid"] == os.getuid() and got["code"] == "OK"
        with pytest.raises(grpc.RpcError):
            client.ContainerStatus(container_id="\n<0>forged")
        got = syslog.wait(method="ContainerStatus")
        assert got["container"] == "\n<0>forged" and got["code"] != "OK"
        # Its end is nobody's but the records'.
        syslog.stop()
        client.Version()
        wait_for("losses", lambda: a.metric("criod_audit_lost_total"))
        client.Version()
    finally:
        a.criod.stop()


def answers(client):
    try:
        return client.Version()
    except grpc.RpcError:
        return None


def read(fd):
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""


def test_off(criod):
    """Without the statement there is neither process nor file."""
    assert "scribe" not in criod.helpers()
