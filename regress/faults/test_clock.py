"""security.md §4 C1 and §3 row 33: the wall clock jumps under criod."""

import threading
import time

import grpc
import pytest

import faults
from conftest_integ import NODE, wait_for
from test_errors import shimmed  # noqa: F401

YEAR = 365 * 86400
JUMPS = {"ahead": 10 * YEAR, "back": -50 * YEAR}


@pytest.fixture
def clock(shimmed):  # noqa: F811
    """clock(seconds); swing(): to and fro until the end."""
    stop = threading.Event()

    class Clock:
        set = staticmethod(shimmed.shim.clock)

        def swing(self):
            def run():
                while not stop.wait(0.05):
                    for s in JUMPS.values():
                        self.set(s)
            self.thread = threading.Thread(target=run)
            self.thread.start()
    c = Clock()
    c.thread = None
    yield c
    stop.set()
    if c.thread:
        c.thread.join()
    c.set(0)
    shimmed.sweep()


def took(fn):
    start = time.monotonic()
    fn()
    return time.monotonic() - start


def test_order(shimmed, clock):  # noqa: F811
    """Each attempt is later than those before it, whatever the clock did."""
    pods, client = shimmed.pods, shimmed.client
    config = pods.config(network=NODE)
    made, ctrs = [], []
    for attempt, jump in enumerate((0, 10 * YEAR, -50 * YEAR, 0)):
        clock.set(jump)
        config["metadata"]["attempt"] = attempt
        pod, _ = pods.run(config)
        made.append(client.PodSandboxStatus(
            pod_sandbox_id=pod).status.created_at)
        if attempt:
            client.StopPodSandbox(pod_sandbox_id=pod)
    assert made == sorted(set(made))
    pod, config = pods.run(network=NODE)
    for attempt, jump in enumerate((0, 10 * YEAR, -50 * YEAR, 0)):
        clock.set(jump)
        ctr = pods.start(pod, config, ["true"], attempt=attempt)
        st = pods.exited(ctr)
        assert st.exit_code == 0
        assert st.created_at <= st.started_at <= st.finished_at
        ctrs.append(st.created_at)
    assert ctrs == sorted(set(ctrs))


@pytest.mark.parametrize("jump", faults.some(["ahead", "back", "swing"],
                                             ["swing"]))
def test_no_timer_minds(shimmed, clock, jump):  # noqa: F811
    """Time-outs of exec and stop are neither early nor late; pulls go on."""
    pods, client = shimmed.pods, shimmed.client
    pod, config = pods.run(network=NODE)
    ctr = pods.start(pod, config, [
        "sh", "-c", "trap '' TERM; while :; do sleep 1; done"])

    def move():
        if jump == "swing":
            clock.swing()
        else:
            clock.set(JUMPS[jump])

    def exec_long():
        with pytest.raises(grpc.RpcError) as e:
            client.ExecSync(container_id=ctr, cmd=["sleep", "60"], timeout=2)
        assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        # criod's own end of it, not this client's
        assert "2" in e.value.details(), e.value
    later = threading.Timer(0.5, move)
    later.start()
    seconds = took(exec_long)
    assert 1.9 < seconds < 30, seconds
    later.join()
    clock_was = took(lambda: client.StopContainer(container_id=ctr,
                                                  timeout=2))
    assert 1.9 < clock_was < 30, clock_was
    shimmed.remove(pod)
    client.RemoveImage(image={"image": "busybox"})
    client.PullImage(image={"image": "busybox"})
    shimmed.life()
    # Numbers and events do not mind either.
    client.ListContainerStats()
    assert client.Status().status.conditions[0].status


def test_c2_suspend(shimmed):  # noqa: F811
    """An hour that only CLOCK_BOOTTIME and the wall clock know of, as after a
    suspend: deadlines are over, nobody is taken for hung, all goes on."""
    pods, client, criod = shimmed.pods, shimmed.client, shimmed.criod
    pod, config = pods.run(network=NODE)
    ctr = pods.start(pod, config, ["sh", "-c", "trap '' TERM; "
                                   "while :; do sleep 1; done"])
    before = criod.helpers()
    over = pods.client.future("ExecSync", container_id=ctr, timeout=5,
                              cmd=["sleep", "60"])
    going = pods.client.future("ExecSync", container_id=ctr, timeout=7200,
                               cmd=["sleep", "4"], rpc_timeout=7300)
    time.sleep(1)
    shimmed.shim.slept(3600)
    try:
        assert over.exception(30).code() == \
            grpc.StatusCode.DEADLINE_EXCEEDED
        assert going.result(30).exit_code == 0
        seconds = took(lambda: client.StopContainer(container_id=ctr,
                                                    timeout=2))
        assert 1.9 < seconds < 30, seconds
        shimmed.remove(pod)
        client.RemoveImage(image={"image": "busybox"})
        client.PullImage(image={"image": "busybox"})
        shimmed.life()
        assert criod.helpers() == before
        assert all(c.status for c in client.Status().status.conditions)
    finally:
        shimmed.shim.slept(0)
        shimmed.sweep()


def test_events_are_in_order(shimmed, clock):  # noqa: F811
    """Of one pod, however the clock goes back."""
    pods, client = shimmed.pods, shimmed.client
    got, stream = [], client.GetContainerEvents(rpc_timeout=60)

    def read():
        try:
            for ev in stream:
                got.append(ev)
        except grpc.RpcError:
            pass
    reader = threading.Thread(target=read)
    reader.start()
    pod, config = pods.run(network=NODE)
    clock.set(-50 * YEAR)
    ctr = pods.start(pod, config, ["true"])
    pods.exited(ctr)
    shimmed.remove(pod)
    wait_for("the last event", lambda: any(
        e.container_event_type == 3 and e.container_id == pod for e in got))
    stream.cancel()
    reader.join()
    times = [e.created_at for e in got]
    assert len(times) > 4 and times == sorted(times)
