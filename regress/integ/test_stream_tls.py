"""The stream listener of a whole criod: TLS, its reload, and who may listen."""

import os
import signal
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

import cri
from conftest_integ import Criod, wait_for

sys.path.insert(0, os.path.join(cri.TOP, "regress/streamd"))
from spdy import Remote	# noqa: E402


def make(path, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-addext", "subjectAltName=DNS:localhost",
         "-keyout", path + "/key.pem", "-out", path + "/cert.pem"],
        check=True, stderr=subprocess.DEVNULL)
    with open(path + "/cert.pem") as f:
        return ssl.create_default_context(cadata=f.read())


@pytest.fixture
def secure(scratch, registry):
    path = os.path.join(scratch, "tls")
    os.makedirs(path)
    context = make(path, "one")
    c = Criod(path, 'stream listen on 127.0.0.1 port 0 tls certificate '
              '"%s/cert.pem" key "%s/key.pem"\n' % (path, path),
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c, path, context
    c.stop()


def run(c, ctr, context):
    url = c.client.Exec(container_id=ctr, cmd=["sh", "-c", "cat; exit 3"],
                        stdin=True, stdout=True).url
    assert url.startswith("https://127.0.0.1:")
    r = Remote(url, ("stdin", "stdout"), tls=context)
    r.write(b"hello", fin=True)
    out, _, status = r.result()
    assert b'"NonZeroExitCode"' in status
    return out


def test_tls_and_its_reload(secure, scratch):
    from conftest_integ import Pods
    c, path, old = secure
    pods = Pods(c, scratch)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    streamd = c.helpers()["streamd"]
    assert run(c, ctr, old) == b"hello"
    new = make(path, "two")
    os.kill(c.parent(), signal.SIGHUP)

    def reloaded():
        try:
            return run(c, ctr, new) == b"hello"
        except (ssl.SSLError, OSError):
            return False
    wait_for("the new certificate", reloaded)
    with pytest.raises(ssl.SSLError):
        run(c, ctr, old)
    # files that are of no use change nothing
    with open(path + "/key.pem", "w"):
        pass
    os.kill(c.parent(), signal.SIGHUP)
    wait_for("the complaint", lambda: "error: streams: " in c.log())
    assert run(c, ctr, new) == b"hello"
    assert c.helpers()["streamd"] == streamd
    pods.clean()


def test_row_68_only_loopback_listens(criod):
    """Of criod's sockets, one of TCP, on loopback, unless configured."""
    inodes = set()
    for pid in [criod.parent(), *criod.helpers().values()]:
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                to = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            except OSError:
                continue
            if to.startswith("socket:["):
                inodes.add(to[8:-1])
    found = []
    for name in ("tcp", "tcp6", "udp", "udp6"):
        with open("/proc/net/" + name) as f:
            for line in f.readlines()[1:]:
                w = line.split()
                if w[9] in inodes and (w[3] == "0A" or "udp" in name):
                    found.append((name, w[1].split(":")[0]))
    assert found == [("tcp", "0100007F")]
