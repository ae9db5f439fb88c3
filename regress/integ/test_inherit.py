"""A container that criod started has nothing of criod's: it differs from one
that the same runtime started from a bare shell, with the same config.json, in
what is named here and nothing else."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import threading

import pytest

from conftest_integ import Criod, Pods, wait_for

RUNTIMES = {"crun": "/usr/bin/crun", "runc": "/usr/sbin/runc"}
libc = ctypes.CDLL(None, use_errno=True)
IOPRIO_GET, IOPRIO_PROCESS = 252, 1
RT_SIGACTION = 13

# What must differ, or is time's: who it is, where it is, what it did.
APART = {"Pid", "Tgid", "NSpid", "NStgid", "NSpgid", "NSsid", "PPid", "Ngid",
         "VmPeak", "VmSize", "VmLck", "VmPin", "VmHWM", "VmRSS", "RssAnon",
         "RssFile", "RssShmem", "VmData", "VmStk", "VmExe", "VmLib", "VmPTE",
         "VmSwap", "HugetlbPages", "voluntary_ctxt_switches",
         "nonvoluntary_ctxt_switches", "State", "SigQ"}


def text(pid, name):
    with open("/proc/%d/%s" % (pid, name), "rb") as f:
        return f.read()


def status(pid):
    out = {}
    for line in text(pid, "status").decode().splitlines():
        name, value = line.split(":", 1)
        if name not in APART:
            out[name] = value.split()
    return out


def kind(target):
    """A descriptor's, without the number that is its own."""
    return re.sub(r":\[\d+\]", "", target)


def descriptors(pid):
    d = "/proc/%d/fd" % pid
    out = {}
    for n in os.listdir(d):
        with open("/proc/%d/fdinfo/%s" % (pid, n)) as f:
            flags = int(re.search(r"flags:\s+(\d+)", f.read()).group(1), 8)
        out[n] = (kind(os.readlink(os.path.join(d, n))), flags)
    return out


def stat_fields(pid):
    """Of proc(5): flags that count, nice, scheduling policy and so on."""
    f = text(pid, "stat").decode().rsplit(")", 1)[1].split()
    at = {"tty": 7, "priority": 18, "nice": 19, "rt_priority": 40,
          "policy": 41, "exit_signal": 38}
    return {k: f[n - 3] for k, n in at.items()}


# Files of /proc that are compared as they are.
FILES = ["limits", "personality", "oom_score_adj", "coredump_filter",
         "timerslack_ns", "environ", "cmdline", "loginuid", "sessionid",
         "setgroups", "uid_map", "gid_map", "attr/current", "autogroup"]


def namespaces(pid):
    """Which are the host's."""
    return {n: os.readlink("/proc/%d/ns/%s" % (pid, n)) == os.readlink(
        "/proc/self/ns/" + n) for n in os.listdir("/proc/%d/ns" % pid)}


def cgroups(pid, names):
    """With the container's own name in the place of its path."""
    out = text(pid, "cgroup").decode()
    for n in names:
        out = out.replace(n, "SELF")
    return sorted(re.sub(r"^\d+:", "", x) for x in out.splitlines())


def mounts(pid, names):
    """What is mounted where, how, and whose it hears."""
    out = []
    for line in text(pid, "mountinfo").decode().splitlines():
        for n in names:
            line = line.replace(n, "SELF")
        f = line.split()
        tags = [re.sub(r":\d+", "", t) for t in f[6:f.index("-")]]
        out.append((f[3], f[4], f[5], tags, f[f.index("-") + 1]))
    return sorted(out)


def facts(pid, names):
    got = {"status " + k: v for k, v in status(pid).items()}
    got.update(("stat " + k, v) for k, v in stat_fields(pid).items())
    for name in FILES:
        try:
            got[name] = text(pid, name)
        except OSError as e:
            got[name] = e.errno
    # The number of an autogroup says which session, the rest how nice.
    if isinstance(got["autogroup"], bytes):
        got["autogroup"] = got["autogroup"].split(b" ", 1)[-1]
    got["ioprio"] = libc.syscall(IOPRIO_GET, IOPRIO_PROCESS, pid)
    got["affinity"] = os.sched_getaffinity(pid)
    got["descriptors"] = descriptors(pid)
    got["cwd"] = os.readlink("/proc/%d/cwd" % pid)
    got["namespaces"] = namespaces(pid)
    got["cgroups"] = cgroups(pid, names)
    got["mounts"] = mounts(pid, names)
    return got


def default_signals():
    """Whoever runs the tests may ignore some, among them those that the C
    library keeps for itself and would not touch."""
    default = ctypes.create_string_buffer(32)
    for sig in range(1, 65):
        libc.syscall(RT_SIGACTION, sig, default, None, 8)


class Bare:
    """The same configuration, run by the same runtime, from a shell."""

    def __init__(self, scratch, handler, spec, name, shell=""):
        self.id = "bare-" + name
        self.dir = os.path.join(scratch, self.id)
        os.makedirs(self.dir)
        spec["linux"]["cgroupsPath"] = os.path.join(os.path.dirname(
            spec["linux"]["cgroupsPath"]), "criod-" + self.id)
        with open(os.path.join(self.dir, "config.json"), "w") as f:
            json.dump(spec, f)
        self.run = [RUNTIMES[handler], "--root",
                    os.path.join(self.dir, "root")]
        self.pid_file = os.path.join(self.dir, "pid")
        # A shell of its own session, as criod's helpers are.
        self.shell = subprocess.Popen(
            ["setsid", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
             "sh", "-c", "umask 022; cd /; %s exec \"$@\"" % shell, "sh",
             *self.run,
             "run", "-d", "--pid-file", self.pid_file, "-b", self.dir,
             self.id], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=default_signals)
        assert self.shell.wait(30) == 0, self.shell.stderr.read()
        with open(self.pid_file) as f:
            self.pid = int(f.read())

    def remove(self):
        subprocess.run([*self.run, "delete", "-f", self.id], check=True,
                       timeout=30)
        self.shell.stdout.close()
        self.shell.stderr.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def started(pods, handler):
    pod, config = pods.run(handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], envs=[
        {"key": "GIVEN", "value": b"yes"}])
    info = json.loads(pods.client.ContainerStatus(
        container_id=ctr, verbose=True).info["info"])
    return ctr, info["pid"], info["runtimeSpec"]


def differences(pods, scratch, handler, shell=""):
    """Names of facts that differ, with both."""
    ctr, pid, spec = started(pods, handler)
    bare = Bare(scratch, handler, spec, handler, shell)
    try:
        for p in (pid, bare.pid):
            wait_for("sleep", lambda: text(p, "cmdline").startswith(b"sleep"))
        ours = facts(pid, ["criod-" + ctr, ctr])
        theirs = facts(bare.pid, ["criod-" + bare.id])
        assert set(ours) == set(theirs) and len(ours) > 50
        return {k: (ours[k], theirs[k]) for k in ours if ours[k] != theirs[k]}
    finally:
        bare.remove()


@pytest.mark.parametrize("handler", sorted(RUNTIMES))
def test_nothing_is_inherited(pods, scratch, handler):
    differ = differences(pods, scratch, handler)
    assert not differ, "\n".join("%s: %s" % kv for kv in differ.items())


def test_a_difference_shows(pods, scratch):
    """The comparison sees what a shell passes on."""
    differ = differences(pods, scratch, "crun",
                         "ulimit -n 1000; trap '' USR1; renice -n 3 $$ "
                         ">/dev/null; echo 7 >/proc/$$/coredump_filter;")
    assert {"limits", "stat nice", "coredump_filter"} <= set(differ)


# ---- hooks ----

# Says who it is, and waits.
HOOK = """#!/bin/sh
echo $$ >%s/who
read x <%s/go
"""


class Hooked(threading.Thread):
    """A criod with a hook for every container, and the facts of those that
    ran, in order."""

    def __init__(self, scratch):
        super().__init__(daemon=True)
        self.dir = os.path.join(scratch, "hooked")
        os.makedirs(os.path.join(self.dir, "d"))
        self.fifos = [os.path.join(self.dir, n) for n in ("who", "go")]
        for path in self.fifos:
            os.mkfifo(path)
        program = os.path.join(self.dir, "hook")
        with open(program, "w") as f:
            f.write(HOOK % (self.dir, self.dir))
        os.chmod(program, 0o755)
        with open(os.path.join(self.dir, "d/a.json"), "w") as f:
            json.dump({"version": "1.0.0", "when": {"always": True},
                       "hook": {"path": program},
                       "stages": ["createRuntime"]}, f)
        self.seen = []
        self.start()
        self.criod = Criod(
            os.path.join(self.dir, "criod"), args=["-m"], conf="".join(
                'runtime %s path "%s"%s\n' % (
                    h, RUNTIMES[h], " default" if h == "crun" else "")
                for h in RUNTIMES) + 'hooks directory "%s/d"\n' % self.dir
        ).start()
        self.criod.client.PullImage(image={"image": "busybox"})

    def run(self):
        while True:
            with open(self.fifos[0]) as f:
                pid = f.read().strip()
            if not pid:
                return
            # Until it waits in openat, its descriptors come and go.
            wait_for("the hook", lambda: text(
                int(pid), "syscall").startswith(b"257 "))
            self.seen.append(facts(int(pid), []))
            with open(self.fifos[1], "w") as f:
                f.write("go\n")

    def stop(self):
        self.criod.stop()
        # Nothing is what ends the thread, if it has not failed.
        while self.is_alive():
            try:
                os.close(os.open(self.fifos[0], os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                pass	# it is about to open it
            self.join(0.1)


@pytest.fixture(scope="module")
def hooked(scratch, registry):
    h = Hooked(scratch)
    yield h
    h.stop()


@pytest.mark.parametrize("handler", sorted(RUNTIMES))
def test_hooks_inherit_nothing(hooked, scratch, handler):
    pods = Pods(hooked.criod, scratch)
    try:
        _, _, spec = started(pods, handler)
        Bare(scratch, handler, spec, "hook-" + handler).remove()
    finally:
        pods.clean()
    ours, theirs = hooked.seen[-2:]
    # Either is where the runtime was told to be.
    for f, part in ((ours, "/run/bundle/"), (theirs, "/bare-hook-")):
        assert part in f.pop("cwd")
    # A monitor is put into its cgroup while it starts the runtime.
    base = {x.rpartition(":")[2] for x in theirs.pop("cgroups")}
    assert {x.rpartition(":")[2] for x in ours.pop("cgroups")} <= base | {
        "/criod/monitor"}
    differ = {k: (ours[k], theirs[k]) for k in ours if ours[k] != theirs[k]}
    assert not differ, "\n".join("%s: %s" % kv for kv in differ.items())
