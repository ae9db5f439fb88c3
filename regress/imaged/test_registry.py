"""Against Debian's docker-registry, with images made by umoci and pushed by
skopeo."""
import os
import shutil
import socket
import subprocess
import time

import drive
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
  addr: 127.0.0.1:{port}
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


def serve(root, extra=""):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    os.makedirs(root, exist_ok=True)
    with open(f"{root}/config.yml", "w") as f:
        f.write(CONFIG.format(root=root, port=port) +
                extra.format(root=root))
    process = subprocess.Popen(
        ["docker-registry", "serve", f"{root}/config.yml"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    return process, f"127.0.0.1:{port}"


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
