"""Each process refuses to work when any step of its confinement fails (security.md,
E3); and one that makes a call it may not is killed, named, counted and replaced,
while nobody else notices (E2)."""

import errno
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import urllib.request

import grpc
import pytest

import cri
import jail
from conftest_integ import POD, Criod, Pods, wait_for
from evil import message_types

LIBEXEC = os.path.join(cri.BUILD, "libexec/criod")
BAD = (errno.EPERM, errno.ENOSYS)
PRCTL = 157

# ---- E3: a step that fails ----

# Name, number of the call, its first argument, what the process says.
IDS = "set ids"
STEPS = {
    "limits": (302, None, "setrlimit"),
    "namespaces": (272, None, "unshare"),
    "new root": (81, None, "enter the new root"),
    "private mounts": (165, None, "make / private"),
    "copy of the root": (428, None, "open_tree"),
    "attributes of it": (442, None, "mount_setattr"),
    "mount of it": (429, None, "move_mount"),
    "pivot_root": (155, None, "pivot_root"),
    "old root": (166, None, "pivot_root"),
    "directory": (80, None, "pivot_root"),
    "capabilities read": (125, None, "capabilities"),
    "bounding set read": (PRCTL, 23, "read bounding"),
    "bounding set": (PRCTL, 24, "drop bounding"),
    "securebits": (PRCTL, 28, "PR_SET_SECUREBITS"),
    "KEEPCAPS": (PRCTL, 8, "PR_SET_KEEPCAPS"),
    "groups": (116, None, IDS),
    "gid": (119, None, IDS),
    "uid": (117, None, IDS),
    "uid read": (118, None, "ids did not change"),
    "capabilities": (126, None, "capset"),
    "dumpable": (PRCTL, 4, "PR_SET_DUMPABLE"),
    "MDWE": (PRCTL, 65, "PR_SET_MDWE"),
    "no_new_privs": (PRCTL, 38, "PR_SET_NO_NEW_PRIVS"),
    "Landlock": (444, None, "landlock_create_ruleset"),
    "Landlock's rule": (445, None, "landlock_add_rule"),
    "Landlock's domain": (446, None, "landlock_restrict_self"),
    "violation handler": (13, 31, "system call filter"),
    "filter": (PRCTL, 22, "system call filter"),
}
# What a kernel may lack, and does not have if it answers so.
ABSENT = {("MDWE", errno.ENOSYS), ("Landlock", errno.ENOSYS)}
ROOTED = {"new root", "private mounts", "copy of the root",
          "attributes of it", "mount of it", "pivot_root", "old root",
          "directory"}
ALL = set(STEPS)
NO_FILES = ALL - {"Landlock's rule"}
# Which steps a program has.
PROGRAMS = {
    "front": ALL, "imaged": ALL, "netd": ALL, "execd": ALL,
    "keeper": ALL, "unpack": ALL, "pack": ALL, "shelf": ALL, "unarchive": ALL,
    "streamd": NO_FILES, "nrid": NO_FILES, "scribe": NO_FILES,
    "sigcheck": NO_FILES, "policyread": NO_FILES - ROOTED,
    # These are root, and have neither filter nor anything else of it.
    "netlaunch": {"bounding set read", "bounding set", "capabilities",
                  "capabilities read", "namespaces", "private mounts",
                  "copy of the root", "attributes of it", "mount of it",
                  "pivot_root", "old root"},
    "execlaunch": {"bounding set read", "capabilities", "capabilities read"},
}
# What they say, where it is not what the others do.
WORDS = {("netlaunch", "bounding set"): "PR_CAPBSET_DROP",
         ("netlaunch", "namespaces"): "private mount namespace",
         ("netlaunch", "private mounts"): "private mount namespace",
         ("netlaunch", "copy of the root"): "mount /",
         ("netlaunch", "attributes of it"): "mount /",
         ("netlaunch", "mount of it"): "mount /",
         ("netlaunch", "old root"): "cgroup2",
         ("execlaunch", "capabilities read"): "capget"}
UID = 54321
HELPERS = {"front", "streamd", "imaged", "netd", "execd", "keeper", "nrid",
           "scribe"}


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def boot_message():
    """BOOT for a helper that is to get no further than its confinement."""
    body = b"\x08\x02\x18" + varint(UID) + b"\x20" + varint(UID)
    return struct.pack("<HHIHHI", message_types()["BOOT"], 0, 0, 1, 0,
                       len(body)) + body


class Started:
    """A program of criod's, with what its parent would give it."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.ours, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.give = [theirs.fileno()]
        self.keep = [theirs]
        self.args = ["-u", str(UID), "-g", str(UID)]
        getattr(self, "as_" + name, self.as_helper if name in HELPERS
                else self.as_worker)()

    def as_helper(self):
        self.args = []
        socket.send_fds(self.ours, [boot_message()], [self.root])

    def as_worker(self):
        self.give.append(self.root)

    def as_policyread(self):
        text = os.memfd_create("text", os.MFD_ALLOW_SEALING)
        os.write(text, b"{}")
        fcntl.fcntl(text, 1033, 0xf)
        back = os.open("/dev/null", os.O_WRONLY)
        self.give, self.args = [text, back], ["policy", str(UID), str(UID)]

    def as_unarchive(self):
        self.give = []
        self.args += ["-b", "1000000", self.folder]

    def as_netlaunch(self):
        for name in ("empty", "ns"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        self.args = ["-s", self.folder, "-p", self.folder]

    def as_execlaunch(self):
        self.args = ["-s", self.folder, "-i", self.folder, "-c", self.folder,
                     "-l", LIBEXEC, "-m", "%d:%d" % (UID, UID), "-x",
                     "%d:%d" % (UID, UID), "-r", "crun=/usr/bin/crun"]

    def run(self, before):
        """Its exit status and what it said, once the link has ended."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100)
                for fd in self.give]

        def child():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(high), 100)
            before()
        proc = subprocess.Popen(
            [os.path.join(LIBEXEC, self.name)] + self.args, env={},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=child, pass_fds=range(3, 3 + len(high)),
            text=True)
        for fd in high:
            os.close(fd)
        for s in self.keep + [self.ours]:
            s.close()
        os.close(self.root)
        said = proc.communicate(timeout=20)[1]
        return proc.returncode, said


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="confine.")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def attempt(name, folder, step, error):
    nr, first, _ = STEPS[step]
    return Started(name, folder).run(jail.refusing(nr, error, first))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_step_counts(name, folder):
    """E3: none of them starts without one of them, and says which."""
    wrong = []
    for step in sorted(PROGRAMS[name]):
        for error in BAD:
            status, said = attempt(name, folder, step, error)
            words = WORDS.get((name, step), STEPS[step][2])
            if (step, error) in ABSENT:
                ok = "confinement:" not in said
            else:
                ok = status == 1 and ": error: " in said and words in said
            if not ok:
                wrong.append((step, error, status, said))
    assert not wrong


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - {
    "netlaunch", "execlaunch"}))
def test_without_landlock(name, folder):
    """A kernel that has none is no reason not to start, but is mentioned."""
    _, said = attempt(name, folder, "Landlock", errno.ENOSYS)
    assert "Landlock: not in this kernel" in said
    assert "confinement:" not in said


def test_all_have_these_steps(folder):
    """With nothing in the way no program speaks of its confinement."""
    for name in PROGRAMS:
        _, said = Started(name, folder).run(lambda: None)
        assert "confinement:" not in said, name


# ---- E2: a call that is not in the table ----

PORT = 19345
CONF = """nri { }
audit log "%s"
metrics listen on 127.0.0.1 port %d
"""
# Something else each time: all are forbidden to all of these.
FORBIDDEN = [("front", "execve", 59), ("streamd", "socket", 41),
             ("imaged", "ptrace", 101), ("netd", "io_uring_setup", 425),
             ("execd", "bpf", 321), ("nrid", "keyctl", 250),
             ("scribe", "userfaultfd", 323), ("keeper", "add_key", 248)]
# An ExecSync goes through these.
IN_FLIGHT = {"front", "execd"}


@pytest.fixture(scope="module")
def hurt(scratch, registry):
    path = os.path.join(scratch, "confine")
    c = Criod(path, args=["-m"],
              conf=CONF % (os.path.join(path, "audit.log"), PORT)).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture
def hurt_pods(hurt, scratch):
    p = Pods(hurt, scratch)
    yield p
    p.clean()


def answers(criod):
    try:
        return criod.client.Status().status
    except grpc.RpcError:
        return None


def violations(role):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % PORT) as r:
        text = r.read().decode()
    m = re.search(r'^criod_filter_violations_total{role="%s"} (\d+)$' % role,
                  text, re.M)
    return int(m[1])


class Waiting(threading.Thread):
    """An ExecSync that ends when told to."""

    def __init__(self, pods, ctr):
        super().__init__()
        self.pods, self.ctr, self.code, self.out = pods, ctr, None, None
        self.start()
        wait_for("the command", lambda: pods.sh(
            ctr, "test -p /f").exit_code == 0)

    def run(self):
        try:
            self.out = self.pods.sh(
                self.ctr, "mkfifo /f; read x </f; rm /f; echo $x").stdout
        except grpc.RpcError as e:
            self.code = e.code()

    def end(self, alive):
        if alive:
            self.pods.sh(self.ctr, "echo done >/f")
        self.join(30)
        assert not self.is_alive()


@pytest.mark.parametrize("name, call, nr", FORBIDDEN)
def test_forbidden_call(hurt, hurt_pods, name, call, nr):
    """E2: it ends, is named and counted, and is there again; what was asked of
    it fails, and nothing else."""
    pod, config = hurt_pods.run()
    ctr = hurt_pods.start(pod, config, ["sleep", "1000"])
    before, count = hurt.helpers(), violations(name)
    said = len(hurt.log())
    waiting = Waiting(hurt_pods, ctr)
    jail.inject(before[name], nr)
    wait_for("another " + name,
             lambda: hurt.helpers().get(name, before[name]) != before[name])
    wait_for("criod", lambda: answers(hurt))
    waiting.end(name not in IN_FLIGHT)
    log = hurt.log()[said:]
    assert "%s: killed: system call not in its table: %s (%d)" % (
        name, call, nr) in log
    assert "%s[%d] was killed by its own system call filter" % (
        name, before[name]) in log
    if name in IN_FLIGHT:
        assert waiting.code == grpc.StatusCode.UNAVAILABLE
    else:
        assert waiting.out == b"done\n"
    after = hurt.helpers()
    assert {k for k in before if before[k] != after[k]} == {name}
    wait_for("the count", lambda: violations(name) == count + 1)
    assert hurt_pods.status(ctr).state == 1


def monitor_of(ctr):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid) as f:
                args = f.read().split("\0")
        except OSError:
            continue
        if args[0] == "monitor" and any(ctr in a for a in args):
            return int(pid)
    raise AssertionError("no monitor")


def test_forbidden_call_of_a_monitor(hurt, hurt_pods):
    """Its container ends with it and says so; its last words are logged."""
    pod, config = hurt_pods.run()
    ctr = hurt_pods.start(pod, config, ["sleep", "1000"])
    other = hurt_pods.start(pod, config, ["sleep", "1000"], name="other")
    jail.inject(monitor_of(ctr), 41)
    assert hurt_pods.exited(ctr).exit_code == 255
    hurt.client.RemoveContainer(container_id=ctr)
    wait_for("its last words", lambda: "monitor: killed: system call not in "
             "its table: socket (41)" in hurt.log())
    assert hurt_pods.status(other).state == 1


# ---- the parent ----

def test_parent_keeps_no_descriptor(scratch):
    """What whoever started criod left open is closed."""
    path = tempfile.mkdtemp(prefix="inherited.", dir=scratch)
    os.chmod(path, 0o755)
    left = [os.open("/etc/passwd", os.O_RDONLY), os.pipe()[0],
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()]
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50 + 100 * i)
            for i, fd in enumerate(left)]
    for fd in high:
        os.set_inheritable(fd, True)
    serve = Criod(path)
    serve.proc = subprocess.Popen(
        [os.path.join(cri.TOP, "regress/serve"), path], pass_fds=high,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert serve.proc.stdout.readline().startswith("ready ")
    serve.client = cri.Client(serve.socket)
    try:
        for pid in [serve.parent()] + list(serve.helpers().values()):
            theirs = {os.stat("/proc/%d/fd/%s" % (pid, n))[:3]
                      for n in os.listdir("/proc/%d/fd" % pid)}
            assert not theirs & {os.fstat(fd)[:3] for fd in high}, pid
    finally:
        serve.stop()
        for fd in high + left:
            os.close(fd)
