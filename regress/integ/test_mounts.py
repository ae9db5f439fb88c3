"""Mounts: propagation, recursive read-only, image volumes, id maps."""

import os
import subprocess
import tempfile

import grpc
import pytest

import cri
import oci
from conftest_integ import HOST_ID, ID_MAP as MAP, wait_for

PRIVATE, SLAVE, SHARED = 0, 1, 2


@pytest.fixture
def userns(pods):
    """A pod's configuration with a user namespace."""
    return pods.userns_config()


@pytest.fixture
def source(scratch):
    """A directory on a mount of its own, with one mount beneath it."""
    d = tempfile.mkdtemp(prefix="mnt.", dir=scratch)
    os.chmod(d, 0o755)
    sub = os.path.join(d, "sub")
    subprocess.run(["mount", "--bind", d, d], check=True)
    subprocess.run(["mount", "--make-private", d], check=True)
    os.mkdir(sub)
    subprocess.run(["mount", "-t", "tmpfs", "sub", sub], check=True)
    with open(os.path.join(d, "file"), "w") as f:
        f.write("text\n")
    yield d
    subprocess.run("while umount -R %s 2>/dev/null; do :; done" % d,
                   shell=True)


@pytest.fixture(scope="module")
def volume(scratch, criod, registry):
    """An image of two layers, to be mounted; its reference and id."""
    layout = oci.Layout(os.path.join(scratch, "volume"))
    low = oci.layer([oci.entry("data/"), oci.entry("data/a", "low\n"),
                     oci.entry("data/gone", "x\n"),
                     oci.entry("out", type=b"2", link="/etc"),
                     oci.entry("up", type=b"2", link="../../../..")])
    high = oci.layer([oci.entry("data/b", "high\n", mode=0o755),
                      oci.entry("data/.wh.gone", "")])
    oci.push(layout.write(layout.image([low, high])),
             registry + "/library/volume:1")
    ref = criod.client.PullImage(image={"image": "volume:1"}).image_ref
    yield "docker.io/library/volume:1", ref
    criod.client.RemoveImage(image={"image": ref})


def mounts_of(criod):
    with open("/proc/self/mountinfo") as f:
        return [x.split()[4] for x in f if criod.path in x]


def refused(pods, mount, config=None, code=grpc.StatusCode.INVALID_ARGUMENT):
    pod, config = pods.run(config)
    before = mounts_of(pods.criod)
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], mounts=[mount])
    assert e.value.code() == code, e.value.details()
    assert mounts_of(pods.criod) == before
    return e.value.details()


# ---- propagation ----

@pytest.mark.parametrize("kind,seen,told", [
    (PRIVATE, False, False), (SLAVE, True, False), (SHARED, True, True)])
def test_propagation(pods, source, kind, seen, told):
    subprocess.run(["mount", "--make-shared", source], check=True)
    config = pods.config()
    config["linux"]["security_context"]["privileged"] = True
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[{
        "container_path": "/m", "host_path": source, "propagation": kind}],
        security_context={"privileged": True})
    late = os.path.join(source, "late")
    os.mkdir(late)
    subprocess.run(["mount", "-t", "tmpfs", "late", late], check=True)
    open(late + "/there", "w").close()
    assert (pods.sh(ctr, "ls /m/late").stdout == b"there\n") == seen
    pods.sh(ctr, "mkdir /m/mine && mount -t tmpfs mine /m/mine && "
            "touch /m/mine/f")
    assert os.path.exists(source + "/mine/f") == told


@pytest.mark.parametrize("kind", [SLAVE, SHARED])
def test_private_source_cannot_propagate(pods, source, kind):
    text = refused(pods, {"container_path": "/m", "host_path": source,
                          "propagation": kind},
                   code=grpc.StatusCode.FAILED_PRECONDITION)
    assert "shared" in text and source in text


def test_slave_source_is_enough_to_receive(pods, source):
    """A slave's master is another mount of the same."""
    other = source + "/sub/other"
    os.mkdir(other)
    for how in (["--make-shared", source], ["--bind", source, other],
                ["--make-slave", source]):
        subprocess.run(["mount", *how], check=True)
    mount = {"container_path": "/m", "host_path": source,
             "propagation": SLAVE}
    pod, config = pods.run()
    pods.start(pod, config, ["sleep", "1000"], mounts=[mount])
    refused(pods, dict(mount, propagation=SHARED),
            code=grpc.StatusCode.FAILED_PRECONDITION)


# ---- read-only ----

@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_recursive_read_only(pods, source, handler):
    features = {h.name: h.features
                for h in pods.client.Status().runtime_handlers}
    assert features[handler].recursive_read_only_mounts
    assert features[""].recursive_read_only_mounts
    pod, config = pods.run(handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[
        {"container_path": "/rro", "host_path": source, "readonly": True,
         "recursive_read_only": True},
        {"container_path": "/ro", "host_path": source, "readonly": True}])
    out = pods.sh(ctr, "for d in /rro /rro/sub /ro /ro/sub; do "
                  "touch $d/x 2>/dev/null && echo yes || echo no; done"
                  ).stdout.decode().split()
    assert out == ["no", "no", "no", "yes"]
    pods.clean()
    # What was beneath it is still mounted.
    assert os.path.ismount(source + "/sub")


@pytest.mark.parametrize("over", [
    {"readonly": False}, {"propagation": SLAVE}, {"propagation": SHARED}])
def test_recursive_read_only_needs(pods, source, over):
    mount = {"container_path": "/m", "host_path": source, "readonly": True,
             "recursive_read_only": True}
    mount.update(over)
    assert "recursive_read_only" in refused(pods, mount)


# ---- sources ----

def test_sources(pods, source):
    """Linked ones are followed, missing ones made, files and tmpfs kept."""
    os.symlink(source + "/sub", source + "/link")
    open(source + "/sub/x", "w").close()
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[
        {"container_path": "/l", "host_path": source + "/link"},
        {"container_path": "/f", "host_path": source + "/file"},
        {"container_path": "/n", "host_path": source + "/new/dir"}])
    out = pods.sh(ctr, "ls /l; cat /f; ls -d /n; "
                  "grep ' /l ' /proc/self/mounts | cut -d' ' -f3"
                  ).stdout.decode().split()
    assert out == ["x", "text", "/n", "tmpfs"]
    assert os.path.isdir(source + "/new/dir")


# ---- id maps ----

@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_volume_ids(pods, userns, source, handler):
    """On disk the pod's root is root; without a map it is somebody else."""
    os.mkdir(source + "/own", 0o700)
    pod, config = pods.run(userns, handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[
        {"container_path": "/m", "host_path": source, "uidMappings": MAP,
         "gidMappings": MAP},
        {"container_path": "/one", "host_path": source + "/file",
         "uidMappings": MAP, "gidMappings": MAP, "readonly": True},
        {"container_path": "/plain", "host_path": source}])
    out = pods.sh(ctr, "echo x >/m/own/made; chown 7:8 /m/own/made; "
                  "stat -c %u:%g /m/own/made /one /plain/file; "
                  "touch /plain/own/x || touch /one || echo denied"
                  ).stdout.decode().split()
    assert out == ["7:8", "0:0", "65534:65534", "denied"]
    st = os.stat(source + "/own/made")
    assert (st.st_uid, st.st_gid) == (7, 8)
    made = os.path.join(pods.criod.path, "run/rootfs", ctr)
    # Bound by the runtime: nothing here keeps the volume busy.
    assert made + "/m0" not in mounts_of(pods.criod)
    pods.clean()
    assert not os.path.exists(made)
    assert os.path.exists(source + "/own/made")
    assert os.path.ismount(source + "/sub")


def test_volume_ids_are_the_pods(pods, userns, source):
    other = [dict(MAP[0], host_id=2 * HOST_ID)]
    mount = {"container_path": "/m", "host_path": source,
             "uidMappings": other, "gidMappings": other}
    assert "Mappings" in refused(pods, mount, userns)
    mount = dict(mount, uidMappings=MAP, gidMappings=MAP)
    assert "Mappings" in refused(pods, mount)


# ---- image volumes ----

def image_mount(volume, **over):
    return dict({"container_path": "/v", "image": {"image": volume[1]}},
                **over)


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_image_volume(pods, volume, handler):
    pod, config = pods.run(handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[
        image_mount(volume),
        image_mount(volume, container_path="/sub", image_sub_path="data",
                    image={"image": volume[0]}),
        image_mount(volume, container_path="/one",
                    image_sub_path="data/a")])
    out = pods.sh(ctr, "cat /v/data/*; ls /sub; cat /one; "
                  "touch /v/x || touch /sub/x || echo ro; "
                  "/v/data/b 2>/dev/null || echo noexec; readlink /v/out; "
                  "mount | grep ' /v ' | tr '(,)' '   '"
                  ).stdout.decode().split()
    assert out[:8] == ["high", "low", "a", "b", "low", "ro", "noexec",
                       "/etc"] or out[:8] == [
        "low", "high", "a", "b", "low", "ro", "noexec", "/etc"]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(out[8:])
    # Whatever it was asked for by, a status has the id.
    assert [m.image.image for m in pods.status(ctr).mounts] == [volume[1]] * 3
    for name in volume:
        with pytest.raises(grpc.RpcError) as e:
            pods.client.RemoveImage(image={"image": name})
        assert ctr in e.value.details()


def test_image_volume_in_a_user_namespace(pods, userns, volume):
    pod, config = pods.run(userns)
    ctr = pods.start(pod, config, ["sleep", "1000"],
                     mounts=[image_mount(volume)])
    out = pods.sh(ctr, "stat -c %u /v/data/a; cat /v/data/a").stdout
    assert out.decode().split() == ["0", "low"]


@pytest.fixture(scope="module")
def artifact(scratch, criod):
    """An OCI artifact of three files."""
    lay = oci.Layout(os.path.join(scratch, "artifact"))
    layers = []
    for title, data in (("config.json", b"{}"), ("model/weights", b"w" * 9000),
                        ("model/more", b"m")):
        layers.append(dict(lay.blob(data), mediaType="text/plain",
                           annotations={"org.opencontainers.image.title":
                                        title}))
    m = lay.blob({"schemaVersion": 2, "artifactType": "application/x-model",
                  "mediaType": oci.OCI + "manifest.v1+json",
                  "config": dict(lay.blob(b"{}"), mediaType="application/"
                                 "vnd.oci.empty.v1+json"), "layers": layers})
    m["mediaType"] = oci.OCI + "manifest.v1+json"
    subprocess.run([os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
                    os.path.join(criod.path, "control.sock"), "image",
                    "import", "-t", "docker.io/library/artifact:1",
                    lay.write(m)], check=True, stdout=subprocess.DEVNULL)
    yield "docker.io/library/artifact:1", m["digest"]
    criod.client.RemoveImage(image={"image": m["digest"]})


def test_artifact_volume(pods, artifact):
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[
        image_mount(artifact),
        image_mount(artifact, container_path="/one",
                    image_sub_path="model/more")])
    out = pods.sh(ctr, "cat /v/config.json /one; wc -c </v/model/weights; "
                  "ls /v /v/model; stat -c %a.%u /v/config.json"
                  ).stdout.decode().split()
    assert out == ["{}m9000", "/v:", "config.json", "model", "/v/model:",
                   "more", "weights", "644.0"]
    with pytest.raises(grpc.RpcError) as e:
        pods.client.RemoveImage(image={"image": artifact[0]})
    assert ctr in e.value.details()


@pytest.mark.parametrize("path", ["nowhere", "data/a/b"])
def test_image_volume_fails(pods, volume, path):
    text = refused(pods, image_mount(volume, image_sub_path=path),
                   code=grpc.StatusCode.UNKNOWN)
    assert text.startswith("ImageVolumeMountFailed")


def test_image_volume_absent(pods):
    text = refused(pods, image_mount(("", "absent:1")),
                   code=grpc.StatusCode.UNKNOWN)
    assert text.startswith("ImageVolumeMountFailed")


@pytest.mark.parametrize("link", ["out", "up"])
def test_row_10_CVE_2024_9341_image_volume_links(pods, volume, link):
    """A link to /etc means the image's, which it has not; ".." its root."""
    pod, config = pods.run()
    mount = image_mount(volume, image_sub_path=link)
    if link == "out":
        with pytest.raises(grpc.RpcError):
            pods.create(pod, config, ["true"], mounts=[mount])
        return
    ctr = pods.start(pod, config, ["sleep", "1000"], mounts=[mount])
    assert b"data" in pods.sh(ctr, "ls /v").stdout


@pytest.mark.parametrize("over", [
    {"image_sub_path": "../x"}, {"image_sub_path": "/data"},
    {"host_path": "/etc"}, {"propagation": SLAVE}])
def test_image_volume_bad(pods, volume, over):
    refused(pods, image_mount(volume, **over))


def test_image_volume_after_a_restart(pods, volume):
    """It is held for as long as the container is there."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"],
                     mounts=[image_mount(volume)])
    for role in ("imaged", "execd"):
        pods.criod.replace(role)

    def held():
        try:
            pods.client.RemoveImage(image={"image": volume[1]})
        except grpc.RpcError as e:
            return ctr in e.details()
        raise AssertionError("removed while mounted")
    wait_for("the lease", held)
    assert pods.sh(ctr, "cat /v/data/a").stdout == b"low\n"


def test_leaves_nothing(pods, userns, source, volume):
    before = mounts_of(pods.criod)
    pod, config = pods.run(userns)
    pods.start(pod, config, ["sleep", "1000"], mounts=[
        image_mount(volume), {"container_path": "/m", "host_path": source,
                              "uidMappings": MAP, "gidMappings": MAP}])
    pods.clean()
    assert mounts_of(pods.criod) == before


def test_volume_that_cannot_show_other_ids(pods, userns):
    """sysfs is one."""
    text = refused(pods, {"container_path": "/m", "host_path": "/sys/kernel",
                          "uidMappings": MAP, "gidMappings": MAP}, userns,
                   code=grpc.StatusCode.FAILED_PRECONDITION)
    assert "/sys/kernel cannot show other ids" in text
