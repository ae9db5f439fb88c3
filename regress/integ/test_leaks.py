"""Nothing is left behind, whether a call succeeds or fails."""

import glob
import os
import subprocess

import grpc
import pytest

from conftest_integ import NODE, POD, wait_for


def world(criod):
    """What a pod could leave: mounts, links, cgroups, rules, files."""
    with open("/proc/self/mountinfo") as f:
        mounts = {line.split()[4] for line in f}
    cgroups = {p for p in glob.glob("/sys/fs/cgroup/**/criod-*",
                                    recursive=True)}
    rules = subprocess.run(["iptables-save"], capture_output=True,
                           text=True).stdout
    rules = {r for r in rules.splitlines() if "-A" in r and
             ("CNI-" in r) and not r.startswith("-A CNI-HOSTPORT") and
             "CNI-HOSTPORT" not in r and "CNI-FORWARD" not in r and
             "CNI-ADMIN" not in r}
    files = set()
    for d, _, names in os.walk(os.path.join(criod.path, "run")):
        files |= {os.path.join(d, n) for n in names}
        files.add(d)
    for d in glob.glob(os.path.join(criod.path, "lib/container/*")):
        files.add(d)
    addresses = set(glob.glob("/var/lib/cni/networks/criod/10.*"))
    links = set(os.listdir("/sys/class/net"))
    return {"mounts": mounts, "cgroups": cgroups, "rules": rules,
            "files": files, "addresses": addresses, "links": links}


def difference(before, after):
    return {k: sorted(after[k] - before[k])
            for k in before if after[k] - before[k]}


@pytest.fixture
def clean(criod, pods):
    pods.run()  # so that the bridge and its chains are there
    pods.clean()
    before = world(criod)
    yield
    pods.clean()

    def same():
        return not difference(before, world(criod))
    try:
        wait_for("clean", same, 5)
    except AssertionError:
        pytest.fail("left behind: %r" % difference(before, world(criod)))


def test_a_whole_life(clean, pods):
    for pid in (1, POD):
        pod, config = pods.run(pid=pid)
        for n in range(3):
            pods.start(pod, config, ["sleep", "1000"], name="c%d" % n)
        pods.create(pod, config, ["true"], name="unstarted")


def test_host_network_pod(clean, pods):
    pod, config = pods.run(network=NODE)
    pods.start(pod, config, ["sleep", "1000"])


def test_host_ports(clean, pods):
    pods.run(pods.config(port_mappings=[
        {"container_port": 80, "host_port": 18081, "protocol": 0},
        {"container_port": 53, "host_port": 18053, "protocol": 1}]))


def test_failed_create(clean, pods):
    pod, config = pods.run()
    for bad in ({"image": "no-such-image-here"},
                {"working_dir": "relative"},
                {"working_dir": "/proc/self/fd/7"},
                {"security_context": {"run_as_username": "nobody-known"}},
                {"security_context": {"capabilities": {
                    "add_capabilities": ["NO_SUCH_CAP"]}}},
                {"mounts": [{"container_path": "relative",
                             "host_path": "/tmp"}]},
                {"mounts": [{"container_path": "/x",
                             "host_path": "/proc/no/such/file"}]}):
        with pytest.raises(grpc.RpcError) as e:
            pods.create(pod, config, ["true"], **bad)
        assert e.value.details(), bad
    with pytest.raises(grpc.RpcError):
        ctr = pods.create(pod, config, ["/no/such/program"])
        pods.client.StartContainer(container_id=ctr)


def test_failed_pod(clean, pods):
    for change in ({"hostname": "not a name!"},
                   {"log_directory": "relative"},
                   {"dns_config": {"servers": ["1.2.3.4\nnameserver x"]}},
                   {"linux": {"sysctls": {"kernel.core_pattern": "|/x"}}},
                   {"linux": {"sysctls": {
                       "net.ipv4.no_such_sysctl": "1"}}}):
        with pytest.raises(grpc.RpcError) as e:
            pods.run(pods.config(**change))
        assert e.value.details(), change
