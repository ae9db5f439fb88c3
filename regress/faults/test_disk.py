"""security.md §4 D1, D2, D3 and §3 rows 7, 10: file systems that are full,
read-only or fail, descriptors and processes that cannot be had."""

import os
import signal
import subprocess
import tempfile

import grpc
import pytest

import faults
from conftest_integ import NODE, POD, Criod, Pods, wait_for
from test_records import kill_all, left

FULL = grpc.StatusCode.RESOURCE_EXHAUSTED


class Place:
    """criod with one of its directories on a small file system."""

    def __init__(self, scratch, what):
        self.path = tempfile.mkdtemp(prefix="disk.", dir=scratch)
        os.chmod(self.path, 0o755)
        at = os.path.join(self.path, what)
        self.disk = faults.Small(at, "_crionet" if "network" in what else None)
        self.criod = Criod(self.path, args=["-m"]).start()
        self.client = self.criod.client
        self.client.PullImage(image={"image": "busybox"})
        self.pods = Pods(self.criod, scratch)
        if what == "logs":
            self.pods.logs = self.disk.path

    def counter(self):
        """A pod whose container counts into its log."""
        pod, config = self.pods.run(network=NODE)
        ctr = self.pods.start(pod, config, [
            "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); usleep 20000; "
            "done"])
        return pod, ctr

    def life(self, network=POD):
        """A pod with a container that ends with 7; its ids."""
        pod, config = self.pods.run(network=network)
        ctr = self.pods.start(pod, config, ["sh", "-c", "exit 7"])
        assert self.pods.exited(ctr).exit_code == 7
        return pod, ctr

    def remove(self, pod):
        self.client.StopPodSandbox(pod_sandbox_id=pod)
        self.client.RemovePodSandbox(pod_sandbox_id=pod)
        if pod in self.pods.made:
            self.pods.made.remove(pod)

    def pid(self, ctr):
        info = self.client.ContainerStatus(container_id=ctr, verbose=True)
        return info.info["info"]

    def close(self):
        self.disk.free()
        self.pods.clean()
        self.criod.stop()
        self.disk.close()


@pytest.fixture
def place(scratch, registry):
    made = []

    def make(what):
        made.append(Place(scratch, what))
        return made[0]
    yield make
    for p in made:
        p.close()


def numbers(path):
    with open(path) as f:
        return [int(line.split(" ", 3)[3]) for line in f]


@pytest.mark.parametrize("what,kind,step", faults.some([
    ("run", "size", 4096), ("run", "nr_inodes", 1),
    ("lib/container", "nr_inodes", 1), ("lib/network", "size", 4096),
    ("lib/network", "nr_inodes", 1), ("logs", "nr_inodes", 1)], [
        ("run", "size", 12288), ("run", "nr_inodes", 5),
        ("lib/container", "nr_inodes", 4)]))
def test_full_at_every_write(place, what, kind, step):
    """A little more room each time, until a pod's life succeeds; then none,
    and everything is removed."""
    p = place(what)
    p.remove(p.life()[0])
    pod, ctr = p.counter()
    log = p.pods.status(ctr).log_path
    known = {s.id for s in p.client.ListPodSandbox().items}
    failed, last = 0, None
    while True:
        p.disk.fill(kind, failed * step)
        try:
            last = p.life()
            break
        except grpc.RpcError as e:
            assert e.code() == FULL, (failed, e)
            # Overlay and the runtime have words of their own.
            assert what == "lib/container" or \
                "o space left" in e.details(), e
        failed += 1
        assert failed < 100
        for s in p.client.ListPodSandbox().items:
            if s.id not in known:
                p.remove(s.id)  # it had room for the pod alone
    assert failed > 0
    n = len(numbers(log)) if what != "logs" else 0
    p.disk.fill(kind)
    if what != "logs":
        wait_for("it goes on", lambda: len(numbers(log)) > n)
    p.client.StopContainer(container_id=ctr, timeout=0)
    assert p.pods.status(ctr).state == 2
    for gone in (pod, last[0]):
        p.remove(gone)
    assert not p.client.ListPodSandbox().items
    wait_for("nothing left",
             lambda: not left(p.criod, [pod, ctr, *last]), 15)


def test_exit_is_recorded_on_a_full_disk(place):
    """Row 7: whoever dies meanwhile."""
    p = place("run")
    pod, config = p.pods.run(network=NODE)
    flag = tempfile.mkdtemp(dir=p.path)
    ctrs = [p.pods.start(pod, config, [
        "sh", "-c", "until [ -e /flag/%d ]; do sleep 0.1; done; exit 4%d"
        % (i, i)], name="c%d" % i, mounts=[
            {"container_path": "/flag", "host_path": flag}])
        for i in range(3)]
    p.disk.fill("size")
    p.disk.fill("nr_inodes")

    def end(i):
        with open("%s/%d" % (flag, i), "w"):
            pass
    end(0)
    assert p.pods.exited(ctrs[0]).exit_code == 40
    for pid in (p.criod.helpers()[h] for h in ("front", "execd")):
        os.kill(pid, signal.SIGKILL)
    end(1)

    def code(ctr):
        try:
            st = p.pods.status(ctr)
        except grpc.RpcError:
            return None
        return st.exit_code if st.state == 2 else None
    assert wait_for("the second", lambda: code(ctrs[1])) == 41
    assert code(ctrs[0]) == 40
    p.disk.free()
    p.criod.args.append("-k")
    kill_all(p.criod)
    p.disk.fill("size")
    end(2)
    p.disk.free()
    p.criod.start()
    p.client = p.pods.client = p.criod.client
    p.criod.args.remove("-k")
    assert [code(c) for c in ctrs] == [40, 41, 42]


def test_full_log_disk(place):
    """Lines are dropped, counted and told of; the container does not wait."""
    p = place("logs")
    flag = tempfile.mkdtemp(dir=p.path)
    pod, config = p.pods.run(network=NODE)
    ctr = p.pods.start(pod, config, [
        "sh", "-c", "i=0; until [ -e /flag/start ]; do sleep 0.1; done; "
        "while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; touch /flag/full; until [ -e /flag/go ]; do sleep 0.1; done; "
        "echo 3000; echo 3001"], mounts=[
            {"container_path": "/flag", "host_path": flag}])
    p.disk.fill("size", 8192)
    with open(flag + "/start", "w"):
        pass
    wait_for("all is written", lambda: os.path.exists(flag + "/full"))
    wait_for("it is told",
             lambda: ctr in p.criod.log() and "log lines" in p.criod.log())
    p.disk.free()
    with open(flag + "/go", "w"):
        pass
    path = p.pods.exited(ctr).log_path
    got = numbers(path)
    assert got[-2:] == [3000, 3001] and got == sorted(set(got))
    assert 0 < len(got) < 3002
    assert "%d log lines" % (3002 - len(got)) in p.criod.log()


def test_read_only(place):
    """EROFS: nothing new can be made, what is there goes on; removal is
    done when it can be."""
    p = place("lib/container")
    pod, ctr = p.counter()
    log = p.pods.status(ctr).log_path
    done, _ = p.life()
    try:
        p.disk.set(ro=None)
    except subprocess.CalledProcessError:
        pytest.skip("it is in use")
    with pytest.raises(grpc.RpcError) as e:
        p.life()
    assert "ead-only file system" in e.value.details(), e.value
    n = len(numbers(log))
    wait_for("it goes on", lambda: len(numbers(log)) > n)
    p.client.StopContainer(container_id=ctr, timeout=0)
    p.client.StopPodSandbox(pod_sandbox_id=pod)
    with pytest.raises(grpc.RpcError) as e:
        p.client.RemoveContainer(container_id=ctr)
    assert "ead-only file system" in e.value.details(), e.value
    p.disk.set(rw=None)
    p.client.RemoveContainer(container_id=ctr)


def limit(pid, n, hard):
    """As the process's own account: others may not without a capability."""
    with open("/proc/%d/status" % pid) as f:
        ids = dict(line.split(":\t") for line in f if ":\t" in line)
    uid, gid = (int(ids[k].split()[0]) for k in ("Uid", "Gid"))
    subprocess.run(["prlimit", "--pid", str(pid), "--nofile=%d:%d" % (n, hard)],
                   check=True, user=uid, group=gid, extra_groups=[])


@pytest.mark.parametrize("role", faults.some(
    ["front", "execd", "execlaunch", "netd", "netlaunch", "imaged",
     "streamd"], ["front", "execlaunch"]))
def test_no_descriptors(place, role):
    """EMFILE in each process; after it all is as before.  Nobody takes what
    is no fault of its peer for one."""
    p = place("run")
    pod, ctr = p.counter()
    helpers = p.criod.helpers()
    pid = helpers[role]
    with open("/proc/%d/limits" % pid) as f:
        soft, hard = next(map(int, line.split()[3:5]) for line in f
                          if line.startswith("Max open files"))
    used = max(map(int, os.listdir("/proc/%d/fd" % pid)))
    for room in (1, 2, 4, 7):
        limit(pid, used + room, hard)
        for call in (p.life, lambda: p.pods.sh(ctr, "true")):
            try:
                call()
            except grpc.RpcError as e:
                assert e.details(), e
        limit(pid, soft, hard)
    assert p.criod.helpers() == helpers, p.criod.log()[-2000:]
    assert "breach" not in p.criod.log()

    def works():
        try:
            return p.life()
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNAVAILABLE, e
            return None
    wait_for("all are back", works)
    for s in list(p.client.ListPodSandbox().items):
        if s.id != pod:
            p.remove(s.id)
    assert p.pods.sh(ctr, "echo alive").stdout == b"alive\n"
