"""Handlers of type vm: containerd's own shim, and shims that misbehave."""

import glob
import json
import os
import shutil
import signal
import stat
import time

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for

SHIM = "/usr/bin/containerd-shim-runc-v2"
pytestmark = pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim")

# Each is a shim that does one thing wrong.
BAD = {
    "exits": "#!/bin/sh\n[ $1 = -v ] || echo cannot start here >&2\n[ $1 = -v ]\n",
    "silent": "#!/bin/sh\nexit 0\n",
    "abstract": "#!/bin/sh\necho 'unix://@/containerd-shim/x.sock'\n",
    "nobody": "#!/bin/sh\necho unix:///run/no-such-socket\n",
    "floods": "#!/bin/sh\n[ $1 = -v ] || head -c 10000000 /dev/zero\n",
    # Daemons without a word, which nobody knows of.
    "litters": """#!/bin/sh
[ $# -gt 2 ] || exit 0
for i in 1 2 3; do
	setsid sh -c 'exec >/dev/null 2>&1; sh -c "sleep 1000; $0" $0 &
		sleep 1000; $0' $0 &
done
exit 1
""",
    # A server that answers with what is not ttrpc.
    "babbles": """#!/usr/bin/python3
import os, socket, sys
if sys.argv[-1] != "start":
    sys.exit(0)
path = "/run/babble-%d" % os.getpid()
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen()
print("unix://" + path, flush=True)
if os.fork() == 0:
    for fd in (0, 1, 2):
        os.dup2(os.open("/dev/null", os.O_RDWR), fd)
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall(bytes([255] * 64))
""",
}


def shims():
    """Processes of any shim, as pid to argv."""
    out = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path) as f:
                argv = f.read().split("\0")
        except OSError:
            continue
        if argv[0] == SHIM:
            out[int(path.split("/")[2])] = argv
    return out


@pytest.fixture(scope="module")
def world(scratch, registry):
    d = os.path.join(scratch, "shims")
    os.mkdir(d)
    conf = 'runtime crun path "/usr/bin/crun" default\n' \
        'runtime shim path "%s" {\n\ttype vm\n}\n' % SHIM
    for name, text in BAD.items():
        path = os.path.join(d, "containerd-shim-%s-v2" % name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)
        conf += 'runtime %s path "%s" {\n\ttype vm\n}\n' % (name, path)
    c = Criod(os.path.join(scratch, "vm"), conf, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()
    shutil.rmtree(c.path, ignore_errors=True)


@pytest.fixture
def made(world, scratch):
    p = Pods(world, scratch)
    yield p
    p.clean()


def forgotten(name):
    """Processes of a shim that is a script."""
    out = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path) as f:
                text = f.read()
            # The launcher has all of them among its arguments.
            if "/containerd-shim-%s-v2" % name in text and \
                    "execlaunch\0" not in text:
                out.append(text)
        except OSError:
            pass
    return out


def cgroups():
    """Of shims; each pod's goes with the pod."""
    return glob.glob("/sys/fs/cgroup/criod/shim/*") + glob.glob(
        "/sys/fs/cgroup/*/criod/shim/*/")


def state(world, handler="shim"):
    return os.path.join(world.path, "run/runtime", handler)


def mounts(world):
    with open("/proc/self/mountinfo") as f:
        return [line for line in f if state(world) in line]


def sockets():
    return sorted(glob.glob("/run/containerd/s/*"))


def test_a_pod_has_one_shim_and_leaves_nothing(world, made):
    before = sockets()
    pod, config = made.run(handler="shim")
    assert shims() == {}
    a = made.start(pod, config, ["sleep", "1000"], name="a")
    b = made.start(pod, config, ["sh", "-c", "exit 3"], name="b")
    assert made.exited(b).exit_code == 3
    (pid, _), = shims().items()
    with open("/proc/%d/cgroup" % pid) as f:
        assert "/criod/shim/%s\n" % pod in f.read()
    assert sorted(os.listdir(state(world))) == sorted([pod, a, b])
    # The sandbox: pause, as nobody's user, in the pod's network.
    for name, kind, group in ((pod, "sandbox", pod), (a, "container", pod)):
        with open(os.path.join(state(world), name, "config.json")) as f:
            notes = json.load(f)["annotations"]
        assert notes["io.kubernetes.cri.container-type"] == kind
        assert notes["io.kubernetes.cri.sandbox-id"] == group
    made.clean()
    wait_for("end of the shim", lambda: not shims())
    assert os.listdir(state(world)) == []
    assert mounts(world) == []
    assert sockets() == before


def test_row59_no_abstract_socket(world, made):
    """CVE-2020-15257: nothing to reach from the host's network namespace."""
    pod, config = made.run(handler="shim")
    made.start(pod, config, ["sleep", "1000"])
    with open("/proc/net/unix") as f:
        assert [line for line in f if " @" in line] == []
    for path in sockets():
        st = os.stat(path)
        assert stat.S_ISSOCK(st.st_mode) and st.st_uid == 0
        assert not st.st_mode & 0o077


def test_who_speaks_with_the_shim_holds_nothing(world, made):
    """The process that stands for a container, and a command's."""
    pod, config = made.run(handler="shim")
    made.start(pod, config, ["sleep", "1000"])
    seen = 0
    for path in glob.glob("/proc/[0-9]*/status"):
        try:
            with open(path) as f:
                status = dict(line.rstrip("\n").split(":\t", 1)
                              for line in f if ":\t" in line)
        except OSError:
            continue
        if status["Name"] != "shimrun":
            continue
        seen += 1
        pid = path.split("/")[2]
        assert "0" not in status["Uid"].split()
        assert int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert os.listdir("/proc/%s/root" % pid) == []
        with open("/proc/%s/cgroup" % pid) as f:
            assert pod not in f.read().replace("/criod/shim/" + pod, "")
    assert seen == 1


def test_the_shim_dies(world, made):
    """Its containers end, with a code that says so; the pod goes."""
    pod, config = made.run(handler="shim")
    ctr = made.start(pod, config, ["sleep", "1000"])
    (pid, _), = shims().items()
    os.kill(pid, signal.SIGKILL)
    st = made.exited(ctr)
    assert st.exit_code == 255
    with pytest.raises(grpc.RpcError):
        made.create(pod, config, ["true"], name="late")
    made.clean()
    assert os.listdir(state(world)) == []
    assert mounts(world) == []


def test_the_shim_hangs(world, made):
    """Everything still goes, in bounded time."""
    pod, config = made.run(handler="shim")
    ctr = made.start(pod, config, ["sleep", "1000"])
    (pid, _), = shims().items()
    os.kill(pid, signal.SIGSTOP)
    before = time.monotonic()
    made.client.StopContainer(container_id=ctr, timeout=0)
    assert made.status(ctr).exit_code == 137
    made.clean()
    assert time.monotonic() - before < 40
    assert shims() == {} and mounts(world) == []
    assert os.listdir(state(world)) == []


def test_output_both_ways(world, made):
    """A megabyte, hashed; output without an end of line; nothing lost."""
    pod, config = made.run(handler="shim")
    ctr = made.start(pod, config, [
        "sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; echo; "
        "printf end; echo done >&2"])
    assert made.exited(ctr).exit_code == 0
    assert made.text(ctr).rstrip("\n") == "x" * 1000000 + "\nend"
    assert made.text(ctr, "stderr") == "done\n"
    ctr = made.start(pod, config, ["sleep", "1000"], name="d")
    r = made.sh(ctr, "head -c 1000000 /dev/zero | tr '\\0' y")
    assert r.stdout == b"y" * 1000000 and r.exit_code == 0


def test_standard_input_is_the_containers(world, made):
    """That of the first container in a pod, too."""
    pod, config = made.run(handler="shim")
    before = time.monotonic()
    ctr = made.start(pod, config, ["cat"], stdin=True)
    assert time.monotonic() - before < 20
    assert made.status(ctr).state == 1


def test_new_limits(world, made):
    pod, config = made.run(handler="shim")
    ctr = made.start(pod, config, ["sleep", "1000"],
                     resources={"memory_limit_in_bytes": 64 << 20})
    show = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || " \
        "cat /sys/fs/cgroup/memory.max"
    assert made.sh(ctr, show).stdout.split() == [b"%d" % (64 << 20)]
    made.client.UpdateContainerResources(
        container_id=ctr, linux={"memory_limit_in_bytes": 96 << 20})
    assert made.sh(ctr, show).stdout.split() == [b"%d" % (96 << 20)]


@pytest.mark.parametrize("name", sorted(BAD))
def test_shims_that_misbehave(world, made, name):
    pod, config = made.run(handler=name)
    before = time.monotonic()
    with pytest.raises(grpc.RpcError) as e:
        made.create(pod, config, ["sleep", "1000"])
    assert e.value.code() == grpc.StatusCode.INTERNAL
    assert time.monotonic() - before < 30
    assert not made.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers
    # What it forked and forgot does not wait for the pod's end.
    assert forgotten(name) == []
    made.clean()
    assert os.listdir(state(world, name)) == []
    assert cgroups() == []
