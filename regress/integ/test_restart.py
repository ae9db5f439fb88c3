"""criod does not lose pods: whatever of it is killed, containers go on."""

import os
import signal
import tempfile
import time

import grpc
import pytest

from conftest_integ import CONTAINER, Criod, Pods, wait_for

MONITORS = {"monitor", "pause"}


@pytest.fixture
def own(scratch, registry):
    """A criod of the test's own, for it will be hurt."""
    path = tempfile.mkdtemp(prefix="restart.", dir=scratch)
    os.chmod(path, 0o755)
    c = Criod(path, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


def counter(pods, pod, config, name="count"):
    return pods.start(pod, config, [
        "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); usleep 10000; "
        "done"], name=name)


def numbers(path):
    with open(path) as f:
        return [int(line.split(" ", 3)[3]) for line in f]


def answers(client, pod, ctrs):
    """Everything a kubelet would compare."""
    return (client.ListPodSandbox(), client.ListContainers(),
            client.PodSandboxStatus(pod_sandbox_id=pod).status,
            [client.ContainerStatus(container_id=c) for c in ctrs],
            client.ListImages())


def kill_all(criod):
    """kill -9 of criod and all its processes but monitors and pauses."""
    pids = [criod.parent()] + list(criod.helpers().values())
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass	# helpers end with their parent
    criod.proc.wait(20)
    criod.client.close()
    for pid in pids:
        wait_for("death of %d" % pid,
                 lambda pid=pid: not os.path.exists("/proc/%d" % pid))


def without(answer, ctr):
    """Takes what is said of ctr, and when it was said, out of an answer."""
    for field in ("containers", "containers_statuses"):
        if hasattr(answer, field):
            lst = getattr(answer, field)
            keep = sorted((c for c in lst if c.id != ctr), key=lambda c: c.id)
            del lst[:]
            lst.extend(keep)
    if hasattr(answer, "timestamp"):
        answer.timestamp = 0


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_containers_survive(own, scratch, how):
    pods = Pods(own, scratch)
    pod, config = pods.run()
    ctr = counter(pods, pod, config)
    done = pods.start(pod, config, ["sh", "-c", "exit 9"], name="done")
    flag = tempfile.mkdtemp(dir=scratch)
    late = pods.start(
        pod, config, ["sh", "-c", "until [ -e /flag/go ]; do sleep 0.2; done; "
                      "exit 42"], name="late",
        mounts=[{"container_path": "/flag", "host_path": flag}])
    pods.exited(done)
    created = pods.create(pod, config, ["true"], name="created")
    path = pods.status(ctr).log_path
    wait_for("numbers", lambda: len(numbers(path)) > 5)
    before = answers(own.client, pod, [ctr, done, created])
    assert pods.status(late).state == 1
    if how == "killed":
        kill_all(own)
    else:
        os.kill(own.parent(), signal.SIGTERM)
        own.proc.wait(20)
        own.client.close()
    with open(os.path.join(flag, "go"), "w"):
        time.sleep(1)  # late exits meanwhile
    own.start()
    pods.client = own.client
    st = pods.status(late)
    assert (st.state, st.exit_code) == (2, 42)
    after = answers(own.client, pod, [ctr, done, created])
    # The one that exited meanwhile is the only difference.
    for a, b in zip(before, after):
        for x in (a, b):
            without(x, late)
        assert a == b
    n = len(numbers(path))
    wait_for("more numbers", lambda: len(numbers(path)) > n)
    pods.client.StartContainer(container_id=created)
    assert pods.exited(created).exit_code == 0
    assert pods.sh(ctr, "echo alive").stdout == b"alive\n"
    pods.client.StopContainer(container_id=ctr, timeout=0)
    got = numbers(path)
    assert got == list(range(len(got)))
    pods.clean()


@pytest.mark.parametrize("role", ["front", "streamd", "imaged", "netd",
                                  "netlaunch", "execd", "execlaunch"])
def test_each_helper_may_die(own, scratch, role):
    pods = Pods(own, scratch)
    pod, config = pods.run()
    ctr = counter(pods, pod, config)
    path = pods.status(ctr).log_path
    old = own.helpers()[role]
    os.kill(old, signal.SIGKILL)
    wait_for("restart of " + role,
             lambda: own.helpers().get(role, old) != old)

    def works():
        try:
            return pods.sh(ctr, "echo alive").stdout == b"alive\n"
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNAVAILABLE, e
            return False
    wait_for("service", works)
    assert pods.status(ctr).state == 1
    second = None

    def runs():
        nonlocal second
        try:
            second = pods.run()
            return True
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNAVAILABLE, e
            return False
    wait_for("a new pod", runs)
    c2 = pods.start(*second, ["sh", "-c", "exit 3"])
    assert pods.exited(c2).exit_code == 3
    pods.client.StopContainer(container_id=ctr, timeout=0)
    got = numbers(path)
    assert got == list(range(len(got)))
    pods.clean()


def test_retry_joins_work_in_progress(own, scratch):
    """features.md 4.1: one identity, one pod, however often it is asked."""
    pods = Pods(own, scratch)
    config = pods.config()
    calls = [own.client.future("RunPodSandbox", config=config)
             for _ in range(8)]
    ids = {c.result().pod_sandbox_id for c in calls}
    assert len(ids) == 1
    pods.made += list(ids)
    assert len(own.client.ListPodSandbox().items) == 1
    # A caller that leaves at once; the next gets what was made.
    config = pods.config()
    gone = own.client.future("RunPodSandbox", config=config, rpc_timeout=0.01)
    with pytest.raises(grpc.RpcError) as e:
        gone.result()
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    pod = own.client.RunPodSandbox(config=config).pod_sandbox_id
    pods.made.append(pod)
    assert len(own.client.ListPodSandbox().items) == 2
    pods.clean()
