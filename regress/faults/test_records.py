"""security.md §4 D5: every kind of state file, damaged in every way while
criod is away.  It starts, serves all others, and what was damaged can be
removed without a trace."""

import glob
import os
import signal
import tempfile

import grpc
import pytest

import faults
from conftest_integ import CONTAINER, NODE, POD, Criod, Pods, wait_for


def flip(path):
    with open(path, "r+b") as f:
        data = bytearray(f.read())
        data[len(data) * 2 // 3] ^= 0x10
        f.seek(0)
        f.write(data)


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def empty(path):
    os.truncate(path, 0)


def zero(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.write(b"\0" * size)


def gone(path):
    os.unlink(path)


DAMAGE = {f.__name__: f for f in (flip, cut, empty, zero, gone)}
# What is damaged, of pod P and its container C.
FILES = {
    "front-pod": "run/front/pod/{P}",
    "front-ctr": "run/front/ctr/{C}",
    "execd-ctr": "run/bundle/{C}/state",
    "execd-pod": "run/bundle/@{P}/state",
    "launch-ctr": "run/launch/{C}",
    "launch-pod": "run/launch/@{P}",
    "network": "lib/network/{P}",
    "exit": "run/bundle/{C}/exit",
    "config": "run/bundle/{C}/config.json",
    "process": "run/bundle/{C}/process.json",
}


@pytest.fixture
def own(scratch, registry):
    path = tempfile.mkdtemp(prefix="records.", dir=scratch)
    os.chmod(path, 0o755)
    c = Criod(path, args=["-m", "-k"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.args.remove("-k")
    c.stop()


def kill_all(criod):
    pids = [criod.parent()] + list(criod.helpers().values())
    os.kill(pids[0], signal.SIGKILL)
    criod.proc.wait(20)
    criod.client.close()
    for pid in pids:
        wait_for("death of %d" % pid,
                 lambda pid=pid: not os.path.exists("/proc/%d" % pid))


def left(criod, ids):
    """What is still there of these: processes, mounts, cgroups, files."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cgroup" % pid) as f:
                cgroup = f.read()
            with open("/proc/%s/cmdline" % pid) as f:
                line = f.read()
            with open("/proc/%s/stat" % pid) as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    continue
        except OSError:
            continue
        found += [(pid, line) for i in ids if i in cgroup or i in line]
    with open("/proc/self/mountinfo") as f:
        found += [m.split()[4] for m in f if any(i in m for i in ids)]
    for top in ("/sys/fs/cgroup", criod.path):
        for d, dirs, names in os.walk(top):
            found += [os.path.join(d, n) for n in dirs + names
                      if any(i in n for i in ids)]
    for path in glob.glob("/var/lib/cni/networks/criod/[0-9]*"):
        with open(path) as f:
            text = f.read()
        found += [(path, text) for i in ids if i in text]
    return [f for f in found if not str(f).endswith(".bad")]


def again(fn, **args):
    """A call as a kubelet makes it: until it succeeds, three times at most."""
    for turn in range(3):
        try:
            return fn(**args)
        except grpc.RpcError as e:
            assert e.details(), args
            if e.code() == grpc.StatusCode.NOT_FOUND:
                return None
            if turn == 2:
                raise


@pytest.mark.parametrize("how", faults.some(list(DAMAGE), ["flip"]))
def test_damage(own, scratch, how):
    pods = Pods(own, scratch)
    made = {}
    for what in list(FILES) + ["healthy"]:
        pod, config = pods.run(
            network=POD if what in ("network", "healthy") else NODE,
            pid=POD if what.endswith("pod") else CONTAINER)
        ctr = pods.start(pod, config, ["sleep", "1000"])
        made[what] = (pod, ctr)
    pods.client.StopContainer(container_id=made["exit"][1], timeout=0)
    pid = {c.id: c.state for c in pods.client.ListContainers().containers}
    assert len(pid) == len(made)
    kill_all(own)
    for what, path in FILES.items():
        pod, ctr = made[what]
        path = os.path.join(own.path, path.format(P=pod, C=ctr))
        # Without its record netd knows of no network: the address stays.
        if (what, how) == ("network", "gone"):
            continue
        if os.path.exists(path):
            DAMAGE[how](path)
        else:
            assert what == "process", path
    own.start()
    pods.client = own.client
    pod, ctr = made["healthy"]
    assert own.client.PodSandboxStatus(pod_sandbox_id=pod).status.state == 0
    assert pods.sh(ctr, "echo alive").stdout == b"alive\n"
    assert own.client.ListImages().images
    new, config = pods.run()
    pods.start(new, config, ["true"])
    for what, (pod, ctr) in made.items():
        again(own.client.StopContainer, container_id=ctr, timeout=0)
        again(own.client.StopPodSandbox, pod_sandbox_id=pod)
        again(own.client.RemovePodSandbox, pod_sandbox_id=pod)
    ids = [i for pair in made.values() for i in pair]
    wait_for("nothing left", lambda: not left(own, ids), 15)


def test_swapped(own, scratch):
    """One pod's record under another's name is nobody's."""
    pods = Pods(own, scratch)
    made = []
    for _ in range(2):
        pod, config = pods.run(network=NODE)
        made.append((pod, pods.start(pod, config, ["sleep", "1000"])))
    healthy, config = pods.run()
    ctr = pods.start(healthy, config, ["sleep", "1000"])
    kill_all(own)
    for path in FILES.values():
        a, b = (os.path.join(own.path, path.format(P=p, C=c))
                for p, c in made)
        if not os.path.exists(a):
            continue
        os.rename(a, a + ".x")
        os.rename(b, a)
        os.rename(a + ".x", b)
    own.start()
    pods.client = own.client
    assert pods.sh(ctr, "echo alive").stdout == b"alive\n"
    for pod, ctr in made:
        for s in own.client.ListPodSandbox().items:
            assert s.id != pod
        again(own.client.StopContainer, container_id=ctr, timeout=0)
        again(own.client.StopPodSandbox, pod_sandbox_id=pod)
        again(own.client.RemovePodSandbox, pod_sandbox_id=pod)
    ids = [i for pair in made for i in pair]
    wait_for("nothing left", lambda: not left(own, ids), 15)
