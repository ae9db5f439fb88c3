"""netd and netlaunch with real plugins: what a pod gets, and what is left."""
import json
import os
import socket
import subprocess
import time

import pytest

from cni_world import Refused, msg, traces


def bridge(subnet="10.198.0.0/24", name="mynet", **extra):
    return {"cniVersion": "1.0.0", "name": name, "plugins": [
        {"type": "bridge", "isGateway": True,
         "bridge": "br-" + subnet.split(".")[1],
         "ipam": {"type": "host-local", "subnet": subnet}, **extra}]}


def test_add_del(world):
    assert world.status().ready
    pod = world.make()
    ips = world.add(pod, ports=[(18080, 80)])
    assert ips == ["10.199.0.2"]
    seen = world.inside(pod, "ip", "-br", "addr")
    assert "10.199.0.2/24" in seen and "127.0.0.1/8" in seen
    assert world.check(pod) == ips
    assert world.add(pod) == ips, "a repeated ADD returns what there is"
    world.delete(pod)
    assert world.records() == []
    assert "eth0" not in world.inside(pod, "ip", "-br", "link")
    world.delete(pod)


def test_no_router_advertisements(world):
    pod = world.make()
    world.add(pod)
    for name in ("all", "default", "eth0"):
        path = "/proc/sys/net/ipv6/conf/%s/accept_ra" % name
        assert world.inside(pod, "cat", path).strip() == "0"
    assert open("/proc/sys/net/ipv6/conf/lo/accept_ra").read() != "0\n"
    world.delete(pod)


def test_host_port(world):
    pod = world.make()
    world.add(pod, ports=[(18081, 8000)])
    server = subprocess.Popen(
        ["nsenter", "--net=%s/ns/%s/net" % (world.state, pod), "busybox",
         "nc", "-l", "-p", "8000", "-e", "echo", "hello"])
    subprocess.check_call(["sysctl", "-qw",
                           "net.ipv4.conf.all.route_localnet=1"])
    try:
        for _ in range(50):
            try:
                s = socket.create_connection(("10.199.0.1", 18081), 2)
                break
            except OSError:
                time.sleep(0.1)
        assert s.recv(64) == b"hello\n"
    finally:
        server.kill()
        server.wait()
    world.delete(pod)


def test_del_without_namespace(world):
    # Without ipMasq: bridge finds the rule's address inside the namespace.
    conf = bridge()
    conf["plugins"].append({"type": "portmap",
                            "capabilities": {"portMappings": True}})
    world.config("1.conflist", conf)
    pod = world.make()
    world.add(pod, ports=[(18082, 80)])
    world.drop(pod)
    world.delete(pod)
    assert world.records() == []


def test_del_uses_the_configuration_of_its_add(world):
    world.config("10-a.conflist", bridge())
    pod = world.make()
    ip, = world.add(pod)
    assert ip.startswith("10.198.0.")
    lease = "/var/lib/cni/networks/mynet/" + ip
    assert os.path.exists(lease)
    world.config("10-a.conflist", bridge("10.197.0.0/24", "other"))
    assert world.status().ready, "netd has seen it"
    world.delete(pod)
    assert not os.path.exists(lease)
    pod = world.make()
    assert world.add(pod) == ["10.197.0.2"]
    world.config("10-a.conflist", None)
    assert world.status().ready
    world.delete(pod)
    assert not os.path.exists("/var/lib/cni/networks/other/10.197.0.2")


def test_choice_of_configuration(world, make_world):
    world.config("05-bad.conf", "{")
    world.config("06-evil.conflist", {"cniVersion": "1.0.0", "name": "x",
                                      "plugins": [{"type": "../sh"}]})
    s = world.status()
    assert not s.ready and s.reason == "NetworkPluginNotReady"
    assert "05-bad.conf" in s.message
    pod = world.make()
    with pytest.raises(Refused):
        world.add(pod)
    assert world.records() == []
    world.config("20-good.conf", {"cniVersion": "0.4.0", "name": "single",
                                  "type": "bridge", "bridge": "testbr1",
                                  "ipam": {"type": "host-local",
                                           "subnet": "10.196.0.0/24"}})
    assert world.status().ready
    assert world.add(pod) == ["10.196.0.2"]
    assert world.check(pod) == ["10.196.0.2"]
    world.delete(pod)
    assert world.log_text().count("05-bad.conf") == 1


def test_default_network(make_world):
    w = make_world(default_network="second")
    assert not w.status().ready
    w.config("1.conflist", bridge("10.195.0.0/24", "first"))
    assert "second" in w.status().message
    w.config("2.conflist", bridge("10.194.0.0/24", "second"))
    assert w.status().ready
    pod = w.make()
    assert w.add(pod) == ["10.194.0.2"]
    w.delete(pod)


def test_status_names_missing_plugin(world):
    conf = bridge()
    conf["plugins"][0]["ipam"]["type"] = "no-such"
    world.config("1.conflist", conf)
    s = world.status()
    assert not s.ready and "no-such" in s.message


def test_bandwidth(world):
    conf = bridge()
    conf["plugins"].append({"type": "bandwidth",
                            "capabilities": {"bandwidth": True}})
    world.config("1.conflist", conf)
    pod = world.make()
    world.add(pod, annotations={"kubernetes.io/ingress-bandwidth": "10M",
                                "kubernetes.io/egress-bandwidth": "1Mi"})
    shaped = subprocess.check_output(["tc", "qdisc"], text=True)
    assert "rate 10Mbit" in shaped
    assert "rate 1048" in shaped
    world.delete(pod)
    with pytest.raises(Refused) as e:
        world.add(pod, annotations={"kubernetes.io/ingress-bandwidth": "-1"})
    assert e.value.code == 3


@pytest.mark.parametrize("field,value", [
    ("name", "a;IgnoreUnknown=0"), ("namespace", "a=b"), ("uid", "a\nb"),
    ("name", "x" * 1100), ("name", "a b"), ("uid", "é")])
def test_args_cannot_be_forged(world, field, value):
    pod = world.make()
    with pytest.raises(Refused) as e:
        world.add(pod, **{field: value})
    assert e.value.code == 3
    assert world.records() == []


@pytest.mark.parametrize("pod", ["", "../x", "A" * 64, "a" * 63])
def test_id(world, pod):
    for name, body in (("NET_ADD", world.pod_body(pod)),
                       ("NET_DEL", msg.PodId(id=pod).SerializeToString()),
                       ("NET_CHECK", msg.PodId(id=pod).SerializeToString())):
        with pytest.raises(Refused) as e:
            world.call(name, body)
        assert e.value.code == 3


def test_gc(world):
    world.config("1.conflist", bridge())
    gone, there = world.make(), world.make()
    world.add(gone)
    world.add(there)
    world.drop(gone)
    world.gc([there])
    assert world.records() == [there]
    assert [os.path.basename(f) for f in traces()["leases"]] == \
        world.check(there)
    world.delete(there)


def test_gc_of_many(world):
    pod = world.make()
    world.add(pod)
    world.gc([pod] + ["%064x" % i for i in range(20000)])
    assert world.records() == [pod]
    world.delete(pod)


def test_large_request(world):
    pod = world.make()
    with pytest.raises(Refused) as e:
        world.add(pod, ports=[(i, 80) for i in range(1, 5000)])
    assert e.value.code == 3
    world.add(pod, annotations={"k%d" % i: "v" * 1000 for i in range(500)})
    world.delete(pod)


def test_damaged_record(world):
    pod = world.make()
    world.add(pod)
    with open(os.path.join(world.network, pod), "r+b") as f:
        f.truncate(0)
    with pytest.raises(Refused):
        world.check(pod)
    world.delete(pod)
    assert world.records() == []


def test_parallel(world):
    pods = [world.make() for _ in range(8)]
    ids = [world.front.request("NET_ADD", world.pod_body(p)) for p in pods]
    ips = [msg.NetAdded.FromString(world.wait(i)[1]).ips[0] for i in ids]
    assert len(set(ips)) == 8
    ids = [world.front.request("NET_DEL", msg.PodId(
        id=p).SerializeToString()) for p in pods]
    for i in ids:
        world.wait(i)


def test_restart_keeps_networks(world):
    pod = world.make()
    ips = world.add(pod)
    world.kill("netd")
    world.kill("netlaunch")
    world.netd = None
    world.start_netlaunch()
    world.start_netd()
    assert world.check(pod) == ips
    world.delete(pod)


def test_confinement(world):
    def status(pid):
        text = open("/proc/%d/status" % pid).read()
        return dict(line.split(":\t", 1) for line in text.splitlines())

    s = status(world.netd_pid)
    assert s["Uid"].split() == [str(world.uid)] * 4
    assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1"
    assert all(int(s[c], 16) == 0 for c in ("CapPrm", "CapEff", "CapBnd",
                                            "CapInh", "CapAmb"))
    s = status(world.launch_pid)
    assert s["Seccomp"] == "0" and s["NoNewPrivs"] == "0"
    assert int(s["CapBnd"], 16) == 1 << 12 | 1 << 13 | 1 << 21
    root = os.listdir("/proc/%d/root" % world.launch_pid)
    assert "root" not in root and "home" not in root and "boot" not in root
    assert json.dumps(sorted(os.listdir("/proc/%d/root/etc"
                                        % world.launch_pid))).find("shadow") \
        == -1
