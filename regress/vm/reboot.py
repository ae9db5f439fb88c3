"""A node that is reset while pods run: what is on its disk stays, nothing is
synced or asked.  Run at both boots of an emulated guest (security.md G4); the
first one ends in the reset."""

import glob
import json
import os
import random
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../powercut"),
                os.path.join(HERE, "../integ")]

import grpc  # noqa: E402

import content  # noqa: E402
import cri  # noqa: E402
import hostile  # noqa: E402
from conftest_integ import Criod, Pods, wait_for  # noqa: E402

DEVICE = "/dev/vda"
DISK = "/mnt"
NODE = "/tmp/node"
BEFORE = "/media/out/before.json"	# the emulator's host keeps it
LEASES = "/var/lib/cni/networks/reboot/10.88.77.*"
PORT, HOST_PORT = 5016, 8080
CONF = """registry "127.0.0.1:%d" { insecure }
cni configuration "%s/cni"
""" % (PORT, DISK)
NETWORK = {"cniVersion": "1.0.0", "name": "reboot", "plugins": [
    {"type": "bridge", "bridge": "criodreboot", "isGateway": True,
     "ipMasq": True, "ipam": {
         "type": "host-local", "ranges": [[{"subnet": "10.88.77.0/28"}]]}},
    {"type": "portmap", "capabilities": {"portMappings": True}}]}
PORTS = [{"container_port": 80, "host_port": HOST_PORT, "protocol": 0}]


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def bind(name, path):
    """Of the disk, where criod and the plugins look for it."""
    for d in (os.path.join(DISK, name), path):
        os.makedirs(d, exist_ok=True)
    mount("--bind", os.path.join(DISK, name), path)


class Registry(hostile.Registry):
    """With an image whose pull never ends."""

    def __init__(self):
        super().__init__(port=PORT)
        self.names = content.images(self, random.Random(1))
        self.busybox = content.busybox(self)
        image = hostile.Image([{"big": random.Random(2).randbytes(8 << 20)}],
                              how="plain")
        self.endless = self.put("endless", "v1", image)
        self.waits = threading.Event()
        self.big = image.blobs[image.manifest["layers"][0]["digest"]]
        self.hooks["blobs", "endless",
                   image.manifest["layers"][0]["digest"]] = self.most_of

    def most_of(self, h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(self.big)))
        h.end_headers()
        h.wfile.write(self.big[:7 << 20])
        h.wfile.flush()
        self.waits.set()
        h.connection.recv(1)


def start():
    mount(DEVICE, DISK)
    bind("lib", NODE + "/lib")
    bind("cni-state", "/var/lib/cni")
    os.makedirs(DISK + "/cni", exist_ok=True)
    with open(DISK + "/cni/net.conflist", "w") as f:
        json.dump(NETWORK, f)
    return Criod(NODE, conf=CONF, args=["-k"]).start()


def ctl(*args):
    done = subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         NODE + "/control.sock", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names(directory):
    return set(os.listdir(os.path.join(NODE, "lib", directory)))


def listed(client):
    return ({p.id: p.state for p in client.ListPodSandbox().items},
            {c.id: c.state for c in client.ListContainers().containers})


def fill(pods, registry):
    """Pods and containers in each state; those that run, and an exited one."""
    stopped, _ = pods.run()
    pods.client.StopPodSandbox(pod_sandbox_id=stopped)
    pod, config = pods.run(port_mappings=PORTS)
    new = dict(image=registry.busybox)
    running = pods.start(pod, config, [
        "sh", "-c", "echo x >/written; echo hello; sleep 1000"], **new)
    done = pods.start(pod, config, ["sh", "-c", "exit 9"], name="done", **new)
    pods.create(pod, config, ["true"], name="created", **new)
    pods.exited(done, 100)
    wait_for("the log", lambda: "hello" in pods.log(running), 100)
    shared, config = pods.run(pid=0)
    second = pods.start(shared, config, ["sleep", "1000"], **new)
    return [running, second], done


def keep(pods, registry):
    """Two batches of copies are placed: the first is on the disk."""
    for name in ("one", "two"):
        pod, config = pods.run()
        ctr = pods.create(pod, config, ["true"], name=name,
                          image=registry.busybox)
        wait_for("a copy", lambda c=ctr: c in names("record/ctr"), 100)
        yield pod, ctr


def before():
    criod, registry = start(), Registry()
    client = criod.client
    there = registry.names[:3] + [registry.busybox]
    for name in registry.names[:4] + [registry.busybox]:
        client.PullImage(image={"image": name}, rpc_timeout=100)
    client.RemoveImage(image={"image": registry.names[3]})
    pods = Pods(criod, DISK)
    running, done = fill(pods, registry)
    batches = list(keep(pods, registry))
    all_pods, all_ctrs = listed(client)
    for known, n in ((all_pods, 0), (all_ctrs, 1)):
        known.pop(batches[1][n])
    assert sorted(all_pods.values()) == [0, 0, 0, 1], all_pods
    threading.Thread(target=client.PullImage, daemon=True, kwargs={
        "image": {"image": registry.endless}, "rpc_timeout": 600}).start()
    assert registry.waits.wait(100)
    with open(BEFORE, "w") as f:
        json.dump({"images": there, "gone": registry.names[3:],
                   "pods": list(all_pods), "ctrs": list(all_ctrs),
                   "running": running, "done": done}, f)
        f.flush()
        os.fsync(f.fileno())
    print("%d pods, %d leases: reset" % (len(all_pods), len(glob.glob(LEASES))))
    sys.stdout.flush()
    with open("/proc/sysrq-trigger", "w") as f:
        f.write("b")
    raise AssertionError("the guest goes on")


def check_images(client, was, registry):
    verified = ctl("image", "verify").splitlines()
    assert all(line.startswith("ok ") for line in verified), verified
    for name in was["images"]:
        assert client.ImageStatus(image={"image": name}).image.id, name
    for name in was["gone"] + [registry.endless]:
        assert not client.ImageStatus(image={"image": name}).image.id, name
    layers = {str(x["number"]) for i in ctl("image", "list", "-q").split()
              for d in json.loads(ctl("image", "inspect", i))
              for x in d["layers"]}
    wait_for("layers without an image to go",
             lambda: names("image/layer") == layers, 100)
    assert names("image/tmp") == set()


def check_pods(client, pods, was):
    now_pods, now_ctrs = listed(client)
    assert set(was["pods"]) <= set(now_pods), (was, now_pods)
    assert set(was["ctrs"]) <= set(now_ctrs), (was, now_ctrs)
    assert set(now_pods.values()) == {1}, now_pods	# NOTREADY
    assert set(now_ctrs.values()) == {2}, now_ctrs	# EXITED
    for c in was["running"]:
        st = pods.status(c)
        assert (st.exit_code, st.reason) == (255, "NodeRestarted"), st
    assert pods.status(was["done"]).exit_code == 9
    wait_for("addresses to be released", lambda: not glob.glob(LEASES), 100)
    try:
        client.StartContainer(container_id=was["running"][0])
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.FAILED_PRECONDITION, e
    else:
        raise AssertionError("a container of before was started")


def check_work(client, pods, registry):
    """With the same host port, and an image of before."""
    pod, config = pods.run(port_mappings=PORTS)
    ctr = pods.start(pod, config, ["sleep", "1000"], image=registry.busybox)
    assert pods.sh(ctr, "echo yes", timeout=100).stdout == b"yes\n"
    for name in registry.names:
        client.PullImage(image={"image": name}, rpc_timeout=100)
    ctl("image", "verify")


def check_removal(was):
    """Of what the last batch of copies did not have, the writable layer stays."""
    ctl("pod", "remove", "-a")
    for directory in ("network", "record/pod", "record/ctr"):
        wait_for("nothing in " + directory, lambda d=directory: not names(d))
    assert not names("container") & set(was["ctrs"])
    assert not glob.glob(LEASES), glob.glob(LEASES)


def after():
    with open(BEFORE) as f:
        was = json.load(f)
    criod, registry = start(), Registry()
    pods = Pods(criod, DISK)
    try:
        check_images(criod.client, was, registry)
        check_pods(criod.client, pods, was)
        check_work(criod.client, pods, registry)
        check_removal(was)
    except BaseException:
        print(criod.log()[-3000:])
        print("reboot: 0 passed, 1 failed")
        raise
    criod.stop()
    print("reboot: 1 passed, 0 failed")
    sys.stdout.flush()
    os._exit(0)  # the registry's threads go on


if os.path.exists(BEFORE):
    after()
else:
    before()
