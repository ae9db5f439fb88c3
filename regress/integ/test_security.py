"""Who a container is and what it may do: seccomp, users, groups, limits."""

import json
import os
import shutil
import uuid

import grpc
import pytest

from conftest_integ import CONTAINER, NODE, TARGET

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


def code_of(pods, **over):
    pod, config = pods.run()
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], **over)
    return e.value.code()


@pytest.mark.parametrize("sc, uid, gid, groups", [
    ({}, 0, 0, [0]),
    ({"run_as_user": {"value": 12345}}, 12345, 0, [0]),
    ({"run_as_user": {"value": 12345}, "run_as_group": {"value": 77}},
     12345, 77, [77]),
    ({"run_as_username": "root"}, 0, 0, [0]),
    ({"run_as_username": "root", "run_as_group": {"value": 77},
      "supplemental_groups": [9, 5], "supplemental_groups_policy": 1},
     0, 77, [5, 9, 77]),
])
def test_user_and_status(pods, sc, uid, gid, groups):
    """What the process has is what the status says."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context=sc)
    user = pods.status(ctr).user.linux
    assert (user.uid, user.gid) == (uid, gid)
    assert list(user.supplemental_groups) == groups
    for pid in ("1", "self"):
        st = pods.sh(ctr, "grep -E '^(Uid|Gid|Groups)' /proc/%s/status" %
                     pid).stdout.decode()
        lines = dict(x.split(":", 1) for x in st.splitlines())
        assert lines["Uid"].split() == [str(uid)] * 4
        assert lines["Gid"].split() == [str(gid)] * 4
        assert sorted(map(int, lines["Groups"].split())) == groups


@pytest.mark.parametrize("sc", [
    {"run_as_group": {"value": 1}},
    {"run_as_user": {"value": -1}},
    {"run_as_user": {"value": 1 << 32}},
    {"run_as_username": "nobody-of-that-name"},
    {"run_as_user": {"value": 1}, "run_as_username": "root"},
    {"supplemental_groups": [-1]},
    {"capabilities": {"add_capabilities": ["NO_SUCH_CAP"]}},
    {"masked_paths": ["relative"]},
    {"readonly_paths": ["/proc/../etc"]},
    {"privileged": True},
    {"namespace_options": {"network": NODE}},
    {"namespace_options": {"pid": NODE}},
    {"namespace_options": {"ipc": NODE}},
    {"namespace_options": {"pid": TARGET}},
])
def test_bad_security_contexts(pods, sc):
    assert code_of(pods, security_context=sc) == INVALID


def test_capabilities_ambient(pods):
    """An unprivileged user has them, in each set."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "run_as_user": {"value": 1000}, "no_new_privs": True,
        "capabilities": {"drop_capabilities": ["ALL"],
                         "add_ambient_capabilities": ["net_bind_service"]}})
    st = pods.sh(ctr, "cat /proc/1/status").stdout.decode()
    sets = dict(x.split(":\t") for x in st.splitlines()
                if x.startswith(("Cap", "NoNew")))
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(sets[name], 16) == 1 << 10, name
    assert sets["NoNewPrivs"] == "1"


def test_masked_and_readonly_paths(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "masked_paths": ["/proc/version", "/etc"],
        "readonly_paths": ["/tmp", "/no/such/path"]})
    r = pods.sh(ctr, "wc -c < /proc/version; ls /etc | wc -l; "
                "wc -c < /proc/keys; echo > /tmp/x; echo > /proc/sys/x")
    assert r.stdout.split() == [b"0", b"0", b"0"]
    assert r.stderr.count(b"Read-only") >= 1


def test_pid_namespace_of_another_container(pods):
    pod, config = pods.run(pid=CONTAINER)
    one = pods.start(pod, config, ["sleep", "4321"], name="one")
    two = pods.start(pod, config, ["sleep", "1000"], name="two",
                     security_context={"namespace_options": {
                         "pid": TARGET, "target_id": one}})
    assert b"4321" in pods.sh(two, "tr '\\0' ' ' < /proc/1/cmdline").stdout
    assert b"4321" not in pods.sh(
        pods.start(pod, config, ["sleep", "1000"], name="three"),
        "tr '\\0' ' ' < /proc/1/cmdline").stdout
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], name="four", security_context={
            "namespace_options": {"pid": TARGET, "target_id": "0" * 64}})
    assert e.value.code() == INVALID


@pytest.mark.skipif(os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
                    reason="cgroup v2: test_v2.py has that")
def test_resources_reach_the_cgroup_v1(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], resources={
        "memory_limit_in_bytes": 64 << 20,
        "memory_swap_limit_in_bytes": 96 << 20, "cpu_quota": 50000,
        "cpu_period": 100000, "cpu_shares": 1, "cpuset_cpus": "0",
        "oom_score_adj": 321})

    def value(controller, name):
        with open("/proc/%d/cgroup" % pid) as f:
            path = next(x.split(":", 2)[2].strip() for x in f
                        if controller in x.split(":")[1].split(","))
        with open("/sys/fs/cgroup/%s%s/%s" % (controller, path, name)) as f:
            return f.read().strip()
    info = json.loads(pods.client.ContainerStatus(
        container_id=ctr, verbose=True).info["info"])
    pid = info["pid"]
    assert value("memory", "memory.limit_in_bytes") == str(64 << 20)
    assert value("memory", "memory.memsw.limit_in_bytes") == str(96 << 20)
    assert value("cpu", "cpu.cfs_quota_us") == "50000"
    assert value("cpu", "cpu.cfs_period_us") == "100000"
    assert value("cpu", "cpu.shares") == "2"
    assert value("cpuset", "cpuset.cpus") == "0"
    with open("/proc/%d/oom_score_adj" % pid) as f:
        assert f.read() == "321\n"


@pytest.mark.parametrize("resources", [
    {"memory_limit_in_bytes": 4096},
    {"memory_limit_in_bytes": 64 << 20,
     "memory_swap_limit_in_bytes": 32 << 20},
    {"memory_limit_in_bytes": -2}, {"cpu_shares": -1}, {"cpu_period": -1},
    {"oom_score_adj": 1001}, {"oom_score_adj": -1001},
    {"cpuset_cpus": "all"}, {"cpuset_mems": "0;1"},
    {"hugepage_limits": [{"page_size": "2M", "limit": 1}]},
    {"unified": {"memory.high/../x": "1"}},
])
def test_bad_resources(pods, resources):
    assert code_of(pods, resources=resources) in (INVALID, PRECONDITION)
