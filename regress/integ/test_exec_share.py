"""A client that starts commands and leaves at once must not keep others from
theirs (P2)."""

import concurrent.futures
import os
import signal
import subprocess
import sys

import grpc

import cri
from conftest_integ import NODE, wait_for

CTR_MAX = 128	# execd/exec.h
PEER_MAX = 256	# criod/ctr_exec.c
OTHER = """
import sys
import cri
got = cri.Client(sys.argv[1]).ExecSync(
    container_id=sys.argv[2], cmd=["echo", "other"])
print(got.stdout.decode(), end="")
"""


def leave(client, ctr):
    """Starts a command and leaves; True if it was started, perhaps."""
    try:
        client.ExecSync(container_id=ctr, cmd=["sleep", "1000"],
                        rpc_timeout=0.2)
    except grpc.RpcError as e:
        if e.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return True
        assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e
        return e.details()
    raise AssertionError("it ended")


def leave_until_refused(client, ctr):
    """How many were started first, and what the refusal says."""
    left = 0
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        while left < 4 * PEER_MAX:
            got = list(pool.map(leave, [client] * 24, [ctr] * 24))
            left += sum(g is True for g in got)
            for g in got:
                if g is not True:
                    return left, g
    raise AssertionError("%d were started and left, none refused" % left)


def test_p2_commands_that_nobody_waits_for(criod, pods):
    pod, config = pods.run(network=NODE)
    a, b, c = (pods.start(pod, config, ["sleep", "1000"], name=n)
               for n in "abc")
    launcher = criod.helpers()["execlaunch"]
    # It does not come to kill what nobody wants any more.
    os.kill(launcher, signal.SIGSTOP)
    try:
        left, why = leave_until_refused(criod.client, a)
        assert left >= CTR_MAX and a in why and "killed" in why
        left, why = leave_until_refused(criod.client, b)
        assert left >= PEER_MAX - CTR_MAX and "killed" in why
        while "this client" not in why:
            left, why = leave_until_refused(criod.client, c)
        other = subprocess.Popen(
            [sys.executable, "-c", OTHER, criod.socket, c],
            stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, PYTHONPATH=os.path.dirname(cri.__file__)))
    finally:
        os.kill(launcher, signal.SIGCONT)
    assert other.communicate(timeout=200)[0] == "other\n"

    def again(ctr):
        try:
            return pods.sh(ctr, "echo yes").stdout == b"yes\n"
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e
            return False
    for ctr in (a, b, c):
        wait_for("room for commands in " + ctr, lambda x=ctr: again(x), 200)
