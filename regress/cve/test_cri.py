"""Rows about what a request, an image's configuration or a container says."""

import os
import re
import socket
import stat
import subprocess
import time

import grpc
import pytest

from conftest_integ import CONTAINER, NODE, POD, wait_for
from oci import entry

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def refused(call, *args, codes=(INVALID,), **kw):
    with pytest.raises(grpc.RpcError) as e:
        call(*args, **kw)
    assert e.value.code() in codes, e.value
    assert e.value.details()
    return e.value.details()


BAD = ["../x", "a/../b", "..", "a\0b", "x" * 5000, "a\nb", "a/b"]


@pytest.mark.parametrize("field", ["name", "namespace", "uid"])
@pytest.mark.parametrize("bad", BAD)
def test_row_12_CVE_2025_0750_metadata(canary, pods, field, bad):
    config = pods.config()
    config["metadata"][field] = bad
    assert field in refused(pods.run, config)


@pytest.mark.parametrize("bad", ["relative", "/a/../b", "/a\0b",
                                 "/" + "x" * 5000])
def test_row_12_log_directory(canary, pods, bad):
    assert "log_directory" in refused(
        pods.run, pods.config(log_directory=bad))


@pytest.mark.parametrize("bad", ["../x", "a/../../b", "/abs", "a\0b",
                                 "x" * 5000])
def test_row_12_log_path(canary, pods, bad):
    pod, config = pods.run()
    assert "log_path" in refused(pods.create, pod, config, ["true"],
                                 log_path=bad)


@pytest.mark.parametrize("to", ["/proc", "/proc/self", "/proc/self/attr",
                                "/proc/1/attr/exec", "/x/../proc/sys"])
def test_row_19_CVE_2019_16884_a_fake_proc_hides_no_label(pods, tmp_path, to):
    """Runtimes, and the checks after a start, read the kernel's own."""
    (tmp_path / "self/attr").mkdir(parents=True)
    pod, config = pods.run()
    refused(pods.create, pod, config, ["true"], mounts=[
        {"container_path": to, "host_path": str(tmp_path)}])


@pytest.mark.parametrize("n", [0, 3, 5, 7, 10, 20, 64])
def test_row_29_CVE_2024_21626_working_directory(pods, n):
    pod, config = pods.run()
    refused(pods.create, pod, config, ["true"],
            working_dir="/proc/self/fd/%d" % n)


def test_row_28_CVE_2019_5736_proc_self_exe(pods, image, criod):
    import cri
    import hashlib
    files = ["/usr/bin/crun", "/usr/sbin/runc"] + [
        os.path.join(cri.BUILD, "libexec/criod", p)
        for p in ("monitor", "execlaunch", "pause")]

    def sums():
        out = {}
        for p in files:
            with open(p, "rb") as f:
                out[p] = hashlib.sha256(f.read()).hexdigest()
        return out
    before = sums()
    name = image([entry("evil", "#!/proc/self/exe\n", mode=0o755)])
    pod, config = pods.run()
    try:
        ctr = pods.create(pod, config, ["/evil"], image=name)
        pods.client.StartContainer(container_id=ctr)
        pods.exited(ctr)
    except grpc.RpcError as e:
        assert e.details()
    assert sums() == before


CAPS = {"default": {}, "add": {"add_capabilities": ["NET_ADMIN"]},
        "drop": {"drop_capabilities": ["ALL"]},
        "both": {"drop_capabilities": ["ALL"],
                 "add_capabilities": ["CHOWN"]}}


@pytest.mark.parametrize("caps", CAPS)
def test_row_31_CVE_2022_27652_inheritable(pods, caps):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"],
                     security_context={"capabilities": CAPS[caps]})
    for who in ("1", "self"):
        out = pods.sh(ctr, "cat /proc/%s/status" % who).stdout.decode()
        for name in ("CapInh", "CapAmb"):
            assert int(re.search(name + r":\s*(\w+)", out)[1], 16) == 0


@pytest.mark.parametrize("home", ["/x\nroot2:x:0:0::/:/bin/sh", "/x\r", "a:b",
                                  "/" + "x" * (1 << 20)])
def test_row_33_CVE_2022_4318_home(pods, home):
    pod, config = pods.run()
    try:
        ctr = pods.start(pod, config, ["cat", "/etc/passwd"],
                         envs=[{"key": "HOME", "value": home.encode()}],
                         security_context={"run_as_user": {"value": 4242}})
    except grpc.RpcError as e:
        assert e.details()
        return
    if pods.exited(ctr).exit_code != 0:
        return  # the kernel takes no variable of that size
    lines = pods.text(ctr).splitlines()
    assert len(lines) in (4, 5)  # the image's, and at most one for 4242
    assert all(line.count(":") == 6 for line in lines)
    assert not any(line.startswith("root2") for line in lines)


@pytest.mark.parametrize("user", ["4294967296", "2147483648000", "-1", "0x0",
                                  "+0", " 0", "1:2:3", "4294967295", "1:-1",
                                  "00000000000000000000"])
def test_row_34_CVE_2024_40635_image_user(pods, image, user):
    name = image(config={"User": user, "Env": ["PATH=/bin"]})
    pod, config = pods.run()
    try:
        ctr = pods.start(pod, config, ["id", "-u"], image=name)
    except (grpc.RpcError, ImportError) as e:
        return
    pods.exited(ctr)
    assert pods.text(ctr).strip() != "0"


@pytest.mark.parametrize("value", [4294967296, 4294967295, -1, 1 << 40])
def test_row_34_run_as_user(pods, value):
    pod, config = pods.run()
    assert "run_as_user" in refused(
        pods.create, pod, config, ["true"],
        security_context={"run_as_user": {"value": value}})


@pytest.mark.parametrize("value", ["1+kernel.core_pattern=|/x", "1\n2",
                                   "1 kernel.core_pattern=|/x=", "1\0"])
def test_row_36_CVE_2022_0811_sysctl_value(pods, value):
    before = open("/proc/sys/kernel/core_pattern").read()
    config = pods.config()
    config["linux"]["sysctls"] = {"kernel.shm_rmid_forced": value}
    refused(pods.run, config)
    assert open("/proc/sys/kernel/core_pattern").read() == before


@pytest.mark.parametrize("name", ["kernel.core_pattern", "vm.swappiness",
                                  "fs.file-max", "net/../kernel/hostname",
                                  "kernel.shm/../core_pattern"])
def test_row_36_sysctl_name(pods, name):
    config = pods.config()
    config["linux"]["sysctls"] = {name: "1"}
    refused(pods.run, config)


@pytest.mark.parametrize("ns,name", [
    ("network", "net.ipv4.ip_forward"), ("ipc", "kernel.shm_rmid_forced")])
def test_row_37_CVE_2022_0532_host_sysctl(pods, ns, name):
    path = "/proc/sys/" + name.replace(".", "/")
    before = open(path).read()
    config = pods.config()
    config["linux"]["security_context"]["namespace_options"][ns] = NODE
    if ns == "network":
        del config["hostname"]
    config["linux"]["sysctls"] = {name: "1" if before[0] == "0" else "0"}
    refused(pods.run, config)
    assert open(path).read() == before


def test_row_36_good_sysctls_are_set(pods):
    config = pods.config()
    config["linux"]["sysctls"] = {"kernel.shm_rmid_forced": "1",
                                  "net.ipv4.ip_unprivileged_port_start": "0"}
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    out = pods.sh(ctr, "cat /proc/sys/kernel/shm_rmid_forced "
                  "/proc/sys/net/ipv4/ip_unprivileged_port_start").stdout
    assert out.split() == [b"1", b"0"]


def test_row_39_CVE_2024_3154_annotations_stay_out(pods, criod):
    import glob
    import json
    odd = {"org.systemd.property.ExecStart": "x", "run.oci.handler": "krun",
           "io.kubernetes.cri-o.x": "y"}
    pod, config = pods.run(pods.config(annotations=odd))
    ctr = pods.create(pod, config, ["true"], annotations=odd)
    with open(os.path.join(criod.path, "run/bundle", ctr,
                           "config.json")) as f:
        spec = json.load(f)
    assert not set(spec.get("annotations", {})) & set(odd)
    assert "org.systemd" not in json.dumps(spec)


def test_row_40_CVE_2026_53488_labels_are_only_labels(pods, image):
    odd = {k: "binary:///bin/sh?x" for k in (
        "io.cri-containerd.kind", "containerd.io/log-uri",
        "io.containerd.image.managed", "criod.pinned", "io.criod.log")}
    odd.update({"User": "1000", "WorkingDir": "/tmp", "StopSignal": "KILL"})
    name = image(config={"Labels": odd, "Env": ["PATH=/bin"]})
    st, out = pods.output(["sh", "-c", "id -u; pwd"], image=name)
    assert out == "0\n/\n" and not dict(st.labels)


def test_row_41_CVE_2021_43784_large_fields(pods):
    big = {"k%05d" % i: "v" * 60 for i in range(1000)}
    pod, config = pods.run(pods.config(annotations=big))
    st = pods.client.PodSandboxStatus(pod_sandbox_id=pod).status
    assert dict(st.annotations) == big
    ctr = pods.start(pod, config, ["sleep", "1000"], annotations=big)
    assert dict(pods.status(ctr).annotations) == big


def test_row_46_CVE_2022_1708_exec_output(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    calls = [pods.client.future("ExecSync", container_id=ctr,
                                cmd=["sh", "-c", "yes | head -c 100000000"],
                                timeout=50) for _ in range(8)]
    for c in calls:
        try:
            r = c.result()
            assert len(r.stdout) + len(r.stderr) <= 16 << 20
            assert r.stdout.startswith(b"y\ny\n")
        except grpc.RpcError as e:
            assert e.code() in (grpc.StatusCode.DEADLINE_EXCEEDED,
                                grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_row_54_CVE_2019_14891_monitor_is_not_in_the_pod(pods, criod):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    out = subprocess.run(["pgrep", "-f", "monitor.*" + ctr],
                         capture_output=True, text=True).stdout.split()
    assert len(out) == 1
    with open("/proc/%s/cgroup" % out[0]) as f:
        assert ctr not in f.read()


@pytest.mark.parametrize("ref", [
    "busybox@sha256:" + "A" * 64, "busybox@sha256:../../etc",
    "busybox@sha256:abc", "busybox@md5:" + "0" * 32, "bus\0ybox", "../x",
    "BUSYBOX", "busybox:" + "t" * 200, "http://x/y", "x//y", ""])
def test_row_57_CVE_2024_3727_references(criod, ref):
    refused(criod.client.PullImage, image={"image": ref})


def test_row_59_CVE_2020_15257_no_abstract_sockets(pods):
    pod, config = pods.run(network=NODE)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    out = pods.sh(ctr, "cat /proc/net/unix").stdout.decode()
    assert not [line for line in out.splitlines() if "@" in line and
                ("criod" in line or "monitor" in line)]


def test_row_60_CVE_2021_41103_directories(pods, criod):
    """An ordinary user reaches nothing below the state and the store."""
    pod, config = pods.run()
    pods.start(pod, config, ["sleep", "1000"])
    for d in ("run/bundle", "run/front", "run/launch", "run/ns",
              "run/rootfs", "run/runtime", "lib/image", "lib/container",
              "lib/network"):
        path = os.path.join(criod.path, d)
        got = subprocess.run(["setpriv", "--reuid", "65534", "--regid",
                              "65534", "--clear-groups", "ls", path],
                             capture_output=True)
        assert got.returncode != 0, d
    for name in ("criod.sock", "control.sock"):
        mode = os.stat(os.path.join(criod.path, name)).st_mode
        assert not stat.S_IMODE(mode) & 0o007, name


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_row_62_CVE_2023_25809_own_cgroup(pods, handler):
    """Files and directories are its root's uid's: the mount is what keeps it
    from its limits.  Files are opened for writing, no more."""
    pod, config = pods.run(handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    own = pods.sh(ctr, "cat /proc/self/cgroup").stdout.decode()
    # With cgroup v2 alone that is all it sees.
    assert own == "0::/\n" or "\n1:" in "\n" + own
    out = pods.sh(ctr, "cd /sys/fs/cgroup; n=0; for f in $(find . -type f); "
                  "do n=$((n + 1)); (: >>$f) 2>/dev/null && echo opened $f; "
                  "done; for f in $(find . -name cgroup.procs); do "
                  "d=${f%/*}/row62; mkdir $d 2>/dev/null && rmdir $d && "
                  "echo made $d; done; echo $n", timeout=60).stdout.split()
    assert len(out) == 1 and int(out[0]) > 10, out


def test_row_67_CVE_2021_3602_environment(pods):
    """Nothing of the daemon's environment is in a container's."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    env = pods.sh(ctr, "cat /proc/1/environ").stdout.split(b"\0")
    names = {e.split(b"=")[0] for e in env if e}
    assert names <= {b"PATH", b"FROM_IMAGE", b"HOSTNAME", b"HOME", b"TERM"}


@pytest.mark.parametrize("path", [
    "runtime.v1.RuntimeService/Version", "//runtime.v1.RuntimeService/"
    "Version", "/runtime.v1.RuntimeService/Version/",
    "/runtime.v1.runtimeservice/version", "/runtime.v1.RuntimeService/"
    "%56ersion", "/runtime.v1alpha2.RuntimeService/Version", "/"])
def test_row_73_CVE_2026_33186_paths(criod, path):
    call = criod.client.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as e:
        call(b"", timeout=5)
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_row_75_CVE_2022_0492_kernel_surface(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "seccomp": {"profile_type": 0}})
    r = pods.sh(ctr, "unshare -U true; echo $?; unshare -m true; echo $?")
    assert r.stdout.split() and b"0" not in r.stdout.split()


def test_row_27_CVE_2016_9962_container_descriptors(pods):
    _, out = pods.output(["ls", "/proc/self/fd"])
    assert out.split() == ["0", "1", "2", "3"]  # 3: ls's own directory


def test_row_30_CVE_2022_1227_no_program_of_the_image_runs_outside(pods,
                                                                   image):
    """Programs that runtimes have called by name: each would leave a file."""
    script = "#!/bin/sh\necho ran > /ran-$(readlink /proc/self/ns/mnt)\n"
    names = ["bin/nsenter", "usr/bin/nsenter", "sbin/ldconfig",
             "usr/bin/newuidmap", "bin/mount", "bin/crun", "bin/runc"]
    img = image([entry(n, script, mode=0o755) for n in names])
    before = set(os.listdir("/"))
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], image=img)
    assert pods.sh(ctr, "ls /").stdout.find(b"ran-") == -1
    assert set(os.listdir("/")) == before


def test_row_3_CVE_2019_14271_no_library_of_the_image_is_loaded(pods, image):
    """A library in the image that would leave a mark when loaded."""
    src = ('__attribute__((constructor)) static void f(void) '
           '{ creat("/loaded-a-library", 0644); }\n'
           '#include <fcntl.h>\n#include <sys/stat.h>\n')
    src = '#include <fcntl.h>\n#include <sys/stat.h>\n' + src
    so = "/tmp/libnss_evil.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", so],
                   input=src.encode(), check=True)
    with open(so, "rb") as f:
        data = f.read()
    os.unlink(so)
    names = ["libnss_files.so.2", "libnss_compat.so.2", "libnss_dns.so.2",
             "libnss_db.so.2"]
    dirs = ["lib/", "lib64/", "usr/lib/", "lib/x86_64-linux-gnu/"]
    img = image([entry(d + n, data, mode=0o755) for d in dirs
                 for n in names] + [
        entry("etc/nsswitch.conf", "passwd: compat db\ngroup: compat db\n")])
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], image=img,
                     security_context={"run_as_username": "default-user"})
    assert b"loaded" not in pods.sh(ctr, "ls /").stdout
    assert not os.path.exists("/loaded-a-library")
