"""E2 and E3 of security.md for what lives for a moment, or is started by the
launcher: a call that is not in its table ends it, is named, and is an error for
who asked and nobody else; without any one step of its confinement it does not
work, and says which is missing."""

import errno
import json
import os
import re
import subprocess
import urllib.request

import grpc
import pytest

import cri
import jail
import oci
from conftest_integ import NODE, POD, REGISTRY, Pods, wait_for
from test_confine import HELPERS
from test_trust import World
from trust import push

PORT = 19346
SHIM = "/usr/bin/containerd-shim-runc-v2"
PRCTL, PRLIMIT = 157, 302
ROOT_AGAIN = (117, 0)

# ---- what there is to compare ----

PROGRAMS = {"monitor", "pause", "shimrun", "unpack", "pack", "sigcheck",
            "shelf", "policyread", "unarchive"}
STAY = HELPERS | {"netlaunch", "execlaunch"}
STATE = ["run/bundle", "run/launch", "run/launch/exec", "run/ns", "run/pod",
         "run/rootfs", "run/front/pod", "run/front/ctr", "lib/container",
         "lib/image/layer", "lib/image/tmp"]


def processes():
    """Of criod's that do not stay, and of containers."""
    out = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = jail.argv0(int(pid))
        except OSError:
            continue
        if name in PROGRAMS or name == "sleep":
            out.add((name, pid))
    return out


def names(path):
    return {n for n in os.listdir(path) if not n.endswith(".spare")} \
        if os.path.isdir(path) else set()


def mounts(path):
    with open("/proc/self/mountinfo") as f:
        return {x.split()[4] for x in f if path in x}


def helpers(criod):
    """Those that stay."""
    return {k: v for k, v in criod.helpers().items() if k in STAY}


class Left:
    """What is there now; later there is to be nothing more, and all helpers."""

    def __init__(self, criod):
        self.criod = criod
        self.then, self.helpers = self.now(), helpers(criod)

    def now(self):
        path = self.criod.path
        out = {d: names(os.path.join(path, d)) for d in STATE}
        out["processes"], out["mounts"] = processes(), mounts(path)
        return out

    def nothing(self):
        def more():
            now = self.now()
            return {k: now[k] - v for k, v in self.then.items()
                    if now[k] - v}
        try:
            wait_for("nothing left", lambda: not more())
        except AssertionError:
            assert not more()
        assert helpers(self.criod) == self.helpers


# ---- the images' processes ----

class Hurt(World):
    """One criod for all of these, with what each of them is for."""

    def conf(self):
        conf = super().conf() + "metrics listen on 127.0.0.1 port %d\n" % PORT
        if os.path.exists(SHIM):
            conf += ('runtime crun path "/usr/bin/crun" default\n'
                     'runtime shim path "%s" {\n\ttype vm\n}\n' % SHIM)
        return conf

    def push_new(self, repository):
        """Of a layer that no other image has; its name."""
        digest, _ = push(self.scratch, REGISTRY, repository, entries=[
            oci.entry("of", repository)])
        name = "%s/%s:v1" % (REGISTRY, repository)
        self.sign(name, digest)
        return name

    def reload(self, expect):
        """SIGHUP, until the log says what is expected."""
        at = len(self.criod.log())
        os.kill(self.criod.parent(), 1)
        wait_for(expect, lambda: expect in self.criod.log()[at:])

    def verify(self):
        return subprocess.run(
            [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
             os.path.join(self.criod.path, "control.sock"), "image",
             "verify"], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def hurt(scratch, registry):
    w = Hurt(scratch)
    name, digest, _ = w.push("gpg/busy")
    w.sign(name, digest)
    w.pull(name)
    w.busy = name
    yield w
    w.stop()


@pytest.fixture
def hurt_pods(hurt, scratch):
    p = Pods(hurt.criod, scratch)
    yield p
    p.clean()


@pytest.fixture
def other(hurt, hurt_pods):
    """A container that has nothing to do with it."""
    pod, config = hurt_pods.run(network=NODE)
    ctr = hurt_pods.start(pod, config, ["sleep", "1000"], image=hurt.busy)
    pid = json.loads(hurt.client.ContainerStatus(
        container_id=ctr, verbose=True).info["info"])["pid"]
    # Until then it is the runtime's.
    wait_for("its program", lambda: jail.argv0(pid) == "sleep")
    yield ctr
    assert hurt_pods.status(ctr).state == 1
    assert hurt_pods.sh(ctr, "echo fine").stdout == b"fine\n"


def violations(role):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % PORT) as r:
        text = r.read().decode()
    m = re.search(r'^criod_filter_violations_total{role="%s"} (\d+)$' % role,
                  text, re.M)
    return int(m[1]) if m else 0


class Forbidden:
    """Has a program make a call that it may not, once, instead of one that it
    makes; then looks whether it was said."""

    def __init__(self, criod, name, point, nr, under=None, forks=()):
        self.criod, self.name, self.nr, self.pid = criod, name, nr, None
        self.at = len(criod.log())
        self.holder = jail.Holder(under or criod.parent(), {name: point},
                                  self.look, forks=forks)

    def look(self, _, pid):
        self.pid = pid
        return jail.makes(self.nr)

    def __enter__(self):
        return self.holder.__enter__()

    def __exit__(self, *_):
        self.holder.__exit__()
        assert self.pid is not None, self.name + " did not come so far"

    def words(self, call):
        return "%s: killed: system call not in its table: %s (%d)" % (
            self.name, call, self.nr)

    def said(self, call):
        wait_for("its words",
                 lambda: self.words(call) in self.criod.log()[self.at:])
        wait_for("its end", lambda: (
            "%s[%d] was killed by its own system call filter" % (
                self.name, self.pid)) in self.criod.log()[self.at:])


def refused(fn, *args, **fields):
    with pytest.raises(grpc.RpcError) as e:
        fn(*args, **fields)
    return e.value.details()


def test_unpack(hurt, other):
    """The pull fails, nothing of the layer stays, and the next one succeeds."""
    name = hurt.push_new("gpg/unpack")
    left, count = Left(hurt.criod), violations("unpack")
    bad = Forbidden(hurt.criod, "unpack", (306,), 41)
    with bad:
        refused(hurt.pull, name)
    bad.said("socket")
    wait_for("the count", lambda: violations("unpack") == count + 1)
    left.nothing()
    hurt.pull(name)


def test_pack(hurt, other):
    """What it looked at is reported as not verified, and the rest is."""
    left, count = Left(hurt.criod), violations("pack")
    bad = Forbidden(hurt.criod, "pack", (17,), 57)
    with bad:
        got = hurt.verify()
    assert got.returncode != 0
    bad.said("fork")
    wait_for("the count", lambda: violations("pack") == count + 1)
    left.nothing()
    assert hurt.verify().returncode == 0


def test_sigcheck(hurt, other):
    """Its silence is no consent."""
    name, digest, image = hurt.push("gpg/sigcheck")
    hurt.sign(name, digest)
    left, count = Left(hurt.criod), violations("sigcheck")
    bad = Forbidden(hurt.criod, "sigcheck", (17,), 101)
    with bad:
        hurt.refused(name, image, "the process that verifies it ended early")
    bad.said("ptrace")
    wait_for("the count", lambda: violations("sigcheck") == count + 1)
    left.nothing()
    hurt.pull(name)


def test_policyread(hurt, other):
    """The configuration is refused, and the one before stays."""
    left = Left(hurt.criod)
    bad = Forbidden(hurt.criod, "policyread", (17,), 257)
    with bad:
        hurt.reload("old configuration stays")
    bad.said("openat")
    left.nothing()


def test_shelf(hurt, other):
    """Its store is not used, until it is described."""
    store = os.path.join(hurt.criod.path, "store")
    os.mkdir(store)
    with open(os.path.join(hurt.criod.path, "criod.conf"), "a") as f:
        f.write('additional store "%s"\n' % store)
    count = violations("shelf")
    bad = Forbidden(hurt.criod, "shelf", (262,), 321)
    with bad:
        hurt.reload("additional store %s is not used" % store)
    bad.said("bpf")
    wait_for("the count", lambda: violations("shelf") == count + 1)


# ---- the launcher's ----

def launcher(criod):
    return criod.helpers()["execlaunch"]


def test_pause(hurt, hurt_pods, other):
    """Its pod ends with it, and says so."""
    pod, config = hurt_pods.run(network=NODE, pid=POD)
    ctr = hurt_pods.start(pod, config, ["sleep", "1000"], image=hurt.busy)
    before, at = helpers(hurt.criod), len(hurt.criod.log())
    pid = next(p["pid"] for p in shown(hurt.criod) if p["process"] == "pause")
    jail.inject(pid, 41)
    hurt_pods.exited(ctr)
    wait_for("the pod's end", lambda: hurt.client.PodSandboxStatus(
        pod_sandbox_id=pod).status.state == 1)
    assert "pod %s: pause has ended" % pod in hurt.criod.log()[at:]
    assert helpers(hurt.criod) == before


def shown(criod):
    return json.loads(subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         os.path.join(criod.path, "control.sock"), "privileges", "-j"],
        check=True, capture_output=True, text=True, timeout=30).stdout)


def test_rootfile(hurt, hurt_pods, other):
    """The launcher's child in an image's root."""
    pod, config = hurt_pods.run(network=NODE)
    left = Left(hurt.criod)
    bad = Forbidden(hurt.criod, "execlaunch", (437,), 59,
                    under=launcher(hurt.criod), forks={"execlaunch"})
    with bad:
        text = refused(hurt_pods.create, pod, config, ["sleep", "9"],
                       image=hurt.busy)
    assert "was killed by its own system call filter" in text
    assert bad.words("execve") in hurt.criod.log()[bad.at:]
    left.nothing()
    hurt_pods.create(pod, config, ["sleep", "9"], image=hurt.busy)


@pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim")
def test_shimrun(hurt, hurt_pods, other):
    pod, config = hurt_pods.run(network=NODE, handler="shim")
    ctr = hurt_pods.create(pod, config, ["sleep", "9"], image=hurt.busy)
    before = helpers(hurt.criod)
    bad = Forbidden(hurt.criod, "shimrun", (0,), 41,
                    under=launcher(hurt.criod))
    with bad:
        text = refused(hurt.client.StartContainer, container_id=ctr)
    assert bad.words("socket") in text
    assert helpers(hurt.criod) == before


# ---- E3: a step that fails ----

# Number of the call and its first arguments, what is said of it.
DROP = {
    "bounding set read": ((PRCTL, 23), "bounding set"),
    "bounding set": ((PRCTL, 24), "bounding set"),
    "ambient set": ((PRCTL, 47), "ambient set"),
    "securebits": ((PRCTL, 28), "securebits"),
    "groups": ((116,), "ids"),
    "gid": ((119,), "ids"),
    "uid": ((117,), "ids"),
    "uid read": ((118,), "ids did not change"),
    "capabilities": ((126,), "capset"),
    "capabilities read": ((125,), "capabilities are still there"),
    "root again": (ROOT_AGAIN, "could become root again"),
    "core": ((PRLIMIT, None, 4), "limits"),
    "processes": ((PRLIMIT, None, 6), "limits"),
    "dumpable": ((PRCTL, 4), "dumpable"),
    "MDWE": ((PRCTL, 65), "MDWE"),
    "no_new_privs": ((PRCTL, 38), "no_new_privs"),
    "violation handler": ((13, 31), "system call filter"),
    "filter": ((PRCTL, 22), "system call filter"),
}
CHROOT = {"chroot": ((161,), "chroot")}
PIVOT = {
    "directory": ((81, 3), "mount namespace"),
    "namespace": ((272,), "mount namespace"),
    "private mounts": ((165,), "mount namespace"),
    "copy of the root": ((428,), "mount of the root"),
    "mount of it": ((429,), "mount of the root"),
    "pivot_root": ((155,), "pivot_root"),
    "old root": ((166,), "pivot_root"),
    "its directory": ((80,), "pivot_root"),
}
GIVE_UP = "give up privileges"
ROOTFILE = {
    "chroot": ((161,), "enter the root file system"),
    "address space": ((PRLIMIT, None, 9), GIVE_UP),
    "groups": ((116,), GIVE_UP),
    "gid": ((119,), GIVE_UP),
    "uid": ((117,), GIVE_UP),
    "capabilities": ((126,), GIVE_UP),
    "no_new_privs": ((PRCTL, 38), GIVE_UP),
    "filter": ((PRCTL, 22), GIVE_UP),
}


class Failing:
    """One call of one program fails, once."""

    def __init__(self, criod, name, point):
        self.name, self.met = name, False
        # Of setresuid(0, 0, 0) it is the success that must not be.
        self.answer = 0 if point == ROOT_AGAIN else -errno.EPERM
        self.holder = jail.Holder(launcher(criod), {name: point}, self.look,
                                  filtered=False, forks={"execlaunch"})

    def look(self, *_):
        self.met = True
        return jail.answers(self.answer)

    def __enter__(self):
        return self.holder.__enter__()

    def __exit__(self, *_):
        self.holder.__exit__()
        assert self.met, self.name + " does not make this call"


def each_step(hurt, name, steps, fn, *args, **fields):
    """fn fails for each, says so, and leaves nothing; then it succeeds."""
    left, wrong = Left(hurt.criod), []
    for step, (point, words) in steps.items():
        with Failing(hurt.criod, name, point):
            text = refused(fn, *args, **fields)
        if words not in text:
            wrong.append((step, text))
        left.nothing()
    assert not wrong
    return fn(*args, **fields)


def test_steps_of_a_monitor(hurt, hurt_pods, other):
    pod, config = hurt_pods.run(network=NODE)
    each_step(hurt, "monitor", {**CHROOT, **DROP}, hurt_pods.create, pod,
              config, ["sleep", "9"], image=hurt.busy)


def test_steps_of_pause(hurt, hurt_pods, other):
    each_step(hurt, "pause", {**PIVOT, **DROP}, hurt_pods.run,
              network=NODE, pid=POD)


def test_steps_of_a_rootfile(hurt, hurt_pods, other):
    pod, config = hurt_pods.run(network=NODE)
    each_step(hurt, "execlaunch", ROOTFILE, hurt_pods.create, pod, config,
              ["sleep", "9"], image=hurt.busy)


# Of a start, which ends the container: one of each kind.
SHIMRUN = {**CHROOT, **{k: DROP[k] for k in (
    "bounding set", "uid", "root again", "core", "no_new_privs", "filter")}}


@pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim")
def test_steps_of_shimrun(hurt, hurt_pods, other):
    pod, config = hurt_pods.run(network=NODE, handler="shim")
    # The pod's sandbox is made for its first container.
    hurt_pods.create(pod, config, ["sleep", "9"], image=hurt.busy)

    def started():
        ctr = hurt_pods.create(pod, config, ["sleep", "9"], name="other",
                               image=hurt.busy)
        try:
            hurt.client.StartContainer(container_id=ctr)
        finally:
            hurt.client.RemoveContainer(container_id=ctr)
    each_step(hurt, "shimrun", SHIMRUN, started)
