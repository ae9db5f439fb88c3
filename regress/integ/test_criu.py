"""Checkpoints by CRIU itself, in the guest of regress/vm/lane (or anywhere with
CRIOD_CRIU=1)."""

import os
import shutil
import subprocess
import tempfile

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for

pytestmark = pytest.mark.skipif(
    not {"CRIOD_CRIU", "CRIOD_IN_VM"} & set(os.environ),
    reason="CRIU is for a known kernel; regress/vm/lane runs these")

# What is counted is in the memory of the shell alone.
COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done"


def works():
    return shutil.which("criu") is not None and subprocess.run(
        ["criu", "check"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture(scope="module")
def daemon(scratch, registry):
    if not works():
        pytest.skip("CRIU does not work with this kernel")
    c = Criod(os.path.join(scratch, "criu"),
              'runtime crun path "/usr/bin/crun" default\n'
              'runtime runc path "/usr/sbin/runc"\ncheckpoint restore\n',
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture
def criu(daemon, scratch):
    p = Pods(daemon, scratch)
    p.out = tempfile.mkdtemp(prefix="criu.", dir=scratch)
    yield p
    p.clean()


def last(pods, ctr):
    return int((pods.text(ctr).split() or [0])[-1])


def goes_on(pods, ctr, after=0):
    """It counts, from a number that is larger."""
    wait_for("counting", lambda: last(pods, ctr) > after + 3, 60)
    numbers = [int(x) for x in pods.text(ctr).split()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] > after
    return numbers


def remove(pods, pod):
    pods.client.StopPodSandbox(pod_sandbox_id=pod)
    pods.client.RemovePodSandbox(pod_sandbox_id=pod)
    pods.made.remove(pod)


def config(pod_config, name, image="busybox", **over):
    ns = pod_config["linux"]["security_context"]["namespace_options"]
    return dict({"metadata": {"name": name}, "image": {"image": image},
                 "command": ["sh", "-c", COUNT], "log_path": name + ".log",
                 "linux": {"security_context": {"namespace_options": ns}}},
                **over)


def test_criu_count_goes_on(criu):
    """Saved, it goes on; elsewhere it goes on from where it was saved."""
    pod, conf = criu.run(handler="runc")
    ctr = criu.start(pod, conf, ["sh", "-c", "echo kept >/kept; " + COUNT])
    goes_on(criu, ctr)
    path = os.path.join(criu.out, "a.tar")
    before = last(criu, ctr)
    criu.client.CheckpointContainer(container_id=ctr, location=path)
    after = last(criu, ctr)
    goes_on(criu, ctr)
    remove(criu, pod)

    pod, conf = criu.run(handler="runc")
    ctr = criu.client.CreateContainer(
        pod_sandbox_id=pod, sandbox_config=conf, config=config(
            conf, "r", image=path) | {"image": {
                "image": path, "user_specified_image": "busybox"}}
    ).container_id
    st = criu.status(ctr)
    assert st.state == 0 and criu.text(ctr) == ""
    criu.client.StartContainer(container_id=ctr)
    numbers = goes_on(criu, ctr, before - 1)
    assert numbers[0] <= after + 1
    assert criu.sh(ctr, "cat /kept; hostname", 60).stdout.decode(
        ).split() == ["kept", conf["hostname"]]
    # It can be saved again, and lives on.
    criu.client.CheckpointContainer(container_id=ctr, location=path + "2")
    goes_on(criu, ctr, before - 1)
    criu.client.StopContainer(container_id=ctr, timeout=0)
    assert criu.exited(ctr, 60).exit_code == 137


def test_criu_ids_and_limits(criu):
    """One that is restored for another user's request is not."""
    pod, conf = criu.run(handler="runc")
    ctr = criu.start(pod, conf, ["sh", "-c", COUNT])
    goes_on(criu, ctr)
    path = os.path.join(criu.out, "a.tar")
    criu.client.CheckpointContainer(container_id=ctr, location=path)
    remove(criu, pod)
    pod, conf = criu.run(handler="runc")
    ns = conf["linux"]["security_context"]["namespace_options"]
    bad = config(conf, "r", image=path, linux={"security_context": {
        "namespace_options": ns, "no_new_privs": True,
        "run_as_user": {"value": 1000}, "run_as_group": {"value": 1000},
        "capabilities": {"drop_capabilities": ["ALL"]}}})
    bad["image"] = {"image": path, "user_specified_image": "busybox"}
    with pytest.raises(grpc.RpcError) as e:
        criu.client.CreateContainer(pod_sandbox_id=pod, sandbox_config=conf,
                                    config=bad)
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert len(criu.client.ListContainers().containers) == 0


def test_criu_pod_goes_on(criu):
    """Two containers of a pod, saved at one moment, made anew by name."""
    pod, conf = criu.run(handler="runc")
    ctrs = [criu.start(pod, conf, ["sh", "-c", COUNT], name=n)
            for n in ("one", "two")]
    for c in ctrs:
        goes_on(criu, c)
    before = [last(criu, c) for c in ctrs]
    criu.client.CheckpointPod(pod_sandbox_id=pod, output_path=criu.out,
                              container_ids=ctrs)
    for c in ctrs:
        goes_on(criu, c)
    remove(criu, pod)
    conf = criu.config()
    r = criu.client.RestorePod(
        checkpoint_path=criu.out, config=conf, runtime_handler="runc",
        container_configs=[config(conf, n) for n in ("two", "one")])
    criu.made.append(r.pod_sandbox_id)
    made = {c.name: c.container_id for c in r.restored_containers}
    for name, at in zip(("one", "two"), before):
        assert criu.status(made[name]).state == 0
        criu.client.StartContainer(container_id=made[name])
        goes_on(criu, made[name], at - 1)


def test_criu_killed_over_it(criu):
    """The deadline comes in the middle: the container lives on."""
    pod, conf = criu.run(handler="runc")
    ctr = criu.start(pod, conf, ["sh", "-c", COUNT])
    goes_on(criu, ctr)
    call = criu.client.future("CheckpointContainer", container_id=ctr,
                              location=os.path.join(criu.out, "a.tar"))
    dump = os.path.join(criu.criod.path, "lib/container", ctr, "dump")
    wait_for("CRIU", lambda: os.path.isdir(dump) and os.listdir(dump), 60)
    call.cancel()
    goes_on(criu, ctr)
    wait_for("the end of it", lambda: not os.path.exists(dump), 60)
    assert os.listdir(criu.out) == []
