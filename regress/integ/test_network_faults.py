"""Networks whose plugins, records and rules go wrong, as the whole of criod
meets it (security.md N2, N3, section 3 rows 29, 30 and 32).  What plugins can do to
netd alone is in regress/netd."""

import glob
import json
import os
import shutil
import subprocess
import tempfile

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for
from test_restart import kill_all
from test_ten import code

C = grpc.StatusCode
LEASES = "/var/lib/cni/networks/faults/10.*"
ROOM = 13	# pods in a /28, beside gateway, network and broadcast


class Net:
    """A criod with Debian's plugins, copied, and a small network."""

    def __init__(self, scratch):
        self.path = tempfile.mkdtemp(prefix="net.", dir=scratch)
        os.chmod(self.path, 0o755)
        os.mkdir(self.at("net.d"))
        shutil.copytree("/usr/lib/cni", self.at("bin"))
        self.config()
        self.criod = Criod(self.path, args=["-m"], conf=(
            'cni configuration "%s"\ncni plugins "%s"\n' % (
                self.at("net.d"), self.at("bin")))).start()
        self.criod.client.PullImage(image={"image": "busybox"})
        self.pods = Pods(self.criod, scratch)

    def at(self, name):
        return os.path.join(self.path, name)

    def config(self, subnet="10.77.0.0/28", bridge="faults0"):
        """No ipMasq: with the namespace gone, Debian's bridge forgets that."""
        with open(self.at("net.d/10.conflist"), "w") as f:
            json.dump({"cniVersion": "1.0.0", "name": "faults", "plugins": [
                {"type": "bridge", "bridge": bridge, "isGateway": True,
                 "ipam": {
                     "type": "host-local", "ranges": [[{"subnet": subnet}]],
                     "routes": [{"dst": "0.0.0.0/0"}]}},
                {"type": "portmap", "capabilities": {
                    "portMappings": True}}]}, f)

    def start(self):
        self.criod.start()
        self.pods.client = self.criod.client

    def ip(self, pod):
        return self.criod.client.PodSandboxStatus(
            pod_sandbox_id=pod).status.network.ip

    def there(self, subnet):
        """A new pod has an address of it; one that has not goes again."""
        pod, _ = self.pods.run()
        if self.ip(pod).startswith(subnet):
            return True
        self.criod.client.StopPodSandbox(pod_sandbox_id=pod)
        self.criod.client.RemovePodSandbox(pod_sandbox_id=pod)
        return False

    def wipe(self):
        """criod is dead; what a restart of the host leaves of a pod: only what
        is on disk."""
        for pid in pids():
            os.kill(pid, 9)
        wait_for("their end", lambda: not pids())
        subprocess.run("awk '{print $5}' /proc/self/mountinfo | grep '^%s' | "
                       "sort -r | xargs -r umount -l" % self.at("run/"),
                       shell=True, check=True)
        shutil.rmtree(self.at("run"))

    def close(self):
        self.pods.clean()
        self.criod.stop()
        for bridge in ("faults0", "faults1"):
            subprocess.run(["ip", "link", "del", bridge],
                           stderr=subprocess.DEVNULL)


def pids():
    """Of containers and their monitors."""
    out = []
    for d in glob.glob("/proc/[0-9]*"):
        try:
            with open(d + "/cmdline") as f:
                argv = f.read().split("\0")
        except OSError:
            continue
        if argv[0] == "monitor" or argv[:2] == ["sleep", "86412"]:
            out.append(int(d.split("/")[2]))
    return out


def rules(text):
    out = subprocess.run(["iptables-save"], capture_output=True, text=True)
    return [r for r in out.stdout.splitlines() if text in r and "-A" in r]


@pytest.fixture
def net(scratch, registry):
    n = Net(scratch)
    yield n
    n.close()
    wait_for("no lease", lambda: not glob.glob(LEASES))
    wait_for("no rule", lambda: not rules("faults"))


def port(host):
    return [{"container_port": 80, "host_port": host, "protocol": 0}]


def test_addresses_come_back_after_a_wipe(net):
    """Row 29, N3: all addresses are taken, the host forgets every pod, and
    the next start gives all of them back; a host port as well (row 32)."""
    before = [net.pods.run(port_mappings=port(18090))[0]]
    before += [net.pods.run()[0] for _ in range(ROOM - 1)]
    assert len({net.ip(p) for p in before}) == ROOM
    assert code(net.pods.run) != C.OK
    net.pods.start(before[0], net.pods.config(), ["sleep", "86412"])
    kill_all(net.criod)
    net.wipe()
    net.start()
    assert not [p for p in net.criod.client.ListPodSandbox().items
                if p.state == 0]
    for p in before:
        net.criod.client.RemovePodSandbox(pod_sandbox_id=p)
    net.pods.made = []
    wait_for("addresses", lambda: not glob.glob(LEASES))
    wait_for("no rule", lambda: not rules("18090"))
    after = [net.pods.run(port_mappings=port(18090))[0]]
    after += [net.pods.run()[0] for _ in range(ROOM - 1)]
    assert len({net.ip(p) for p in after}) == ROOM
    assert rules("18090")


def test_its_namespace_is_unmounted(net):
    """N3: somebody removes the pinned namespace."""
    pod, _ = net.pods.run(port_mappings=port(18091))
    net.pods.run()
    ns = net.at("run/ns/%s/net" % pod)
    subprocess.run(["umount", ns], check=True)
    os.unlink(ns)
    net.criod.client.StopPodSandbox(pod_sandbox_id=pod)
    net.criod.client.RemovePodSandbox(pod_sandbox_id=pod)
    assert len(glob.glob(LEASES)) == 1
    assert not rules("18091")


def test_configuration_and_plugin_change(net):
    """N2: DEL has what ADD had, whatever the directory says today; a plugin
    that is gone keeps nobody from stopping for ever."""
    cl = net.criod.client
    old, _ = net.pods.run()
    was = net.ip(old)
    net.config("10.78.0.0/28", "faults1")
    wait_for("the new", lambda: net.there("10.78."))
    assert os.path.exists("/var/lib/cni/networks/faults/" + was)
    os.unlink(net.at("net.d/10.conflist"))
    os.rename(net.at("bin/bridge"), net.at("bridge"))
    e = code(cl.StopPodSandbox, pod_sandbox_id=old)
    assert e in (C.INTERNAL, C.UNKNOWN, C.NOT_FOUND, C.FAILED_PRECONDITION), e
    cl.StopPodSandbox(pod_sandbox_id=old)
    cl.RemovePodSandbox(pod_sandbox_id=old)
    assert os.path.exists("/var/lib/cni/networks/faults/" + was)
    os.rename(net.at("bridge"), net.at("bin/bridge"))
    wait_for("its address", lambda: not os.path.exists(
        "/var/lib/cni/networks/faults/" + was), 60)
    net.config()


def test_its_record_is_zeroed(net):
    """N2: what netd wrote at ADD is gone; the pod goes, and is told of."""
    pod, _ = net.pods.run()
    path = net.at("lib/network/" + pod)
    with open(path, "r+b") as f:
        f.write(bytes(os.path.getsize(path)))
    net.criod.replace("netd")
    net.criod.client.StopPodSandbox(pod_sandbox_id=pod)
    net.criod.client.RemovePodSandbox(pod_sandbox_id=pod)
    assert not os.path.exists(path)
