"""A canary tree that no test may change, and hostile images."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integ"))

import cri  # noqa: E402
from conftest_integ import Criod  # noqa: E402
import oci  # noqa: E402
from conftest_integ import *  # noqa: E402,F401,F403

CANARY = "/canary.%d" % os.getpid()
CANARY_UP = "../" * 16 + CANARY[1:]


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
                      st.st_size, st.st_nlink, data, sorted(os.listxattr(
                          p, follow_symlinks=False)))
    st = os.lstat(root)
    out[root] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns)
    return out


@pytest.fixture
def canary():
    """A directory of the host, checked after the test."""
    shutil.rmtree(CANARY, ignore_errors=True)
    os.makedirs(os.path.join(CANARY, "dir"))
    for n in ("file", "passwd", "dir/inner"):
        with open(os.path.join(CANARY, n), "w") as f:
            f.write("someone:x:0:0:canary %s:/:/bin/sh\n" % n)
    before = snapshot(CANARY)
    yield CANARY
    after = snapshot(CANARY)
    shutil.rmtree(CANARY)
    assert before == after


def import_layout(criod, path):
    got = subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         os.path.join(criod.path, "control.sock"), "image", "import",
         path], capture_output=True, text=True, timeout=120)
    if got.returncode != 0:
        raise ImportError(got.stderr)


@pytest.fixture
def another(scratch, registry):
    """another(conf, env) starts a criod of the test's own."""
    started = []

    def start(conf="", **env):
        path = tempfile.mkdtemp(prefix="cve.", dir=scratch)
        os.chmod(path, 0o755)
        c = Criod(path, conf, args=["-m"])
        before = dict(os.environ)
        os.environ.update(env)
        try:
            c.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        started.append(c)
        c.client.PullImage(image={"image": "busybox"})
        return c
    yield start
    for c in started:
        c.stop()


@pytest.fixture(scope="session")
def compiled(scratch):
    """compiled(source) is a static program's path."""
    def make(name, text, *flags):
        out = os.path.join(scratch, name)
        subprocess.run(["gcc", "-O1", "-static", "-x", "c", "-", "-o", out,
                        *flags], input=text.encode(), check=True)
        return out
    return make


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
        import_layout(criod, path)
        return name
    yield make
    pods.clean()
    for name in made:
        criod.client.RemoveImage(image={"image": name})
