"""What was made for a client that has left is kept for one who asks again, and
undone if nobody does: after 15 seconds in this build, else two minutes."""

import grpc
import pytest

from conftest_integ import Pods, wait_for
from test_leaks import difference, world
from test_restart import own  # noqa: F401

WORD = "nobody asked for it again"


@pytest.fixture
def pods(own, scratch):
    p = Pods(own, scratch)
    p.run()	# makes the bridge and its chains
    p.clean()
    yield p
    p.clean()


def leave(call, **fields):
    with pytest.raises(grpc.RpcError) as e:
        call(rpc_timeout=0.01, **fields)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_pod(own, pods):
    before = world(own)
    leave(own.client.RunPodSandbox, config=pods.config())
    wait_for("its undoing", lambda: own.log().count(WORD) == 1, 60)
    wait_for("nothing left", lambda: not difference(before, world(own)))
    assert not own.client.ListPodSandbox().items


def test_container(own, pods):
    pod, config = pods.run()
    before = world(own)
    leave(own.client.CreateContainer, pod_sandbox_id=pod,
          sandbox_config=config, config={
              "metadata": {"name": "c"}, "image": {"image": "busybox"},
              "command": ["true"], "log_path": "c.log",
              "linux": {"security_context": {
                  "namespace_options": config["linux"]["security_context"][
                      "namespace_options"]}}})
    wait_for("its undoing", lambda: own.log().count(WORD) == 1, 60)
    wait_for("nothing left", lambda: not difference(before, world(own)))
    assert not own.client.ListContainers().containers


def test_asked_for_again(own, pods):
    config = pods.config()
    leave(own.client.RunPodSandbox, config=config)
    pod, _ = pods.run(config)
    # Longer than it is kept: it was taken, and stays.
    other = pods.config()
    leave(own.client.RunPodSandbox, config=other)
    wait_for("the other's undoing", lambda: own.log().count(WORD) == 1, 60)
    assert [p.id for p in own.client.ListPodSandbox().items] == [pod]
