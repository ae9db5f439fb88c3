"""OCI hooks: whom they concern, when they run, with what."""

import json
import os
import shutil

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for

RUNTIMES = ["crun", "runc"]
CONF = """
runtime crun path "/usr/bin/crun" default
runtime runc path "/usr/sbin/runc"
hooks directory "%s"
hooks directory "%s"
"""
# Appends what it got to OUT/NAME.json, a line each time.
PROGRAM = """#!/usr/bin/python3 -S
import json, os, sys
fds = [n for n in os.listdir("/proc/self/fd")
       if os.path.exists("/proc/self/fd/" + n)]
with open("%s/" + sys.argv[1] + ".json", "a") as f:
    print(json.dumps({"state": json.load(sys.stdin), "fds": fds,
                      "env": dict(os.environ), "cwd": os.getcwd()}), file=f)
"""


def hook(path, when, stages, **more):
    return json.dumps({"version": "1.0.0", "hook": dict(path=path, **more),
                       "when": when, "stages": stages})


class World:
    """Two hooks directories, and a criod that uses them."""

    def __init__(self, scratch):
        self.path = os.path.join(scratch, "hooks")
        self.dirs = [os.path.join(self.path, d) for d in ("a", "b")]
        self.out = os.path.join(self.path, "out")
        for d in self.dirs + [self.out]:
            os.makedirs(d)
        self.prog = os.path.join(self.path, "hook")
        with open(self.prog, "w") as f:
            f.write(PROGRAM % self.out)
        os.chmod(self.prog, 0o755)
        self.write(0, "20-note.json", hook(
            self.prog, {"annotations": {"^note$": "^y"}}, [
                "createRuntime", "createContainer", "poststart",
                "poststop"],
            args=["hook", "note"]))
        self.write(0, "10-same.json", hook("/bin/false", {"always": True},
                                           ["prestart"]))
        self.write(1, "10-same.json", hook(
            self.prog, {"commands": ["^echo$"]}, ["prestart"],
            args=["hook", "same"], env=["GIVEN=1"], timeout=10))
        self.write(1, "30-fail.json", hook("/bin/false", {
            "annotations": {"^fail$": "."}}, ["createRuntime"]))
        self.write(1, "notes.txt", "not for criod")
        self.criod = Criod(os.path.join(scratch, "hooked"),
                           CONF % tuple(self.dirs), args=["-m"]).start()
        self.criod.client.PullImage(image={"image": "busybox"})

    def write(self, d, name, text):
        with open(os.path.join(self.dirs[d], name), "w") as f:
            f.write(text)

    def said(self, name):
        try:
            with open(os.path.join(self.out, name + ".json")) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def clear(self):
        for name in os.listdir(self.out):
            os.unlink(os.path.join(self.out, name))


@pytest.fixture(scope="module")
def world(scratch, registry):
    w = World(scratch)
    yield w
    w.criod.stop()
    shutil.rmtree(w.path, ignore_errors=True)


@pytest.fixture
def made(world, scratch):
    world.clear()
    p = Pods(world.criod, scratch)
    yield p
    p.clean()


@pytest.mark.parametrize("handler", RUNTIMES)
def test_annotation_and_stages(world, made, handler):
    """The hook of an annotated pod sees created, running, stopped."""
    pod, config = made.run(made.config(annotations={"note": "yes"}),
                           handler=handler)
    ctr = made.create(pod, config, ["sleep", "1000"])
    state = world.said("note")[0]["state"]
    assert state["id"] == ctr and state["pid"] > 1
    # runc 1.1 runs poststart as early as this.
    made.client.StartContainer(container_id=ctr)
    assert len(world.said("note")) == 3
    made.client.StopContainer(container_id=ctr, timeout=0)
    made.client.RemoveContainer(container_id=ctr)
    said = wait_for("poststop", lambda: world.said("note")[3:])
    assert said[0]["state"]["status"] == "stopped"


@pytest.mark.parametrize("handler", RUNTIMES)
def test_without_annotation_it_does_not_run(world, made, handler):
    pod, config = made.run(handler=handler)
    made.start(pod, config, ["sleep", "1000"])
    assert world.said("note") == [] and world.said("same") == []


@pytest.mark.parametrize("handler", RUNTIMES)
def test_row18_a_hooks_surroundings_are_fixed(world, made, handler):
    """CVE-2025-23266: nothing of image or pod reaches a hook's environment;
    a later directory's file replaces the one of the same name."""
    pod, config = made.run(made.config(annotations={"note": "y"}),
                           handler=handler)
    made.start(pod, config, ["echo", "x"], envs=[
        {"key": "LD_PRELOAD", "value": b"/evil.so"}])
    usual = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                     "/sbin:/bin"}
    same, note = world.said("same"), world.said("note")
    assert len(same) == 1 and len(note) == 3
    # At createContainer runc 1.1 has descriptors of its own open, and is in
    # the container's root already.
    for h in same + note[:1]:
        assert {int(n) for n in h["fds"]} == {0, 1, 2}
        assert h["cwd"] == "/" or h["cwd"].endswith("/" + h["state"]["id"])
    for h in same + note:
        h["env"].pop("LC_CTYPE", None)  # Python's own
        assert h["env"] == ({"GIVEN": "1"} if h in same else usual)


@pytest.mark.parametrize("handler", RUNTIMES)
def test_a_hook_that_fails_fails_the_container(world, made, handler):
    pod, config = made.run(made.config(annotations={"fail": "1"}),
                           handler=handler)
    with pytest.raises(grpc.RpcError) as e:
        made.create(pod, config, ["sleep", "1000"])
    assert e.value.code() == grpc.StatusCode.INTERNAL
    assert not made.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers


def test_a_broken_hook_stops_every_container(scratch, registry):
    """It comes with SIGHUP, and goes the same way."""
    d = os.path.join(scratch, "broken.d")
    os.mkdir(d)
    c = Criod(os.path.join(scratch, "broken"),
              'hooks directory "%s"\n' % d, args=["-m"]).start()
    pods = Pods(c, scratch)
    try:
        c.client.PullImage(image={"image": "busybox"})
        pod, config = pods.run()
        pods.start(pod, config, ["sleep", "1000"], name="before")
        name = os.path.join(d, "x.json")
        with open(name, "w") as f:
            f.write('{"version": "1.0.0"}')
        reload(c)
        with pytest.raises(grpc.RpcError) as e:
            pods.create(pod, config, ["sleep", "1000"], name="during")
        assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "x.json" in e.value.details()
        os.chmod(name, 0o666)
        os.kill(c.parent(), 1)
        wait_for("refusal", lambda: "old configuration stays" in c.log())
        os.unlink(name)
        reload(c)
        pods.start(pod, config, ["sleep", "1000"], name="after")
    finally:
        pods.clean()
        c.stop()


def reload(c):
    """SIGHUP; until execd is another process and serves."""
    old = c.helpers()["execd"]
    os.kill(c.parent(), 1)
    c.replaced("execd", old)
