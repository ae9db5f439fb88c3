"""Pods and containers, as a kubelet drives them."""

import json
import os
import re
import signal
import socket
import time

import grpc
import pytest

from conftest_integ import CONTAINER, NODE, POD, wait_for

READY, NOTREADY = 0, 1
CREATED, RUNNING, EXITED = 0, 1, 2


def code(call, *args, **kw):
    with pytest.raises(grpc.RpcError) as e:
        call(*args, **kw)
    return e.value.code()


def test_version(criod):
    v = criod.client.Version(version="v1")
    assert v.runtime_name == "criod"
    assert v.runtime_api_version == "v1"


def test_status_is_ready(criod):
    st = criod.client.Status(verbose=True)
    got = {c.type: c.status for c in st.status.conditions}
    assert got["RuntimeReady"] and got["NetworkReady"]
    names = [h.name for h in st.runtime_handlers]
    assert "" in names and "crun" in names


def test_runtime_config_names_the_driver(criod):
    assert criod.client.RuntimeConfig().linux.cgroup_driver in (0, 1)


def test_life_of_a_pod(pods):
    cl = pods.client
    pod, config = pods.run()
    st = cl.PodSandboxStatus(pod_sandbox_id=pod).status
    assert st.state == READY and st.created_at > 0
    assert st.metadata.name == config["metadata"]["name"]
    ip = st.network.ip
    socket.inet_aton(ip)
    ctr = pods.create(pod, config, ["sh", "-c", "echo out; echo err >&2; "
                                    "hostname; exit 7"])
    st = pods.status(ctr)
    assert st.state == CREATED and st.started_at == 0
    assert st.image.image and st.image_ref and st.image_id
    cl.StartContainer(container_id=ctr)
    st = pods.exited(ctr)
    assert st.exit_code == 7 and st.reason == "Error"
    assert 0 < st.created_at <= st.started_at <= st.finished_at
    assert pods.text(ctr) == "out\n%s\n" % config["hostname"]
    assert pods.text(ctr, "stderr") == "err\n"
    cl.StopPodSandbox(pod_sandbox_id=pod)
    assert cl.PodSandboxStatus(
        pod_sandbox_id=pod).status.state == NOTREADY
    cl.RemovePodSandbox(pod_sandbox_id=pod)
    assert code(cl.PodSandboxStatus, pod_sandbox_id=pod) == \
        grpc.StatusCode.NOT_FOUND
    assert code(cl.ContainerStatus, container_id=ctr) == \
        grpc.StatusCode.NOT_FOUND


def test_log_lines_have_the_cri_form(pods):
    st, _ = pods.output(["sh", "-c", "echo one; printf two"])
    assert st.exit_code == 0 and st.reason == "Completed"
    with open(st.log_path) as f:
        lines = f.read().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)"
    assert re.fullmatch(stamp + " stdout F one", lines[0])
    assert re.fullmatch(stamp + " stdout [PF] two", lines[1])


def test_stop_and_remove_are_idempotent(pods):
    cl = pods.client
    none = "0" * 64
    cl.StopPodSandbox(pod_sandbox_id=none)
    cl.RemovePodSandbox(pod_sandbox_id=none)
    cl.StopContainer(container_id=none, timeout=1)
    cl.RemoveContainer(container_id=none)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    for _ in range(2):
        cl.StopContainer(container_id=ctr, timeout=0)
        cl.RemoveContainer(container_id=ctr)
        cl.StopPodSandbox(pod_sandbox_id=pod)
        cl.RemovePodSandbox(pod_sandbox_id=pod)


def test_stop_sends_term_then_kills(pods):
    pod, config = pods.run()
    polite = pods.start(pod, config, [
        "sh", "-c", "trap 'echo got term; exit 3' TERM; echo up; "
        "while :; do sleep 0.05; done"], name="polite")
    rude = pods.start(pod, config, [
        "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"],
        name="rude")
    for c in (polite, rude):
        wait_for("trap", lambda c=c: "up" in pods.log(c))
    pods.client.StopContainer(container_id=polite, timeout=10)
    st = pods.status(polite)
    assert (st.state, st.exit_code) == (EXITED, 3)
    assert "got term" in pods.text(polite)
    before = time.monotonic()
    pods.client.StopContainer(container_id=rude, timeout=1)
    assert 0.9 < time.monotonic() - before < 5
    assert pods.status(rude).exit_code == 137


def test_shorter_stop_wins(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, [
        "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"])
    wait_for("trap", lambda: "up" in pods.log(ctr))
    slow = pods.client.future("StopContainer", container_id=ctr,
                              timeout=3600)
    time.sleep(0.2)
    before = time.monotonic()
    pods.client.StopContainer(container_id=ctr, timeout=0)
    slow.result(10)
    assert time.monotonic() - before < 5


def test_lists_filter(pods):
    cl = pods.client
    label = {"who": "lists"}
    pod, config = pods.run(pods.config(labels=label))
    other, _ = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], labels=label)
    ids = [p.id for p in cl.ListPodSandbox(
        filter={"label_selector": label}).items]
    assert ids == [pod]
    assert {p.id for p in cl.ListPodSandbox().items} >= {pod, other}
    assert [p.id for p in cl.ListPodSandbox(
        filter={"id": pod[:13]}).items] == [pod]
    assert not cl.ListPodSandbox(filter={
        "id": pod, "state": {"state": NOTREADY}}).items
    got = cl.ListContainers(filter={"pod_sandbox_id": pod,
                                    "label_selector": label}).containers
    assert [c.id for c in got] == [ctr]
    assert got[0].state == RUNNING
    assert not cl.ListContainers(filter={"id": "f" * 64}).containers


def test_labels_and_annotations_come_back_unaltered(pods):
    odd = {"a/b": "ü\n\"x\"", "empty": ""}
    pod, config = pods.run(pods.config(labels=odd, annotations=odd))
    ctr = pods.create(pod, config, ["true"], labels=odd, annotations=odd)
    st = pods.client.PodSandboxStatus(pod_sandbox_id=pod).status
    assert dict(st.labels) == odd and dict(st.annotations) == odd
    st = pods.status(ctr)
    assert dict(st.labels) == odd and dict(st.annotations) == odd


def test_duplicate_run_returns_the_same_pod(pods):
    pod, config = pods.run()
    again, _ = pods.run(config)
    assert again == pod
    ctr = pods.create(pod, config, ["true"])
    assert pods.create(pod, config, ["true"]) == ctr


def test_environment_arguments_and_directory(pods):
    st, out = pods.output(
        ["sh", "-c", "echo $FROM_IMAGE $MINE; pwd; echo $0 $1"],
        args=["zero", "one"], working_dir="/made/here",
        envs=[{"key": "MINE", "value": b"mine"},
              {"key": "FROM_IMAGE", "value": b"changed"}])
    assert out == "changed mine\n/made/here\nzero one\n"


def test_container_has_only_its_own_environment(pods):
    st, out = pods.output(["env"])
    names = {line.split("=")[0] for line in out.splitlines()}
    assert names <= {"PATH", "FROM_IMAGE", "HOSTNAME", "HOME", "SHLVL",
                     "PWD", "TERM"}


def test_exec_sync(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    r = pods.sh(ctr, "echo out; echo err >&2; exit 5")
    assert (r.stdout, r.stderr, r.exit_code) == (b"out\n", b"err\n", 5)
    # Binary and large: nothing is lost or altered.
    r = pods.sh(ctr, "dd if=/dev/zero bs=1M count=3 2>/dev/null")
    assert r.stdout == bytes(3 << 20)
    assert code(pods.client.ExecSync, container_id=ctr, cmd=[]) == \
        grpc.StatusCode.INVALID_ARGUMENT
    assert code(pods.client.ExecSync, container_id="0" * 64,
                cmd=["true"]) == grpc.StatusCode.NOT_FOUND


def test_exec_timeout_kills_the_tree(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    before = time.monotonic()
    with pytest.raises(grpc.RpcError) as e:
        pods.sh(ctr, "sleep 777 & sleep 777", timeout=1)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - before < 5

    def gone():
        return b"777" not in pods.sh(ctr, "ps").stdout.replace(
            b"sleep 777 & sleep", b"")
    wait_for("exec tree dead", gone, 5)


def test_exec_does_not_wait_for_a_held_pipe(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    before = time.monotonic()
    r = pods.sh(ctr, "sleep 30 & echo done", timeout=20)
    assert r.stdout == b"done\n" and time.monotonic() - before < 5


def test_exec_descriptors(pods):
    """Row 27: an exec'd process has descriptors 0 to 2 only."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    for _ in range(20):
        r = pods.client.ExecSync(container_id=ctr,
                                 cmd=["ls", "/proc/self/fd"], timeout=10)
        assert r.stdout.split() == [b"0", b"1", b"2", b"3"]  # 3: ls's own


def test_reopen_log(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, [
        "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"])
    path = pods.status(ctr).log_path
    wait_for("log", lambda: os.path.getsize(path) > 0)
    for n in range(3):
        os.rename(path, "%s.%d" % (path, n))
        pods.client.ReopenContainerLog(container_id=ctr)
        assert os.path.exists(path)
        wait_for("log", lambda: os.path.getsize(path) > 0)
    pods.client.StopContainer(container_id=ctr, timeout=0)
    text = ""
    for n in range(3):
        with open("%s.%d" % (path, n)) as f:
            text += f.read()
    with open(path) as f:
        text += f.read()
    got = [int(line.split(" ", 3)[3]) for line in text.splitlines()]
    assert got == list(range(len(got)))
    assert code(pods.client.ReopenContainerLog, container_id=ctr) != \
        grpc.StatusCode.OK
    assert not os.path.exists(path + ".new")


def test_reopen_of_a_stopped_container_makes_no_file(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["true"])
    path = pods.exited(ctr).log_path
    os.rename(path, path + ".1")
    code(pods.client.ReopenContainerLog, container_id=ctr)
    assert not os.path.exists(path)


@pytest.mark.parametrize("user,want", [
    ({}, "0 0"),
    ({"run_as_user": {"value": 1000}}, "1000 1000"),
    ({"run_as_user": {"value": 1234}}, "1234 0"),
    ({"run_as_username": "default-user"}, "1000 1000"),
    ({"run_as_user": {"value": 1}, "run_as_group": {"value": 77}}, "1 77"),
])
def test_user(pods, user, want):
    _, out = pods.output(["sh", "-c", "echo $(id -u) $(id -g)"],
                         security_context=user)
    assert out.strip() == want


@pytest.mark.parametrize("policy,want", [(0, {1000, 50000, 60000}),
                                         (1, {1000, 60000})])
def test_supplemental_groups(pods, policy, want):
    _, out = pods.output(["id", "-G"], security_context={
        "run_as_user": {"value": 1000}, "supplemental_groups": [60000],
        "supplemental_groups_policy": policy})
    assert {int(g) for g in out.split()} == want


def test_terminal(pods):
    _, out = pods.output(["sh", "-c", "test -t 1 && echo tty; tty"],
                         tty=True)
    assert "tty" in out and "/dev/" in out


def test_mounts(pods, tmp_path):
    (tmp_path / "in").write_text("from the host")
    st, out = pods.output(
        ["sh", "-c", "cat /data/in; echo; echo written > /data/out; "
         "echo x > /ro/out || echo read-only"],
        mounts=[{"container_path": "/data", "host_path": str(tmp_path)},
                {"container_path": "/ro", "host_path": str(tmp_path),
                 "readonly": True}])
    assert "from the host" in out and "read-only" in out
    assert (tmp_path / "out").read_text() == "written\n"


def test_pod_files(pods):
    pod, config = pods.run(pods.config(dns_config={
        "servers": ["192.0.2.53"], "searches": ["one.example"],
        "options": ["ndots:5"]}))
    ctr = pods.start(pod, config, ["sleep", "1000"])
    resolv = pods.sh(ctr, "cat /etc/resolv.conf").stdout.decode()
    assert "nameserver 192.0.2.53" in resolv
    assert "search one.example" in resolv and "options ndots:5" in resolv
    assert pods.sh(ctr, "cat /etc/hostname").stdout.decode().strip() == \
        config["hostname"]
    df = pods.sh(ctr, "df -k /dev/shm | tail -n 1").stdout.split()
    assert df[1] == b"65536"


def test_shm_is_shared_in_the_pod(pods):
    pod, config = pods.run()
    a = pods.start(pod, config, ["sleep", "1000"], name="a")
    b = pods.start(pod, config, ["sleep", "1000"], name="b")
    pods.sh(a, "echo hi > /dev/shm/x")
    assert pods.sh(b, "cat /dev/shm/x").stdout == b"hi\n"


def test_shared_pid_namespace(pods):
    pod, config = pods.run(pid=POD)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    comm = pods.sh(ctr, "cat /proc/1/comm").stdout.decode()
    assert comm.strip() == "pause"


def pause_of(pods, ctr):
    """The first process of the container's PID namespace, as seen here."""
    info = pods.client.ContainerStatus(container_id=ctr, verbose=True).info
    ns = os.readlink("/proc/%d/ns/pid" % json.loads(info["info"])["pid"])
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % p) as f:
                if f.read() == "pause\n" and \
                        os.readlink("/proc/%s/ns/pid" % p) == ns:
                    return int(p)
        except OSError:
            pass
    raise AssertionError("no pause")


def pod_state(pods, pod):
    try:
        return pods.client.PodSandboxStatus(pod_sandbox_id=pod).status.state
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.UNAVAILABLE
        return None


def well(pods):
    try:
        return all(c.status for c in pods.client.Status().status.conditions)
    except grpc.RpcError:
        return False


@pytest.mark.parametrize("away", [None, "execd", "execlaunch", "front"])
def test_pause_that_ends_ends_its_pod(pods, criod, away):
    """No process can be made in there any more: a kubelet is to make another
    pod, whoever was away at that moment."""
    pod, config = pods.run(pid=POD)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    pause = pause_of(pods, ctr)
    if away:
        os.kill(criod.helpers()[away], signal.SIGKILL)
    os.kill(pause, signal.SIGKILL)
    wait_for("NOTREADY", lambda: pod_state(pods, pod) == NOTREADY)
    wait_for("Status", lambda: well(pods))
    assert pods.exited(ctr).exit_code == 137
    assert code(pods.create, pod, config, ["true"], name="late") == \
        grpc.StatusCode.FAILED_PRECONDITION


def test_own_pid_namespace_has_no_pause(pods):
    pod, config = pods.run(pid=CONTAINER)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    assert pods.sh(ctr, "cat /proc/1/comm").stdout == b"sleep\n"


def test_host_network(pods):
    pod, config = pods.run(network=NODE)
    ctr = pods.start(pod, config, ["sleep", "1000"])
    assert pods.sh(ctr, "readlink /proc/self/ns/net").stdout.decode(
    ).strip() == os.readlink("/proc/self/ns/net")
    assert pods.sh(ctr, "hostname").stdout.decode().strip() == \
        socket.gethostname()


def test_pods_reach_each_other(pods):
    pod, config = pods.run()
    ip = pods.client.PodSandboxStatus(
        pod_sandbox_id=pod).status.network.ip
    pods.start(pod, config, ["sh", "-c", "while :; do echo hello | "
                             "nc -l -p 8080; done"])
    other, oconfig = pods.run()
    ctr = pods.start(other, oconfig, ["sleep", "1000"])
    wait_for("answer", lambda: pods.sh(
        ctr, "nc -w 1 %s 8080 </dev/null" % ip).stdout == b"hello\n")


def test_host_port(pods):
    pod, config = pods.run(pods.config(port_mappings=[
        {"container_port": 8080, "host_port": 18080}]))
    pods.start(pod, config, ["sh", "-c", "while :; do echo hello | "
                             "nc -l -p 8080; done"])
    # Through the bridge's own address, which needs no route_localnet.
    ip = pods.client.PodSandboxStatus(
        pod_sandbox_id=pod).status.network.ip
    gw = ".".join(ip.split(".")[:2]) + ".0.1"  # the embedded network's

    def ask():
        try:
            with socket.create_connection((gw, 18080), 1) as s:
                s.settimeout(1)
                return s.recv(100) == b"hello\n"
        except OSError:
            return False
    wait_for("host port", ask)


def test_oom_is_reported(pods):
    st, _ = pods.output(
        ["sh", "-c", "x=$(head -c 300000000 /dev/zero | tr '\\0' x); "
         "echo ${#x}"],
        resources={"memory_limit_in_bytes": 32 << 20})
    assert st.reason == "OOMKilled" and st.exit_code == 137


def test_resources_reach_the_cgroup(pods):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], resources={
        "memory_limit_in_bytes": 64 << 20, "cpu_quota": 20000,
        "cpu_period": 100000, "cpu_shares": 512})
    out = pods.sh(ctr, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
                  "/sys/fs/cgroup/memory.max 2>/dev/null").stdout
    assert out.strip() == b"67108864"


def test_default_capabilities(pods):
    """Row 31: nothing is inheritable or ambient."""
    _, out = pods.output(["cat", "/proc/self/status"])
    st = dict(line.split(":\t") for line in out.splitlines()
              if ":\t" in line)
    assert int(st["CapInh"], 16) == 0 and int(st["CapAmb"], 16) == 0
    assert int(st["CapEff"], 16) == int(st["CapBnd"], 16)
    assert not int(st["CapBnd"], 16) & (1 << 21)  # SYS_ADMIN
    assert st["Seccomp"] in ("0", "2")


def test_drop_all_capabilities(pods):
    _, out = pods.output(["cat", "/proc/self/status"], security_context={
        "capabilities": {"drop_capabilities": ["ALL"]}})
    for line in out.splitlines():
        if line.startswith("Cap"):
            assert int(line.split()[1], 16) == 0, line


def test_privileged(pods):
    config = pods.config()
    config["linux"]["security_context"]["privileged"] = True
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sleep", "1000"],
                     security_context={"privileged": True})
    st = pods.sh(ctr, "cat /proc/self/status").stdout.decode()
    assert re.search(r"^Seccomp:\s*0", st, re.M)
    assert int(re.search(r"CapEff:\s*(\w+)", st)[1], 16) & (1 << 21)


def test_read_only_root(pods):
    _, out = pods.output(["sh", "-c", "echo x >/file || echo refused"],
                         security_context={"readonly_rootfs": True})
    assert "refused" in out


def test_seccomp_runtime_default(pods):
    _, out = pods.output(["sh", "-c", "grep Seccomp: /proc/self/status; "
                          "unshare -m true || echo refused"],
                         security_context={"seccomp": {"profile_type": 0}})
    assert "Seccomp:\t2" in out and "refused" in out


def test_runc(pods):
    pod, config = pods.run(handler="runc")
    ctr = pods.start(pod, config, ["sh", "-c", "echo by runc; exit 4"])
    st = pods.exited(ctr)
    assert st.exit_code == 4 and pods.text(ctr) == "by runc\n"


def test_unknown_runtime_handler(pods):
    assert code(pods.run, handler="nonesuch") in (
        grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


def test_failed_start_is_an_error(pods):
    pod, config = pods.run()
    with pytest.raises(grpc.RpcError) as e:
        ctr = pods.create(pod, config, ["/no/such/program"])
        pods.client.StartContainer(container_id=ctr)
    assert "no/such/program" in e.value.details()


def test_unbuilt_methods_say_so(criod):
    assert code(criod.client.CheckpointContainer, container_id="x") == \
        grpc.StatusCode.UNIMPLEMENTED
