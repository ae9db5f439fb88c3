"""Every step of every operation fails, dies and is slow, in turn.

An operation is run once to learn which points (lib/failpoint.h) it passes;
then once for each of them, with that point armed.  Whatever the call says, it
must be possible to say it again and succeed, and when all is removed nothing
may be left."""

import glob
import os
import signal
import subprocess
import tempfile
import time

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for
from points import Points
from test_leaks import difference, world

# What a call may say when something in it failed or died.
HONEST = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL,
          grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED,
          grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED}
AGAIN_S, CLEAN_S, CALL_S = 20, 15, 10
OFTEN = 2	# of a point that is passed more often
DELAY_MS = 100


class Rig:
    def __init__(self, scratch):
        self.points = Points()
        self.scratch = scratch
        self.begin()

    def begin(self):
        path = tempfile.mkdtemp(prefix="steps.", dir=self.scratch)
        os.chmod(path, 0o755)
        self.criod = Criod(path, args=["-m"]).start()
        self.again("PullImage", image={"image": "busybox"})
        self.pods = Pods(self.criod, self.scratch)
        pod, _ = self.pods.run()	# makes the bridge and its chains
        self.remove(pod)

    def end(self):
        self.criod.client.close()
        self.criod.proc.terminate()
        try:
            self.criod.proc.wait(30)
        except subprocess.TimeoutExpired:
            for pid in [self.criod.parent(), self.criod.proc.pid]:
                os.kill(pid, signal.SIGKILL)
            self.criod.proc.wait(30)

    def close(self):
        self.end()
        self.points.close()

    def revive(self):
        """If it was the parent that died."""
        if self.criod.proc.poll() is None:
            return
        self.criod.client.close()
        self.criod.start()

    def call(self, name, **fields):
        return getattr(self.criod.client, name)(rpc_timeout=CALL_S, **fields)

    def again(self, name, **fields):
        """As a kubelet does: until it succeeds."""
        end = time.monotonic() + AGAIN_S
        while True:
            try:
                self.revive()
                return self.call(name, **fields)
            except grpc.RpcError as e:
                if e.code() not in HONEST or time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def remove(self, pod):
        self.again("StopPodSandbox", pod_sandbox_id=pod)
        self.again("RemovePodSandbox", pod_sandbox_id=pod)

    def everything(self):
        out = world(self.criod)
        out["processes"] = set(processes())
        out["layers"] = set(range(len(glob.glob(os.path.join(
            self.criod.path, "lib/image/layer/*")))))
        return out


def processes():
    """Those in cgroups of criod's: of pods, and monitors.  The dead that only
    init has not buried yet are its own affair."""
    for d in glob.glob("/proc/[0-9]*"):
        try:
            with open(d + "/cgroup") as f:
                if "/criod" not in f.read():
                    continue
            with open(d + "/stat") as f:
                comm, rest = f.read().split("(", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        if rest.split()[:2] != ["Z", "1"]:
            yield comm, d


@pytest.fixture(scope="module")
def rig(scratch, registry):
    r = Rig(scratch)
    yield r
    r.close()


# ---- the operations: what is there before, the call, what must hold after ----

class Op:
    """call may fail; again must then succeed; clean undoes all."""

    def __init__(self, rig):
        self.rig, self.config = rig, rig.pods.config()
        self.pod = self.ctr = None

    def make_pod(self):
        self.pod = self.rig.again("RunPodSandbox",
                                  config=self.config).pod_sandbox_id

    def ctr_fields(self):
        return {"pod_sandbox_id": self.pod, "sandbox_config": self.config,
                "config": {"metadata": {"name": "c", "attempt": 0},
                           "image": {"image": "busybox"},
                           "command": ["sleep", "1000"],
                           "log_path": "c.log", "linux": {
                               "security_context": self.config["linux"][
                                   "security_context"]}}}

    def make_ctr(self):
        self.ctr = self.rig.again("CreateContainer",
                                  **self.ctr_fields()).container_id

    def start_ctr(self):
        self.rig.again("StartContainer", container_id=self.ctr)

    def state(self):
        return self.rig.again("ContainerStatus",
                              container_id=self.ctr).status.state

    def setup(self):
        pass

    def again(self):
        pass

    def clean(self):
        for p in self.rig.again("ListPodSandbox").items:
            self.rig.remove(p.id)


class RunPodSandbox(Op):
    def fields(self):
        return {"config": self.config}

    def again(self):
        self.make_pod()
        st = self.rig.again("PodSandboxStatus", pod_sandbox_id=self.pod).status
        assert st.state == 0 and st.network.ip, st
        assert len(self.rig.again("ListPodSandbox").items) == 1


class CreateContainer(Op):
    def setup(self):
        self.make_pod()

    def fields(self):
        return self.ctr_fields()

    def again(self):
        self.make_ctr()
        assert self.state() == 0
        assert len(self.rig.again("ListContainers").containers) == 1
        self.start_ctr()
        assert self.state() == 1


class StartContainer(Op):
    def setup(self):
        self.make_pod()
        self.make_ctr()

    def fields(self):
        return {"container_id": self.ctr}

    def again(self):
        """Running, or over for good: then a kubelet makes the next."""
        def over():
            if self.state() == 0:
                try:
                    self.rig.call("StartContainer", **self.fields())
                except grpc.RpcError as e:
                    assert e.code() in HONEST or self.state() != 0, e
            return self.state() != 0
        wait_for("an end of it", over, AGAIN_S)
        if self.state() == 2:
            self.rig.again("RemoveContainer", container_id=self.ctr)
            self.make_ctr()
            self.start_ctr()
        assert self.state() == 1


class StopContainer(StartContainer):
    def setup(self):
        super().setup()
        self.start_ctr()
        assert "monitor" in {comm for comm, _ in processes()}

    def fields(self):
        return {"container_id": self.ctr, "timeout": 0}

    def again(self):
        self.rig.again("StopContainer", **self.fields())
        assert self.state() == 2


class RemoveContainer(StopContainer):
    def fields(self):
        return {"container_id": self.ctr}

    def again(self):
        self.rig.again("RemoveContainer", **self.fields())
        assert not self.rig.again("ListContainers").containers


class ExecSync(StopContainer):
    def fields(self):
        return {"container_id": self.ctr, "cmd": ["echo", "hello"],
                "timeout": 5}

    def again(self):
        assert self.rig.again("ExecSync", **self.fields()).stdout == b"hello\n"
        assert self.state() == 1


class StopPodSandbox(StopContainer):
    def fields(self):
        return {"pod_sandbox_id": self.pod}

    def again(self):
        self.rig.again("StopPodSandbox", **self.fields())
        st = self.rig.again("PodSandboxStatus", pod_sandbox_id=self.pod).status
        assert st.state == 1


class RemovePodSandbox(StopPodSandbox):
    def again(self):
        self.rig.again("RemovePodSandbox", **self.fields())
        assert not self.rig.again("ListPodSandbox").items


class PullImage(Op):
    def setup(self):
        self.rig.again("RemoveImage", image={"image": "busybox"})

    def fields(self):
        return {"image": {"image": "busybox"}}

    def again(self):
        ref = self.rig.again("PullImage", **self.fields()).image_ref
        st = self.rig.again("ImageStatus", image={"image": "busybox"}).image
        assert st.id == ref and st.size > 0
        assert len(self.rig.again("ListImages").images) == 1


class RemoveImage(PullImage):
    def setup(self):
        pass

    def again(self):
        self.rig.again("RemoveImage", **self.fields())
        assert not self.rig.again("ListImages").images

    def clean(self):
        self.rig.again("PullImage", **self.fields())


OPS = [RunPodSandbox, CreateContainer, StartContainer, StopContainer,
       RemoveContainer, ExecSync, StopPodSandbox, RemovePodSandbox, PullImage,
       RemoveImage]


# The front's copies are a second late: they may be of the call before.
LATE = "keeper "


def learn(rig, kind):
    op = kind(rig)
    op.setup()
    points = rig.points.trace(
        lambda: rig.call(kind.__name__, **op.fields()))
    op.again()
    op.clean()
    return [p for p in points if p[1] < OFTEN and " PING" not in p[0]]


def attempt(rig, kind, name, skip, action):
    """None, or what went wrong; and whether the point was reached."""
    before = rig.everything()
    op = kind(rig)
    op.setup()
    fields = op.fields()
    rig.points.arm(name, action, skip, DELAY_MS)
    try:
        rig.call(kind.__name__, **fields)
        said = "OK"
    except grpc.RpcError as e:
        said = e.code().name
        if e.code() not in HONEST or action == "delay":
            rig.points.disarm()
            return "says %s: %s" % (said, e.details()), True
    hit = rig.points.disarm()
    try:
        op.again()
        op.clean()
        wait_for("clean", lambda: not difference(before, rig.everything()),
                 CLEAN_S)
    except (grpc.RpcError, AssertionError) as e:
        left = difference(before, rig.everything())
        return "said %s, then: %s; left: %s" % (said, e, left), hit
    return None, hit


@pytest.mark.parametrize("action", ["error", "kill", "delay"])
@pytest.mark.parametrize("kind", OPS, ids=lambda k: k.__name__)
def test_every_step(rig, kind, action):
    wrong, reached = [], 0
    points = learn(rig, kind)
    for name, skip in points:
        why, hit = attempt(rig, kind, name, skip, action)
        reached += hit and not name.startswith(LATE)
        if why is not None:
            wrong.append("%s #%d: %s" % (name, skip, why))
            rig.end()	# what is wrong must not make the next one so
            rig.begin()
    steps = sum(not name.startswith(LATE) for name, _ in points)
    print("%s %s: %d steps, %d reached" % (kind.__name__, action, steps,
                                           reached))
    assert not wrong, "\n".join(wrong)
    assert reached >= steps * 2 // 3
