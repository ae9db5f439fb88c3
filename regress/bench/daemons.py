"""The runtimes that the benches compare, each with everything below one
directory, and what is looked at from outside."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integ"))

import cri  # noqa: E402

PAUSE = "registry.k8s.io/pause:3.6"
CNI = "/usr/lib/cni"


def conflist(name, bridge, subnet):
    return {"cniVersion": "1.0.0", "name": name, "plugins": [
        {"type": "bridge", "bridge": bridge, "isGateway": True,
         "ipMasq": True, "hairpinMode": True,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": subnet}]],
                  "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}}]}


def wait_for(what, fn, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return
        time.sleep(0.05)
    raise SystemExit("bench: not in %d s: %s" % (seconds, what))


class Daemon:
    """A runtime under test; self.client when started."""

    def __init__(self, root):
        self.root = os.path.join(root, self.name)
        self.cni = os.path.join(self.root, "net.d")
        os.makedirs(self.cni)
        os.chmod(self.root, 0o755)
        # As on a node, whose /run is one; a build machine's may not be.
        self.run = os.path.join(self.root, "run")
        os.mkdir(self.run)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs",
                        self.run], check=True)
        with open(os.path.join(self.cni, "10-bench.conflist"), "w") as f:
            json.dump(conflist("bench-" + self.name, self.bridge,
                               self.subnet), f)

    def clear(self):
        for pod in self.client.ListPodSandbox().items:
            self.client.StopPodSandbox(pod_sandbox_id=pod.id)
            self.client.RemovePodSandbox(pod_sandbox_id=pod.id)

    def stop(self):
        self.client.close()
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(60)
        subprocess.run(["ip", "link", "del", self.bridge],
                       stderr=subprocess.DEVNULL)
        shutil.rmtree("/var/lib/cni/networks/bench-" + self.name,
                      ignore_errors=True)
        if os.path.ismount(self.run):
            subprocess.run(["umount", "-l", self.run])


class Criod(Daemon):
    name, bridge, subnet, handler = "criod", "bench0", "10.77.0.0/16", "runc"

    def start(self, insecure=None):
        """insecure: a registry to be reached without TLS."""
        conf = os.path.join(self.root, "extra.conf")
        with open(conf, "w") as f:
            f.write('cni configuration "%s"\n' % self.cni)
            if insecure:
                f.write('registry "%s" {\n\tinsecure\n}\n' % insecure)
        self.proc = subprocess.Popen(
            [os.path.join(cri.TOP, "regress/serve"), "-c", conf, self.root],
            stdout=subprocess.PIPE, text=True)
        if not self.proc.stdout.readline().startswith("ready"):
            raise SystemExit("bench: criod did not start")
        self.client = cri.Client(os.path.join(self.root, "criod.sock"))
        return self

    def load(self, name, layout):
        subprocess.run([os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
                        os.path.join(self.root, "control.sock"), "image",
                        "import", "-t", name, layout], check=True,
                       stdout=subprocess.DEVNULL)

    def main_pids(self):
        out = subprocess.run(["pgrep", "-P", str(self.proc.pid), "-x",
                              "criod"], capture_output=True, text=True)
        return [int(p) for p in out.stdout.split()]

    monitor = "monitor"

    def spec(self, ctr):
        with open(os.path.join(self.root, "run/bundle", ctr,
                               "config.json")) as f:
            return json.load(f)


class Containerd(Daemon):
    name, bridge, subnet = "containerd", "bench1", "10.78.0.0/16"
    handler = ""

    def start(self, insecure=None):
        """insecure is a loopback address: that is so by itself here."""
        conf = os.path.join(self.root, "config.toml")
        self.sock = os.path.join(self.root, "containerd.sock")
        with open(conf, "w") as f:
            f.write("""version = 2
root = "%(r)s/root"
state = "%(r)s/run"
[grpc]
  address = "%(r)s/containerd.sock"
[debug]
  level = "error"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%(p)s"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%(b)s"
    conf_dir = "%(r)s/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "%(r)s/run/runc"
""" % {"r": self.root, "p": PAUSE, "b": CNI})
        with open(os.path.join(self.root, "log"), "w") as log:
            self.proc = subprocess.Popen(["containerd", "-c", conf],
                                         stdout=log, stderr=log)
        wait_for("containerd", lambda: os.path.exists(self.sock))
        self.client = cri.Client(self.sock)
        wait_for("containerd's network", lambda: all(
            c.status for c in self.client.Status().status.conditions))
        return self

    def load(self, name, layout):
        tar = layout + ".tar"
        subprocess.run(["tar", "-C", layout, "-cf", tar, "."], check=True)
        subprocess.run(["ctr", "-a", self.sock, "-n", "k8s.io", "images",
                        "import", "--index-name", name, tar], check=True,
                       stdout=subprocess.DEVNULL)

    def main_pids(self):
        return [self.proc.pid]

    monitor = "containerd-shim"

    def spec(self, ctr):
        with open(os.path.join(
                self.root, "run/io.containerd.runtime.v2.task/k8s.io",
                ctr, "config.json")) as f:
            return json.load(f)


def pss(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def descendants(pids):
    out, todo = [], list(pids)
    while todo:
        pid = todo.pop()
        out.append(pid)
        try:
            with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                todo += [int(p) for p in f.read().split()]
        except OSError:
            pass
    return out
