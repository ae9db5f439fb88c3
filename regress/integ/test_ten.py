"""The ten behaviours that a naive runtime gets wrong, each as a kubelet meets
it, against the whole of criod; its parts are tested one by one elsewhere."""

import json
import os
import signal
import tempfile
import threading
import time

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for
from test_restart import kill_all

C = grpc.StatusCode
READY, NOTREADY = 0, 1
CREATED, RUNNING, EXITED = 0, 1, 2
NONE = "0" * 64

PLUGIN = """#!/bin/sh
d=%s
echo "$CNI_COMMAND $CNI_CONTAINERID" >>$d/log
case $CNI_COMMAND in
ADD)
	while [ -e $d/hold ]; do sleep 0.05; done
	echo '{"cniVersion":"1.0.0","ips":[{"address":"10.99.0.5/24"}]}'
	;;
DEL)
	[ ! -e $d/fail ] && exit 0
	echo '{"cniVersion":"1.0.0","code":100,"msg":"told to fail"}'
	exit 1
	;;
VERSION)
	echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'
	;;
esac
"""


def code(call, *args, **kw):
    with pytest.raises(grpc.RpcError) as e:
        call(*args, **kw)
    return e.value.code()


class Net:
    """A criod whose network does what the test says."""

    def __init__(self, scratch):
        path = tempfile.mkdtemp(prefix="ten.", dir=scratch)
        os.chmod(path, 0o755)
        self.flags = os.path.join(path, "flags")
        for d in ("flags", "net.d", "bin"):
            os.mkdir(os.path.join(path, d))
        with open(path + "/bin/play", "w") as f:
            f.write(PLUGIN % self.flags)
        os.chmod(path + "/bin/play", 0o755)
        with open(path + "/net.d/10.conflist", "w") as f:
            json.dump({"cniVersion": "1.0.0", "name": "play",
                       "plugins": [{"type": "play"}]}, f)
        conf = 'cni configuration "%s/net.d"\ncni plugins "%s/bin"\n' \
            'cni path "%s"\n' % (path, path, self.flags)
        self.criod = Criod(path, conf=conf, args=["-m"]).start()
        self.client = self.criod.client

    def set(self, flag):
        with open(os.path.join(self.flags, flag), "w"):
            pass

    def clear(self, flag):
        os.unlink(os.path.join(self.flags, flag))

    def log(self):
        try:
            with open(self.flags + "/log") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []


@pytest.fixture
def net(scratch, registry):
    n = Net(scratch)
    yield n
    n.criod.stop()


def test_1_slow_create_and_retry(net, scratch):
    pods, cl = Pods(net.criod, scratch), net.client
    config = pods.config()
    net.set("hold")
    for _ in range(2):  # the caller gives up; its retry waits, too
        assert code(cl.RunPodSandbox, config=config,
                    rpc_timeout=0.5) == C.DEADLINE_EXCEEDED
    assert list(cl.ListPodSandbox().items) == []
    pod = net.log()[0].split()[1]
    assert code(cl.PodSandboxStatus, pod_sandbox_id=pod) == C.NOT_FOUND
    net.clear("hold")
    time.sleep(0.5)  # it is made, nobody took it, nobody sees it
    assert list(cl.ListPodSandbox().items) == []
    assert cl.RunPodSandbox(config=config).pod_sandbox_id == pod
    assert cl.RunPodSandbox(config=config).pod_sandbox_id == pod
    assert [p.id for p in cl.ListPodSandbox().items] == [pod]
    assert net.log() == ["ADD " + pod]
    pods.made.append(pod)
    pods.clean()


def test_2_stop_and_remove_are_idempotent_status_is_not(net, scratch):
    pods, cl = Pods(net.criod, scratch), net.client
    for _ in range(2):
        cl.StopPodSandbox(pod_sandbox_id=NONE)
        cl.RemovePodSandbox(pod_sandbox_id=NONE)
        cl.StopContainer(container_id=NONE, timeout=1)
        cl.RemoveContainer(container_id=NONE)
    assert code(cl.PodSandboxStatus, pod_sandbox_id=NONE) == C.NOT_FOUND
    assert code(cl.ContainerStatus, container_id=NONE) == C.NOT_FOUND
    pod, _ = pods.run()
    net.set("fail")
    assert code(cl.StopPodSandbox, pod_sandbox_id=pod) != C.OK
    cl.StopPodSandbox(pod_sandbox_id=pod)  # it is not held forever
    cl.RemovePodSandbox(pod_sandbox_id=pod)
    assert list(cl.ListPodSandbox().items) == []
    failed = len(net.log())
    net.clear("fail")  # and goes on until it was done once
    wait_for("DEL", lambda: len(net.log()) > failed, 30)
    assert set(net.log()[1:]) == {"DEL " + pod}


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_3_ready_is_a_promise_across_restarts(net, scratch, how):
    pods, cl = Pods(net.criod, scratch), net.client
    cl.PullImage(image={"image": "busybox"})
    pod, config = pods.run()
    lives = pods.start(pod, config, ["sleep", "1000"], name="lives")
    ends = pods.start(pod, config, ["sh", "-c", "sleep 0.5; exit 9"],
                      name="ends")
    began = time.time_ns()
    if how == "killed":
        kill_all(net.criod)
    else:
        cl.close()
        os.kill(net.criod.parent(), signal.SIGTERM)
        net.criod.proc.wait(20)
    time.sleep(1)
    pods.client = cl = net.criod.start("-k").client
    st = cl.PodSandboxStatus(pod_sandbox_id=pod).status
    assert st.state == READY and st.network.ip == "10.99.0.5"
    assert pods.status(lives).state == RUNNING
    gone = pods.status(ends)
    assert (gone.state, gone.exit_code) == (EXITED, 9)
    assert began < gone.finished_at < began + 900 * 10**6
    assert cl.RunPodSandbox(config=config).pod_sandbox_id == pod
    assert [p.id for p in cl.ListPodSandbox().items] == [pod]
    assert net.log() == ["ADD " + pod]
    pods.clean()
    assert net.log() == ["ADD " + pod, "DEL " + pod]


def test_4_container_status_is_complete_and_does_not_move(pods):
    pod, config = pods.run()
    ctr = pods.create(pod, config, ["sh", "-c", "exit 3"])
    st = pods.status(ctr)
    assert st.id and st.metadata.name and st.created_at
    assert st.image.image and st.image_ref
    assert (st.state, st.started_at, st.finished_at) == (CREATED, 0, 0)
    pods.client.StartContainer(container_id=ctr)
    first = pods.exited(ctr)
    assert (first.exit_code, first.reason) == (3, "Error")
    assert first.created_at <= first.started_at <= first.finished_at
    pods.client.StopContainer(container_id=ctr, timeout=0)
    assert pods.status(ctr) == first
    oom = pods.start(pod, config, [
        "sh", "-c", "x=a; while :; do x=$x$x; done"], name="oom",
        resources={"memory_limit_in_bytes": 16 << 20})
    seen = pods.exited(oom)  # the first answer that says EXITED
    assert (seen.reason, seen.exit_code) == ("OOMKilled", 137)


def test_5_image_identity(pods):
    cl = pods.client
    ref = cl.PullImage(image={"image": "busybox"}).image_ref
    image = cl.ImageStatus(image={"image": "busybox"}).image
    assert ref == image.id and image.size > 0
    assert [i.id for i in cl.ListImages().images].count(ref) == 1
    pod, config = pods.run()
    ctr = pods.create(pod, config, ["true"], image=ref)
    st = pods.status(ctr)
    item, = cl.ListContainers(filter={"id": ctr}).containers
    assert st.image_id == item.image_id == ref
    assert st.image_ref in image.repo_digests
    assert st.image.image == image.repo_tags[0]
    assert not cl.ImageStatus(image={"image": "no-such"}).HasField("image")
    cl.RemoveImage(image={"image": "no-such"})


def test_6_exec_sync(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    r = pods.sh(ctr, "head -c 40000000 /dev/zero; exit 4", timeout=60)
    assert r.exit_code == 4 and 1 << 20 <= len(r.stdout) <= 16 << 20
    began = time.monotonic()
    assert code(pods.sh, ctr, "sleep 999 & sleep 999",
                timeout=1) == C.DEADLINE_EXCEEDED
    assert pods.sh(ctr, "sleep 30 & echo x").stdout == b"x\n"
    assert time.monotonic() - began < 6
    # During the grace they are allowed, then they end with the container.
    slow = pods.start(pod, config, [
        "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], name="s")
    stop = pods.client.future("StopContainer", container_id=slow, timeout=2)
    time.sleep(0.3)
    assert pods.sh(slow, "echo y").stdout == b"y\n"
    running = pods.client.future("ExecSync", container_id=slow,
                                 cmd=["sleep", "1000"], timeout=100)
    stop.result(10)
    assert running.exception(10) or running.result().exit_code != 0
    assert code(pods.sh, slow, "true") in (C.NOT_FOUND,
                                           C.FAILED_PRECONDITION)


def test_7_log_rotation(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, [
        "sh", "-c", "trap '' TERM; i=0; while :; do echo $i; i=$((i+1)); "
        "sleep 0.01; done"])
    path = pods.status(ctr).log_path
    wait_for("log", lambda: os.path.getsize(path) > 0)
    stop = pods.client.future("StopContainer", container_id=ctr, timeout=2)
    time.sleep(0.3)  # it must work while a stop waits
    os.rename(path, path + ".1")
    pods.client.ReopenContainerLog(container_id=ctr)
    assert os.path.exists(path)
    wait_for("new lines", lambda: os.path.getsize(path) > 0, 5)
    stop.result(10)
    lines = []
    for p in (path + ".1", path):
        with open(p) as f:
            lines += [x.split(" ", 3) for x in f.read().splitlines()]
    assert [int(x[3]) for x in lines] == list(range(len(lines)))
    assert {(x[1], x[2]) for x in lines} == {("stdout", "F")}
    os.rename(path, path + ".2")  # after an error there is no new file
    assert code(pods.client.ReopenContainerLog, container_id=ctr) != C.OK
    assert not os.path.exists(path)


def test_8_stop_is_concurrent_and_reentrant(pods):
    cl = pods.client
    pod, config = pods.run()
    ctr = pods.start(pod, config, [
        "sh", "-c", "trap 'echo term' TERM; echo up; "
        "while :; do sleep 0.05; done"])
    wait_for("trap", lambda: "up" in pods.log(ctr))
    left = cl.future("StopContainer", container_id=ctr, timeout=3600,
                     rpc_timeout=0.3)
    assert left.exception(5).code() == C.DEADLINE_EXCEEDED
    stops = [cl.future("StopContainer", container_id=ctr, timeout=t)
             for t in (3600, 1800)]
    began = time.monotonic()
    for _ in range(20):  # nobody waits for the stop
        assert pods.status(ctr).state == RUNNING
        cl.ListContainers()
        cl.ListPodSandbox()
        assert pods.sh(ctr, "true").exit_code == 0
    cl.ReopenContainerLog(container_id=ctr)
    cl.StopContainer(container_id=ctr, timeout=0)
    for s in stops:
        s.result(5)
    assert time.monotonic() - began < 8
    assert pods.status(ctr).exit_code == 137
    assert pods.text(ctr).count("term") == 1


def test_9_events_and_ordering(criod, pods):
    """Whoever follows events knows what a list would say."""
    slow = criod.client.GetContainerEvents(rpc_timeout=60)
    slow.initial_metadata()  # never read: holds nobody
    call = criod.client.GetContainerEvents(rpc_timeout=60)
    call.initial_metadata()
    got = []

    def read():
        try:
            got.extend(iter(call))
        except grpc.RpcError:
            pass
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    configs = [pods.config() for _ in range(4)]
    runs = [criod.client.future("RunPodSandbox", config=c)
            for c in configs]
    ids = [r.result(60).pod_sandbox_id for r in runs]
    pods.made += ids
    ctrs = [pods.start(p, c, ["true"]) for p, c in zip(ids, configs)]
    for c in ctrs:
        pods.exited(c)
    st = criod.client.PodSandboxStatus(pod_sandbox_id=ids[0])
    pods.clean()
    time.sleep(0.3)
    call.cancel()
    slow.cancel()
    reader.join(5)
    times = [e.created_at for e in got]
    assert times == sorted(times)
    assert all(e.pod_sandbox_status.metadata.uid for e in got)
    for p, c in zip(ids, ctrs):
        mine = [(e.container_id, e.container_event_type) for e in got
                if e.pod_sandbox_status.id == p]
        assert mine == [(p, 0), (p, 1), (c, 0), (c, 1), (c, 2), (p, 2),
                        (c, 3), (p, 3)]
    ended = [e for e in got if (e.container_id, e.container_event_type) ==
             (ctrs[0], 2)][0]
    assert ended.containers_statuses[0] == st.containers_statuses[0]
    assert st.timestamp > ended.created_at


def test_10_static_answers_sizes_and_fidelity(criod, pods):
    cl = criod.client
    linux = cl.RuntimeConfig()
    assert linux.HasField("linux") and linux == cl.RuntimeConfig()
    status = cl.Status()
    assert {"", "crun"} <= {h.name for h in status.runtime_handlers}
    assert {c.type for c in status.status.conditions} >= {
        "RuntimeReady", "NetworkReady"}
    first = cl.ListMetricDescriptors()
    assert len(first.descriptors) > 0
    assert first == cl.ListMetricDescriptors()
    odd = {"a/b": "", "ключ": "значение\n\t", "io.kubernetes.x": "y" * 9000}
    pod, config = pods.run(pods.config(annotations=odd, labels=odd))
    got, = cl.ListPodSandbox(filter={"id": pod[:8],
                                     "label_selector": odd}).items
    assert dict(got.annotations) == dict(got.labels) == odd
    pieces = {
        "StreamPodSandboxes": "pod_sandboxes", "StreamContainers":
        "containers", "StreamImages": "images", "StreamContainerStats":
        "container_stats", "StreamPodSandboxStats": "pod_sandbox_stats",
        "StreamPodSandboxMetrics": "pod_sandbox_metrics"}
    ctr = pods.start(pod, config, ["sleep", "1000"])
    for name, field in pieces.items():
        chunks = list(getattr(cl, name)())
        assert chunks and all(len(getattr(c, field)) for c in chunks), name
    assert ctr in [c.id for r in cl.StreamContainers()
                   for c in r.containers]
