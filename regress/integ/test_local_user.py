"""Row E4: somebody with an account on the node, and nothing else, tries every
socket, file and process of a running criod."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

import pytest

import cri
from conftest_integ import Criod, Pods

SOMEBODY = 31337


@pytest.fixture(scope="module")
def watched(scratch, registry):
    path = tempfile.mkdtemp(prefix="user.", dir=scratch)
    os.chmod(path, 0o755)
    audit = os.path.join(path, "audit")
    c = Criod(path, 'audit log "%s"\nmetrics listen on 127.0.0.1 port 0\n'
              % audit, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture(scope="module")
def living(watched, scratch):
    """Pods, one with a process of its own, so that there are all kinds of
    processes and files."""
    pods = Pods(watched, scratch)
    pod, config = pods.run(pid=0)
    ctr = pods.start(pod, config, ["sleep", "3600"])
    pods.create(pod, config, ["true"], name="created")
    yield ctr
    pods.clean()


def as_somebody(script, data, uid=SOMEBODY):
    """Runs script, as that user, with data as its input; what it prints as
    JSON: all that was let happen, or failed strangely."""
    got = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(data), text=True,
        capture_output=True, user=uid, group=uid, extra_groups=[], cwd="/",
        timeout=120)
    assert got.returncode == 0, got.stderr
    return json.loads(got.stdout)


PRELUDE = """
import ctypes, errno, json, os, socket, stat, sys
data = json.load(sys.stdin)
out = []
def attempt(what, fn):
    try:
        fn()
        out.append(what)
    except OSError as e:
        if e.errno not in (errno.EACCES, errno.EPERM, errno.ENOENT,
                           errno.ESRCH, errno.ECONNREFUSED, errno.ELOOP,
                           errno.EXDEV):
            out.append([what, str(e)])
"""


# ---- sockets ----

CONNECT = PRELUDE + """
for path in data:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET,
                 socket.SOCK_DGRAM):
        s = socket.socket(socket.AF_UNIX, kind)
        s.settimeout(5)
        try:
            # From its directory: the name may be too long for a socket.
            attempt(path, lambda: (os.chdir(os.path.dirname(path)),
                                   s.connect(os.path.basename(path))))
        finally:
            s.close()
print(json.dumps(out))
"""


def bound(top):
    """Names of unix sockets below a directory, as the kernel has them and as
    they are in the file system."""
    out = set()
    with open("/proc/net/unix") as f:
        for line in f:
            name = line.split()[7:]
            if name and name[0].startswith(top):
                out.add(name[0])
    for d, _, files in os.walk(top):
        for n in files:
            p = os.path.join(d, n)
            if stat.S_ISSOCK(os.lstat(p).st_mode):
                out.add(p)
    return sorted(out)


def test_E4_sockets(watched, living):
    names = bound(watched.path)
    kinds = {os.path.basename(n) for n in names}
    assert {"criod.sock", "control.sock", "monitor.sock"} <= kinds, names
    assert as_somebody(CONNECT, names) == []


def test_E4_no_abstract_sockets(watched, living):
    pids = {str(p) for p in [watched.parent(), *watched.helpers().values()]}
    inodes = set()
    for p in pids:
        for fd in os.listdir("/proc/%s/fd" % p):
            m = re.match(r"socket:\[(\d+)\]", os.readlink(
                "/proc/%s/fd/%s" % (p, fd)))
            if m:
                inodes.add(m.group(1))
    assert len(inodes) > 20
    with open("/proc/net/unix") as f:
        for line in f:
            part = line.split()
            if part[6] in inodes and len(part) > 7:
                assert not part[7].startswith("@"), line


# ---- files ----

OPEN = PRELUDE + """
for path, kind in data:
    flags = [os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_APPEND]
    if kind == "dir":
        flags = [os.O_RDONLY | os.O_DIRECTORY]
        attempt([path, "create"], lambda: os.close(os.open(
            path + "/somebody", os.O_CREAT | os.O_WRONLY)))
        attempt([path, "list"], lambda: os.listdir(path))
    if kind == "sock":
        flags = []
    for f in flags:
        attempt([path, f], lambda: os.close(os.open(path, f | os.O_NONBLOCK)))
    for what, fn in (("remove", lambda: os.rename(path, path + ".x")),
                     ("mode", lambda: os.chmod(path, 0o777)),
                     ("link", lambda: os.link(path, "/tmp/somebody.%d"
                                              % os.getpid()))):
        attempt([path, what], fn)
print(json.dumps(out))
"""


def everything(*tops):
    out = []
    for top in tops:
        for d, dirs, files in os.walk(top):
            out.append((d, "dir"))
            for n in files:
                p = os.path.join(d, n)
                mode = os.lstat(p).st_mode
                if not stat.S_ISLNK(mode):
                    out.append((p, "sock" if stat.S_ISSOCK(mode)
                                else "file"))
    return out


def test_E4_files(watched, living):
    """Nothing can be read, written, listed, made, removed or changed, but for
    seeing that an empty directory is empty."""
    names = everything(watched.path + "/run", watched.path + "/lib")
    text = "\n".join(n for n, _ in names)
    for part in ("/bundle/", "/front/pod/", "/catalogue.db", "/layer/",
                 "/upper", "/network/", "/ns/"):
        assert part in text, "nothing like %s was tried" % part
    audit = [(watched.path + "/audit", "file"),
             (watched.path + "/control.sock", "sock")]
    assert os.path.exists(audit[0][0])
    assert not os.listdir(watched.path + "/run/empty")
    got = [g for g in as_somebody(OPEN, names + audit)
           if not g[0].endswith("/run/empty")]
    assert got == [], "\n".join(map(str, got))


# ---- processes ----

PROCESS = PRELUDE + """
libc = ctypes.CDLL(None, use_errno=True)
def ptrace(what, pid):
    if libc.ptrace(what, pid, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")
def call(number, *args):
    if libc.syscall(number, *args) == -1:
        raise OSError(ctypes.get_errno(), "call %d" % number)
class Vec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
def process_vm(pid):
    buf = ctypes.create_string_buffer(16)
    here, there = Vec(ctypes.addressof(buf), 16), Vec(0x400000, 16)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1,
                             ctypes.byref(there), 1, 0) == -1:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
for pid, names in data:
    for what in (0x4206, 16):
        attempt([pid, "ptrace"], lambda: ptrace(what, pid))
    for sig in (0, 1, 9, 15, 19):
        attempt([pid, "signal"], lambda: os.kill(pid, sig))
    attempt([pid, "priority"],
            lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt([pid, "memory"], lambda: process_vm(pid))
    attempt([pid, "cpus"], lambda: os.sched_setaffinity(pid, {0}))
    fd = os.pidfd_open(pid)
    attempt([pid, "getfd"], lambda: call(438, fd, 0, 0))
    os.close(fd)
    for name in names:
        path = "/proc/%d/%s" % (pid, name)
        def look():
            if name in ("root", "cwd", "exe") or name.startswith("ns/"):
                os.readlink(path)
            elif name in ("fd", "fdinfo", "map_files"):
                os.listdir(path)
            else:
                with open(path, "rb") as f:
                    f.seek(0x400000 if name == "mem" else 0)
                    if not f.read(1):
                        raise PermissionError(errno.EACCES, "nothing")
        attempt([pid, name], look)
    for name in ("mem", "oom_score_adj", "comm", "coredump_filter",
                 "clear_refs", "timerslack_ns"):
        attempt([pid, "write " + name], lambda: os.write(os.open(
            "/proc/%d/%s" % (pid, name), os.O_WRONLY), b"1"))
print(json.dumps(out))
"""
SECRET = ["mem", "environ", "maps", "auxv", "stack", "syscall", "io", "root",
          "cwd", "exe", "fd", "fdinfo", "map_files", "ns/net", "ns/mnt",
          "ns/user", "smaps", "numa_maps", "personality", "pagemap"]


def programs(watched):
    """All processes whose program is one of criod's, by name."""
    out = {}
    tops = tuple(os.path.realpath(os.path.join(cri.BUILD, d))
                 for d in ("sbin", "libexec"))
    for d in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.readlink("/proc/%s/exe" % d)
        except OSError:
            continue
        if exe == "/":		# a mount of its own
            with open("/proc/%s/cmdline" % d) as f:
                out[int(d)] = f.read().partition("\0")[0]
        elif os.path.realpath(exe).startswith(tops):
            out[int(d)] = os.path.basename(exe)
    return out


def test_E4_processes(watched, living):
    there = programs(watched)
    assert {"criod", "front", "streamd", "imaged", "netd", "netlaunch",
            "execd", "execlaunch", "scribe", "monitor", "pause"} <= \
        set(there.values())
    assert as_somebody(PROCESS, [(pid, SECRET) for pid in there]) == []
    assert programs(watched) == there


def test_E4_accounts_apart(watched, living):
    """Nor can the accounts of criod's own processes act on each other."""
    there = programs(watched)
    users = {process_uid(p) for p in there} - {0}
    assert len(users) >= 6
    for uid in users:
        others = [(p, ["mem", "environ", "maps", "fd"])
                  for p in there if process_uid(p) != uid]
        assert as_somebody(PROCESS, others, uid) == [], uid


def process_uid(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"^Uid:\s+(\d+)", f.read(), re.M).group(1))


# ---- TCP ----

def test_E4_listeners(watched, living):
    """Who can connect, learns nothing without having been told a URL."""
    ports = {int(p) for p in re.findall(r"listening on 127\.0\.0\.1:(\d+)",
                                        watched.log())}
    assert len(ports) == 2
    url = watched.client.Exec(container_id=living, cmd=["true"],
                              stdout=True).url
    stream = urlsplit(url).port
    assert stream in ports
    (metrics,) = ports - {stream}
    for path in ("/exec/", "/exec", "/attach/", "/portforward/", "/metrics",
                 "/exec/" + "0" * 40, "/exec/" + living, "/../etc/passwd",
                 "/exec/%2e%2e", "/debug/pprof", "/"):
        assert get(stream, path) in (400, 404), path
        if path != "/metrics":
            assert get(metrics, path) in (400, 404), path
    assert get(stream, "/healthz") == 200
    assert get(metrics, "/metrics") == 200
    # A stream's URL is of no use on the other listener.
    assert get(metrics, urlsplit(url).path) == 404


def get(port, path):
    s = socket.create_connection(("127.0.0.1", port), 5)
    s.settimeout(10)
    s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
               "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
               % path).encode())
    head = s.recv(100)
    s.close()
    return int(head.split()[1])
