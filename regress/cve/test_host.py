"""Rows about what of the host a container, a plugin or another process can
get hold of."""

import concurrent.futures
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import grpc
import pytest

import oci
from conftest import import_layout
from conftest_integ import POD, Pods, wait_for
from oci import entry

# Stands before a real runtime and writes down what it was given.
SPY = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int n, char **v)
{
	FILE *f = fopen(LOG, "ae");
	DIR *d = opendir("/proc/self/fd");
	char name[300], to[4096];
	struct dirent *e;

	for (int i = 0; i < n; i++)
		fprintf(f, "arg %s\n", v[i]);
	fprintf(f, "cwd %s\n", getcwd(to, sizeof(to)));
	for (char **p = environ; *p != NULL; p++)
		fprintf(f, "env %s\n", *p);
	while ((e = readdir(d)) != NULL) {
		ssize_t k;

		snprintf(name, sizeof(name), "/proc/self/fd/%s", e->d_name);
		k = readlink(name, to, sizeof(to) - 1);
		if (k < 0 || atoi(e->d_name) == dirfd(d) ||
		    atoi(e->d_name) == fileno(f))
			continue;
		to[k] = '\0';
		if (strncmp(to, "/proc/", 6) == 0)
			snprintf(to, sizeof(to), "%s", "directory of proc");
		fprintf(f, "fd %s %s\n", e->d_name, to);
	}
	fclose(f);
	closedir(d);
	execv("/usr/bin/crun", v);
	return 1;
}
"""


def test_row_27_29_30_67_what_a_runtime_is_given(another, compiled, scratch):
    """Three descriptors, a fixed environment, a full path; not more."""
    log = os.path.join(scratch, "spy.log")
    spy = compiled("spy", SPY, '-DLOG="%s"' % log)
    c = another('runtime spy path "%s" default\n' % spy, SECRET="1",
                LD_PRELOAD_="x")
    pods = Pods(c, scratch)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    pods.sh(ctr, "true")
    tty = pods.start(pod, config, ["sleep", "1000"], name="tty", tty=True)
    pods.sh(tty, "true")
    pods.clean()
    with open(log) as f:
        lines = [x.split(" ", 1) for x in f.read().splitlines()]
    seen = {k: {v for kind, v in lines if kind == k} for k, _ in lines}
    assert {"create", "start", "exec", "delete", "--version"} <= seen["arg"]
    assert {e.split("=")[0] for e in seen["env"]} == {"PATH"}
    for d in seen["cwd"]:
        assert d == "/" or d.startswith(c.path + "/run/bundle/"), d
    for fd in seen["fd"]:
        number, to = fd.split(" ", 1)
        assert int(number) <= 2 and not to.startswith(c.path), fd
    assert spy in seen["arg"] and os.path.isabs(spy)


def test_row_27_CVE_2016_9962_many_execs(pods):
    """0 to 2, each time; nobody in the container sees more of a runtime that
    joins it than a process of its own."""
    pod, config = pods.run()
    watch = pods.start(pod, config, ["sh", "-c", r"""
        while :; do for p in /proc/[0-9]*; do
            readlink $p/exe $p/cwd $p/root $p/fd/* 2>/dev/null
        done; done"""])

    def fds(_):
        return pods.sh(watch, "ls /proc/self/fd").stdout.split()
    with concurrent.futures.ThreadPoolExecutor(4) as ex:
        got = list(ex.map(fds, range(100)))
    assert all(g == [b"0", b"1", b"2", b"3"] for g in got)
    seen = set(pods.text(watch).splitlines())
    odd = {s for s in seen if not re.match(
        r"/bin/busybox$|/$|/proc(/|$)|pipe:|/dev/null$", s)}
    assert not odd


def pids_of(name, matches):
    pids = subprocess.run(["pgrep", "-x", name], capture_output=True,
                          text=True).stdout.split()
    return [p for p in pids if matches(p)]


def test_row_28_CVE_2019_5736_programs_are_read_only(pods):
    """What a pod can reach by /proc/PID/exe is on a read-only mount."""
    pod, config = pods.run(pid=POD)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    ns = pods.sh(ctr, "readlink /proc/self/ns/pid").stdout.decode().strip()

    def in_pod(pid):
        return os.readlink("/proc/%s/ns/pid" % pid) == ns

    def of_ctr(pid):
        with open("/proc/%s/cmdline" % pid) as f:
            return ctr in f.read()
    for name, pids in (("pause", pids_of("pause", in_pod)),
                       ("monitor", pids_of("monitor", of_ctr))):
        assert len(pids) == 1, name
        st = os.statvfs("/proc/%s/exe" % pids[0])
        assert st.f_flag & os.ST_RDONLY, name


USERS = [({}, None), ({"run_as_user": {"value": 1000}}, None),
         ({"run_as_user": {"value": 1234}}, None),
         ({"run_as_user": {"value": 1000}, "run_as_group": {"value": 77}},
          None),
         ({"run_as_username": "default-user"}, None),
         ({}, "1000"), ({}, "default-user"), ({}, "default-user:daemon"),
         ({}, "1234:4321")]
GOLDEN = {  # for Merge without more groups: uid, primary, supplementary
    0: (0, 0, set()), 1: (1000, 1000, {50000}), 2: (1234, 0, set()),
    3: (1000, 77, {50000}), 4: (1000, 1000, {50000}),
    5: (1000, 1000, {50000}), 6: (1000, 1000, {50000}),
    7: (1000, 1, {50000}), 8: (1234, 4321, set())}


@pytest.mark.parametrize("n,policy,more", itertools.product(
    range(len(USERS)), (0, 1), ((), (60000,))))
def test_row_32_CVE_2022_2995_groups(pods, image, n, policy, more):
    sc, user = USERS[n]
    name = image(config={"User": user, "Env": ["PATH=/bin"]}) if user \
        else "busybox"
    uid, gid, groups = GOLDEN[n]
    want = {gid} | set(more) | (groups if policy == 0 else set())
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], image=name,
                     security_context=dict(sc, supplemental_groups=more,
                                           supplemental_groups_policy=policy))
    for who in ("1", "self"):
        out = pods.sh(ctr, "grep -E '^(Uid|Gid|Groups)' /proc/%s/status"
                      % who).stdout.decode()
        ids = {k: [int(x) for x in v.split()] for k, v in (
            line.split(":") for line in out.splitlines())}
        assert set(ids["Uid"]) == {uid} and set(ids["Gid"]) == {gid}
        assert set(ids["Groups"]) == want


@pytest.mark.parametrize("user", [1, 12, 1000, 65534, 2147483648,
                                  4294967294])
def test_row_35_CVE_2026_30892_exec_user(pods, user):
    """A command runs as the container does, seen from the host."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], security_context={
        "run_as_user": {"value": user}, "run_as_group": {"value": 7}})
    out = pods.sh(ctr, "grep -E '^(Uid|Gid|Cap)' /proc/self/status")
    st = dict(line.split(":", 1) for line in
              out.stdout.decode().splitlines())
    assert set(st["Uid"].split()) == {str(user)}
    assert set(st["Gid"].split()) == {"7"}
    assert all(int(st[c], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff",
                                             "CapAmb"))


PLUGIN = """#!/bin/sh
echo ran >> %s
echo '{"cniVersion": "0.4.0", "ips": []}'
"""


@pytest.fixture
def cni(scratch):
    """Directories that only root can change: plugins, outside, net.d."""
    base = tempfile.mkdtemp(prefix="cni.", dir=scratch)
    os.chmod(base, 0o755)
    for d in ("plugins/sub", "outside", "net.d"):
        os.makedirs(os.path.join(base, d))
    for p in ("outside/evil", "plugins/sub/evil"):
        with open(os.path.join(base, p), "w") as f:
            f.write(PLUGIN % os.path.join(base, "outside/mark"))
        os.chmod(os.path.join(base, p), 0o755)
    for p in ("bridge", "host-local"):
        shutil.copy("/usr/lib/cni/" + p, os.path.join(base, "plugins"))
    os.symlink("../outside/evil", os.path.join(base, "plugins/link"))
    yield base
    shutil.rmtree(base)


TYPES = ["../outside/evil", "{base}/outside/evil", "sub/evil", "link", "",
         "..", "evil\0"]


def test_row_42_CVE_2021_20206_plugin_type(another, scratch, cni):
    """Nothing outside the plugin directory runs, whatever its name says.
    A delegated plugin is run by the one that delegates, which follows a link
    that root put beside it."""
    c = another('cni configuration "%s/net.d"\ncni plugins "%s/plugins"\n'
                'cni path "%s/outside"\n' % ((cni,) * 3))
    pods = Pods(c, scratch)
    for type, ipam in itertools.product(TYPES, (False, True)):
        if type == "link" and ipam:
            continue
        time.sleep(1.1)  # what was read less than a second ago is used again
        plugin = {"type": type.format(base=cni)}
        if ipam:
            plugin = {"type": "bridge", "bridge": "cve0", "ipam": plugin}
        with open(os.path.join(cni, "net.d/10.conflist"), "w") as f:
            json.dump({"cniVersion": "0.4.0", "name": "evil",
                       "plugins": [plugin]}, f)
        try:
            pod, _ = pods.run()
        except grpc.RpcError as e:
            assert e.details()
        else:
            assert ipam and type == ""  # that is how to have no addresses
            pods.clean()
        assert not os.path.exists(os.path.join(cni, "outside/mark")), (
            type, ipam)


def test_row_46_CVE_2022_1708_exec_memory(pods, criod):
    """Endless output of many commands: bounded memory, a killed process."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    calls = [pods.client.future("ExecSync", container_id=ctr, cmd=["yes"],
                                timeout=4, rpc_timeout=60)
             for _ in range(30)]
    codes = set()
    for c in calls:
        try:
            r = c.result()
            assert len(r.stdout) <= 16 << 20
        except grpc.RpcError as e:
            codes.add(e.code())
    assert codes <= {grpc.StatusCode.DEADLINE_EXCEEDED,
                     grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert pods.sh(ctr, "pidof yes || echo none").stdout == b"none\n"
    for role in ("front", "execd"):
        with open("/proc/%d/status" % criod.helpers()[role]) as f:
            peak = int(re.search(r"VmHWM:\s*(\d+)", f.read())[1])
        assert peak < 320 << 10, role


def test_row_54_CVE_2019_14891_pod_out_of_memory(pods):
    """The pod's OOM is not its monitor's."""
    pod, config = pods.run()
    for i in range(5):
        ctr = pods.start(pod, config, [
            "sh", "-c", "x=$(head -c 99000000 /dev/zero | tr '\\0' x)"],
            name="oom%d" % i, resources={"memory_limit_in_bytes": 16 << 20})
        st = pods.exited(ctr)
        assert (st.reason, st.exit_code) == ("OOMKilled", 137)
        assert "monitor" not in st.message


def layout_of(tmp_path, change):
    """A layout whose manifest was changed."""
    lay = oci.Layout(str(tmp_path / "layout"))
    desc = lay.image([oci.layer([entry("f", "x")])])
    with open(os.path.join(lay.path, "blobs/sha256", desc["digest"][7:])) \
            as f:
        m = json.load(f)
    kind = change(m, {k: v for k, v in desc.items() if k != "config"})
    return lay.write(dict(lay.blob(m), mediaType=oci.OCI + (
        kind or "manifest.v1+json")), "both.test/x:1")


def both(m, desc):
    m["manifests"] = [desc]


def own_type(m, desc):
    m["mediaType"] = oci.OCI + "index.v1+json"


def both_as_index(m, desc):
    m["manifests"] = [desc]
    m["mediaType"] = oci.OCI + "index.v1+json"
    return "index.v1+json"


@pytest.mark.parametrize("change", [both, own_type, both_as_index])
def test_row_58_type_confusion(criod, tmp_path, change):
    with pytest.raises(ImportError) as e:
        import_layout(criod, layout_of(tmp_path, change))
    assert str(e.value).strip()
    assert not criod.client.ImageStatus(
        image={"image": "both.test/x:1"}).image.id


def test_row_58_the_same_unchanged_is_good(criod, tmp_path):
    import_layout(criod, layout_of(tmp_path, lambda m, d: None))
    criod.client.RemoveImage(image={"image": "both.test/x:1"})


def test_row_60_CVE_2024_25621_nothing_for_others(pods, criod):
    """What an ordinary user can list, read or write of all that was made."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sh", "-c", "cp /bin/busybox /s; "
                                   "chmod 4777 /s; sleep 1000"])
    wait_for("file", lambda: pods.sh(ctr, "test -u /s").exit_code == 0)
    for test in ("-readable", "-writable", "-perm -4000"):
        got = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534",
             "--clear-groups", "find", criod.path + "/run",
             criod.path + "/lib", *test.split()], capture_output=True,
            text=True).stdout.split()
        # Empty, and there for processes to have nothing as their root.
        assert set(got) - {criod.path + "/run/empty", criod.path + "/lib"} \
            == set()
    # A path that is known must not help either.
    for path in ("lib/container/%s/upper/s", "run/rootfs/%s/fs/s",
                 "run/bundle/%s/config.json"):
        with pytest.raises(PermissionError):
            as_nobody(lambda: os.stat(os.path.join(criod.path, path % ctr)))


def as_nobody(fn):
    os.setegid(65534)
    os.seteuid(65534)
    try:
        return fn()
    finally:
        os.seteuid(0)
        os.setegid(0)


# One line for each forbidden call: its name and errno.
CALLS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
/* A child made by a forbidden clone must not go on as its parent does. */
#define CALL(name, ...) do { \
	errno = 0; \
	long r = syscall(__VA_ARGS__); \
	if (r == 0 && (name)[0] == '+') \
		_exit(0); \
	printf("%s %d\n", name, r >= 0 ? 0 : errno); \
	fflush(stdout); \
} while (0)
int main(void)
{
	struct io_uring_params p = { 0 };
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
	    .value_size = 4, .max_entries = 1 };
	unsigned long long clone3_args[11] = { CLONE_NEWUSER };

	CALL("unshare-user", SYS_unshare, CLONE_NEWUSER);
	CALL("unshare-net", SYS_unshare, CLONE_NEWNET);
	CALL("+clone-user", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	CALL("+clone3-user", SYS_clone3, clone3_args, 64);
	CALL("setns", SYS_setns, 0, 0);
	CALL("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, 0);
	CALL("fsopen", SYS_fsopen, "tmpfs", 0);
	CALL("io_uring_setup", SYS_io_uring_setup, 1, &p);
	CALL("keyctl", SYS_keyctl, 0, -3, 1);
	CALL("add_key", SYS_add_key, "user", "x", "y", 1, -3);
	CALL("userfaultfd", SYS_userfaultfd, 1);
	CALL("bpf", SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
	CALL("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1, 0);
	CALL("open_by_handle_at", SYS_open_by_handle_at, 0, 0, 0);
	CALL("init_module", SYS_init_module, 0, 0, "");
	CALL("kexec_load", SYS_kexec_load, 0, 0, 0, 0);
	CALL("af_alg", SYS_socket, 38, SOCK_SEQPACKET, 0);
	CALL("af_vsock", SYS_socket, 40, SOCK_STREAM, 0);
	return 0;
}
"""
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97


def test_row_75_CVE_2022_0492_forbidden_calls(pods, image, compiled):
    with open(compiled("calls", CALLS), "rb") as f:
        name = image([entry("calls", f.read(), mode=0o755)])
    _, out = pods.output(["/calls"], image=name, security_context={
        "seccomp": {"profile_type": 0}})
    got = dict(line.rsplit(" ", 1) for line in out.splitlines())
    assert len(got) == 18
    assert {k: v for k, v in got.items() if int(v) not in (
        EPERM, ENOSYS, EAFNOSUPPORT)} == {}
