"""What a reboot does to a criod that was started by regress/serve."""

import glob
import os
import shutil
import signal
import subprocess

from conftest_integ import wait_for

BRIDGE = "criodreboot"	# of the tests' network


def parents():
    """Of every process, its parent."""
    out = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                text = f.read()
        except OSError:
            continue
        out[int(text.split(" ", 1)[0])] = int(text.rsplit(")", 1)[1].split()[1])
    return out


def arguments(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def all_of(criod):
    """criod, its helpers, its monitors, and whatever descends from them."""
    tree = parents()
    found = {p for p in tree if criod.path + "/" in arguments(p) and
             os.path.basename(arguments(p).split("\0")[0]) in (
                 "criod", "monitor")}
    while True:
        more = {p for p, up in tree.items() if up in found} - found
        if not more:
            return found
        found |= more


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def unmount(path):
    with open("/proc/self/mountinfo") as f:
        mounts = [line.split()[4] for line in f]
    for m in sorted(mounts, reverse=True):
        if m.startswith(path + "/"):
            subprocess.run(["umount", "-l", m], check=True)


def cgroups(ids):
    """Those of these pods and containers."""
    out = []
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        out += [os.path.join(top, d) for d in dirs
                if any(i in d for i in ids)]
    return sorted(out, reverse=True)


def crash(criod):
    """The node stops: no process is asked; what is on a disk stays."""
    run = os.path.join(criod.path, "run")
    ids = [os.path.basename(p) for p in
           glob.glob(run + "/front/pod/*") + glob.glob(run + "/front/ctr/*")]
    pids = all_of(criod)
    for pid in pids:
        kill(pid)
    for pid in pids:
        wait_for("end of %d" % pid, lambda pid=pid: parents().get(pid, 1) == 1
                 and not arguments(pid))
    criod.proc.wait(20)
    criod.client.close()
    unmount(criod.path)
    shutil.rmtree(run)
    for d in cgroups(ids):
        wait_for("cgroup " + d, lambda d=d: not os.path.isdir(d) or
                 remove(d))
    bridge_gone()


def bridge_gone():
    subprocess.run(["ip", "link", "del", BRIDGE], check=False,
                   stderr=subprocess.DEVNULL)


def remove(path):
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def reboot(criod):
    crash(criod)
    criod.start()
