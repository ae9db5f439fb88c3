"""grpc_echo, running; grpcio on top of it."""

import os
import subprocess
import sys
import tempfile

import grpc
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)


@pytest.fixture(scope="session")
def cri(tmp_path_factory):
    """The CRI's messages, made by protoc."""
    out = str(tmp_path_factory.mktemp("stubs"))
    subprocess.run(["protoc", "--python_out=" + out, "-I" + TOP,
                    os.path.join(TOP, "proto/cri.proto")], check=True)
    sys.path.insert(0, os.path.join(out, "proto"))
    import cri_pb2
    return cri_pb2


class Echo:
    def __init__(self, path, *times):
        self.path = path
        build = os.environ.get("CRIOD_BUILD", os.path.join(TOP, "build"))
        self.proc = subprocess.Popen(
            [os.path.join(build, "regress/grpc_echo"), path,
             *map(str, times)],
            stdout=subprocess.PIPE)
        assert self.proc.stdout.readline() == b"ready\n"

    def status(self, key):
        with open("/proc/%d/status" % self.proc.pid) as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1])

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.proc.pid))


@pytest.fixture
def echo():
    """A fresh server; it must still be there at the end."""
    with tempfile.TemporaryDirectory(prefix="criod-grpc.") as d:
        e = Echo(os.path.join(d, "sock"))
        yield e
        assert e.proc.poll() is None, "the server died"
        e.proc.terminate()
        assert e.proc.wait(10) == 0


class Client:
    def __init__(self, cri, path):
        self.cri = cri
        self.channel = grpc.insecure_channel("unix://" + path, options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1)])

    def unary(self, path, request, response, **kw):
        fn = self.channel.unary_unary(
            path, request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=response.FromString)
        return fn(request, **kw)

    def version(self, word, **kw):
        return self.unary("/runtime.v1.RuntimeService/Version",
                          self.cri.VersionRequest(version=word),
                          self.cri.VersionResponse, **kw).version

    def raw(self, path, data=b"", **kw):
        return self.channel.unary_unary(path)(data, **kw)

    def counts(self):
        w = self.version("counts").split()
        return {w[i]: int(w[i + 1]) for i in range(0, len(w), 2)}

    def spec(self, word):
        return self.cri.ImageSpec(image=word)

    def send(self, size):
        return self.unary("/runtime.v1.ImageService/ImageStatus",
                          self.cri.ImageStatusRequest(
                              image=self.spec("x" * size)),
                          self.cri.ImageStatusResponse).image.size

    def receive(self, size):
        r = self.unary("/runtime.v1.ImageService/ListImages",
                       self.cri.ListImagesRequest(filter=self.cri.ImageFilter(
                           image=self.spec(str(size)))),
                       self.cri.ListImagesResponse)
        return len(r.images[0].id)

    def stream(self, word, **kw):
        fn = self.channel.unary_stream(
            "/runtime.v1.ImageService/StreamImages",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=self.cri.StreamImagesResponse.FromString)
        return fn(self.cri.StreamImagesRequest(filter=self.cri.ImageFilter(
            image=self.spec(word))), **kw)


@pytest.fixture
def client(cri, echo):
    c = Client(cri, echo.path)
    yield c
    c.channel.close()


@pytest.fixture
def another(cri, echo):
    """Makes one more client, with a connection of its own."""
    made = []

    def new():
        made.append(Client(cri, echo.path))
        return made[-1]
    yield new
    for c in made:
        c.channel.close()
