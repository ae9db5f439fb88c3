"""Checkpoints and what is made of them.  CRIU is stood in for (fakecriu.py);
test_criu.py has the real one."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

import grpc
import pytest

import cri
import jail
from conftest_integ import Criod, Pods, wait_for

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
EXISTS = grpc.StatusCode.ALREADY_EXISTS
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
CRIU = "/usr/local/sbin/criu"
COUNT = ("echo kept >/root/file; rm -f /etc/group; i=0; while :; do "
         "i=$((i+1)); echo $i; sleep 0.1; done")

inside = pytest.mark.skipif(
    os.environ.get("CRIOD_BOX") != "inside",
    reason="puts a program of its own into /usr/local/sbin")


@pytest.fixture(scope="module")
def fake(scratch):
    """The directory of the runtime "fake"."""
    # More than one module asks for it.
    d = tempfile.mkdtemp(prefix="fakecriu.", dir=scratch)
    os.chmod(d, 0o755)
    shutil.copy(os.path.join(cri.TOP, "regress/integ/fakecriu.py"),
                os.path.join(d, "runtime"))
    os.chmod(os.path.join(d, "runtime"), 0o755)
    with open(CRIU, "w") as f:
        f.write("#!/bin/sh\nexit 0\n")
    os.chmod(CRIU, 0o755)
    yield d
    os.unlink(CRIU)


@pytest.fixture(scope="module")
def daemon(scratch, registry, fake):
    c = Criod(os.path.join(scratch, "ckpt"),
              'runtime crun path "/usr/bin/crun" default\n'
              'runtime fake path "%s/runtime"\ncheckpoint restore\n' % fake,
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture
def ck(daemon, fake, scratch):
    p = Pods(daemon, scratch)
    p.fake = fake
    p.out = tempfile.mkdtemp(prefix="ckpt.", dir=scratch)
    yield p
    p.clean()
    for name in ("how", "seen", "first"):
        if os.path.exists(os.path.join(fake, name)):
            os.unlink(os.path.join(fake, name))


@pytest.fixture(scope="module")
def saved(daemon, scratch):
    """An archive that several tests use."""
    p = Pods(daemon, scratch)
    p.out = tempfile.mkdtemp(prefix="saved.", dir=scratch)
    return archive(p)


def how(ck, word):
    with open(os.path.join(ck.fake, "how"), "w") as f:
        f.write(word)


def counter(ck, name="c", pod=None, **over):
    pod, config = pod or ck.run(handler="fake")
    ctr = ck.start(pod, config, ["sh", "-c", COUNT], name=name, **over)
    wait_for("the count", lambda: "3\n" in ck.text(ctr))
    return pod, config, ctr


def goes_on(ck, ctr):
    """It counts further than it has now."""
    n = ck.text(ctr).count("\n")
    wait_for("counting", lambda: ck.text(ctr).count("\n") > n + 1)


def refused(code, fn, **fields):
    with pytest.raises(grpc.RpcError) as e:
        fn(**fields)
    assert e.value.code() == code, e.value.details()
    return e.value.details()


def archive(ck, name="a.tar", **over):
    """A checkpoint of a container that is gone afterwards."""
    pod, _, ctr = counter(ck, **over)
    path = os.path.join(ck.out, name)
    ck.client.CheckpointContainer(container_id=ctr, location=path)
    remove(ck, pod)
    return path


def remove(ck, pod):
    ck.client.StopPodSandbox(pod_sandbox_id=pod)
    ck.client.RemovePodSandbox(pod_sandbox_id=pod)
    ck.made.remove(pod)


def restore(ck, path, pod=None, **over):
    pod, config = pod or ck.run(handler="fake")
    image = {"image": path, "user_specified_image": "busybox"}
    return ck.client.CreateContainer(
        pod_sandbox_id=pod, sandbox_config=config, config=dict({
            "metadata": {"name": "r"}, "image": image,
            "command": ["sh", "-c", COUNT], "log_path": "r.log",
            "linux": {"security_context": {"namespace_options": config[
                "linux"]["security_context"]["namespace_options"]}}},
            **over)).container_id


def leftovers(daemon, ctrs):
    """Directories, frozen cgroups and records of containers that are not."""
    out = []
    for d in ("lib/container", "run/bundle", "run/rootfs", "run/launch"):
        out += [os.path.join(d, x)
                for x in os.listdir(os.path.join(daemon.path, d))
                if not x.startswith("@") and x != "exec" and x not in ctrs]
    return out


# ---- the container form ----

@inside
def test_checkpoint_container(ck):
    """All is stopped while it is saved, goes on, and the archive is whole."""
    _, _, ctr = counter(ck)
    path = os.path.join(ck.out, "a.tar")
    ck.client.CheckpointContainer(container_id=ctr, location=path)
    goes_on(ck, ctr)
    with open(os.path.join(ck.fake, "seen")) as f:
        assert f.read() == ctr[:8] + " True\n"
    st = os.stat(path)
    assert (st.st_mode & 0o777, st.st_uid, st.st_nlink) == (0o600, 0, 1)
    assert os.listdir(ck.out) == ["a.tar"]
    with tarfile.open(path) as t:
        names = t.getnames()
        config = json.load(t.extractfile("config.dump"))
        spec = json.load(t.extractfile("spec.dump"))
        diff = tarfile.open(fileobj=io.BytesIO(
            t.extractfile("rootfs-diff.tar").read()))
    assert {"checkpoint/inventory.img", "checkpoint/pages-1.img",
            "dump.log"} < set(names)
    assert config["id"] == ctr and config["name"] == "c"
    assert config["rootfsImageName"] == "busybox"
    assert spec["annotations"]["io.kubernetes.cri.container-name"] == "c"
    assert spec["process"]["args"][0] == "sh"
    assert diff.extractfile("root/file").read() == b"kept\n"
    assert "etc/.wh.group" in diff.getnames()
    assert not os.path.exists(os.path.join(
        ck.criod.path, "lib/container", ctr, "dump"))


@inside
@pytest.mark.parametrize("how_,code", [
    ({"location": "relative.tar"}, INVALID), ({"location": ""}, INVALID),
    ({"location": "/"}, INVALID), ({"location": "/a/../b"}, INVALID),
    ({"location": "/nowhere/a.tar"}, PRECONDITION), ({"timeout": -1}, INVALID),
    ({"container_id": "ffff"}, grpc.StatusCode.NOT_FOUND)])
def test_bad_checkpoint(ck, how_, code):
    _, _, ctr = counter(ck)
    fields = dict({"container_id": ctr, "location": ck.out + "/a.tar"}, **how_)
    refused(code, ck.client.CheckpointContainer, **fields)
    goes_on(ck, ctr)
    assert os.listdir(ck.out) == []


@inside
def test_nothing_is_overwritten(ck):
    """A file or a link that is there stays what it is."""
    _, _, ctr = counter(ck)
    for name, make in (("f.tar", lambda p: open(p, "w").close()),
                       ("l.tar", lambda p: os.symlink("/etc/passwd", p))):
        path = os.path.join(ck.out, name)
        make(path)
        before = os.lstat(path)
        refused(EXISTS, ck.client.CheckpointContainer, container_id=ctr,
                location=path)
        assert os.lstat(path).st_ino == before.st_ino
    os.chmod(ck.out, 0o777)
    refused(PRECONDITION, ck.client.CheckpointContainer, container_id=ctr,
            location=ck.out + "/w.tar")
    goes_on(ck, ctr)


@inside
def test_checkpoint_that_fails(ck):
    """CRIU's own words; the container goes on and nothing is left."""
    _, _, ctr = counter(ck)
    how(ck, "fail")
    assert "no such luck" in refused(
        grpc.StatusCode.INTERNAL, ck.client.CheckpointContainer,
        container_id=ctr, location=ck.out + "/a.tar")
    goes_on(ck, ctr)
    assert os.listdir(ck.out) == []
    how(ck, "")
    ck.client.CheckpointContainer(container_id=ctr, location=ck.out + "/a.tar")


@inside
def test_checkpoint_that_takes_too_long(ck):
    _, _, ctr = counter(ck)
    how(ck, "hang")
    refused(grpc.StatusCode.DEADLINE_EXCEEDED, ck.client.CheckpointContainer,
            container_id=ctr, location=ck.out + "/a.tar", timeout=1)
    goes_on(ck, ctr)
    assert os.listdir(ck.out) == []


@inside
def test_client_that_leaves(ck):
    _, _, ctr = counter(ck)
    how(ck, "hang")
    call = ck.client.future("CheckpointContainer", container_id=ctr,
                            location=ck.out + "/a.tar")
    wait_for("the runtime", lambda: os.path.exists(ck.fake + "/seen"))
    call.cancel()
    goes_on(ck, ctr)
    assert os.listdir(ck.out) == []
    how(ck, "")
    wait_for("the next one", lambda: checkpointed(ck, ctr))


def checkpointed(ck, ctr):
    try:
        ck.client.CheckpointContainer(container_id=ctr,
                                      location=ck.out + "/a.tar")
    except grpc.RpcError:
        return False
    return True


@inside
def test_launcher_that_dies(ck):
    """What it had stopped goes on when there is a launcher again."""
    _, _, ctr = counter(ck)
    how(ck, "hang")
    call = ck.client.future("CheckpointContainer", container_id=ctr,
                            location=ck.out + "/a.tar")
    wait_for("the runtime", lambda: os.path.exists(ck.fake + "/seen"))
    os.kill(ck.criod.helpers()["execlaunch"], 9)
    assert call.exception() is not None
    how(ck, "")
    goes_on(ck, ctr)
    wait_for("the next one", lambda: checkpointed(ck, ctr))
    assert os.listdir(ck.out) == ["a.tar"]


@inside
def test_not_every_container(ck):
    """Terminals, the host's namespaces, runtimes without CRIU."""
    ctrs = []
    pod = ck.run(handler="fake")
    ctrs.append(ck.start(*pod, ["sleep", "100"], tty=True))
    shared = ck.run(handler="fake", pid=0)
    ctrs.append(ck.start(*shared, ["sleep", "100"]))
    ctrs.append(ck.start(*ck.run(), ["sleep", "100"]))
    ctrs.append(ck.create(*pod, ["sleep", "100"], name="created"))
    for ctr in ctrs:
        refused(PRECONDITION, ck.client.CheckpointContainer, container_id=ctr,
                location=ck.out + "/a.tar")
    assert os.listdir(ck.out) == []


def test_off_by_default(pods):
    """And says so as CRI-O does."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "100"])
    for name, fields in (
            ("CheckpointContainer",
             {"container_id": ctr, "location": "/tmp/a.tar"}),
            ("CheckpointPod",
             {"pod_sandbox_id": pod, "output_path": "/tmp",
              "container_ids": [ctr]}),
            ("RestorePod", {"checkpoint_path": "/tmp"})):
        assert "not available" in refused(
            UNIMPLEMENTED, getattr(pods.client, name), **fields)


# ---- restoring ----

@inside
def test_restored_container(ck, saved):
    """CREATED and held, then running, with what it had written."""
    ctr = restore(ck, saved)
    assert ck.status(ctr).state == 0
    ck.client.StartContainer(container_id=ctr)
    goes_on(ck, ctr)
    assert ck.sh(ctr, "cat /root/file; ls /etc/group").stdout == b"kept\n"
    assert ck.status(ctr).image.image == "busybox"
    assert not os.path.exists(os.path.join(
        ck.criod.path, "lib/container", ctr, "load"))
    ck.client.StopContainer(container_id=ctr, timeout=0)
    assert ck.status(ctr).exit_code == 137


@inside
def test_restored_container_that_never_starts(ck, saved):
    ctr = restore(ck, saved)
    ck.client.StopContainer(container_id=ctr, timeout=0)
    ck.exited(ctr)
    ck.client.RemoveContainer(container_id=ctr)


@inside
@pytest.mark.parametrize("word", [
    "mount", "writable", "caps", "user", "groups", "network", "privileges",
    "filter", "loose"])
def test_row_44_restore_is_like_the_request(ck, saved, word):
    """What images make that the request has not is killed before it runs."""
    sc = {"run_as_user": {"value": 1000}, "no_new_privs": True,
          "seccomp": {"profile_type": 0},
          "capabilities": {"drop_capabilities": ["ALL"]}}
    pod = ck.run(handler="fake")
    how(ck, word)
    ns = pod[1]["linux"]["security_context"]["namespace_options"]
    linux = {"security_context": dict(sc, namespace_options=ns)}
    with pytest.raises(grpc.RpcError) as e:
        restore(ck, saved, pod=pod, linux=linux)
    assert e.value.code() in (PRECONDITION, grpc.StatusCode.INTERNAL)
    wait_for("its removal", lambda: leftovers(ck.criod, ()) == [])
    if word == "loose":
        how(ck, "")
        ctr = restore(ck, saved, pod=pod, linux=linux)
        ck.client.StartContainer(container_id=ctr)
        goes_on(ck, ctr)


def tar(path, *entries, **how_):
    """An archive of (name, bytes or TarInfo attributes)."""
    with tarfile.open(path, "w", **how_) as t:
        for name, what in entries:
            info = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else b""
            for k, v in (what if isinstance(what, dict) else {}).items():
                setattr(info, k, v)
            info.size = info.size or len(data)
            t.addfile(info, io.BytesIO(data.ljust(info.size, b"\0"))
                      if info.isreg() else None)
    os.chmod(path, 0o600)
    return path


def diff(*entries):
    with tempfile.NamedTemporaryFile() as f:
        tar(f.name, *entries)
        with open(f.name, "rb") as g:
            return g.read()


FDS = ("checkpoint/descriptors.json",
       b'["/dev/null","pipe:[1]","pipe:[2]"]')
IMG = ("checkpoint/inventory.img", b"img")
LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc"}
HARD = {"type": tarfile.LNKTYPE, "linkname": "/etc/shadow"}
NODE = {"type": tarfile.BLKTYPE, "devmajor": 8}


@inside
@pytest.mark.parametrize("entries", [
    [("checkpoint", LINK), IMG, FDS], [("checkpoint/x.img", LINK), IMG, FDS],
    [("checkpoint/x.img", HARD), IMG, FDS],
    [("checkpoint/x.img", NODE), IMG, FDS],
    [("checkpoint/a/../../x.img", b"x"), IMG, FDS],
    [("checkpoint/sub/x.img", b"x"), IMG, FDS],
    [IMG, ("checkpoint/descriptors.json", b'["a","b","c","pipe:[1]"]')],
    [IMG, ("checkpoint/descriptors.json", b'["a","b","\\u0070ipe:"]')],
    [IMG, FDS, ("rootfs-diff.tar", LINK)],
    [IMG, FDS, ("rootfs-diff.tar", b"no tar" * 200)],
    [IMG, FDS, ("rootfs-diff.tar", diff(("../../escape", b"x")))],
    [IMG, FDS, ("deleted.files", b"[]")],
    [FDS], [], [IMG, FDS, FDS]])
def test_row_45_hostile_archive(ck, entries):
    """None is followed, none escapes, nothing is left."""
    pod = ck.run(handler="fake")
    path = tar(os.path.join(ck.out, "a.tar"), *entries)
    with pytest.raises(grpc.RpcError):
        restore(ck, path, pod=pod)
    wait_for("its removal", lambda: leftovers(ck.criod, ()) == [])
    assert len(ck.client.ListContainers().containers) == 0
    assert not os.path.exists(ck.criod.path + "/lib/container/escape")


@inside
def test_row_45_nothing_of_the_archive_is_used(ck):
    """Annotations, devices, mounts, logs and images are the request's."""
    spec = {"ociVersion": "1.0.0", "annotations": {
        "cdi.k8s.io/x": "acme.com/card=all",
        "io.kubernetes.cri.container-log-path": "/etc/passwd"},
        "mounts": [{"destination": "/mnt", "source": "/", "type": "bind"}],
        "process": {"args": ["evil"]}}
    config = {"rootfsImageName": "docker.io/library/evil:1",
              "rootfsImageRef": "evil", "runtime": "evil"}
    path = tar(os.path.join(ck.out, "a.tar"),
               ("spec.dump", json.dumps(spec).encode()),
               ("config.dump", json.dumps(config).encode()),
               ("container.log", LINK), ("status", b"evil"),
               ("io.kubernetes.cri-o.LogPath", LINK), IMG, FDS,
               ("rootfs-diff.tar", diff(
                   ("dir", {"type": tarfile.DIRTYPE}),
                   ("out", {"type": tarfile.SYMTYPE, "linkname": "/"}),
                   ("out/dir/file", b"inside"))))
    images = [i.id for i in ck.client.ListImages().images]
    ctr = restore(ck, path)
    info = json.loads(ck.client.ContainerStatus(
        container_id=ctr, verbose=True).info["info"])["runtimeSpec"]
    assert list(info["annotations"]) == ["org.criu.config"]
    assert info["process"]["args"][0] == "sh"
    assert not any(m["destination"] == "/mnt" for m in info["mounts"])
    st = ck.status(ctr)
    assert st.image.image == "busybox" and not st.annotations
    assert st.log_path == os.path.join(ck.logs, "r.log")
    assert not os.path.islink(st.log_path)
    assert [i.id for i in ck.client.ListImages().images] == images
    ck.client.StartContainer(container_id=ctr)
    goes_on(ck, ctr)
    assert ck.sh(ctr, "cat /dir/file").stdout == b"inside"


@inside
def test_row_45_bombs(ck):
    """A sparse file and a compressed archive are no larger than they are."""
    pod = ck.run(handler="fake")
    sparse = os.path.join(ck.out, "sparse")
    with open(sparse, "w") as f:
        f.truncate(1 << 40)
    os.mkdir(os.path.join(ck.out, "checkpoint"))
    os.rename(sparse, os.path.join(ck.out, "checkpoint/pages-1.img"))
    path = os.path.join(ck.out, "a.tar")
    subprocess.run(["tar", "-C", ck.out, "--sparse", "-cf", path,
                    "checkpoint"], check=True)
    with pytest.raises(grpc.RpcError):
        restore(ck, path, pod=pod)
    for mode in ("w:gz", "w:bz2"):
        with tarfile.open(os.path.join(ck.out, "z.tar"), mode) as t:
            info = tarfile.TarInfo("checkpoint/pages-1.img")
            info.size = 1 << 22
            t.addfile(info, io.BytesIO(bytes(1 << 22)))
        with pytest.raises(grpc.RpcError):
            restore(ck, os.path.join(ck.out, "z.tar"), pod=pod)
    wait_for("its removal", lambda: leftovers(ck.criod, ()) == [])


@inside
def test_a_forbidden_call_of_unarchive(ck, saved):
    """E2: it ends, which is said, nothing stays, and another restore works."""
    pod, config = ck.run(handler="fake")
    before, name = ck.criod.helpers(), "unarchive"
    with jail.Holder(before["execlaunch"], {name: (0,)},
                     lambda *_: jail.makes(41)):
        text = refused(INVALID, restore, ck=ck, path=saved,
                       pod=(pod, config))
    assert "unarchive: killed: system call not in its table: socket (41)" \
        in text
    wait_for("nothing left", lambda: not leftovers(ck.criod, set()))
    assert ck.criod.helpers() == before
    ctr = restore(ck, saved, pod=(pod, config))
    ck.client.StartContainer(container_id=ctr)
    goes_on(ck, ctr)


@inside
def test_archive_must_be_roots(ck):
    """A link, a FIFO, or what others may write is no archive."""
    pod = ck.run(handler="fake")
    good = tar(os.path.join(ck.out, "a.tar"), IMG, FDS)
    for make in (lambda p: os.symlink(good, p), os.mkfifo, os.mkdir,
                 lambda p: (shutil.copy(good, p), os.chmod(p, 0o622)),
                 lambda p: (shutil.copy(good, p), os.chown(p, 1000, 0))):
        path = tempfile.mktemp(dir=ck.out)
        make(path)
        with pytest.raises(grpc.RpcError):
            restore(ck, path, pod=pod)
    refused(PRECONDITION, restore, ck=ck, path="/nowhere.tar", pod=pod)


def test_needs_a_word(scratch, registry):
    """Where only dumps are allowed, a path is no image."""
    c = Criod(os.path.join(scratch, "dump"), "checkpoint dump\n",
              args=["-m"]).start()
    try:
        p = Pods(c, scratch)
        c.client.PullImage(image={"image": "busybox"})
        refused(grpc.StatusCode.NOT_FOUND, restore, ck=p, path="/a.tar",
                pod=p.run())
        refused(UNIMPLEMENTED, c.client.RestorePod, checkpoint_path="/x")
        p.clean()
    finally:
        c.stop()


@inside
def test_image_is_the_requests(ck):
    assert "user_specified_image" in refused(
        INVALID, restore, ck=ck, path="/a.tar",
        image={"image": "/a.tar"})


@inside
def test_says_what_can(daemon):
    info = json.loads(daemon.client.Status(verbose=True).info["info"])
    assert info["checkpoint"]["fake"] == "yes"
    assert "CRIU" in info["checkpoint"]["crun"]


# ---- the pod forms ----

def pod_of_two(ck):
    pod, config, one = counter(ck, name="one")
    _, _, two = counter(ck, name="two", pod=(pod, config))
    return pod, config, one, two


def restore_pod(ck, names=("one", "two"), **over):
    config = ck.config()
    ns = config["linux"]["security_context"]["namespace_options"]
    fields = {"checkpoint_path": ck.out, "config": config,
              "runtime_handler": "fake", "container_configs": [
                  {"metadata": {"name": n}, "image": {"image": "busybox"},
                   "command": ["sh", "-c", COUNT], "log_path": n + ".log",
                   "linux": {"security_context": {"namespace_options": ns}}}
                  for n in names]}
    fields.update(over)
    r = ck.client.RestorePod(**fields)
    ck.made.append(r.pod_sandbox_id)
    return r


@inside
def test_checkpoint_pod(ck):
    """All are stopped before the first is saved, all go on after the last."""
    pod, _, one, two = pod_of_two(ck)
    ck.client.CheckpointPod(pod_sandbox_id=pod, output_path=ck.out,
                            container_ids=[one, two])
    goes_on(ck, one)
    goes_on(ck, two)
    assert sorted(os.listdir(ck.out)) == ["one.tar", "two.tar"]
    with open(ck.fake + "/seen") as f:
        assert f.read() == "%s True\n%s True\n" % (one[:8], two[:8])


@inside
def test_checkpoint_pod_all_or_nothing(ck):
    """The second fails: the first's archive is gone, both go on."""
    pod, _, one, two = pod_of_two(ck)
    how(ck, "second")
    refused(grpc.StatusCode.INTERNAL, ck.client.CheckpointPod,
            pod_sandbox_id=pod, output_path=ck.out, container_ids=[one, two])
    goes_on(ck, one)
    goes_on(ck, two)
    assert os.listdir(ck.out) == []


@inside
def test_bad_checkpoint_pod(ck):
    pod, config, one, two = pod_of_two(ck)
    _, _, other = counter(ck)
    good = {"pod_sandbox_id": pod, "output_path": ck.out,
            "container_ids": [one, two]}
    created = ck.create(pod, config, ["true"], name="three")
    for change, code in (
            ({"options": {"x": "y"}}, INVALID), ({"container_ids": []}, INVALID),
            ({"container_ids": [one, one]}, INVALID),
            ({"container_ids": [one, other]}, INVALID),
            ({"container_ids": [one, created]}, PRECONDITION),
            ({"output_path": "relative"}, INVALID),
            ({"pod_sandbox_id": "ffff"}, grpc.StatusCode.NOT_FOUND)):
        refused(code, ck.client.CheckpointPod, **dict(good, **change))
    open(ck.out + "/file", "w").close()
    refused(PRECONDITION, ck.client.CheckpointPod, **good)
    assert os.listdir(ck.out) == ["file"]
    goes_on(ck, one)


@inside
def test_restore_pod(ck):
    """Every container is CREATED, by its name; each starts by itself."""
    pod, _, one, two = pod_of_two(ck)
    ck.client.CheckpointPod(pod_sandbox_id=pod, output_path=ck.out,
                            container_ids=[one, two])
    ck.clean()
    r = restore_pod(ck)
    assert [c.name for c in r.restored_containers] == ["one", "two"]
    for c in r.restored_containers:
        assert ck.status(c.container_id).state == 0
        assert ck.status(c.container_id).metadata.name == c.name
    for c in r.restored_containers:
        ck.client.StartContainer(container_id=c.container_id)
        goes_on(ck, c.container_id)


@inside
def test_restore_pod_all_or_nothing(ck):
    pod, _, one, two = pod_of_two(ck)
    ck.client.CheckpointPod(pod_sandbox_id=pod, output_path=ck.out,
                            container_ids=[one, two])
    ck.clean()
    for fields, code in (({"names": ["one", "none"]}, PRECONDITION),
                         ({"names": ["one", "one"]}, INVALID),
                         ({"names": []}, INVALID),
                         ({"names": ["../one"]}, INVALID),
                         ({"options": {"x": "y"}}, INVALID),
                         ({"checkpoint_path": "x"}, INVALID),
                         ({"config": None}, INVALID)):
        refused(code, restore_pod, ck=ck, **fields)
        assert len(ck.client.ListPodSandbox().items) == 0
        assert len(ck.client.ListContainers().containers) == 0
        wait_for("its removal", lambda: leftovers(ck.criod, ()) == [])
