"""A reboot: STATE is gone, what was on a disk is there (security.md G4)."""

import glob
import json
import os
import subprocess
import tempfile

import grpc
import pytest

from conftest_integ import Criod, Pods, wait_for
import reboot

LEASES = "/var/lib/cni/networks/reboot/10.88.77.*"
NETWORK = {"cniVersion": "1.0.0", "name": "reboot", "plugins": [
    {"type": "bridge", "bridge": reboot.BRIDGE, "isGateway": True,
     "ipMasq": True, "ipam": {
         "type": "host-local", "ranges": [[{"subnet": "10.88.77.0/28"}]]}}]}
SECRET = "hunter2hunter2"
HEADER = 16	# of a record: lib/record.h
CREATED, RUNNING, EXITED = 2, 3, 4	# criod/ctr.h


@pytest.fixture
def own(scratch, registry):
    path = tempfile.mkdtemp(prefix="reboot.", dir=scratch)
    os.chmod(path, 0o755)
    cni = os.path.join(path, "cni")
    os.mkdir(cni, 0o755)
    with open(os.path.join(cni, "net.conflist"), "w") as f:
        json.dump(NETWORK, f)
    c = Criod(path, conf='cni configuration "%s"\n' % cni,
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()
    reboot.bridge_gone()


def copy(criod, kind, ident):
    return os.path.join(criod.path, "lib/record", kind, ident)


def copied(criod, kind, ident):
    """The state that the copy on disk has, or None."""
    try:
        with open(copy(criod, kind, ident), "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return None
    assert data[HEADER] == 0x08	# field 1, a number
    return data[HEADER + 1]


def wait_copied(criod, kind, ident, state):
    wait_for("copy of %s in state %d" % (ident, state),
             lambda: copied(criod, kind, ident) == state)


def listed(client):
    return ({p.id: p for p in client.ListPodSandbox().items},
            {c.id: c for c in client.ListContainers().containers})


def leases():
    return glob.glob(LEASES)


def empty(criod, *below):
    return all(not os.listdir(os.path.join(criod.path, "lib", d))
               for d in below)


def test_g4_pods_are_known_after_a_reboot(own, scratch):
    pods = Pods(own, scratch)
    labels, notes = {"app": "x"}, {"note": "a\nb"}
    config = pods.config(labels=labels, annotations=notes)
    config["metadata"]["attempt"] = 3
    pod, _ = pods.run(config)
    stopped, _ = pods.run()
    own.client.StopPodSandbox(pod_sandbox_id=stopped)
    ctr = pods.start(pod, config, ["sh", "-c", "echo hello; sleep 1000"],
                     attempt=2, labels=labels, annotations=notes,
                     envs=[{"key": "PASSWORD", "value": SECRET.encode()}])
    done = pods.start(pod, config, ["sh", "-c", "exit 9"], name="done")
    created = pods.create(pod, config, ["true"], name="created")
    was_done = pods.exited(done)
    wait_for("log", lambda: "hello" in pods.log(ctr))
    assert own.client.ExecSync(container_id=ctr, cmd=[
        "sh", "-c", "echo $PASSWORD"]).stdout.decode().strip() == SECRET
    for c, state in ((ctr, RUNNING), (done, EXITED), (created, CREATED)):
        wait_copied(own, "ctr", c, state)
    wait_copied(own, "pod", stopped, 3)
    was_pods, was_ctrs = listed(own.client)
    was = pods.status(ctr)
    address = own.client.PodSandboxStatus(pod_sandbox_id=pod).status.network.ip
    assert LEASES.replace("*", address.split(".")[3]) in leases()
    # What is secret in a container is nothing for a disk.
    assert subprocess.run(["grep", "-rq", SECRET, own.path + "/lib/record"],
                          check=False).returncode == 1

    reboot.reboot(own)
    pods.client = own.client
    now_pods, now_ctrs = listed(own.client)
    assert set(now_pods) == set(was_pods) and set(now_ctrs) == set(was_ctrs)
    assert {p.state for p in now_pods.values()} == {1}
    assert {c.state for c in now_ctrs.values()} == {2}
    for now, old in ((now_pods, was_pods), (now_ctrs, was_ctrs)):
        for i, item in now.items():
            item.state = old[i].state
            assert item == old[i]
    st = pods.status(ctr)
    assert (st.exit_code, st.reason) == (255, "NodeRestarted")
    assert "restarted" in st.message
    assert st.finished_at >= st.started_at == was.started_at
    assert pods.status(created).exit_code == 255
    for f in ("metadata", "log_path", "created_at", "labels", "annotations",
              "image", "image_ref", "mounts", "image_id"):
        assert getattr(st, f) == getattr(was, f), f
    assert pods.status(done) == was_done
    assert "hello" in pods.log(ctr)
    wait_for("addresses to be released", lambda: not leases())
    with pytest.raises(grpc.RpcError) as e:
        own.client.StartContainer(container_id=created)
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    # The next attempt is younger, whatever the clock says.
    config["metadata"]["attempt"] = 4
    again, _ = pods.run(config)
    assert own.client.PodSandboxStatus(pod_sandbox_id=again).status \
        .created_at > was_pods[pod].created_at
    assert pods.exited(pods.start(again, config, ["true"])).exit_code == 0

    # Nothing is left of what is removed.
    assert os.path.isdir(os.path.join(own.path, "lib/container", ctr))
    own.client.StopContainer(container_id=ctr, timeout=0)
    own.client.RemoveContainer(container_id=ctr)
    assert not os.path.exists(os.path.join(own.path, "lib/container", ctr))
    pods.clean()
    assert empty(own, "container", "network")
    wait_for("copies to go", lambda: empty(own, "record/pod", "record/ctr"))
    assert not leases()
    own.client.ListImages()


def test_row_29_addresses_survive_reboots(own, scratch):
    """Four pods each time in a network of thirteen addresses."""
    pods = Pods(own, scratch)
    for _ in range(6):
        pods.client = own.client
        old = pods.made
        pods.made = []
        for _ in range(4):
            pods.run()
        for p in old:
            own.client.RemovePodSandbox(pod_sandbox_id=p)
        for p in pods.made:
            wait_copied(own, "pod", p, 2)
        assert len(leases()) >= 4
        reboot.crash(own)
        # As file systems leave what was not synced.
        for path in leases()[::2]:
            os.truncate(path, 0)
        own.start()
    pods.client = own.client
    wait_for("addresses to be released", lambda: not leases())
    pods.clean()
    assert empty(own, "network")


def kept(criod, pods, n):
    """So many pods with a container that runs, copied to disk."""
    made = [pods.run() for _ in range(n)]
    ctrs = [pods.start(p, c, ["sleep", "1000"]) for p, c in made]
    for (p, _), c in zip(made, ctrs):
        wait_copied(criod, "pod", p, 2)
        wait_copied(criod, "ctr", c, RUNNING)
    return made, ctrs


def spoil(path, how):
    with open(path, "r+b") as f:
        how(f)


def test_row_10_damaged_copies(own, scratch):
    """Each costs what it stood for and no more."""
    pods = Pods(own, scratch)
    made, ctrs = kept(own, pods, 3)
    reboot.crash(own)
    torn, newer = copy(own, "ctr", ctrs[0]), copy(own, "pod", made[1][0])
    spoil(torn, lambda f: f.truncate(40))
    spoil(newer, lambda f: (f.seek(5), f.write(b"\x63")))
    with open(newer, "rb") as f:
        was = f.read()
    own.start()
    pods.client = own.client
    now_pods, now_ctrs = listed(own.client)
    assert set(now_pods) == {made[0][0], made[2][0]}
    assert set(now_ctrs) == {ctrs[2]}
    assert os.path.exists(torn + ".bad")
    wait_for("the torn one's layer to go", lambda: not os.path.exists(
        os.path.join(own.path, "lib/container", ctrs[0])))
    pods.exited(pods.start(*pods.run(), ["true"]))
    pods.made.remove(made[1][0])
    pods.clean()
    wait_for("copies to go", lambda: set(os.listdir(os.path.dirname(newer)))
             == {os.path.basename(newer)})
    with open(newer, "rb") as f:
        assert f.read() == was


def test_layers_that_nobody_names(own, scratch):
    """What was made in the second before a power cut has neither record nor
    copy: its layer goes.  What could not be read is not that."""
    pods = Pods(own, scratch)
    made, ctrs = kept(own, pods, 4)
    unkept, newer, unreadable, known = ctrs
    layers = os.path.join(own.path, "lib/container")
    for name in ("notes", "0" * 63):
        os.mkdir(os.path.join(layers, name))
    reboot.crash(own)
    os.unlink(copy(own, "ctr", unkept))
    os.unlink(copy(own, "pod", made[0][0]))
    spoil(copy(own, "ctr", newer), lambda f: (f.seek(5), f.write(b"\x63")))
    os.unlink(copy(own, "ctr", unreadable))
    os.mkdir(copy(own, "ctr", unreadable))
    own.start()
    pods.client = own.client
    assert set(listed(own.client)[1]) == {known}
    wait_for("its layer to go", lambda: set(os.listdir(layers)) ==
             {newer, unreadable, known, "notes", "0" * 63})
    assert "writable layer is removed" in own.log()
    os.rmdir(copy(own, "ctr", unreadable))
    for p, _ in made[:1]:
        pods.made.remove(p)
    pods.clean()
    assert known not in os.listdir(layers)
