"""security.md §4 D3, D2: disks that answer with EIO, and memory that cannot be
had: by shim.c, one call after the other."""

import os
import signal
import subprocess
import tempfile

import grpc
import pytest

import cri
import faults
from conftest_integ import NODE, POD, Criod, Pods, wait_for
from test_records import left


class Shimmed:
    def __init__(self, scratch):
        self.shim = faults.Shim()
        self.path = tempfile.mkdtemp(prefix="shimmed.", dir=scratch)
        os.chmod(self.path, 0o755)
        self.criod = Criod(self.path, args=["-m"]).start()
        self.client = self.criod.client
        self.pods = Pods(self.criod, scratch)

    def ctl(self, *args):
        return subprocess.run(
            [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
             self.path + "/control.sock", *args], capture_output=True,
            text=True)

    def life(self, network=POD):
        """A pod's whole life."""
        pod = self.pods.run(network=network)
        ctr = self.pods.start(*pod, ["sh", "-c", "exit 7"])
        assert self.pods.exited(ctr).exit_code == 7
        self.remove(pod[0])
        return pod[0], ctr

    def remove(self, pod):
        self.client.StopPodSandbox(pod_sandbox_id=pod)
        self.client.RemovePodSandbox(pod_sandbox_id=pod)
        if pod in self.pods.made:
            self.pods.made.remove(pod)

    def soon(self, fn, seconds=30):
        """Again and again while something of criod is being replaced."""
        def one():
            try:
                return fn() or True
            except grpc.RpcError as e:
                assert e.details(), e
                return None
        return wait_for("it works again", one, seconds)

    def sweep(self):
        """What failed calls left to be removed, as a kubelet does."""
        for s in self.client.ListPodSandbox().items:
            self.soon(lambda s=s: self.remove(s.id))
        self.pods.made = []

    def clean(self):
        """No pod's process, mount, cgroup or file is left."""
        run = os.path.join(self.path, "run")

        def files():
            return [os.path.join(d, n) for sub in (
                "front/pod", "front/ctr", "bundle", "launch", "ns", "pod",
                "rootfs") for d, dirs, names in os.walk(run + "/" + sub)
                for n in dirs + names if len(n) >= 64]
        wait_for("nothing left", lambda: not files(), 25)

    def close(self):
        self.shim.disarm()
        self.sweep()
        self.criod.stop()
        self.shim.close()


@pytest.fixture(scope="module")
def shimmed(scratch, registry):
    s = Shimmed(scratch)
    s.client.PullImage(image={"image": "busybox"})
    yield s
    s.close()


def turns(calls):
    """Which of so many calls are to fail."""
    every = {*range(min(calls, 3)), calls // 2, calls - 1}
    return sorted(faults.some(every, {0, calls // 2}) & {*range(calls)})


@pytest.mark.parametrize("role,function", faults.some([
    (r, f) for r in ("front", "execd", "execlaunch", "netd")
    for f in ("write", "creat", "renameat", "mkdirat", "read", "close")], [
        ("front", "renameat"), ("execd", "write"), ("execlaunch", "creat"),
        ("netd", "write")]))
def test_state(shimmed, role, function):
    """Each call of a process in a pod's life fails once with EIO."""
    s = shimmed
    s.shim.arm(role, function, "")
    s.life()
    calls = s.shim.disarm()
    for skip in turns(calls):
        s.shim.arm(role, function, "EIO", skip=skip)
        try:
            s.life()
        except grpc.RpcError as e:
            assert e.details(), e
        s.shim.disarm()
        s.sweep()
    s.soon(s.life)
    s.clean()


@pytest.mark.parametrize("role,function", faults.some([
    ("imaged", "fsync"), ("imaged", "fdatasync"), ("imaged", "pwrite64"),
    ("imaged", "write"), ("imaged", "ftruncate"), ("imaged", "mkdirat"),
    ("unpack", "syncfs"), ("unpack", "fsync"), ("unpack", "write"),
    ("unpack", "read"), ("unpack", "mkdirat"), ("unpack", "close")], [
        ("imaged", "fdatasync"), ("unpack", "syncfs")]))
def test_images(shimmed, role, function):
    """What was not surely written is no image; the next pull makes it."""
    s = shimmed
    ref = {"image": "busybox"}
    s.client.RemoveImage(image=ref)
    s.shim.arm(role, function, "")
    s.client.PullImage(image=ref)
    calls = s.shim.disarm()
    for skip in turns(calls):
        s.client.RemoveImage(image=ref)
        s.shim.arm(role, function, "EIO", skip=skip)
        try:
            s.client.PullImage(image=ref)
        except grpc.RpcError as e:
            assert e.details(), e
            assert not s.client.ListImages().images
        s.shim.disarm()
        s.soon(lambda: s.client.PullImage(image=ref))
        assert s.ctl("image", "verify").returncode == 0
    os.kill(s.criod.helpers()["imaged"], signal.SIGKILL)
    s.soon(lambda: s.client.PullImage(image=ref))
    assert s.ctl("image", "verify").returncode == 0


@pytest.mark.parametrize("role,function,error", faults.some([
    ("unpack", "write", "EDQUOT"), ("unpack", "mkdirat", "EDQUOT"),
    ("imaged", "write", "EDQUOT"),
    ("execlaunch", "mkdirat", "EDQUOT"), ("netd", "write", "EDQUOT"),
    ("execlaunch", "fork", "EAGAIN"),
    ("execd", "pipe2", "ENFILE"), ("execd", "memfd_create", "ENFILE"),
    ("execlaunch", "socketpair", "ENFILE"), ("netd", "pipe2", "ENFILE"),
    ("netd", "memfd_create", "ENFILE")], [
        ("unpack", "write", "EDQUOT"), ("execlaunch", "mkdirat", "EDQUOT"),
        ("execlaunch", "fork", "EAGAIN"),
        ("execd", "memfd_create", "ENFILE")]))
def test_scarce(shimmed, role, function, error):
    """What there is no more of: a quota, a file in the kernel's table, a
    process.  The call says so, or did without; nothing stays."""
    s = shimmed
    ref = {"image": "busybox"}

    def work():
        s.client.RemoveImage(image=ref)
        s.client.PullImage(image=ref)
        pod = s.pods.run()
        ctr = s.pods.start(*pod, ["sleep", "1000"])
        assert s.pods.sh(ctr, "echo yes").stdout == b"yes\n"
        s.remove(pod[0])
    s.shim.arm(role, function, "")
    work()
    calls = s.shim.disarm()
    assert calls > 0
    told = 0
    for skip in turns(calls):
        s.shim.arm(role, function, error, skip=skip)
        try:
            work()
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e
            told += 1
        s.shim.disarm()
        s.sweep()
        s.soon(lambda: s.client.PullImage(image=ref))
    assert told > 0
    s.soon(work)
    s.clean()


@pytest.mark.parametrize("role", faults.some(["imaged", "execd", "netd"],
                                             ["execd"]))
def test_directories(shimmed, role):
    """readdir fails when it starts: it tries again."""
    s = shimmed
    pod, config = s.pods.run(network=NODE)
    ctr = s.pods.start(pod, config, ["sleep", "1000"])
    s.shim.arm(role, "readdir", "EIO", skip=1)
    os.kill(s.criod.helpers()[role], signal.SIGKILL)
    s.soon(s.life)
    s.soon(lambda: s.client.PullImage(image={"image": "busybox"}))
    s.shim.disarm()
    assert s.pods.status(ctr).state == 1
    s.remove(pod)


def test_network_record(shimmed):
    """An fsync that failed is not repeated: the record is written anew."""
    s = shimmed
    s.shim.arm("netd", "fsync", "EIO")
    pod, _ = s.pods.run()
    path = os.path.join(s.path, "lib/network", pod)
    before = os.stat(path).st_ino
    wait_for("another file", lambda: os.stat(path).st_ino != before)
    # The directory's comes after that.
    wait_for("all syncs", lambda: s.shim.calls() >= 3)
    s.shim.disarm()
    s.remove(pod)


@pytest.mark.parametrize("role", faults.some(
    ["front", "execd", "execlaunch", "netd", "netlaunch", "imaged"],
    ["execlaunch"]))
def test_memory(shimmed, role):
    """Each process may die of ENOMEM, and is replaced; nothing else is."""
    s = shimmed
    pod, config = s.pods.run(network=NODE)
    ctr = s.pods.start(pod, config, ["sleep", "1000"])

    def work():
        s.client.PullImage(image={"image": "busybox"})
        s.life()
    s.shim.arm(role, "malloc", "")
    work()
    calls = s.shim.disarm()
    assert calls > 0
    for skip in sorted(faults.some({calls * i // 4 for i in range(4)},
                                   {calls // 2})):
        s.shim.arm(role, "malloc", "ENOMEM", skip=skip)
        try:
            work()
        except grpc.RpcError as e:
            assert e.details(), e
        s.shim.disarm()
        s.soon(work)
    for p in s.soon(s.client.ListPodSandbox).items:
        if p.id != pod:
            s.soon(lambda p=p: s.remove(p.id))
    assert s.pods.status(ctr).state == 1
    assert s.pods.sh(ctr, "echo alive").stdout == b"alive\n"
    s.remove(pod)
    s.clean()
