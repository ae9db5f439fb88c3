"""The front's semantics: features.md's subtle behaviours, one by one."""

import json
import os
import re
import socket
import struct
import time

import grpc
import pytest

import cri
from conftest import wait_for

READY, NOTREADY = 0, 1
CREATED, RUNNING, EXITED = 0, 1, 2
DEADLINE = grpc.StatusCode.DEADLINE_EXCEEDED
IMAGE = "sha256:" + "1" * 64


def test_confined(front):
    with open("/proc/%d/status" % front.pid()) as f:
        st = dict(x.split(":\t", 1) for x in f.read().splitlines()
                  if ":\t" in x)
    assert st["Uid"].split() == ["12345"] * 4
    assert st["CapEff"] == st["CapPrm"] == st["CapBnd"] == "0" * 16
    assert (st["NoNewPrivs"], st["Seccomp"]) == ("1", "2")
    assert sorted(os.listdir("/proc/%d/root/" % front.pid())) == [
        "boot", "ctr", "pod"]


def test_version_and_configuration(front):
    v = front.client.Version(version="v1")
    assert (v.version, v.runtime_name, v.runtime_version,
            v.runtime_api_version) == ("0.1.0", "criod", "0.1.0", "v1")
    assert front.client.RuntimeConfig().linux.cgroup_driver == 1
    front.client.UpdateRuntimeConfig()


def test_status(front):
    st = front.client.Status(verbose=True)
    assert {c.type: c.status for c in st.status.conditions} == {
        "RuntimeReady": True, "NetworkReady": True}
    assert [h.name for h in st.runtime_handlers] == ["", "crun"]
    assert all(h.features.recursive_read_only_mounts
               for h in st.runtime_handlers)
    assert st.features.supplemental_groups_policy
    assert json.loads(st.info["info"])["cgroupDriver"] == "cgroupfs"
    assert json.loads(st.info["config"])["stateDir"] == "/run/criod"


def test_verbose_asks_execd_and_does_without(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    for call, name, who in (
            (front.client.PodSandboxStatus, "pod_sandbox_id", pod),
            (front.client.ContainerStatus, "container_id", ctr)):
        info = wait_for("execd's part", lambda: json.loads(call(
            **{name: who[:20], "verbose": True}).info["info"]).get(
                "runtimeSpec"))
        assert info == {"hostname": who}
        assert not call(**{name: who}).info
        front.cmd("detach execd")
        r = call(**{name: who, "verbose": True})
        assert r.status.id == who
        assert "runtimeSpec" not in json.loads(r.info["info"])
        front.cmd("attach execd")


def test_verbose_of_what_goes_meanwhile(front):
    pod, config = front.run()
    ctr = front.create(pod, config)
    front.cmd("hold CTR_INFO")
    ask = front.client.future("ContainerStatus", container_id=ctr,
                              verbose=True)
    wait_for("question", lambda: front.seen("CTR_INFO"))
    front.client.RemoveContainer(container_id=ctr)
    front.cmd("release CTR_INFO")
    assert ask.exception(10).code() == grpc.StatusCode.NOT_FOUND


def test_status_without_peers(front):
    front.cmd("detach execd")
    front.cmd("detach netd")
    st = front.client.Status()
    got = {c.type: (c.status, c.reason) for c in st.status.conditions}
    assert got["RuntimeReady"] == (False, "ExecdNotRunning")
    assert got["NetworkReady"] == (False, "NetworkPluginNotReady")


def test_slow_netd_does_not_hold_status(front):
    """Its last word counts, until it owes the next for too long."""
    assert front.client.Status().status.conditions[1].status
    front.cmd("hold NET_STATUS")
    end = time.monotonic() + 12
    while front.client.Status(rpc_timeout=1).status.conditions[1].status:
        assert time.monotonic() < end
        time.sleep(0.1)
    front.cmd("release NET_STATUS")
    while not front.client.Status(rpc_timeout=1).status.conditions[1].status:
        assert time.monotonic() < end


def test_life(front, fails):
    pod, config = front.run()
    st = front.pod(pod)
    assert st.state == READY and st.created_at > 0
    assert st.network.ip == "10.9.0.1"
    assert [x.ip for x in st.network.additional_ips] == ["fd09::1"]
    assert dict(st.annotations) == config["annotations"]
    assert dict(st.labels) == config["labels"]
    assert st.linux.namespaces.options.network == 0
    ctr = front.create(
        pod, config, labels={"k": "v"}, annotations={"n": "a\nb"},
        mounts=[{"container_path": "/x", "host_path": "/y"}],
        linux={"resources": {"cpu_shares": 7}}, stop_signal=10)
    st = front.ctr(ctr)
    assert (st.state, st.started_at, st.finished_at) == (CREATED, 0, 0)
    assert st.image.image == "registry.test/busybox"
    assert st.image_id == IMAGE and st.image_ref.endswith("@" + IMAGE)
    assert st.log_path == "/var/log/pods/x/ctr/0.log"
    assert st.mounts[0].container_path == "/x"
    assert st.resources.linux.cpu_shares == 7
    assert st.user.linux.uid == 7 and st.stop_signal == 10
    assert dict(st.annotations) == {"n": "a\nb"}
    front.client.StartContainer(container_id=ctr)
    assert front.ctr(ctr).state == RUNNING
    front.cmd("exit %s 3 0" % ctr)
    st = wait_for("exit", lambda: front.ctr(ctr).state == EXITED and
                  front.ctr(ctr))
    assert (st.exit_code, st.reason) == (3, "Error")
    assert st.created_at <= st.started_at <= st.finished_at
    front.client.RemoveContainer(container_id=ctr)
    fails("NOT_FOUND", front.ctr, ctr)
    front.client.StopPodSandbox(pod_sandbox_id=pod)
    assert front.pod(pod).state == NOTREADY
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    fails("NOT_FOUND", front.pod, pod)
    assert front.records("pod") == front.records("ctr") == []


def test_image_asked_for_by_id_is_shown_by_name(front):
    pod, config = front.run()
    ctr = front.create(pod, config, image={"image": IMAGE})
    assert front.ctr(ctr).image.image == "registry.test/busybox:latest"
    ctr = front.create(pod, config, "two", image={
        "image": IMAGE, "user_specified_image": "mine:1"})
    assert front.ctr(ctr).image.image == "mine:1"


def test_idempotent(front, fails):
    none = "0" * 64
    for bad in (none, "x", "../x", "f" * 100):
        front.client.StopPodSandbox(pod_sandbox_id=bad)
        front.client.RemovePodSandbox(pod_sandbox_id=bad)
        front.client.StopContainer(container_id=bad)
        front.client.RemoveContainer(container_id=bad)
        fails("NOT_FOUND", front.pod, bad)
        fails("NOT_FOUND", front.ctr, bad)
    pod, config = front.run()
    ctr = front.start(pod, config)
    for _ in range(2):
        front.client.StopContainer(container_id=ctr, timeout=1)
        front.client.RemoveContainer(container_id=ctr)
        front.client.StopPodSandbox(pod_sandbox_id=pod)
        front.client.RemovePodSandbox(pod_sandbox_id=pod)


def test_unique_prefix_is_enough(front, fails):
    pod, config = front.run()
    ctr = front.create(pod, config)
    assert front.pod(pod[:12]).id == pod
    assert front.ctr(ctr[:12]).id == ctr
    pods = [pod] + [front.run()[0] for _ in range(16)]
    one = next(p for p in pods if sum(q[0] == p[0] for q in pods) > 1)
    assert "several" in fails("INVALID_ARGUMENT", front.pod, one[0])


def test_lists_and_filters(front):
    one, c1 = front.run(labels={"app": "a", "n": "1"})
    two, c2 = front.run(labels={"app": "a", "n": "2"})
    front.client.StopPodSandbox(pod_sandbox_id=two)

    def pods(**f):
        return {p.id for p in front.client.ListPodSandbox(filter=f).items}
    assert pods() == {one, two}
    assert pods(label_selector={"app": "a"}) == {one, two}
    assert pods(label_selector={"app": "a", "n": "1"}) == {one}
    assert pods(label_selector={"app": "a"}, state={"state": 1}) == {two}
    assert pods(id=one[:10]) == {one}
    assert pods(id="0" * 64) == pods(label_selector={"x": "y"}) == set()
    ctr = front.start(one, c1, labels={"l": "1"})

    def ctrs(**f):
        return {c.id for c in front.client.ListContainers(
            filter=f).containers}
    assert ctrs() == {ctr}
    assert ctrs(pod_sandbox_id=one, state={"state": 1}) == {ctr}
    assert ctrs(pod_sandbox_id=two) == ctrs(state={"state": 2}) == set()
    assert ctrs(id=ctr[:5], label_selector={"l": "1"}) == {ctr}
    item = front.client.ListContainers().containers[0]
    assert item.image_id == IMAGE and item.pod_sandbox_id == one


def test_streams(front):
    assert list(front.client.StreamPodSandboxes()) == []
    ids = {front.run()[0] for _ in range(130)}
    pieces = list(front.client.StreamPodSandboxes())
    got = [p.id for piece in pieces for p in piece.pod_sandboxes]
    assert len(pieces) == 3 and len(got) == 130 and set(got) == ids
    pod, config = front.run()
    ctr = front.create(pod, config)
    got = [c.id for piece in front.client.StreamContainers()
           for c in piece.containers]
    assert got == [ctr]
    assert [i.id for piece in front.client.StreamImages()
            for i in piece.images] == [IMAGE]
    front.cmd("images 130")
    assert [len(piece.images)
            for piece in front.client.StreamImages()] == [64, 64, 2]


# ---- 1: slow create and retry ----

def test_retry_joins_and_gets_the_result(front):
    front.cmd("hold NET_ADD")
    config = front.pod_config()
    with pytest.raises(grpc.RpcError) as e:
        front.client.RunPodSandbox(config=config, rpc_timeout=0.3)
    assert e.value.code() == DEADLINE
    again = front.client.future("RunPodSandbox", config=config)
    time.sleep(0.1)
    assert not front.client.ListPodSandbox().items
    front.cmd("release NET_ADD")
    pod = again.result().pod_sandbox_id
    assert len(front.seen("POD_CREATE")) == 1
    assert front.pod(pod).state == READY
    assert front.client.RunPodSandbox(config=config).pod_sandbox_id == pod
    assert [p.id for p in front.client.ListPodSandbox().items] == [pod]


def test_result_that_nobody_took_is_hidden_and_given_to_the_retry(
        front, fails):
    front.cmd("hold POD_CREATE")
    config = front.pod_config()
    fails("DEADLINE_EXCEEDED", front.client.RunPodSandbox, config=config,
          rpc_timeout=0.3)
    front.cmd("release POD_CREATE")
    wait_for("network", lambda: front.seen("NET_ADD"))
    pod = front.seen("NET_ADD")[0].split()[1]
    time.sleep(0.1)
    assert not front.client.ListPodSandbox().items
    fails("NOT_FOUND", front.pod, pod)
    assert front.client.RunPodSandbox(config=config).pod_sandbox_id == pod
    assert front.pod(pod).state == READY
    assert len(front.seen("POD_CREATE")) == 1


def test_same_for_containers(front, fails):
    pod, config = front.run()
    front.cmd("hold CTR_CREATE")
    args = dict(pod_sandbox_id=pod, sandbox_config=config,
                config=front.ctr_config())
    fails("DEADLINE_EXCEEDED", front.client.CreateContainer, rpc_timeout=0.3,
          **args)
    assert not front.client.ListContainers().containers
    again = front.client.future("CreateContainer", **args)
    time.sleep(0.1)
    front.cmd("release CTR_CREATE")
    ctr = again.result().container_id
    assert front.client.CreateContainer(**args).container_id == ctr
    assert len(front.seen("CTR_CREATE")) == 1
    args["config"]["metadata"]["attempt"] = 1
    front.cmd("hold CTR_CREATE")
    fails("DEADLINE_EXCEEDED", front.client.CreateContainer, rpc_timeout=0.3,
          **args)
    front.cmd("release CTR_CREATE")
    time.sleep(0.2)
    assert len(front.client.ListContainers().containers) == 1
    two = front.client.CreateContainer(**args).container_id
    assert front.ctr(two).created_at > front.ctr(ctr).created_at


def test_lists_do_not_wait(front):
    front.cmd("hold POD_CREATE")
    fut = front.client.future("RunPodSandbox", config=front.pod_config())
    before = time.monotonic()
    for _ in range(20):
        front.client.ListPodSandbox()
        front.client.Status()
    assert time.monotonic() - before < 1
    front.cmd("release POD_CREATE")
    fut.result()


@pytest.mark.parametrize("step,undo", [
    ("POD_CREATE", ["POD_REMOVE"]),
    ("NET_ADD", ["NET_DEL", "POD_REMOVE"]),
])
def test_failed_pod_is_undone(front, fails, step, undo):
    front.cmd("fail %s 13 1 no luck" % step)
    config = front.pod_config()
    assert fails("INTERNAL", front.client.RunPodSandbox,
                 config=config) == "no luck"
    got = [x.split()[0] for x in front.lines
           if x.split()[0] in ("NET_DEL", "POD_REMOVE")]
    assert got == undo
    assert front.records("pod") == []
    assert front.client.RunPodSandbox(config=config).pod_sandbox_id


def test_failed_undo_goes_on_and_does_not_block_the_name(front, fails):
    front.cmd("fail NET_ADD 13 1 no luck")
    front.cmd("fail NET_DEL 13 1 busy")
    config = front.pod_config()
    assert fails("INTERNAL", front.client.RunPodSandbox,
                 config=config) == "no luck"
    first = front.seen("POD_CREATE")[0].split()[1]
    assert front.records("pod") == [first]
    pod = front.client.RunPodSandbox(config=config).pod_sandbox_id
    assert pod != first
    wait_for("undo", lambda: front.records("pod") == [pod])
    assert len(front.seen("NET_DEL " + first)) == 2


@pytest.mark.parametrize("step", ["IMG_STATUS", "CTR_CREATE"])
def test_failed_container_is_undone(front, fails, step):
    pod, config = front.run()
    front.cmd("fail %s 13 1 no luck" % step)
    assert fails("INTERNAL", front.create, pod, config) == "no luck"
    assert front.records("ctr") == []
    assert bool(front.seen("CTR_REMOVE")) == (step == "CTR_CREATE")
    front.create(pod, config)


def test_missing_image(front, fails):
    pod, config = front.run()
    assert "missing" in fails("NOT_FOUND", front.create, pod, config,
                              image={"image": "missing"})
    assert not front.seen("CTR_CREATE") and front.records("ctr") == []


# ---- 2: network removal ----

def test_del_fails_stop_once_then_lets_go(front, fails):
    pod, _ = front.run()
    front.cmd("fail NET_DEL 13 3 plugin says no")
    assert "plugin says no" in fails(
        "INTERNAL", front.client.StopPodSandbox, pod_sandbox_id=pod)
    assert front.pod(pod).state == READY
    front.client.StopPodSandbox(pod_sandbox_id=pod)
    assert front.pod(pod).state == NOTREADY
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    fails("NOT_FOUND", front.pod, pod)
    wait_for("DEL", lambda: front.records("pod") == [], 15)
    assert len(front.seen("NET_DEL " + pod)) == 4


def test_lost_del_goes_on_after_a_restart(front):
    pod, config = front.run()
    front.cmd("fail NET_DEL 13 -1 plugin says no")
    with pytest.raises(grpc.RpcError):
        front.client.StopPodSandbox(pod_sandbox_id=pod)
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    assert front.records("pod") == [pod]
    front.kill()
    assert not front.client.ListPodSandbox().items
    again = front.client.RunPodSandbox(config=config).pod_sandbox_id
    front.cmd("fail NET_DEL 13 0 now yes")
    wait_for("DEL", lambda: front.records("pod") == [again], 15)


def test_host_network_has_no_network(front):
    pod, _ = front.run(linux={"security_context": {
        "namespace_options": {"network": 2}}})
    assert front.pod(pod).network.ip == ""
    assert front.pod(pod).linux.namespaces.options.network == 2
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    assert not front.seen("NET_ADD") and not front.seen("NET_DEL")


def test_only_bandwidth_annotations_reach_netd(front):
    front.run(annotations={
        "kubernetes.io/ingress-bandwidth": "1M",
        "kubernetes.io/ingress-bandwidthx": "1M",
        "io.kubernetes.cri-o.cgroup": "x"})
    assert front.seen("annotation") == [
        "annotation kubernetes.io/ingress-bandwidth"]


# ---- 3: restarts ----

def test_restart_changes_nothing(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    gone = front.start(pod, config, "gone")
    idle = front.create(pod, config, "idle")
    before = (front.pod(pod), front.ctr(ctr), front.ctr(idle))
    front.kill()
    assert (front.pod(pod), front.ctr(ctr), front.ctr(idle)) == before
    assert front.client.RunPodSandbox(config=config).pod_sandbox_id == pod
    assert front.create(pod, config) == ctr
    st = front.ctr(gone)
    assert st.state == RUNNING
    front.cmd("forget " + gone)
    front.kill()
    st = front.ctr(gone)
    assert (st.state, st.exit_code, st.reason) == (EXITED, 255, "Unknown")
    assert st.finished_at > 0
    front.kill()
    assert front.ctr(gone) == st


def test_exit_while_away(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("detach execd")
    front.cmd("exit %s 9 1" % ctr)
    assert front.ctr(ctr).state == RUNNING
    front.cmd("attach execd")
    wait_for("exit", lambda: front.ctr(ctr).state == EXITED)
    st = front.ctr(ctr)
    assert (st.exit_code, st.reason) == (9, "OOMKilled")
    front.kill()
    assert front.ctr(ctr) == st


def test_half_made_pod_is_undone_after_a_restart(front):
    front.cmd("hold NET_ADD")
    config = front.pod_config()
    fut = front.client.future("RunPodSandbox", config=config)
    wait_for("network", lambda: front.seen("NET_ADD"))
    pod = front.records("pod")[0]
    front.kill()
    with pytest.raises(grpc.RpcError) as e:
        fut.result()
    assert e.value.code() == grpc.StatusCode.UNAVAILABLE
    wait_for("undo", lambda: front.records("pod") == [])
    assert front.seen("NET_DEL " + pod) and front.seen("POD_REMOVE " + pod)
    front.cmd("release NET_ADD")


def test_damaged_records(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    two, config2 = front.run()
    ctr2 = front.start(two, config2)
    for path in ("pod/" + pod, "ctr/" + ctr2):
        with open(front.dir + "/front/" + path, "r+b") as f:
            f.seek(20)
            f.write(b"\xff\xff")
    with open(front.dir + "/front/pod/.x.new", "w") as f:
        f.write("half")
    front.kill()
    fails("NOT_FOUND", front.pod, pod)
    fails("NOT_FOUND", front.ctr, ctr)
    fails("NOT_FOUND", front.ctr, ctr2)
    assert front.pod(two).state == READY
    for what in ("NET_DEL " + pod, "POD_REMOVE " + pod,
                 "CTR_REMOVE " + ctr, "CTR_REMOVE " + ctr2):
        wait_for(what, lambda: front.seen(what))
    assert pod + ".bad" in front.records("pod")
    assert ".x.new" not in front.records("pod")


def test_gc_names_the_living(front):
    assert len(front.seen("NET_GC")) == 1


def test_peers_away(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("detach execd")
    fails("UNAVAILABLE", front.run)
    fails("UNAVAILABLE", front.create, pod, config, "two")
    fails("UNAVAILABLE", front.client.StopContainer, container_id=ctr)
    fails("UNAVAILABLE", front.client.ExecSync, container_id=ctr, cmd=["a"])
    assert front.ctr(ctr).state == RUNNING
    assert len(front.client.ListPodSandbox().items) == 1
    front.cmd("attach execd")
    front.cmd("detach imaged")
    fails("UNAVAILABLE", front.client.ListImages)
    front.cmd("attach imaged")
    front.client.ListImages()
    front.cmd("detach netd")
    fails("UNAVAILABLE", front.run)


def test_peer_that_breaks_the_protocol(front):
    front.cmd("garbage netd")
    wait_for("report", lambda: front.seen("PEER_BAD"))
    front.cmd("attach netd")
    front.run()


# ---- 4: status ----

def test_exit_never_moves(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("exit %s 0 0" % ctr)
    wait_for("exit", lambda: front.ctr(ctr).state == EXITED)
    st = front.ctr(ctr)
    assert (st.exit_code, st.reason) == (0, "Completed")
    front.kill()
    assert front.ctr(ctr) == st


def test_start_that_fails(front, fails):
    pod, config = front.run()
    ctr = front.create(pod, config)
    front.cmd("fail CTR_START 13 1 exec: no such file")
    fails("INTERNAL", front.client.StartContainer, container_id=ctr)
    st = front.ctr(ctr)
    assert (st.state, st.exit_code, st.reason, st.message) == (
        EXITED, 128, "StartError", "exec: no such file")
    assert front.seen("signal 9")
    fails("FAILED_PRECONDITION", front.client.StartContainer,
          container_id=ctr)
    fails("NOT_FOUND", front.client.StartContainer, container_id="0" * 64)
    front.client.RemoveContainer(container_id=ctr)


def test_created_at_increases_with_each_attempt(front):
    config = front.pod_config()
    last = 0
    for attempt in range(5):
        config["metadata"]["attempt"] = attempt
        pod = front.client.RunPodSandbox(config=config).pod_sandbox_id
        assert front.pod(pod).created_at > last
        last = front.pod(pod).created_at


# ---- 6: ExecSync ----

def test_exec(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    ex = front.client.ExecSync
    r = ex(container_id=ctr, cmd=["hello", "7"])
    assert (r.stdout, r.exit_code) == (b"hello", 7)
    r = ex(container_id=ctr, cmd=["flood"])
    assert len(r.stdout) == len(r.stderr) and \
        16 * 2 ** 20 - 2000 < len(r.stdout) * 2 < 16 * 2 ** 20
    fails("DEADLINE_EXCEEDED", ex, container_id=ctr, cmd=["slow"], timeout=9)
    fails("INVALID_ARGUMENT", ex, container_id=ctr)
    fails("INVALID_ARGUMENT", front.client.stubs["ExecSync"][0],
          front.client.stubs["ExecSync"][1](container_id=ctr, cmd=["x"],
                                            timeout=-1))
    fails("NOT_FOUND", ex, container_id="0" * 64, cmd=["x"])
    front.cmd("exit %s 0 0" % ctr)
    wait_for("exit", lambda: front.ctr(ctr).state == EXITED)
    fails("FAILED_PRECONDITION", ex, container_id=ctr, cmd=["x"])


def test_exec_ends_with_its_caller(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("hold CTR_EXEC")
    fails("DEADLINE_EXCEEDED", front.client.ExecSync, container_id=ctr,
          cmd=["x"], rpc_timeout=0.3)
    wait_for("cancel", lambda: front.seen("cancel CTR_EXEC"))


def test_exec_while_stopping(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("stubborn 2")
    stop = front.client.future("StopContainer", container_id=ctr)
    stop2 = front.client.future("StopContainer", container_id=ctr)
    wait_for("kill", lambda: front.seen("signal 9"))
    fails("FAILED_PRECONDITION", front.client.ExecSync, container_id=ctr,
          cmd=["x"])
    front.cmd("exit %s 137 0" % ctr)
    stop.result()
    stop2.result()


# ---- 7: logs ----

def test_reopen(front, fails):
    pod, config = front.run()
    ctr = front.create(pod, config)
    reopen = front.client.ReopenContainerLog
    fails("FAILED_PRECONDITION", reopen, container_id=ctr)
    fails("NOT_FOUND", reopen, container_id="0" * 64)
    front.client.StartContainer(container_id=ctr)
    front.cmd("stubborn 1")
    stop = grpc_timeout(front, ctr)
    wait_for("term", lambda: front.seen("signal 3"))
    reopen(container_id=ctr)
    front.cmd("exit %s 0 0" % ctr)
    stop.result()


def grpc_timeout(front, ctr, seconds=3600):
    """A StopContainer with a grace: its field is called timeout, too."""
    stub, request = front.client.stubs["StopContainer"]
    return stub.future(request(container_id=ctr, timeout=seconds),
                       timeout=60)


# ---- 8: stop ----

def test_stop_signals(front):
    pod, config = front.run()
    ctr = front.start(pod, config, "image")
    grpc_timeout(front, ctr, 10).result()
    wait_for("signals", lambda: front.seen("signal") == ["signal 3"])
    assert front.ctr(ctr).exit_code == 131
    ctr = front.start(pod, config, "own", stop_signal=10)
    grpc_timeout(front, ctr, 10).result()
    assert front.seen("signal")[1:] == ["signal 2"]


def test_end_in_a_shared_pid_namespace(front):
    """What the first process leaves behind is killed."""
    pod, config = front.run()
    ctr = front.start(pod, config, linux={"security_context": {
        "namespace_options": {"pid": 0}}})
    front.cmd("exit %s 3 0" % ctr)
    wait_for("signal", lambda: front.seen("signal") == ["signal 9"])
    assert front.ctr(ctr).exit_code == 3


def test_restart_with_many(front):
    """More than libc sorts without asking for the size of memory."""
    pod, config = front.run()
    ctrs = {front.create(pod, config, "c%d" % i) for i in range(150)}
    front.kill()
    assert {c.id for c in front.client.ListContainers().containers} == ctrs


def test_stop_with_no_time_kills(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    grpc_timeout(front, ctr, 0).result()
    wait_for("signals", lambda: front.seen("signal") == ["signal 9"])
    assert front.ctr(ctr).exit_code == 137
    ctr = front.start(pod, config, "two")
    grpc_timeout(front, ctr, -5).result()
    wait_for("signals", lambda: front.seen("signal") == ["signal 9"] * 2)


def test_shortest_stop_wins_and_term_goes_once(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("stubborn 1")
    long = grpc_timeout(front, ctr, 3600)
    wait_for("term", lambda: front.seen("signal 3"))
    before = time.monotonic()
    short = grpc_timeout(front, ctr, 1)
    short.result()
    long.result()
    assert 0.8 < time.monotonic() - before < 3
    wait_for("signals", lambda: front.seen("signal") == ["signal 3", "signal 9"])


def test_stop_outlives_its_caller(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("stubborn 1")
    stub, request = front.client.stubs["StopContainer"]
    with pytest.raises(grpc.RpcError) as e:
        stub(request(container_id=ctr, timeout=1), timeout=0.2)
    assert e.value.code() == DEADLINE
    wait_for("kill", lambda: front.seen("signal 9"))
    wait_for("exit", lambda: front.ctr(ctr).state == EXITED)


def test_kill_is_repeated(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("stubborn 2")
    fut = grpc_timeout(front, ctr, 0)
    wait_for("kills", lambda: len(front.seen("signal 9")) == 3)
    assert not fut.done() and front.ctr(ctr).state == RUNNING
    front.cmd("exit %s 137 0" % ctr)
    fut.result()


def test_stop_goes_on_when_execd_is_back(front):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("stubborn 2")
    fut = grpc_timeout(front, ctr, 0)
    wait_for("kill", lambda: front.seen("signal 9"))
    front.cmd("detach execd")
    front.cmd("stubborn 0")
    front.cmd("attach execd")
    fut.result()
    assert front.ctr(ctr).exit_code == 137


def test_stop_of_a_created_container(front):
    pod, config = front.run()
    ctr = front.create(pod, config)
    grpc_timeout(front, ctr, 30).result()
    wait_for("signals", lambda: front.seen("signal") == ["signal 9"])
    assert front.ctr(ctr).state == EXITED


def test_remove_stops_first(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.client.RemoveContainer(container_id=ctr)
    wait_for("signals", lambda: front.seen("signal") == ["signal 9"])
    fails("NOT_FOUND", front.ctr, ctr)
    assert front.records("ctr") == []


def test_failed_remove_can_be_repeated(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("fail CTR_REMOVE 13 1 busy")
    fails("INTERNAL", front.client.RemoveContainer, container_id=ctr)
    assert front.ctr(ctr).state == EXITED
    front.client.RemoveContainer(container_id=ctr)


def test_stop_pod_stops_containers(front, fails):
    pod, config = front.run()
    ctrs = [front.start(pod, config, "c%d" % i) for i in range(5)]
    other, other_config = front.run()
    alive = front.start(other, other_config)
    front.client.StopPodSandbox(pod_sandbox_id=pod)
    assert {front.ctr(c).exit_code for c in ctrs} == {137}  # forcibly
    assert front.ctr(alive).state == RUNNING
    fails("FAILED_PRECONDITION", front.create, pod, config, "more")
    order = [x.split()[0] for x in front.lines
             if x.split()[0] in ("NET_DEL", "POD_REMOVE", "signal")]
    assert order == ["signal"] * 5 + ["NET_DEL", "POD_REMOVE"]
    fails("ALREADY_EXISTS", front.client.RunPodSandbox, config=config)
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    assert len(front.seen("CTR_REMOVE")) == 5
    assert len(front.client.ListContainers().containers) == 1


def test_stop_pod_while_a_container_is_made(front, fails):
    pod, config = front.run()
    front.cmd("hold CTR_CREATE")
    fut = front.client.future(
        "CreateContainer", pod_sandbox_id=pod, sandbox_config=config,
        config=front.ctr_config())
    wait_for("create", lambda: front.seen("CTR_CREATE"))
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    with pytest.raises(grpc.RpcError) as e:
        fut.result()
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert front.seen("CTR_REMOVE") and front.records("ctr") == []
    assert front.records("pod") == []


def test_remove_of_running_pod(front, fails):
    pod, config = front.run()
    front.start(pod, config)
    a = front.client.future("RemovePodSandbox", pod_sandbox_id=pod)
    b = front.client.future("RemovePodSandbox", pod_sandbox_id=pod)
    a.result()
    b.result()
    fails("NOT_FOUND", front.pod, pod)
    front.client.RunPodSandbox(config=config)


def test_target_namespace(front, fails):
    pod, config = front.run()
    ctr = front.start(pod, config)
    other, other_config = front.run()

    def lin(target):
        return {"security_context": {"namespace_options": {
            "pid": 3, "target_id": target}}}
    front.create(pod, config, "dbg", linux=lin(ctr[:20]))
    assert front.seen("target") == ["target " + ctr]
    for p, c, t in ((other, other_config, ctr), (pod, config, "0" * 64)):
        assert "target_id" in fails("INVALID_ARGUMENT", front.create, p, c,
                                    "d2", linux=lin(t))


def test_bad_input_has_no_effect(front, fails):
    n = len(front.lines)
    for config, field in (
            ({}, "config.metadata"),
            (front.pod_config(metadata={"name": "../x", "uid": "u",
                                        "namespace": "n"}),
             "config.metadata.name"),
            (front.pod_config(hostname="-x"), "config.hostname"),
            (front.pod_config(linux={"sysctls": {
                "net.ipv4.x": "1+kernel.core_pattern=|/x"}}),
             "config.linux.sysctls[net.ipv4.x]")):
        assert fails("INVALID_ARGUMENT", front.client.RunPodSandbox,
                     config=config).startswith(field)
    assert "runtime_handler" in fails(
        "INVALID_ARGUMENT", front.client.RunPodSandbox,
        config=front.pod_config(), runtime_handler="kata")
    assert front.lines[n:] == [] and front.records("pod") == []


def test_images(front, fails):
    cl = front.client
    r = cl.PullImage(image={"image": "registry.test/busybox"})
    assert r.image_ref == IMAGE
    assert cl.ImageStatus(image={"image": "missing"}).image.id == ""
    assert cl.ImageStatus(image={"image": "x"}).image.size == 1234
    assert [i.id for i in cl.ListImages().images] == [IMAGE]
    cl.RemoveImage(image={"image": IMAGE})
    cl.ImageFsInfo()
    for bad in ("", "a b", "x@sha256:../..", "x@sha256:" + "A" * 64,
                "x@md5:" + "0" * 32, "x\n"):
        fails("INVALID_ARGUMENT", cl.PullImage, image={"image": bad})
        fails("INVALID_ARGUMENT", cl.RemoveImage, image={"image": bad})
    front.cmd("fail IMG_PULL 2 1 RegistryUnavailable: down")
    assert fails("UNKNOWN", cl.PullImage, image={"image": "x"}) == \
        "RegistryUnavailable: down"


def test_pull_is_cancelled_with_its_caller(front, fails):
    front.cmd("hold IMG_PULL")
    fails("DEADLINE_EXCEEDED", front.client.PullImage,
          image={"image": "x"}, rpc_timeout=0.3)
    wait_for("cancel", lambda: front.seen("cancel IMG_PULL"))


# ---- criodctl's socket ----

class Ctl:
    """The framing of imsg/wire.h, by hand."""

    def __init__(self, front):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(front.dir + "/ctl")
        with open(os.path.join(cri.TOP, "imsg/msg_table.h")) as f:
            names = re.findall(r"^MSG\((\w+),", f.read(), re.M)
        self.types = {n: i + 1 for i, n in enumerate(names)}

    def send(self, name, ident, body, fds=()):
        head = struct.pack("<HHIHHI", self.types[name], 0, ident, len(fds),
                           0, len(body))
        socket.send_fds(self.sock, [head + body], list(fds))

    def recv(self):
        data = self.sock.recv(65536)
        if not data:
            return None, b""
        kind = struct.unpack("<HHIHHI", data[:16])[0]
        return next(n for n, i in self.types.items() if i == kind), data[16:]

    @staticmethod
    def field(n, data):
        assert len(data) < 128
        return bytes([n << 3 | 2, len(data)]) + data


def test_control_calls(front):
    ctl = Ctl(front)
    call = ctl.field(1, b"/runtime.v1.RuntimeService/Version")
    ctl.send("CTL_CALL", 5, call)
    kind, body = ctl.recv()
    assert kind == "CTL_REPLY" and b"criod" in body
    ctl.send("CTL_CALL", 6, ctl.field(1, b"/nothing"))
    kind, body = ctl.recv()
    assert kind == "ERROR" and b"unimplemented" in body


def test_control_import(front):
    ctl = Ctl(front)
    with open("/dev/null") as f:
        for _ in range(3):
            ctl.send("IMG_BLOB", 0, ctl.field(1, b"sha256:x"), [f.fileno()])
    assert not front.seen("IMG_BLOB")
    ctl.send("IMG_IMPORT", 9, ctl.field(1, b"name:tag"))
    kind, body = ctl.recv()
    assert kind == "IMG_IMPORTED" and IMAGE.encode() in body
    assert len(front.seen("IMG_BLOB")) == 3
    ctl.sock.close()
    fds = "/proc/%d/fd" % front.pid()
    n = len(os.listdir(fds))
    ctl = Ctl(front)
    with open("/dev/null") as f:
        ctl.send("IMG_BLOB", 0, ctl.field(1, b"sha256:x"), [f.fileno()])
    ctl.sock.close()
    wait_for("closed", lambda: len(os.listdir(fds)) == n)


def test_control_client_that_breaks_the_rules(front):
    good = Ctl(front)
    for name, body in (("BOOT", b""), ("CTL_CALL", b"\xff\xff"),
                       ("POD_CREATE", b""), ("CTL_REPLY", b"")):
        bad = Ctl(front)
        bad.send(name, 1, body)
        assert bad.recv() == (None, b"")
    assert not front.seen("PEER_BAD")
    good.send("CTL_CALL", 1,
              good.field(1, b"/runtime.v1.RuntimeService/Version"))
    assert good.recv()[0] == "CTL_REPLY"
    front.client.Version()


def test_control_clients_are_few_and_root(front):
    some = [Ctl(front) for _ in range(8)]
    assert some[0] is not None
    ninth = Ctl(front)
    assert ninth.recv() == (None, b"")
