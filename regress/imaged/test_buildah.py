"""Images made by buildah and by umoci, pushed in each of their forms by buildah
and by skopeo to Debian's docker-registry: the files are those that umoci makes
of them, without the devices."""
import os
import shutil
import stat
import subprocess
import sys

import drive
import pytest
from test_registry import insecure, run, serve

sys.path.append(os.path.join(drive.TOP, "regress", "unpack"))

import tree  # noqa: E402

NEEDED = ["buildah", "docker-registry", "skopeo", "umoci", "busybox"]
pytestmark = pytest.mark.skipif(
    any(shutil.which(p) is None for p in NEEDED),
    reason="needs " + ", ".join(NEEDED))

# ENV and LABEL make history without layers; the last COPY makes a layer that
# is there already.
CONTAINERFILE = """FROM scratch
ENV A=1
COPY --chown=7:8 tree /tree
LABEL b=2
COPY one /one
COPY --chown=0:9 second /tree
COPY one /one
"""


def source(d):
    os.makedirs(d / "tree/dir/deep")
    os.makedirs(d / "second")
    (d / "tree/dir/file").write_bytes(os.urandom(100000))
    os.link(d / "tree/dir/file", d / "tree/link")
    os.symlink("dir/file", d / "tree/symlink")
    os.symlink("/etc/passwd", d / "tree/outside")
    (d / "tree/program").write_text("#!/bin/sh\n")
    os.chmod(d / "tree/program", 0o4755)
    os.chmod(d / "tree/dir/deep", 0o1770)
    (d / "tree" / ("long-name-" * 20)).write_text("x")
    with open(d / "tree/sparse", "wb") as f:
        f.truncate(3 << 20)
        f.seek(1 << 20)
        f.write(b"data" * 5000)
    os.mkfifo(d / "tree/fifo", 0o640)
    (d / "tree/empty").write_bytes(b"")
    os.chown(d / "tree/empty", 4000000000, 65534)
    os.chmod(d / "tree/empty", 0)
    (d / "tree/n\u00e9 \u4e2d").write_text("utf-8")
    os.setxattr(d / "tree/dir/file", "user.note", b"with\0nul\n")
    os.utime(d / "tree/dir/deep", ns=(0, 1111111111111111111))
    os.utime(d / "tree/outside", ns=(0, 987654321), follow_symlinks=False)
    (d / "second/program").write_text("another\n")
    (d / "one").write_text("1\n")
    os.utime(d / "one", (1, 1234567890.5))
    (d / "Containerfile").write_text(CONTAINERFILE)


def by_buildah(d):
    """How it is pushed; d/layout has it, too."""
    options = ["--root", f"{d}/root", "--runroot", f"{d}/run",
               "--storage-driver", "vfs"]
    run("buildah", *options, "build", "--layers", "--isolation", "chroot",
        "--format", "docker", "-t", "test", str(d))
    run("buildah", *options, "push", "-q", "test", f"oci:{d}/layout:t")

    def push(where, *form):
        run("buildah", *options, "push", "-q", "--tls-verify=false", *form,
            "test", where)
    return push


def by_umoci(d):
    """With devices, and with a layer that takes things away again."""
    image = f"{d}/layout:t"
    run("umoci", "init", "--layout", f"{d}/layout")
    run("umoci", "new", "--image", image)
    run("umoci", "unpack", "--image", image, f"{d}/bundle")
    rootfs = d / "bundle/rootfs"
    run("cp", "-a", f"{d}/tree", str(rootfs))
    os.mknod(rootfs / "tree/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(rootfs / "tree/disk", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    run("umoci", "repack", "--refresh-bundle", "--image", image,
        f"{d}/bundle")
    run("rm", "-r", str(rootfs / "tree/dir/deep"), str(rootfs / "tree/link"))
    for path in ("tree", "tree/dir"):  # else umoci leaves them out
        os.chmod(rootfs / path, 0o711)
    run("cp", "-a", f"{d}/second/program", str(rootfs / "tree"))
    run("umoci", "repack", "--image", image, f"{d}/bundle")

    def push(where, *form):
        run("skopeo", "copy", "-q", "--dest-tls-verify=false", *form,
            f"oci:{image}", where)
    return push


@pytest.fixture(scope="module", params=[by_buildah, by_umoci])
def built(tmp_path_factory, request):
    """What pushes it, and what umoci unpacks."""
    d = tmp_path_factory.mktemp("built")
    source(d)
    push = request.param(d)
    run("umoci", "raw", "unpack", "--image", f"{d}/layout:t", f"{d}/want")
    return push, str(d / "want")


def merged(im, ident, where):
    """The layers as a container sees them."""
    numbers = im.lease("c" * 64, ident).layers
    lowers = ":".join(os.path.join(im.root, "layer", str(n), "fs")
                      for n in reversed(numbers))
    os.mkdir(where)
    if subprocess.run(["mount", "-t", "overlay", "-o",
                       "ro,userxattr,lowerdir=" + lowers, "overlay",
                       where]).returncode != 0:
        pytest.skip("no overlay here")
    return where


def without(facts, *kinds):
    return {p: f for p, f in facts.items()
            if p != b"." and f["type"] not in kinds}


@pytest.mark.parametrize("form", ["v2s2", "oci", "zstd"])
def test_same_as_umoci(start, tmp_path, built, form):
    push, want = built
    if form == "zstd" and push.__qualname__.startswith("by_umoci"):
        pytest.skip("this skopeo compresses nothing twice")
    process, host = serve(str(tmp_path / "r"))
    try:
        push(f"docker://{host}/test:1", *{
            "v2s2": ["--format=v2s2"], "oci": ["--format=oci"],
            "zstd": ["--format=oci", "--compression-format=zstd"]}[form])
        im = start(registries=insecure(host))
        ident = im.pull(f"{host}/test:1")
        where = merged(im, ident, str(tmp_path / "merged"))
        try:
            one, two = tree.describe(want), tree.describe(where)
        finally:
            subprocess.run(["umount", where], check=True)
        one = without(one, stat.S_IFCHR, stat.S_IFBLK)
        assert len(one) > 10
        assert tree.differences(one, without(two)) == []
    finally:
        process.terminate()
        process.wait()
