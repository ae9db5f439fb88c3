"""User namespaces of pods: KEP-127."""

import glob
import os
import subprocess

import grpc
import pytest

from conftest_integ import (HOST_ID as HOST, ID_COUNT as COUNT, ID_MAP as MAP,
                            NODE, POD, wait_for)

OWN = {"mode": POD, "uids": MAP, "gids": MAP}


def features(client):
    return {h.name: h.features for h in client.Status().runtime_handlers}


@pytest.fixture
def userns(pods):
    pods.userns_config()
    return pods


def configured(pods, options=OWN, **over):
    config = pods.config(**over)
    ns = config["linux"]["security_context"]["namespace_options"]
    ns["userns_options"] = options
    return config


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_ids_of_the_pod(userns, handler):
    """Root in there is nobody out here, and the image's files are root's."""
    pods = userns
    pod, config = pods.run(configured(pods), handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], working_dir="/new/dir")
    out = pods.sh(ctr, "cat /proc/self/uid_map; id -u; "
                  "stat -c '%u %g' /bin/busybox / /new/dir /dev/shm "
                  "/etc/hostname; touch /new/dir/f /dev/shm/f && echo wrote"
                  ).stdout.decode().split("\n")
    assert out[0].split() == ["0", str(HOST), str(COUNT)]
    assert out[1] == "0"
    assert out[2:7] == ["0 0"] * 5 and out[7] == "wrote"


def proc_status(pid, field):
    with open("/proc/%d/status" % pid) as f:
        return next(x.split()[1:] for x in f if x.startswith(field + ":"))


def container_pid(ctr):
    """Of the process whose cgroup is the container's."""
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cgroup" % p) as f:
                if ctr in f.read():
                    return int(p)
        except OSError:
            pass
    raise AssertionError("no process of " + ctr)


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_shared_pid_and_user(userns, handler):
    """pause and the container are the pod's users; all of it goes."""
    pods = userns
    before = set(os.listdir(os.path.join(pods.criod.path, "run/ns")))
    pod, config = pods.run(configured(pods, pid=POD), handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "run_as_user": {"value": 1234}, "run_as_group": {"value": 77},
        "supplemental_groups": [4321]})
    pid = container_pid(ctr)
    assert proc_status(pid, "Uid") == [str(HOST + 1234)] * 4
    assert proc_status(pid, "Gid") == [str(HOST + 77)] * 4
    assert str(HOST + 4321) in proc_status(pid, "Groups")
    out = pods.sh(ctr, "cat /proc/1/comm; id -u; stat -c %u /proc/1"
                  ).stdout.decode().split()
    assert out == ["pause", "1234", "65535"]
    user = pods.status(ctr).user.linux
    assert (user.uid, user.gid) == (1234, 77)
    pods.clean()
    assert set(os.listdir(os.path.join(pods.criod.path, "run/ns"))) == before
    assert not os.path.exists("/proc/%d" % pid)


def test_namespaces_belong_to_the_pod(userns):
    """Sysctls and the network are its root's, with the right capability."""
    pods = userns
    config = configured(pods)
    config["linux"]["sysctls"] = {"net.ipv4.ip_unprivileged_port_start": "7",
                                  "kernel.shm_rmid_forced": "1"}
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "capabilities": {"add_capabilities": ["NET_ADMIN"]}})
    out = pods.sh(ctr, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start "
                  "/proc/sys/kernel/shm_rmid_forced; hostname; "
                  "ip link set lo down && ip link set lo up && echo mine; "
                  "ip -4 addr show eth0 | grep -c inet"
                  ).stdout.decode().split()
    assert out == ["7", "1", config["hostname"], "mine", "1"]


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_host_network(userns, handler):
    pods = userns
    pod, config = pods.run(configured(pods, network=NODE), handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    out = pods.sh(ctr, "readlink /proc/self/ns/net; ls -d /sys/class/net/lo; "
                  "touch /sys/x || echo ro").stdout.decode().split()
    assert out == [os.readlink("/proc/self/ns/net"), "/sys/class/net/lo",
                   "ro"]


def test_files_that_it_makes_are_its_own(userns):
    """In the writable layer, host root owns nothing that the pod made."""
    pods = userns
    pod, config = pods.run(configured(pods))
    ctr = pods.start(pod, config, ["sleep", "1000"])
    pods.sh(ctr, "echo x >/made; chown 5:6 /made; cp /bin/busybox /suid; "
            "chmod 4755 /suid")
    upper = os.path.join(pods.criod.path, "lib/container", ctr, "upper")
    st = os.stat(upper + "/made")
    assert (st.st_uid, st.st_gid) == (HOST + 5, HOST + 6)
    assert os.stat(upper + "/suid").st_uid == HOST
    assert os.stat(upper).st_uid == HOST


def test_nothing_of_the_host_is_reachable(userns):
    """What only host root may do, its root may not, with all capabilities."""
    pods = userns
    pod, config = pods.run(configured(pods))
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "capabilities": {"add_capabilities": ["ALL"]}})
    out = pods.sh(ctr, "mknod /tmp/sda b 8 0 && echo mknod; "
                  "echo 1 >/proc/sys/kernel/panic && echo panic; "
                  "dmesg >/dev/null && echo dmesg; "
                  "date -s 2020-01-01 2>/dev/null && echo date; "
                  "id -u").stdout.decode().split()
    assert out[-1:] == ["0"] and not {"mknod", "panic"} & set(out)


@pytest.mark.parametrize("options,over", [
    ({"mode": POD}, {}),
    ({"mode": POD, "uids": MAP, "gids": MAP * 2}, {}),
    ({"mode": POD, "uids": [dict(MAP[0], container_id=1)], "gids": MAP}, {}),
    ({"mode": POD, "uids": [dict(MAP[0], host_id=0)], "gids": MAP}, {}),
    ({"mode": POD, "uids": [dict(MAP[0], length=100)], "gids": MAP}, {}),
    ({"mode": NODE, "uids": MAP, "gids": MAP}, {}),
    ({"mode": 1}, {}),
    ({"mode": 3}, {}),
    (OWN, {"pid": NODE}),
])
def test_bad_options_leave_nothing(pods, options, over):
    before = len(pods.client.ListPodSandbox().items)
    with pytest.raises(grpc.RpcError) as e:
        pods.run(configured(pods, options, **over))
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "userns_options" in e.value.details()
    assert len(pods.client.ListPodSandbox().items) == before


def test_privileged_is_refused(pods):
    config = configured(pods)
    config["linux"]["security_context"]["privileged"] = True
    with pytest.raises(grpc.RpcError) as e:
        pods.run(config)
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_container_has_the_pods(userns):
    pods = userns
    pod, config = pods.run(configured(pods))
    other = dict(OWN, uids=[dict(MAP[0], host_id=2 * HOST)])
    for options in (other, {"mode": NODE}):
        with pytest.raises(grpc.RpcError) as e:
            pods.create(pod, config, ["true"], security_context={
                "namespace_options": {"userns_options": options, "pid": 1}})
        assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], security_context={
            "run_as_user": {"value": COUNT}})
    assert "not mapped" in e.value.details()
    # One that does not say so has the pod's, too.
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "namespace_options": {"pid": 1}})
    out = pods.sh(ctr, "cat /proc/self/uid_map").stdout.split()
    assert out[1] == str(HOST).encode()


def test_after_a_restart(userns):
    """What the pod was made with is known to who comes after."""
    pods = userns
    pod, config = pods.run(configured(pods))
    first = pods.start(pod, config, ["sleep", "1000"])
    for role in ("execlaunch", "execd"):
        pods.criod.replace(role)
    wait_for("execd's answers", lambda: features(pods.client)[
        "crun"].user_namespaces)
    ctr = pods.start(pod, config, ["sleep", "1000"], name="d",
                     working_dir="/made")
    for c in (first, ctr):
        assert pods.sh(c, "cat /proc/self/uid_map").stdout.split()[1] == \
            str(HOST).encode()
    assert pods.sh(ctr, "stat -c %u:%g /made").stdout == b"0:0\n"


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("own", [False, True])
def test_row_61_CVE_2025_47291_cgroup_of_the_pod(userns, handler, own):
    """With its own users, too, a container is where its pod is counted."""
    pods = userns
    parent = "/criod/row61"
    config = configured(pods) if own else pods.config()
    config["linux"]["cgroup_parent"] = parent
    pod, config = pods.run(config, handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    with open("/proc/%d/cgroup" % container_pid(ctr)) as f:
        places = [x.strip().split(":", 2)[1:] for x in f]
    counted = [at for names, at in places
               if names in ("", "memory", "pids", "cpu", "cpu,cpuacct")
               and (names or len(places) == 1)]
    assert counted and all(at.startswith(parent + "/") for at in counted)
    pods.clean()
    for d in glob.glob("/sys/fs/cgroup/**" + parent, recursive=True):
        os.rmdir(d)


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_row_62_CVE_2023_25809_cgroup_is_read_only(userns, handler):
    """Its root owns no limit, whatever capabilities it has."""
    pods = userns
    pod, config = pods.run(configured(pods), handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "capabilities": {"add_capabilities": ["ALL"]}})
    out = pods.sh(ctr, "cd /sys/fs/cgroup; for d in . memory pids; do "
                  "mount -o remount,rw,bind $d 2>/dev/null; "
                  "mkdir $d/row62 2>/dev/null; done; "
                  "for f in $(find . -name pids.max -o -name memory.max -o "
                  "-name memory.limit_in_bytes -o -name cgroup.procs); do "
                  "echo 1 2>/dev/null >$f && echo wrote $f; done; true")
    assert out.stdout == b"", out.stdout
    assert subprocess.run(["find", "/sys/fs/cgroup", "-name", "row62"],
                          capture_output=True).stdout == b""
