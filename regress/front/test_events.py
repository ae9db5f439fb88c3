"""GetContainerEvents: every transition, complete, in order, bounded."""

import threading
import time

import grpc
import pytest

from conftest import wait_for

CREATED, STARTED, STOPPED, DELETED = range(4)
READY, NOTREADY = 0, 1
RUNNING, EXITED = 1, 2


class Watch:
    """A client of events; all that came so far."""

    def __init__(self, front):
        self.got, self.end = [], None
        self.call = front.client.GetContainerEvents(rpc_timeout=60)
        self.call.initial_metadata()  # it is served from here on
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for ev in self.call:
                self.got.append(ev)
        except grpc.RpcError as e:
            self.end = e.code()

    def kinds(self, n):
        wait_for("%d events" % n, lambda: len(self.got) >= n)
        return [(ev.container_id, ev.container_event_type)
                for ev in self.got]


@pytest.fixture
def watch(front):
    made = []

    def make():
        made.append(Watch(front))
        return made[-1]
    yield make
    for w in made:
        w.call.cancel()


def states(ev):
    return {c.id: c.state for c in ev.containers_statuses}


def test_every_transition_in_order(front, watch):
    w = watch()
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("exit %s 3 0" % ctr)
    wait_for("exit", lambda: front.ctr(ctr).state == EXITED)
    front.client.RemoveContainer(container_id=ctr)
    front.client.StopPodSandbox(pod_sandbox_id=pod)
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    assert w.kinds(8) == [
        (pod, CREATED), (pod, STARTED), (ctr, CREATED), (ctr, STARTED),
        (ctr, STOPPED), (ctr, DELETED), (pod, STOPPED), (pod, DELETED)]
    assert [states(ev) for ev in w.got] == [
        {}, {}, {ctr: 0}, {ctr: RUNNING}, {ctr: EXITED}, {}, {}, {}]
    assert [ev.pod_sandbox_status.state for ev in w.got] == \
        [READY] * 6 + [NOTREADY] * 2
    assert all(ev.pod_sandbox_status.id == pod and
               ev.pod_sandbox_status.metadata.uid == "uid" for ev in w.got)
    assert w.got[0].pod_sandbox_status.network.ip
    ended = w.got[4].containers_statuses[0]
    assert (ended.exit_code, ended.reason) == (3, "Error")
    assert ended.finished_at > 0
    times = [ev.created_at for ev in w.got]
    assert times == sorted(set(times))
    assert abs(times[0] - time.time_ns()) < 60 * 10**9


def test_stop_of_a_pod_tells_its_containers_first(front, watch):
    pod, config = front.run()
    a = front.start(pod, config, "a")
    b = front.start(pod, config, "b")
    w = watch()
    front.client.RemovePodSandbox(pod_sandbox_id=pod)
    kinds = w.kinds(6)
    assert set(kinds[:2]) == {(a, STOPPED), (b, STOPPED)}
    assert kinds[2] == (pod, STOPPED)
    assert set(kinds[3:5]) == {(a, DELETED), (b, DELETED)}
    assert kinds[5] == (pod, DELETED)
    assert states(w.got[2]) == {a: EXITED, b: EXITED}


def test_what_no_caller_took_is_not_told_before_it_is_seen(front, watch):
    w = watch()
    config = front.pod_config()
    front.cmd("hold NET_ADD")
    with pytest.raises(grpc.RpcError):
        front.client.RunPodSandbox(config=config, rpc_timeout=0.2)
    time.sleep(0.3)  # the front, too, knows that it left
    front.cmd("release NET_ADD")
    wait_for("done", lambda: front.seen("NET_ADD"))
    time.sleep(0.2)
    assert w.got == []
    pod = front.client.RunPodSandbox(config=config).pod_sandbox_id
    assert w.kinds(2) == [(pod, CREATED), (pod, STARTED)]
    front.cmd("hold CTR_CREATE")
    with pytest.raises(grpc.RpcError):
        front.client.CreateContainer(
            pod_sandbox_id=pod, sandbox_config=config,
            config=front.ctr_config(), rpc_timeout=0.2)
    time.sleep(0.3)
    front.cmd("release CTR_CREATE")
    time.sleep(0.2)
    assert len(w.got) == 2
    ctr = front.create(pod, config)
    assert w.kinds(3)[2] == (ctr, CREATED)


def test_what_failed_is_not_told(front, watch):
    w = watch()
    front.cmd("fail NET_ADD 13 1 no luck")
    with pytest.raises(grpc.RpcError):
        front.run()
    pod, config = front.run()
    front.cmd("fail CTR_CREATE 13 1 no luck")
    with pytest.raises(grpc.RpcError):
        front.create(pod, config)
    ctr = front.create(pod, config)
    assert w.kinds(3) == [(pod, CREATED), (pod, STARTED), (ctr, CREATED)]


def test_failed_start_is_told_as_stopped(front, watch):
    w = watch()
    pod, config = front.run()
    ctr = front.create(pod, config)
    front.cmd("fail CTR_START 13 1 exec: no such file")
    with pytest.raises(grpc.RpcError):
        front.client.StartContainer(container_id=ctr)
    assert w.kinds(4)[2:] == [(ctr, CREATED), (ctr, STOPPED)]
    assert w.got[3].containers_statuses[0].reason == "StartError"


def test_exit_before_the_start_is_answered(front, watch):
    w = watch()
    pod, config = front.run()
    ctr = front.create(pod, config)
    front.cmd("hold CTR_START")
    start = front.client.future("StartContainer", container_id=ctr)
    wait_for("start", lambda: front.seen("CTR_START"))
    front.cmd("exit %s 0 0" % ctr)
    wait_for("exit", lambda: front.ctr(ctr).state == EXITED)
    time.sleep(0.1)
    assert len(w.got) == 3
    front.cmd("release CTR_START")
    start.result(10)
    assert w.kinds(5)[2:] == [
        (ctr, CREATED), (ctr, STARTED), (ctr, STOPPED)]


def test_container_that_execd_forgot(front, watch):
    w = watch()
    pod, config = front.run()
    ctr = front.start(pod, config)
    front.cmd("detach execd")
    front.cmd("forget " + ctr)
    front.cmd("attach execd")
    assert w.kinds(5)[3:] == [(ctr, STARTED), (ctr, STOPPED)]
    assert w.got[4].containers_statuses[0].reason == "Unknown"


def test_many_clients_get_the_same(front, watch):
    watches = [watch() for _ in range(8)]
    pod, config = front.run()
    ctr = front.start(pod, config)
    for w in watches:
        w.kinds(4)
    first = [ev.SerializeToString() for ev in watches[0].got]
    assert all([ev.SerializeToString() for ev in w.got] == first
               for w in watches)
    watches[0].call.cancel()
    front.client.RemoveContainer(container_id=ctr)
    assert watches[1].kinds(6)[4:] == [(ctr, STOPPED), (ctr, DELETED)]


def test_too_many_clients_are_refused(front, watch):
    watches = [watch() for _ in range(32)]
    one_more = watch()
    wait_for("refusal", lambda: one_more.end)
    assert one_more.end == grpc.StatusCode.RESOURCE_EXHAUSTED
    watches[0].call.cancel()
    time.sleep(0.2)
    again = watch()
    pod, _ = front.run()
    assert again.kinds(2) == [(pod, CREATED), (pod, STARTED)]


def test_slow_client_loses_its_stream_and_holds_nobody(front, watch):
    slow = front.client.GetContainerEvents(rpc_timeout=60)
    slow.initial_metadata()  # and nothing is read from it
    w = watch()
    big = {"k%d" % i: "x" * 60000 for i in range(3)}
    pod, config = front.run(annotations=big)
    for i in range(30):
        ctr = front.create(pod, config, "c%d" % i)
        front.client.RemoveContainer(container_id=ctr)
    w.kinds(2 + 30 * 3)
    front.run()
    wait_for("warning", lambda: "reads events too slowly" in front.logged())
    got = 0
    with pytest.raises(grpc.RpcError) as e:
        for ev in slow:
            got += 1
    assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 0 < got < 90


def test_pod_status_carries_its_containers(front, watch):
    pod, config = front.run()
    a = front.start(pod, config, "a")
    b = front.create(pod, config, "b")
    w = watch()
    front.client.RemoveContainer(container_id=a)
    ev = (w.kinds(2), w.got[-1])[1]
    st = front.client.PodSandboxStatus(pod_sandbox_id=pod)
    assert {c.id for c in st.containers_statuses} == {b}
    assert st.containers_statuses[0] == front.ctr(b)
    assert st.timestamp > ev.created_at


def test_streams_end_when_the_front_stops(front, watch):
    w = watch()
    front.kill()
    wait_for("end", lambda: w.end)
    assert w.end == grpc.StatusCode.UNAVAILABLE
    again = watch()
    pod, _ = front.run()
    assert again.kinds(2) == [(pod, CREATED), (pod, STARTED)]
