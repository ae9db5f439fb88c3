"""What kubelets and people do, at random: pods come, live and go."""

import os
import re
import shutil
import sys
import threading
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "streamd"))

from conftest_integ import CONTAINER, NODE, POD, Pods  # noqa: E402
from spdy import Remote, Spdy, connect  # noqa: E402
from ws import Ws  # noqa: E402

Code = grpc.StatusCode
# What trying again cannot change.
FINAL = {Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.INVALID_ARGUMENT,
         Code.ALREADY_EXISTS, Code.UNIMPLEMENTED, Code.PERMISSION_DENIED}
PATIENCE = 90
COUNT = ("i=0; while :; do echo $i; i=$((i+1)); usleep 20000; done & "
         "nc -ll -p 8080 -e echo hello 2>/dev/null & wait")
FORWARD = ["Connection: Upgrade", "Upgrade: SPDY/3.1",
           "X-Stream-Protocol-Version: portforward.k8s.io"]
CPU_SHARES = (2, 512, 1024)
# What a stream that breaks looks like from here.
BROKEN = (OSError, EOFError, AssertionError, IndexError, ValueError)


class GaveUp(Exception):
    """A call that failed for good."""


class Caller:
    """A client that tries again, as a kubelet does; while nothing is being
    hurt it need not, so an error is one of criod's."""

    def __init__(self, soak, rng):
        self.soak, self.rng = soak, rng

    def __getattr__(self, name):
        def call(rpc_timeout=60, **fields):
            return self.tries(name, rpc_timeout, fields)
        return call

    def tries(self, name, rpc_timeout, fields):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = getattr(self.soak.criod.client, name)(
                    rpc_timeout=rpc_timeout, **fields)
                self.soak.count(name)
                return answer
            except grpc.RpcError as e:
                self.failed(name, e, end)
            time.sleep(self.rng.uniform(0.1, 0.5))

    def failed(self, name, e, end):
        self.soak.count("%s: %s" % (name, e.code().name), "errors")
        text = "%s: %s: %s" % (name, e.code().name, e.details())
        if not self.soak.storm:
            self.soak.fault_found("while nothing was hurt: " + text)
            raise GaveUp(text)
        if e.code() in FINAL:
            raise GaveUp(text)
        if time.monotonic() > end:
            self.soak.fault_found("in %d s never: %s" % (PATIENCE, text))
            raise GaveUp(text)


def numbers(path):
    """The numbered lines of a log, and how many come again or are missing."""
    got, bad = [], 0
    with open(path) as f:
        for line in f:
            m = re.fullmatch(r"\S+ stdout F (\d+)\n", line)
            if m:
                got.append(int(m.group(1)))
            elif not line.endswith("\n"):
                pass		# being written
            else:
                bad += 1
    bad += sum(b != a + 1 for a, b in zip(got, got[1:]))
    return got, bad


class Worker(threading.Thread):
    """A kubelet with one pod at a time."""

    def __init__(self, soak, rng, stop):
        super().__init__(daemon=True)
        self.soak, self.rng, self.stop = soak, rng, stop
        self.client = Caller(soak, rng)

    def run(self):
        while not self.stop.is_set():
            pods = Pods(self, self.soak.scratch)
            try:
                self.live(pods)
            except GaveUp:
                self.soak.count("pods given up", "errors")
            try:
                pods.clean()
                self.soak.count("pods")
            except GaveUp as e:
                self.soak.fault_found("not removed: %s" % e)
            shutil.rmtree(pods.logs)

    # ---- a life ----

    def live(self, pods):
        network = NODE if self.rng.random() < 0.2 else POD
        config = pods.config(network=network, pid=self.rng.choice(
            (POD, CONTAINER)))
        if self.rng.random() < 0.2:
            self.leave_early("RunPodSandbox", config=config)
        pod, _ = pods.run(config)
        ctrs = [self.container(pods, pod, config, "c%d" % i)
                for i in range(self.rng.choice((1, 1, 2)))]
        for _ in range(self.rng.randrange(2, 8)):
            if self.stop.is_set():
                break
            i = self.rng.randrange(len(ctrs))
            self.act(pods, pod, config, ctrs, i)
        for c in ctrs:
            self.check_log(pods, c)

    def container(self, pods, pod, config, name, attempt=0):
        ctr = pods.create(pod, config, ["sh", "-c", COUNT], name=name,
                          attempt=attempt,
                          resources={"cpu_shares": 512, "memory_limit_in_bytes":
                                     64 << 20})
        self.client.StartContainer(container_id=ctr)
        return ctr

    def act(self, pods, pod, config, ctrs, i):
        what = self.rng.choices([a for a, _ in ACTIONS],
                                [w for _, w in ACTIONS])[0]
        if what is replace:
            ctrs[i] = replace(self, pods, pod, config, ctrs[i])
        else:
            what(self, pods, pod, config, ctrs[i])

    def leave_early(self, name, **fields):
        """A call whose client leaves in the middle; tried again later."""
        try:
            getattr(self.soak.criod.client, name)(
                rpc_timeout=self.rng.uniform(0.001, 0.08), **fields)
        except grpc.RpcError:
            self.soak.count("clients that left")

    def stream(self, fn, *args):
        """Streams break when something is hurt; else they must not."""
        try:
            fn(*args)
            self.soak.count("streams")
        except GaveUp:
            raise
        except BROKEN as e:
            self.soak.count("streams: %s" % type(e).__name__, "errors")
            if not self.soak.storm:
                self.soak.fault_found("a stream broke: %r" % e)

    def check_log(self, pods, ctr):
        path = self.client.ContainerStatus(container_id=ctr).status.log_path
        try:
            got, bad = numbers(path)
        except FileNotFoundError:
            return		# a start that failed
        if bad or got and got[0] != 0 and not os.path.exists(path + ".1"):
            self.soak.fault_found("log of %s: %d lines wrong" % (ctr, bad))
        self.soak.count("log lines", n=len(got))


# ---- what may be done in a pod ----

def run_true(w, pods, pod, config, ctr):
    w.client.ExecSync(container_id=ctr, cmd=["true"], timeout=10)


def run_output(w, pods, pod, config, ctr):
    n = w.rng.randrange(1, 300000)
    r = w.client.ExecSync(container_id=ctr, timeout=20, cmd=[
        "sh", "-c", "head -c %d /dev/zero; exit 3" % n])
    ended = r.exit_code == 3
    if ended and len(r.stdout) != n or not ended and not w.soak.storm:
        w.soak.fault_found("exec: %d of %d bytes, status %d" % (
            len(r.stdout), n, r.exit_code))


def run_hang(w, pods, pod, config, ctr):
    """A probe that hangs: killed at its timeout, all of it."""
    try:
        w.soak.criod.client.ExecSync(container_id=ctr, timeout=1, cmd=[
            "sh", "-c", "sleep 1000 & sleep 1000"])
        if not w.soak.storm:	# in one, its container may have ended
            w.soak.fault_found("a probe that hangs was answered")
    except grpc.RpcError as e:
        w.soak.count("probes that hung")
        if e.code() != Code.DEADLINE_EXCEEDED and not w.soak.storm:
            w.soak.fault_found("a probe that hung: %s" % e.details())


def leave_exec(w, pods, pod, config, ctr):
    w.leave_early("ExecSync", container_id=ctr, cmd=["sleep", "1000"],
                  timeout=1)


def look(w, pods, pod, config, ctr):
    w.client.ContainerStatus(container_id=ctr, verbose=True)
    w.client.PodSandboxStatus(pod_sandbox_id=pod, verbose=True)
    w.client.ContainerStats(container_id=ctr)
    w.client.ListPodSandboxStats()
    w.client.ImageFsInfo()
    w.client.Status(verbose=True)


def update(w, pods, pod, config, ctr):
    w.client.UpdateContainerResources(container_id=ctr, linux={
        "cpu_shares": w.rng.choice(CPU_SHARES),
        "memory_limit_in_bytes": w.rng.choice((48, 64, 96)) << 20})


def rotate(w, pods, pod, config, ctr):
    """As the kubelet: rename, reopen.  Nothing may be lost in between."""
    path = w.client.ContainerStatus(container_id=ctr).status.log_path
    if os.path.exists(path + ".1"):
        return
    try:
        os.rename(path, path + ".1")
    except FileNotFoundError:
        return
    w.client.ReopenContainerLog(container_id=ctr)
    w.soak.count("rotations")
    old, bad = numbers(path + ".1")
    if bad or old and old[0] != 0:
        w.soak.fault_found("rotated log of %s: %d lines wrong" % (ctr, bad))


def stream_exec(w, pods, pod, config, ctr):
    url = w.client.Exec(container_id=ctr, cmd=["cat"], stdin=True,
                        stdout=True).url
    w.stream(stream_cat, url, os.urandom(1) * w.rng.randrange(1, 100000))


def stream_cat(url, text):
    r = Remote(url, ("stdin", "stdout"))
    try:
        r.write(text[:30000])
        r.write(text[30000:], fin=True)
        out, _, status = r.result()
        assert out == text and b"Success" in status, (len(out), status)
    finally:
        r.close()


def stream_ws(w, pods, pod, config, ctr):
    url = w.client.Exec(container_id=ctr, cmd=["echo", "hello"],
                        stdout=True).url
    w.stream(stream_echo, url)


def stream_echo(url):
    s = Ws(url, ["v5.channel.k8s.io"])
    try:
        assert s.status == 101, s.head
        got = b""
        while b"Success" not in got:
            piece = s.sock.recv(4096)
            assert piece, "ended after %r" % got
            got += piece
        assert b"hello" in got
    finally:
        s.sock.close()


def attach(w, pods, pod, config, ctr):
    url = w.client.Attach(container_id=ctr, stdout=True).url
    w.stream(stream_attach, url)


def stream_attach(url):
    r = Remote(url, ("stdout",))
    try:
        r.spdy.wait(lambda: len(r.st["stdout"].data) > 10 or r.spdy.closed)
        assert len(r.st["stdout"].data) > 10, "attach says nothing"
    finally:
        r.close()


def forward(w, pods, pod, config, ctr):
    if config["linux"]["security_context"]["namespace_options"][
            "network"] == NODE:
        return
    url = w.client.PortForward(pod_sandbox_id=pod, port=[8080]).url
    w.stream(stream_forward, url)


def stream_forward(url):
    sock, status, head = connect(url, FORWARD)
    assert status == 101, head
    c = Spdy(sock)
    try:
        ends = [c.open(streamtype=t, port="8080", requestid="0")
                for t in ("error", "data")]
        c.write(ends[0], b"", fin=True)
        c.write(ends[1], b"", fin=True)
        c.wait(lambda: ends[1].ended and ends[0].ended or c.closed)
        # One that has only just begun does not listen yet.
        assert bytes(ends[1].data) == b"hello\n" or \
            b"refused" in ends[0].data, [bytes(e.data) for e in ends]
    finally:
        c.close()


def drop_url(w, pods, pod, config, ctr):
    """A stream that nobody comes for."""
    w.client.Exec(container_id=ctr, cmd=["true"], stdout=True)


def replace(w, pods, pod, config, ctr):
    """Stopped, removed, made anew with the next attempt."""
    w.check_log(pods, ctr)
    md = w.client.ContainerStatus(container_id=ctr).status.metadata
    w.client.StopContainer(container_id=ctr, timeout=w.rng.choice((0, 0, 1)))
    w.client.RemoveContainer(container_id=ctr)
    w.soak.count("containers replaced")
    return w.container(pods, pod, config, md.name, md.attempt + 1)


ACTIONS = ((run_true, 8), (run_output, 4), (run_hang, 1), (leave_exec, 2),
           (look, 3), (update, 2), (rotate, 3), (stream_exec, 3),
           (stream_ws, 2), (attach, 2), (forward, 2), (drop_url, 1),
           (replace, 2))


class Puller(threading.Thread):
    """Images come and go, some pulls are left in the middle."""

    def __init__(self, soak, rng, stop):
        super().__init__(daemon=True)
        self.soak, self.rng, self.stop = soak, rng, stop
        self.client = Caller(soak, rng)

    def run(self):
        while not self.stop.is_set():
            image = {"image": self.rng.choice(self.soak.images)}
            try:
                self.once(image)
            except GaveUp:
                self.soak.count("pulls given up", "errors")
            self.stop.wait(self.rng.uniform(0, 1))

    def once(self, image):
        if self.rng.random() < 0.3:
            try:
                self.soak.criod.client.PullImage(
                    rpc_timeout=self.rng.uniform(0.01, 0.3), image=image)
            except grpc.RpcError:
                self.soak.count("pulls left")
        self.client.PullImage(image=image)
        if not self.client.ImageStatus(image=image).image.id:
            self.soak.fault_found("pulled, and not there: %r" % image)
        self.client.RemoveImage(image=image)


class Watcher(threading.Thread):
    """Asks for lists all the time, and follows the events."""

    def __init__(self, soak, stop):
        super().__init__(daemon=True)
        self.soak, self.stop = soak, stop
        self.events = threading.Thread(target=self.follow, daemon=True)

    def run(self):
        self.events.start()
        while not self.stop.wait(0.2):
            start = time.monotonic()
            try:
                self.soak.criod.client.ListContainers(rpc_timeout=20)
                self.soak.criod.client.ListPodSandbox(rpc_timeout=20)
            except grpc.RpcError:
                continue
            self.soak.latency.add((time.monotonic() - start) / 2)
        self.call.cancel()
        self.events.join()

    def follow(self):
        while not self.stop.is_set():
            self.call = self.soak.criod.client.GetContainerEvents(
                rpc_timeout=3600)
            try:
                for _ in self.call:
                    self.soak.count("events")
            except grpc.RpcError:
                self.stop.wait(0.2)
