"""systemd, or the bus to it, stands still (security.md X3, §3 row 34)."""

import concurrent.futures
import glob
import os
import signal
import subprocess
import time

import grpc
import pytest

from conftest_integ import Pods, wait_for
from watcher import Watcher

ROOT = "/sys/fs/cgroup"
INIT = ROOT + "/init.scope/cgroup.freeze"


LONG = 400		# seconds: longer than any bound of criod's
OWN = "Deadline Exceeded"	# what the client itself says then
ENDS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNKNOWN)


def systemd():
    return os.path.exists("/run/systemd/system") and os.path.exists(INIT)


pytestmark = pytest.mark.skipif(
    not systemd(), reason="no systemd here; regress/vm/lane -s runs these")


def main_pid(unit):
    out = subprocess.run(["systemctl", "show", "-p", "MainPID", unit],
                         check=True, capture_output=True, text=True).stdout
    return int(out.strip().split("=")[1])


class Bus:
    """dbus-daemon does not answer, nor does it read."""

    forgets = False

    def __init__(self):
        self.pid = main_pid("dbus.service")

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)


class Init:
    """A SIGSTOP would not reach process 1; the freezer does.  It goes on listing
    scopes whose cgroups went away meanwhile."""

    forgets = True

    @staticmethod
    def write(text):
        with open(INIT, "w") as f:
            f.write(text)

    def stop(self):
        self.write("1")

        def frozen():
            with open(os.path.dirname(INIT) + "/cgroup.events") as f:
                return "frozen 1" in f.read()
        wait_for("systemd to be frozen", frozen)

    def go_on(self):
        self.write("0")


@pytest.fixture(params=[Bus, Init])
def still(request):
    s = request.param()
    yield s
    s.go_on()


HANDLERS = ("crun", "runc")


class Node:
    """A pod of each runtime, containers in it, and one more pod each."""

    def __init__(self, criod, scratch):
        self.pods = Pods(criod, scratch)
        self.client = self.pods.client
        self.pool = concurrent.futures.ThreadPoolExecutor(20)
        self.made = {h: self.make(h) for h in HANDLERS}
        self.ids = [i for m in self.made.values() for i in
                    [m["pod"], m["gone"], *m["ctrs"]]]

    def make(self, handler):
        pod, config = self.pods.run(handler=handler)
        gone, gone_config = self.pods.run(handler=handler)
        ctrs = [self.pods.start(pod, config, ["sleep", "1000"], name=name)
                for name in ("stop", "update", "exec", "remove")]
        ctrs.append(self.pods.start(gone, gone_config, ["sleep", "1000"]))
        return {"pod": pod, "config": config, "gone": gone, "ctrs": ctrs}

    def ask(self, what):
        """What it ended with: None, or the error; when it has ended."""
        def run():
            begin = time.monotonic()
            try:
                what()
                e = None
            except grpc.RpcError as error:
                e = error
            return e, time.monotonic() - begin
        return self.pool.submit(run)

    def create(self, m, name):
        return self.pods.create(m["pod"], m["config"], ["sleep", "1000"],
                                name=name, rpc_timeout=LONG)

    def take_away(self, m):
        self.client.StopPodSandbox(pod_sandbox_id=m["gone"], rpc_timeout=LONG)
        self.client.RemovePodSandbox(pod_sandbox_id=m["gone"],
                                     rpc_timeout=LONG)
        self.pods.made.remove(m["gone"])

    def refused(self, m):
        """What needs systemd."""
        return {
            "create": self.ask(lambda: self.create(m, "late")),
            "update": self.ask(
                lambda: self.client.UpdateContainerResources(
                    container_id=m["ctrs"][1], rpc_timeout=LONG,
                    linux={"cpu_shares": 512}))}

    def served(self, m, handler):
        """What does not, or can do without."""
        c = self.client
        return {
            "run": self.ask(lambda: self.pods.run(handler=handler)),
            "stop": self.ask(lambda: c.StopContainer(
                container_id=m["ctrs"][0], timeout=0, rpc_timeout=LONG)),
            "exec": self.ask(lambda: c.ExecSync(
                container_id=m["ctrs"][2], cmd=["true"], timeout=100)),
            "remove": self.ask(lambda: c.RemoveContainer(
                container_id=m["ctrs"][3], rpc_timeout=LONG)),
            "take away": self.ask(lambda: self.take_away(m))}


def units(ids):
    """Of these."""
    out = subprocess.run(["systemctl", "list-units", "--all", "--plain",
                          "--no-legend"], check=True, capture_output=True,
                         text=True).stdout
    return [u.split()[0] for u in out.splitlines() if any(i in u for i in ids)]


def left(ids):
    """Cgroups and processes of these."""
    out = []
    for i in ids:
        out += glob.glob(ROOT + "/**/*%s*" % i, recursive=True)
    for p in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(p) as f:
                text = f.read()
        except OSError:
            continue
        out += [(p, text) for i in ids if i in text]
    return out


def test_x3_row_34(criod, scratch, still):
    node = Node(criod, scratch)
    watcher = Watcher(criod)
    still.stop()
    refused, served = {}, {}
    for h, m in node.made.items():
        refused.update({(h, k): f for k, f in node.refused(m).items()})
        served.update({(h, k): f for k, f in node.served(m, h).items()})
    ends = {k: f.result() for k, f in {**refused, **served}.items()}
    still.go_on()
    for k, (e, seconds) in ends.items():
        print("%s %s: %.1f s: %s" % (*k, seconds, e and e.details()))
    seen = watcher.end()
    print(seen)
    for k in refused:
        e = ends[k][0]
        assert e and e.code() in ENDS and e.details() != OWN, (k, e)
    assert not {k: ends[k] for k in served if ends[k][0]}
    assert not seen["away"] and not seen["other"], seen

    # All is as before.
    for m in node.made.values():
        ctr = node.create(m, "again")
        node.ids.append(ctr)
        node.client.StartContainer(container_id=ctr)
        node.client.UpdateContainerResources(container_id=ctr,
                                             linux={"cpu_shares": 300})
    node.pods.clean()
    node.pool.shutdown()
    if still.forgets:
        for u in units(node.ids):
            subprocess.run(["systemctl", "stop", u], check=True)

    def all_left():
        return left(node.ids) + units(node.ids)
    try:
        wait_for("nothing to be left", lambda: not all_left(), 60)
    except AssertionError:
        pytest.fail("left: %r" % all_left())
    failed = subprocess.run(["systemctl", "--failed", "--plain",
                             "--no-legend"], capture_output=True, text=True)
    assert "criod-" not in failed.stdout
