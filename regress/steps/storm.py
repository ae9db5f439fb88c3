"""kill -9 of every process, idle and while everything is used.

By hand: regress/box /usr/bin/python3 regress/steps/storm.py [-n KILLS] [-i]"""

import argparse
import base64
import collections
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import urlsplit

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integ"))
os.environ.setdefault("B", os.path.join(HERE, "../../build/failpoints"))

import oci  # noqa: E402
from conftest_integ import (REGISTRY, Criod, Pods,  # noqa: E402
                            program, wait_for)
from test_leaks import difference, world  # noqa: E402
from watcher import Watcher  # noqa: E402

HELPERS = ["front", "streamd", "imaged", "netd", "netlaunch", "execd",
           "execlaunch", "nrid", "scribe"]
# What lives for a moment, by the name of its program: killed when it appears.
MOMENTARY = ["unpack", "crun", "bridge", "host-local", "execlaunch",
             "monitor"]
PARENT = "criod"
CONF = 'nri { }\naudit log "%s/audit.log"\n'
# What a call may say whose helper was killed, and one whose runtime or
# plugin was.
AWAY = {"UNAVAILABLE"}
FAILED = AWAY | {"INTERNAL", "UNKNOWN", "CANCELLED", "DEADLINE_EXCEEDED",
                 "ABORTED"}


def parent_of(pid):
    try:
        with open("/proc/%s/stat" % pid) as f:
            return int(f.read().rsplit(") ", 1)[1].split()[1])
    except OSError:
        return 0


def pids_of(name):
    """Processes of that name, by their program or by what they say."""
    out = []
    for d in os.listdir("/proc"):
        try:
            if d.isdigit() and (program(d) == name or open(
                    "/proc/%s/comm" % d).read() == name + "\n"):
                out.append(int(d))
        except OSError:
            pass
    return out


def deletes(pid):
    """A plugin in a DEL: Debian's bridge, cut short there, forgets its rules."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as f:
            return b"CNI_COMMAND=DEL" in f.read()
    except OSError:
        return True


class Use:
    """Clients that use everything, each in a thread."""

    def __init__(self, storm):
        self.storm, self.client = storm, storm.criod.client
        self.pods = storm.pods
        self.done = collections.Counter()
        self.said = collections.Counter()
        self.wrong = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.loop, args=(fn,))
                        for fn in (self.life, self.execs, self.images,
                                   self.numbers, self.streams, self.logs)]
        for t in self.threads:
            t.start()

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join(120)

    def loop(self, fn):
        while not self.over.is_set():
            try:
                fn()
            except grpc.RpcError:
                pass  # counted
            except Exception as e:  # noqa: BLE001
                self.wrong.append("%s: %r" % (fn.__name__, e))
            time.sleep(0.02)

    def call(self, name, **fields):
        try:
            r = getattr(self.client, name)(rpc_timeout=60, **fields)
        except grpc.RpcError as e:
            self.said["%s %s" % (name, e.code().name)] += 1
            self.storm.texts[e.code().name].add(
                "%s: %s" % (name, e.details()[:150]))
            raise
        self.done[name] += 1
        return r

    def life(self):
        config = self.pods.config()
        ns = config["linux"]["security_context"]
        pod = self.call("RunPodSandbox", config=config).pod_sandbox_id
        ctr = self.call("CreateContainer", pod_sandbox_id=pod,
                        sandbox_config=config, config={
                            "metadata": {"name": "c", "attempt": 0},
                            "image": {"image": "busybox"},
                            "command": ["sleep", "100"],
                            "log_path": pod + ".log",
                            "linux": {"security_context": ns}}).container_id
        self.call("StartContainer", container_id=ctr)
        self.call("StopContainer", container_id=ctr, timeout=0)
        self.call("RemoveContainer", container_id=ctr)
        self.call("StopPodSandbox", pod_sandbox_id=pod)
        self.call("RemovePodSandbox", pod_sandbox_id=pod)

    def execs(self):
        word = "w%d" % random.randrange(10**9)
        r = self.call("ExecSync", container_id=self.storm.ctr,
                      cmd=["echo", word], timeout=20)
        # 137: it was the command, before its execve, that bore the name.
        if r.exit_code != 137 and r.stdout != word.encode() + b"\n":
            self.wrong.append("exec said %r" % r)

    def images(self):
        image = {"image": "big"}
        ref = self.call("PullImage", image=image).image_ref
        st = self.call("ImageStatus", image=image).image
        if st.id != ref:
            self.wrong.append("pulled %s, found %s" % (ref, st.id))
        self.call("ListImages")
        self.call("ImageFsInfo")
        self.call("RemoveImage", image=image)

    def numbers(self):
        self.call("ListContainerStats")
        self.call("PodSandboxStatus", pod_sandbox_id=self.storm.pod,
                  verbose=True)
        self.call("ListMetricDescriptors")
        self.call("UpdateContainerResources", container_id=self.storm.ctr,
                  linux={"cpu_shares": random.choice((512, 1024))})
        time.sleep(0.1)

    def logs(self):
        self.call("ReopenContainerLog", container_id=self.storm.ctr)
        time.sleep(0.1)

    def streams(self):
        """An exec by WebSocket; one that is cut says nothing."""
        u = urlsplit(self.call("Exec", container_id=self.storm.ctr,
                               cmd=["echo", "streamed"], stdout=True).url)
        got = b""
        try:
            got = self.stream(u)
        except OSError:
            pass	# streamd was killed after it had answered
        self.done["streams " + ("whole" if b"streamed\n" in got
                                else "cut")] += 1

    @staticmethod
    def stream(u):
        got = b""
        with socket.create_connection((u.hostname, u.port), 10) as s:
            s.settimeout(30)
            s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
                       "Upgrade: websocket\r\nSec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: "
                       "v5.channel.k8s.io\r\n\r\n" % (
                           u.path, u.netloc, base64.b64encode(
                               os.urandom(16)).decode())).encode())
            more = s.recv(4096)
            while more:
                got += more
                more = s.recv(4096)
        return got


class Storm:
    def __init__(self, scratch, registry):
        self.scratch = scratch
        self.texts = collections.defaultdict(set)
        path = tempfile.mkdtemp(prefix="storm.", dir=scratch)
        os.chmod(path, 0o755)
        self.push_big()
        self.criod = Criod(path, conf=CONF % path, args=["-m"]).start()
        self.criod.client.PullImage(image={"image": "busybox"})
        self.pods = Pods(self.criod, scratch)
        pod, _ = self.pods.run()  # makes the bridge and its chains
        self.pods.clean()
        self.before = self.everything()
        self.pod, config = self.pods.run()
        self.ctr = self.pods.start(self.pod, config, [
            "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); "
            "usleep 5000; done"])
        self.pid = self.ctr_pid()
        self.back = collections.defaultdict(list)
        self.use = None

    def push_big(self):
        """4 MB that cannot be compressed."""
        layout = oci.Layout(os.path.join(self.scratch, "big"))
        desc = layout.image([oci.layer([oci.entry(
            "f%d" % i, os.urandom(400000)) for i in range(10)])], {})
        subprocess.run(
            ["skopeo", "copy", "-q", "--dest-tls-verify=false",
             "oci:" + layout.write(desc),
             "docker://%s/library/big:latest" % REGISTRY], check=True)

    def everything(self):
        from test_steps import processes
        out = world(self.criod)
        out["processes"] = set(processes())
        # crun's own, which nobody can do for it when it is killed.
        out["mounts"] = {m for m in out["mounts"]
                         if not m.startswith("/tmp/crun.")}
        image = os.path.join(self.criod.path, "lib/image")
        out["layers"] = set(os.listdir(image + "/layer"))
        out["blobs"] = set(os.listdir(image + "/tmp"))
        return out

    def ctr_pid(self):
        info = self.criod.client.ContainerStatus(
            container_id=self.ctr, verbose=True).info["info"]
        return json.loads(info)["pid"]

    # ---- kills ----

    def helper(self, role):
        """The daemon, not a job of it: the parent's child."""
        return self.criod.helpers().get(role, 0)

    def kill_helper(self, role):
        old = wait_for(role, lambda: self.helper(role))
        before = time.monotonic()
        os.kill(old, signal.SIGKILL)
        wait_for("a new " + role, lambda: self.helper(role) not in (0, old))
        self.back[role].append(time.monotonic() - before)
        return True

    def kill_momentary(self, name, seconds=2):
        end = time.monotonic() + seconds
        keep = {self.helper("execlaunch"), parent_of(self.pid)}
        while time.monotonic() < end:
            for pid in pids_of(name):
                if pid not in keep and not deletes(pid):
                    try:
                        os.kill(pid, signal.SIGKILL)
                        return True
                    except ProcessLookupError:
                        pass
        return False

    def kill_parent(self):
        before = time.monotonic()
        os.kill(self.criod.parent(), signal.SIGKILL)
        self.criod.proc.wait(30)
        old, self.criod.client = self.criod.client, None
        self.criod.start()
        self.criod.client.close()
        self.criod.client = old  # its channel finds the new socket
        self.back[PARENT].append(time.monotonic() - before)
        return True

    def kill(self, what):
        kind, name = what
        if kind == "helper":
            return self.kill_helper(name)
        return self.kill_parent() if kind == "parent" else \
            self.kill_momentary(name)

    # ---- what must hold ----

    def answers(self):
        def all_answer():
            try:
                return self.pods.sh(self.ctr, "echo alive").stdout == \
                    b"alive\n" and all(
                        c.status for c in
                        self.criod.client.Status().status.conditions)
            except grpc.RpcError as e:
                assert e.code().name in FAILED, e
                return False
        wait_for("service", all_answer, 30)

    def check(self):
        """Same process, whole log; and when all is removed, nothing."""
        self.answers()
        assert self.ctr_pid() == self.pid
        path = self.pods.status(self.ctr).log_path
        cl = self.criod.client
        cl.StopContainer(container_id=self.ctr, timeout=0)
        with open(path) as f:
            got = [int(line.split(" ", 3)[3]) for line in f]
        assert got == list(range(len(got))), "the log has a hole"
        image = {"image": "big"}
        cl.RemoveImage(image=image)

        def empty():
            for p in cl.ListPodSandbox().items:
                cl.StopPodSandbox(pod_sandbox_id=p.id)
                cl.RemovePodSandbox(pod_sandbox_id=p.id)
            return not difference(self.before, self.everything())
        try:
            wait_for("clean", empty, 60)
        except AssertionError:
            raise AssertionError("left: %r" % difference(
                self.before, self.everything()))
        return len(got)

    def run(self, kills, busy):
        """kills: a list of (kind, name).  What was seen, as a dictionary."""
        # What waits for a new front is away, not slow.
        watch = Watcher(self.criod, connect_ms=100)
        self.use = Use(self) if busy else None
        hit = collections.Counter()
        try:
            for what in kills:
                time.sleep(random.uniform(0, 0.15) if busy else 0)
                hit[what[1]] += self.kill(what)
        finally:
            if self.use is not None:
                self.use.end()
        seen = {"kills": dict(hit), "watch": watch.end(), "back": {
            k: "%.2f" % max(v) for k, v in self.back.items()}}
        if self.use is not None:
            seen.update(done=dict(self.use.done), said=dict(self.use.said),
                        wrong=self.use.wrong)
        return seen

    def close(self):
        self.criod.proc.terminate()
        self.criod.proc.wait(60)
        if self.criod.client is not None:
            self.criod.client.close()


def plan(n, parents=True, momentary=True):
    kinds = [("helper", r) for r in HELPERS]
    if momentary:
        kinds += [("momentary", m) for m in MOMENTARY]
    if parents:
        kinds += [("parent", PARENT)]
    return [random.choice(kinds) for _ in range(n)]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("-n", type=int, default=100)
    ap.add_argument("-i", action="store_true", help="idle")
    ap.add_argument("-s", type=int, default=int(time.time()))
    a = ap.parse_args()
    random.seed(a.s)
    print("seed", a.s, flush=True)
    from conftest_integ import registry, scratch
    s = scratch.__wrapped__()
    d = next(s)
    r = registry.__wrapped__(d)
    next(r)
    storm = Storm(d, None)
    try:
        seen = storm.run(plan(a.n, momentary=not a.i), not a.i)
        for k, v in seen.items():
            print(k, json.dumps(v, sort_keys=True), flush=True)
        for code, texts in storm.texts.items():
            if code != "UNAVAILABLE":
                print(code, *sorted(texts)[:12], sep="\n    ")
        assert not seen.get("wrong")
        print("log lines, whole:", storm.check())
    finally:
        shutil.copy(os.path.join(storm.criod.path, "criod.log"),
                    "build/storm.log")
        storm.close()
        for g in (r, s):
            next(g, None)


if __name__ == "__main__":
    main()
