"""Runs the built imaged as criod's parent, front and execd would."""
import array
import ctypes
import fcntl
import hashlib
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("B", os.path.join(TOP, "build"))
PROGRAM = os.path.join(BUILD, "libexec/criod/imaged")
UNPACK = os.path.join(BUILD, "libexec/criod/unpack")
PACK = os.path.join(BUILD, "libexec/criod/pack")
UID = GID = 64991  # an account without a name will do
ROLES = {"front": 2, "execd": 0x80}
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT",
         "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
         "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
         "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
SPILLED = 1


def _protos():
    out = tempfile.mkdtemp(prefix="criod-pb-")
    subprocess.run(["protoc", f"--python_out={out}", "proto/cri.proto",
                    "proto/nri.proto",
                    "proto/msg.proto"], cwd=TOP, check=True)
    sys.path.insert(0, out)
    from proto import cri_pb2, msg_pb2
    return cri_pb2, msg_pb2


cri, msg = _protos()
TYPES = {name: i + 1 for i, name in enumerate(re.findall(
    r"^MSG\((\w+),", open(os.path.join(TOP, "imsg/msg_table.h")).read(),
    re.M))}
NAMES = {v: k for k, v in TYPES.items()}


class Failed(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


def wait_for(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, true
        time.sleep(0.02)


class Link:
    """One socket with messages; answers go to whoever waits for them."""

    def __init__(self, sock, serve=None):
        self.sock, self.serve = sock, serve
        self.next, self.waits = 1, {}
        self.lock = threading.Lock()
        self.closed = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 65536, 8)
            except OSError:
                data = b""
            if not data:
                break
            kind, flags, ident, _, _, _ = struct.unpack("<HHIHHI", data[:16])
            body = data[16:]
            if flags & SPILLED:
                fd = fds.pop()
                body = os.pread(fd, os.fstat(fd).st_size, 0)
                os.close(fd)
            self._take(NAMES[kind], ident, body, fds)
        self.closed = True
        for event, box in self.waits.values():
            box.append(("GONE", b""))
            event.set()

    def _take(self, name, ident, body, fds):
        with self.lock:
            wait = self.waits.pop(ident, None)
        if wait is not None:
            wait[1].append((name, body))
            wait[0].set()
        elif self.serve is not None:
            self.serve(name, ident, body, fds)
        for fd in fds:
            os.close(fd)

    def send(self, name, body=b"\0\0\0\0", fds=(), ident=0):
        head = struct.pack("<HHIHHI", TYPES[name], 0, ident, len(fds), 0,
                           len(body))
        socket.send_fds(self.sock, [head + body], list(fds))

    def start(self, name, body, fds=()):
        event, box = threading.Event(), []
        with self.lock:
            ident, self.next = self.next, self.next + 1
            self.waits[ident] = (event, box)
        self.send(name, body, fds, ident)
        return ident, event, box

    def finish(self, started, kind, timeout=120):
        _, event, box = started
        if not event.wait(timeout):
            raise TimeoutError("no answer")
        name, body = box[0]
        if name == "ERROR":
            e = msg.Error.FromString(body)
            raise Failed(CODES[e.code], e.text)
        if name == "GONE":
            raise EOFError("imaged is gone")
        return kind.FromString(body)

    def call(self, name, body, kind, timeout=120):
        return self.finish(self.start(name, body.SerializeToString()), kind,
                           timeout)


TRANSFER = {"connect": 15, "tls": 15, "header": 60, "idle": 60,
            "document": 120, "progress": 300, "total": 0, "rate": 1024}


class Imaged:
    """transfer: other than TRANSFER; proxy: http, https, except; files: of
    the administrator's, (kind, path, text); left: what a credential provider
    left, by namespace and image's name, or an exception; auth: the file of
    credentials."""

    def __init__(self, root, registries=(), ca=None, parallel=0, prefix=(),
                 log_level=3, cover=None, transfer=None, proxy=None,
                 hosts="/etc/hosts", files=(), left=None,
                 resolv="/etc/resolv.conf", auth=None, boot="", foreign=(),
                 stores=()):
        self.root = root
        self.files, self.left, self.taken = files, left, []
        self.auth, self.boot_id, self.foreign = auth, boot, foreign
        self.stores, self.asked = stores, []
        self.unpacks, self.spawned = [], 0
        os.makedirs(root, exist_ok=True)
        os.chown(root, UID, GID)
        os.chmod(root, 0o700)
        self.log_path = root.rstrip("/") + ".log"
        ours, child = socket.socketpair(socket.AF_UNIX,
                                        socket.SOCK_SEQPACKET)
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [*prefix, PROGRAM], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, pass_fds=(3,), env={},
            preexec_fn=lambda: os.dup2(child.fileno(), 3))
        child.close()
        self.ready = threading.Event()
        self.parent = Link(ours, self._parent)
        self._boot(registries, parallel, log_level, transfer or {},
                   proxy or {})
        for kind, path in ((0, resolv), (1, hosts)):
            self.file(kind, path)
        if ca is not None:
            self.file(2, ca)
        self.told, self.told_fs = {}, None
        self.front = self.link("front", self._news)
        self.execd = self.link("execd")
        self.parent.send("START")
        if not self.ready.wait(20):
            raise RuntimeError("imaged did not start: " + self.log())

    def _boot(self, registries, parallel, log_level, transfer, proxy):
        boot = msg.Boot(log_level=log_level, uid=UID, gid=GID)
        boot.imaged.max_parallel_downloads = parallel
        for name, value in dict(TRANSFER, **transfer).items():
            setattr(boot.imaged.transfer, name, value)
        for name, value in proxy.items():
            setattr(boot.imaged, "proxy_" + name, value)
        boot.imaged.image_directory = self.root
        boot.imaged.container_directory = self.root
        for r in registries:
            boot.imaged.registries.append(r)
        self._add_files(boot.imaged.files, lambda kind: kind == 0)
        boot.imaged.namespaced_auth = self.left is not None
        boot.imaged.auth_file = "" if self.auth is None else "/etc/auth.json"
        boot.imaged.boot = self.boot_id
        boot.imaged.foreign_layers.extend(self.foreign)
        boot.imaged.stores.extend(self.stores)
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        self.parent.send("BOOT", boot.SerializeToString(), [fd])
        os.close(fd)

    def _add_files(self, to, wanted):
        """BOOT has registries.conf, each pull asks for the others."""
        for kind, path, text in self.files:
            if not wanted(kind):
                continue
            if isinstance(text, Exception):
                to.add(kind=kind, path=path, wrong=str(text))
                continue
            if isinstance(text, str):
                text = text.encode()
            to.add(kind=kind, path=path, text=text)

    def _registries(self, ident):
        files = msg.RegistryFiles()
        self._add_files(files.files, lambda kind: kind != 0)
        self.parent.send("REG_TAKEN", files.SerializeToString(), ident=ident)

    def file(self, kind, path):
        with open(path, "rb") as f:
            self.parent.send("FILE", msg.File(
                kind=kind, name=os.path.basename(path)).SerializeToString(),
                [f.fileno()])

    def _news(self, name, ident, body, fds):
        """What the front would answer lists from."""
        if name != "IMG_NEWS":
            return
        news = msg.ImgNews.FromString(body)
        if news.what != msg.ImgNews.CHANGES:
            self.told = {}
        for i in news.gone:
            self.told.pop(i, None)
        for i in news.images:
            self.told[i.id] = i
        if news.HasField("fs"):
            self.told_fs = news.fs.image_filesystems[0]

    def link(self, role, serve=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        self.parent.send("LINK", struct.pack("<I", ROLES[role]),
                         [theirs.fileno()])
        theirs.close()
        return Link(ours, serve)

    def _parent(self, name, ident, body, fds):
        if name == "READY":
            self.ready.set()
        elif name == "UNPACK_SPAWN":
            layer, op = struct.unpack("<QI", body)
            if op == 4:  # an additional store: for the test to answer
                self.asked.append((layer >> 48, ident))
                return
            self.spawned += 1
            try:
                self._spawn(layer, PACK if op == 2 else UNPACK, ident)
            except OSError:
                pass  # imaged was killed meanwhile
        elif name == "REG_TAKE":
            try:
                self._registries(ident)
            except OSError:
                pass  # likewise
        elif name == "AUTH_TAKE":
            self._take(ident, *[f.rstrip(b"\0").decode()
                                for f in (body[:64], body[64:])])

    def _take(self, ident, namespace, digest):
        if namespace:
            self.taken.append(namespace)
            left = self.left
        else:
            left = {("", None): self.auth}
        for (where, name), text in left.items():
            if where != namespace or namespace and \
                    hashlib.sha256(name.encode()).hexdigest() != digest:
                continue
            if isinstance(text, Exception):
                self.parent.send("ERROR", msg.Error(
                    code=7, text=str(text)).SerializeToString(), ident=ident)
                return
            fd = os.memfd_create("auth")
            os.pwrite(fd, text.encode(), 0)
            self.parent.send("AUTH_TAKEN", fds=[fd], ident=ident)
            os.close(fd)
            return
        self.parent.send("AUTH_TAKEN", ident=ident)

    def _spawn(self, layer, program, ident):
        try:
            link = self._unpack(layer, program)
        except FileNotFoundError:  # called off meanwhile
            self.parent.send("ERROR", msg.Error(
                code=5, text="no such layer").SerializeToString(),
                ident=ident)
            return
        self.parent.send("UNPACK_LINK", fds=[link.fileno()], ident=ident)
        link.close()

    def _unpack(self, layer, program):
        for u in self.unpacks:
            u.poll()  # a zombie's Landlock rules hold the layer's inode
        ours, child = socket.socketpair(socket.AF_UNIX,
                                        socket.SOCK_SEQPACKET)
        path = os.path.join(self.root, "layer", str(layer), "fs")
        rootfd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

        def descriptors():
            high = [os.dup2(child.fileno(), 200), os.dup2(rootfd, 201)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        try:
            log = open(self.log_path, "ab")
            self.unpacks.append(subprocess.Popen(
                [program, "-u", str(UID), "-g", str(GID), "-v", "2"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={},
                pass_fds=(3, 4), preexec_fn=descriptors))
        finally:
            child.close()
            os.close(rootfd)
        return ours

    # what a test asks

    def start_pull(self, image, namespace=None, **auth):
        req = cri.PullImageRequest(image=cri.ImageSpec(image=image))
        if namespace is not None:
            req.sandbox_config.metadata.namespace = namespace
        if auth:
            req.auth.CopyFrom(cri.AuthConfig(**auth))
        return self.front.start("IMG_PULL", req.SerializeToString())

    def end_pull(self, started, timeout=120):
        return self.front.finish(started, cri.PullImageResponse,
                                 timeout).image_ref

    def pull(self, image, timeout=120, **auth):
        return self.end_pull(self.start_pull(image, **auth), timeout)

    def cancel(self, started):
        self.front.send("CANCEL", struct.pack("<I", started[0]))

    def import_image(self, reference, digest, blobs):
        for d, path in blobs.items():
            with open(path, "rb") as f:
                self.front.send("IMG_BLOB", msg.ImgBlob(
                    digest=d).SerializeToString(), [f.fileno()])
        return self.front.call("IMG_IMPORT", msg.ImgImport(
            reference=reference, manifest_digest=digest),
            cri.PullImageResponse).image_ref

    def status(self, image):
        r = self.front.call("IMG_STATUS", cri.ImageStatusRequest(
            image=cri.ImageSpec(image=image)), cri.ImageStatusResponse)
        return r.image if r.HasField("image") else None

    def list(self):
        images = list(self.front.call("IMG_LIST", cri.ListImagesRequest(),
                                      cri.ListImagesResponse).images)
        assert images == [self.told[i] for i in sorted(self.told)]
        return images

    def remove(self, image):
        self.front.call("IMG_REMOVE", cri.RemoveImageRequest(
            image=cri.ImageSpec(image=image)), msg.Empty)

    def lease(self, container, image):
        return self.execd.call("LEASE_GET", msg.LeaseGet(
            container_id=container, image=image), msg.Lease)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.process.poll() is None

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory_kb(self, field="Pss"):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            return int(re.search(rf"^{field}: +(\d+)", f.read(), re.M)[1])

    def stop(self):
        self.parent.sock.close() if not self.alive() else \
            self.parent.send("STOP")
        code = self.process.wait(20)
        for p in self.unpacks:
            p.wait(20)
        return code


def registry(prefix, mirrors=(), insecure=False, blocked=False, ca=b"",
             client=None, **more):
    if client is not None:
        more["client_cert"], more["client_key"] = [
            open(path, "rb").read() for path in client]
    return msg.Registry(
        prefix=prefix, insecure=insecure, blocked=blocked, ca=ca, **more,
        mirrors=[msg.Mirror(location=m, insecure=i) for m, i in mirrors])
