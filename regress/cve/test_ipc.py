"""Row 74: a process of criod's that speaks nonsense to the others.

The words are put into its mouth: its own sockets, taken out of it by
pidfd_getfd(2), as an attacker who runs in it would have them."""

import ctypes
import os
import random
import re
import socket
import struct
import tempfile
import time

import pytest

import cri
from conftest_integ import Criod, Pods, wait_for

PIDFD_GETFD = 438
ROLES = ["front", "streamd", "imaged", "netd", "netlaunch", "execd",
         "execlaunch"]
LIBC = ctypes.CDLL(None, use_errno=True)


def message_types():
    with open(os.path.join(cri.TOP, "imsg/msg_table.h")) as f:
        names = re.findall(r"^MSG\((\w+),", f.read(), re.M)
    return {name: i + 1 for i, name in enumerate(names)}


TYPES = message_types()


def sockets_of(pid):
    """Number to socket: the SOCK_SEQPACKET pairs of a process."""
    pidfd = os.pidfd_open(pid)
    out = {}
    for n in sorted(map(int, os.listdir("/proc/%d/fd" % pid))):
        try:
            to = os.readlink("/proc/%d/fd/%d" % (pid, n))
        except FileNotFoundError:
            continue
        if not to.startswith("socket:"):
            continue
        fd = LIBC.syscall(PIDFD_GETFD, pidfd, n, 0)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        s = socket.socket(fileno=fd)
        if s.type == socket.SOCK_SEQPACKET and not s.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            out[n] = s
        else:
            s.close()
    os.close(pidfd)
    return out


def peer_of(sock):
    """Who made the pair, or has the other end of a named socket."""
    return struct.unpack("3i", sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def links_of(criod, role):
    """Numbers of those that lead to another helper or the parent: all such
    pairs are the parent's make."""
    return sorted(n for n, s in sockets_of(settled(criod)[role]).items()
                  if s.getpeername() == "" and peer_of(s) == criod.unhurt)


def header(type, id=1, nfds=0, length=0, flags=0, zero=0):
    return struct.pack("<HHIHHI", type, flags, id, nfds, zero, length)


def garbage(kind):
    """(bytes, number of descriptors) of a message that breaks the rules."""
    rnd = random.Random(kind)
    return {
        "random": (rnd.randbytes(300), 0),
        "short": (b"\1\0\0", 0),
        "unknown-type": (header(60000), 0),
        "type-0": (header(0), 0),
        "half": (header(TYPES["READY"], length=500) + b"x" * 20, 0),
        "long-length": (header(TYPES["READY"], length=0xffffffff), 0),
        "surplus": (header(TYPES["READY"], length=4) + bytes(4), 3),
        "said-none": (header(TYPES["READY"], length=4) + bytes(4), 1),
        "flags": (header(TYPES["READY"], flags=0xfffe, length=4) + bytes(4),
                  0),
        "spilled-nothing": (header(TYPES["BOOT"], flags=1, length=1 << 20,
                                   nfds=1), 1),
        "not-yours": (header(TYPES["MON_OK"], length=4) + bytes(4), 0),
        "answer-to-nothing": (header(TYPES["SCANNED"], id=77, length=4) +
                              bytes(4), 0),
        "largest": (header(TYPES["ERROR"], length=16368) + b"\xff" * 16368,
                    0),
    }[kind]


KINDS = ["random", "short", "unknown-type", "type-0", "half", "long-length",
         "surplus", "said-none", "flags", "spilled-nothing", "not-yours",
         "answer-to-nothing", "largest"]


def say(sock, kind):
    data, nfds = garbage(kind)
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        socket.send_fds(sock, [data], [null] * nfds)
    finally:
        os.close(null)


def settled(criod):
    """Every helper is there and ready; their pids."""
    def look():
        try:
            criod.client.Status(rpc_timeout=2)
        except Exception:
            return None
        got = criod.helpers()
        return got if set(ROLES) <= set(got) else None
    return wait_for("all helpers", look, 20)


@pytest.fixture(scope="module")
def hurt(scratch, registry):
    """A criod with a pod whose container must live through it all."""
    path = tempfile.mkdtemp(prefix="ipc.", dir=scratch)
    os.chmod(path, 0o755)
    c = Criod(path, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    pods = Pods(c, scratch)
    pod, config = pods.run()
    c.ctr = pods.start(pod, config, ["sleep", "100000"])
    c.unhurt = c.parent()
    yield c
    pods.clean()
    c.stop()


def still_runs(criod):
    st = criod.client.ContainerStatus(container_id=criod.ctr)
    assert st.status.state == 1


def speak(criod, role, kind, number=None):
    """role sends kind on one of its links, or all one after the other."""
    before = settled(criod)
    socks = sockets_of(before[role])
    assert socks, role
    # The parent's link is the lowest but for those that have none.
    chosen = [min(socks)] if number is None else [number]
    for n in chosen:
        say(socks[n], kind)
    for s in socks.values():
        s.close()

    def replaced():
        got = criod.helpers().get(role)
        return got if got not in (None, before[role]) else None
    wait_for("%s's end after %s" % (role, kind), replaced, 20)
    return before


def unharmed(criod, role, before):
    assert criod.parent() == criod.unhurt
    start = time.monotonic()
    after = settled(criod)
    for other in ROLES:
        assert other == role or after[other] == before[other], (role, other)
    assert len(criod.client.ListContainers().containers) == 1
    assert len(criod.client.ListPodSandbox().items) == 1
    assert time.monotonic() - start < 15
    still_runs(criod)


# Turn by turn, for whoever dies often is restarted late.
@pytest.mark.parametrize("kind", KINDS)
def test_row_74_CVE_2025_62875_to_the_parent(hurt, kind):
    role = ["streamd", "netd", "front", "imaged",
            "execd"][KINDS.index(kind) % 5]
    before = speak(hurt, role, kind)
    unharmed(hurt, role, before)


@pytest.mark.parametrize("role", ROLES)
def test_row_74_each_link_of_each_process(hurt, role):
    """Whoever hears nonsense on any link is well, who said it is not."""
    for i in range(len(links_of(hurt, role))):
        now = links_of(hurt, role)
        before = speak(hurt, role, random.choice(
            ["random", "unknown-type", "half", "not-yours"]),
            now[min(i, len(now) - 1)])
        unharmed(hurt, role, before)


def test_row_74_monitor_hears_nonsense(hurt):
    """A monitor cuts such a client off, and goes on."""
    before = settled(hurt)
    pods = Pods(hurt, hurt.path)
    for kind in ("random", "half", "unknown-type", "not-yours", "surplus"):
        socks = wait_for("connection to the monitor", lambda: [
            s for s in sockets_of(settled(hurt)["execd"]).values()
            if s.getpeername() != ""])
        peer = peer_of(socks[0])
        say(socks[0], kind)
        assert pods.sh(hurt.ctr, "echo fine").stdout == b"fine\n"
        assert os.path.exists("/proc/%d" % peer)
        still_runs(hurt)
    assert settled(hurt) == before


def test_row_74_flood(hurt):
    """As much as the socket takes, of what is allowed to be said once."""
    before = settled(hurt)
    socks = sockets_of(before["streamd"])
    s = socks[min(socks)]
    s.setblocking(False)
    try:
        for _ in range(100000):
            s.send(header(TYPES["READY"], length=4) + bytes(4))
    except OSError:
        pass
    for s in socks.values():
        s.close()
    assert hurt.parent() == hurt.unhurt
    settled(hurt)
    assert len(hurt.client.ListContainers().containers) == 1


def test_row_74_log_names_who_did_it(hurt):
    assert re.search(r"killing streamd\[\d+\]", hurt.log())
