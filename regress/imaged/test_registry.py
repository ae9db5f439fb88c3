"""Against Debian's docker-registry, with images made by umoci and pushed by
skopeo."""
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse

import between
import drive
import hostile
import pytest

NEEDED = ["docker-registry", "skopeo", "umoci", "busybox"]
pytestmark = pytest.mark.skipif(
    any(shutil.which(p) is None for p in NEEDED),
    reason="needs " + ", ".join(NEEDED))

CONFIG = """version: 0.1
storage:
  filesystem:
    rootdirectory: {root}
http:
  addr: "{host}:{port}"
"""
BASIC = """auth:
  htpasswd:
    realm: test
    path: {root}/htpasswd
"""
# bcrypt of "s3cret"
HTPASSWD = "u:$2y$05$4zj7d8iGQvecjG.C1fFl2.8uVyndkpy66NF.XKQc8Tmn5Vu.sODjm\n"


def run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kw).stdout


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """busybox as an OCI layout with two layers."""
    d = tmp_path_factory.mktemp("oci")
    image = f"{d}/layout:one"
    run("umoci", "init", "--layout", f"{d}/layout")
    run("umoci", "new", "--image", image)
    run("umoci", "unpack", "--image", image, f"{d}/bundle")
    os.makedirs(f"{d}/bundle/rootfs/bin")
    shutil.copy(shutil.which("busybox"), f"{d}/bundle/rootfs/bin/busybox")
    os.link(f"{d}/bundle/rootfs/bin/busybox", f"{d}/bundle/rootfs/bin/sh")
    run("umoci", "repack", "--refresh-bundle", "--image", image,
        f"{d}/bundle")
    os.unlink(f"{d}/bundle/rootfs/bin/sh")
    with open(f"{d}/bundle/rootfs/etc", "w") as f:
        f.write("x")
    run("umoci", "repack", "--image", image, f"{d}/bundle")
    return f"{d}/layout"


def serve(root, extra="", host="127.0.0.1"):
    address = host.strip("[]")
    with socket.create_server((address, 0), family=(
            socket.AF_INET6 if ":" in address else socket.AF_INET)) as s:
        port = s.getsockname()[1]
    os.makedirs(root, exist_ok=True)
    with open(f"{root}/config.yml", "w") as f:
        f.write(CONFIG.format(root=root, host=host, port=port) +
                extra.format(root=root))
    process = subprocess.Popen(
        ["docker-registry", "serve", f"{root}/config.yml"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection((address, port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    return process, f"{host}:{port}"


def push(layout, host, name, *options):
    run("skopeo", "copy", "--dest-tls-verify=false", *options,
        f"oci:{layout}:one", f"docker://{host}/{name}")


def insecure(host):
    return [drive.registry(host, insecure=True)]


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_plain(start, tmp_path, layout, form):
    process, host = serve(str(tmp_path / "r"))
    try:
        push(layout, host, "busybox:1", f"--format={form}")
        im = start(registries=insecure(host))
        ident = im.pull(f"{host}/busybox:1")
        lease = im.lease("c" * 64, ident)
        assert len(lease.layers) == 2
        top = os.path.join(im.root, "layer", str(lease.layers[0]), "fs")
        assert os.path.samefile(f"{top}/bin/sh", f"{top}/bin/busybox")
        digest = im.status(ident).repo_digests[0]
        assert im.pull(digest) == ident
        del im
    finally:
        process.terminate()
        process.wait()


def test_mirror(start, tmp_path, layout):
    process, host = serve(str(tmp_path / "r"))
    try:
        push(layout, host, "library/busybox:latest")
        im = start(registries=[drive.registry("docker.io", mirrors=[
            (host, True)])])
        ident = im.pull("busybox")
        assert im.status("docker.io/library/busybox").id == ident
    finally:
        process.terminate()
        process.wait()


def test_basic(start, tmp_path, layout):
    root = tmp_path / "r"
    root.mkdir()
    (root / "htpasswd").write_text(HTPASSWD)
    process, host = serve(str(root), BASIC)
    try:
        push(layout, host, "busybox:1", "--dest-creds=u:s3cret")
        im = start(registries=insecure(host))
        ident = im.pull(f"{host}/busybox:1", username="u", password="s3cret")
        assert im.status(ident) is not None
        with pytest.raises(drive.Failed) as e:
            im.pull(f"{host}/busybox:1")
        assert e.value.code == "UNAUTHENTICATED"
    finally:
        process.terminate()
        process.wait()


TLS = """  tls:
    certificate: {cert}
    key: {key}
"""


@pytest.fixture
def secure(tmp_path, layout, certificates):
    """secure(extra, *skopeo's options): a registry with TLS and
    busybox:1 in it."""
    running = []

    def begin(extra="", *options):
        cert, key = certificates["good"]
        process, host = serve(str(tmp_path / "r"),
                              TLS.format(cert=cert, key=key) + extra)
        running.append(process)
        push(layout, host, "busybox:1", *options)
        return int(host.rsplit(":", 1)[1])

    yield begin
    for p in running:
        p.terminate()
        p.wait()


@pytest.mark.parametrize("http2", [True, False])
def test_connections(start, secure, certificates, http2):
    """By HTTP/2 one connection serves documents and layers at once."""
    port = secure("" if http2 else "  http2:\n    disabled: true\n")
    wire = between.Wire(port)
    im = start(ca=certificates["ca"])
    ident = im.pull(f"{wire.host}/busybox:1")
    assert len(im.lease("c" * 64, ident).layers) == 2
    assert wire.count == 1 if http2 else wire.count > 1
    wire.stop()


def test_cut_http2(start, secure, certificates):
    """All streams of a connection are cut at once, again and again."""
    wire = between.Wire(secure(), [200000] * 100)
    im = start(ca=certificates["ca"])
    # Each goes on at once, not when the idle time (60 s) is over.
    ident = im.end_pull(im.start_pull(f"{wire.host}/busybox:1"), timeout=50)
    assert im.status(ident) is not None
    assert wire.count > 3
    wire.stop()


def test_cut_and_resumed(start, tmp_path, layout):
    """By HTTP/1.1: each new connection asks for the rest."""
    process, host = serve(str(tmp_path / "r"))
    wire = between.Wire(int(host.rsplit(":", 1)[1]),
                        [None] + [200000] * 100)
    try:
        push(layout, host, "busybox:1")
        im = start(registries=insecure(wire.host))
        assert im.status(im.pull(f"{wire.host}/busybox:1")) is not None
        asked = [int(n) for n in re.findall(
            rb"\r\nRange: bytes=(\d+)-\r\n", b"".join(wire.heard))]
        assert len(asked) >= 2 and len(set(asked)) == len(asked)
    finally:
        wire.stop()
        process.terminate()
        process.wait()


CLIENTS = """    clientcas:
      - {ca}
"""


def test_client_certificate(start, tmp_path, layout, certificates):
    """At an IPv6 address, and by a proxy that is spoken to in TLS."""
    cert, key = certificates["named"]
    process, host = serve(str(tmp_path / "r"), (TLS + CLIENTS).format(
        cert=cert, key=key, ca=certificates["ca"]), "[::]")
    proxy = between.Proxy({"registry.test": "::1"}, tls=certificates["good"])
    # skopeo takes no address of IPv6
    host, push_to, named = [h + host[4:] for h in (
        "[::1]", "127.0.0.1", "registry.test")]
    certs = tmp_path / "certs"
    certs.mkdir()
    for name, path in zip(("ca.crt", "client.cert", "client.key"),
                          (certificates["ca"], *certificates["client"])):
        shutil.copy(path, certs / name)
    try:
        push(layout, push_to, "busybox:1", f"--dest-cert-dir={certs}")
        options = {"ca": certificates["ca"],
                   "proxy": {"https": f"https://{proxy.host}"}}
        im = start(registries=[drive.registry(
            h, client=certificates["client"]) for h in (host, named)],
            **options)
        assert im.pull(f"{named}/busybox:1") == im.pull(f"{host}/busybox:1")
        assert set(proxy.log) == {f"CONNECT {named} HTTP/1.1"}
        im = start(transfer={"progress": 1}, **options)
        for h in (host, named):
            with pytest.raises(drive.Failed, match="RegistryUnavailable: "):
                im.pull(f"{h}/busybox:1")
        assert im.list() == []
    finally:
        proxy.stop()
        process.terminate()
        process.wait()


def sign(claims, cert, key):
    """A JSON web token by the key of a certificate that it contains."""
    def part(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    der = subprocess.run(["openssl", "x509", "-in", cert, "-outform", "DER"],
                         check=True, stdout=subprocess.PIPE).stdout
    head = {"typ": "JWT", "alg": "RS256",
            "x5c": [base64.b64encode(der).decode()]}
    text = b".".join(part(json.dumps(d).encode()) for d in (head, claims))
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key],
                          input=text, check=True, stdout=subprocess.PIPE)
    return (text + b"." + part(made.stdout)).decode()


class TokenServer(hostile.Registry):
    """Gives u, s3cret tokens that a registry believes; "refresh" is an
    identity token."""

    def __init__(self, directory, **kw):
        super().__init__(**kw)
        self.pair = [f"{directory}/token.pem", f"{directory}/token.key"]
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-out", self.pair[0], "-keyout", self.pair[1], "-subj",
            "/CN=tokens", "-days", "2")
        self.hooks["path", "/token"] = self.give
        self.basic = "Basic " + base64.b64encode(b"u:s3cret").decode()

    def give(self, h):
        asked = urllib.parse.parse_qs(self.log[-1]["body"].decode() or
                                      urllib.parse.urlsplit(h.path).query)
        good = h.headers.get("Authorization") == self.basic or \
            asked.get("refresh_token") == ["refresh"]
        if not good:
            return h.reply(401)
        kind, name, actions = asked["scope"][0].split(":")
        now = int(time.time())
        token = sign({
            "iss": "tokens", "sub": "u", "aud": "registry", "exp": now + 300,
            "nbf": now - 10, "iat": now, "jti": str(now),
            "access": [{"type": kind, "name": name,
                        "actions": actions.split(",")}]}, *self.pair)
        key = "access_token" if "refresh_token" in asked else "token"
        return h.reply(200, json.dumps({key: token}).encode())


@pytest.mark.parametrize("auth", [
    {"username": "u", "password": "s3cret"}, {"identity_token": "refresh"}])
def test_token(start, secure, certificates, tmp_path, auth):
    tokens = TokenServer(str(tmp_path), tls=certificates["good"])
    port = secure(f"""auth:
  token:
    realm: {tokens.url}/token
    service: registry
    issuer: tokens
    rootcertbundle: {tokens.pair[0]}
""", "--dest-creds=u:s3cret")
    im = start(ca=certificates["ca"])
    name = f"127.0.0.1:{port}/busybox:1"
    assert im.status(im.pull(name, **auth)) is not None
    with pytest.raises(drive.Failed) as e:
        im.pull(name)
    assert e.value.code == "UNAUTHENTICATED"
    with pytest.raises(drive.Failed) as e:
        im.pull(name, username="u", password="other")
    assert e.value.code == "UNAUTHENTICATED" and "other" not in e.value.text
    tokens.stop()
