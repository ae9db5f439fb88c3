"""An image made by buildah, through Debian's docker-registry in each of its
forms: the files are those that umoci makes of it."""
import os
import shutil
import subprocess
import sys

import drive
import pytest
from test_registry import insecure, run, serve

sys.path.append(os.path.join(drive.TOP, "regress", "unpack"))

import tree  # noqa: E402

NEEDED = ["buildah", "docker-registry", "umoci", "busybox"]
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
    os.truncate(os.open(d / "tree/sparse", os.O_CREAT | os.O_WRONLY), 1 << 20)
    (d / "second/program").write_text("another\n")
    (d / "one").write_text("1\n")
    os.utime(d / "one", (1, 1234567890.5))
    (d / "Containerfile").write_text(CONTAINERFILE)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """buildah's options, and what umoci unpacks."""
    d = tmp_path_factory.mktemp("buildah")
    source(d)
    options = ["--root", f"{d}/root", "--runroot", f"{d}/run",
               "--storage-driver", "vfs"]
    run("buildah", *options, "build", "--layers", "--isolation", "chroot",
        "--format", "docker", "-t", "test", str(d))
    run("buildah", *options, "push", "-q", "test", f"oci:{d}/layout:t")
    run("umoci", "raw", "unpack", "--image", f"{d}/layout:t", f"{d}/want")
    return options, str(d / "want")


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


@pytest.mark.parametrize("form", [
    ["--format=v2s2"], ["--format=oci"],
    ["--format=oci", "--compression-format=zstd"]])
def test_same_as_umoci(start, tmp_path, built, form):
    options, want = built
    process, host = serve(str(tmp_path / "r"))
    try:
        run("buildah", *options, "push", "-q", "--tls-verify=false", *form,
            "test", f"docker://{host}/test:1")
        im = start(registries=insecure(host))
        ident = im.pull(f"{host}/test:1")
        where = merged(im, ident, str(tmp_path / "merged"))
        try:
            one, two = tree.describe(want), tree.describe(where)
        finally:
            subprocess.run(["umount", where], check=True)
        for facts in (one, two):
            facts.pop(b".", None), facts.pop(".", None)
        assert len(one) > 10
        assert tree.differences(one, two) == []
    finally:
        process.terminate()
        process.wait()
