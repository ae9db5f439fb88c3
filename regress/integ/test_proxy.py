"""Proxies of criod's environment and of criod.conf: imaged's alone."""

import os
import subprocess
import sys

import pytest

from conftest_integ import REGISTRY, Criod, Pods, wait_for
from cri import TOP

sys.path.insert(0, os.path.join(TOP, "regress/registry"))

import between  # noqa: E402

SECRET = "pr0xypass"
NAME = "registry.test:5000"
CONF = 'registry "%s" { insecure }\n' % NAME


@pytest.fixture(scope="module")
def proxy():
    p = between.Proxy({"registry.test": REGISTRY.split(":")[0]},
                      "someone:" + SECRET)
    yield p
    p.stop()


@pytest.fixture
def start(scratch, registry, monkeypatch):
    running = []

    def begin(conf="", **env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        c = Criod(os.path.join(scratch, "proxy%d" % len(running)),
                  conf=CONF + conf, args=["-m"])
        running.append(c.start())
        return c

    yield begin
    for c in running:
        c.stop()
        assert SECRET not in c.log()


def pull(c):
    return c.client.PullImage(
        image={"image": NAME + "/library/busybox"}).image_ref


def environ(pid):
    with open("/proc/%d/environ" % pid, "rb") as f:
        return f.read()


def test_environment(start, proxy, scratch):
    """Of the environment: imaged uses it, nobody inherits it."""
    url = "http://someone:%s@%s" % (SECRET, proxy.host)
    c = start(HTTP_PROXY=url, https_proxy=url,
              NO_PROXY="10.0.0.0/8,.cluster.local")
    assert SECRET.encode() in environ(c.parent())
    assert pull(c)
    assert any(line.startswith("GET http://" + NAME) for line in proxy.log)
    pods = Pods(c, scratch)
    try:
        pod, config = pods.run()
        c.client.PullImage(image={"image": "busybox"})
        ctr = pods.start(pod, config, ["sleep", "3600"])
        seen = {name: environ(pid) for name, pid in c.helpers().items()}
        assert len(seen) > 6
        seen["container"] = pods.sh(
            ctr, "cat /proc/1/environ; env").stdout
        below = subprocess.run(["pgrep", "-f", "^%s" % os.path.join(
            TOP, "build/libexec")], stdout=subprocess.PIPE, text=True)
        for pid in below.stdout.split():
            try:
                seen[pid] = environ(int(pid))
            except OSError:
                pass  # ended meanwhile
        for name, env in seen.items():
            assert b"proxy" not in env.lower(), name
    finally:
        pods.clean()


def test_statement_wins(start, proxy):
    """criod.conf says where to go: the environment's is not asked."""
    other = between.Proxy()
    before = len(proxy.log)
    c = start('proxy http "http://someone:%s@%s"\n' % (SECRET, proxy.host) +
              'proxy https "http://someone:%s@%s"\n' % (SECRET, proxy.host),
              HTTP_PROXY="http://" + other.host,
              HTTPS_PROXY="http://" + other.host)
    assert pull(c)
    assert other.count == 0 and len(proxy.log) > before
    other.stop()


def test_bad_environment(start):
    """What is no proxy is not used; its text is in no log."""
    c = start(HTTPS_PROXY="ftp://someone:%s@host" % SECRET,
              ALL_PROXY="", NO_PROXY="a;b")
    log = wait_for("warnings", lambda: "NO_PROXY" in c.log() and c.log())
    assert "HTTPS_PROXY of the environment has a scheme other" in log
    assert c.client.PullImage(image={"image": "busybox"}).image_ref
