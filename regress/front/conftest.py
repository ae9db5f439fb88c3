"""The front between fake peers (peers.c) and a CRI client."""

import os
import subprocess
import sys
import tempfile
import threading
import time

import grpc
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integ"))

import cri  # noqa: E402

UID = 12345


def wait_for(what, fn, seconds=10):
    end = time.monotonic() + seconds
    while True:
        got = fn()
        if got:
            return got
        assert time.monotonic() < end, "not in time: " + what
        time.sleep(0.01)


class Front:
    def __init__(self, path):
        self.dir = path
        os.mkdir(path + "/front", 0o700)
        os.chown(path + "/front", UID, UID)
        os.chmod(path, 0o711)
        self.log = open(path + "/log", "wb")
        self.said, self.done = [], []
        self.proc = subprocess.Popen(
            [os.path.join(cri.BUILD, "regress/front_peers"),
             os.path.join(cri.BUILD, "libexec/criod/front"), path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            text=True, bufsize=1)
        threading.Thread(target=self._read, daemon=True).start()
        self.serial = 0
        self.client = None
        self.up(1)

    def _read(self):
        for line in self.proc.stdout:
            to = self.done if line.startswith("done ") else self.said
            to.append(line.rstrip("\n"))

    @property
    def lines(self):
        """All that the peers wrote up to now: they write in order."""
        self.cmd("sync")
        return list(self.said)

    def up(self, times):
        wait_for("serving",
                 lambda: self.logged().count("serving") >= times)
        if self.client:
            self.client.close()
        self.client = cri.Client(self.dir + "/cri")

    def logged(self):
        with open(self.dir + "/log", errors="replace") as f:
            return f.read()

    def pid(self):
        wait_for("pid", lambda: self.seen("pid "))
        return int(self.seen("pid ")[-1][4:])

    def cmd(self, text):
        n = len(self.done)
        self.proc.stdin.write(text + "\n")
        wait_for(text, lambda: "done " + text in self.done[n:])

    def kill(self):
        times = self.logged().count("serving")
        self.cmd("kill")
        self.up(times + 1)

    def seen(self, start, since=0):
        return [x for x in self.lines[since:] if x.startswith(start)]

    def records(self, kind):
        d = os.path.join(self.dir, "front", kind)
        return sorted(os.listdir(d)) if os.path.isdir(d) else []

    # What a kubelet would send.
    def pod_config(self, **more):
        self.serial += 1
        config = {
            "metadata": {"name": "pod%d" % self.serial, "uid": "uid",
                         "namespace": "default", "attempt": 0},
            "log_directory": "/var/log/pods/x",
            "labels": {"app": "a"},
            "annotations": {"note": "line\nline", "x": ""},
        }
        config.update(more)
        return config

    def run(self, **more):
        config = self.pod_config(**more)
        return self.client.RunPodSandbox(
            config=config).pod_sandbox_id, config

    def ctr_config(self, name="ctr", **more):
        config = {"metadata": {"name": name, "attempt": 0},
                  "image": {"image": "registry.test/busybox"},
                  "log_path": name + "/0.log",
                  # Else its end is followed by a SIGKILL for the rest.
                  "linux": {"security_context": {"namespace_options": {
                      "pid": 1}}}}
        config.update(more)
        return config

    def create(self, pod, pod_config, name="ctr", **more):
        return self.client.CreateContainer(
            pod_sandbox_id=pod, sandbox_config=pod_config,
            config=self.ctr_config(name, **more)).container_id

    def start(self, pod, pod_config, name="ctr", **more):
        ctr = self.create(pod, pod_config, name, **more)
        self.client.StartContainer(container_id=ctr)
        return ctr

    def pod(self, pod):
        return self.client.PodSandboxStatus(pod_sandbox_id=pod).status

    def ctr(self, ctr):
        return self.client.ContainerStatus(container_id=ctr).status


@pytest.fixture
def front():
    with tempfile.TemporaryDirectory(prefix="criod-front.") as d:
        f = Front(d)
        pid = f.pid()
        yield f
        pids = [int(x[4:]) for x in f.seen("pid ")]
        alive = os.path.exists("/proc/%d" % f.pid())
        f.client.close()
        f.proc.stdin.close()
        f.proc.wait(10)
        if not alive or os.environ.get("V"):
            print(f.logged())
        assert alive, "the front died (first pid %d of %s)" % (pid, pids)


@pytest.fixture
def fails():
    def check(code, call, *args, **kw):
        with pytest.raises(grpc.RpcError) as e:
            call(*args, **kw)
        assert e.value.code() == getattr(grpc.StatusCode, code), \
            e.value.details()
        return e.value.details()
    return check
