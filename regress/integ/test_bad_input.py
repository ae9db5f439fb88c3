"""What a client can spoil of a pod or a container, down to the runtime: the
cases of badinput.py that pass for input, with nothing left behind."""

import badinput
import cri
from badinput import C
from conftest_integ import NODE
from test_leaks import clean  # noqa: F401

# A request that is well-formed may fail late, by the runtime's own word.
CODES = badinput.CODES | {C.INTERNAL}
NAMES = {"long", "control", "dots", "least", "most", "unknown-value"}


def spoil(client, name, good, undo):
    raw = badinput.Raw(client, "RuntimeService", name, name + "Response")
    refused, granted, late = 0, 0, []
    for where, data, _ in badinput.cases(good, NAMES):
        if ".windows" in where or ".annotations" in where:
            continue
        code, answer = raw(data, timeout=30)
        if code == C.OK:
            undo(answer)
            granted += 1
            continue
        badinput.check_error(where, code, answer, CODES)
        refused += 1
        if code == C.INTERNAL:
            late.append((where, answer))
    print("%s: %d refused, %d granted, late: %r" % (
        name, refused, granted, late))
    assert len(late) < 10, late


def test_pods(clean, pods):  # noqa: F811
    config = pods.config(network=NODE)
    spoil(pods.client, "RunPodSandbox",
          cri.pb.RunPodSandboxRequest(config=config),
          lambda r: pods.client.RemovePodSandbox(
              pod_sandbox_id=r.pod_sandbox_id))
    assert pods.client.Version(version="v1").runtime_name == "criod"


def test_longer_than_a_helper_takes(pods):
    """Refused before a helper would take it for a breach of the protocol."""
    helpers = pods.criod.helpers()
    raw = badinput.Raw(pods.client, "ImageService", "ListImages",
                       "ListImagesResponse")
    for field in "image_ref", "runtime_handler":
        code, text = raw(cri.pb.ListImagesRequest(filter={"image": {
            field: "x" * (1 << 20)}}).SerializeToString())
        assert code == C.RESOURCE_EXHAUSTED
        badinput.check_error(field, code, text)
    assert pods.criod.helpers() == helpers


def test_containers(clean, pods):  # noqa: F811
    pod, config = pods.run(network=NODE)
    ctr = badinput.ctr_config()
    ctr["image"] = {"image": "busybox"}
    ctr["linux"]["security_context"]["namespace_options"] = {
        "network": NODE, "pid": 1}
    helpers = pods.criod.helpers()
    spoil(pods.client, "CreateContainer",
          cri.pb.CreateContainerRequest(
              pod_sandbox_id=pod, config=ctr, sandbox_config=config),
          lambda r: pods.client.RemoveContainer(
              container_id=r.container_id))
    assert pods.criod.helpers() == helpers
