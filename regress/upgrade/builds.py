"""Builds of criod beside this tree's own."""

import os
import subprocess

import pytest

import cri

TREE = cri.BUILD


def run(*args):
    """With none of our own settings: B would name this tree's build."""
    env = {k: v for k, v in os.environ.items() if k not in ("B", "MAKEFLAGS")}
    return subprocess.run(args, cwd=cri.TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          env=env)


def make(*args):
    got = run("make", *args)
    assert got.returncode == 0, got.stdout[-3000:]


def newer():
    """This tree, with more in all that it keeps and says (make newer)."""
    make("newer")
    return os.path.join(TREE, "newer")


def base():
    """The commit that BASE names, if the history goes back so far."""
    with open(os.path.join(os.path.dirname(__file__), "BASE")) as f:
        commit = f.read().strip()
    src = os.path.join(TREE, "base", commit[:12])
    out = os.path.join(src, "build")
    if os.path.exists(os.path.join(out, "done")):
        return out
    if run("git", "cat-file", "-e", commit + "^{commit}").returncode != 0:
        pytest.skip("the history does not go back to %s" % commit[:12])
    os.makedirs(src, exist_ok=True)
    got = run("sh", "-c", "git archive %s | tar -x -C '%s'" % (commit, src))
    assert got.returncode == 0, got.stdout
    make("-C", src, "-j2", "programs")
    with open(os.path.join(out, "done"), "w"):
        pass
    return out
