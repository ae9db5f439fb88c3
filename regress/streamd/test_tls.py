"""The listener with TLS: certificates come as descriptors."""

import json
import os
import socket
import ssl
import struct
import subprocess
import tempfile

import pytest

from rig import Backend, Streamd, command, wait_for
from spdy import Remote

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def make(d, name, *more):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-addext", "subjectAltName=DNS:localhost",
         "-keyout", "%s/%s.key" % (d, name), "-out", "%s/%s.pem" % (d, name)],
        check=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    d = str(tmp_path_factory.mktemp("certs"))
    for name in ("one", "two", "client"):
        make(d, name)
    return d


class Tls:
    def __init__(self, pb, **boot):
        self.root = tempfile.TemporaryDirectory(prefix="criod-streamd.")
        os.chmod(self.root.name, 0o755)
        self.pb = pb
        self.s = Streamd(pb, self.root.name, tls=True, **boot)
        self.s.listen("STREAM")
        self.s.start()

    def file(self, kind, path):
        fd = os.open(path, os.O_RDONLY)
        self.s.send("FILE", self.pb.File(kind=self.pb.File.Kind.Value(kind),
                                         name=os.path.basename(path)), [fd])
        os.close(fd)

    def use(self, d, name, key=None, ca=None):
        self.file("STREAM_CERT", "%s/%s.pem" % (d, name))
        self.file("STREAM_KEY", "%s/%s.key" % (d, key or name))
        if ca:
            self.file("STREAM_CA", "%s/%s.pem" % (d, ca))

    def context(self, d, name, client=None):
        c = ssl.create_default_context(cafile="%s/%s.pem" % (d, name))
        if client:
            c.load_cert_chain("%s/%s.pem" % (d, client),
                              "%s/%s.key" % (d, client))
        return c

    def health(self, context):
        s = context.wrap_socket(
            socket.create_connection(self.s.kinds["STREAM"], 10),
            server_hostname="localhost")
        s.settimeout(10)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n")
        out = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                return out
            out += piece

    def close(self):
        assert self.s.proc.poll() is None, self.s.text()
        self.s.send("STOP", struct.pack("<I", 0))
        assert self.s.proc.wait(10) == 0, self.s.text()
        self.root.cleanup()


@pytest.fixture
def tls(pb):
    t = Tls(pb)
    yield t
    t.close()


def served(t, context):
    try:
        return t.health(context).startswith(b"HTTP/1.1 503")
    except (ssl.SSLError, OSError):
        return False


def test_nothing_before_the_certificate(tls, certs):
    with pytest.raises((ssl.SSLError, OSError)):
        tls.health(tls.context(certs, "one"))
    tls.use(certs, "one")
    wait_for(lambda: served(tls, tls.context(certs, "one")))
    # no plain HTTP beside it, no version of old
    s = socket.create_connection(tls.s.kinds["STREAM"], 10)
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    s.settimeout(10)
    try:
        assert b"HTTP/" not in s.recv(4096)
    except ConnectionResetError:
        pass
    old = tls.context(certs, "one")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not served(tls, old)


def test_reload(tls, certs):
    tls.use(certs, "one")
    wait_for(lambda: served(tls, tls.context(certs, "one")))
    tls.use(certs, "two", key="one")	# no pair: the old one stays
    wait_for(lambda: "two.pem" in tls.s.text() or "one.key" in tls.s.text())
    assert served(tls, tls.context(certs, "one"))
    tls.use(certs, "two")
    wait_for(lambda: served(tls, tls.context(certs, "two")))
    assert not served(tls, tls.context(certs, "one"))


@pytest.mark.parametrize("text", [b"", b"-----BEGIN", b"x" * (300 << 10)])
def test_bad_files(tls, certs, text):
    bad = certs + "/bad.pem"
    with open(bad, "wb") as f:
        f.write(text)
    tls.file("STREAM_KEY", certs + "/one.key")
    tls.file("STREAM_CERT", bad)
    wait_for(lambda: "error: streams: bad.pem" in tls.s.text())
    tls.use(certs, "one")
    wait_for(lambda: served(tls, tls.context(certs, "one")))


def test_clients_need_a_certificate(pb, certs):
    t = Tls(pb, client_ca=True)
    t.use(certs, "one", ca="client")
    wait_for(lambda: served(t, t.context(certs, "one", "client")))
    assert not served(t, t.context(certs, "one"))
    assert not served(t, t.context(certs, "one", "two"))
    t.close()


def test_exec(tls, pb, certs):
    tls.use(certs, "one")
    b = Backend(tls.s, pb)
    context = tls.context(certs, "one")
    wait_for(lambda: served(tls, context) or b"ok" in tls.health(context))
    url, _ = b.prepare("EXEC", command(["sh", "-c", "wc -c; yes | head -c "
                                        "3000000; exit 3"]),
                       stdin=True, stdout=True)
    assert url.startswith("https://127.0.0.1:")
    r = Remote(url, ("stdin", "stdout"), tls=context)
    for _ in range(100):
        r.write(b"x" * 30000)
    r.write(b"", fin=True)
    out, _, status = r.result()
    assert out == b"3000000\n" + b"y\n" * 1500000
    assert json.loads(status)["reason"] == "NonZeroExitCode"
    b.close()
