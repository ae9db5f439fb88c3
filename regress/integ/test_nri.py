"""NRI: plugins are told of every step, and adjust what is made."""

import os
import time

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for
from nriplug import NO_VALIDATE, VALIDATE, Plugin, Refused, pb

CONF = """
nri {
	plugins "%s"
	configuration "%s"
	timeout 700
}
"""


@pytest.fixture(scope="module")
def world(scratch, registry):
    dirs = [os.path.join(scratch, "nri", d) for d in ("plugins", "conf.d")]
    for d in dirs:
        os.makedirs(d)
    c = Criod(os.path.join(scratch, "nrid"), CONF % tuple(dirs),
              args=["-m"]).start()
    c.nri = os.path.join(c.path, "nri.sock")
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture
def pods(world, scratch):
    p = Pods(world, scratch)
    yield p
    p.clean()


@pytest.fixture
def plugin(world):
    made = []

    def make(*args, **kw):
        wait = kw.pop("wait", True)
        made.append(Plugin(world.nri, *args, **kw))
        return made[-1].begin(wait)
    yield make
    for p in made:
        p.close()


def adjusting(**fields):
    """A CreateContainer that answers with this adjustment."""
    return {"CreateContainer": lambda r: pb.CreateContainerResponse(
        adjust=pb.ContainerAdjustment(**fields))}


def refused(pods, *args, **kw):
    with pytest.raises(grpc.RpcError) as e:
        pods.create(*args, **kw)
    return e.value


LIFE = ["CreateContainer", "PostCreateContainer", "StartContainer",
        "PostStartContainer", "StopContainer", "RemoveContainer"]


def test_every_step_is_told(pods, plugin):
    p = plugin()
    pod, config = pods.run(labels={"app": "x"}, annotations={"note": "y"})
    ctr = pods.start(pod, config, ["sleep", "1000"],
                     envs=[{"key": "A", "value": b"b"}], labels={"l": "m"})
    pods.client.StopContainer(container_id=ctr, timeout=1)
    pods.client.RemoveContainer(container_id=ctr)
    pods.client.StopPodSandbox(pod_sandbox_id=pod)
    pods.client.RemovePodSandbox(pod_sandbox_id=pod)
    wait_for("the end", lambda: "RemovePodSandbox" in p.names())
    assert p.names(ctr) == LIFE
    assert [n for n in p.names() if "Pod" in n] == [
        "RunPodSandbox", "StopPodSandbox", "RemovePodSandbox"]
    ran = p.calls[0][1].pod
    assert ran.id == pod and ran.namespace == "regress"
    assert dict(ran.labels) == {"app": "x"}
    assert dict(ran.annotations) == {"note": "y"}
    assert len(ran.ips) == 1
    net = [n.path for n in ran.linux.namespaces if n.type == "network"]
    assert net[0].endswith("/ns/%s/net" % pod)
    for name, r in p.calls:
        if "Pod" in name:
            continue
        c = r.container
        assert r.pod.id == pod and c.id == ctr and c.pod_sandbox_id == pod
        assert list(c.args) == ["sleep", "1000"] and "A=b" in c.env
        assert c.name == "c" and dict(c.labels) == {"l": "m"}
        assert any(m.destination == "/proc" for m in c.mounts)
        assert c.linux.cgroups_path.endswith(ctr) and c.HasField("user")
    states = {n: r.container.state for n, r in p.calls if "Container" in n}
    assert states["StartContainer"] == pb.CONTAINER_CREATED
    assert states["PostStartContainer"] == pb.CONTAINER_RUNNING
    assert states["StopContainer"] == pb.CONTAINER_STOPPED
    stopped = dict(p.calls)["StopContainer"].container
    assert stopped.finished_at > stopped.started_at > stopped.created_at > 0


def test_old_plugins_hear_of_state_changes(pods, plugin):
    p = plugin(legacy=True)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["true"])
    pods.exited(ctr)
    wait_for("the exit", lambda: "StopContainer" in p.names())
    assert p.names() == [
        "StateChange:RUN_POD_SANDBOX", "CreateContainer",
        "StateChange:POST_CREATE_CONTAINER", "StateChange:START_CONTAINER",
        "StateChange:POST_START_CONTAINER", "StopContainer"]


def test_only_what_it_subscribed_to(pods, plugin):
    p = plugin(events=1 << 5)  # START_CONTAINER
    pod, config = pods.run()
    pods.start(pod, config, ["true"])
    assert p.names() == ["StartContainer"]


def answers(world):
    try:
        return world.client.ListPodSandbox()
    except grpc.RpcError:
        return None


def test_synchronized_with_what_there_is(pods, plugin, world):
    pod, config = pods.run(labels={"app": "s"})
    ctr = pods.start(pod, config, ["sleep", "1000"])
    p = plugin()
    assert p.configured.runtime_name == "criod"
    assert p.configured.request_timeout == 700
    assert [x.id for x in p.pods] == [pod]
    assert dict(p.pods[0].labels) == {"app": "s"}
    assert [c.id for c in p.ctrs] == [ctr]
    assert p.ctrs[0].state == pb.CONTAINER_RUNNING
    assert list(p.ctrs[0].args) == ["sleep", "1000"]
    # The same from a nrid, and an execd, that were restarted.
    for name in ("nrid", "execd", "front"):
        old = world.helpers()[name]
        os.kill(old, 9)
        wait_for("restart", lambda: world.helpers().get(name) not in (
            None, old))
        if name == "nrid":
            wait_for("end", p.closed.is_set)
        wait_for("an answer", lambda: answers(world))

        def again():
            try:
                q = plugin(name="again")
            except (AssertionError, OSError):
                return None
            return q
        q = wait_for("plugin", again)
        assert [c.id for c in q.ctrs] == [ctr]
        assert list(q.ctrs[0].args) == ["sleep", "1000"]
        assert q.ctrs[0].name == "c"
        q.close()


def test_adjusts(pods, plugin, scratch):
    src = os.path.join(scratch, "nri-src")
    os.makedirs(src, exist_ok=True)
    with open(os.path.join(src, "f"), "w") as f:
        f.write("from the host\n")
    plugin(handlers=adjusting(
        annotations={"my.note": "here"},
        env=[pb.KeyValue(key="ADDED", value="1"), pb.KeyValue(key="-GONE"),
             pb.KeyValue(key="A", value="changed")],
        mounts=[pb.Mount(destination="/mnt/x", type="bind", source=src,
                         options=["rbind", "ro"]),
                pb.Mount(destination="-/data")],
        rlimits=[pb.POSIXRlimit(type="RLIMIT_NOFILE", hard=77, soft=66)],
        linux=pb.LinuxContainerAdjustment(
            devices=[pb.LinuxDevice(path="/dev/mine", type="c", major=1,
                                    minor=3)],
            oom_score_adj=pb.OptionalInt(value=345),
            resources=pb.LinuxResources(
                memory=pb.LinuxMemory(limit=pb.OptionalInt64(
                    value=64 << 20)),
                cpu=pb.LinuxCPU(shares=pb.OptionalUInt64(value=512))))))
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], envs=[
        {"key": "GONE", "value": b"x"}, {"key": "A", "value": b"b"},
        {"key": "KEPT", "value": b"k"}], mounts=[
        {"container_path": "/data", "host_path": src}])
    out = pods.sh(ctr, "env; cat /mnt/x/f; ulimit -n; ulimit -Hn;"
                  "cat /proc/1/oom_score_adj; echo z >/dev/mine; ls -d /data;"
                  "echo q >/mnt/x/f").stdout.decode().split("\n")
    assert "ADDED=1" in out and "A=changed" in out and "KEPT=k" in out
    assert not [x for x in out if x.startswith("GONE")]
    assert "from the host" in out and "66" in out and "77" in out
    assert "345" in out and "/data" not in out
    with open(os.path.join(src, "f")) as f:
        assert f.read() == "from the host\n"


def test_arguments_replaced(pods, plugin):
    plugin(handlers=adjusting(args=["echo", "not", "that"]))
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["echo", "this"])
    pods.exited(ctr)
    assert pods.text(ctr) == "not that\n"


def test_order_and_view(pods, plugin):
    """Called by index; each sees what the earlier ones made of it."""
    seen = []

    def second(r):
        seen.append(("20", list(r.container.args), list(r.container.env)))
        return pb.CreateContainerResponse(adjust=pb.ContainerAdjustment(
            args=["", "echo", "two"]))
    plugin("20", "late", {"CreateContainer": second})
    plugin("05", "early", adjusting(
        args=["echo", "one"], env=[pb.KeyValue(key="E", value="1")]))
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["echo", "zero"])
    pods.exited(ctr)
    assert seen[0][1] == ["echo", "one"] and "E=1" in seen[0][2]
    assert pods.text(ctr) == "two\n"


def test_conflict_is_refused(pods, plugin):
    plugin("10", "a", adjusting(env=[pb.KeyValue(key="X", value="1")]))
    plugin("20", "b", adjusting(env=[pb.KeyValue(key="X", value="2")]))
    pod, config = pods.run()
    e = refused(pods, pod, config, ["true"])
    assert "10-a and 20-b both set Env X" in e.details()
    assert not pods.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers


def test_refusal_reaches_the_client(pods, plugin):
    def no(r):
        raise Refused(7, "not in my house")
    p = plugin(handlers={"CreateContainer": no})
    pod, config = pods.run()
    e = refused(pods, pod, config, ["true"])
    assert "10-test" in e.details() and "not in my house" in e.details()
    # It goes on being asked.
    p.handlers = {"StartContainer": no}
    ctr = pods.create(pod, config, ["true"])
    with pytest.raises(grpc.RpcError) as e:
        pods.client.StartContainer(container_id=ctr)
    assert "not in my house" in e.value.details()
    st = pods.status(ctr)
    assert st.state == 2 and st.reason == "StartError"
    p.handlers = {"RunPodSandbox": no, "RemovePodSandbox": no,
                  "StopPodSandbox": no}
    with pytest.raises(grpc.RpcError) as e:
        pods.run()
    assert "not in my house" in e.value.details()


def test_validator(pods, plugin):
    got = []

    def check(r):
        got.append(r)
        return pb.ValidateContainerAdjustmentResponse(
            reject="BAD" in [x.key for x in r.adjust.env],
            reason="no BAD here")
    p = plugin("10", "a", adjusting(env=[pb.KeyValue(key="OK", value="1")]))
    plugin("90", "v", {"ValidateContainerAdjustment": check},
           events=VALIDATE)
    pod, config = pods.run()
    ctr = pods.create(pod, config, ["true"])
    r = got[0]
    assert [(x.index, x.name) for x in r.plugins] == [("10", "a"),
                                                      ("90", "v")]
    owners = r.owners.owners[ctr].compound[pb.Env].owners
    assert dict(owners) == {"OK": "10-a"}
    assert not [e for e in r.container.env if e.startswith("OK=")]
    p.handlers = adjusting(env=[pb.KeyValue(key="BAD", value="1")])
    e = refused(pods, pod, config, ["true"], name="d")
    assert "90-v rejects the adjustment: no BAD here" in e.details()


REFUSED = {
    "hooks": dict(hooks=pb.Hooks(prestart=[pb.Hook(path="/bin/true")])),
    "seccomp": dict(linux=pb.LinuxContainerAdjustment(
        seccomp_policy=pb.LinuxSeccomp(default_action="SCMP_ACT_ALLOW"))),
    "namespaces": dict(linux=pb.LinuxContainerAdjustment(
        namespaces=[pb.LinuxNamespace(type="-network")])),
    "cgroup": dict(linux=pb.LinuxContainerAdjustment(
        cgroups_path="/elsewhere")),
    "sysctl": dict(linux=pb.LinuxContainerAdjustment(
        sysctl={"kernel.panic": "1"})),
    "proc": dict(mounts=[pb.Mount(destination="/proc/sys", type="bind",
                                  source="/tmp", options=["bind"])]),
    "root": dict(mounts=[pb.Mount(destination="/", type="tmpfs",
                                  source="tmpfs")]),
    "relative": dict(mounts=[pb.Mount(destination="/x", type="bind",
                                      source="tmp", options=["bind"])]),
    "shared": dict(mounts=[pb.Mount(destination="/x", type="bind",
                                    source="/tmp",
                                    options=["rbind", "rshared"])]),
    "fs": dict(mounts=[pb.Mount(destination="/x", type="ext4",
                                source="/dev/sda")]),
    "steering": dict(annotations={"run.oci.keep_original_groups": "1"}),
    "rlimit": dict(rlimits=[pb.POSIXRlimit(type="RLIMIT_NOFILE", hard=1,
                                           soft=2)]),
    "env": dict(env=[pb.KeyValue(key="A=B", value="1")]),
    "nameless": dict(env=[pb.KeyValue(key="", value="1")]),
    "device": dict(linux=pb.LinuxContainerAdjustment(
        devices=[pb.LinuxDevice(path="dev/x", type="c")])),
    "cdi": dict(CDI_devices=[pb.CDIDevice(name="v/c=d")]),
    "scheduler": dict(linux=pb.LinuxContainerAdjustment(
        scheduler=pb.LinuxScheduler(policy=2))),
    "oom": dict(linux=pb.LinuxContainerAdjustment(
        oom_score_adj=pb.OptionalInt(value=5000))),
    "unified": dict(linux=pb.LinuxContainerAdjustment(
        resources=pb.LinuxResources(unified={"../x": "1"}))),
}


def test_policy_is_execds(pods, plugin):
    """What no client may have, no plugin gives."""
    p = plugin()
    pod, config = pods.run()
    for name, fields in REFUSED.items():
        p.handlers = adjusting(**fields)
        e = refused(pods, pod, config, ["true"], name=name)
        assert "NRI" in e.details() or "sysctl" in e.details(), name
    assert not pods.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers
    p.handlers = {}
    pods.create(pod, config, ["true"])


# ---- hostile ones ----

def test_silent_plugin_is_dropped(pods, plugin, world):
    p = plugin(handlers={"CreateContainer": lambda r: time.sleep(5)})
    pod, config = pods.run()
    before = time.monotonic()
    ctr = pods.create(pod, config, ["true"])
    assert time.monotonic() - before < 4
    assert p.closed.wait(5)
    assert "StartContainer" not in p.names(ctr)
    assert "10-test is dropped" in world.log()
    pods.client.StartContainer(container_id=ctr)


def fds(world):
    return len(os.listdir("/proc/%d/fd" % world.helpers()["nrid"]))


GARBAGE = {
    "a frame too long": b"\0\0\0\2\x7f\xff\xff\xff",
    "a message too long": b"\0\0\0\2\0\0\0\x0a\x7f\xff\xff\xff\0\0\0\1\1\0",
    "an even stream": b"\0\0\0\2\0\0\0\x0a\0\0\0\0\0\0\0\2\1\0",
    "an answer to nobody": b"\0\0\0\1\0\0\0\x0a\0\0\0\0\0\0\0\x63\2\0",
    "no registration": b"\0\0\0\2\0\0\0\x0b\0\0\0\1\0\0\0\1\1\0\xff",
    "half a header": b"\0\0\0",
}


def test_garbage_drops_the_plugin_alone(pods, world):
    pid, n = world.helpers()["nrid"], fds(world)
    for what, data in GARBAGE.items():
        p = Plugin(world.nri)
        p.start()
        p.raw(data)
        if what == "half a header":
            p.close()
        assert p.closed.wait(5), what
    for idx, name in (("1", "x"), ("aa", "x"), ("10", ""), ("10", "a/b"),
                      ("10", "x" * 500)):
        p = Plugin(world.nri, idx, name)
        p.begin(wait=False)
        assert p.closed.wait(5), (idx, name)
    pod, config = pods.run()
    pods.start(pod, config, ["true"])
    assert world.helpers()["nrid"] == pid
    wait_for("descriptors", lambda: fds(world) == n)


def test_malformed_answers(pods, plugin, world):
    pid = world.helpers()["nrid"]

    class Raw:
        def __init__(self, data):
            self.data = data

        def SerializeToString(self):
            return self.data
    # Not protobuf; not UTF-8; a million empty messages.
    for data in (b"\xff\xff", b"\x0a\x05\x22\x03\x0a\x01\xff",
                 b"\x0a\xfe\xff\x7f" + b"\x1a\x00" * 0xfffff):
        p = plugin(handlers={"CreateContainer": lambda r: Raw(data)})
        pod, config = pods.run()
        pods.create(pod, config, ["true"])
        assert p.closed.wait(5)
    assert world.helpers()["nrid"] == pid


def test_never_registers(world):
    """Its time is criod.conf's, five seconds."""
    p = Plugin(world.nri)
    p.start()
    assert not p.closed.wait(3)
    assert p.closed.wait(5)


def test_too_many_plugins(world, plugin):
    many = [Plugin(world.nri) for _ in range(40)]
    for p in many:
        p.start()
    wait_for("refusals", lambda: sum(
        p.closed.is_set() for p in many) >= 8)
    for p in many:
        p.close()
    wait_for("room", lambda: fds(world) < 20)
    plugin()
