"""Handlers: each runtime of the machine runs the same life of a container."""

import os
import shutil
import signal
import time

import grpc
import pytest

import cri
from conftest_integ import POD, Criod, Pods, wait_for

RUNSC = os.path.join(cri.BUILD, "go/runsc")

CONF = """
runtime crun path "/usr/bin/crun" default
runtime runc path "/usr/sbin/runc"
runtime gone path "/usr/bin/there-is-no-such-runtime"
runtime liar path "/usr/bin/false"
"""
GVISOR = """
runtime runsc path "%s" {
	type gvisor
	argument "--platform=systrap"
	argument "--network=host"
}
""" % RUNSC
SHIM = "/usr/bin/containerd-shim-runc-v2"
VM = """
runtime shim path "%s" {
	type vm
}
""" % SHIM
NAMES = [n for n, path in (("crun", "/usr/bin/crun"),
                           ("runc", "/usr/sbin/runc"), ("runsc", RUNSC),
                           ("shim", SHIM))
         if os.path.exists(path)]


@pytest.fixture(scope="module")
def many(scratch, registry):
    """A criod with all handlers; its directory outlives a stop."""
    conf = CONF + (GVISOR if "runsc" in NAMES else "") + \
        (VM if "shim" in NAMES else "")
    c = Criod(os.path.join(scratch, "many"), conf, args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()
    shutil.rmtree(c.path, ignore_errors=True)


@pytest.fixture
def made(many, scratch):
    p = Pods(many, scratch)
    yield p
    p.clean()


def runtime_files(many, handler):
    return os.listdir(os.path.join(many.path, "run/runtime", handler))


def test_handlers_that_cannot_be_used_are_left_out(many):
    st = many.client.Status(verbose=True)
    names = [h.name for h in st.runtime_handlers]
    assert sorted(names) == sorted([""] + NAMES)
    assert all(c.status for c in st.status.conditions)
    log = many.log()
    assert "runtime gone cannot be used" in log
    assert "runtime liar cannot be used" in log


@pytest.mark.parametrize("handler", ["gone", "liar", "never-heard-of"])
def test_pod_with_such_a_handler_is_refused(many, made, handler):
    with pytest.raises(grpc.RpcError) as e:
        made.run(handler=handler)
    assert e.value.code() in (grpc.StatusCode.FAILED_PRECONDITION,
                              grpc.StatusCode.INVALID_ARGUMENT)
    assert handler in e.value.details()


@pytest.mark.parametrize("handler", NAMES)
def test_life(many, made, handler):
    """Output, exit code, exec, its timeout, signals, kill, removal."""
    cl = many.client
    pod, config = made.run(handler=handler)
    short = made.create(pod, config, [
        "sh", "-c", "echo out; echo err >&2; hostname; exit 7"],
        name="short")
    assert made.status(short).state == 0
    cl.StartContainer(container_id=short)
    st = made.exited(short)
    assert (st.exit_code, st.reason) == (7, "Error")
    assert made.text(short) == "out\n%s\n" % config["hostname"]
    assert made.text(short, "stderr") == "err\n"

    ctr = made.start(pod, config, [
        "sh", "-c", "trap 'echo got term; exit 3' TERM; echo up; "
        "while :; do sleep 0.05; done"], name="long")
    wait_for("trap", lambda: "up" in made.log(ctr))
    r = made.sh(ctr, "echo in; echo bad >&2; exit 4")
    assert (r.stdout, r.stderr, r.exit_code) == (b"in\n", b"bad\n", 4)
    before = time.monotonic()
    with pytest.raises(grpc.RpcError) as e:
        made.sh(ctr, "exec sleep 77", timeout=1)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - before < 10
    assert "sleep 77" not in made.sh(ctr, "ps").stdout.decode()
    assert made.status(ctr).state == 1
    cl.StopContainer(container_id=ctr, timeout=10)
    assert made.status(ctr).exit_code == 3
    assert "got term" in made.text(ctr)

    rude = made.start(pod, config, ["sleep", "1000"], name="rude")
    cl.StopContainer(container_id=rude, timeout=0)
    assert made.status(rude).exit_code == 137
    made.clean()
    assert runtime_files(many, handler) == []


@pytest.mark.parametrize("handler", NAMES)
def test_survives_the_daemon(many, made, handler):
    """A container lives on, and its end is known, when execd restarts."""
    pod, config = made.run(handler=handler)
    ctr = made.start(pod, config, ["sh", "-c", "sleep 2; exit 9"])
    for name in ("execd", "execlaunch"):
        os.kill(many.helpers()[name], signal.SIGKILL)
    st = made.exited(ctr)
    assert st.exit_code == 9


@pytest.mark.parametrize("handler", NAMES)
def test_terminal(many, made, handler):
    st, text = made.output(["sh", "-c", "[ -t 0 ] && [ -t 1 ] && "
                                    "echo on a terminal"], tty=True,
                           pod={"handler": handler})
    assert st.exit_code == 0
    assert text.strip() == "on a terminal"


@pytest.mark.skipif("runsc" not in NAMES, reason="no runsc")
def test_gvisor_is_a_kernel_of_its_own(many, made):
    """Two containers of a pod share its network, not the host's kernel."""
    pod, config = made.run(handler="runsc")
    ip = many.client.PodSandboxStatus(pod_sandbox_id=pod).status.network.ip
    a = made.start(pod, config, ["sleep", "1000"], name="a")
    b = made.start(pod, config, ["sleep", "1000"], name="b")
    for ctr in (a, b):
        out = made.sh(ctr, "dmesg; ip addr").stdout.decode()
        assert "gVisor" in out
        assert ip in out


@pytest.mark.skipif("runsc" not in NAMES, reason="no runsc")
def test_gvisor_refuses_a_shared_pid_namespace(many, made):
    pod, config = made.run(handler="runsc", pid=POD)
    with pytest.raises(grpc.RpcError) as e:
        made.create(pod, config, ["sleep", "1000"])
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "kernel of their own" in e.value.details()
