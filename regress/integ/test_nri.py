"""NRI: plugins are told of every step, and adjust what is made."""

import json
import os
import signal
import subprocess
import threading
import time

import grpc
import pytest

import cri
from conftest_integ import Criod, Pods, wait_for
from nriplug import VALIDATE, Plugin, Refused, pb

CONF = """
cdi directory "%s"
nri {
	plugins "%s"
	configuration "%s"
	timeout 700
}
"""


@pytest.fixture(scope="module")
def world(scratch, registry):
    dirs = [os.path.join(scratch, "nri", d) for d in (
        "cdi", "plugins", "conf.d")]
    for d in dirs:
        os.makedirs(d)
    with open(os.path.join(dirs[0], "v.json"), "w") as f:
        json.dump({"cdiVersion": "0.6.0", "kind": "vendor.com/dev",
                   "devices": [{"name": n, "containerEdits": {
                       "env": ["CDI_%s=here" % n]}} for n in "ab"]}, f)
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


def test_cdi_devices(pods, plugin):
    plugin(handlers=adjusting(CDI_devices=[
        pb.CDIDevice(name="vendor.com/dev=a"),
        pb.CDIDevice(name="vendor.com/dev=b")]))
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["env"], CDI_devices=[
        {"name": "vendor.com/dev=b"}])
    pods.exited(ctr)
    out = pods.text(ctr).split("\n")
    assert out.count("CDI_a=here") == 1 and out.count("CDI_b=here") == 1


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


def test_one_that_leaves_while_it_waits(pods, plugin, world):
    """What was held back for its sake goes on."""
    plugin(handlers={"CreateContainer": lambda r: time.sleep(0.5)})
    pod, config = pods.run()

    def create(name):
        return pods.client.future(
            "CreateContainer", rpc_timeout=10, pod_sandbox_id=pod,
            sandbox_config=config, config={
                "metadata": {"name": name}, "image": {"image": "busybox"},
                "linux": {"security_context": config["linux"][
                    "security_context"]}})
    first = create("a")
    time.sleep(0.1)
    late = Plugin(world.nri, "20", "late").begin(wait=False)
    wait_for("its turn", lambda: "20-late: waiting" in world.log())
    second = create("b")
    time.sleep(0.05)
    assert not late.synced.is_set()
    late.close()
    assert first.result().container_id and second.result().container_id


def test_too_large_for_plugins(pods, plugin, world):
    """It fails, and costs no process and no plugin its place."""
    before = world.helpers()
    p = plugin()
    big = {"n%d" % i: "y" * 1000000 for i in range(3)}
    pod, config = pods.run(annotations=big)
    del config["annotations"]
    assert "message of 6" in refused(pods, pod, config, ["true"],
                                     annotations=big).details()
    ctr = pods.start(pod, config, ["sleep", "1000"], name="d")
    p.call("UpdateContainers", pb.UpdateContainersRequest(
        evict=[pb.ContainerEviction(container_id=ctr,
                                    reason="r" * 100000)]))
    pods.exited(ctr)
    # What a plugin answers may be large, not endless.
    pod, config = pods.run()
    p.handlers = adjusting(annotations=big)
    pods.create(pod, config, ["true"], name="e")
    # A new one is synchronized in parts.
    q = plugin("20", "later")
    assert len(q.pods) == 2 and len(q.ctrs) == 2
    with pytest.raises(Refused):
        p.call("UpdateContainers", pb.UpdateContainersRequest(
            update=[pb.ContainerUpdate(
                container_id=ctr, linux=pb.LinuxContainerUpdate(
                    resources=pb.LinuxResources(cpu=pb.LinuxCPU(
                        cpus="0," * 1000000))))]))
    assert world.helpers() == before
    assert not p.closed.is_set()


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


def shares(n):
    return pb.LinuxResources(cpu=pb.LinuxCPU(
        shares=pb.OptionalUInt64(value=n)))


def update(ctr, n, **kw):
    return pb.ContainerUpdate(container_id=ctr, linux=pb.LinuxContainerUpdate(
        resources=shares(n)), **kw)


def shares_of(pods, ctr):
    """As the kernel has them: shares, or a weight of cgroup v2."""
    pid = json.loads(pods.client.ContainerStatus(
        container_id=ctr, verbose=True).info["info"])["pid"]
    with open("/proc/%d/cgroup" % pid) as f:
        for line in f:
            _, names, path = line.strip().split(":", 2)
            for top, file in (("/sys/fs/cgroup/cpu", "cpu.shares"),
                              ("/sys/fs/cgroup/cpu,cpuacct", "cpu.shares"),
                              ("/sys/fs/cgroup", "cpu.weight")):
                at = top + path + "/" + file
                if ("cpu" in names.split(",") or not names) and \
                        os.path.exists(at):
                    with open(at) as g:
                        n = int(g.read())
                    # The runtimes' conversion, undone.
                    return n if "shares" in file else \
                        2 + (n - 1) * 262142 // 9999
    raise AssertionError("no cpu controller")


def near(n, want):
    """Weights are coarser than shares."""
    return abs(n - want) <= 30


def test_updates(pods, plugin):
    """A client's update as plugins make it, theirs, and others' besides."""
    p = plugin()
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"],
                     resources={"cpu_shares": 1024})
    p.handlers = {"UpdateContainer": lambda r: pb.UpdateContainerResponse(
        update=[update(ctr, 2 * r.linux_resources.cpu.shares.value)])}
    pods.client.UpdateContainerResources(container_id=ctr,
                                         linux={"cpu_shares": 300})
    assert near(shares_of(pods, ctr), 600)
    assert pods.status(ctr).resources.linux.cpu_shares == 600
    wait_for("PostUpdate", lambda: "PostUpdateContainer" in p.names(ctr))
    seen = dict(p.calls)["PostUpdateContainer"].container.linux.resources
    assert seen.cpu.shares.value == 600

    def no(r):
        raise Refused(7, "not now")
    p.handlers = {"UpdateContainer": no}
    with pytest.raises(grpc.RpcError) as e:
        pods.client.UpdateContainerResources(container_id=ctr,
                                             linux={"cpu_shares": 400})
    assert "not now" in e.value.details()
    assert near(shares_of(pods, ctr), 600)
    # Unsolicited: what cannot be done is said.
    r = pb.UpdateContainersResponse.FromString(p.call(
        "UpdateContainers", pb.UpdateContainersRequest(update=[
            update(ctr, 2048), update("0" * 64, 5, ignore_failure=True)])))
    assert [f.container_id for f in r.failed] == ["0" * 64]
    assert near(shares_of(pods, ctr), 2048)
    with pytest.raises(Refused):
        p.call("UpdateContainers", pb.UpdateContainersRequest(update=[
            update("0" * 64, 5)]))
    q = plugin("20", "later")
    assert q.ctrs[0].linux.resources.cpu.shares.value == 2048
    # While another is made, and while it stops.
    p.handlers = {
        "CreateContainer": lambda r: pb.CreateContainerResponse(
            update=[update(ctr, 777)]),
        "StopContainer": lambda r: pb.StopContainerResponse(
            update=[update(ctr, 888)])}
    other = pods.start(pod, config, ["true"], name="d")
    pods.exited(other)
    wait_for("update", lambda: near(shares_of(pods, ctr), 888))
    p.handlers = {"CreateContainer": lambda r: pb.CreateContainerResponse(
        update=[update(r.container.id, 5)])}
    assert "midst" in refused(pods, pod, config, ["true"],
                              name="e").details()


def test_pod_update(pods, plugin):
    p = plugin()
    pod, config = pods.run()
    pods.client.UpdatePodSandboxResources(
        pod_sandbox_id=pod, resources={"cpu_shares": 77},
        overhead={"memory_limit_in_bytes": 1 << 20})
    wait_for("events", lambda: "PostUpdatePodSandbox" in p.names())
    r = dict(p.calls)["UpdatePodSandbox"]
    assert r.pod.id == pod and r.linux_resources.cpu.shares.value == 77
    assert r.overhead_linux_resources.memory.limit.value == 1 << 20
    assert dict(p.calls)["PostUpdatePodSandbox"].pod.linux.pod_resources \
        .cpu.shares.value == 77


def test_eviction(pods, plugin):
    p = plugin()
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    p.call("UpdateContainers", pb.UpdateContainersRequest(evict=[
        pb.ContainerEviction(container_id=ctr, reason="no room"),
        pb.ContainerEviction(container_id="../x")]))
    assert pods.exited(ctr).exit_code == 137


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
    "cdi": dict(CDI_devices=[pb.CDIDevice(name="vendor.com/dev=c")]),
    "cdi-name": dict(CDI_devices=[pb.CDIDevice(name="../x")]),
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
        assert "NRI" in e.details() or "sysctl" in e.details() or \
            "cdi" in name and "CDI" in e.details(), name
    assert not pods.client.ListContainers(
        filter={"pod_sandbox_id": pod}).containers
    p.handlers = {}
    pods.create(pod, config, ["true"])


def test_large_messages(pods, plugin):
    """More than a packet, each way; more than a frame's first part."""
    big = "y" * 300000
    p = plugin(handlers=adjusting(
        annotations={"n%d" % i: big[:50000] for i in range(6)},
        env=[pb.KeyValue(key="BIG", value=big[:100000])]))
    pod, config = pods.run(annotations={"a": big[:200000]})
    ctr = pods.start(pod, config, ["sh", "-c", "echo ${#BIG}"],
                     annotations={"b": big[:200000]})
    pods.exited(ctr)
    assert pods.text(ctr) == "100000\n"
    wait_for("exit", lambda: "StopContainer" in p.names(ctr))
    c = dict(p.calls)["StopContainer"].container
    assert len(c.annotations["b"]) == 200000
    assert len(c.annotations["n3"]) == 50000
    q = plugin("20", "later")
    assert len(q.ctrs[0].annotations["n3"]) == 50000


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


# ---- the NRI project's own code ----

@pytest.fixture
def validator(world):
    """regress/tools/nri-validator, which only a machine with Go can build."""
    subprocess.run([os.path.join(cri.TOP, "regress/tools/go-tools"),
                    os.path.join(cri.BUILD, "go")], check=True)
    path = os.path.join(cri.BUILD, "go/nri-validator")
    if not os.path.exists(path):
        pytest.skip("no Go here")
    proc = subprocess.Popen([path, "-socket", world.nri],
                            stderr=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(proc.stderr))
    reader.start()
    wait_for("registration",
             lambda: "90-validator is synchronized" in world.log())
    yield lines
    proc.terminate()
    proc.wait()
    reader.join()


def test_with_the_projects_stub(pods, plugin, validator):
    """Its messages, multiplexing and validation, from a Go module."""
    p = plugin()
    pod, config = pods.run(annotations={"big": "x" * 200000})
    pods.start(pod, config, ["sleep", "1000"])
    wait_for("event", lambda: any("regress/" in x and "[sleep 1000]" in x
                                  for x in validator))
    p.handlers = adjusting(linux=pb.LinuxContainerAdjustment(
        sysctl={"net.ipv4.ip_forward": "1"}))
    e = refused(pods, pod, config, ["true"], name="d")
    assert "90-validator rejects" in e.details()
    p.handlers = {}
    pods.start(pod, config, ["true"], name="e")

# ---- what criod.conf says ----

PROGRAM = """#!/usr/bin/python3 -S
import os, socket, struct, sys, time
with open("%s/" + sys.argv[0].rsplit("/", 1)[1], "w") as f:
    f.write("\\n".join(sorted(open("/proc/self/environ").read()
                              .rstrip("\\0").split("\\0"))))
    f.write("\\n" + " ".join(sorted(os.listdir("/proc/self/fd"))))
def frame(stream, kind, body):
    m = struct.pack(">IIBB", len(body), stream, kind, 0) + body
    return struct.pack(">II", 1 if kind == 2 else 2, len(m)) + m
s = socket.socket(fileno=3)
service = b"nri.pkg.api.v1alpha1.Runtime"
s.sendall(frame(1, 1, b"\\x0a%%c" %% len(service) + service +
                b"\\x12\\x0eRegisterPlugin"))
data = b""
while True:
    more = s.recv(65536)
    if not more:
        break
    data += more
    while len(data) >= 18:
        conn, n = struct.unpack(">II", data[:8])
        if len(data) < 8 + n:
            break
        m, data = data[8:8 + n], data[8 + n:]
        if conn == 1:
            with open("%s/calls", "ab") as f:
                f.write(m[10:])
            s.sendall(frame(struct.unpack(">I", m[4:8])[0], 2, b""))
"""


class Strict:
    """A criod whose plugins are installed, required, and allowed hooks."""

    def __init__(self, scratch):
        top = os.path.join(scratch, "nri-strict")
        self.plugins, self.conf, self.out = [
            os.path.join(top, d) for d in ("plugins", "conf", "out")]
        for d in (self.plugins, self.conf, self.out):
            os.makedirs(d)
        for name, mode in (("10-first", 0o755), ("20-second", 0o755),
                           ("30-open", 0o777), ("40-data", 0o644),
                           ("first", 0o755), ("5-x", 0o755)):
            path = os.path.join(self.plugins, name)
            with open(path, "w") as f:
                f.write(PROGRAM % (self.out, self.out))
            os.chmod(path, mode)
        for name, text in (("10-first.conf", "said to the first"),
                           ("first.conf", "not this"),
                           ("second.conf", "said to the second")):
            with open(os.path.join(self.conf, name), "w") as f:
                f.write(text)
        self.criod = Criod(os.path.join(scratch, "nri-strict-criod"), """
nri {
	plugins "%s"
	configuration "%s"
	require needed
	allow hooks; allow seccomp
}
""" % (self.plugins, self.conf), args=["-m"]).start()
        self.nri = os.path.join(self.criod.path, "nri.sock")
        self.criod.client.PullImage(image={"image": "busybox"})

    def said(self, name):
        try:
            with open(os.path.join(self.out, name)) as f:
                return f.read().split("\n")
        except FileNotFoundError:
            return None


@pytest.fixture(scope="module")
def strict(scratch, registry):
    s = Strict(scratch)
    yield s
    s.criod.stop()


@pytest.fixture
def strict_pods(strict, scratch):
    p = Pods(strict.criod, scratch)
    yield p
    p.clean()


def test_installed_plugins(strict):
    for name in ("10-first", "20-second"):
        said = wait_for(name, lambda: strict.said(name))
        assert said == [
            "NRI_PLUGIN_IDX=" + name[:2], "NRI_PLUGIN_NAME=" + name[3:],
            "NRI_PLUGIN_SOCKET=3", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            # The last one lists them, the one before is the file.
            "0 1 2 3 4 5"], said
    for name in ("30-open", "40-data", "first", "5-x"):
        assert strict.said(name) is None, name

    def calls():
        with open(os.path.join(strict.out, "calls"), "rb") as f:
            return f.read()
    wait_for("configuration", lambda: b"said to the second" in calls())
    wait_for("synchronization", lambda: b"Synchronize" in calls())
    assert b"said to the first" in calls()
    assert b"not this" not in calls()
    # They end with nrid, and come again with it.
    before = {p for n, p in strict.criod.helpers().items()
              if n.startswith("python3")}
    assert before
    os.kill(strict.criod.helpers()["nrid"], 9)

    def again():
        now = {p for n, p in strict.criod.helpers().items()
               if n.startswith("python3")}
        return now and not now & before and "nrid" in strict.criod.helpers()
    wait_for("restart", again)


def test_required_plugin(strict, strict_pods):
    pods = strict_pods
    pod, config = pods.run()
    e = refused(pods, pod, config, ["true"])
    assert "needed is required" in e.details()
    p = Plugin(strict.nri, name="needed").begin()
    pods.start(pod, config, ["true"])
    p.close()
    wait_for("end", lambda: "closed its connection" in strict.criod.log())
    e = refused(pods, pod, config, ["true"], name="d")
    assert "needed is required" in e.details()


def test_allowed_hooks_and_seccomp(strict, strict_pods, scratch):
    pods = strict_pods
    path = os.path.join(scratch, "nri-hook")
    with open(path, "w") as f:
        f.write("#!/bin/sh\ncat >%s.out\n" % path)
    os.chmod(path, 0o755)
    p = Plugin(strict.nri, name="needed", handlers=adjusting(
        hooks=pb.Hooks(create_runtime=[pb.Hook(path=path, args=["hook"])]),
        linux=pb.LinuxContainerAdjustment(seccomp_policy=pb.LinuxSeccomp(
            default_action="SCMP_ACT_ALLOW", syscalls=[pb.LinuxSyscall(
                names=["mkdir", "mkdirat"], action="SCMP_ACT_ERRNO",
                errno_ret=pb.OptionalUInt32(value=95))])))).begin()
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", "mkdir /x"])
    pods.exited(ctr)
    assert os.path.exists(path + ".out")
    assert "not supported" in pods.text(ctr, "stderr")
    p.handlers = adjusting(hooks=pb.Hooks(prestart=[pb.Hook(path="rel")]))
    assert "hook" in refused(pods, pod, config, ["true"], name="d").details()
    p.close()


def test_reload_turns_it_off_and_on(scratch, registry):
    c = Criod(os.path.join(scratch, "nri-reload")).start()
    conf = os.path.join(c.path, "criod.conf")
    sock = os.path.join(c.path, "nri.sock")

    def says(text):
        with open(conf, "a") as f:
            f.write(text)
        os.kill(c.parent(), signal.SIGHUP)
    try:
        assert "nrid" not in c.helpers() and not os.path.exists(sock)
        with open(conf) as f:
            old = f.read()
        says("nri { }\n")

        def on():
            try:
                return Plugin(sock).begin(wait=False)
            except OSError:
                return None
        p = wait_for("nrid", on)
        assert p.synced.wait(10)
        # An option that only the parent needs starts plugins too.
        for d in ("plugins", "out"):
            os.makedirs(os.path.join(c.path, d))
        out = os.path.join(c.path, "out")
        path = os.path.join(c.path, "plugins/10-new")
        with open(path, "w") as f:
            f.write(PROGRAM % (out, out))
        os.chmod(path, 0o755)
        says('nri { plugins "%s/plugins" }\n' % c.path)
        wait_for("plugin", lambda: os.path.exists(out + "/10-new"))
        wait_for("end", p.closed.is_set)
        p = wait_for("nrid", on)
        assert p.synced.wait(10)
        with open(conf, "w") as f:
            f.write(old)
        says("")
        wait_for("end", p.closed.is_set)
        wait_for("no nrid", lambda: "nrid" not in c.helpers())
        wait_for("no socket", lambda: not os.path.exists(sock))
    finally:
        c.stop()
