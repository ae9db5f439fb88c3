"""SELinux; regress/vm/lane boots a kernel that has it on."""

import json
import os
import re
import shutil
import uuid

import grpc
import pytest

from conftest_integ import NODE, POD, Criod, Pods

SHIM = "/usr/bin/containerd-shim-runc-v2"

pytestmark = pytest.mark.skipif(
    not os.path.exists("/sys/fs/selinux/enforce"),
    reason="SELinux is not on here")

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MCS = r"s0:c\d+,c\d+"


def context(path):
    return os.getxattr(path, "security.selinux",
                       follow_symlinks=False).rstrip(b"\0").decode()


def made(pods, handler="", options=None, **sc):
    config = pods.config(network=NODE)
    config["linux"]["security_context"].update(sc)
    if options:
        config["linux"]["security_context"]["selinux_options"] = options
    return pods.run(config, handler)


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_selinux_labels(pods, handler):
    """Process, exec, root, tmpfs, pod files: one level, all the pod's."""
    levels = []
    for _ in range(2):
        pod, config = made(pods, handler)
        for name in "ab":
            ctr = pods.start(pod, config, ["sleep", "1000"], name=name)
            r = pods.sh(ctr, "cat /proc/1/attr/current; echo; "
                        "cat /proc/self/attr/current; echo; "
                        "cat /proc/self/mountinfo; "
                        "echo x > /dev/shm/x && echo x > /x && "
                        "cat /etc/hostname /etc/resolv.conf > /dev/null")
            assert r.exit_code == 0, r.stderr
            one, two, *mounts = r.stdout.decode().replace(
                "\0", "").splitlines()
            m = re.fullmatch(
                "system_u:system_r:container_t:(" + MCS + ")", one)
            assert m and two == one
            levels.append(m[1])
            mounts = [line for line in mounts
                      if line.split()[4] in ("/", "/dev", "/dev/shm")]
            assert len(mounts) == 3
            for line in mounts:
                assert "container_file_t:" + m[1] in line, line
    assert levels[0] == levels[1] != levels[2] == levels[3]


def test_selinux_open_containers(pods):
    """Privileged, and with the host's processes: spc_t, no categories."""
    cmd = ["cat", "/proc/self/attr/current"]
    pod, config = made(pods, privileged=True)
    ctr = pods.start(pod, config, cmd, security_context={"privileged": True})
    pods.exited(ctr)
    assert pods.text(ctr).strip("\0\n") == "system_u:system_r:spc_t:s0"
    config = pods.config(network=NODE, pid=NODE)
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, cmd)
    pods.exited(ctr)
    assert pods.text(ctr).strip("\0\n") == "system_u:system_r:spc_t:s0"


@pytest.mark.parametrize("own_users", [False, True])
def test_selinux_root_of_pause(pods, own_users):
    """With a shared PID namespace it is seen: it has the pod's label, too."""
    config = pods.userns_config(pid=POD) if own_users else \
        pods.config(network=NODE, pid=POD)
    sc = config["linux"]["security_context"]
    sc["selinux_options"] = {"level": "s0:c4,c5"}
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    r = pods.sh(ctr, "cat /proc/1/comm /proc/1/mountinfo")
    assert r.exit_code == 0, r.stderr
    name, *mounts = r.stdout.decode().splitlines()
    assert name == "pause" and len(mounts) == 1
    assert re.search(r" / / ro,nosuid,nodev,noexec,.*tmpfs .*context="
                     '"system_u:object_r:container_file_t:s0:c4,c5"', mounts[0])


def test_selinux_options(pods):
    """The pod's and the container's own; an alias of the policy's."""
    cmd = ["cat", "/proc/self/attr/current"]
    pod, config = made(pods, options={"level": "s0:c4,c5"})
    rows = [({}, "container_t:s0:c4,c5"),
            ({"level": "s0"}, "container_t:s0"),
            ({"user": "system_u", "role": "system_r",
              "type": "svirt_lxc_net_t", "level": "s0:c7,c9"},
             "container_t:s0:c7,c9"),
            ({"type": "container_kvm_t"}, "container_kvm_t:s0:c4,c5")]
    for i, (options, want) in enumerate(rows):
        ctr = pods.start(pod, config, cmd, name="c%d" % i,
                         security_context={"selinux_options": options})
        pods.exited(ctr)
        assert pods.text(ctr).strip("\0\n") == "system_u:system_r:" + want


def test_selinux_init(pods):
    """What runs an init system has a type of its own."""
    pod, config = made(pods)
    init = "/sbin/init.d/busybox"
    ctr = pods.start(pod, config, [init], args=[
        "cat", "/proc/self/attr/current"], mounts=[
        {"container_path": init, "host_path": "/bin/busybox",
         "readonly": True}])
    pods.exited(ctr)
    assert pods.text(ctr).startswith("system_u:system_r:container_init_t:")


@pytest.mark.skipif(not os.path.exists(SHIM), reason="no shim")
def test_selinux_virtual_machine(scratch, registry):
    """Its type is what the shim is told; this one has no machine to label."""
    c = Criod(os.path.join(scratch, "vm"),
              'runtime runc path "/usr/sbin/runc" default\n'
              'runtime shim path "%s" { type vm }\n' % SHIM,
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    pods = Pods(c, scratch)
    label = "system_u:system_r:container_kvm_t:s0:c4,c5"
    try:
        pod, config = made(pods, "shim", options={"level": "s0:c4,c5"})
        ctr = pods.start(pod, config, ["sleep", "1000"])
        r = pods.sh(ctr, "cat /proc/1/attr/current; echo; "
                    "cat /proc/self/attr/current")
        assert r.stdout.decode().replace("\0", "").split() == [label] * 2
        path = os.path.join(c.path, "run/runtime/shim", pod, "config.json")
        with open(path) as f:
            assert json.load(f)["process"]["selinuxLabel"] == label
    finally:
        pods.clean()
        c.stop()
        shutil.rmtree(c.path, ignore_errors=True)


def test_selinux_bad_options(pods):
    pod, config = made(pods)
    for options in ({"level": "s0,c4,c5"}, {"type": "no_such_t"},
                    {"level": 's0",ro'}, {"type": "a b"}, {"level": "s0:c1024"},
                    {"role": "no_such_r"}):
        with pytest.raises(grpc.RpcError) as e:
            pods.create(pod, config, ["true"],
                        security_context={"selinux_options": options})
        assert e.value.code() == INVALID, e.value.details()
        assert not [c for c in pods.client.ListContainers().containers
                    if c.pod_sandbox_id == pod]


@pytest.fixture
def volume():
    d = "/run/regress-" + uuid.uuid4().hex[:8]
    os.makedirs(d + "/deep/er")
    for name in ("file", "deep/er/file"):
        with open(os.path.join(d, name), "w") as f:
            f.write("x")
    os.symlink("/etc/passwd", d + "/link")
    os.mkfifo(d + "/fifo")
    yield d
    shutil.rmtree(d)


def test_selinux_relabel(pods, volume):
    """All of a volume, and nothing that a link in it leads to."""
    before, passwd = context(volume), context("/etc/passwd")
    pod, config = made(pods, options={"level": "s0:c4,c5"})
    mount = {"container_path": "/vol", "host_path": volume}
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[mount])
    assert context(volume) == before
    ctr = pods.start(pod, config, ["sleep", "1000"], name="r", mounts=[
        dict(mount, selinux_relabel=True)])
    for root, dirs, files in os.walk(volume):
        for name in [""] + files + dirs:
            assert context(os.path.join(root, name).rstrip("/")) == \
                "system_u:object_r:container_file_t:s0:c4,c5", name
    assert context("/etc/passwd") == passwd
    assert pods.sh(ctr, "cat /vol/deep/er/file").stdout == b"x"
    # Now it is not another pod's.
    pod, config = made(pods, options={"level": "s0:c6,c7"})
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[mount])
    r = pods.sh(ctr, "cat /vol/file; ls /vol")
    assert r.exit_code != 0 and r.stderr.count(b"denied") == 2
    # A privileged container reaches it anyway, and it is left alone.
    pod, config = made(pods, privileged=True)
    ctr = pods.start(pod, config, ["cat", "/vol/file"], mounts=[
        dict(mount, selinux_relabel=True)],
        security_context={"privileged": True})
    pods.exited(ctr)
    assert pods.text(ctr).startswith("x")
    assert context(volume) == "system_u:object_r:container_file_t:s0:c4,c5"


def test_row_24_CVE_2021_43816_the_hosts_own_is_not_relabelled(pods):
    link = "/run/regress-" + uuid.uuid4().hex[:8]
    os.symlink("/etc", link)
    pod, config = made(pods)
    try:
        for path in ("/", "/etc", "/etc/hosts", "/usr/bin", "/run", "/var/lib",
                     "/tmp", link, link + "/hosts"):
            before = context(path), context("/etc/hosts")
            with pytest.raises(grpc.RpcError) as e:
                pods.create(pod, config, ["true"], mounts=[
                    {"container_path": "/vol", "host_path": path,
                     "selinux_relabel": True}])
            assert e.value.code() == INVALID
            assert "belongs to the host" in e.value.details()
            assert (context(path), context("/etc/hosts")) == before
    finally:
        os.unlink(link)
