"""Rows 2, 5 and 11: a container exchanges a directory for a link to the
host, again and again, while others are made, used and removed."""

import json
import os
import random
import time

import grpc
import pytest

from conftest import CANARY, CANARY_UP
from conftest_integ import wait_for
from oci import entry

SECONDS = float(os.environ.get("CRIOD_RACE_SECONDS", "20"))

# Exchanges each pair of names for ever.
SWAP = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int n, char **v)
{
	for (;;)
		for (int i = 1; i + 1 < n; i += 2)
			syscall(SYS_renameat2, AT_FDCWD, v[i], AT_FDCWD,
			    v[i + 1], RENAME_EXCHANGE);
}
"""


def mounts():
    with open("/proc/self/mountinfo") as f:
        return {tuple(line.split()[3:5]) for line in f}


@pytest.fixture
def swapper(compiled):
    with open(compiled("swap", SWAP), "rb") as f:
        data = f.read()
    return [entry("swap", data, mode=0o755), entry("a/"),
            entry("b", link=CANARY), entry("c/"), entry("c/x/"),
            entry("d", link=CANARY_UP)]


def outside(criod, before):
    """Mounts that are neither old nor criod's own."""
    return {m for m in mounts() - before if not m[1].startswith(criod.path)}


def attempt(pods, pod, config, over, name):
    """A container's whole life; the runtime may refuse any of it."""
    try:
        ctr = pods.create(pod, config, ["sleep", "100"], name=name, **over)
    except grpc.RpcError as e:
        assert e.details()
        return 0
    try:
        pods.client.StartContainer(container_id=ctr)
        pods.sh(ctr, "echo x > /vol/a/made; pwd", timeout=5)
    except grpc.RpcError as e:
        assert e.details()
    pods.client.RemoveContainer(container_id=ctr)
    return 1


def test_row_2_5_11_CVE_2018_15664_CVE_2021_30465_CVE_2024_45310(
        canary, pods, image, swapper, criod, tmp_path):
    name = image(swapper)
    vol, inner = tmp_path / "vol", tmp_path / "inner"
    (vol / "a/sub").mkdir(parents=True)
    inner.mkdir()
    os.symlink(CANARY, vol / "b")
    (vol / "c").mkdir()
    os.symlink(CANARY_UP, vol / "d")
    shared = {"container_path": "/vol", "host_path": str(vol)}
    pod, config = pods.run()
    # Its own root file system is exchanged as well, until it is removed.
    swap = pods.start(pod, config, [
        "/swap", "/vol/a", "/vol/b", "/vol/c", "/vol/d", "/a", "/b",
        "/c", "/d"], image=name, mounts=[shared], name="swap")
    before = mounts()
    made = tries = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        where = random.choice(["/vol/a/sub", "/vol/a/new%d" % tries,
                               "/vol/c/new/deep", "/vol/a/dir"])
        over = {"mounts": [shared, {"container_path": where,
                                    "host_path": str(inner)}]}
        if tries % 3 == 0:
            over = {"mounts": [shared], "working_dir": random.choice(
                ["/vol/a", "/vol/c/cwd", "/vol/a/dir"])}
        made += attempt(pods, pod, config, over, "c%d" % tries)
        tries += 1
        assert not outside(criod, before)
        pods.sh(swap, "cat /a/passwd /c%s/passwd; true" % CANARY)
    # Some got there, so it was a race; nobody saw the host's file.
    assert made > 5
    pods.client.RemoveContainer(container_id=swap)
    assert not outside(criod, before)
    assert os.listdir(inner) == []


def test_row_2_removal_follows_no_link(canary, pods, criod):
    """What a container wrote is removed, not what it points to."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", "\n".join([
        "mkdir -p /x/y", "ln -s %s /x/link" % CANARY,
        "ln -s %s /x/y/up" % CANARY_UP, "ln -s %s/dir /top" % CANARY,
        "sleep 1000"])])
    upper = os.path.join(criod.path, "lib/container", ctr, "upper")
    wait_for("links", lambda: os.path.islink(upper + "/top"))
    pods.client.RemoveContainer(container_id=ctr)
    assert not os.path.exists(upper)


SOURCES = {"proc", "tmpfs", "devpts", "sysfs", "cgroup", "mqueue"}


def test_row_10_CVE_2024_9341_no_mount_source_from_an_image(
        canary, pods, image, criod, tmp_path):
    """Every mount's source is the kernel's, the pod's or the request's."""
    name = image([entry("link", link=CANARY), entry("etc/system-fips", ""),
                  entry("run/secrets/"), entry("usr/share/rhel/secrets/"),
                  entry("etc/crypto-policies/back-ends", link=CANARY)],
                 config={"Volumes": {"/link": {}, "/v": {}}, "Labels": {
                     "mount": CANARY}, "WorkingDir": "/work"})
    pod, config = pods.run()
    ctr = pods.create(pod, config, ["true"], image=name, mounts=[
        {"container_path": "/m", "host_path": str(tmp_path)}])
    with open(os.path.join(criod.path, "run/bundle", ctr,
                           "config.json")) as f:
        spec = json.load(f)
    allowed = SOURCES | {str(tmp_path)}
    here = os.path.join(criod.path, "run/pod", pod)
    assert [m["source"] for m in spec["mounts"]
            if m["source"] not in allowed and
            os.path.dirname(m["source"]) != here] == []
    assert spec["root"]["path"] == os.path.join(criod.path, "run/rootfs", ctr,
                                                "fs")
    assert "canary" not in json.dumps(spec["mounts"])
