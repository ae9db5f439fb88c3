"""Exec, Attach and PortForward as the front sees them: no byte, only who
may do what, and what is kept for how long."""

import grpc
import pytest

from conftest import wait_for


def number(response):
    return int(response.url.rsplit("/", 1)[1])


class Streams:
    def __init__(self, front):
        self.front = front
        self.pod, self.config = front.run()
        self.ctr = front.start(self.pod, self.config)

    def exec(self, **kw):
        args = dict(container_id=self.ctr, cmd=["sh", "-c", "x"], stdout=True)
        args.update(kw)
        return self.front.client.Exec(**args)

    def exec_or_none(self):
        try:
            return self.exec()
        except grpc.RpcError:
            return None

    def attach(self, **kw):
        args = dict(container_id=self.ctr, stdout=True)
        args.update(kw)
        return self.front.client.Attach(**args)

    def forward(self, **kw):
        args = dict(pod_sandbox_id=self.pod)
        args.update(kw)
        return self.front.client.PortForward(**args)

    def heard(self, what, times=1):
        """What streamd was answered to the command."""
        self.front.cmd(what)
        return wait_for(what, lambda: [
            x[len("heard " + what) + 1:]
            for x in self.front.seen("heard " + what + " ")][times - 1:])[0]

    def last(self, start):
        return self.front.seen(start)[-1]


@pytest.fixture
def streams(front):
    return Streams(front)


def test_exec(streams):
    s = streams
    n = number(s.exec(stdin=True, stderr=True))
    assert s.last("prepare") == "prepare 0 %s 1110 ports" % s.ctr
    # Nothing runs before a client has come, and then once.
    assert not s.front.seen("stream")
    assert s.heard("begin %d" % n) == "ok 0"
    assert s.last("stream") == "stream %d %s 0 1110 sh -c x" % (n, s.ctr)
    assert s.heard("begin %d" % n, 2).startswith("5 ")
    m = number(s.exec(stdin=True, tty=True, container_id=s.ctr[:13]))
    assert m == n + 1
    assert s.last("prepare") == "prepare 0 %s 1101 ports" % s.ctr
    assert s.heard("begin %d" % m) == "ok 0"
    assert len(s.front.seen("stream ")) == 2


def test_numbers_begin_anywhere(streams):
    a = number(streams.exec())
    streams.front.kill()
    assert abs(number(streams.exec()) - a) > 1000


def test_exec_refused(streams, fails):
    s = streams
    bad = "INVALID_ARGUMENT"
    fails(bad, s.exec, stdout=False)
    fails(bad, s.exec, tty=True, stderr=True)
    fails(bad, s.exec, cmd=[])
    fails(bad, s.exec, cmd=[""])
    fails(bad, s.exec, cmd=["x" * (2 << 20)])
    fails(bad, s.exec, container_id="")
    fails("NOT_FOUND", s.exec, container_id="0" * 64)
    other = s.front.create(s.pod, s.config, "other")
    fails("FAILED_PRECONDITION", s.exec, container_id=other)
    s.front.cmd("fail STREAM_PREPARE 8 1 full")
    assert fails("RESOURCE_EXHAUSTED", s.exec) == "full"
    s.front.cmd("detach streamd")
    fails("UNAVAILABLE", s.exec)
    s.front.cmd("attach streamd")
    n = number(wait_for("streamd", s.exec_or_none))
    # What has become of it since.
    s.front.cmd("exit %s 0 0" % s.ctr)
    wait_for("exit", lambda: s.front.ctr(s.ctr).state == 2)
    assert s.heard("begin %d" % n).startswith("9 ")
    fails("FAILED_PRECONDITION", s.exec)
    assert not s.front.seen("stream ")


def test_attach(streams, fails):
    s = streams
    n = number(s.attach(stdin=True, stderr=True))
    assert s.last("prepare") == "prepare 1 %s 1110 ports" % s.ctr
    assert s.heard("begin %d" % n) == "ok 0"
    assert s.last("stream") == "stream %d %s 1 1110" % (n, s.ctr)
    bad = "INVALID_ARGUMENT"
    fails(bad, s.attach, stdout=False)
    fails(bad, s.attach, tty=True, stderr=True)
    fails(bad, s.attach, tty=True)
    # One that was only created may be attached to, with its own terminal.
    other = s.front.create(s.pod, s.config, "other", tty=True, stdin=True)
    fails(bad, s.attach, container_id=other)
    n = number(s.attach(container_id=other, tty=True, stdin=True))
    assert s.heard("begin %d" % n) == "ok 0"
    fails("NOT_FOUND", s.attach, container_id="0" * 64)
    s.front.cmd("exit %s 0 0" % s.ctr)
    wait_for("exit", lambda: s.front.ctr(s.ctr).state == 2)
    fails("FAILED_PRECONDITION", s.attach)


def test_port_forward(streams, fails):
    s = streams
    n = number(s.forward(port=[80, 65535]))
    assert s.last("prepare") == "prepare 2 %s 0000 ports 80 65535" % s.pod
    assert s.heard("dial %d 80" % n).startswith("5 ")  # not begun
    assert s.heard("begin %d" % n) == "ok 0"
    assert s.heard("dial %d 80" % n, 2) == "ok 1"
    assert s.last("dial") == "dial %s 0 80" % s.pod
    assert s.heard("dial %d 65535" % n) == "ok 1"
    assert s.heard("dial %d 81" % n).startswith("3 ")
    # None named: any.
    m = number(s.forward())
    assert s.heard("begin %d" % m) == "ok 0"
    assert s.heard("dial %d 81" % m) == "ok 1"
    for port in (0, 65536, 2 ** 31 + 80):
        assert s.heard("dial %d %d" % (m, port)).startswith("3 ")
    s.front.cmd("fail NET_DIAL 14 1 refused")
    assert s.heard("dial %d 82" % m) == "14 refused"
    s.front.cmd("end %d" % m)
    assert s.heard("dial %d 83" % m).startswith("5 ")
    # An exec's session dials nothing.
    e = number(s.exec())
    assert s.heard("dial %d 80" % e).startswith("5 ")
    for ports in ([0], [65536], [-1], [80] * 1025):
        fails("INVALID_ARGUMENT", s.forward, port=ports)
    fails("NOT_FOUND", s.forward, pod_sandbox_id="0" * 64)
    s.front.client.StopPodSandbox(pod_sandbox_id=s.pod)
    assert s.heard("dial %d 80" % n, 3).startswith("9 ")
    fails("FAILED_PRECONDITION", s.forward)


def test_port_forward_host_network(streams):
    s = streams
    pod, _ = s.front.run(linux={"security_context": {"namespace_options": {
        "network": 2}}})
    n = number(s.forward(pod_sandbox_id=pod))
    s.heard("begin %d" % n)
    assert s.heard("dial %d 10250" % n) == "ok 1"
    assert s.last("dial") == "dial %s 1 10250" % pod


def test_drop_and_end(streams):
    s = streams
    n = number(s.exec())
    s.front.cmd("drop %d" % n)
    assert s.heard("begin %d" % n).startswith("5 ")
    # Unknown ones are ignored.
    for what in ("drop", "end"):
        s.front.cmd("%s %d" % (what, n + 12345))
    # A drop after the client came changes nothing.
    n = number(s.forward())
    s.heard("begin %d" % n)
    s.front.cmd("drop %d" % n)
    assert s.heard("dial %d 80" % n) == "ok 1"
    # streamd's restart takes its tokens along.
    m = number(s.exec())
    s.front.cmd("detach streamd")
    s.front.cmd("attach streamd")
    for k in (n, m):
        assert s.heard("begin %d" % k, 2 if k == n else 1).startswith("5 ")


def test_client_leaves_early(streams, fails):
    s = streams
    s.front.cmd("hold STREAM_PREPARE")
    fails("DEADLINE_EXCEEDED", s.exec, rpc_timeout=0.3)
    wait_for("cancel", lambda: s.front.seen("cancel STREAM_PREPARE"))
    s.front.cmd("release STREAM_PREPARE")
    # While execd works on it.
    for what in ("unbegin", "end %d"):
        n = number(s.exec())
        s.front.cmd("hold CTR_STREAM")
        s.front.cmd("begin %d" % n)
        wait_for("asked", lambda: s.front.seen("CTR_STREAM"))
        before = len(s.front.seen("cancel CTR_STREAM"))
        s.front.cmd(what % n if "%" in what else what)
        wait_for("cancel", lambda: len(
            s.front.seen("cancel CTR_STREAM")) > before)
        s.front.cmd("release CTR_STREAM")
        assert s.heard("begin %d" % n, 2 if "end" in what else 1).startswith(
            "5 ")


def test_bounded(streams):
    """What waits for clients who never come is bounded."""
    s = streams
    big = ["x" * (1 << 20)]
    futures = [s.front.client.future("Exec", container_id=s.ctr, cmd=big,
                                     stdout=True) for _ in range(40)]
    codes = [f.exception().code() if f.exception() else None
             for f in futures]
    assert codes.count(None) == 31
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 9
    # Room again.
    for f in futures:
        if f.exception() is None:
            s.front.cmd("drop %d" % number(f.result()))
    s.exec(cmd=big)
