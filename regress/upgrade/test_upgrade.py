"""One build of criod after another over the same pods (security.md G1, G3)."""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import grpc
import pytest

import builds
import cri
import oci
from conftest_integ import NODE, POD, REGISTRY, Criod, Pods, wait_for

PODS = int(os.environ.get("CRIOD_UPGRADE_PODS", "50"))
RESTARTS = int(os.environ.get("CRIOD_RESTARTS", "30"))
COUNT = ("i=0; while :; do echo $i; i=$((i+1)); sleep 0.5; done")


CRICTL = os.path.join(builds.TREE, "go/crictl")


class Node(Criod):
    """A criod that is now of this build, now of that."""

    def run(self, build):
        os.environ["B"] = build
        begin = time.monotonic()
        try:
            self.start()
        finally:
            os.environ["B"] = builds.TREE
        return time.monotonic() - begin

    def end(self, sig=signal.SIGTERM):
        os.kill(self.parent(), sig)
        self.proc.wait(30)
        self.client.close()


def start_time(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rsplit(")", 1)[1].split()[19]


def process(client, ctr):
    """Its first process, as what cannot be mistaken for another."""
    info = client.ContainerStatus(container_id=ctr, verbose=True).info
    pid = json.loads(info["info"])["pid"]
    return pid, start_time(pid)


def answers(client, pods, ctrs):
    """Byte for byte, what a kubelet would compare.  In one order: BASE lists
    by id after a restart."""
    got = sorted(client.ListPodSandbox().items, key=lambda p: p.id)
    got += sorted(client.ListContainers().containers, key=lambda c: c.id)
    got += [client.PodSandboxStatus(pod_sandbox_id=p).status for p in pods]
    got += [client.ContainerStatus(container_id=c).status for c in ctrs]
    return [m.SerializeToString(deterministic=True) for m in got]


def numbers(path):
    with open(path) as f:
        return [int(line.split(" ", 3)[3]) for line in f]


@pytest.fixture(scope="module")
def big(scratch, registry):
    """An image that takes a moment to pull."""
    layout = oci.Layout(os.path.join(scratch, "big"))
    desc = layout.image([oci.layer(oci.busybox_entries()), oci.layer(
        [oci.entry("data%d" % i, os.urandom(1 << 20)) for i in range(24)])],
        {"Cmd": ["true"]})
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false",
                    "oci:" + layout.write(desc),
                    "docker://%s/library/big:latest" % REGISTRY], check=True)
    return "big"


class Streams:
    """What people have open on a container while criod is replaced: commands,
    by both transports, and its log."""

    def __init__(self, node, ctr, pid, scratch):
        self.pid = pid
        argv = [CRICTL, "-r", "unix://" + node.socket]
        self.execs = {t: subprocess.Popen(
            argv + ["exec", "-i", "--transport", t, ctr, "cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) for t in ("spdy", "websocket")}
        for p in self.execs.values():
            p.stdin.write(b"hello\n")
            p.stdin.flush()
            assert p.stdout.readline() == b"hello\n", p.stderr.read()
        self.seen = tempfile.NamedTemporaryFile(dir=scratch)
        self.log = subprocess.Popen(argv + ["logs", "-f", ctr],
                                    stdout=self.seen,
                                    stderr=subprocess.DEVNULL)
        wait_for("a line", self.lines)

    def lines(self):
        with open(self.seen.name) as f:
            return [int(n) for n in f if n.endswith("\n")]

    def ended(self):
        """criod is away: commands end, and clients hear it.  (SPDY has no way
        to tell a lost connection from an end.)"""
        for t, p in self.execs.items():
            out, err = p.communicate(timeout=60)
            assert out == b""
            assert p.returncode != 0 or t == "spdy", err
        wait_for("no command", lambda: b"cat\0" not in Fleet.commands(
            self.pid))

    def goes_on(self, path):
        """The log's reader waited; not a line was lost or came twice."""
        until = len(numbers(path)) + 2
        wait_for("what came since", lambda: len(self.lines()) >= until, 60)
        assert self.lines() == list(range(len(self.lines())))
        assert self.log.poll() is None
        self.log.kill()
        self.log.wait()
        self.seen.close()


class Fleet:
    """Pods that count into their logs, whoever looks after them."""

    def __init__(self, node, scratch):
        self.node, self.scratch = node, scratch
        self.pods = Pods(node, scratch)
        self.ctrs, self.was, self.paths = {}, {}, {}

    def add(self, network):
        pod, config = self.pods.run(network=network)
        ctr = self.pods.start(pod, config, ["sh", "-c", COUNT])
        self.ctrs[ctr] = pod
        self.was[ctr] = process(self.node.client, ctr)
        self.paths[ctr] = self.pods.status(ctr).log_path

    def fill(self, n):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self.add, [POD if i % 8 == 0 else NODE
                                     for i in range(n)]))

    def look(self):
        return answers(self.node.client, sorted(self.ctrs.values()),
                       sorted(self.ctrs))

    def check(self):
        """None was restarted, every monitor takes a new log and commands."""
        for ctr, was in self.was.items():
            assert start_time(was[0]) == was[1]
            assert process(self.node.client, ctr) == was
            wait_for("monitor", lambda: self.reopens(ctr))
        for ctr in sorted(self.ctrs)[::10]:
            assert self.pods.sh(ctr, "echo yes").stdout == b"yes\n"

    def reopens(self, ctr):
        """UNAVAILABLE: execd has only begun to speak to its monitor."""
        try:
            self.node.client.ReopenContainerLog(container_id=ctr)
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNAVAILABLE
            return False
        return True

    def retire(self):
        """The oldest goes; its log has every number once."""
        ctr = next(iter(self.ctrs))
        pod = self.ctrs.pop(ctr)
        self.node.client.StopContainer(container_id=ctr, timeout=0)
        got = numbers(self.paths[ctr])
        assert got and got == list(range(len(got)))
        self.node.client.RemoveContainer(container_id=ctr)
        self.node.client.StopPodSandbox(pod_sandbox_id=pod)
        self.node.client.RemovePodSandbox(pod_sandbox_id=pod)
        self.pods.made.remove(pod)
        del self.was[ctr]

    def logs(self):
        for path in self.paths.values():
            got = numbers(path)
            assert got == list(range(len(got)))

    def waiter(self):
        """Ends with 42 when it may; how to let it."""
        flag = tempfile.mkdtemp(dir=self.scratch)
        pod, config = self.pods.run(network=NODE)
        ctr = self.pods.start(
            pod, config, ["sh", "-c", "until [ -e /flag/go ]; do sleep 0.1; "
                          "done; exit 42"],
            mounts=[{"container_path": "/flag", "host_path": flag}])
        return ctr, process(self.node.client, ctr)[0], \
            os.path.join(flag, "go")

    def switch(self, build):
        """To another build, over a pull, a command and an end."""
        client = self.node.client
        before = self.look()
        ctr, pid, go = self.waiter()
        pull = client.future("PullImage", image={"image": "big"})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            command = pool.submit(
                lambda: client.ExecSync(container_id=ctr, timeout=600,
                                        cmd=["sleep", "600"]))
            wait_for("command", lambda: b"600" in b"".join(
                self.commands(pid)))
            streams = self.streams()
            self.node.end()
            with pytest.raises(grpc.RpcError):
                command.result(30)
        for s in streams.values():
            s.ended()
        pull.exception()	# ended, well or not
        with open(go, "w"):
            pass
        wait_for("end", lambda: not os.path.exists("/proc/%d" % pid))
        took = self.node.run(build)
        self.pods.client = client = self.node.client
        st = self.pods.status(ctr)
        assert st.exit_code == 42, (st.message, self.node.log())
        self.drop(ctr)
        after = self.look()
        assert after == before
        self.check()
        for watched, s in streams.items():
            s.goes_on(self.paths[watched])
        client.PullImage(image={"image": "big"})
        self.retire()
        self.add(NODE)
        self.add(POD)
        return took

    def streams(self):
        """On the newest, if crictl is here."""
        ctr = list(self.ctrs)[-1]
        return {ctr: Streams(self.node, ctr, self.was[ctr][0], self.scratch)} \
            if os.path.exists(CRICTL) else {}

    @staticmethod
    def commands(pid):
        """Arguments of all in the mount namespace of pid."""
        try:
            ns = os.readlink("/proc/%d/ns/mnt" % pid)
        except OSError:
            return
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/ns/mnt" % p) == ns:
                    with open("/proc/%s/cmdline" % p, "rb") as f:
                        yield f.read()
            except OSError:
                pass

    def drop(self, ctr):
        pod = self.node.client.ContainerStatus(
            container_id=ctr).status
        assert pod.id == ctr
        sandbox = self.node.client.ListContainers(
            filter={"id": ctr}).containers[0].pod_sandbox_id
        self.node.client.StopPodSandbox(pod_sandbox_id=sandbox)
        self.node.client.RemovePodSandbox(pod_sandbox_id=sandbox)
        self.pods.made.remove(sandbox)


def make_node(scratch):
    path = tempfile.mkdtemp(prefix="upgrade.", dir=scratch)
    os.chmod(path, 0o755)
    node = Node(path, args=["-m"])
    node.run(builds.TREE)
    node.client.PullImage(image={"image": "busybox"})
    return node


@pytest.fixture(scope="module")
def fleet(scratch, registry, big):
    node = make_node(scratch)
    f = Fleet(node, scratch)
    f.fill(PODS)
    yield f
    f.logs()
    node.stop()


# The newer one last: BASE does not bear with monitors that say more.
@pytest.mark.parametrize("other", ["base", "newer"])
def test_g1_there_and_back(fleet, other):
    build = getattr(builds, other)()
    fleet.node.client.RemoveImage(image={"image": "big"})
    there = fleet.switch(build)
    fleet.node.client.RemoveImage(image={"image": "big"})
    back = fleet.switch(builds.TREE)
    ages = [c.created_at for c in
            fleet.node.client.ListContainers().containers]
    assert ages == sorted(ages)
    verify = subprocess.run(
        [os.path.join(builds.TREE, "sbin/criodctl"), "-s",
         os.path.join(fleet.node.path, "control.sock"), "image", "verify"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert verify.returncode == 0, verify.stdout
    print("%d pods: ready in %.1f s, back in %.1f s" % (
        len(fleet.ctrs), there, back))


# ---- G3: what is newer than this version knows ----

def raise_version(path):
    """A record of a version to come (lib/record.h)."""
    with open(path, "r+b") as f:
        f.seek(5)
        f.write(b"\x63")


def test_g3_newer_records_are_left_alone(scratch, registry):
    """Of the front, execd, launcher and netd; the rest serves."""
    node = make_node(scratch)
    pods = Pods(node, scratch)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", COUNT])
    other, other_config = pods.run()
    mine = pods.start(other, other_config, ["sh", "-c", COUNT])
    was, path = process(node.client, ctr), pods.status(ctr).log_path
    node.end()
    run = os.path.join(node.path, "run")
    files = [os.path.join(run, "front/pod", pod),
             os.path.join(run, "front/ctr", ctr),
             os.path.join(run, "bundle", ctr, "state"),
             os.path.join(run, "bundle", "@" + pod, "state"),
             os.path.join(run, "launch", ctr),
             os.path.join(run, "launch", ctr + ".spare"),
             os.path.join(node.path, "lib/network", pod)]
    for f in files:
        raise_version(f)
    texts = [open(f, "rb").read() for f in files]
    node.run(builds.TREE)
    pods.client = node.client
    assert [p.id for p in node.client.ListPodSandbox().items] == [other]
    assert [c.id for c in node.client.ListContainers().containers] == [mine]
    with pytest.raises(grpc.RpcError) as e:
        node.client.RunPodSandbox(config=config)
    assert e.value.code() == grpc.StatusCode.ALREADY_EXISTS
    n = len(numbers(path))
    pods.exited(pods.start(*pods.run(), ["true"]))
    wait_for("more numbers", lambda: len(numbers(path)) > n)
    assert start_time(was[0]) == was[1]
    assert [open(f, "rb").read() for f in files] == texts
    assert node.log().count("pod %s was recorded by a newer" % pod) == 1
    # Its own version finds it as it was.
    node.end()
    for f in files:
        with open(f, "r+b") as g:
            g.seek(5)
            g.write(b"\x01")
    node.run(builds.TREE)
    pods.client = node.client
    assert process(node.client, ctr) == was
    got = numbers(path)
    assert got == list(range(len(got)))
    pods.clean()
    node.stop()


def test_g3_newer_catalogue_is_left_alone(scratch, registry):
    node = make_node(scratch)
    pods = Pods(node, scratch)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", COUNT])
    node.end()
    image = os.path.join(node.path, "lib/image")
    db = os.path.join(image, "catalogue.db")

    def version(n):
        subprocess.run(["/usr/bin/python3", "-c", "import sqlite3, sys\n"
                        "c = sqlite3.connect(sys.argv[1])\n"
                        "c.execute('PRAGMA user_version = %d')\n"
                        "c.commit()" % n, db], check=True)

    def contents():
        return sorted(os.listdir(os.path.join(image, "layer")))
    kept = contents()
    old = int(subprocess.run(
        ["/usr/bin/python3", "-c", "import sqlite3, sys\nprint(sqlite3."
         "connect(sys.argv[1]).execute('PRAGMA user_version').fetchone()[0])",
         db], stdout=subprocess.PIPE, check=True, text=True).stdout)
    version(99)
    # Readiness may say that there are no images: pods are another matter.
    node.run(builds.TREE)
    pods.client = node.client
    for name, fields in (("ListImages", {}),
                         ("PullImage", {"image": {"image": "busybox"}}),
                         ("ImageFsInfo", {})):
        with pytest.raises(grpc.RpcError) as e:
            getattr(node.client, name)(**fields)
        assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION, name
        assert "newer" in e.value.details()
    assert pods.sh(ctr, "echo yes").stdout == b"yes\n"
    assert contents() == kept
    node.end()
    version(old)
    node.run(builds.TREE)
    pods.client = node.client
    assert node.client.ListImages().images
    pods.clean()
    node.stop()


# ---- G2 ----

class Churn(threading.Thread):
    """Pods come and go; only a daemon that is away may refuse."""

    MAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

    def __init__(self, node, scratch):
        super().__init__()
        self.node, self.pods = node, Pods(node, scratch)
        self.over = threading.Event()
        self.done, self.wrong = 0, []
        self.start()

    def again(self, fn):
        while True:
            client = cri.Client(self.node.socket)
            try:
                return fn(client)
            except grpc.RpcError as e:
                if e.code() not in self.MAY:
                    raise
                time.sleep(0.05)
            finally:
                client.close()

    def one(self):
        config = self.pods.config(network=NODE)
        pod = self.again(lambda c: c.RunPodSandbox(
            config=config, rpc_timeout=20)).pod_sandbox_id
        ctr = self.again(lambda c: c.CreateContainer(
            pod_sandbox_id=pod, config={
                "metadata": {"name": "c"}, "image": {"image": "busybox"},
                "command": ["sleep", "100"], "linux": config["linux"]},
            sandbox_config=config)).container_id
        try:
            self.again(lambda c: c.StartContainer(container_id=ctr))
        except grpc.RpcError as e:
            # It was started by the try that got no answer.
            if e.code() != grpc.StatusCode.FAILED_PRECONDITION:
                raise
        self.again(lambda c: c.StopPodSandbox(pod_sandbox_id=pod))
        self.again(lambda c: c.RemovePodSandbox(pod_sandbox_id=pod))
        self.done += 1

    def run(self):
        while not self.over.is_set():
            try:
                self.one()
            except Exception as e:	# noqa: B902, told by the test
                self.wrong.append(e)


def test_g2_restart_storm(scratch, registry):
    node = make_node(scratch)
    f = Fleet(node, scratch)
    f.fill(4)
    churn = Churn(node, scratch)
    took = []
    try:
        for i in range(RESTARTS):
            node.end(signal.SIGKILL if i % 2 else signal.SIGTERM)
            took.append(node.run(builds.TREE))
    finally:
        churn.over.set()
        churn.join(120)
    assert not churn.wrong, churn.wrong
    assert churn.done > 0
    f.pods.client = node.client
    f.check()
    wait_for("what was half made to go", lambda: sorted(
        p.id for p in node.client.ListPodSandbox().items) ==
        sorted(f.ctrs.values()))
    f.pods.clean()
    for below in ("run/front/pod", "run/front/ctr", "run/bundle", "run/rootfs",
                  "run/ns", "lib/container", "lib/network", "lib/record/pod",
                  "lib/record/ctr"):
        wait_for(below + " to be empty", lambda below=below: not os.listdir(
            os.path.join(node.path, below)))
    f.logs()
    node.stop()
    print("%d restarts, %d pods came and went; ready in %.2f to %.2f s" % (
        RESTARTS, churn.done, min(took), max(took)))
    shutil.rmtree(f.pods.logs)
