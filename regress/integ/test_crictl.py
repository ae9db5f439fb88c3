"""crictl against the running daemon, as an administrator uses it."""

import json
import os
import subprocess

import pytest

import cri
from conftest_integ import CONTAINER, wait_for

CRICTL = os.path.join(cri.BUILD, "go/crictl")

pytestmark = pytest.mark.skipif(
    not os.path.exists(CRICTL), reason="no Go here to build crictl with")


@pytest.fixture
def crictl(criod, tmp_path):
    conf = tmp_path / "crictl.yaml"
    conf.write_text("runtime-endpoint: unix://%s\nimage-endpoint: unix://%s\n"
                    "timeout: 60\n" % (criod.socket, criod.socket))

    def run(*args, check=True, stderr=False):
        got = subprocess.run([CRICTL, "-c", str(conf), *args],
                             capture_output=True, text=True)
        if check:
            assert got.returncode == 0, got.stderr
        return got.stdout + (got.stderr if stderr else "")
    return run


@pytest.fixture
def files(tmp_path, pods):
    config = pods.config()
    pod = tmp_path / "pod.json"
    pod.write_text(json.dumps(config))

    def container(*command, **over):
        path = tmp_path / "ctr.json"
        path.write_text(json.dumps(dict({
            "metadata": {"name": "c"}, "image": {"image": "busybox"},
            "command": list(command), "log_path": "c.log",
            "linux": {"security_context": {"namespace_options": {
                "pid": CONTAINER}}}}, **over)))
        return str(path)
    return str(pod), container


def test_version_and_info(crictl):
    assert "RuntimeName:  criod" in crictl("version")
    info = json.loads(crictl("info"))
    assert {c["type"]: c["status"] for c in info["status"]["conditions"]
            }["NetworkReady"]


def test_images(crictl):
    crictl("pull", "busybox")
    assert "docker.io/library/busybox" in crictl("images")
    got = json.loads(crictl("inspecti", "busybox"))
    assert got["status"]["id"].startswith("sha256:")
    assert json.loads(crictl("imagefsinfo"))["status"]["imageFilesystems"]
    assert "not found" in crictl("pull", "no/such:image", check=False,
                                 stderr=True).lower()


def test_life(crictl, files, pods):
    pod_json, container = files
    pod = crictl("runp", pod_json).strip()
    pods.made.append(pod)
    assert pod[:13] in crictl("pods")
    ctr = crictl("create", pod, container(
        "sh", "-c", "echo line; sleep 1000"), pod_json).strip()
    crictl("start", ctr)
    assert ctr[:13] in crictl("ps")
    wait_for("log", lambda: crictl("logs", ctr) == "line\n")
    assert crictl("exec", "-s", ctr, "echo", "in").strip() == "in"
    got = json.loads(crictl("inspect", ctr))
    assert got["status"]["state"] == "CONTAINER_RUNNING"
    assert json.loads(crictl("inspectp", pod))["status"]["network"]["ip"]
    crictl("stop", "-t", "0", ctr)
    assert "Exited" in crictl("ps", "-a")
    crictl("rm", ctr)
    crictl("stopp", pod)
    crictl("rmp", pod)
    assert pod[:13] not in crictl("pods")


def test_run_in_one_go(crictl, files, pods):
    pod_json, container = files
    ctr = crictl("run", container("sleep", "1000"), pod_json).strip()
    got = json.loads(crictl("ps", "--id", ctr, "-o", "json"))
    pods.made.append(got["containers"][0]["podSandboxId"])
    assert got["containers"][0]["state"] == "CONTAINER_RUNNING"


def test_numbers(crictl, pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "3600"])
    crictl("update", "--cpu-share", "300", "--memory", str(64 << 20), ctr)
    got = json.loads(crictl("inspect", ctr))["status"]["resources"]["linux"]
    assert int(got["cpuShares"]) == 300
    assert int(got["memoryLimitInBytes"]) == 64 << 20
    assert ctr[:13] in crictl("stats", "--seconds", "1")
    got = json.loads(crictl("stats", "-o", "json", "--id", ctr))["stats"]
    assert len(got) == 1
    assert int(got[0]["memory"]["workingSetBytes"]["value"]) > 0
    assert pod[:13] in crictl("statsp")
    names = {d["name"] for d in json.loads(
        crictl("metricdescs"))["descriptors"]}
    assert "container_memory_working_set_bytes" in names
    assert ctr in crictl("metricsp")
    assert crictl("imagefsinfo", "-o", "json").count("mountpoint") == 2
