"""Plays the parent and front to one netd and one netlaunch, in a network
namespace and a directory of its own, with real plugins."""
import array
import ctypes
import fcntl
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("B", "build"))
SPILLED = 1
INLINE_MAX = 16 * 1024 - 16
ROLES = {"front": 0x002, "netd": 0x020, "netlaunch": 0x040}
CNI_CONF = 3
NEWNS, NEWNET = 0x00020000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def message_types():
    text = open(os.path.join(TOP, "imsg/msg_table.h")).read()
    names = re.findall(r"^MSG\((\w+), ", text, re.M)
    return {name: i + 1 for i, name in enumerate(names)}


TYPES = message_types()
NAMES = {n: name for name, n in TYPES.items()}


def load_protobuf():
    out = os.path.join(BUILD, "gen/py")
    os.makedirs(out, exist_ok=True)
    subprocess.check_call(["protoc", "--python_out=" + out, "proto/cri.proto",
                           "proto/nri.proto", "proto/msg.proto"], cwd=TOP)
    sys.path.insert(0, out)
    from proto import cri_pb2, msg_pb2
    return cri_pb2, msg_pb2


cri, msg = load_protobuf()


class Isolated:
    """A network and mount namespace for this process, until leave()."""

    def __init__(self):
        self.cwd = os.getcwd()
        self.old = [(os.open("/proc/thread-self/ns/" + n, os.O_RDONLY), flag)
                    for n, flag in (("net", NEWNET), ("mnt", NEWNS))]
        self.check(libc.unshare(NEWNET | NEWNS))
        run = subprocess.check_call
        run(["mount", "--make-rprivate", "/"])
        run(["ip", "link", "set", "lo", "up"])
        os.makedirs("/var/lib/cni", exist_ok=True)
        run(["mount", "-t", "tmpfs", "cni", "/var/lib/cni"])

    @staticmethod
    def check(rc):
        if rc != 0:
            raise OSError(ctypes.get_errno(), "namespaces")

    def leave(self):
        for fd, flag in self.old:
            self.check(libc.setns(fd, flag))
            os.close(fd)
        os.chdir(self.cwd)


def inherited_closed():
    """What this process was started with beyond the usual three."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if fd > 3 and os.get_inheritable(fd):
                yield os.POSIX_SPAWN_CLOSE, fd
        except OSError:
            pass


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__("%d: %s" % (code, text))
        self.code, self.text = code, text


class Peer:
    """One end of a link."""

    def __init__(self, sock):
        self.sock = sock
        self.next_id = 1
        self.answers = {}
        self.fds = {}

    def send(self, name, body=b"", fds=(), rid=0):
        flags, fds = 0, list(fds)
        payload = body
        if len(body) > INLINE_MAX:
            mfd = os.memfd_create("spill", os.MFD_ALLOW_SEALING)
            os.write(mfd, body)
            fcntl.fcntl(mfd, 1033, 0xf)
            fds.append(mfd)
            flags, payload = SPILLED, b""
        head = struct.pack("<HHIHHI", TYPES[name], flags, rid, len(fds), 0,
                           len(body))
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                array.array("i", fds))] if fds else []
        self.sock.sendmsg([head + payload], anc)

    def recv(self, timeout=30.0):
        r, _, _ = select.select([self.sock], [], [], timeout)
        if not r:
            raise TimeoutError
        data, anc, _, _ = self.sock.recvmsg(16 * 1024, 4 * 16)
        if not data:
            raise EOFError
        fds = []
        for level, kind, content in anc:
            fds += array.array("i", content[:len(content) // 4 * 4]).tolist()
        kind, flags, rid, _, _, length = struct.unpack("<HHIHHI", data[:16])
        body = data[16:]
        if flags & SPILLED:
            body = os.pread(fds[-1], length, 0)
            os.close(fds.pop())
        return NAMES[kind], rid, body, fds

    def request(self, name, body=b"", fds=()):
        rid = self.next_id
        self.next_id += 1
        self.send(name, body, fds, rid)
        return rid

    def cancel(self, rid):
        self.send("CANCEL", struct.pack("<I", rid))

    def wait(self, rid, timeout=30.0):
        end = time.monotonic() + timeout
        while rid not in self.answers:
            name, got, body, fds = self.recv(
                max(0, end - time.monotonic()))
            self.answers[got] = (name, body)
            self.fds[got] = fds
        name, body = self.answers.pop(rid)
        if name == "ERROR":
            e = msg.Error.FromString(body)
            raise Refused(e.code, e.text)
        if name == "FAIL":
            code, = struct.unpack("<I", body[:4])
            raise Refused(code, body[4:].rstrip(b"\0").decode())
        return name, body

    def call(self, name, body=b"", fds=(), timeout=30.0):
        return self.wait(self.request(name, body, fds), timeout)


class World:
    def __init__(self, plugin_dir="/usr/lib/cni", subnet="10.199.0.0/24",
                 default_network=""):
        self.dir = tempfile.mkdtemp(prefix="criod-netd-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.state = os.path.join(self.dir, "run")
        self.network = os.path.join(self.dir, "network")
        self.conf_dir = os.path.join(self.dir, "net.d")
        self.plugin_dir = plugin_dir
        self.subnet, self.default_network = subnet, default_network
        for d in (self.state, self.conf_dir, self.state + "/empty",
                  self.state + "/ns", self.network):
            os.mkdir(d, 0o755)
        self.uid, self.gid = (int(subprocess.check_output(
            ["id", o, "_crionet"])) for o in ("-u", "-g"))
        os.chown(self.network, self.uid, self.gid)
        os.chmod(self.network, 0o700)
        subprocess.check_call(["mount", "-t", "tmpfs", "ns",
                               self.state + "/ns"])
        subprocess.check_call(["mount", "--make-shared", self.state + "/ns"])
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.pods, self.ever = [], []
        self.netlaunch = self.netd = None
        self.start_netlaunch()
        self.start_netd()

    # ---- processes ----

    def spawn(self, path, args, sock):
        low = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 100)
        pid = os.posix_spawn(path, [path] + args, {}, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, self.log.fileno(), 2),
            (os.POSIX_SPAWN_DUP2, low, 3), *inherited_closed()])
        os.close(low)
        sock.close()
        return pid

    @staticmethod
    def pair():
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def ready(self, peer):
        peer.send("START", struct.pack("<I", 0))
        name, _, _, _ = peer.recv()
        assert name == "READY", name

    def start_netlaunch(self, extra=()):
        ours, theirs = self.pair()
        self.launch_pid = self.spawn(
            os.path.join(BUILD, "libexec/criod/netlaunch"),
            ["-s", self.state, "-p", self.plugin_dir, "-v", "3", "-w", "0",
             *extra], theirs)
        self.netlaunch = Peer(ours)
        self.ready(self.netlaunch)
        if self.netd is not None:
            self.link()

    def start_netd(self):
        ours, theirs = self.pair()
        self.netd_pid = self.spawn(
            os.path.join(BUILD, "libexec/criod/netd"), [], theirs)
        self.netd = Peer(ours)
        boot = msg.Boot(log_level=3, uid=self.uid, gid=self.gid)
        boot.netd.plugin_directory = self.plugin_dir
        boot.netd.netns_directory = self.state + "/ns"
        boot.netd.default_network = self.default_network
        boot.netd.bridge_subnet = self.subnet
        root = os.open(self.network, os.O_PATH)
        self.netd.send("BOOT", boot.SerializeToString(), [root])
        os.close(root)
        ours, theirs = self.pair()
        self.front = Peer(ours)
        self.netd.send("LINK", struct.pack("<I", ROLES["front"]),
                       [theirs.fileno()])
        theirs.close()
        self.link()
        self.send_files()
        self.ready(self.netd)

    def link(self):
        a, b = self.pair()
        self.netd.send("LINK", struct.pack("<I", ROLES["netlaunch"]),
                       [a.fileno()])
        self.netlaunch.send("LINK", struct.pack("<I", ROLES["netd"]),
                            [b.fileno()])
        a.close()
        b.close()

    def kill(self, which, sig=signal.SIGKILL):
        pid = self.netd_pid if which == "netd" else self.launch_pid
        os.kill(pid, sig)
        os.waitpid(pid, 0)

    def send_files(self):
        for name in sorted(os.listdir(self.conf_dir)):
            fd = os.open(os.path.join(self.conf_dir, name), os.O_RDONLY)
            body = msg.File(kind=CNI_CONF, name=name)
            self.netd.send("FILE", body.SerializeToString(), [fd])
            os.close(fd)

    def serve_scan(self):
        """The parent's work: answers what netd asked meanwhile."""
        while select.select([self.netd.sock], [], [], 0)[0]:
            name, rid, body, _ = self.netd.recv(1)
            assert name == "SCAN", name
            self.send_files()
            self.netd.send("SCANNED", struct.pack("<I", 0), rid=rid)

    def wait(self, rid, timeout=60.0):
        end = time.monotonic() + timeout
        while True:
            if rid not in self.front.answers:
                select.select([self.netd.sock, self.front.sock], [], [],
                              max(0, end - time.monotonic()))
            self.serve_scan()
            try:
                return self.front.wait(rid, 0)
            except TimeoutError:
                if time.monotonic() > end:
                    raise

    def call(self, name, body, timeout=60.0):
        return self.wait(self.front.request(name, body), timeout)

    def close(self):
        for pod in list(self.pods):
            self.drop(pod)
        for which, peer in (("netd", self.netd), ("netlaunch",
                                                  self.netlaunch)):
            pid = self.netd_pid if which == "netd" else self.launch_pid
            try:
                peer.send("STOP", struct.pack("<I", 0))
                os.waitpid(pid, 0)
            except (OSError, ChildProcessError):
                pass
        subprocess.call(["umount", "-l", self.state + "/ns"])
        text = self.log_text()
        shutil.rmtree(self.dir)
        return text

    def log_text(self):
        return open(os.path.join(self.dir, "log")).read()

    # ---- pods ----

    def make(self):
        pod = secrets.token_hex(32)
        d = os.path.join(self.state, "ns", pod)
        os.mkdir(d, 0o700)
        open(d + "/net", "w").close()
        subprocess.check_call(["unshare", "--net=" + d + "/net", "true"])
        self.pods.append(pod)
        self.ever.append(pod)
        return pod

    def drop(self, pod):
        d = os.path.join(self.state, "ns", pod)
        subprocess.call(["umount", "-l", d + "/net"],
                        stderr=subprocess.DEVNULL)
        shutil.rmtree(d, ignore_errors=True)
        self.pods.remove(pod)

    def inside(self, pod, *cmd):
        return subprocess.check_output(
            ["nsenter", "--net=%s/ns/%s/net" % (self.state, pod), *cmd],
            text=True)

    def pod_body(self, pod, ports=(), annotations=None, name="web",
                 namespace="default", uid="u-1"):
        body = msg.NetPod(pod_id=pod, name=name, namespace=namespace, uid=uid)
        for host, ctr in ports:
            body.port_mappings.add(host_port=host, container_port=ctr)
        for k, v in (annotations or {}).items():
            body.annotations[k] = v
        return body.SerializeToString()

    def add(self, pod, timeout=60.0, **kw):
        _, body = self.call("NET_ADD", self.pod_body(pod, **kw), timeout)
        return list(msg.NetAdded.FromString(body).ips)

    def delete(self, pod, timeout=60.0):
        self.call("NET_DEL", msg.PodId(id=pod).SerializeToString(), timeout)

    def check(self, pod):
        _, body = self.call("NET_CHECK",
                            msg.PodId(id=pod).SerializeToString())
        return list(msg.NetAdded.FromString(body).ips)

    def dial(self, pod, port, host=False):
        """A connected socket, as streamd gets it."""
        rid = self.front.request("NET_DIAL", msg.NetDial(
            pod_id=pod, port=port, host_network=host).SerializeToString())
        self.wait(rid)
        fd, = self.front.fds.pop(rid)
        return socket.socket(fileno=fd)

    def gc(self, pods):
        self.call("NET_GC", msg.NetGc(pod_ids=pods).SerializeToString())

    def status(self):
        _, body = self.call("NET_STATUS", b"")
        return msg.NetStatus.FromString(body)

    def config(self, name, doc):
        """Writes a file and lets netd's memory of the old ones expire."""
        path = os.path.join(self.conf_dir, name)
        if doc is None:
            os.unlink(path)
        else:
            with open(path, "w") as f:
                f.write(doc if isinstance(doc, str) else json.dumps(doc))
        time.sleep(1.05)

    def records(self):
        return sorted(os.listdir(self.network))


def traces():
    """What pods must not leave on the host."""
    links = subprocess.check_output(["ip", "-o", "link"], text=True)
    rules = subprocess.check_output(["iptables-save"], text=True)
    lines = [line for line in rules.splitlines() if not line.startswith("#")]
    found = [line.split(":")[1].strip() for line in links.splitlines()]
    groups = [d for d, _, _ in os.walk("/sys/fs/cgroup")
              if "criod-netlaunch" in d]
    leases = []
    for d, _, files in os.walk("/var/lib/cni/networks"):
        leases += [os.path.join(d, f) for f in files if f[0].isdigit()]
    return {"links": [n for n in found if n.startswith("veth")],
            "rules": lines, "groups": groups, "leases": leases}
