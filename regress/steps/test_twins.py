"""Each process as its own evil twin (security.md, E1): the test takes a copy
of a running helper's socket and says on it what that helper never would.  It
is killed and started again; nobody else notices."""

import collections
import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess

import pytest

import cri
from conftest_integ import Criod, Pods, wait_for
from test_restart import counter, numbers

PIDFD_OPEN, PIDFD_GETFD = 434, 438
F_ADD_SEALS, SEALS = 1033, 0xf
WORDS = {"MSG_KIB": 1024, "MSG_MIB": 1 << 20}
LINKS = [("front", "parent"), ("front", "streamd"), ("front", "imaged"),
         ("front", "netd"), ("front", "execd"), ("streamd", "parent"),
         ("streamd", "front"), ("streamd", "execd"), ("imaged", "parent"),
         ("imaged", "front"), ("imaged", "execd"), ("netd", "parent"),
         ("netd", "front"), ("netd", "netlaunch"), ("netlaunch", "parent"),
         ("netlaunch", "netd"), ("execd", "parent"), ("execd", "front"),
         ("execd", "streamd"), ("execd", "imaged"), ("execd", "execlaunch"),
         ("execlaunch", "parent"), ("execlaunch", "execd")]

Type = collections.namedtuple(
    "Type", "number name source to state fixed max fds reply")


def table():
    """imsg/msg_table.h, with roles as sets of names."""
    with open(os.path.join(cri.TOP, "imsg/role.h")) as f:
        roles = {n: {n[5:].lower()} for n in
                 re.findall(r"\t(ROLE_\w+) = ", f.read())}
    helpers = set.union(*roles.values()) - {"parent", "monitor", "ctl", "pack"}
    roles["ROLE_HELPERS"] = helpers
    roles["MSG_ROLES_ANY"] = helpers | {"parent", "monitor", "ctl"}
    with open(os.path.join(cri.TOP, "imsg/msg_table.h")) as f:
        text = f.read()
    rows = re.findall(r"^MSG\((\w+), (.+?), (.+?), (\w+), (\w)\(.*?\), "
                      r"(.+?), (\d), (\d), (\w+)\)$", text, re.M)
    assert len(rows) == len(re.findall(r"^MSG\(", text, re.M))

    def union(text):
        return set.union(*(roles[w] for w in text.split(" | ")))
    return [Type(i + 1, n, union(a), union(b), st, c == "F",
                 eval(m, {}, WORDS), int(hi), r)
            for i, (n, a, b, st, c, m, _, hi, r) in enumerate(rows)]


TABLE = table()
ANSWERS = {t.reply for t in TABLE} | {"ERROR", "FAIL"}


def head(kind, size, ident=0, fds=0, flags=0, zero=0):
    return struct.pack("<HHIHHI", kind, flags, ident, fds, zero, size)


def malformed():
    """Packets that are no message: what, bytes, descriptors."""
    ping = next(t.number for t in TABLE if t.name == "PING")
    null = os.open("/dev/null", os.O_RDONLY)
    loose = os.memfd_create("loose")
    os.write(loose, b"x" * 20000)
    pipe = os.pipe()[0]
    return [
        ("nothing at all", b"", []),
        ("one byte", b"x", []),
        ("half a header", head(ping, 0)[:15], []),
        ("length without bytes", head(ping, 4), []),
        ("bytes without length", head(ping, 0) + b"1234", []),
        ("unknown flags", head(ping, 4, flags=6) + b"1234", []),
        ("a field that is not zero", head(ping, 4, zero=1) + b"1234", []),
        ("type 0", head(0, 0), []),
        ("a type that is not", head(0xfffe, 0), []),
        ("a descriptor too few", head(ping, 4, fds=1) + b"1234", []),
        ("a descriptor too many", head(ping, 4) + b"1234", [null]),
        ("five descriptors", head(ping, 4, fds=5) + b"1234", [null] * 5),
        ("spilled without one", head(ping, 20000, flags=1), []),
        ("spilled and not sealed", head(ping, 20000, fds=0, flags=1), [loose]),
        ("spilled into a pipe", head(ping, 20000, fds=0, flags=1), [pipe]),
        ("the longest packet", head(ping, 0) + b"x" * (256 << 10), []),
    ]


def forbidden(a, b):
    """Of what A may not send to B a part, every time another."""
    all_ = [t for t in TABLE if a not in t.source or b not in t.to or
            t.state == "BOOT"]
    start = LINKS.index((a, b)) % 7
    for t in all_[start::7]:
        yield "%s, which is not its" % t.name, head(t.number, 4, 1) + b"0000"


def spoilt(a, b):
    for t in TABLE:
        if a not in t.source or b not in t.to or t.state == "BOOT":
            continue
        if t.fixed and t.max > 16:
            yield t.name + " without a body", head(t.number, 0, 1)
        if not t.fixed:
            yield t.name + " of rubbish", head(t.number, 8, 1) + b"\xff" * 8
        if t.name in ANSWERS:
            continue
        yield (t.name + " with the wrong id",
               head(t.number, 4, 0 if t.reply != "NONE" else 9) + b"\0" * 4)


def too_long(a, b):
    """More than its type allows, sealed as it should be."""
    for t in TABLE:
        if a not in t.source or b not in t.to or t.max < 17000:
            continue
        fd = os.memfd_create("long", os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, t.max + 1)
        fcntl.fcntl(fd, F_ADD_SEALS, SEALS)
        yield t.name + " too long", head(t.number, t.max + 1, 1, flags=1), [fd]
        return


def steal(pid, fd):
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    got = libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
    err = ctypes.get_errno()
    os.close(pidfd)
    if got == -1:
        raise OSError(err, os.strerror(err))
    return socket.socket(fileno=got)


def link_of(pids, a, b):
    """A copy of a's end of its link to b."""
    out = subprocess.run(["ss", "-xpnH"], capture_output=True, text=True,
                         check=True).stdout
    ends = {}
    for m in re.finditer(r"u_seq\s+ESTAB.*?\* (\d+)\s+\* (\d+)(.*)", out):
        users = re.findall(r"pid=(\d+),fd=(\d+)", m[3])
        if len(users) == 1:	# not between a fork and an exec
            ends[m[1]] = (m[2], int(users[0][0]), int(users[0][1]))
    for peer, pid, fd in ends.values():
        if pid == pids[a] and ends.get(peer, (0, 0))[1] == pids[b]:
            return steal(pid, fd)
    return None


def everyone(criod):
    return {**criod.helpers(), "parent": criod.parent()}


def say(criod, a, b, raw, fds):
    """Returns who died of it, when a has been replaced."""
    before = everyone(criod)
    sock = wait_for("a link", lambda: link_of(everyone(criod), a, b))
    try:
        socket.send_fds(sock, [raw], fds)
    except OSError as e:
        assert e.errno == 90 and len(raw) > 1 << 16, e	# EMSGSIZE
        return {a}
    finally:
        sock.close()
    wait_for("another " + a, lambda: everyone(criod).get(a, before[a]) !=
             before[a], 10)
    after = everyone(criod)
    return {r for r in before if after.get(r) != before[r]}


@pytest.mark.parametrize("a,b", LINKS, ids=lambda r: r)
def test_row_e1_twin(twins, a, b):
    criod = twins
    cases = malformed() + [(w, raw, []) for w, raw in forbidden(a, b)] + \
        [(w, raw, []) for w, raw in spoilt(a, b)] + list(too_long(a, b))
    wrong = []
    for what, raw, fds in cases:
        try:
            died = say(criod, a, b, raw, fds)
        except AssertionError as e:
            wrong.append("%s: %s" % (what, e))
            continue
        if died != {a}:
            wrong.append("%s: %s died" % (what, sorted(died)))
    assert not wrong, "\n".join(wrong)



@pytest.fixture(scope="module")
def twins(scratch, registry):
    """One criod for all, whose container must live through everything."""
    c = Criod(os.path.join(scratch, "twins"), args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    pods = Pods(c, scratch)
    pod, config = pods.run()
    ctr = counter(pods, pod, config)
    pid = c.client.ContainerStatus(container_id=ctr, verbose=True).info
    yield c

    def back():
        return pods.sh(ctr, "echo alive").stdout == b"alive\n"
    wait_for("service", back)
    assert c.client.ContainerStatus(
        container_id=ctr, verbose=True).info == pid
    path = pods.status(ctr).log_path
    pods.client.StopContainer(container_id=ctr, timeout=0)
    got = numbers(path)
    assert got == list(range(len(got)))
    pods.clean()
    c.stop()
