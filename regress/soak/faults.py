"""What is done to a criod while it works.  Each is over when its function
returns, or soon after; none needs a hand to put it right."""

import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time
from urllib.parse import urlsplit

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "grpc"))

import h2raw  # noqa: E402
import world  # noqa: E402
from conftest_integ import wait_for  # noqa: E402

HELPERS = ("front", "streamd", "imaged", "netd", "netlaunch", "execd",
           "execlaunch", "scribe")
PASSING = ("crun", "bridge", "host-local", "portmap", "unpack")


def send(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return False
    return True


def helper(soak):
    """A helper that is there."""
    there = soak.criod.helpers()
    name = soak.fault_rng.choice(HELPERS)
    return there.get(name), name


def kill_helper(soak):
    pid, name = helper(soak)
    if pid is None or not send(pid, signal.SIGKILL):
        return None
    wait_for("restart of " + name,
             lambda: soak.criod.helpers().get(name, pid) != pid, 60)
    return "kill " + name


def stop_helper(soak):
    pid, name = helper(soak)
    if pid is None or not send(pid, signal.SIGSTOP):
        return None
    time.sleep(soak.fault_rng.uniform(0.2, 4))
    send(pid, signal.SIGCONT)
    return "stop " + name


def restart(soak, pids, sig):
    for pid in pids:
        send(pid, sig)
    soak.criod.proc.wait(60)
    for pid in pids:
        wait_for("end of %d" % pid,
                 lambda pid=pid: not os.path.exists("/proc/%d" % pid), 60)
    ours = soak.criod.client	# in use by others all the while
    soak.criod.start("-k")
    soak.criod.client.close()
    soak.criod.client = ours


def kill_criod(soak):
    restart(soak, [soak.criod.parent()], signal.SIGKILL)
    return "kill criod"


def kill_all(soak):
    restart(soak, [soak.criod.parent(), *soak.criod.helpers().values()],
            signal.SIGKILL)
    return "kill criod and its helpers"


def end_criod(soak):
    restart(soak, [soak.criod.parent()], signal.SIGTERM)
    return "restart criod"


def reload_criod(soak):
    send(soak.criod.parent(), signal.SIGHUP)
    return "reload criod"


def of_churn(soak, want):
    """Processes of pods that nobody has promised anything."""
    keep = soak.kept_ids()
    for p in world.processes():
        if not want(p):
            continue
        text = world.read(p.dir + "/cgroup") + " ".join(
            world.link(p.dir + "/fd/" + n) for n in _names(p.dir + "/fd"))
        if not any(k in text for k in keep):
            yield p


def _names(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def kill_one(soak, what, want):
    there = list(of_churn(soak, want))
    if not there:
        return None
    p = soak.fault_rng.choice(there)
    return "kill " + what if send(p.pid, signal.SIGKILL) else None


def kill_monitor(soak):
    return kill_one(soak, "a monitor", lambda p: p.role() == "monitor")


def kill_pause(soak):
    return kill_one(soak, "pause", lambda p: p.role() == "pause")


def kill_container(soak):
    return kill_one(soak, "a container",
                    lambda p: p.name() == "busybox" and
                    "/criod-" in world.read(p.dir + "/cgroup"))


def kill_passing(soak):
    """A runtime, a plugin, unpack: what is there for a moment only."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for p in world.processes():
            if p.name() in PASSING and send(p.pid, signal.SIGKILL):
                return "kill " + p.name()
    return None


def stop_registry(soak):
    send(soak.registry.pid, signal.SIGSTOP)
    time.sleep(soak.fault_rng.uniform(0.2, 2))
    send(soak.registry.pid, signal.SIGCONT)
    return "stop the registry"


def forget_rules(soak):
    """The bridge plugin, killed in the middle of DEL, has taken the link
    away, and its next DEL then finds no address whose rules to remove.
    Returns how many chains were left so."""
    left = set()
    for line in world.output("iptables-save", "-t", "nat").splitlines():
        if not line.startswith("-A") or " id: " not in line or \
                any(i in line for i in soak.kept_ids()):
            continue
        if line.startswith("-A POSTROUTING"):
            rules("-D", *shlex.split(line)[1:])
        left.add(re.search(r"\bCNI-[0-9a-f]+", line).group())
    for chain in left:
        rules("-F", chain)
        rules("-X", chain)
    return len(left)


def forget_cgroups(soak):
    """A runtime that is at work while criod and its launcher are killed may
    make the last of version 1's directories after the rest was removed."""
    n = 0
    for path in world.cgroup_dirs():
        name = os.path.basename(path)
        if "/hugetlb/" not in path or not name.startswith("criod-") or \
                any(i in name for i in soak.kept_ids()) or \
                world.read(path + "/cgroup.procs"):
            continue
        try:
            os.rmdir(path)
            n += 1
        except OSError:
            pass
    return n


def rules(*args):
    subprocess.run(["iptables", "-w", "-t", "nat", *args], check=True)


# ---- what only clients do: nothing may break by it ----

def rapid_reset(soak):
    r = h2raw.Raw(soak.criod.socket)
    block = h2raw.head("/runtime.v1.RuntimeService/ListContainers")
    for i in range(3000):
        sid = 2 * i + 1
        r.send(h2raw.frame(h2raw.HEADERS, h2raw.END_HEADERS, sid, block) +
               h2raw.frame(h2raw.DATA, h2raw.END_STREAM, sid,
                           h2raw.message(b"")) +
               h2raw.frame(h2raw.RST, 0, sid, struct.pack(">I", 8)))
        if r.broken:
            break
    r.close()
    return "rapid reset"


def garbage(soak):
    r = h2raw.Raw(soak.criod.socket)
    for name in ("RunPodSandbox", "CreateContainer", "ExecSync"):
        sid = r.request(h2raw.message(soak.fault_rng.randbytes(2000)),
                        path="/runtime.v1.RuntimeService/" + name)
        try:
            r.answer(sid)
        except AssertionError:
            pass		# the front may just be dying
    r.close()
    return "garbage"


def connections(soak):
    """Many at once, most of them silent."""
    socks = []
    for _ in range(300):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        try:
            s.connect(soak.criod.socket)
        except OSError:
            pass
        socks.append(s)
    for s in socks:
        s.close()
    return "connections"


def guesses(soak):
    """URLs of streams that nobody was given."""
    keep = soak.keep[0]
    try:
        url = urlsplit(soak.criod.client.Exec(
            container_id=keep.ctr, cmd=["true"], stdout=True).url)
        for _ in range(20):
            s = socket.create_connection((url.hostname, url.port), 5)
            s.sendall(("GET /exec/%040x HTTP/1.1\r\nHost: x\r\n\r\n"
                       % soak.fault_rng.getrandbits(160)).encode() * 20)
            s.close()
    except (grpc.RpcError, OSError):
        pass			# either may just be dying
    return "guesses"


# Not the floods, which leave memory in pieces: that would hide a leak.
SOFT = ((garbage, 3), (guesses, 2))
HARD = ((kill_helper, 12), (stop_helper, 6), (kill_criod, 2), (kill_all, 1),
        (end_criod, 2), (reload_criod, 1), (kill_monitor, 4),
        (kill_pause, 2), (kill_container, 4), (kill_passing, 6),
        (stop_registry, 2), (rapid_reset, 2), (connections, 2)) + SOFT
