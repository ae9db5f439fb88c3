"""Bad input to every call: one clear error, or nothing wrong with it; no side
effect, nothing left.  The cases are badinput.py's."""

import os

import pytest

import badinput
import cri
from badinput import C
from conftest import wait_for

CALLS = [(s.name, m.name, m.input_type.name, m.output_type.name)
         for s in cri.pb.DESCRIPTOR.services_by_name.values()
         for m in s.methods]


def undo(front, name, answer):
    if name == "RunPodSandbox":
        front.client.RemovePodSandbox(pod_sandbox_id=answer.pod_sandbox_id)
    elif name == "CreateContainer":
        front.client.RemoveContainer(container_id=answer.container_id)


def everything(front):
    return (sorted(p.id for p in front.client.ListPodSandbox().items),
            sorted(c.id for c in front.client.ListContainers().containers),
            front.records("pod"), front.records("ctr"))


@pytest.mark.parametrize("service,name,request_,response", CALLS,
                         ids=[c[1] for c in CALLS])
def test_bad_input(front, service, name, request_, response):
    pod, _ = front.run()
    raw = badinput.Raw(front.client, service, name, response)
    before, fds = everything(front), front_fds(front)
    refused = granted = 0
    if name == "GetContainerEvents":
        return  # its request has no fields, and its answer no end
    for where, data, sure in badinput.cases(
            badinput.good(name, request_, pod)):
        code, answer = raw(data)
        if code != C.OK:
            badinput.check_error(where, code, answer)
            refused += 1
        else:
            assert not sure, (where, answer)
            undo(front, name, answer)
            granted += 1
    assert everything(front) == before
    asked = {"RunPodSandbox": "POD_CREATE", "CreateContainer": "CTR_CREATE"}
    if name in asked:
        ran = name == "RunPodSandbox"
        assert len(front.seen(asked[name])) == granted + ran
    wait_for("descriptors", lambda: front_fds(front) == fds)
    print("%s: %d refused, %d granted" % (name, refused, granted))


def front_fds(front):
    return len(os.listdir("/proc/%d/fd" % front.pid()))
