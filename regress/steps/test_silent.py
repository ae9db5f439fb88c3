"""A process that hangs is named, holds up nobody else, and is replaced.

In this build the parent asks each half second, and kills after ten."""

import os
import signal
import time

import grpc
import pytest

from conftest_integ import Pods, wait_for
from test_restart import counter, numbers, own  # noqa: F401

ROLES = ["front", "streamd", "imaged", "netd", "netlaunch", "execd",
         "execlaunch"]


def said(criod, what, role, pid, n=1):
    return criod.log().count("%s[%d] %s" % (role, pid, what)) >= n


def answer_while_stopped(criod, role):
    """What does not need the one that hangs is answered."""
    if role == "front":
        return
    criod.client.Version(rpc_timeout=2)
    assert len(criod.client.ListPodSandbox(rpc_timeout=2).items) == 1
    assert len(criod.client.ListContainers(rpc_timeout=2).containers) == 1
    assert criod.client.Status(rpc_timeout=2).status.conditions


@pytest.fixture
def counting(own, scratch):
    pods = Pods(own, scratch)
    pod, config = pods.run()
    ctr = counter(pods, pod, config)
    yield own, pods, ctr
    path = pods.status(ctr).log_path
    pods.client.StopContainer(container_id=ctr, timeout=0)
    got = numbers(path)
    assert got == list(range(len(got)))
    pods.clean()


def works(criod, pods, ctr):
    def once():
        try:
            return (pods.sh(ctr, "echo alive").stdout == b"alive\n" and
                    criod.client.Status().status.conditions[0].status)
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNAVAILABLE, e
            return False
    wait_for("service", once)


@pytest.mark.parametrize("role", ROLES)
def test_stopped_for_a_while(counting, role):
    criod, pods, ctr = counting
    pid = criod.helpers()[role]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("its name", lambda: said(
            criod, "has not answered", role, pid))
        answer_while_stopped(criod, role)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for("the end of it", lambda: said(
        criod, "answers again", role, pid))
    assert criod.helpers()[role] == pid
    works(criod, pods, ctr)


def test_stopped_for_good(counting):
    """All at once: each is replaced, the container does not notice."""
    criod, pods, ctr = counting
    old = {r: criod.helpers()[r] for r in ROLES}
    for pid in old.values():
        os.kill(pid, signal.SIGSTOP)
    wait_for("others", lambda: all(
        criod.helpers().get(r, pid) != pid for r, pid in old.items()), 30)
    works(criod, pods, ctr)
    log = criod.log()
    for role, pid in old.items():
        assert "killing %s[%d]: does not answer" % (role, pid) in log


def test_the_service_manager_hears(scratch, tmp_path):
    """READY, then WATCHDOG while the front answers, none while it does not."""
    import socket
    from conftest_integ import Criod
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(tmp_path / "notify"))
    s.settimeout(10)
    os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    os.environ["WATCHDOG_USEC"] = "600000"
    c = Criod(str(tmp_path / "criod"))
    try:
        c.start()
    finally:
        del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
    try:
        got = set()
        while "WATCHDOG=1" not in got:
            got |= set(s.recv(4096).decode().split("\n"))
        assert "READY=1" in got
        front = c.helpers()["front"]
        os.kill(front, signal.SIGSTOP)
        try:
            wait_for("its name", lambda: said(
                c, "has not answered", "front", front))
            s.setblocking(False)
            try:
                while s.recv(4096):
                    pass
            except BlockingIOError:
                pass
            time.sleep(1)	# three periods
            with pytest.raises(BlockingIOError):
                s.recv(4096)
        finally:
            os.kill(front, signal.SIGCONT)
        s.settimeout(10)
        assert s.recv(4096) == b"WATCHDOG=1"
    finally:
        c.stop()
