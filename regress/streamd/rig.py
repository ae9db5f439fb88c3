"""The means of these tests: streamd under its real confinement, with the test
as its parent, its front and its execd."""

import array
import os
import pwd
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("CRIOD_BUILD", os.path.join(TOP, "build"))
FRONT, EXECD = 2, 0x80	# enum role


def types():
    with open(os.path.join(TOP, "imsg/msg_table.h")) as f:
        names = re.findall(r"^MSG\((\w+)", f.read(), re.M)
    return {n: i + 1 for i, n in enumerate(names)}


TYPES = types()


def send(sock, name, body, fds=(), ident=0):
    body = body if isinstance(body, bytes) else body.SerializeToString()
    head = struct.pack("<HHIHHI", TYPES[name], 0, ident, len(fds), 0,
                       len(body))
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
            array.array("i", fds))] if fds else []
    sock.sendmsg([head + body], anc)


def receive(recv, n):
    """n bytes, or EOFError."""
    out = b""
    while len(out) < n:
        piece = recv(n - len(out))
        if not piece:
            raise EOFError
        out += piece
    return out


def read_head(sock):
    """The head of an answer, byte by byte: what follows is another's."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(1)
        if not piece:
            break
        head += piece
    return head.decode()


def wait_for(fn, seconds=10):
    end = time.monotonic() + seconds
    while not fn():
        assert time.monotonic() < end
        time.sleep(0.02)


class Streamd:
    def __init__(self, pb, root, **boot):
        self.pb = pb
        self.sock, theirs = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self.log = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(
            [os.path.join(BUILD, "libexec/criod/streamd")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.log, env={}, pass_fds=(3,),
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        user = pwd.getpwnam("nobody")
        fd = os.open(root, os.O_PATH)
        self.send("BOOT", pb.Boot(log_level=3, uid=user.pw_uid,
                                  gid=user.pw_gid,
                                  streamd=pb.BootStreamd(
                                      **{"idle": 60, **boot})), [fd])
        os.close(fd)
        self.kinds = {}
        self.front = None

    def send(self, name, body, fds=()):
        send(self.sock, name, body, fds)

    def listen(self, kind, family=socket.AF_INET):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.bind(("127.0.0.1", 0))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.listen(64)
        self.kinds[kind] = s.getsockname()
        self.send("LISTENER", self.pb.Listener(
            kind=self.pb.Listener.Kind.Value(kind),
            name="127.0.0.1:%d" % s.getsockname()[1]),
            [s.fileno()])
        s.close()

    def start(self):
        self.send("START", struct.pack("<I", 0))
        self.sock.settimeout(10)
        try:
            head = self.sock.recv(65536)
        except ConnectionResetError:
            head = b""
        assert head, self.text()
        assert struct.unpack("<H", head[:2])[0] == TYPES["READY"]

    def link(self, role):
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        self.send("LINK", struct.pack("<I", role), [theirs.fileno()])
        theirs.close()
        return ours

    def link_front(self):
        self.front = self.link(FRONT)

    def status(self, key):
        with open("/proc/%d/status" % self.proc.pid) as f:
            return re.search(r"^%s:\s*(.*)$" % key, f.read(), re.M).group(1)

    def text(self):
        self.log.seek(0)
        return self.log.read().decode()

    def http(self, data, kind="METRICS", whole=True):
        s = socket.create_connection(self.kinds[kind], 10)
        s.settimeout(30)
        s.sendall(data)
        if not whole:
            return s
        out = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                s.close()
                return out
            out += piece

    def get(self, path, kind="METRICS", method="GET"):
        got = self.http(("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         "\r\n" % (method, path)).encode(), kind)
        head, _, body = got.partition(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
        return int(head.split()[1]), body.decode(), head.decode()


class Peer:
    """One end of a link to streamd: a thread takes what comes."""

    def __init__(self, sock, take):
        self.sock, self.take = sock, take
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def send(self, name, body, fds=(), ident=0):
        send(self.sock, name, body, fds, ident)

    def run(self):
        names = {v: k for k, v in TYPES.items()}
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            kind, _, ident, _, _, _ = struct.unpack("<HHIHHI", data[:16])
            self.take(names[kind], ident, data[16:])

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join()
        self.sock.close()


class Backend:
    """The front and execd.  A session's process is a function that gets the
    backend and the session when its client has come."""

    def __init__(self, streamd, pb):
        self.pb = pb
        self.replies, self.jobs = {}, {}
        self.cond = threading.Condition()
        self.ends = []	# (role, session)
        self.drops = []
        self.next = 100
        self.front = Peer(streamd.link(FRONT), self.take_front)
        self.execd = Peer(streamd.link(EXECD), self.take_execd)
        self.procs = []

    def close(self):
        for p in self.procs:
            p.kill()
            p.wait()
        self.front.close()
        self.execd.close()

    def prepare(self, kind, job=None, **flags):
        """The URL for a client; job runs at its coming."""
        ident = session = self.next
        self.next += 1
        self.jobs[session] = job
        body = self.pb.StreamPrepare(
            kind=self.pb.StreamPrepare.Kind.Value(kind), id="c0ffee",
            session=session, **flags)
        self.front.send("STREAM_PREPARE", body, ident=ident)
        with self.cond:
            assert self.cond.wait_for(lambda: ident in self.replies, 10)
        name, data = self.replies[ident]
        if name == "ERROR":
            raise RuntimeError(self.pb.Error.FromString(data).text)
        return self.pb.StreamUrl.FromString(data).url, session

    def take_front(self, name, ident, data):
        if name in ("STREAM_URL", "ERROR"):
            with self.cond:
                self.replies[ident] = (name, data)
                self.cond.notify_all()
        elif name == "STREAM_BEGIN":
            session = self.pb.StreamSession.FromString(data).session
            threading.Thread(target=self.begin, args=(session, ident),
                             daemon=True).start()
        elif name == "STREAM_DIAL":
            dial = self.pb.StreamDial.FromString(data)
            try:
                s = self.jobs[dial.session](dial.port)
            except OSError as e:
                self.front.send("ERROR", self.pb.Error(code=14, text=str(e)),
                                ident=ident)
                return
            self.front.send("STREAM_DIALLED", b"", [s.fileno()], ident)
            s.close()
        elif name == "STREAM_END":
            self.ends.append(
                ("front", self.pb.StreamSession.FromString(data).session))
        elif name == "STREAM_DROP":
            self.drops.append(self.pb.StreamSession.FromString(data).session)

    def begin(self, session, ident):
        job = self.jobs[session]
        try:
            if isinstance(job, str):
                self.front.send("ERROR", self.pb.Error(code=9, text=job),
                                ident=ident)
                return
            if getattr(job, "runs", False):
                job(self, session)
            self.front.send("STREAM_BEGUN", b"", ident=ident)
        except OSError:
            pass	# the test is over

    def take_execd(self, name, ident, data):
        if name == "STREAM_END":
            self.ends.append(
                ("execd", self.pb.StreamSession.FromString(data).session))

    def stdio(self, session, kind, fds):
        self.execd.send("STREAM_STDIO", self.pb.StreamStdio(
            session=session, kind=self.pb.StreamStdio.Kind.Value(kind)), fds)

    def exit(self, session, code, text=""):
        self.execd.send("STREAM_EXIT", self.pb.StreamExit(
            session=session, exit_code=code, text=text))

    def watch(self, session, proc):
        self.procs.append(proc)

        def run():
            code = proc.wait()
            try:
                self.exit(session, code if code >= 0 else 128 - code)
            except OSError:
                pass
        threading.Thread(target=run, daemon=True).start()


def job(fn):
    fn.runs = True
    return fn


def command(argv, stdin=True, stdout=True, stderr=False):
    """A job that runs argv with pipes."""
    @job
    def run(backend, session):
        pipes = [os.pipe() if on else None
                 for on in (stdin, stdout, stderr)]
        null = os.open("/dev/null", os.O_RDWR)
        theirs = [p[0 if i == 0 else 1] if p else null
                  for i, p in enumerate(pipes)]
        ours = [p[1 if i == 0 else 0] for i, p in enumerate(pipes) if p]
        proc = subprocess.Popen(argv, stdin=theirs[0], stdout=theirs[1],
                                stderr=theirs[2])
        for fd in [t for t in theirs if t != null] + [null]:
            os.close(fd)
        backend.stdio(session, "PIPES", ours)
        for fd in ours:
            os.close(fd)
        backend.watch(session, proc)
    return run


def terminal(argv):
    """A job that runs argv on a terminal."""
    @job
    def run(backend, session):
        master, slave = os.openpty()
        proc = subprocess.Popen(argv, stdin=slave, stdout=slave,
                                stderr=slave, start_new_session=True,
                                preexec_fn=lambda: __import__(
                                    "fcntl").ioctl(0, 0x540e, 0))
        os.close(slave)
        backend.stdio(session, "TTY", [master])
        os.close(master)
        backend.watch(session, proc)
    return run
