"""Clients that mean harm, against the whole daemon: rows P1 to P2, H1 to H7
of the threats.  Whatever they do, memory is bounded, others are served, and
afterwards everything is as it was."""

import os
import resource
import socket
import struct
import sys
import tempfile
import threading
import time

import grpc
import pytest

import cri
from conftest_integ import Criod, Pods, children, wait_for
from test_leaks import difference, world

sys.path.insert(0, os.path.join(cri.TOP, "regress/grpc"))

import h2raw  # noqa: E402
from h2raw import (CALM, CONT, DATA, END_HEADERS, END_STREAM, HEADERS,  # noqa
                   PING, PREFACE, PRIORITY, RST, SETTINGS, WINDOW, Raw, field,
                   frame, head, message)

CONNS, ROOTS, PER_UID = 256, 64, 64	# of criod/h2.h
WORK = 128				# of criod/grpc_int.h, a connection
MIB = 1024				# KiB
LIST = "/runtime.v1.RuntimeService/ListContainers"
RUN = "/runtime.v1.RuntimeService/RunPodSandbox"


def peak(pid, reset=False):
    """The most memory it ever had (KiB), or had since it was reset."""
    if reset:
        with open("/proc/%d/clear_refs" % pid, "w") as f:
            f.write("5")
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


@pytest.fixture(scope="module")
def flooded(scratch, registry):
    """With a second socket, that everybody may use."""
    path = tempfile.mkdtemp(prefix="flood.", dir=scratch)
    os.chmod(path, 0o755)
    conf = ('listen on "%s/criod.sock"\nlisten on "%s/open.sock" mode 0666\n'
            'metrics listen on 127.0.0.1 port 0\n' % (path, path))
    c = Criod(path, conf, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    c.open = os.path.join(path, "open.sock")
    resource.setrlimit(resource.RLIMIT_NOFILE, (
        resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    yield c
    c.stop()


@pytest.fixture
def front(flooded):
    return flooded.helpers()["front"]


@pytest.fixture(autouse=True)
def unharmed(flooded):
    """The same processes, with the same descriptors; somebody else is served
    all the while."""
    before = flooded.helpers()
    wait_for("quiet", lambda: descriptors(before["front"]) ==
             descriptors(before["front"]))
    for pid in before.values():
        peak(pid, reset=True)
    # One client that was there before, so that its connection counts.
    flooded.client.Version()
    count = {r: descriptors(p) for r, p in before.items()}
    other = Other(flooded)
    yield
    other.stop()
    assert flooded.helpers() == before
    # imaged had some to its registry, which it lets go of after a while.
    wait_for("descriptors as before", lambda: all(
        descriptors(p) <= count[r] for r, p in before.items()), 30)


class Other(threading.Thread):
    """Another client, which notices nothing."""

    def __init__(self, criod):
        super().__init__(daemon=True)
        self.client, self.over = criod.client, threading.Event()
        self.served, self.error = 0, None
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            try:
                self.client.ListContainers(rpc_timeout=20)
                self.served += 1
            except grpc.RpcError as e:
                self.error = e
                return

    def stop(self):
        self.over.set()
        self.join(30)
        assert self.error is None, self.error
        self.client.ListContainers(rpc_timeout=20)


@pytest.fixture
def ctr(flooded, scratch):
    pods = Pods(flooded, scratch)
    pod, config = pods.run()
    yield pods.start(pod, config, ["sleep", "3600"])
    pods.clean()


def sleepers():
    """Commands of the floods that run."""
    n = 0
    for d in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % d, "rb") as f:
                n += f.read() == b"sleep\0007777\0"
        except (OSError, ValueError):
            pass
    return n


def jobs(criod):
    """What the launcher is doing."""
    return len(children(criod.helpers()["execlaunch"]))


class Most(threading.Thread):
    """The most of something that there is at a time."""

    def __init__(self, fn):
        super().__init__(daemon=True)
        self.fn, self.most, self.over = fn, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.most = max(self.most, self.fn())

    def stop(self):
        self.over.set()
        self.join()
        return self.most


def exec_body(ctr):
    m = cri.pb.ExecSyncRequest(container_id=ctr, cmd=["sleep", "7777"])
    return message(m.SerializeToString())


def request(path, body, sid):
    return frame(HEADERS, END_HEADERS, sid, head(path)) + \
        frame(DATA, END_STREAM, sid, body)


# ---- H1 ----

def resets(path, body, n):
    out = []
    for i in range(n):
        sid = 2 * i + 1
        out.append(request(path, body, sid) +
                   frame(RST, 0, sid, struct.pack(">I", 8)))
    return out


def test_H1_rapid_reset(flooded, front):
    """A hundred thousand, on as many connections as it takes."""
    one = resets(LIST, message(b""), 2000)
    pieces = [b"".join(one[i:i + 50]) for i in range(0, len(one), 50)]
    sent = 0
    while sent < 100000:
        r = Raw(flooded.socket)
        for p in pieces:
            r.send(p)
            if r.broken:
                break
            sent += 50
        assert r.broken or r.gone() == CALM
        r.close()
    assert peak(front) < 48 * MIB


def test_H1_rapid_reset_of_work(flooded, front, ctr):
    """Each would start a process; what is started ends."""
    r = Raw(flooded.socket)
    r.send(b"".join(resets("/runtime.v1.RuntimeService/ExecSync",
                           exec_body(ctr), 200)))
    r.next_id = 401
    assert r.answer(r.request(message(b""), path=LIST))["grpc-status"] == "0"
    r.close()
    wait_for("the end of what was started", lambda: jobs(flooded) == 0, 120)
    assert sleepers() == 0
    assert peak(front) < 48 * MIB


# ---- H2 ----

@pytest.mark.parametrize("bad", [
    lambda s: frame(WINDOW, 0, s, struct.pack(">I", 0)),
    lambda s: frame(WINDOW, 0, s, struct.pack(">I", 0x7fffffff)),
    lambda s: frame(DATA, END_STREAM, s, b"x"),
    lambda s: frame(HEADERS, END_HEADERS | END_STREAM, s, head(LIST)),
    lambda s: frame(PRIORITY, 0, s, b"\0\0\0\0"),
    lambda s: frame(PRIORITY, 0, s, struct.pack(">IB", s, 1)) +
    frame(WINDOW, 0, s, struct.pack(">I", 0)),
], ids=["window 0", "window overflow", "data after end", "headers after end",
        "priority length", "priority on itself"])
def test_H2_made_you_reset(flooded, ctr, bad):
    """The server resets the stream; its work counts until it has ended."""
    most = Most(sleepers)
    r = Raw(flooded.socket)
    body = exec_body(ctr)
    for _ in range(1500):
        sid = r.request(body, path="/runtime.v1.RuntimeService/ExecSync")
        r.send(bad(sid))
        if r.broken:
            break
    r.gone(20)
    r.close()
    assert most.stop() <= WORK
    wait_for("the end of what was started", lambda: jobs(flooded) == 0, 120)
    assert sleepers() == 0


# ---- H3, H4, H5: what costs and carries nothing ----

def flood_continuation(r):
    r.send(frame(HEADERS, 0, 1, head()))
    return frame(CONT, 0, 1, field("a", "b" * 1000))


def flood_empty_continuation(r):
    r.send(frame(HEADERS, 0, 1, head()))
    return frame(CONT, 0, 1)


def flood_empty_data(r):
    r.request()
    return frame(DATA, 0, 1)


def flood_hpack_bomb(r):
    """One entry of the table, named eight thousand times in a block."""
    big = b"\x40" + h2raw.text("a") + h2raw.text("b" * 3900)
    r.send(frame(HEADERS, END_HEADERS, 1, head() + big + b"\xbe" * 8000))
    return frame(PING, 0, 0, b"x" * 8)


def flood_table_size(r):
    return frame(HEADERS, END_HEADERS, r.next_id, b"\x20\x3f\xe1\x1f" * 100)


FLOODS = {
    "H3-continuation": flood_continuation,
    "H3-empty-continuation": flood_empty_continuation,
    "H3-empty-data": flood_empty_data,
    "H4-hpack-bomb": flood_hpack_bomb,
    "H4-table-size": flood_table_size,
    "H5-settings": lambda r: frame(SETTINGS, 0, 0),
    "H5-ping": lambda r: frame(PING, 0, 0, b"x" * 8),
    "H5-priority": lambda r: frame(PRIORITY, 0, 1, b"\0\0\0\3\x10"),
    "H5-window": lambda r: frame(WINDOW, 0, 0, struct.pack(">I", 1)),
    "H5-reset": lambda r: frame(RST, 0, 1, struct.pack(">I", 8)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_of_frames(flooded, front, name):
    r = Raw(flooded.socket)
    unit = FLOODS[name](r)
    out = unit * max(1, 65536 // len(unit))
    sent = 0
    while not r.broken and sent < 64 << 20:
        r.send(out)
        sent += len(out)
    assert r.broken, "was let go on"
    r.close()
    assert peak(front) < 32 * MIB


def test_H5_window_zero(flooded, front):
    """A client that lets no answer out."""
    r = Raw(flooded.socket, settings=struct.pack(">HI", 4, 0))
    for _ in range(120):
        r.request(message(b""), path=LIST)
    r.request(message(b""), path="/runtime.v1.RuntimeService/Status")
    assert flooded.client.Version().runtime_name == "criod"
    r.close()
    assert peak(front) < 32 * MIB


def test_H5_window_zero_many(flooded, front):
    """The same from all connections that there may be."""
    conns = []
    for _ in range(PER_UID - 4):
        r = Raw(flooded.socket, settings=struct.pack(">HI", 4, 0))
        r.send(b"".join(request(LIST, message(b""), 2 * i + 1)
                        for i in range(100)))
        conns.append(r)
    assert flooded.client.Version().runtime_name == "criod"
    for r in conns:
        r.close()
    assert peak(front) < 64 * MIB


# ---- H6 ----

class As:
    """What is connected meanwhile, is by somebody else."""

    def __init__(self, uid):
        self.uid = uid

    def __enter__(self):
        os.seteuid(self.uid)

    def __exit__(self, *_):
        os.seteuid(0)


def busy(path, uid):
    """A connection that is of use: a call is under way on it."""
    with As(uid):
        r = Raw(path)
    r.send(frame(SETTINGS, h2raw.ACK, 0))
    r.request(message(b""),
              path="/runtime.v1.RuntimeService/GetContainerEvents")
    return r


def alive(r, seconds=5):
    """Answers a ping."""
    seen = len(r.frames)
    r.send(frame(PING, 0, 0, b"12345678"))
    return not r.broken and r.pump(
        lambda f: f in r.frames[seen:] and f[0] == PING, seconds) is not None


def test_H6_ten_thousand_connections(flooded, front):
    """Half of a preface, or less; the newest takes the place of the oldest
    that is of no use."""
    first = [b"", PREFACE[:10], PREFACE, PREFACE + frame(SETTINGS, 0, 0)[:5]]
    socks = []
    for i in range(10000):
        s = socket.socket(socket.AF_UNIX)
        with As(65534):
            s.connect(flooded.open)
        s.settimeout(20)
        try:
            s.send(first[i % 4])
        except OSError:
            pass
        socks.append(s)
        if len(socks) > 800:
            socks.pop(0).close()
        if i % 2000 == 0:
            assert descriptors(front) < 200
    assert descriptors(front) < 200
    assert peak(front) < 32 * MIB
    for s in socks:
        s.close()


def test_H6_limit_of_a_uid_and_the_place_of_root(flooded, front):
    """Others fill all that is theirs with connections in use; the kubelet gets
    in, and is not put out."""
    conns = []
    for uid in range(20000, 20000 + CONNS // PER_UID + 1):
        mine = [busy(flooded.open, uid) for _ in range(PER_UID + 3)]
        conns.append([r for r in mine if alive(r)])
    counts = [len(c) for c in conns]
    assert max(counts) == PER_UID
    # 192 are for others, less what this test's own client has.
    assert CONNS - ROOTS - 4 <= sum(counts) <= CONNS - ROOTS
    with As(30000):
        late = Raw(flooded.open)
    late.gone(10)
    roots = [busy(flooded.socket, 0) for _ in range(ROOTS - 8)]
    assert all(alive(r) for r in roots)
    kubelet = cri.Client(flooded.socket)
    assert kubelet.Version(rpc_timeout=10).runtime_name == "criod"
    kubelet.close()
    # Those in use were not put out for it.
    assert all(alive(r) for c in conns for r in c[:2])
    for r in [late, *roots] + [r for c in conns for r in c]:
        r.close()
    assert peak(front) < 48 * MIB


def test_H6_root_is_not_put_out_by_others(flooded):
    """The kubelet has an idle connection; floods of others leave it alone."""
    kubelet = Raw(flooded.socket)
    kubelet.send(frame(SETTINGS, h2raw.ACK, 0))
    time.sleep(1.2)	# idle for long enough to be put out
    socks = []
    for uid in (20001, 20002, 20003, 20004, 20005):
        for _ in range(100):
            socks.append(socket.socket(socket.AF_UNIX))
            with As(uid):
                socks[-1].connect(flooded.open)
    assert alive(kubelet)
    for s in [kubelet, *socks]:
        s.close()


# ---- H7 ----

def test_H7_clients_that_vanish(flooded, front, scratch):
    """In the middle of calls that make things: what they made is what a retry
    gets, once."""
    pods = Pods(flooded, scratch)
    pods.run()
    pods.clean()
    before = world(flooded)
    for i in range(6):
        config = pods.config()
        body = cri.pb.RunPodSandboxRequest(config=config).SerializeToString()
        for _ in range(3):
            r = Raw(flooded.socket)
            r.request(message(body), path=RUN)
            r.pump(lambda f: False, 0.01 * i)
            r.close()
        pod, _ = pods.run(config)
        mine = [p.id for p in flooded.client.ListPodSandbox().items
                if p.metadata.uid == config["metadata"]["uid"]]
        assert mine == [pod]
    pods.clean()
    wait_for("nothing left", lambda: not difference(before, world(flooded)))


def test_H7_streams_that_vanish(flooded, front):
    for path in ("GetContainerEvents", "StreamPodSandboxes",
                 "StreamContainers"):
        for _ in range(100):
            r = Raw(flooded.socket)
            r.request(message(b""), path="/runtime.v1.RuntimeService/" + path)
            r.close()
    assert peak(front) < 32 * MIB


def test_H7_exec_that_nobody_waits_for(flooded, ctr):
    """The command ends with its client."""
    conns = []
    for _ in range(20):
        r = Raw(flooded.socket)
        r.request(exec_body(ctr), path="/runtime.v1.RuntimeService/ExecSync")
        conns.append(r)
    wait_for("commands", lambda: sleepers() == 20, 30)
    for r in conns:
        r.close()
    wait_for("their end", lambda: sleepers() == 0, 30)


@pytest.mark.parametrize("value,codes", [
    ("0n", {"0", "4"}), ("1n", {"0", "4"}), ("99999999H", {"0"}), ("", {"0"}),
    ("garbage", {"3"}), ("-1S", {"3"}), ("184467440737095516150S", {"3"}),
])
def test_H7_deadlines(flooded, value, codes):
    r = Raw(flooded.socket)
    got = r.answer(r.request(message(b""), path=LIST,
                             extra=[("grpc-timeout", value)]))
    assert got["grpc-status"] in codes
    r.close()


# ---- P1, P2 ----

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def sub(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def nested(number, depth):
    """As deep as it says; made from the inside, in linear time."""
    parts, size = [], 0
    for _ in range(depth):
        headp = varint(number << 3 | 2) + varint(size)
        parts.append(headp)
        size += len(headp)
    return b"".join(reversed(parts))


def a_config(**over):
    return {"metadata": {"name": "p", "uid": "u", "namespace": "n"}, **over}


P1 = {
    "truncated-varint": b"\x0a\xff",
    "endless-varint": b"\x08" + b"\xff" * 1000,
    "length-2^63": b"\x0a" + varint(1 << 63) + b"x",
    "length-2^64": b"\x0a" + b"\xff" * 9 + b"\x7f",
    "nested-1e5": nested(1, 100000),
    "nested-unknown": nested(999, 100000),
    "groups": b"\x0b" * 100000,
    "groups-open-and-close": b"\x0b" * 50000 + b"\x0c" * 50000,
    "wrong-wire-type": b"\x09" + b"x" * 8,
    "field-0": b"\x02\x00",
    "unknown-fields-15M": (varint(900 << 3 | 2) + varint(1000) +
                           b"x" * 1000) * 15000,
    "unknown-field-17M": sub(900, b"x" * (17 << 20)),
    "bad-utf8": sub(1, sub(2, b"\xff\xfe\x80")),
    "many-empty-messages": sub(1, sub(8, b"") * 1000000),
}


@pytest.mark.parametrize("name", P1)
def test_P1_malformed(flooded, front, name):
    pods = len(flooded.client.ListPodSandbox().items)
    r = Raw(flooded.socket)
    body = message(P1[name])
    sid = r.request(b"", path=RUN)
    # Within the windows that the server opens at first; it closes what is
    # too large without reading on.
    for i in range(0, len(body), 16384):
        if not wait_window(r, sid, i + 16384):
            break
        r.send(frame(DATA, 0, sid, body[i:i + 16384]))
    r.send(frame(DATA, END_STREAM, sid))
    got = r.answer(sid, 30)
    assert got["grpc-status"] in ("3", "8", "13"), got
    r.close()
    assert len(flooded.client.ListPodSandbox().items) == pods
    assert peak(front) < 192 * MIB


def wait_window(r, sid, need):
    """Until the server lets that many bytes in; False if it has answered."""
    first = {0: 4 << 20, sid: 1 << 20}

    def left():
        opened = dict(first)
        for kind, _, at, payload in r.frames:
            if kind == WINDOW and at in opened:
                opened[at] += struct.unpack(">I", payload)[0]
        return min(opened.values()) >= need
    r.pump(lambda f: left() or f[0] in (RST, HEADERS) and f[2] == sid, 10)
    return left()


def long_list(n, make):
    return [make(i) for i in range(n)]


P2 = {
    "labels-1e5": lambda: a_config(labels={"k%d" % i: "v"
                                           for i in range(100000)}),
    "annotations-1e5": lambda: a_config(annotations={
        "k%d" % i: "v" for i in range(100000)}),
    "name-1M": lambda: a_config(metadata={
        "name": "x" * (1 << 20), "uid": "u", "namespace": "n"}),
    "no-metadata": lambda: {},
    "empty-metadata": lambda: {"metadata": {}},
    "ports-1e5": lambda: a_config(port_mappings=long_list(
        100000, lambda i: {"container_port": i % 65535 + 1})),
    "protocol": lambda: a_config(port_mappings=[
        {"container_port": 1, "protocol": 99}]),
    "port": lambda: a_config(port_mappings=[{"container_port": -5}]),
    "namespace-mode": lambda: a_config(linux={"security_context": {
        "namespace_options": {"network": 77}}}),
    "dns-1e5": lambda: a_config(dns_config={
        "servers": ["1.2.3.4"] * 100000}),
    "sysctls-1e5": lambda: a_config(linux={"sysctls": {
        "net.ipv4.x%d" % i: "1" for i in range(100000)}}),
}


@pytest.mark.parametrize("name", P2)
def test_P2_absurd(flooded, front, name):
    with pytest.raises(grpc.RpcError) as e:
        flooded.client.RunPodSandbox(config=P2[name](), rpc_timeout=30)
    assert e.value.code() in (grpc.StatusCode.INVALID_ARGUMENT,
                              grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert len(e.value.details()) < 2000
    assert not flooded.client.ListPodSandbox().items
    assert peak(front) < 192 * MIB


CTR = {
    "mounts-1e6": {"mounts": [{"container_path": "/x"}] * 1000000},
    "envs-1e6": {"envs": [{"key": "k"}] * 1000000},
    "args-1e6": {"args": ["x"] * 1000000},
    "devices-1e5": {"devices": [{"container_path": "/dev/x"}] * 100000},
}


@pytest.mark.parametrize("name", CTR)
def test_P2_absurd_container(flooded, front, scratch, name):
    pods = Pods(flooded, scratch)
    pod, config = pods.run()
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], **CTR[name])
    assert e.value.code() in (grpc.StatusCode.INVALID_ARGUMENT,
                              grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert not flooded.client.ListContainers().containers
    pods.clean()
    assert peak(front) < 192 * MIB


@pytest.mark.parametrize("call", [
    lambda c, ctr: c.ExecSync(container_id=ctr, cmd=["true"], timeout=-1),
    lambda c, ctr: c.ExecSync(container_id="x" * (1 << 20), cmd=["true"]),
    lambda c, ctr: c.ExecSync(container_id=ctr, cmd=["x" * (1 << 20)]),
], ids=["exec-timeout", "long-id", "long-argument"])
def test_P2_absurd_values(flooded, ctr, call):
    with pytest.raises(grpc.RpcError) as e:
        call(flooded.client, ctr)
    # The last is the runtime's own word.
    assert e.value.code() in (
        grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INTERNAL)
    assert flooded.client.ContainerStatus(
        container_id=ctr).status.state == 1
