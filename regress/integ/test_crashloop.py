"""A helper that ends at each start (security.md K4): it is tried ever more
rarely, Status says what is missing, and pods do not notice."""

import os
import signal
import subprocess
import tempfile

import grpc
import pytest

import cri
from conftest_integ import Criod, Pods, wait_for

DEATHS = 5	# after 50, 100, 200 and 400 ms
# The condition of Status that speaks of it; None: neither does.
SAYS = {"execd": "ExecdNotRunning", "execlaunch": "ExeclaunchNotRunning",
        "imaged": "ImagedNotRunning", "nrid": "NridNotRunning",
        "netd": "NetworkPluginNotReady",
        "netlaunch": "NetworkPluginNotReady", "streamd": None}


@pytest.fixture(scope="module")
def broken(scratch, registry):
    """A criod whose programs can be replaced."""
    path = tempfile.mkdtemp(prefix="loop.", dir=scratch)
    os.chmod(path, 0o755)
    b = os.path.join(path, "b")
    os.mkdir(b)
    for d in ("sbin", "libexec"):
        subprocess.run(["cp", "-a", os.path.join(cri.BUILD, d), b],
                       check=True)
    old = os.environ.get("B")
    os.environ["B"] = b
    try:
        c = Criod(path, args=["-m"], conf="nri { }\n").start()
    finally:
        if old is None:
            del os.environ["B"]
        else:
            os.environ["B"] = old
    c.programs = os.path.join(b, "libexec/criod")
    c.client.PullImage(image={"image": "busybox"})
    pods = Pods(c, scratch)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    yield c, pods, ctr
    pods.clean()
    c.stop()


def conditions(criod):
    return {c.type: c for c in criod.client.Status().status.conditions}


def says(criod, reason):
    c = conditions(criod)
    kind = "NetworkReady" if reason == "NetworkPluginNotReady" else \
        "RuntimeReady"
    return not c[kind].status and c[kind].reason == reason and c[kind].message


def well(criod, pods, ctr):
    try:
        return all(c.status for c in conditions(criod).values()) and \
            pods.sh(ctr, "echo alive").stdout == b"alive\n"
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.UNAVAILABLE, e
        return False


@pytest.mark.parametrize("role", sorted(SAYS))
def test_loop(broken, role):
    criod, pods, ctr = broken
    started = pods.status(ctr).started_at
    wait_for("service", lambda: well(criod, pods, ctr))
    pid = criod.helpers()[role]
    program = os.path.join(criod.programs, role)
    os.rename(program, program + ".good")
    with open(program, "w") as f:
        f.write("#!/bin/false\n")
    os.chmod(program, 0o755)
    before = criod.log().count(role + " is started again")
    os.kill(pid, signal.SIGKILL)

    def deaths():
        return criod.log().count(role + " is started again") - before
    wait_for("deaths", lambda: deaths() >= DEATHS)
    assert role + " is started again in 800 ms" in criod.log()
    if SAYS[role] is not None:
        wait_for("a word of it", lambda: says(criod, SAYS[role]))
    assert pods.status(ctr).state == 1
    assert pods.status(ctr).started_at == started
    os.rename(program + ".good", program)
    wait_for("service", lambda: well(criod, pods, ctr))
    assert deaths() < DEATHS + 3
