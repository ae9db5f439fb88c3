"""Containers that do what they can against their node (security.md X2, X3;
features.md 4.8): stops are bounded, others do not notice."""

import glob
import os
import shutil
import subprocess
import tempfile
import time

import grpc
import pytest

from conftest_integ import POD, Pods, wait_for
from hangfs import HangFs
from test_restart import counter, numbers
from watcher import Watcher

C = grpc.StatusCode
MANY = int(os.environ.get("MANY_FILES", 20000))
FLOOD = int(os.environ.get("FLOOD_BYTES", 300 << 20))
SLOW_MS = 1000


@pytest.fixture
def neighbour(pods):
    """A container beside, whose log must be whole; and lists that are quick."""
    pod, config = pods.run()
    ctr = counter(pods, pod, config, name="neighbour")
    watch = Watcher(pods.criod)
    yield ctr
    seen = watch.end()
    print(seen)
    assert seen["max"] < SLOW_MS and not seen["away"] and not seen["other"]
    path = pods.status(ctr).log_path
    n = len(numbers(path))
    wait_for("more lines", lambda: len(numbers(path)) > n)
    pods.client.StopContainer(container_id=ctr, timeout=0)
    got = numbers(path)
    assert got == list(range(len(got)))


def processes(text):
    """Pids of commands with text among their words."""
    out = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                if text.encode() in f.read().split(b"\0"):
                    out.append(int(path.split("/")[2]))
        except OSError:
            pass
    return out


def cgroup_of(ctr):
    """Its directories, in every hierarchy."""
    return [d for d in glob.glob("/sys/fs/cgroup/**/*" + ctr + "*",
                                 recursive=True) if os.path.isdir(d)]


def monitor_of(pods, ctr):
    pid = None
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                argv = f.read().split(b"\0")
        except OSError:
            continue
        if argv[0] == b"monitor" and argv[1] == ctr.encode():
            pid = int(path.split("/")[2])
    assert pid
    return pid


def peak_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return int([x for x in f if x.startswith("VmHWM")][0].split()[1])


def pids_parent(limit):
    """A pod's cgroup as a kubelet makes it, with a limit of processes."""
    name = "/criodtest-%d" % os.getpid()
    root = "/sys/fs/cgroup/pids"
    if not os.path.isdir(root):
        root = "/sys/fs/cgroup"
        with open(root + "/cgroup.subtree_control", "w") as f:
            f.write("+pids")
    os.makedirs(root + name, exist_ok=True)
    with open(root + name + "/pids.max", "w") as f:
        f.write(str(limit))
    return name


def test_fork_bomb(pods, neighbour):
    parent = pids_parent(200)
    pod, config = pods.run(pods.config(linux={
        "cgroup_parent": parent, "security_context": {
            "namespace_options": {"network": POD, "pid": 1}}}))
    ctr = pods.start(pod, config, [
        "sh", "-c", "bomb() { (bomb) & (bomb) & exec sleep 1000; }; bomb"])
    wait_for("the limit", lambda: "can't fork" in pods.log(ctr))
    assert pods.sh(neighbour, "echo alive").stdout == b"alive\n"
    assert pods.status(ctr).state == 1
    before = time.monotonic()
    pods.client.StopContainer(container_id=ctr, timeout=1, rpc_timeout=60)
    print("%.1f s" % (time.monotonic() - before))
    assert pods.status(ctr).state == 2
    pods.client.RemoveContainer(container_id=ctr)
    assert cgroup_of(ctr) == []
    pods.client.StopPodSandbox(pod_sandbox_id=pod)
    pods.client.RemovePodSandbox(pod_sandbox_id=pod)
    for d in glob.glob("/sys/fs/cgroup/*" + parent) + \
            glob.glob("/sys/fs/cgroup" + parent):
        os.rmdir(d)


def test_log_flood(pods, neighbour):
    """As fast as it can: its monitor's memory stays what it is."""
    pod, config = pods.run()
    ctr = pods.create(pod, config, [
        "sh", "-c", "yes %s | head -c %d" % ("x" * 1000, FLOOD)])
    monitor = monitor_of(pods, ctr)
    before = peak_kb(monitor)
    pods.client.StartContainer(container_id=ctr)
    peak = before

    def over():
        nonlocal peak
        try:
            peak = max(peak, peak_kb(monitor))
        except OSError:
            pass
        return pods.status(ctr).state == 2
    began = time.monotonic()
    wait_for("its end", over, 120)
    print("%d MB/s, monitor %d kB, was %d kB" % (
        FLOOD / 1e6 / (time.monotonic() - began), peak, before))
    assert peak < before + 256
    path = pods.status(ctr).log_path
    assert os.path.getsize(path) > FLOOD
    os.unlink(path)


def test_its_log_is_taken_away(pods, tmp_path):
    """A container that has the directory of its log."""
    victim = tmp_path / "victim"
    victim.write_text("canary")
    pod, config = pods.run()
    ctr = pods.start(
        pod, config, ["sh", "-c", "until [ -e /log/go ]; do sleep 0.05; done; "
                      "rm /log/*.log; i=0; while :; do echo $i; i=$((i+1)); "
                      "usleep 10000; done"],
        mounts=[{"container_path": "/log", "host_path": pods.logs}])
    path = pods.status(ctr).log_path
    open(pods.logs + "/go", "w").close()
    wait_for("its going", lambda: not os.path.exists(path))
    pods.client.ReopenContainerLog(container_id=ctr)
    wait_for("lines", lambda: numbers(path))
    # A link where the next is to be: refused, and nothing is written to it.
    os.unlink(path)
    os.symlink(victim, path)
    with pytest.raises(grpc.RpcError):
        pods.client.ReopenContainerLog(container_id=ctr)
    assert pods.status(ctr).state == 1
    pods.client.StopContainer(container_id=ctr, timeout=0)
    assert victim.read_text() == "canary"


def test_what_forks_twice(pods):
    """In a shared PID namespace children outlive the first process."""
    pod, config = pods.run(pid=POD)
    ctr = pods.start(pod, config, [
        "sh", "-c", "for i in 1 2 3; do (setsid sh -c 'trap \"\" TERM HUP; "
        "setsid sleep 97531 & setsid sleep 97531 & wait' &); done; "
        "until [ $(grep -alz '^97531$' /proc/[0-9]*/cmdline | wc -l) = 6 ]; "
        "do sleep 0.05; done; exit 4"])
    assert pods.exited(ctr).exit_code == 4
    wait_for("end of all", lambda: not processes("97531"))
    pods.client.RemoveContainer(container_id=ctr)
    assert cgroup_of(ctr) == []


def test_files_that_are_many_and_closed(pods, neighbour):
    """Directories without a permission, a deep tree, a million files by
    MANY_FILES=1000000."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, [
        "sh", "-c", "mkdir /m && cd /m && awk 'BEGIN { for (i = 0; i < %d; "
        "i++) { f = \"f\" i; printf \"\" > f; close(f) } }'; mkdir d; cd d; "
        "for i in $(seq 200); do mkdir x; cd x; done; cd /; "
        "chmod 000 /m/d /m; echo made; sleep 1000" % MANY])
    wait_for("files", lambda: "made" in pods.log(ctr), 300)
    before = time.monotonic()
    pods.client.RemoveContainer(container_id=ctr)
    print("%d files: %.1f s" % (MANY, time.monotonic() - before))
    assert glob.glob(pods.criod.path + "/lib/container/" + ctr) == []


def test_its_cgroup_is_taken_away(pods):
    """Somebody moves its processes and removes the directories."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    dirs = sorted(cgroup_of(ctr), key=len, reverse=True)
    assert dirs
    v1 = os.path.isdir("/sys/fs/cgroup/pids")
    for d in dirs:
        top = "/".join(d.split("/")[:5 if v1 else 4])
        with open(d + "/cgroup.procs") as f:
            for pid in f.read().split():
                with open(top + "/cgroup.procs", "w") as g:
                    g.write(pid)
        os.rmdir(d)
    pods.client.ListContainerStats()
    with pytest.raises(grpc.RpcError) as e:
        pods.client.UpdateContainerResources(
            container_id=ctr, linux={"cpu_shares": 512})
    assert e.value.details()
    assert pods.status(ctr).state == 1
    pods.client.StopContainer(container_id=ctr, timeout=0)
    assert pods.status(ctr).exit_code == 137
    pods.client.RemoveContainer(container_id=ctr)


def test_busy_root(pods):
    """Somebody stands in its root file system when it goes."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    root = os.path.join(pods.criod.path, "run/rootfs", ctr, "fs")
    stand = subprocess.Popen(["sleep", "1000"], cwd=root)
    try:
        pods.client.StopContainer(container_id=ctr, timeout=0)
        pods.client.RemoveContainer(container_id=ctr)
        assert not os.path.exists(os.path.dirname(root))
        assert not os.path.exists(os.path.join(
            pods.criod.path, "lib/container", ctr))
    finally:
        stand.kill()
        stand.wait()


@pytest.fixture
def hang():
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no FUSE here")
    path = tempfile.mkdtemp(prefix="hang.")
    fs = HangFs(path)
    yield fs
    fs.close()
    shutil.rmtree(path, ignore_errors=True)


def test_state_d(pods, neighbour, hang):
    """No signal ends it: a hundred stops wait, and say so; nobody else does.
    When it can end, all of them succeed."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["cat", "/hang/file"], mounts=[
        {"container_path": "/hang", "host_path": hang.path}])
    wait_for("a read", lambda: hang.held)
    cl = pods.client
    with pytest.raises(grpc.RpcError) as e:
        cl.StopContainer(container_id=ctr, rpc_timeout=1.5)
    assert e.value.code() == C.DEADLINE_EXCEEDED
    assert pods.status(ctr).state == 1, "it runs: no success is made up"
    with pytest.raises(grpc.RpcError) as e:
        cl.StopPodSandbox(pod_sandbox_id=pod, rpc_timeout=1)
    assert e.value.code() == C.DEADLINE_EXCEEDED
    stops = [cl.future("StopContainer", container_id=ctr, timeout=i)
             for i in range(100)]
    other, config2 = pods.run()
    c2 = pods.start(other, config2, ["sleep", "1000"], name="other")
    assert pods.sh(c2, "echo alive").stdout == b"alive\n"
    cl.StopContainer(container_id=c2, timeout=0)
    assert not any(s.done() for s in stops)
    hang.release()
    for s in stops:
        s.result(60)
    st = pods.status(ctr)
    assert (st.state, st.exit_code) == (2, 137)
