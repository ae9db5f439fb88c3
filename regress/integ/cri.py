"""A CRI client on grpcio, made from proto/cri.proto when the tests start."""

import importlib.util
import os
import subprocess
import sys
import tempfile

import grpc

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("B", os.path.join(TOP, "build"))


def _load():
    out = tempfile.mkdtemp(prefix="criod-pb.")
    subprocess.run(["protoc", "-I", os.path.join(TOP, "proto"),
                    "--python_out", out, "cri.proto"], check=True)
    spec = importlib.util.spec_from_file_location(
        "cri_pb2", os.path.join(out, "cri_pb2.py"))
    mod = importlib.util.module_from_spec(spec)
    sys.modules["cri_pb2"] = mod
    spec.loader.exec_module(mod)
    return mod


pb = _load()
OPTIONS = [("grpc.max_receive_message_length", 32 << 20),
           ("grpc.max_send_message_length", 32 << 20),
           ("grpc.initial_reconnect_backoff_ms", 100),
           ("grpc.max_reconnect_backoff_ms", 200)]


class Client:
    """client.RunPodSandbox(config=...) and so on; raises grpc.RpcError."""

    def __init__(self, socket, connect_ms=20000):
        """connect_ms: how long a server may take to say its settings; a call
        whose connection is not there by then is UNAVAILABLE."""
        self.channel = grpc.insecure_channel("unix:" + socket, options=[
            *OPTIONS, ("grpc.min_reconnect_backoff_ms", connect_ms)])
        self.stubs = {}
        for service in pb.DESCRIPTOR.services_by_name.values():
            for m in service.methods:
                self._add(service, m)

    def _add(self, service, m):
        request = getattr(pb, m.input_type.name)
        response = getattr(pb, m.output_type.name)
        stream = response.DESCRIPTOR.name.startswith("Stream") or \
            m.name == "GetContainerEvents"
        kind = self.channel.unary_stream if stream else \
            self.channel.unary_unary
        stub = kind("/runtime.v1.%s/%s" % (service.name, m.name),
                    request_serializer=request.SerializeToString,
                    response_deserializer=response.FromString)
        self.stubs[m.name] = (stub, request)

    def __getattr__(self, name):
        stub, request = self.stubs[name]

        def call(rpc_timeout=120, **fields):
            return stub(request(**fields), timeout=rpc_timeout)
        return call

    def future(self, name, rpc_timeout=120, **fields):
        stub, request = self.stubs[name]
        return stub.future(request(**fields), timeout=rpc_timeout)

    def close(self):
        self.channel.close()
