"""What other tools' files say of registries, from the files to the pull."""

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import grpc
import pytest

import cri
from conftest_integ import REGISTRY, Criod, wait_for

C = grpc.StatusCode
SECOND = "127.0.0.1:5017"
PASSWORD = "s3cret-of-the-second"
CRICTL = os.path.join(cri.BUILD, "go/crictl")

REGISTRY_YML = """version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %(dir)s/data}}
auth: {htpasswd: {realm: second, path: %(dir)s/htpasswd}}
http:
  addr: %(addr)s
  tls: {certificate: %(dir)s/server.pem, key: %(dir)s/server.key,
        clientcas: [%(dir)s/ca.pem]}
"""

CONF = """unqualified-search-registries = ["docker.io", "other.test"]

[[registry]]
location = "second.test"
[[registry.mirror]]
location = "%s"

[[registry]]
prefix = "blocked.test"
location = "blocked.test"
blocked = true

[[registry]]
prefix = "*.wild.test"
location = "%s/library"
insecure = true

[aliases]
box = "a.wild.test/busybox"
""" % (SECOND, REGISTRY)


def openssl(d, *args):
    subprocess.run(["openssl", *args], cwd=d, check=True,
                   stderr=subprocess.DEVNULL)


def certificates(d):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(d, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem",
            "-subj", "/CN=test CA", "-days", "30")
    for name in ("server", "client"):
        openssl(d, "req", *key, "-keyout", name + ".key", "-out",
                name + ".csr", "-subj", "/CN=" + name)
        with open(d + "/ext", "w") as f:
            f.write("subjectAltName=IP:127.0.0.1")
        openssl(d, "x509", "-req", "-in", name + ".csr", "-CA", "ca.pem",
                "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".pem",
                "-days", "30", "-extfile", "ext")


@pytest.fixture(scope="module")
def second(scratch, registry):
    """A second registry, with TLS, a client's certificate and a password;
    its directory."""
    d = tempfile.mkdtemp(prefix="second.", dir=scratch)
    certificates(d)
    subprocess.run(["htpasswd", "-Bbc", d + "/htpasswd", "u", PASSWORD],
                   check=True, stderr=subprocess.DEVNULL)
    with open(d + "/registry.yml", "w") as f:
        f.write(REGISTRY_YML % {"dir": d, "addr": SECOND})
    proc = subprocess.Popen(["docker-registry", "serve", d + "/registry.yml"],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    certs = d + "/certs"
    os.mkdir(certs)
    for name, as_name in (("ca.pem", "ca.crt"), ("client.pem", "client.cert"),
                          ("client.key", "client.key")):
        shutil.copy(d + "/" + name, certs + "/" + as_name)
    os.chmod(certs + "/client.key", 0o600)

    def pushed():
        return subprocess.run(
            ["skopeo", "copy", "-q", "--src-tls-verify=false",
             "--dest-cert-dir", certs, "--dest-creds", "u:" + PASSWORD,
             "docker://%s/library/busybox:latest" % REGISTRY,
             "docker://%s/app/box:1" % SECOND],
            stderr=subprocess.DEVNULL).returncode == 0
    wait_for("second registry", pushed)
    yield d
    proc.terminate()
    proc.wait()


def auths(host, user, password):
    return json.dumps({"auths": {host: {"auth": base64.b64encode(
        ("%s:%s" % (user, password)).encode()).decode()}}})


class Node:
    """A criod with files of other tools below its directory."""

    def __init__(self, path, second):
        self.path = path
        self.put("containers/registries.conf", CONF)
        self.criod = Criod(path, conf='auth file "%s/etc/auth.json"\n' % path)
        self.put("auth.json", auths(SECOND, "u", PASSWORD), 0o600)
        shutil.copytree(second + "/certs", "%s/etc/containers/certs.d/%s" % (
            path, SECOND))
        os.makedirs(path + "/etc/crio/auth", 0o700)

    def put(self, name, text, mode=0o644):
        path = os.path.join(self.path, "etc", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def pull(self, image, namespace=None, **auth):
        req = {"image": {"image": image}}
        if namespace:
            req["sandbox_config"] = {"metadata": {"namespace": namespace}}
        if auth:
            req["auth"] = auth
        return self.criod.client.PullImage(**req).image_ref

    def refused(self, image, code, text, **kw):
        with pytest.raises(grpc.RpcError) as e:
            self.pull(image, **kw)
        assert e.value.code() == code, e.value.details()
        assert text in e.value.details()

    def reload(self, taken=True):
        """SIGHUP, until it was decided and imaged serves."""
        before = self.criod.helpers()["imaged"]
        kept = self.criod.log().count("the old configuration stays")
        os.kill(self.criod.parent(), signal.SIGHUP)
        if not taken:
            wait_for("a refusal", lambda: self.criod.log().count(
                "the old configuration stays") > kept)
            assert self.criod.helpers()["imaged"] == before
            return
        self.criod.replaced("imaged", before)


@pytest.fixture(scope="module")
def node(scratch, second):
    n = Node(tempfile.mkdtemp(prefix="regs.", dir=scratch), second)
    os.chmod(n.path, 0o755)
    n.criod.start()
    yield n
    n.criod.stop()


def test_mirror(node):
    """By its own certificates and password; the name is the registry's."""
    image = node.pull("second.test/app/box:1", username="not",
                      password="for-the-mirror")
    got = node.criod.client.ImageStatus(
        image={"image": "second.test/app/box:1"}).image
    assert got.id == image
    assert list(got.repo_tags) == ["second.test/app/box:1"]


def test_blocked(node):
    node.refused("blocked.test/x", C.PERMISSION_DENIED, "registries.conf")


def test_short_names(node):
    node.refused("busybox", C.FAILED_PRECONDITION, "ambiguous")
    node.pull("box")
    got = node.criod.client.ImageStatus(image={"image": "box"}).image
    assert "a.wild.test/busybox:latest" in got.repo_tags


@pytest.mark.skipif(not os.path.exists(CRICTL), reason="no Go for crictl")
def test_crictl(node):
    run = [CRICTL, "-r", "unix://" + node.criod.socket, "-i",
           "unix://" + node.criod.socket]
    subprocess.run([*run, "pull", "box"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    got = subprocess.run([*run, "pull", "busybox"], text=True, timeout=60,
                         capture_output=True)
    assert got.returncode != 0 and "ambiguous" in got.stderr


def namespace_file(node, namespace, text, image="second.test/app/box"):
    return node.put("crio/auth/%s-%s.json" % (
        namespace, hashlib.sha256(image.encode()).hexdigest()), text, 0o600)


def test_namespace(node):
    """What a credential provider left is used once, and taken away."""
    path = namespace_file(node, "team", auths(SECOND, "u", "s3cret-wrong"))
    node.refused("second.test/app/box:1", C.UNKNOWN, SECOND,
                 namespace="team")
    assert not os.path.exists(path)
    path = namespace_file(node, "team", auths(SECOND, "u", PASSWORD))
    node.pull("second.test/app/box:1", namespace="team")
    assert os.listdir(os.path.dirname(path)) == []
    node.pull("second.test/app/box:1", namespace="team")


def test_namespace_untrusted(node):
    """A file that another could have written, or no file at all."""
    path = namespace_file(node, "team", auths(SECOND, "u", PASSWORD))
    os.chmod(path, 0o666)
    node.refused("second.test/app/box:1", C.PERMISSION_DENIED, "team-",
                 namespace="team")
    assert not os.path.exists(path)
    os.mkfifo(path)
    node.refused("second.test/app/box:1", C.PERMISSION_DENIED, "team-",
                 namespace="team")
    os.symlink("/etc/shadow", path)
    node.refused("second.test/app/box:1", C.INVALID_ARGUMENT, "namespace team",
                 namespace="team")
    assert os.path.getsize("/etc/shadow") > 0


def test_reload(node):
    """SIGHUP takes what is there; what cannot be understood, or others may
    write, changes nothing."""
    conf = node.put("containers/registries.conf", CONF)
    drop = node.put("containers/registries.conf.d/50.conf",
                    '[[registry]]\nlocation = "second.test"\n'
                    "blocked = true\n")
    node.reload()
    node.refused("second.test/app/box:1", C.PERMISSION_DENIED, "50.conf")
    node.put("containers/registries.conf.d/50.conf", "\n\nunquoted = yes\n")
    node.reload(taken=False)
    assert "the old configuration stays: %s:3: " % drop in node.criod.log()
    node.refused("second.test/app/box:1", C.PERMISSION_DENIED, "50.conf")
    os.chmod(drop, 0o666)
    node.reload(taken=False)
    os.unlink(drop)
    os.chmod(conf, 0o664)
    node.reload(taken=False)
    os.chmod(conf, 0o644)
    node.reload()
    node.pull("second.test/app/box:1")


def check(node):
    return subprocess.run(
        [cri.BUILD + "/sbin/criod", "-n", "-r", node.path, "-x",
         cri.BUILD + "/libexec/criod", "-f", node.path + "/criod.conf"],
        capture_output=True, text=True)


def test_start(node, tmp_path):
    """It is refused at the start, and by criod -n."""
    path = str(tmp_path / "criod")
    drop = path + "/etc/containers/registries.conf.d/50.conf"
    os.makedirs(os.path.dirname(drop))
    c = Criod(path)
    with open(drop, "w") as f:
        f.write("[[registry]]\nlocation = 5\n")
    with pytest.raises(RuntimeError) as e:
        c.start()
    assert drop + ":2: " in str(e.value)
    assert check(node).returncode == 0
    drop = node.put("containers/registries.conf.d/60.conf", "x")
    try:
        got = check(node)
        assert got.returncode == 1 and drop + ":1: " in got.stderr
    finally:
        os.unlink(drop)


def test_hosts(node):
    """containerd's directory, for what registries.conf says nothing of: each
    pull sees it as it is, and nothing is restarted."""
    before = node.criod.helpers()["imaged"]
    node.refused("hosted.test/library/busybox", C.UNKNOWN,
                 "RegistryUnavailable")
    toml = node.put("containerd/certs.d/hosted.test/hosts.toml",
                    'server = "http://%s"\n' % REGISTRY)
    node.pull("hosted.test/library/busybox")
    node.put("containerd/certs.d/hosted.test/hosts.toml", "server = 5\n")
    node.refused("hosted.test/library/busybox", C.FAILED_PRECONDITION,
                 toml + ":1: ")
    assert toml + ":1: " in node.criod.log()
    node.pull("second.test/app/box:1")
    got = check(node)
    assert got.returncode == 0 and toml + ":1: " in got.stderr
    os.unlink(toml)
    node.refused("hosted.test/library/busybox", C.UNKNOWN,
                 "RegistryUnavailable")
    os.kill(node.criod.parent(), signal.SIGHUP)
    wait_for("a look", lambda: "ready again" in node.criod.log())
    assert node.criod.helpers()["imaged"] == before


def test_certificates(node):
    """Likewise those of one host, of which what is wrong is that host's."""
    before = node.criod.helpers()["imaged"]
    d = "%s/etc/containers/certs.d/%s" % (node.path, SECOND)
    os.rename(d + "/ca.crt", d + "/ca.crt.old")
    node.refused("second.test/app/box:1", C.UNKNOWN, "certificate")
    os.rename(d + "/ca.crt.old", d + "/ca.crt")
    node.pull("second.test/app/box:1")
    os.chmod(d, 0o777)
    node.refused("second.test/app/box:1", C.FAILED_PRECONDITION,
                 d + ": others than root may write it")
    node.pull("box")
    os.chmod(d, 0o755)
    node.pull("second.test/app/box:1")
    assert node.criod.helpers()["imaged"] == before


def test_secrets(node):
    """Neither the log nor what criod prints has a password."""
    got = subprocess.run(
        [cri.BUILD + "/sbin/criod", "-nv", "-r", node.path, "-f",
         node.path + "/criod.conf"], capture_output=True, text=True)
    assert got.returncode == 0, got.stderr
    assert 'auth file "%s/etc/auth.json"' % node.path in got.stdout
    said = got.stdout + got.stderr + node.criod.log()
    encoded = base64.b64encode(("u:" + PASSWORD).encode()).decode()
    for secret in (PASSWORD, encoded, "for-the-mirror", "PRIVATE KEY"):
        assert secret not in said


def test_auth_rotates(node):
    """Each pull reads it, without a SIGHUP; a file that others may read is
    said, not refused, and one that is not there is no credentials."""
    path = node.put("auth.json", auths(SECOND, "u", "s3cret-old"), 0o644)
    node.refused("second.test/app/box:1", C.UNKNOWN, SECOND)
    os.unlink(path)
    node.refused("second.test/app/box:1", C.UNKNOWN, SECOND)
    node.put("auth.json", auths(SECOND, "u", PASSWORD), 0o666)
    node.refused("second.test/app/box:1", C.PERMISSION_DENIED, "auth.json")
    node.put("auth.json", auths(SECOND, "u", PASSWORD), 0o644)
    node.pull("second.test/app/box:1")
    node.put("containers/registries.conf", CONF + "# changed\n")
    node.reload()
    assert path + ": others than its owner may read it" in node.criod.log()
