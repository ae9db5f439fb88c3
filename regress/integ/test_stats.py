"""Numbers of pods and containers, against the kernel's own files."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import grpc
import pytest

from conftest_integ import Criod, NODE, POD, Pods, wait_for

V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
MIB = 1 << 20


def pid_of(pods, ctr):
    r = pods.client.ContainerStatus(container_id=ctr, verbose=True)
    return json.loads(r.info["info"])["pid"]


class Cgroup:
    """The files of one container's cgroup."""

    def __init__(self, pods, ctr):
        self.paths = {}
        with open("/proc/%d/cgroup" % pid_of(pods, ctr)) as f:
            for line in f:
                _, names, path = line.strip().split(":", 2)
                for name in names.split(","):
                    self.paths[name] = path

    def read(self, v1, v2):
        """v1: "controller/file"."""
        if V2:
            path = "/sys/fs/cgroup%s/%s" % (self.paths[""], v2)
        else:
            controller, name = v1.split("/")
            path = "/sys/fs/cgroup/%s%s/%s" % (
                controller, self.paths[controller], name)
        with open(path) as f:
            return f.read()

    def number(self, v1, v2):
        return int(self.read(v1, v2))

    def keyed(self, v1, v2):
        return {k: int(v) for k, v in (
            line.split() for line in self.read(v1, v2).splitlines())}

    def cpu(self):
        """Nanoseconds."""
        if V2:
            return self.keyed("", "cpu.stat")["usage_usec"] * 1000
        return self.number("cpuacct/cpuacct.usage", "")


def near(a, b, tolerance):
    assert abs(a - b) <= tolerance, (a, b, tolerance)


def stats(pods, ctr):
    return pods.client.ContainerStats(container_id=ctr).stats


BURN = "while :; do :; done & echo up; exec sleep 3600"


def test_container_stats_cpu(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", BURN])
    cg = Cgroup(pods, ctr)
    first = stats(pods, ctr)
    assert first.attributes.id == ctr
    assert first.attributes.metadata.name == "c"
    assert first.cpu.timestamp > 0
    time.sleep(1.5)
    before = cg.cpu()
    got = stats(pods, ctr).cpu
    after = cg.cpu()
    assert before <= got.usage_core_nano_seconds.value <= after
    assert got.usage_core_nano_seconds.value > \
        first.cpu.usage_core_nano_seconds.value
    # One busy loop, on a machine that others use too.
    used = got.usage_core_nano_seconds.value - \
        first.cpu.usage_core_nano_seconds.value
    took = got.timestamp - first.cpu.timestamp
    near(got.usage_nano_cores.value, used * 1e9 / took, 0.05e9)
    assert abs(time.time_ns() - got.timestamp) < 5e9


def test_container_stats_memory(pods):
    pod, config = pods.run()
    ctr = pods.start(
        pod, config,
        ["sh", "-c", "x=$(head -c 30000000 /dev/zero | tr '\\0' a); "
         "echo up; while :; do sleep 1; done"],
        resources={"memory_limit_in_bytes": 256 * MIB})
    wait_for("allocation", lambda: "up" in pods.text(ctr))
    time.sleep(1.1)
    cg = Cgroup(pods, ctr)
    m = stats(pods, ctr).memory
    stat = cg.keyed("memory/memory.stat", "memory.stat")
    usage = cg.number("memory/memory.usage_in_bytes", "memory.current")
    near(m.usage_bytes.value, usage, MIB)
    rss = stat["anon" if V2 else "total_rss"]
    near(m.rss_bytes.value, rss, MIB)
    assert m.rss_bytes.value > 25 * MIB
    cold = stat["inactive_file" if V2 else "total_inactive_file"]
    near(m.working_set_bytes.value, usage - cold, MIB)
    near(m.available_bytes.value,
         256 * MIB - m.working_set_bytes.value, 4096)
    faults = stat["pgfault" if V2 else "total_pgfault"]
    near(m.page_faults.value, faults, 2000)


def test_container_stats_writable_layer(pods, criod):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    first = stats(pods, ctr).writable_layer
    assert first.timestamp > 0
    assert first.fs_id.mountpoint.endswith("/lib/container")
    pods.sh(ctr, "dd if=/dev/zero of=/big bs=1M count=7 2>/dev/null; sync; "
            "ln /big /again; mkdir -p /a/b/c; echo x > /a/b/c/d")
    upper = os.path.join(criod.path, "lib/container", ctr, "upper")
    want = {(s.st_ino): s.st_blocks * 512 for s in (
        os.lstat(os.path.join(d, n))
        for d, dirs, files in os.walk(upper) for n in dirs + files + ["."])}

    def grown():
        w = stats(pods, ctr).writable_layer
        return w if w.used_bytes.value > 7 * MIB else None
    w = wait_for("count of the layer", grown, 25)
    assert w.used_bytes.value < 8 * MIB
    assert w.used_bytes.value == sum(want.values())
    assert w.inodes_used.value == len(want)


def test_container_stats_writable_layer_deep(pods, criod):
    """A deep tree is counted whole, in bounded memory."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    upper = os.path.join(criod.path, "lib/container", ctr, "upper")
    fd = os.open(upper, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        down = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = down
    os.close(fd)
    wait_for("count", lambda: stats(
        pods, ctr).writable_layer.inodes_used.value >= 3000, 25)


SEND = """
import socket
import struct
import sys
gateway = [x.split()[2] for x in open('/proc/net/route')
           if x.split()[1] == '00000000'][0]
to = socket.inet_ntoa(struct.pack('<L', int(gateway, 16)))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])):
    s.sendto(b'x' * int(sys.argv[2]), (to, 9))
"""


def send(pid, count, size):
    """Datagrams from a pod's network to its gateway."""
    subprocess.run(["nsenter", "-t", str(pid), "-n", sys.executable, "-c",
                    SEND, str(count), str(size)], check=True)


def test_pod_stats(pods):
    """A pod with a cgroup of its own, traffic, and two containers."""
    parent = ("/criod-test-%d", "criodtest%d.slice")[systemd(pods)] % \
        os.getpid()
    pod, config = pods.run(pods.config(linux={
        "cgroup_parent": parent,
        "security_context": {"namespace_options": {
            "network": POD, "pid": POD}}}))
    one = pods.start(pod, config, ["sh", "-c", BURN], name="one")
    pods.start(pod, config, ["sleep", "3600"], name="two")
    s = pods.client.PodSandboxStats(pod_sandbox_id=pod[:13]).stats
    assert s.attributes.id == pod
    assert s.attributes.metadata.uid == config["metadata"]["uid"]
    eth = s.linux.network.default_interface
    assert eth.name == "eth0"
    assert len(s.linux.network.interfaces) == 0
    send(pid_of(pods, one), 200, 1000)
    time.sleep(1.1)
    with open("/proc/%d/net/dev" % pid_of(pods, one)) as f:
        line = [x.split(":")[1].split() for x in f if "eth0:" in x][0]
    s = pods.client.PodSandboxStats(pod_sandbox_id=pod).stats
    eth = s.linux.network.default_interface
    near(eth.rx_bytes.value, int(line[0]), 2000)
    near(eth.tx_bytes.value, int(line[8]), 2000)
    assert eth.tx_bytes.value > 190000
    # pause, the shell and its loop, sleep
    assert s.linux.process.process_count.value == 4
    by_name = {c.attributes.metadata.name: c for c in s.linux.containers}
    assert sorted(by_name) == ["one", "two"]
    cpu = by_name["one"].cpu.usage_core_nano_seconds.value
    assert s.linux.cpu.usage_core_nano_seconds.value >= cpu > 0
    assert s.linux.memory.usage_bytes.value >= \
        by_name["one"].memory.usage_bytes.value


def test_pod_stats_shared_cgroup(pods):
    """Pods that name no cgroup: the sum of their containers."""
    pod, config = pods.run(network=NODE)
    for name in "one", "two":
        pods.start(pod, config, ["sleep", "3600"], name=name)
    s = pods.client.PodSandboxStats(pod_sandbox_id=pod).stats
    assert s.linux.process.process_count.value == 2
    assert s.linux.memory.usage_bytes.value == sum(
        c.memory.usage_bytes.value for c in s.linux.containers)
    assert not s.linux.HasField("network")


def test_stats_lists(pods):
    label = {"stats-test": str(os.getpid())}
    ids = []
    for i in range(3):
        pod, config = pods.run(labels=label)
        ids.append((pod, pods.start(pod, config, ["sleep", "3600"],
                                    labels=label)))
    dead = pods.start(pod, config, ["true"], name="dead", labels=label)
    pods.exited(dead)
    c = pods.client
    want = sorted(i[1] for i in ids)

    def names(items):
        return sorted(x.attributes.id for x in items)
    assert names(c.ListContainerStats(
        filter={"label_selector": label}).stats) == want
    assert names(x for m in c.StreamContainerStats(
        filter={"label_selector": label}) for x in m.container_stats) == want
    assert names(c.ListContainerStats(
        filter={"id": want[0][:20]}).stats) == [want[0]]
    assert names(c.ListContainerStats(
        filter={"pod_sandbox_id": ids[0][0]}).stats) == [ids[0][1]]
    assert not c.ListContainerStats(filter={"id": "0" * 64}).stats
    want = sorted(i[0] for i in ids)
    assert names(c.ListPodSandboxStats(
        filter={"label_selector": label}).stats) == want
    got = [x for m in c.StreamPodSandboxStats(
        filter={"label_selector": label}) for x in m.pod_sandbox_stats]
    assert names(got) == want
    for p in got:
        assert len(p.linux.containers) == 1
        assert p.linux.containers[0].memory.usage_bytes.value > 0
    # One that has ended: who it was, and what it wrote.
    s = stats(pods, dead)
    assert s.attributes.id == dead
    assert not s.HasField("cpu")
    assert s.writable_layer.inodes_used.value > 0


def test_stats_not_found(pods):
    for call, field in (("ContainerStats", "container_id"),
                        ("PodSandboxStats", "pod_sandbox_id"),
                        ("UpdateContainerResources", "container_id"),
                        ("UpdatePodSandboxResources", "pod_sandbox_id")):
        for value, code in (("0" * 64, grpc.StatusCode.NOT_FOUND),
                            ("", grpc.StatusCode.INVALID_ARGUMENT)):
            with pytest.raises(grpc.RpcError) as e:
                getattr(pods.client, call)(**{field: value})
            assert e.value.code() == code, call


def test_metrics(pods):
    pod, config = pods.run()
    limit = 200 * MIB
    ctr = pods.start(pod, config, ["sh", "-c", BURN], resources={
        "memory_limit_in_bytes": limit, "cpu_quota": 10000,
        "cpu_period": 100000})
    time.sleep(2.5)
    descriptors = {d.name: list(d.label_keys) for d in
                   pods.client.ListMetricDescriptors().descriptors}
    assert len(descriptors) == 56
    cg = Cgroup(pods, ctr)
    row = [m for m in pods.client.ListPodSandboxMetrics().pod_metrics
           if m.pod_sandbox_id == pod][0]
    streamed = [m for r in pods.client.StreamPodSandboxMetrics()
                for m in r.pod_sandbox_metrics if m.pod_sandbox_id == pod]
    assert len(streamed) == 1 and len(row.container_metrics) == 1
    got, seen = {}, set()
    for m in list(row.metrics) + list(row.container_metrics[0].metrics):
        keys = descriptors[m.name]
        assert len(m.label_values) == len(keys), m
        labels = dict(zip(keys, m.label_values))
        assert labels["pod"] == config["metadata"]["name"]
        assert labels["namespace"] == "regress"
        own = tuple(m.label_values[5:])
        assert (m.name, labels["id"], own) not in seen
        seen.add((m.name, labels["id"], own))
        got[m.name, own] = m.value.value
    row = row.container_metrics[0]
    assert row.container_id == ctr
    first = dict(zip(descriptors[row.metrics[0].name],
                     row.metrics[0].label_values))
    assert first["id"] == ctr and first["container"] == "c"
    assert "busybox" in first["image"]
    near(got["container_cpu_usage_seconds_total", ("total",)],
         cg.cpu() // 10**9, 1)
    assert got["container_cpu_cfs_throttled_periods_total", ()] > 0
    assert got["container_spec_memory_limit_bytes", ()] == limit
    assert got["container_spec_cpu_quota", ()] == 10000
    assert got["container_processes", ()] == 2
    assert got["container_threads", ()] == 2
    # Three for each, as runtimes leave them.
    near(got["container_file_descriptors", ()], 6, 2)
    assert got["container_sockets", ()] == 0
    assert got["container_ulimits_soft", ("max_open_files",)] > 0
    near(got["container_memory_usage_bytes", ()],
         cg.number("memory/memory.usage_in_bytes", "memory.current"), MIB)
    assert got["container_network_receive_bytes_total", ("eth0",)] > 0
    near(got["container_start_time_seconds", ()], time.time(), 60)
    near(got["container_last_seen", ()], time.time(), 5)
    assert got["container_oom_events_total", ()] == 0
    assert got["container_fs_limit_bytes", ()] > 0
    pressure = [n for n, _ in got if "pressure" in n]
    assert len(pressure) == (6 if os.path.exists("/proc/pressure") else 0)


def systemd(pods):
    return pods.client.RuntimeConfig().linux.cgroup_driver == 0


def limits(pods, ctr):
    return pods.status(ctr).resources.linux


def update(pods, ctr, **linux):
    pods.client.UpdateContainerResources(container_id=ctr, linux=linux)


def refused(pods, ctr, code, **linux):
    with pytest.raises(grpc.RpcError) as e:
        update(pods, ctr, **linux)
    assert e.value.code() == code, e.value.details()
    return e.value.details()


def files(cg):
    return [cg.read(*f) for f in (
        ("memory/memory.limit_in_bytes", "memory.max"),
        ("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
        ("cpu/cpu.cfs_quota_us", "cpu.max"),
        ("cpu/cpu.cfs_period_us", "cpu.max"),
        ("cpu/cpu.shares", "cpu.weight"),
        ("cpuset/cpuset.cpus", "cpuset.cpus"))]


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("started", [True, False])
def test_update(pods, handler, started):
    pod, config = pods.run(handler=handler)
    ctr = pods.create(pod, config, ["sleep", "3600"], resources={
        "memory_limit_in_bytes": 64 * MIB, "memory_swap_limit_in_bytes":
        64 * MIB, "cpu_shares": 512})
    if started:
        pods.client.StartContainer(container_id=ctr)
    cg = Cgroup(pods, ctr)
    update(pods, ctr, cpu_quota=30000, cpu_period=100000)
    if V2:
        assert cg.read("", "cpu.max") == "30000 100000\n"
    else:
        assert cg.number("cpu/cpu.cfs_quota_us", "") == 30000
    # Up, then down again: the order of memory and swap differs.
    for size in 128, 32:
        update(pods, ctr, memory_limit_in_bytes=size * MIB)
        assert cg.number("memory/memory.limit_in_bytes",
                         "memory.max") == size * MIB
        if V2:
            assert cg.number("", "memory.swap.max") == 0
        else:
            assert cg.number("memory/memory.memsw.limit_in_bytes",
                             "") == size * MIB
    update(pods, ctr, cpuset_cpus="0", cpu_shares=256)
    assert cg.read("cpuset/cpuset.cpus", "cpuset.cpus") == "0\n"
    got = limits(pods, ctr)
    assert (got.cpu_quota, got.cpu_period, got.cpu_shares,
            got.memory_limit_in_bytes, got.memory_swap_limit_in_bytes,
            got.cpuset_cpus) == (30000, 100000, 256, 32 * MIB, 32 * MIB, "0")
    before = files(cg)
    update(pods, ctr)
    assert files(cg) == before
    update(pods, ctr, cpu_quota=-1)
    assert limits(pods, ctr).cpu_quota == -1
    if V2:
        assert cg.read("", "cpu.max") == "max 100000\n"
    else:
        assert cg.number("cpu/cpu.cfs_quota_us", "") == -1
    before, got = files(cg), limits(pods, ctr)
    # The first parts of what fails are undone.
    refused(pods, ctr, grpc.StatusCode.INTERNAL, cpu_quota=70000,
            memory_limit_in_bytes=48 * MIB, cpuset_cpus="4095")
    assert files(cg) == before
    assert limits(pods, ctr) == got


def test_update_below_usage(pods):
    pod, config = pods.run()
    ctr = pods.start(
        pod, config,
        ["sh", "-c", "x=$(head -c 20000000 /dev/zero | tr '\\0' a); "
         "echo up; while :; do sleep 1; done"])
    wait_for("allocation", lambda: "up" in pods.text(ctr))
    why = refused(pods, ctr, grpc.StatusCode.FAILED_PRECONDITION,
                  memory_limit_in_bytes=MIB)
    assert "in use" in why
    assert pods.status(ctr).state == 1
    assert limits(pods, ctr).memory_limit_in_bytes == 0


def test_update_refused(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["true"])
    pods.exited(ctr)
    refused(pods, ctr, grpc.StatusCode.FAILED_PRECONDITION, cpu_shares=100)
    ctr = pods.start(pod, config, ["sleep", "3600"], name="two")
    bad = grpc.StatusCode.INVALID_ARGUMENT
    for quota in -2, 999, 1 << 44:
        refused(pods, ctr, bad, cpu_quota=quota)
    refused(pods, ctr, bad, cpu_period=999)
    refused(pods, ctr, bad, memory_limit_in_bytes=1000)
    refused(pods, ctr, bad, cpuset_cpus="0;1")
    refused(pods, ctr, bad, memory_limit_in_bytes=2 * MIB,
            memory_swap_limit_in_bytes=MIB)
    refused(pods, ctr, bad if V2 and not systemd(pods) else
            grpc.StatusCode.FAILED_PRECONDITION,
            unified={"memory.nonsense" if not V2 else "cgroup.procs": "1"})


def test_update_survives_restart(pods, criod):
    """Limits as the daemon's own memory, not the request's, has them."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    update(pods, ctr, cpu_shares=321)
    pods.client.UpdatePodSandboxResources(
        pod_sandbox_id=pod, resources={"cpu_shares": 99})
    os.kill(criod.helpers()["front"], 9)

    def back():
        try:
            return limits(pods, ctr).cpu_shares
        except grpc.RpcError:
            return None
    assert wait_for("front", back) == 321
    update(pods, ctr, cpu_quota=40000)
    assert (limits(pods, ctr).cpu_shares, limits(pods, ctr).cpu_quota) == \
        (321, 40000)


def test_update_many_at_once(pods):
    """Each starts from what the one before it left."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    calls = [pods.client.future(
        "UpdateContainerResources", container_id=ctr, linux=change)
        for change in ({"cpu_shares": 200}, {"cpu_quota": 60000},
                       {"memory_limit_in_bytes": 99 * MIB},
                       {"cpuset_cpus": "0"})]
    for c in calls:
        c.result()
    got = limits(pods, ctr)
    assert (got.cpu_shares, got.cpu_quota, got.memory_limit_in_bytes,
            got.cpuset_cpus) == (200, 60000, 99 * MIB, "0")


@pytest.mark.skipif(not V2, reason="cgroup v2 has them")
def test_update_unified(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    cg = Cgroup(pods, ctr)
    if systemd(pods):
        refused(pods, ctr, grpc.StatusCode.FAILED_PRECONDITION,
                unified={"memory.low": str(MIB)})
        return
    update(pods, ctr, unified={"memory.low": str(MIB)})
    assert cg.number("", "memory.low") == MIB
    before = files(cg)
    refused(pods, ctr, grpc.StatusCode.INTERNAL, cpu_quota=70000,
            unified={"memory.high": str(64 * MIB), "memory.max": "nonsense"})
    assert files(cg) == before
    assert cg.read("", "memory.high") == "max\n"
    assert dict(limits(pods, ctr).unified) == {"memory.low": str(MIB)}


@pytest.fixture(scope="module")
def split(scratch, registry):
    """A criod whose writable layers have a file system of their own."""
    path = os.path.join(scratch, "split")
    layers = os.path.join(scratch, "split-layers")
    os.makedirs(layers)
    subprocess.run(["mount", "-t", "tmpfs", "layers", layers], check=True)
    conf = """
container directory "%s"
metrics listen on 127.0.0.1 port 9537
pod metrics cpu network
stats age 5
""" % os.path.join(layers, "container")
    c = Criod(path, conf=conf, args=["-m"]).start()
    try:
        c.client.PullImage(image={"image": "busybox"})
        yield c
    finally:
        c.stop()
        subprocess.run(["umount", "-l", layers], check=True)


@pytest.fixture
def split_pods(split, scratch):
    p = Pods(split, scratch)
    yield p
    p.clean()


def test_image_fs_split(split_pods, pods):
    pod, config = split_pods.run()
    ctr = split_pods.start(pod, config, [
        "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=3; echo up; "
        "exec sleep 3600"])
    wait_for("writing", lambda: "up" in split_pods.text(ctr))
    r = split_pods.client.ImageFsInfo()
    assert len(r.image_filesystems) == len(r.container_filesystems) == 1
    image, layers = r.image_filesystems[0], r.container_filesystems[0]
    assert image.fs_id.mountpoint != layers.fs_id.mountpoint
    assert layers.fs_id.mountpoint.endswith("/split-layers/container")
    near(layers.used_bytes.value, 3 * MIB, MIB)
    assert layers.inodes_used.value >= 2
    assert image.used_bytes.value > 0
    # On one file system the two are one.
    r = pods.client.ImageFsInfo()
    assert r.image_filesystems[0].fs_id == r.container_filesystems[0].fs_id


def test_chosen_metrics(split_pods):
    pod, config = split_pods.run()
    split_pods.start(pod, config, ["sleep", "3600"])
    c = split_pods.client
    names = {d.name for d in c.ListMetricDescriptors().descriptors}
    assert len(names) == 1 + 6 + 8
    row = c.ListPodSandboxMetrics().pod_metrics[0]
    got = {m.name for m in row.metrics} | \
        {m.name for x in row.container_metrics for m in x.metrics}
    assert "container_network_receive_bytes_total" in got
    assert "container_cpu_usage_seconds_total" in got
    assert got <= names


def test_stats_age(split_pods, pods):
    """Numbers are read again when they are old enough, and not before."""
    pod, config = split_pods.run()
    ctr = split_pods.start(pod, config, ["sleep", "3600"])
    one = stats(split_pods, ctr).cpu.timestamp
    time.sleep(1.2)
    assert stats(split_pods, ctr).cpu.timestamp == one
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    one = stats(pods, ctr).cpu.timestamp
    time.sleep(1.2)
    assert stats(pods, ctr).cpu.timestamp > one


def test_prometheus(split_pods):
    c = split_pods.client
    url = "http://127.0.0.1:9537"
    for _ in range(3):
        c.Version()
    with pytest.raises(grpc.RpcError):
        c.StopPodSandbox(pod_sandbox_id="")
    with pytest.raises(grpc.RpcError) as e:
        c.PullImage(image={"image": "nosuch"})
    code = e.value.code().name

    def page():
        with urllib.request.urlopen(url + "/metrics") as r:
            return dict(line.rsplit(" ", 1) for line in
                        r.read().decode().splitlines() if line[0] != "#")
    p = "container_runtime_crio_"
    wait_for("figures", lambda: p + 'image_pulls_failure_total'
             '{error="%s"}' % code in page())
    got = page()
    assert int(got[p + 'operations_total{operation="Version"}']) >= 3
    assert int(got[p + 'operations_errors_total'
                       '{operation="StopPodSandbox"}']) == 1
    assert float(got[p + 'operations_latency_seconds_total_sum'
                         '{operation="PullImage"}']) > 0
    assert int(got[p + "image_pulls_success_total"]) >= 1
    assert int(got[p + "containers_oom_total"]) == 0
    assert got[p + 'default_runtime{runtime="crun"}'] == "1"
    assert int(got['criod_helper_restarts_total{role="front"}']) == 0
    with urllib.request.urlopen(url + "/healthz") as r:
        assert r.read() == b"ok\n"
