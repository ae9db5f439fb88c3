"""What the integration tests share: a registry, criod, pods that go away."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cri  # noqa: E402
import oci  # noqa: E402

REGISTRY = "127.0.0.1:5000"
POD, CONTAINER, NODE, TARGET = 0, 1, 2, 3
# The ids of a pod with a user namespace, as a kubelet sends them.
HOST_ID, ID_COUNT = 1 << 20, 1 << 16
ID_MAP = [{"container_id": 0, "host_id": HOST_ID, "length": ID_COUNT}]


def wait_for(what, fn, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("not in %d s: %s" % (seconds, what))


@pytest.fixture(scope="session")
def scratch():
    path = tempfile.mkdtemp(prefix="criod-regress.")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def local_registry(scratch):
    """Debian's docker-registry on loopback; holds the test images."""
    root = os.path.join(scratch, "registry")
    conf = os.path.join(scratch, "registry.yml")
    with open(conf, "w") as f:
        f.write("version: 0.1\nlog: {level: error, accesslog: {disabled: "
                "true}}\nstorage: {filesystem: {rootdirectory: %s}, delete: "
                "{enabled: true}}\nhttp: {addr: %s}\n" % (root, REGISTRY))
    proc = subprocess.Popen(["docker-registry", "serve", conf],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    layout = oci.Layout(os.path.join(scratch, "busybox"))
    desc = layout.image([oci.layer(oci.busybox_entries())],
                        {"Env": ["PATH=/bin", "FROM_IMAGE=yes"],
                         "Cmd": ["sleep", "3600"]})
    path = layout.write(desc)

    def up():
        return subprocess.run(
            ["skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:" + path,
             "docker://%s/library/busybox:latest" % REGISTRY],
            stderr=subprocess.DEVNULL).returncode == 0
    wait_for("registry", up)
    yield proc
    proc.terminate()
    proc.wait()


@pytest.fixture(scope="session")
def registry(scratch):
    with local_registry(scratch):
        yield REGISTRY


def children(pid):
    """Of all processes: the kernel's own list of a process's children leaves
    some out while others end."""
    out = []
    for p in os.listdir("/proc"):
        try:
            with open("/proc/%d/stat" % int(p)) as f:
                if int(f.read().rpartition(")")[2].split()[1]) == pid:
                    out.append(int(p))
        except (OSError, ValueError):
            pass
    return out


def program(pid):
    """The name of its file; None: it has ended.  What runs from a mount of
    its own is called "/" there."""
    try:
        path = os.readlink("/proc/%s/exe" % pid)
        if path == "/":
            with open("/proc/%s/cmdline" % pid) as f:
                path = f.read().partition("\0")[0]
        return os.path.basename(path)
    except OSError:
        return None


class Criod:
    """regress/serve, started and stopped."""

    def __init__(self, path, conf="", args=()):
        self.path, self.args = path, list(args)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        if conf:
            self.conf = os.path.join(path, "extra.conf")
            with open(self.conf, "w") as f:
                f.write(conf)
            self.args += ["-c", self.conf]
        self.socket = os.path.join(path, "criod.sock")
        self.proc = self.client = None

    def start(self, *extra):
        self.proc = subprocess.Popen(
            [os.path.join(cri.TOP, "regress/serve"), *self.args, *extra,
             self.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        line = self.proc.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError("serve: " + self.proc.stderr.read())
        self.client = cri.Client(self.socket)
        return self

    def ready(self):
        try:
            return all(c.status for c in
                       self.client.Status().status.conditions)
        except grpc.RpcError:
            return False

    def replaced(self, role, old):
        """The helper whose pid is old has ended: until another serves."""
        wait_for("another " + role,
                 lambda: self.helpers().get(role, old) != old)
        wait_for("criod", self.ready)

    def replace(self, role):
        old = self.helpers()[role]
        os.kill(old, signal.SIGKILL)
        self.replaced(role, old)

    def stop(self, sig=signal.SIGTERM):
        self.client.close()
        self.proc.send_signal(sig)
        self.proc.wait(60)

    def parent(self):
        """The pid of criod itself."""
        for k in children(self.proc.pid):
            if program(k) == "criod":
                return k
        raise AssertionError("criod is not running")

    def helpers(self):
        """Program name to pid of the parent's children."""
        out = {program(k): k for k in children(self.parent())}
        out.pop(None, None)
        return out

    def log(self):
        with open(os.path.join(self.path, "criod.log")) as f:
            return f.read()


@pytest.fixture(scope="session")
def criod(scratch, registry):
    """The criod that most tests share, with the mirrors of serve -m."""
    c = Criod(os.path.join(scratch, "criod"), args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


class Pods:
    """Makes pods with sensible defaults and removes them."""

    def __init__(self, criod, scratch):
        self.criod, self.client = criod, criod.client
        self.made = []
        self.logs = tempfile.mkdtemp(prefix="logs.", dir=scratch)

    def config(self, network=POD, pid=CONTAINER, **over):
        uid = str(uuid.uuid4())
        c = {"metadata": {"name": "pod-" + uid[:8], "uid": uid,
                          "namespace": "regress", "attempt": 0},
             "hostname": "host-" + uid[:8], "log_directory": self.logs,
             "linux": {"security_context": {"namespace_options": {
                 "network": network, "pid": pid}}}}
        if network == NODE:
            del c["hostname"]
        c.update(over)
        return c

    def userns_config(self, **over):
        """One with a user namespace, if the store's file system can."""
        h = {h.name: h.features for h in
             self.client.Status().runtime_handlers}
        if not h["crun"].user_namespaces:
            pytest.skip("the store's file system shows no other ids")
        config = self.config(**over)
        ns = config["linux"]["security_context"]["namespace_options"]
        ns["userns_options"] = {"mode": POD, "uids": ID_MAP, "gids": ID_MAP}
        return config

    def run(self, config=None, handler="", **over):
        config = config or self.config(**over)
        pod = self.client.RunPodSandbox(
            config=config, runtime_handler=handler).pod_sandbox_id
        self.made.append(pod)
        return pod, config

    def create(self, pod, config, command=(), name="c", attempt=0, **over):
        ns = config["linux"]["security_context"]["namespace_options"]
        call = {k: over.pop(k) for k in ("rpc_timeout",) if k in over}
        c = {"metadata": {"name": name, "attempt": attempt},
             "image": {"image": over.pop("image", "busybox")},
             "command": list(command), "log_path": "%s-%s_%d.log" % (
                 config["metadata"]["name"], name, attempt),
             "linux": {"security_context": {"namespace_options": ns}}}
        sc = over.pop("security_context", None)
        if sc:
            c["linux"]["security_context"].update(sc)
        resources = over.pop("resources", None)
        if resources:
            c["linux"]["resources"] = resources
        c.update(over)
        return self.client.CreateContainer(
            pod_sandbox_id=pod, config=c, sandbox_config=config,
            **call).container_id

    def start(self, *args, **over):
        ctr = self.create(*args, **over)
        self.client.StartContainer(container_id=ctr)
        return ctr

    def status(self, ctr):
        return self.client.ContainerStatus(container_id=ctr).status

    def exited(self, ctr, seconds=20):
        def look():
            st = self.status(ctr)
            return st if st.state == 2 else None
        return wait_for("exit of " + ctr, look, seconds)

    def log(self, ctr):
        with open(self.status(ctr).log_path) as f:
            return f.read()

    def text(self, ctr, stream="stdout"):
        """What the container wrote, joined from its log."""
        out = ""
        for line in self.log(ctr).splitlines():
            _, s, tag, text = line.split(" ", 3)
            if s == stream:
                out += text + ("\n" if tag == "F" else "")
        return out

    def output(self, command, **over):
        """Runs command in a fresh pod; its status and output."""
        pod_over = over.pop("pod", {})
        pod, config = self.run(**pod_over)
        ctr = self.start(pod, config, command, **over)
        st = self.exited(ctr)
        return st, self.text(ctr)

    def sh(self, ctr, script, timeout=20):
        return self.client.ExecSync(container_id=ctr,
                                    cmd=["sh", "-c", script], timeout=timeout)

    def clean(self):
        for pod in self.made:
            self.client.StopPodSandbox(pod_sandbox_id=pod)
            self.client.RemovePodSandbox(pod_sandbox_id=pod)
        self.made = []


@pytest.fixture
def pods(criod, scratch):
    p = Pods(criod, scratch)
    yield p
    p.clean()
