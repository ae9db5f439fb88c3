"""What a client sends comes back unaltered, and every field is filled."""

import json
import os
import subprocess
import time

import pytest

import cri
from conftest_integ import CONTAINER, NODE, POD

READY, NOTREADY = 0, 1
CREATED, RUNNING, EXITED = 0, 1, 2
CRICTL = os.path.join(cri.BUILD, "go/crictl")
ODD = {
    "kubernetes.io/config.source": "api", "empty": "",
    "io.kubernetes.cri-o.userns-mode": "auto", "ümlaut/ключ": "värde\n\t\"\\",
    "long": "x" * 60000, "json": '{"a":[1,2,{"b":null}]}',
}


@pytest.fixture
def full(pods, scratch):
    """A pod and a container that use what a status shows."""
    config = pods.config(labels=ODD, annotations=ODD)
    pod, config = pods.run(config)
    volume = os.path.join(scratch, "volume")
    os.makedirs(volume, exist_ok=True)
    ctr = pods.start(
        pod, config, ["sleep", "1000"], name="full", attempt=7,
        labels=ODD, annotations=ODD, stop_signal=29,  # SIGUSR1
        image="busybox", mounts=[
            {"container_path": "/data", "host_path": volume,
             "readonly": True}],
        resources={"cpu_shares": 512, "memory_limit_in_bytes": 64 << 20,
                   "oom_score_adj": 500},
        security_context={"run_as_user": {"value": 1000},
                          "supplemental_groups": [1234]})
    return pod, config, ctr, volume


def test_pod_in_full(pods, full):
    pod, config, ctr, _ = full
    before = time.time_ns()
    r = pods.client.PodSandboxStatus(pod_sandbox_id=pod)
    st = r.status
    assert st.id == pod and st.state == READY
    meta = config["metadata"]
    assert (st.metadata.name, st.metadata.uid, st.metadata.namespace,
            st.metadata.attempt) == (meta["name"], meta["uid"],
                                     meta["namespace"], 0)
    assert dict(st.labels) == ODD and dict(st.annotations) == ODD
    assert before - 60 * 10**9 < st.created_at < before
    assert st.network.ip and st.linux.namespaces.options.network == POD
    assert st.linux.namespaces.options.pid == CONTAINER
    assert r.timestamp >= before and not r.info
    assert [c.id for c in r.containers_statuses] == [ctr]
    assert r.containers_statuses[0] == pods.status(ctr)
    item, = pods.client.ListPodSandbox(filter={"id": pod[:13]}).items
    assert (item.id, item.metadata, item.state, item.created_at,
            item.runtime_handler) == (pod, st.metadata, READY,
                                      st.created_at, st.runtime_handler)
    assert dict(item.labels) == ODD and dict(item.annotations) == ODD


def test_container_in_full(pods, full):
    pod, config, ctr, volume = full
    st = pods.status(ctr)
    assert (st.metadata.name, st.metadata.attempt) == ("full", 7)
    assert dict(st.labels) == ODD and dict(st.annotations) == ODD
    assert st.image.image == "busybox" and "@sha256:" in st.image_ref
    image = pods.client.ImageStatus(image={"image": "busybox"}).image
    assert st.image_id == image.id and st.image_ref in image.repo_digests
    assert (st.state, st.exit_code, st.finished_at, st.reason) == (
        RUNNING, 0, 0, "")
    assert 0 < st.created_at <= st.started_at
    mount, = st.mounts
    assert (mount.container_path, mount.host_path, mount.readonly) == (
        "/data", volume, True)
    assert st.log_path == os.path.join(
        pods.logs, "%s-full_7.log" % config["metadata"]["name"])
    assert st.stop_signal == 29
    res = st.resources.linux
    assert (res.cpu_shares, res.memory_limit_in_bytes,
            res.oom_score_adj) == (512, 64 << 20, 500)
    user = st.user.linux
    assert (user.uid, user.gid) == (1000, 1000)
    assert 1234 in user.supplemental_groups
    item, = pods.client.ListContainers(filter={"id": ctr[:13]}).containers
    assert (item.id, item.pod_sandbox_id, item.metadata, item.image,
            item.image_ref, item.image_id, item.state, item.created_at) == (
        ctr, pod, st.metadata, st.image, st.image_ref, st.image_id,
        RUNNING, st.created_at)
    assert dict(item.labels) == ODD and dict(item.annotations) == ODD


def test_verbose_container(pods, full):
    pod, config, ctr, volume = full
    r = pods.client.ContainerStatus(container_id=ctr, verbose=True)
    info = json.loads(r.info["info"])
    assert info["sandboxID"] == pod and info["privileged"] is False
    with open("/proc/%d/cmdline" % info["pid"], "rb") as f:
        assert f.read() == b"sleep\x001000\x00"
    spec = info["runtimeSpec"]
    assert spec["process"]["args"] == ["sleep", "1000"]
    assert spec["process"]["user"]["uid"] == 1000
    assert volume in [m.get("source") for m in spec["mounts"]]
    pods.client.StopContainer(container_id=ctr, timeout=0)
    r = pods.client.ContainerStatus(container_id=ctr, verbose=True)
    info = json.loads(r.info["info"])
    assert info["pid"] == 0 and info["runtimeSpec"] == spec


def test_verbose_pod(pods):
    pod, config = pods.run(pid=POD)
    r = pods.client.PodSandboxStatus(pod_sandbox_id=pod[:13], verbose=True)
    info = json.loads(r.info["info"])
    assert info["id"] == pod and info["networkRemoved"] is False
    spec = info["runtimeSpec"]
    assert spec["hostname"] == config["hostname"]
    paths = {n["type"]: n["path"] for n in spec["linux"]["namespaces"]}
    assert set(paths) == {"network", "ipc", "uts", "pid"}
    ip = subprocess.run(["nsenter", "--net=" + paths["network"], "ip", "-o",
                         "addr"], capture_output=True, text=True).stdout
    assert r.status.network.ip in ip
    pods.client.StopPodSandbox(pod_sandbox_id=pod)
    r = pods.client.PodSandboxStatus(pod_sandbox_id=pod, verbose=True)
    info = json.loads(r.info["info"])
    assert info["networkRemoved"] is True and "runtimeSpec" not in info


def test_verbose_pod_of_the_host_network(pods):
    pod, _ = pods.run(network=NODE)
    r = pods.client.PodSandboxStatus(pod_sandbox_id=pod, verbose=True)
    spec = json.loads(r.info["info"])["runtimeSpec"]
    assert "network" not in [n["type"] for n in spec["linux"]["namespaces"]]


def test_verbose_image(criod):
    r = criod.client.ImageStatus(image={"image": "busybox"}, verbose=True)
    spec = json.loads(r.info["info"])["imageSpec"]
    assert "FROM_IMAGE=yes" in spec["config"]["Env"]
    assert r.image.size > 0 and r.image.id.startswith("sha256:")
    assert criod.client.ImageStatus(
        image={"image": r.image.id[7:20]}).image == r.image


def test_filters_are_all_to_be_met(pods):
    cl = pods.client
    one, config = pods.run(pods.config(labels={"a": "1", "b": "2"}))
    two, _ = pods.run(pods.config(labels={"a": "1"}))

    def found(**f):
        return {p.id for p in cl.ListPodSandbox(filter=f).items} & {one, two}
    assert found(label_selector={"a": "1"}) == {one, two}
    assert found(label_selector={"a": "1", "b": "2"}) == {one}
    assert found(id=two[:10], label_selector={"b": "2"}) == set()
    assert found(state={"state": NOTREADY}) == set()
    ctr = pods.create(one, config, ["sleep", "1"], labels={"c": "3"})

    def ctrs(**f):
        return [c.id for c in cl.ListContainers(filter=f).containers]
    assert ctrs(pod_sandbox_id=one, state={"state": CREATED},
                label_selector={"c": "3"}) == [ctr]
    assert ctrs(pod_sandbox_id=two, label_selector={"c": "3"}) == []
    assert ctrs(pod_sandbox_id=one, state={"state": RUNNING}) == []
    assert ctrs(id="0" * 64) == []


def test_streams_equal_lists(pods, full):
    cl = pods.client
    assert [p for r in cl.StreamPodSandboxes() for p in r.pod_sandboxes] == \
        list(cl.ListPodSandbox().items)
    assert [c for r in cl.StreamContainers() for c in r.containers] == \
        list(cl.ListContainers().containers)
    assert [i for r in cl.StreamImages() for i in r.images] == \
        list(cl.ListImages().images)
    assert list(cl.StreamContainers(filter={"id": "0" * 64})) == []


def test_recursive_read_only_file_and_directory(pods, scratch):
    """What Status says of a handler holds, for files as well."""
    can = [h.name for h in pods.client.Status().runtime_handlers
           if h.features.recursive_read_only_mounts]
    assert "runc" in can
    path = os.path.join(scratch, "rro")
    os.makedirs(path + "/dir/sub")
    with open(path + "/file", "w") as f:
        f.write("text")
    subprocess.run(["mount", "-t", "tmpfs", "rro", path + "/dir/sub"],
                   check=True)
    try:
        pod, config = pods.run(handler="runc")
        mounts = [{"container_path": "/" + n, "host_path": path + "/" + n,
                   "readonly": True, "recursive_read_only": True}
                  for n in ("dir", "file")]
        ctr = pods.start(pod, config, ["sleep", "1000"], mounts=mounts)
        with open("/proc/self/mountinfo") as f:
            mine = [x.split()[4] for x in f]
        assert not [m for m in mine if "/rootfs/%s/m" % ctr in m]
        r = pods.sh(ctr, "cat /file; echo x >/file; touch /dir/x /dir/sub/x")
        assert r.stdout == b"text" and r.exit_code != 0
        assert r.stderr.count(b"Read-only file system") == 3
    finally:
        subprocess.run(["umount", path + "/dir/sub"], check=True)


@pytest.mark.skipif(not os.path.exists(CRICTL), reason="no crictl here")
def test_crictl_inspects(criod, pods, full):
    pod, _, ctr, _ = full

    def crictl(*args):
        r = subprocess.run(
            [CRICTL, "--runtime-endpoint", "unix://" + criod.socket, *args],
            capture_output=True, text=True, timeout=30)
        assert r.returncode == 0, r.stderr
        return r.stdout
    out = json.loads(crictl("inspect", ctr[:13]))
    assert out["info"]["pid"] > 0 and out["status"]["id"] == ctr
    assert out["info"]["runtimeSpec"]["root"]["path"]
    out = json.loads(crictl("inspectp", pod[:13]))
    assert out["info"]["runtimeSpec"]["linux"]["namespaces"]
    out = json.loads(crictl("inspecti", "busybox"))
    assert out["info"]["imageSpec"]["architecture"]


def test_events_of_a_real_pod(criod, pods):
    events = criod.client.GetContainerEvents(rpc_timeout=60)
    events.initial_metadata()
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", "exit 5"])
    pods.exited(ctr)
    pods.clean()
    got = []
    for ev in events:
        if ev.pod_sandbox_status.id != pod:
            continue
        got.append((ev.container_id, ev.container_event_type))
        if ev.container_event_type == 2 and ev.container_id == ctr:
            assert ev.containers_statuses[0].exit_code == 5
        if got[-1] == (pod, 3):
            break
    events.cancel()
    assert got == [(pod, 0), (pod, 1), (ctr, 0), (ctr, 1), (ctr, 2),
                   (pod, 2), (ctr, 3), (pod, 3)]
