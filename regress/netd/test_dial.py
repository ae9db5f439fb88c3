"""netd and netlaunch: connections to ports of pods, for port forwarding."""
import ctypes
import os
import secrets
import socket
import struct
import time

import pytest

from cni_world import NEWNET, ROLES, Peer, Refused, libc, msg


class Server:
    """A listener in a pod's namespace (None: here), whose child says who."""

    def __init__(self, world, pod, family, address, says, backlog=5):
        if pod is not None:
            old = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            fd = os.open("%s/ns/%s/net" % (world.state, pod), os.O_RDONLY)
            assert libc.setns(fd, NEWNET) == 0, ctypes.get_errno()
            os.close(fd)
        self.sock = socket.socket(family)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if pod is not None:
            assert libc.setns(old, NEWNET) == 0, ctypes.get_errno()
            os.close(old)
        if family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.sock.bind((address, 0))
        self.sock.listen(backlog)
        self.sock.settimeout(10)
        self.port = self.sock.getsockname()[1]
        self.says = says

    def served(self, client):
        c, _ = self.sock.accept()
        c.sendall(self.says)
        c.shutdown(socket.SHUT_WR)
        client.settimeout(10)
        got = b""
        while chunk := client.recv(100):
            got += chunk
        client.sendall(b"back")
        client.close()
        assert c.recv(100) == b"back"
        c.close()
        return got == self.says


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return f.read().split()


def test_pod_both_families(world):
    pod, other = world.make(), world.make()
    world.add(pod)
    world.add(other)
    v4 = Server(world, pod, socket.AF_INET, "127.0.0.1", b"four")
    v6 = Server(world, pod, socket.AF_INET6, "::1", b"six")
    elsewhere = Server(world, other, socket.AF_INET, "127.0.0.1", b"other")
    for s in (v4, v6):
        assert s.served(world.dial(pod, s.port))
    assert elsewhere.served(world.dial(other, elsewhere.port))
    with pytest.raises(Refused) as e:
        world.dial(pod, 1)
    assert e.value.code == 14
    assert "127.0.0.1: Connection refused; ::1: Connection refused" in \
        e.value.text
    world.delete(pod)
    world.delete(other)


def test_host_network(world):
    """The host's loopback, for pods without a network of their own only."""
    pod = world.make()
    world.add(pod)
    host = Server(world, None, socket.AF_INET, "127.0.0.1", b"host")
    stranger = secrets.token_hex(32)
    assert host.served(world.dial(stranger, host.port, host=True))
    for name, flag, code in ((pod, True, 9), (stranger, False, 5)):
        with pytest.raises(Refused) as e:
            world.dial(name, host.port, host=flag)
        assert e.value.code == code
    with pytest.raises(Refused):
        world.dial(pod, host.port)
    world.delete(pod)
    with pytest.raises(Refused) as e:
        world.dial(pod, host.port)
    assert e.value.code == 5


def test_refused(world):
    pod = world.make()
    world.add(pod)
    for name, port in ((pod, 0), (pod, 65536), (pod, 2 ** 32 - 1), ("", 80),
                       ("../" + pod[3:], 80), (pod[:63], 80)):
        with pytest.raises(Refused) as e:
            world.dial(name, port)
        assert e.value.code == 3
    world.delete(pod)


def test_launcher_checks_again(world):
    """netd may be taken over: the launcher believes nothing."""
    a, b = world.pair()
    world.netlaunch.send("LINK", struct.pack("<I", ROLES["netd"]),
                         [b.fileno()])
    b.close()
    netd = Peer(a)
    pod = secrets.token_hex(32).encode() + b"\0"

    def dial(name=pod, host=1, port=80, ms=1000):
        return netd.call("DIAL", name + struct.pack("<IIQ", host, port, ms))
    for kw in (dict(port=0), dict(port=65536), dict(host=2), dict(ms=0),
               dict(ms=60001), dict(ms=2 ** 63), dict(host=0, port=0),
               dict(name=(b"../" * 30)[:64] + b"\0"),
               dict(name=b"\0" * 65)):
        with pytest.raises(Refused) as e:
            dial(**kw)
        assert e.value.code == 3, kw
    with pytest.raises(Refused) as e:
        dial(host=0)
    assert e.value.code == 5


def test_nothing_left(world):
    """A full backlog, callers who leave, a launcher that dies."""
    pod = world.make()
    world.add(pod)
    full = Server(world, pod, socket.AF_INET, "127.0.0.1", b"", backlog=0)
    held = [world.dial(pod, full.port)]
    time.sleep(0.2)  # what was sent is closed after it arrived
    before = fds(world.launch_pid), fds(world.netd_pid)
    body = msg.NetDial(pod_id=pod, port=full.port).SerializeToString()
    rids = [world.front.request("NET_DIAL", body) for _ in range(20)]
    end = time.monotonic() + 5
    while len(children(world.launch_pid)) < 15:
        assert time.monotonic() < end
        time.sleep(0.01)
    for rid in rids:
        world.front.cancel(rid)
    for rid in rids:
        try:
            world.wait(rid)
            os.close(world.front.fds.pop(rid)[0])
        except Refused as e:
            assert e.code == 1
    end = time.monotonic() + 5
    while children(world.launch_pid) or \
            (fds(world.launch_pid), fds(world.netd_pid)) != before:
        assert time.monotonic() < end, (before, fds(world.launch_pid))
        time.sleep(0.01)
    # With no capability, and dying with the launcher.
    rid = world.front.request("NET_DIAL", body)
    end = time.monotonic() + 5
    while not children(world.launch_pid):
        assert time.monotonic() < end
        time.sleep(0.01)
    child = int(children(world.launch_pid)[0])
    while True:
        with open("/proc/%d/status" % child) as f:
            st = f.read()
        if "CapEff:\t0000000000000000" in st:
            break
        assert time.monotonic() < end, st
    assert "CapPrm:\t0000000000000000" in st
    world.kill("netlaunch")
    with pytest.raises(Refused) as e:
        world.wait(rid)
    assert e.value.code == 14
    end = time.monotonic() + 5
    while os.path.exists("/proc/%d" % child):
        assert time.monotonic() < end
        time.sleep(0.01)
    world.start_netlaunch()
    for s in held:
        s.close()
    full.sock.close()
    again = Server(world, pod, socket.AF_INET, "127.0.0.1", b"again")
    assert again.served(world.dial(pod, again.port))
    world.delete(pod)
