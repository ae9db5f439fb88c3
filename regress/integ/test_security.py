"""Who a container is and what it may do: seccomp, users, groups, limits."""

import json
import os
import shutil
import uuid

import grpc
import pytest

from conftest_integ import CONTAINER, NODE, POD, TARGET

PROFILES = "/var/lib/kubelet/seccomp"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def profiles():
    """Writes seccomp profiles where kubelets keep them; gives their path."""
    d = os.path.join(PROFILES, "regress-" + uuid.uuid4().hex[:8])
    os.makedirs(d)

    def write(name, profile, mode=0o600):
        path = os.path.join(d, name)
        with open(path, "w") as f:
            f.write(profile if isinstance(profile, str)
                    else json.dumps(profile))
        os.chmod(path, mode)
        return path
    yield write
    shutil.rmtree(d)


def no_chmod(**more):
    return dict({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["chmod", "fchmod", "fchmodat", "fchmodat2"],
         "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}, **more)


def refused(pods, sc, want, text, pod=None):
    """No container with this security context; its error."""
    pod, config = pod or pods.run()
    before = len(pods.client.ListContainers().containers)
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], security_context=sc)
    assert e.value.code() == want, e.value.details()
    assert text in e.value.details(), e.value.details()
    assert len(pods.client.ListContainers().containers) == before


@pytest.mark.parametrize("sc, mode", [
    ({}, 0),
    ({"seccomp_profile_path": "unconfined"}, 0),
    ({"seccomp": {"profile_type": 1}}, 0),
    ({"seccomp_profile_path": "runtime/default"}, 2),
    ({"seccomp_profile_path": "docker/default"}, 2),
    ({"seccomp": {"profile_type": 1},
      "seccomp_profile_path": "runtime/default"}, 0),
])
def test_seccomp_modes(pods, sc, mode):
    _, out = pods.output(["grep", "Seccomp:", "/proc/self/status"],
                         security_context=sc)
    assert out == "Seccomp:\t%d\n" % mode


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("field", ["seccomp", "seccomp_profile_path"])
def test_seccomp_localhost(pods, profiles, handler, field):
    path = profiles("no-chmod.json", no_chmod())
    sc = {"seccomp": {"profile_type": 2, "localhost_ref": path}} \
        if field == "seccomp" else {field: "localhost/" + path}
    pod, config = pods.run(handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context=sc)
    r = pods.sh(ctr, "grep Seccomp: /proc/self/status; chmod 700 /tmp")
    assert r.stdout == b"Seccomp:\t2\n" and r.exit_code != 0
    assert b"not permitted" in r.stderr


def test_seccomp_localhost_in_podmans_form(pods, profiles):
    path = profiles("podman.json", {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64",
                     "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["chmod", "fchmodat", "fchmodat2"], "errnoRet": 13,
             "errno": "EACCES", "action": "SCMP_ACT_ERRNO", "args": None,
             "includes": {"caps": ["CAP_CHOWN"]}, "excludes": {}},
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO",
             "errnoRet": 1, "includes": {"caps": ["CAP_SYS_ADMIN"]}}]})
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "seccomp": {"profile_type": 2, "localhost_ref": path}})
    r = pods.sh(ctr, "mkdir /d && chmod 700 /d")
    assert r.exit_code != 0 and b"Permission denied" in r.stderr


def test_seccomp_privileged_has_none(pods, profiles):
    path = profiles("no-chmod.json", no_chmod())
    config = pods.config()
    config["linux"]["security_context"]["privileged"] = True
    _, out = pods.output(
        ["sh", "-c", "chmod 700 /tmp && grep Seccomp: /proc/self/status"],
        pod={"config": config}, security_context={
            "privileged": True,
            "seccomp": {"profile_type": 2, "localhost_ref": path}})
    assert out == "Seccomp:\t0\n"


def test_seccomp_bad_profiles(pods, profiles):
    good = profiles("good.json", no_chmod())
    d = os.path.dirname(good)
    os.symlink(good, d + "/link.json")
    os.symlink(d, d + "/dir")
    os.mkfifo(d + "/fifo.json")
    os.mkdir(d + "/directory.json")
    outside = os.path.dirname(PROFILES) + "/regress-outside.json"
    shutil.copy(good, outside)
    rows = [
        (outside, INVALID, "not in a directory for profiles"),
        (d + "/../../../regress-outside.json", INVALID, "localhost_ref"),
        (d + "/missing.json", PRECONDITION, "No such file"),
        (d + "/link.json", PRECONDITION, "symbolic links"),
        (d + "/dir/good.json", PRECONDITION, "symbolic links"),
        (d + "/fifo.json", PRECONDITION, "only root can write"),
        (d + "/directory.json", PRECONDITION, "only root can write"),
        (profiles("open.json", no_chmod(), 0o666), PRECONDITION,
         "only root can write"),
        (profiles("large.json", " " * (1 << 20) + "{}"), PRECONDITION,
         "bytes"),
        (profiles("empty.json", ""), INVALID, "seccomp profile"),
        (profiles("twice.json", '{"defaultAction":"SCMP_ACT_ALLOW",'
                  '"defaultAction":"SCMP_ACT_KILL"}'), INVALID,
         "seccomp profile"),
        (profiles("notify.json", no_chmod(listenerPath="/run/x")), INVALID,
         "listenerPath"),
        (profiles("action.json", {"defaultAction": "SCMP_ACT_NOTIFY"}),
         INVALID, "SCMP_ACT_NOTIFY"),
    ]
    pod = pods.run()
    for path, want, text in rows:
        refused(pods, {"seccomp": {"profile_type": 2,
                                   "localhost_ref": path}}, want, text, pod)
    os.unlink(outside)
    for old in ("default", "localhost/x.json", "localhost//etc/shadow"):
        refused(pods, {"seccomp_profile_path": old}, INVALID, "seccomp", pod)
