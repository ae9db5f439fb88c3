"""An NRI plugin in Python: multiplexer, ttrpc and messages of its own."""

import importlib.util
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import cri

CALLS = ["RunPodSandbox", "StopPodSandbox", "RemovePodSandbox",
         "CreateContainer", "PostCreateContainer", "StartContainer",
         "PostStartContainer", "UpdateContainer", "PostUpdateContainer",
         "StopContainer", "RemoveContainer", "UpdatePodSandbox",
         "PostUpdatePodSandbox", "ValidateContainerAdjustment"]
POD_CALLS = [c for c in CALLS if "PodSandbox" in c]
VALIDATE = 1 << (len(CALLS) - 1)
NO_VALIDATE = VALIDATE - 1
PLUGIN, RUNTIME = 1, 2
SERVICE = "nri.pkg.api.v1alpha1."
UNIMPLEMENTED = 12


def _load():
    out = tempfile.mkdtemp(prefix="nri-pb.")
    with open(os.path.join(out, "ttrpc.proto"), "w") as f:
        f.write('syntax = "proto3"; package ttrpc;\n'
                "message Request { string service = 1; string method = 2; "
                "bytes payload = 3; int64 timeout_nano = 4; }\n"
                "message Status { int32 code = 1; string message = 2; }\n"
                "message Response { Status status = 1; bytes payload = 2; "
                "}\n")
    mods = []
    for where, name in ((os.path.join(cri.TOP, "proto"), "nri"),
                        (out, "ttrpc")):
        subprocess.run(["protoc", "-I", where, "--python_out", out,
                        name + ".proto"], check=True)
        path = os.path.join(out, name + "_pb2.py")
        spec = importlib.util.spec_from_file_location(name + "_pb2", path)
        mod = importlib.util.module_from_spec(spec)
        sys.modules[name + "_pb2"] = mod
        spec.loader.exec_module(mod)
        mods.append(mod)
    return mods


pb, tt = _load()


class Refused(Exception):
    """What a handler raises to fail a call."""

    def __init__(self, code, text=""):
        super().__init__(text)
        self.code = code


class Plugin(threading.Thread):
    """
    handlers: name of a call to a function of its request that returns the
    response, or None.  Calls that were made are in .calls, in order.
    """

    def __init__(self, path, idx="10", name="test", handlers=None,
                 events=NO_VALIDATE, legacy=False):
        super().__init__(daemon=True)
        self.idx, self.plugin = idx, name
        self.handlers, self.events = handlers or {}, events
        self.legacy = legacy
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.calls, self.sync, self.configured = [], None, None
        self.pods, self.ctrs = [], []
        self.synced, self.closed = threading.Event(), threading.Event()
        self.answers = {}
        self.next, self.lock = 1, threading.Lock()
        self.cond = threading.Condition()

    def begin(self, wait=True):
        self.start()
        self.call("RegisterPlugin", pb.RegisterPluginRequest(
            plugin_name=self.plugin, plugin_idx=self.idx), wait=False)
        if wait:
            assert self.synced.wait(10), "not synchronized"
        return self

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    # ---- bytes ----

    def raw(self, data):
        with self.lock:
            self.sock.sendall(data)

    def frame(self, conn, data):
        self.raw(struct.pack(">II", conn, len(data)) + data)

    def message(self, conn, stream, kind, body):
        self.frame(conn, struct.pack(">IIBB", len(body), stream, kind, 0) +
                   body)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def run(self):
        have = {PLUGIN: b"", RUNTIME: b""}
        try:
            while True:
                conn, n = struct.unpack(">II", self.exactly(8))
                have[conn] += self.exactly(n)
                have[conn] = self.eat(conn, have[conn])
        except (EOFError, OSError):
            self.closed.set()
            with self.cond:
                self.cond.notify_all()

    def eat(self, conn, data):
        while len(data) >= 10:
            n, stream, kind, _ = struct.unpack(">IIBB", data[:10])
            if len(data) < 10 + n:
                break
            body, data = data[10:10 + n], data[10 + n:]
            if conn == PLUGIN:
                threading.Thread(target=self.serve, args=(stream, body),
                                 daemon=True).start()
            else:
                with self.cond:
                    self.answers[stream] = tt.Response.FromString(body)
                    self.cond.notify_all()
        return data

    # ---- calls of ours ----

    def call(self, method, request, wait=True, seconds=20):
        with self.cond:
            stream = self.next
            self.next += 2
        self.message(RUNTIME, stream, 1, tt.Request(
            service=SERVICE + "Runtime", method=method,
            payload=request.SerializeToString()).SerializeToString())
        if not wait:
            return None
        with self.cond:
            assert self.cond.wait_for(
                lambda: stream in self.answers or self.closed.is_set(),
                seconds)
        r = self.answers[stream]
        if r.status.code:
            raise Refused(r.status.code, r.status.message)
        return r.payload

    # ---- calls of the runtime's ----

    def serve(self, stream, body):
        r = tt.Request.FromString(body)
        try:
            out = getattr(self, "on_" + r.method, self.on_call)(r)
            resp = tt.Response(payload=out.SerializeToString())
        except Refused as e:
            resp = tt.Response(status=tt.Status(code=e.code,
                                                message=str(e)))
        try:
            self.message(PLUGIN, stream, 2, resp.SerializeToString())
        except OSError:
            pass
        if r.method == "Synchronize" and not resp.status.code and \
                not self.sync.more:
            self.synced.set()

    def on_Configure(self, r):
        self.configured = pb.ConfigureRequest.FromString(r.payload)
        return pb.ConfigureResponse(events=self.events)

    def on_Synchronize(self, r):
        self.sync = pb.SynchronizeRequest.FromString(r.payload)
        self.pods += self.sync.pods
        self.ctrs += self.sync.containers
        h = self.handlers.get("Synchronize")
        return (h and h(self.sync)) or pb.SynchronizeResponse(
            more=self.sync.more)

    def on_StateChange(self, r):
        req = pb.StateChangeEvent.FromString(r.payload)
        self.calls.append(("StateChange:" + pb.Event.Name(req.event), req))
        return pb.Empty()

    def on_call(self, r):
        simple = r.method not in (
            "CreateContainer", "UpdateContainer", "StopContainer",
            "UpdatePodSandbox", "ValidateContainerAdjustment")
        if self.legacy and simple:
            raise Refused(UNIMPLEMENTED, "no such method")
        kind = {"UpdateContainer": pb.UpdateContainerRequest,
                "UpdatePodSandbox": pb.UpdatePodSandboxRequest,
                "ValidateContainerAdjustment":
                    pb.ValidateContainerAdjustmentRequest}.get(
            r.method, pb.PodRequest if r.method in POD_CALLS
            else pb.ContainerRequest)
        req = kind.FromString(r.payload)
        self.calls.append((r.method, req))
        h = self.handlers.get(r.method)
        return (h and h(req)) or pb.Empty()

    def names(self, ctr=None):
        """What was called, for this container or for pods."""
        return [n for n, r in list(self.calls)
                if ctr is None or "Container" in n and
                r.container.id == ctr]
