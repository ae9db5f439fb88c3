import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "registry"),
                os.path.join(HERE, "..", "grpc"),
                os.path.join(HERE, "..", "faults")]

import drive  # noqa: E402
import faults  # noqa: E402
import hostile  # noqa: E402


@pytest.fixture
def registry():
    r = hostile.Registry()
    yield r
    r.stop()


@pytest.fixture
def other():
    """Another host as far as credentials go."""
    r = hostile.Registry(host="127.0.0.2")
    yield r
    r.stop()


@pytest.fixture
def start(tmp_path):
    """start(**options of Imaged): at the end imaged must still live, hold no
    more descriptors than at first, and leave no blob behind."""
    running = []
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if str(parent) not in ("/", "/tmp"):
            os.chmod(parent, 0o755)

    def begin(**options):
        im = drive.Imaged(str(tmp_path / f"image{len(running)}"), **options)
        running.append(im)
        return im

    yield begin
    for im in running:
        alive = im.alive()
        log = im.log()
        assert alive, log[-3000:]
        assert im.stop() == 0, log[-3000:]
        assert "killed" not in log, log[-3000:]
        for secret in ("s3cret", "tok-1", "aWQtdG9r"):
            assert secret not in log


@pytest.fixture
def shim():
    """imaged's clock: start(prefix=shim.prefix), shim.clock(seconds)."""
    s = faults.Shim(preload=False)
    yield s
    s.close()


@pytest.fixture
def imaged(start, registry):
    """One that takes the registry for an insecure one."""
    return start(registries=[drive.registry(registry.host, insecure=True)])


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A CA, a certificate of 127.0.0.1 by it, an expired one and one of
    another host: (certificate, key) by name, and the CA's file."""
    d = tmp_path_factory.mktemp("tls")

    def run(*args):
        subprocess.run(["openssl", *args], cwd=d, check=True,
                       stderr=subprocess.DEVNULL)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
        "ca.pem", "-subj", "/CN=test CA", "-days", "30")
    result = {"ca": str(d / "ca.pem")}
    for name, san, days in (("good", "IP:127.0.0.1", "30"),
                            ("expired", "IP:127.0.0.1", "-1"),
                            ("wrong", "DNS:elsewhere.example", "30"),
                            ("named", "DNS:registry.test,DNS:auth.test,"
                             "DNS:other.example,IP:::1", "30"),
                            ("client", "DNS:client", "30")):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", name + ".key", "-out", name + ".csr",
            "-subj", "/CN=" + name)
        (d / "ext").write_text("subjectAltName=" + san)
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-out", name + ".pem", "-days",
            days, "-extfile", "ext")
        result[name] = (str(d / (name + ".pem")), str(d / (name + ".key")))
    return result
