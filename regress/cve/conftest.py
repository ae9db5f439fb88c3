"""A canary tree that no test may change, and hostile images."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integ"))

import cri  # noqa: E402
import oci  # noqa: E402
from conftest_integ import *  # noqa: E402,F401,F403

CANARY = "/canary"


def snapshot(root):
    out = {}
    for d, dirs, files in os.walk(root):
        for n in dirs + files:
            p = os.path.join(d, n)
            st = os.lstat(p)
            data = ""
            if os.path.isfile(p) and not os.path.islink(p):
                with open(p, "rb") as f:
                    data = hashlib.sha256(f.read()).hexdigest()
            out[p] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns,
                      st.st_size, data, sorted(os.listxattr(
                          p, follow_symlinks=False)))
    st = os.lstat(root)
    out[root] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns)
    return out


@pytest.fixture
def canary():
    """/canary, checked after the test."""
    shutil.rmtree(CANARY, ignore_errors=True)
    os.makedirs(os.path.join(CANARY, "dir"))
    for n in ("file", "passwd", "dir/inner"):
        with open(os.path.join(CANARY, n), "w") as f:
            f.write("canary " + n)
    before = snapshot(CANARY)
    yield CANARY
    after = snapshot(CANARY)
    shutil.rmtree(CANARY)
    assert before == after


@pytest.fixture
def image(criod, tmp_path, pods):
    """image(entries..., config={}) imports an image; its reference."""
    made = []

    def make(*layers, config=None, busybox=True, **root):
        name = "cve.test/i%d:latest" % len(made)
        lay = oci.Layout(str(tmp_path / ("l%d" % len(made))))
        tars = [oci.layer(oci.busybox_entries())] if busybox else []
        tars += [x if isinstance(x, bytes) else oci.layer(x)
                 for x in layers]
        path = lay.write(lay.image(tars, config, **root), name)
        made.append(name)
        got = subprocess.run(
            [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
             os.path.join(criod.path, "control.sock"), "image", "import",
             path], capture_output=True, text=True)
        if got.returncode != 0:
            raise ImportError(got.stderr)
        return name
    yield make
    pods.clean()
    for name in made:
        criod.client.RemoveImage(image={"image": name})
