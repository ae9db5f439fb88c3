"""criodctl image: each command for real, and what it does to a store."""

import gzip
import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import tarfile
import threading

import pytest

import grpc

import cri
import oci
from conftest_integ import NODE, REGISTRY, Criod, Pods, wait_for


class Store:
    """A criod of these tests' own, and its criodctl."""

    def __init__(self, path):
        self.criod = Criod(path, args=["-m", "-k"])
        self.image = os.path.join(path, "lib/image")
        self.socket = os.path.join(path, "control.sock")
        self.start()

    def start(self):
        self.client = self.criod.start().client

    def restart(self):
        self.criod.stop()
        self.start()

    def end(self):
        """Stops it for good: nothing is kept."""
        self.criod.stop()
        self.criod.args.remove("-k")
        self.criod.start()
        self.criod.stop()

    def ctl(self, *args, ok=True, **run):
        done = subprocess.run(
            [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
             self.socket, *args],
            capture_output=True, text=True, timeout=120, **run)
        if ok:
            assert done.returncode == 0, done.stderr
        return done

    def inspect(self, image):
        return json.loads(self.ctl("image", "inspect", image).stdout)[0]

    def layer(self, number, *rest):
        return os.path.join(self.image, "layer", str(number), "fs", *rest)

    def numbers(self, image):
        return [x["number"] for x in self.inspect(image)["layers"]]

    def clear(self):
        for i in self.ctl("image", "list", "-q").stdout.split():
            self.ctl("image", "remove", i)


@pytest.fixture(scope="module")
def store(scratch, registry):
    s = Store(os.path.join(scratch, "images"))
    yield s
    s.end()


@pytest.fixture(scope="module")
def images(scratch, registry):
    """Three images with layers in common, one layer with everything odd."""
    layout = oci.Layout(os.path.join(scratch, "many"))
    base = oci.layer([oci.entry("bin/"), oci.entry("bin/sh", "x" * 300000, mode=0o755),
                      oci.entry("tmp/", mode=0o1777)])
    odd = oci.layer([
        oci.entry("etc/"), oci.entry("etc/a", "first" * 999),
        oci.entry("etc/a", "second"), oci.entry("lnk", link="etc/a"),
        oci.entry("etc/b", type=tarfile.LNKTYPE, link="etc/a"),
        oci.entry(".wh.gone"), oci.entry("tmp/.wh..wh..opq"),
        oci.entry("x", "y", mode=0o4755, uid=7, pax={
            "SCHILY.xattr.user.k": "v"})])
    top = oci.layer([oci.entry("top", os.urandom(100000))])
    out = {}
    for name, layers in (("one", [base]), ("two", [base, odd]),
                         ("three", [base, odd, top, odd])):
        path = layout.write(layout.image(layers, {"Env": ["I=" + name]}))
        oci.push(path, "%s/images/%s:1" % (REGISTRY, name))
        out[name] = ["sha256:" + hashlib.sha256(t).hexdigest()
                     for t in layers]
    return out


def name(which):
    return "docker.io/images/%s:1" % which


@pytest.fixture
def pulled(store, images):
    """All three are there, and nothing else."""
    store.clear()
    for i in images:
        store.ctl("image", "pull", "-q", name(i))
    return store


def test_list_and_inspect(pulled, images):
    lines = pulled.ctl("image", "list").stdout.splitlines()
    assert [x.split()[0] for x in lines] and len(lines) == 3
    assert {x.split()[0] for x in lines} == {name(i) for i in images}
    only = pulled.ctl("image", "list", "-q", "*images/o*").stdout.split()
    got = pulled.inspect(name("one"))
    assert only == [got["id"]] and got["tags"] == [name("one")]
    assert [x["diffID"] for x in got["layers"]] == images["one"]
    assert got["config"]["config"]["Env"] == ["I=one"]
    assert not got["damaged"] and got["usedBy"] == ""
    # shared layers are there once
    assert pulled.numbers(name("two"))[0] == got["layers"][0]["number"]
    three = pulled.numbers(name("three"))
    assert three[1] == three[3] and len(set(three)) == 3
    assert len(os.listdir(os.path.join(pulled.image, "layer"))) == 3


@pytest.mark.parametrize("args", [
    ["image"], ["image", "list", "a", "b"], ["image", "list", "-x"],
    ["image", "inspect"], ["image", "pull"], ["image", "remove"],
    ["image", "prune", "-z"], ["image", "import"], ["image", "export", "x"],
    ["image", "export", "-f", "zip", "x", "y"], ["image", "verify", "-z"]])
def test_usage(store, args):
    done = store.ctl(*args, ok=False)
    assert done.returncode == 2 and "usage: criodctl" in done.stderr


@pytest.mark.parametrize("args", [
    ["inspect", "nothing"], ["remove", "nothing"], ["verify", "nothing"],
    ["repair", "nothing"], ["export", "/nonexistent/x", "nothing"]])
def test_no_such_image(store, args):
    done = store.ctl("image", *args, ok=False)
    assert done.returncode == 1 and "no image nothing" in done.stderr


def test_pull_says_how_far_it_is(store, images, scratch):
    """A registry that is stopped in the middle: what is shown meanwhile."""
    store.clear()
    done = subprocess.Popen(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         store.socket, "image", "pull",
         "%s/images/two:1" % slow_registry()], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    line = done.stderr.readline()
    assert "images/two:1: manifest" in line
    done.send_signal(signal.SIGTERM)
    assert done.wait(20) != 0


def slow_registry():
    """Takes a connection and says nothing."""
    import socket
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    slow_registry.kept.append(s)
    return "127.0.0.1:%d" % s.getsockname()[1]


slow_registry.kept = []


def test_pull_fails(store, registry):
    done = store.ctl("image", "pull", name("absent"), ok=False)
    assert done.returncode == 1 and "absent" in done.stderr


# ---- what is in use, what may go ----

@pytest.fixture
def running(store, images, scratch):
    """A container of busybox, by the store's own criod."""
    store.ctl("image", "pull", "-q", "busybox")
    pods = Pods(store.criod, scratch)
    ctr = pods.create(*pods.run(network=NODE), command=["sleep", "600"])
    yield ctr
    pods.clean()


def test_in_use_is_not_removed(pulled, running):
    done = pulled.ctl("image", "remove", "busybox", ok=False)
    assert done.returncode == 1
    assert "in use by container " + running in done.stderr
    with pytest.raises(grpc.RpcError) as e:
        pulled.client.RemoveImage(image={"image": "busybox"})
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert running == pulled.inspect("busybox")["usedBy"]
    pulled.client.RemoveContainer(container_id=running)
    assert pulled.inspect("busybox")["usedBy"] == ""
    pulled.ctl("image", "remove", "busybox")


def test_prune(pulled, images, scratch, running):
    # a tag moves on: what it was before has a digest only
    layout = oci.Layout(os.path.join(scratch, "moved"))
    for text in ("before", "after"):
        path = layout.write(layout.image([oci.layer([
            oci.entry("f", text)])]))
        oci.push(path, "%s/images/moved:1" % REGISTRY)
        pulled.ctl("image", "pull", "-q", name("moved"))
    assert len(pulled.client.ListImages().images) == 6
    would = pulled.ctl("image", "prune", "-n")
    assert len(would.stdout.splitlines()) == 1
    assert "would free" in would.stderr
    assert pulled.ctl("image", "prune").stdout == would.stdout
    assert len(pulled.client.ListImages().images) == 5
    gone = pulled.ctl("image", "prune", "-a", "*images/t*").stdout
    assert len(gone.splitlines()) == 2 and "images/two" in gone
    pulled.ctl("image", "prune", "-a")
    left = pulled.client.ListImages().images
    assert [i.repo_tags[0] for i in left] == [
        "docker.io/library/busybox:latest"]


def test_pinned_images_stay(scratch, images):
    s = Store.__new__(Store)
    s.criod = Criod(os.path.join(scratch, "pinned"), args=["-m"], conf=(
        'pinned image "*images/o*"\npinned image "%s"\n' %
        name("three"))).start()
    s.client, s.socket = s.criod.client, os.path.join(
        s.criod.path, "control.sock")
    try:
        for i in images:
            s.ctl("image", "pull", "-q", name(i))
        assert pinned(s) == {name("one"), name("three")}
        assert name("two") in s.ctl("image", "prune", "-a").stdout
        assert len(s.client.ListImages().images) == 2
        # another list, on SIGHUP
        conf = os.path.join(s.criod.path, "criod.conf")
        with open(conf) as f:
            text = f.read()
        with open(conf, "w") as f:
            f.write(text.replace("*images/o*", "*nothing*"))
        os.kill(s.criod.parent(), signal.SIGHUP)
        wait_for("the new list", lambda: pinned(s) == {name("three")})
    finally:
        s.criod.stop()


def pinned(s):
    try:
        return {i.repo_tags[0] for i in s.client.ListImages().images
                if i.pinned}
    except grpc.RpcError:
        return None  # imaged is being restarted


# ---- damage ----

def spoil(path):
    st = os.lstat(path)
    with open(path, "r+b") as f:
        f.seek(1)
        f.write(b"\0\0\0")
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def test_verify_and_repair(pulled, images):
    lines = pulled.ctl("image", "verify").stdout.splitlines()
    assert len(lines) == 3 and all(x.startswith("ok ") for x in lines)
    odd = pulled.numbers(name("two"))[1]
    spoil(pulled.layer(odd, "etc/a"))
    done = pulled.ctl("image", "verify", ok=False)
    assert done.returncode == 1
    assert "content of a file is not what it was" in done.stderr
    assert done.stdout.count("damaged") == 2
    assert "ok      " + name("one") in done.stdout
    # to a kubelet the two are not there; the third is
    for which, there in (("one", True), ("two", False), ("three", False)):
        image = pulled.client.ImageStatus(image={"image": name(which)}).image
        assert bool(image.id) == there
    assert "damaged" in pulled.ctl("image", "list").stdout
    before = pulled.numbers(name("three"))
    fixed = pulled.ctl("image", "repair", "-q")
    assert fixed.stdout.count("repaired") == 2
    assert pulled.ctl("image", "verify").stdout.count("ok ") == 3
    after = pulled.numbers(name("three"))
    assert [a == b for a, b in zip(before, after)] == [
        True, False, True, False]
    wait_for("the damaged layer is gone", lambda: not os.path.exists(
        pulled.layer(odd)))


def test_a_kubelet_repairs_by_pulling(pulled, images):
    spoil(pulled.layer(pulled.numbers(name("one"))[0], "bin/sh"))
    pulled.ctl("image", "verify", name("one"), ok=False)
    pulled.client.PullImage(image={"image": name("one")})
    assert pulled.client.ImageStatus(image={"image": name("one")}).image.id
    pulled.ctl("image", "verify", name("one"))
    # the others that had the layer still have the bad one
    assert pulled.inspect(name("two"))["damaged"]
    pulled.ctl("image", "repair", "-q", name("two"), name("three"))
    pulled.ctl("image", "verify")


def test_catalogue_is_lost(pulled, images):
    """security.md §3 row 14: delete the database, start: nothing is lost."""
    before = pulled.ctl("image", "list").stdout
    pulled.criod.stop()
    for f in ("catalogue.db", "catalogue.db-wal"):
        if os.path.exists(os.path.join(pulled.image, f)):
            os.unlink(os.path.join(pulled.image, f))
    pulled.start()
    assert pulled.ctl("image", "list").stdout == before
    pulled.ctl("image", "verify")
    assert "using the spare" in pulled.criod.log()


def test_after_a_power_cut(pulled, images):
    """What was written since the last orderly end is compared, no more."""
    pulled.restart()
    pulled.ctl("image", "pull", "-q", "busybox")
    new = pulled.numbers("busybox")[0]
    old = pulled.numbers(name("one"))[0]
    parent = pulled.criod.parent()
    os.kill(parent, signal.SIGSTOP)
    os.kill(pulled.criod.helpers()["imaged"], signal.SIGKILL)
    os.kill(parent, signal.SIGKILL)
    pulled.criod.proc.wait(20)
    pulled.client.close()
    spoil(pulled.layer(new, "etc/passwd"))
    spoil(pulled.layer(old, "bin/sh"))
    db = sqlite3.connect(os.path.join(pulled.image, "catalogue.db"))
    db.execute("UPDATE boot SET id = 'another'")
    db.commit()
    db.close()
    pulled.start()
    wait_for("the new layer was found damaged",
             lambda: pulled.inspect("busybox")["damaged"])
    assert not pulled.inspect(name("one"))["damaged"]
    pulled.ctl("image", "verify", ok=False)
    pulled.ctl("image", "repair", "-q")
    pulled.ctl("image", "verify")


# ---- export and import; skopeo judges ----

def diff_ids(source, *args):
    config = subprocess.run(["skopeo", "inspect", "--config", *args, source],
                            check=True, capture_output=True, text=True)
    return json.loads(config.stdout)["rootfs"]["diff_ids"]


@pytest.mark.parametrize("form,scheme", [
    ("oci", "oci-archive"), ("docker", "docker-archive"), ("layout", "oci")])
def test_export(pulled, images, tmp_path, form, scheme):
    path = str(tmp_path / "out")
    pulled.ctl("image", "export", "-f", form, path, name("three"))
    dest = "docker://%s/back/%s:1" % (REGISTRY, form)
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false",
                    "%s:%s" % (scheme, path), dest], check=True)
    assert diff_ids(dest, "--tls-verify=false") == images["three"]
    # and back again: the same image, by its id
    ident = pulled.inspect(name("three"))["id"]
    pulled.clear()
    assert pulled.ctl("image", "import", path).stdout.split() == [ident]
    assert pulled.inspect(name("three"))["id"] == ident
    pulled.ctl("image", "verify")
    assert sorted(os.listdir(tmp_path)) == ["out"]


def test_export_several(pulled, images, tmp_path):
    """To standard output; compressed by somebody else on the way."""
    with open(tmp_path / "all.tar.gz", "wb") as f:
        for form in ("oci", "docker"):
            f.seek(0)
            f.truncate()
            raw = subprocess.run(
                [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
                 pulled.socket, "image",
                 "export", "-f", form, "-", name("one"), name("two")],
                check=True, stdout=subprocess.PIPE).stdout
            names = tarfile.open(fileobj=io.BytesIO(raw)).getnames()
            assert len(names) == len(set(names))
            f.write(gzip.compress(raw, 1))
            f.flush()
            pulled.clear()
            pulled.ctl("image", "import", str(tmp_path / "all.tar.gz"))
            assert len(pulled.client.ListImages().images) == 2
            pulled.ctl("image", "verify")


def artifact(layout, files):
    """As ORAS makes them: its descriptor."""
    layers = [dict(layout.blob(data), mediaType="application/octet-stream",
                   annotations={"org.opencontainers.image.title": title})
              for title, data in files.items()]
    empty = "application/vnd.oci.empty.v1+json"
    kind = "application/vnd.oci.image.manifest.v1+json"
    return dict(layout.blob({
        "schemaVersion": 2, "mediaType": kind,
        "artifactType": "application/vnd.test.thing",
        "config": dict(layout.blob(b"{}"), mediaType=empty),
        "layers": layers}), mediaType=kind)


def test_artifact(store, tmp_path):
    """Verified as images are; not exported, as not all of it is kept."""
    store.clear()
    files = {"config.json": b"{}", "models/weights": os.urandom(3 << 20),
             "empty": b""}
    layout = oci.Layout(str(tmp_path / "made"))
    desc = artifact(layout, files)
    path = layout.write(desc)
    assert store.ctl("image", "import", "-t", name("art"),
                     path).stdout.split() == [desc["digest"]]
    assert store.ctl("image", "verify").stdout.startswith("ok ")
    for n, (title, data) in zip(store.numbers(name("art")), files.items()):
        with open(store.layer(n, title), "rb") as f:
            assert f.read() == data
    for form in ("oci", "docker", "layout"):
        done = store.ctl("image", "export", "-f", form,
                         str(tmp_path / "x"), name("art"), ok=False)
        assert done.returncode == 1 and "it is an artifact" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["made"]
    spoil(store.layer(store.numbers(name("art"))[1], "models/weights"))
    done = store.ctl("image", "verify", ok=False)
    assert done.returncode == 1 and done.stdout.startswith("damaged ")


def test_import_what_skopeo_writes(store, images, tmp_path):
    """docker save's older form too: links, a directory for each layer."""
    path = str(tmp_path / "a.tar")
    subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false",
                    "docker://%s/images/three:1" % REGISTRY,
                    "docker-archive:%s:a.test/three:2" % path], check=True)
    store.clear()
    store.ctl("image", "import", path)
    got = store.inspect("a.test/three:2")
    assert [x["diffID"] for x in got["layers"]] == images["three"]
    store.ctl("image", "import", "-t", "b.test/x:3", path)
    assert sorted(store.inspect("b.test/x:3")["tags"]) == [
        "a.test/three:2", "b.test/x:3"]


def test_import_sha512(store, tmp_path):
    """A layout whose blobs are named by sha512, as image-layout.md allows."""
    lay = oci.Layout(str(tmp_path / "layout"))
    path = lay.write(lay.image([oci.layer(oci.busybox_entries())], {}))

    def read(digest):
        with open(os.path.join(path, "blobs", *digest.split(":")), "rb") as f:
            return f.read()

    def put(data):
        name = hashlib.sha512(data).hexdigest()
        os.makedirs(os.path.join(path, "blobs/sha512"), exist_ok=True)
        with open(os.path.join(path, "blobs/sha512", name), "wb") as f:
            f.write(data)
        return "sha512:" + name
    with open(os.path.join(path, "index.json")) as f:
        index = json.load(f)
    m = json.loads(read(index["manifests"][0]["digest"]))
    ident = m["config"]["digest"]
    for d in [m["config"], *m["layers"]]:
        d["digest"] = put(read(d["digest"]))
    raw = json.dumps(m).encode()
    index["manifests"][0].update(digest=put(raw), size=len(raw))
    with open(os.path.join(path, "index.json"), "w") as f:
        json.dump(index, f)
    for name in os.listdir(os.path.join(path, "blobs/sha256")):
        os.unlink(os.path.join(path, "blobs/sha256", name))
    out = store.ctl("image", "import", "-t", "docker.io/library/s512:1", path)
    assert out.stdout.split() == [ident]
    assert store.inspect(ident)["digests"] == [
        "docker.io/library/s512@" + index["manifests"][0]["digest"]]
    store.ctl("image", "verify", ident)
    store.ctl("image", "export", str(tmp_path / "out"), ident)
    store.ctl("image", "remove", ident)


def test_damaged_is_not_exported(pulled, tmp_path):
    spoil(pulled.layer(pulled.numbers(name("one"))[0], "bin/sh"))
    for form in ("oci", "docker", "layout"):
        done = pulled.ctl("image", "export", "-f", form,
                          str(tmp_path / "out"), name("one"), ok=False)
        assert done.returncode == 1 and "not what it was" in done.stderr
        assert os.listdir(tmp_path) == []
    pulled.ctl("image", "remove", name("one"))


def archive(path, members):
    with tarfile.open(path, "w") as t:
        for n, data, link in members:
            ti = tarfile.TarInfo(n)
            if link:
                ti.type, ti.linkname = tarfile.SYMTYPE, link
            ti.size = len(data)
            t.addfile(ti, io.BytesIO(data))
    return str(path)


def docker(config=b"{}", layers=("l.tar",), tags=("h.test/x:1",)):
    return json.dumps([{"Config": "c.json", "RepoTags": list(tags),
                        "Layers": list(layers)}]).encode()


CONFIG = json.dumps({"architecture": oci.ARCH, "os": "linux", "rootfs": {
    "type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()

HOSTILE = {
    "nothing": [],
    "not json": [("manifest.json", b"{", None)],
    "no list": [("manifest.json", b"{}", None)],
    "absent layer": [("manifest.json", docker(), None),
                     ("c.json", CONFIG, None)],
    "host file": [("manifest.json", docker(layers=["/etc/shadow"]), None),
                  ("c.json", CONFIG, None)],
    "link to a host file": [
        ("manifest.json", docker(), None), ("c.json", CONFIG, None),
        ("l.tar", b"", "../../../../../etc/shadow")],
    "links in a circle": [
        ("manifest.json", docker(), None), ("c.json", CONFIG, None),
        ("l.tar", b"", "m.tar"), ("m.tar", b"", "l.tar")],
    "wrong layer": [("manifest.json", docker(), None),
                    ("c.json", CONFIG, None), ("l.tar", b"\0" * 1024, None)],
    "wrong blob": [
        ("index.json", json.dumps({"schemaVersion": 2, "manifests": [{
            "digest": "sha256:" + "a" * 64, "size": 2}]}).encode(), None),
        ("blobs/sha256/" + "a" * 64, b"{}", None)],
    "bad digest": [("index.json", json.dumps({"manifests": [{
        "digest": "sha256:../../etc/passwd"}]}).encode(), None)],
    "many files": [("f%d.json" % i, b"", None) for i in range(600)],
    "deep": [("manifest.json", b"[" * 100000, None)],
    "bad name": [("manifest.json", docker(tags=["../../x", "\n"]), None),
                 ("c.json", CONFIG, None), ("l.tar", b"", None)],
    "no name": [("manifest.json", docker(tags=[]), None),
                ("c.json", CONFIG, None), ("l.tar", b"", None)],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archive(store, tmp_path, what):
    store.clear()
    path = archive(tmp_path / "a.tar", HOSTILE[what])
    done = store.ctl("image", "import", path, ok=False)
    assert done.returncode == 1 and done.stderr.count("\n") <= 2, done.stderr
    assert not store.client.ListImages().images
    assert store.criod.helpers()["imaged"]


def test_hostile_gzip(store, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"\0" * 10000)[:-9])
    done = store.ctl("image", "import", str(tmp_path / "a.tar.gz"), ok=False)
    assert done.returncode == 1


def test_the_reader_has_no_privilege(store, tmp_path):
    """While it waits for more of an archive: who it is and what it holds."""
    fifo = tmp_path / "a.tar"
    os.mkfifo(fifo)
    done = subprocess.Popen(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         store.socket, "image",
         "import", str(fifo)], stderr=subprocess.DEVNULL)
    with open(fifo, "wb") as f:
        f.write(b"x")
        f.flush()

        def child():
            with open("/proc/%d/task/%d/children" % ((done.pid,) * 2)) as c:
                return c.read().split()
        pid = wait_for("the reader", child)[0]

        def status():
            with open("/proc/%s/status" % pid) as s:
                return dict(x.split(":\t", 1) for x in s.read().splitlines()
                            if ":\t" in x)
        wait_for("its drop", lambda: status()["NoNewPrivs"] == "1")
        st = status()
        assert st["Uid"].split() == ["65534"] * 4
        assert st["CapEff"].strip("0") == "" and st["Groups"].strip() == ""
        sockets = [os.readlink("/proc/%s/fd/%s" % (pid, n))
                   for n in os.listdir("/proc/%s/fd" % pid)]
        assert sum(x.startswith("socket:") for x in sockets) == 1
    done.wait(20)


# ---- many at once ----

def invariants(s):
    """Every image verifies, every directory has a row, nothing else is left."""
    s.ctl("image", "verify")
    rows = {n for i in s.ctl("image", "list", "-q").stdout.split()
            for n in s.numbers(i)}
    have = {int(n) for n in os.listdir(os.path.join(s.image, "layer"))}
    assert have >= rows
    assert os.listdir(os.path.join(s.image, "tmp")) == []
    return have - rows


def test_random_pulls_removals_and_creates(pulled, images, scratch):
    """security.md §3 row 21, 200 operations from eight clients."""
    pods = Pods(pulled.criod, scratch)
    pod, config = pods.run(network=NODE)
    names = [name(i) for i in images] + ["busybox"]
    dice = random.Random(21)
    jobs = [(dice.choice(["pull", "pull", "remove", "create"]),
             dice.choice(names)) for _ in range(200)]
    lock, bad, count = threading.Lock(), [], [0]

    def one(client, what, image):
        if what == "pull":
            client.PullImage(image={"image": image}, rpc_timeout=60)
        elif what == "remove":
            client.RemoveImage(image={"image": image}, rpc_timeout=60)
        else:
            with lock:
                count[0] += 1
                n = count[0]
            ctr = client.CreateContainer(
                pod_sandbox_id=pod, rpc_timeout=60, sandbox_config=config,
                config={"metadata": {"name": "c%d" % n},
                        "image": {"image": image}, "command": ["/bin/sh"],
                        "linux": config["linux"]}).container_id
            client.RemoveContainer(container_id=ctr, rpc_timeout=60)

    def work():
        client = cri.Client(pulled.criod.socket)
        while True:
            with lock:
                if not jobs:
                    break
                what, image = jobs.pop()
            try:
                one(client, what, image)
            except grpc.RpcError as e:
                if e.code() not in (grpc.StatusCode.NOT_FOUND,
                                    grpc.StatusCode.FAILED_PRECONDITION):
                    bad.append((what, image, e))
        client.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    pods.clean()
    assert not bad, bad[:3]
    invariants(pulled)
    # a restart forgets what only waited to be used again
    pulled.restart()
    wait_for("nothing but images", lambda: invariants(pulled) == set())
