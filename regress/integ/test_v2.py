"""What only a host with cgroup v2 alone shows."""

import glob
import os
import subprocess
import uuid

import grpc
import pytest

from conftest_integ import wait_for

ROOT = "/sys/fs/cgroup"

pytestmark = pytest.mark.skipif(
    not os.path.exists(ROOT + "/cgroup.controllers"),
    reason="cgroup v1 here; regress/vm/lane runs these")


def groups(ctr):
    """The container's cgroup, and what is below it."""
    return [d for d in glob.glob(ROOT + "/**/*%s*" % ctr, recursive=True)
            if os.path.isdir(d)]


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read().strip()


def home(ctr):
    """Where its processes are: with systemd, crun makes one in the scope."""
    return next(d for g in groups(ctr) for d, _, _ in os.walk(g)
                if read(d, "cgroup.procs"))


@pytest.fixture
def parent(pods):
    """A parent cgroup that nobody made, as the driver wants it."""
    name = "regress" + uuid.uuid4().hex[:8]
    systemd = pods.client.RuntimeConfig().linux.cgroup_driver == 0
    if systemd:
        path = "/{0}.slice/{0}-burstable.slice/{0}-burstable-pod1.slice"
        yield path.format(name)
    else:
        yield "/%s/burstable/pod1" % name
    pods.clean()
    if systemd:
        subprocess.run(["systemctl", "stop", name + ".slice"], check=True)
        return
    for d in ("/burstable/pod1", "/burstable", ""):
        if os.path.isdir(ROOT + "/" + name + d):
            os.rmdir(ROOT + "/" + name + d)


def test_limits_are_written(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], resources={
        "memory_limit_in_bytes": 64 << 20, "cpu_quota": 20000,
        "cpu_period": 100000, "cpu_shares": 2048, "oom_score_adj": -998,
        "unified": {"memory.high": "33554432", "pids.max": "77"}})
    top = home(ctr)
    assert read(top, "memory.max") == str(64 << 20)
    assert read(top, "memory.high") == str(32 << 20)
    assert read(top, "pids.max") == "77"
    assert read(top, "cpu.max") == "20000 100000"
    assert int(read(top, "cpu.weight")) > 1
    out = pods.sh(ctr, "cat /proc/self/cgroup /proc/1/oom_score_adj; "
                  "cat /sys/fs/cgroup/pids.max; "
                  "mkdir /sys/fs/cgroup/x 2>/dev/null || echo ro").stdout
    assert out.decode().split() == ["0::/", "-998", "77", "ro"]


def test_unknown_unified_key_is_an_error(pods):
    pod, config = pods.run()
    with pytest.raises(grpc.RpcError) as e:
        ctr = pods.create(pod, config, ["true"], resources={
            "unified": {"../memory.max": "1"}})
        pods.client.StartContainer(container_id=ctr)
    assert "memory.max" in e.value.details()


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_parent_that_nobody_made(pods, parent, handler):
    """Its controllers are on when the container starts."""
    config = pods.config()
    config["linux"]["cgroup_parent"] = parent
    pod, config = pods.run(config, handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], resources={
        "memory_limit_in_bytes": 64 << 20, "cpu_shares": 512})
    inside = groups(ctr)
    assert inside and all(d.startswith(ROOT + parent) for d in inside)
    assert read(home(ctr), "memory.max") == str(64 << 20)


def test_monitor_is_outside_of_the_pod(pods, parent):
    config = pods.config()
    config["linux"]["cgroup_parent"] = parent
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    found = []
    for p in glob.glob("/proc/[0-9]*"):
        try:
            if read(p, "comm") == "monitor" and ctr in read(p, "cmdline"):
                found.append(read(p, "cgroup"))
        except OSError:
            pass
    assert found and not any(parent in c for c in found)


def test_kill_reaches_every_process(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, [
        "sh", "-c", "for i in 1 2 3 4 5; do setsid sh -c \"trap '' TERM; "
        "sleep 1000; sleep 1000\" & done; sleep 1000"])
    top = min(groups(ctr), key=len)

    def pids():
        return [p for d, _, _ in os.walk(top)
                for p in read(d, "cgroup.procs").split()]
    wait_for("processes", lambda: len(pids()) >= 11)
    pods.client.StopContainer(container_id=ctr, timeout=0)
    wait_for("an empty cgroup",
             lambda: not os.path.isdir(top) or not pids(), 5)
    pods.client.RemoveContainer(container_id=ctr)
    assert not groups(ctr)
