"""OCI runtimes that hang, die and lie (security.md K5, X1).

In this build a runtime has 8 seconds, and its delete 3."""

import concurrent.futures
import glob
import os
import socket
import subprocess
import tempfile
import time

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for
from test_leaks import difference, world
from test_steps import processes
from watcher import Watcher

CRUN = "/usr/bin/crun"
# The command is the first word that is one; a pid file is named before it.
HEAD = """#!/bin/sh
for a; do
	[ "$last" = --pid-file ] && pidfile=$a
	last=$a
	case $a in
	create|start|delete|exec|update) command=$a ;;
	esac
done
root=$(grep -o '"[^"]*/rootfs/[^"]*/fs"' config.json 2>/dev/null | tr -d '"')
case $command in
%s) ;;
*)	exec """ + CRUN + """ "$@" ;;
esac
"""
MARK = "98764"


def hang(n):
    return "trap '' TERM\nsleep %s%d &\nwhile :; do sleep %s%d; done\n" % (
        MARK, n, MARK, n)


RUN = CRUN + ' "$@" || exit\n'
# Name: (what of it is bad, how).
RUNTIMES = {
    "hang-create": ("create", hang(1)),
    "hang-created": ("create", RUN + hang(2)),
    "hang-start": ("start", hang(3)),
    "hang-started": ("start", RUN + hang(4)),
    "hang-delete": ("delete", hang(5)),
    "hang-exec": ("exec", hang(6)),
    "hang-update": ("update", hang(7)),
    "die-create": ("create", "kill -9 $$\n"),
    "die-created": ("create", RUN + "kill -9 $$\n"),
    "die-start": ("start", "kill -9 $$\n"),
    "die-delete": ("delete", "kill -9 $$\n"),
    "die-exec": ("exec", "kill -9 $$\n"),
    "no-start": ("start", "exit 0\n"),
    "no-create": ("create", "exit 0\n"),
    "pid-1": ("create", "echo 1 >$pidfile\n"),
    "pid-0": ("create", "echo 0 >$pidfile\n"),
    "pid-minus": ("create", "echo -1 >$pidfile\n"),
    "pid-monitor": ("create", "echo $PPID >$pidfile\n"),
    "pid-foreign": ("create", "cat %(dir)s/foreign >$pidfile\n"),
    "pid-late": ("create", RUN + "cat %(dir)s/foreign >$pidfile\n"),
    "pid-noise": ("create", "head -c 1000000 /dev/urandom >$pidfile\n"),
    "pid-link": ("create", "ln -s /canary $pidfile\n"),
    "loud": ("create", "head -c %(loud)d /dev/zero | tr '\\0' e >&2\nexit 1\n"),
    "loud-start": ("start", "head -c %(loud)d /dev/zero >&2\nexit 1\n"),
    "mounts": ("create", "mount -t tmpfs left $root/dev && mkdir $root/dev/x "
               "&& mount -t tmpfs left $root/dev/x && mount -t tmpfs left "
               "$root\nexit 1\n"),
}
LOUD = int(os.environ.get("LOUD_BYTES", 300 << 20))


@pytest.fixture(scope="module")
def rig(scratch, registry):
    path = tempfile.mkdtemp(prefix="runtimes.", dir=scratch)
    os.chmod(path, 0o755)
    conf = 'runtime crun path "%s" default\n' % CRUN
    for name, (what, how) in RUNTIMES.items():
        file = os.path.join(path, name)
        with open(file, "w") as f:
            f.write(HEAD % what + (how % {"dir": path, "loud": LOUD}
                                   if "%(" in how else how))
        os.chmod(file, 0o755)
        conf += 'runtime %s path "%s"\n' % (name, file)
    foreign = subprocess.Popen(["sleep", "1000"])
    with open(path + "/foreign", "w") as f:
        f.write("%d\n" % foreign.pid)
    c = Criod(path, conf=conf, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    c.foreign = foreign
    yield c
    c.stop()
    foreign.kill()
    foreign.wait()


def everything(criod):
    out = world(criod)
    out["processes"] = set(processes())
    return out


def left():
    return [read(p) for p in glob.glob("/proc/[0-9]*/cmdline")
            if MARK.encode() in read(p)]


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


@pytest.fixture
def pods(rig, scratch):
    p = Pods(rig, scratch)
    p.run()	# makes the bridge and its chains
    p.clean()
    before = everything(rig)
    yield p
    p.clean()
    try:
        wait_for("clean", lambda: not difference(before, everything(rig)) and
                 not left())
    except AssertionError:
        pytest.fail("left: %r %r" % (difference(before, everything(rig)),
                                     left()))
    assert rig.foreign.poll() is None


def refused(call, *args, **fields):
    with pytest.raises(grpc.RpcError) as e:
        call(*args, **fields)
    assert e.value.code() in (grpc.StatusCode.INTERNAL,
                              grpc.StatusCode.DEADLINE_EXCEEDED,
                              grpc.StatusCode.UNKNOWN), e.value
    assert 0 < len(e.value.details()) < 2000
    return e.value


def make(pods, name):
    pod, config = pods.run(handler=name)
    return pod, pods.create(pod, config, ["sleep", "1000"])


def hang_create(pods, name):
    pod, config = pods.run(handler=name)
    refused(pods.create, pod, config, ["sleep", "1000"])
    assert not pods.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers


def hang_start(pods, name):
    _, ctr = make(pods, name)
    refused(pods.client.StartContainer, container_id=ctr)
    pods.client.RemoveContainer(container_id=ctr)


def hang_exec(pods, name):
    _, ctr = make(pods, name)
    pods.client.StartContainer(container_id=ctr)
    refused(pods.sh, ctr, "true", timeout=2)
    assert pods.status(ctr).state == 1


def hang_update(pods, name):
    _, ctr = make(pods, name)
    pods.client.StartContainer(container_id=ctr)
    refused(pods.client.UpdateContainerResources, container_id=ctr,
            linux={"cpu_shares": 512})
    assert pods.status(ctr).state == 1


def hang_delete(pods, name):
    pod, ctr = make(pods, name)
    pods.client.StartContainer(container_id=ctr)
    pods.client.RemoveContainer(container_id=ctr)


HANGS = {"hang-create": hang_create, "hang-created": hang_create,
         "hang-start": hang_start, "hang-started": hang_start,
         "hang-exec": hang_exec, "hang-update": hang_update,
         "hang-delete": hang_delete}


def timed(fn, pods, name):
    before = time.monotonic()
    fn(pods, name)
    return "%s: %.1f s" % (name, time.monotonic() - before)


def test_hang(rig, pods):
    """All at once: each ends at its deadline, lists do not wait."""
    watch = Watcher(rig)
    before = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(HANGS)) as pool:
        for f in [pool.submit(timed, fn, pods, name)
                  for name, fn in HANGS.items()]:
            print(f.result(100))
    print("%.1f s" % (time.monotonic() - before))
    seen = watch.end()
    print(seen)
    assert seen["max"] < 1000 and not seen["away"] and not seen["other"]


CREATES = [n for n, (what, _) in RUNTIMES.items()
           if what == "create" and not n.startswith("hang")]


@pytest.mark.parametrize("name", CREATES)
def test_create(rig, pods, name):
    pod, config = pods.run(handler=name)
    for _ in range(2):	# a retry says the same
        e = refused(pods.create, pod, config, ["sleep", "1000"])
    print(e.details())
    assert not pods.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers


@pytest.mark.parametrize("name", ["die-start", "loud-start"])
def test_start(rig, pods, name):
    _, ctr = make(pods, name)
    refused(pods.client.StartContainer, container_id=ctr)
    pods.client.RemoveContainer(container_id=ctr)


def test_start_that_starts_nothing(rig, pods):
    """It is said to have succeeded; what is there can be stopped."""
    _, ctr = make(pods, "no-start")
    try:
        pods.client.StartContainer(container_id=ctr)
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.INTERNAL
    pods.client.StopContainer(container_id=ctr, timeout=1)
    assert pods.status(ctr).state == 2


def test_delete(rig, pods):
    _, ctr = make(pods, "die-delete")
    pods.client.StartContainer(container_id=ctr)
    pods.client.RemoveContainer(container_id=ctr)


def test_exec(rig, pods):
    _, ctr = make(pods, "die-exec")
    pods.client.StartContainer(container_id=ctr)
    refused(pods.sh, ctr, "true")
    assert pods.status(ctr).state == 1


BUSES = ["/run/dbus/system_bus_socket", "/run/systemd/private"]


@pytest.fixture
def mute(scratch, registry):
    """criod with systemd for its cgroups, and a systemd that takes connections
    and says nothing; in regress/box, whose /run is its own."""
    listening = []
    os.makedirs("/run/systemd/system", exist_ok=True)
    for path in BUSES:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(50)
        listening.append(s)
    path = tempfile.mkdtemp(prefix="mute.", dir=scratch)
    os.chmod(path, 0o755)
    c = Criod(path, conf="cgroup manager systemd\n", args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()
    for s, path in zip(listening, BUSES):
        s.close()
        os.unlink(path)
    os.rmdir("/run/systemd/system")


def test_row_34_mute_systemd(mute, scratch):
    """A create ends at its deadline, the rest does not ask systemd."""
    pods = Pods(mute, scratch)
    pods.run()
    pods.clean()
    before = everything(mute)
    watch = Watcher(mute)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for f in [pool.submit(hang_create, pods, name)
                  for name in ("crun", "runc")]:
            f.result(100)
    pods.clean()
    seen = watch.end()
    print(seen)
    assert not seen["away"] and not seen["other"]
    try:
        wait_for("clean", lambda: not difference(before, everything(mute)))
    except AssertionError:
        pytest.fail("left: %r" % difference(before, everything(mute)))
