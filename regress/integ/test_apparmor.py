"""AppArmor; regress/vm/lane boots a kernel that has it on."""

import os
import shutil
import subprocess
import uuid

import grpc
import pytest

from conftest_integ import NODE, Criod, Pods

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def enabled():
    try:
        with open("/sys/module/apparmor/parameters/enabled") as f:
            return f.read(1) == "Y"
    except OSError:
        return False


def label(pods, sc, handler="", **pod):
    """The label of a container's first process and of an exec in it."""
    config = pods.config(network=NODE)
    config["linux"]["security_context"].update(pod)
    pod, config = pods.run(config, handler)
    ctr = pods.start(pod, config, [
        "sh", "-c", "cat /proc/self/attr/current; exec sleep 1000"],
        security_context=sc)
    inner = pods.sh(ctr, "cat /proc/self/attr/current").stdout.decode()
    pods.client.StopContainer(container_id=ctr, timeout=0)
    assert pods.text(ctr) == inner
    return inner.strip()


def refusal(pods, sc):
    pod, config = pods.run(network=NODE)
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], security_context=sc)
    left = [c for c in pods.client.ListContainers().containers
            if c.pod_sandbox_id == pod]
    assert e.value.code() == PRECONDITION and not left
    return e.value.details()


def test_a_profile_without_apparmor_is_an_error(pods):
    if enabled():
        pytest.skip("AppArmor is on")
    for sc in ({"apparmor_profile": "localhost/some-profile"},
               {"apparmor": {"profile_type": 2,
                             "localhost_ref": "some-profile"}}):
        assert "not enabled" in refusal(pods, sc)
    for sc in ({"apparmor_profile": "runtime/default"},
               {"apparmor_profile": "unconfined"},
               {"apparmor": {"profile_type": 0}}):
        st, _ = pods.output(["true"], security_context=sc)
        assert st.exit_code == 0


needed = pytest.mark.skipif(not enabled(), reason="AppArmor is not on here")


@pytest.fixture
def profile():
    """A profile that forbids writing, loaded."""
    name = "regress-" + uuid.uuid4().hex[:8]
    text = ("profile %s flags=(attach_disconnected, mediate_deleted) {\n"
            "capability,\nfile,\nsignal,\ndeny /** w,\n}\n" % name)
    subprocess.run(["apparmor_parser", "-K", "-q", "-r"], input=text,
                   text=True, check=True)
    yield name
    subprocess.run(["apparmor_parser", "-K", "-q", "-R"], input=text,
                   text=True, check=True)


@needed
@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_apparmor_default(pods, handler):
    assert label(pods, {}, handler) == "criod-default (enforce)"
    assert label(pods, {"apparmor_profile": "unconfined"},
                 handler) == "unconfined"


@needed
def test_apparmor_fields(pods, profile):
    new, unconfined = {"profile_type": 0}, {"profile_type": 1}
    assert label(pods, {"apparmor": new}) == "criod-default (enforce)"
    assert label(pods, {"apparmor_profile": "runtime/default"}) == \
        "criod-default (enforce)"
    assert label(pods, {"apparmor": unconfined, "apparmor_profile":
                        "localhost/" + profile}) == "unconfined"
    assert label(pods, {"privileged": True}, privileged=True) == "unconfined"


@needed
@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_apparmor_localhost(pods, profile, handler):
    pod, config = pods.run(handler=handler, network=NODE)
    for i, sc in enumerate((
            {"apparmor_profile": "localhost/" + profile},
            {"apparmor": {"profile_type": 2, "localhost_ref": profile}},
            {"apparmor": {"profile_type": 2,
                          "localhost_ref": "localhost/" + profile}})):
        ctr = pods.start(pod, config, [
            "sh", "-c", "cat /proc/self/attr/current; echo x > /tmp/x"],
            name="c%d" % i, security_context=sc)
        st = pods.exited(ctr)
        assert pods.text(ctr) == profile + " (enforce)\n"
        assert st.exit_code != 0
        assert "Permission denied" in pods.text(ctr, "stderr")


@needed
def test_apparmor_privileged_keeps_what_it_asks_for(pods, profile):
    assert label(pods, {"privileged": True, "apparmor_profile":
                        "localhost/" + profile},
                 privileged=True) == profile + " (enforce)"


@needed
def test_apparmor_profile_that_is_not_loaded(pods, profile):
    for name in (profile + "x", profile[:-1], "unconfined", "criod-defaul"):
        assert "no AppArmor profile " + name in refusal(
            pods, {"apparmor_profile": "localhost/" + name})


@needed
def test_apparmor_default_keeps_the_host_safe(pods):
    """With a capability that would let it, and no filter."""
    pod, config = pods.run(network=NODE)
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "capabilities": {"add_capabilities": ["SYS_ADMIN"]}})
    r = pods.sh(ctr, "mount -t tmpfs x /mnt; echo $?; "
                "mount -o remount,rw /proc/sys; echo $?; "
                "head -c 1 /proc/kcore; echo $?; echo > /tmp/ok; echo $?; "
                "hostname x; echo $?")
    assert b"0" not in r.stdout.split()[:-2]
    assert r.stdout.split()[-2:] == [b"0", b"0"]
    assert not os.path.exists("/mnt/ok")


FORGETFUL = """#!/usr/bin/python3
import json, os, sys
args = sys.argv[1:]
if "create" in args:
    path = os.path.join(args[args.index("--bundle") + 1], "config.json")
    with open(path, "r+") as f:
        spec = json.load(f)
        spec["process"].pop("apparmorProfile", None)
        f.seek(0)
        f.truncate()
        json.dump(spec, f)
os.execv("/usr/bin/crun", ["crun"] + args)
"""


@needed
def test_row_19_CVE_2019_16884_a_label_that_is_not_there(scratch, registry,
                                                         profile):
    """Whatever kept the runtime from setting it, nothing runs without."""
    path = os.path.join(scratch, "forgetful")
    with open(path, "w") as f:
        f.write(FORGETFUL)
    os.chmod(path, 0o755)
    c = Criod(os.path.join(scratch, "row19"),
              'runtime forgetful path "%s" default\n' % path,
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    pods = Pods(c, scratch)
    try:
        pod, config = pods.run(network=NODE)
        for i, name in enumerate(("runtime/default", "localhost/" + profile)):
            ctr = pods.create(pod, config, ["sleep", "1000"], name="c%d" % i,
                              security_context={"apparmor_profile": name})
            with pytest.raises(grpc.RpcError) as e:
                c.client.StartContainer(container_id=ctr)
            assert "left it the label" in e.value.details()
            pods.exited(ctr)
        pods.start(pod, config, ["sleep", "1000"], name="free",
                   security_context={"apparmor_profile": "unconfined"})
    finally:
        pods.clean()
        c.stop()
        shutil.rmtree(c.path, ignore_errors=True)
