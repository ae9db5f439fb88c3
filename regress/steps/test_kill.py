"""Processes that are killed, stopped or out of memory (security.md K2, K3, K6,
K7), idle and in use: what is in flight through one fails, nothing else."""

import glob
import os
import random
import resource
import signal
import threading
import time

import grpc
import pytest

import storm
from conftest_integ import Criod, Pods, wait_for
from test_leaks import difference, world
from test_restart import counter, kill_all, numbers, own  # noqa: F401
from watcher import Watcher

SLOW_MS = 1000	# of a List or Status; what is usual is printed
KILLS = 70
EXITED = 2


@pytest.fixture(scope="module")
def rig(scratch, registry):
    s = storm.Storm(scratch, registry)
    yield s
    s.close()


def show(seen):
    for k, v in seen.items():
        print(k, v)


def steady(seen):
    """Lists and Status do not wait, whoever is dead."""
    watch = seen["watch"]
    assert watch["answers"] > 0 and watch["max"] < SLOW_MS, watch
    assert watch["other"] == [], watch


def test_idle(rig):
    seen = rig.run([("helper", r) for r in storm.HELPERS] * 2 +
                   [("parent", storm.PARENT)], busy=False)
    show(seen)
    steady(seen)
    rig.answers()
    assert rig.ctr_pid() == rig.pid


def test_in_use(rig):
    random.seed(7)
    seen = rig.run(storm.plan(KILLS), busy=True)
    show(seen)
    steady(seen)
    assert not seen["wrong"], seen["wrong"][:5]
    said = {k.split()[1] for k in seen["said"]}
    assert said <= storm.FAILED, seen["said"]
    assert sum(seen["kills"].values()) > KILLS * 2 // 3
    assert min(seen["done"].get(n, 0) for n in (
        "RemovePodSandbox", "ExecSync", "PullImage", "ReopenContainerLog",
        "ListContainerStats", "streams whole")) > 0, seen["done"]
    rig.answers()
    assert rig.ctr_pid() == rig.pid


# ---- memory ----

def vm_size(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[0]) * resource.getpagesize()


def squeeze_address_space(pid):
    """Of another account's only with CAP_SYS_RESOURCE."""
    size = vm_size(pid)
    try:
        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
    except PermissionError:
        pass


def squeeze_cgroup(pid):
    """The kernel's own killer, in a cgroup of the process's own."""
    d = "/sys/fs/cgroup/memory/criodtest-%d" % pid
    os.mkdir(d)
    with open(d + "/cgroup.procs", "w") as f:
        f.write(str(pid))
    with open(d + "/memory.limit_in_bytes", "w") as f:
        f.write("16384")
    return d


def work(rig):
    """Something for each; what it says is of no interest."""
    cl = rig.criod.client
    image = {"image": "big"}
    for name, fields in (
            ("ListContainerStats", {}), ("PullImage", {"image": image}),
            ("ExecSync", {"container_id": rig.ctr, "timeout": 10, "cmd": [
                "head", "-c", "4000000", "/dev/zero"]}),
            ("Exec", {"container_id": rig.ctr, "cmd": ["x" * 100000],
                      "stdout": True}),
            ("RunPodSandbox", {"config": rig.pods.config()}),
            ("RemoveImage", {"image": image})):
        try:
            getattr(cl, name)(rpc_timeout=30, **fields)
        except grpc.RpcError as e:
            assert e.code().name in storm.FAILED | {"RESOURCE_EXHAUSTED"}, e


@pytest.mark.parametrize("how", [squeeze_address_space, squeeze_cgroup])
def test_out_of_memory(rig, how):
    """Each in turn has no byte more than it has now."""
    if how is squeeze_cgroup and not os.path.isdir("/sys/fs/cgroup/memory"):
        pytest.skip("no memory controller of version 1")
    watch, died = Watcher(rig.criod, connect_ms=100), []
    for role in storm.HELPERS:
        pid = wait_for(role, lambda r=role: rig.helper(r))
        d = how(pid)
        work(rig)
        if rig.criod.helpers().get(role) != pid:
            died.append(role)
        else:
            os.kill(pid, signal.SIGKILL)
            wait_for("a new " + role, lambda r=role, p=pid:
                     rig.helper(r) not in (0, p))
        rig.answers()
        if d:
            wait_for("an empty cgroup", lambda d=d: not rmdir(d))
    seen = watch.end()
    print("died of it: %s; %s" % (died, seen))
    assert seen["max"] < 5 * SLOW_MS and seen["other"] == [], seen
    assert died or how is squeeze_address_space
    assert rig.ctr_pid() == rig.pid


def rmdir(d):
    try:
        os.rmdir(d)
    except OSError as e:
        return e


# ---- stopped ----

def test_stopped(rig):
    """Each is named and replaced; who does not need them does not notice."""
    old = {r: rig.helper(r) for r in ("nrid", "scribe", "netd")}
    watch = Watcher(rig.criod)
    for pid in old.values():
        os.kill(pid, signal.SIGSTOP)
    wait_for("others", lambda: all(
        rig.helper(r) not in (0, pid) for r, pid in old.items()), 30)
    seen = watch.end()
    print(seen)
    assert seen["max"] < SLOW_MS and seen["away"] == 0, seen
    for role, pid in old.items():
        assert "killing %s[%d]: does not answer" % (role, pid) in \
            rig.criod.log()
    rig.answers()


def test_nothing_is_left(rig):
    """After all that; the last test of this rig."""
    print("lines", rig.check())


# ---- monitors ----

@pytest.fixture
def counting(own, scratch):
    pods = Pods(own, scratch)
    before = world(own)
    pod, config = pods.run()
    ctr = counter(pods, pod, config)
    path = pods.status(ctr).log_path
    wait_for("numbers", lambda: len(numbers(path)) > 5)
    yield own, pods, pod, ctr, path
    for sig in (signal.SIGCONT,):
        for m in monitors():
            os.kill(m, sig)
    pods.clean()
    wait_for("clean", lambda: not (difference(
        {k: v for k, v in before.items() if k in ("cgroups", "mounts")},
        world(own))) and not monitors())


def monitors():
    return storm.pids_of("monitor")


def whole(path):
    got = numbers(path)
    return got == list(range(len(got)))


def lost(pods, ctr):
    st = pods.exited(ctr, 30)
    assert (st.exit_code, st.reason) == (255, "Unknown"), st
    assert st.finished_at >= st.started_at > 0 and st.message
    return st


def test_monitor_dies(counting):
    """Its container is killed, and what the log has is without a hole."""
    criod, pods, pod, ctr, path = counting
    exec_ = pods.client.future("ExecSync", container_id=ctr,
                               cmd=["sleep", "1000"], timeout=0)
    wait_for("the exec", lambda: any(
        b"sleep\x001000" in open(p, "rb").read()
        for p in glob.glob("/proc/[0-9]*/cmdline") if os.path.exists(p)))
    pid, = monitors()
    os.kill(pid, signal.SIGKILL)
    st = lost(pods, ctr)
    assert exec_.exception(20) is not None or exec_.result().exit_code != 0
    assert whole(path)
    assert "its monitor is gone" in criod.log()
    pods.client.StopContainer(container_id=ctr, timeout=10)
    # A pod is none the worse for it, and a restart tells the same.
    kill_all(criod)
    pods.client = criod.start().client
    assert pods.status(ctr) == st
    pods.client.RemoveContainer(container_id=ctr)
    _, config = pods.run()
    assert pods.client.PodSandboxStatus(pod_sandbox_id=pod).status.state == 0


def test_monitor_dies_while_criod_is_away(counting):
    criod, pods, pod, ctr, path = counting
    kill_all(criod)
    os.kill(monitors()[0], signal.SIGKILL)
    pods.client = criod.start().client
    lost(pods, ctr)
    assert whole(path)


def test_monitor_dies_while_stopped(counting):
    """In the grace of a stop that nobody heeds: the stop is over."""
    criod, pods, pod, ctr, path = counting
    stop = pods.client.future("StopContainer", container_id=ctr, timeout=3600)
    time.sleep(0.2)	# it is under way, or not: both are to be answered
    os.kill(monitors()[0], signal.SIGKILL)
    stop.result(30)
    assert pods.status(ctr).state == EXITED


def test_monitor_stands_still(counting):
    """The container waits for who reads its output; nothing is lost."""
    criod, pods, pod, ctr, path = counting
    pid, = monitors()
    os.kill(pid, signal.SIGSTOP)
    n = len(numbers(path))
    assert pods.sh(ctr, "echo alive").stdout == b"alive\n"
    assert len(numbers(path)) == n
    os.kill(pid, signal.SIGCONT)
    wait_for("more", lambda: len(numbers(path)) > n)
    assert whole(path)


def test_monitor_hangs_while_stopped(counting):
    """A stop does not wait for it for ever."""
    criod, pods, pod, ctr, path = counting
    os.kill(monitors()[0], signal.SIGSTOP)
    pods.client.StopContainer(container_id=ctr, timeout=0, rpc_timeout=60)
    lost(pods, ctr)
    assert "its monitor did not end" in criod.log()
    assert whole(path)


# ---- a helper that ends at each start ----

def test_stop_outlives_helpers(counting):
    """Each time the same stop, whoever of criod dies in its grace."""
    criod, pods, pod, ctr, path = counting
    ask = {"container_id": ctr, "timeout": 3600}
    for role in ("execd", "execlaunch", "front"):
        stop = pods.client.future("StopContainer", **ask)
        with pytest.raises(grpc.FutureTimeoutError):
            stop.result(0.3)
        old = criod.helpers()[role]
        os.kill(old, signal.SIGKILL)
        wait_for(role, lambda: criod.helpers().get(role, old) != old)
        if role == "front":
            assert stop.exception(5).code().name == "UNAVAILABLE"
        assert pods.status(ctr).state == 1
    stop = pods.client.future("StopContainer", **ask)
    kill_all(criod)
    assert stop.exception(5).code().name == "UNAVAILABLE"
    pods.client = criod.start().client
    assert pods.status(ctr).state == 1
    stops = [pods.client.future("StopContainer", container_id=ctr,
                                timeout=3600 - i) for i in range(100)]
    for s in stops[:50]:
        s.cancel()
    pods.client.StopContainer(container_id=ctr, timeout=0)
    for s in stops[50:]:
        s.result(10)
    assert pods.status(ctr).exit_code == 137
    assert whole(path)
