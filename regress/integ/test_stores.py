"""Additional stores: made by one criod, used read-only by another."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess

import grpc
import pytest

import cri
import oci
from conftest_integ import Criod, Pods, REGISTRY, wait_for

ONE, TWO = ("docker.io/store/%s:1" % n for n in ("one", "two"))


def tree(path):
    """Everything below path: names, types, sizes, times."""
    out = subprocess.run(
        ["find", path, "-printf", "%P %y %m %U %s %T@ %C@\n"], check=True,
        capture_output=True, text=True).stdout
    return sorted(out.splitlines())


@pytest.fixture(scope="module")
def pushed(scratch, registry):
    """Images that share a layer: one's are in the store, two has one more."""
    base = oci.layer(oci.busybox_entries())
    files = {n: oci.layer([oci.entry("file-" + n, n)])
             for n in ("one", "two")}
    gone = oci.layer([oci.entry("etc/.wh.passwd", "")])
    for name, layers in ((ONE, [base, files["one"]]),
                         (TWO, [base, files["one"], files["two"], gone])):
        layout = oci.Layout(os.path.join(scratch, "layout-" + name[-5:-2]))
        path = layout.write(layout.image(layers, {"Env": ["PATH=/bin"]}))
        oci.push(path, name.replace("docker.io", REGISTRY))
    return base


@pytest.fixture(scope="module")
def shelf(scratch, registry, pushed):
    """A criod's image directory, after that criod has ended in order."""
    c = Criod(os.path.join(scratch, "maker"), args=["-m", "-k"]).start()
    for name in (ONE, "busybox"):
        c.client.PullImage(image={"image": name})
    image = directory(c)
    c.stop()
    path = os.path.join(scratch, "shelf")
    shutil.move(image, path)
    end(c)
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
    before = tree(path)
    yield path
    assert tree(path) == before
    subprocess.run(["umount", path], check=True)


def directory(c):
    for info in c.client.ImageFsInfo().image_filesystems:
        return info.fs_id.mountpoint


def end(c):
    """Nothing of one that was stopped with -k is kept."""
    c.args.remove("-k")
    c.start()
    c.stop()


@pytest.fixture
def user(scratch, request, shelf):
    """A criod with that store."""
    c = Criod(os.path.join(scratch, request.node.name.replace("/", "_")[:40]),
              conf='additional store "%s"\n' % shelf, args=["-m"]).start()
    yield c
    c.stop()


def image(c, name):
    return c.client.ImageStatus(image={"image": name}).image


def run(c, scratch, name, command, **over):
    pods = Pods(c, scratch)
    try:
        return pods.output(command, image=name, **over)
    finally:
        pods.clean()


def layers(c):
    return len(os.listdir(os.path.join(directory(c), "layer")))


def test_used_without_a_pull(user, scratch, shelf):
    assert image(user, ONE).pinned
    listed = user.client.ListImages().images
    assert sorted(t for i in listed for t in i.repo_tags) == [
        "docker.io/library/busybox:latest", ONE]
    fs = user.client.ImageFsInfo().image_filesystems[0]
    assert fs.used_bytes.value == 0
    st, out = run(user, scratch, ONE, ["sh", "-c", "cat /file-one; touch /x"])
    assert st.exit_code == 0 and out == "one\n"
    assert layers(user) == 0


def test_pull_fetches_no_layer(user, scratch):
    assert user.client.PullImage(image={"image": ONE}).image_ref == \
        image(user, ONE).id
    assert layers(user) == 0
    # One layer of four is new here; two are in the store.
    user.client.PullImage(image={"image": TWO})
    assert layers(user) == 2
    assert not image(user, TWO).pinned
    st, out = run(user, scratch, TWO,
                  ["sh", "-c", "cat /file-one /file-two; ls /etc"])
    assert st.exit_code == 0 and out.startswith("onetwo")
    assert "passwd" not in out


def test_after_a_restart(scratch, shelf):
    user = Criod(os.path.join(scratch, "restart"), args=["-m", "-k"],
                 conf='additional store "%s"\n' % shelf).start()
    user.client.PullImage(image={"image": TWO})
    ident = image(user, TWO).id
    user.stop()
    user.start()
    assert image(user, TWO).id == ident
    st, out = run(user, scratch, TWO, ["cat", "/file-one"])
    assert st.exit_code == 0 and out == "one\n"
    user.client.RemoveImage(image={"image": TWO})
    wait_for("layers", lambda: layers(user) == 0)
    assert image(user, ONE).pinned
    user.stop()
    end(user)


def test_not_removable(user):
    with pytest.raises(grpc.RpcError) as e:
        user.client.RemoveImage(image={"image": ONE})
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "additional store" in e.value.details()
    assert image(user, ONE).pinned


def test_other_ids(user, scratch):
    """In a user namespace, too."""
    pods = Pods(user, scratch)
    config = pods.userns_config()
    pod, config = pods.run(config)
    ctr = pods.start(pod, config, ["sh", "-c", "stat -c %u /file-one; id -u"],
                     image=ONE)
    assert pods.exited(ctr).exit_code == 0
    assert pods.text(ctr).split() == ["0", "0"]
    pods.clean()


def test_image_volume(user, scratch):
    user.client.PullImage(image={"image": TWO})
    st, out = run(user, scratch, "busybox", [
        "sh", "-c", "cat /v/file-one /v/file-two"], mounts=[
            {"container_path": "/v", "image": {"image": TWO},
             "readonly": True}])
    assert st.exit_code == 0 and out == "onetwo\n"


def test_criodctl(user, scratch, shelf, tmp_path):
    def run_ctl(*args):
        r = subprocess.run([
            os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
            os.path.join(user.path, "control.sock"), "image", *args],
            capture_output=True, text=True)
        assert r.returncode == 0, r.stderr
        return r.stdout
    assert "store/one" in run_ctl("list")
    assert json.loads(run_ctl("inspect", ONE))[0]["store"] == shelf
    run_ctl("verify", ONE)
    out = os.path.join(tmp_path, "out.tar")
    run_ctl("export", out, ONE)
    assert os.path.getsize(out) > 1 << 20


def broken(shelf, tmp_path, name):
    """A copy of the store that may be spoilt."""
    path = os.path.join(tmp_path, name)
    subprocess.run(["cp", "-a", shelf, path], check=True)
    return path


def spoil_magic(path):
    with open(os.path.join(path, "catalogue.db"), "r+b") as f:
        f.write(b"no database")


def spoil_middle(path):
    db = os.path.join(path, "catalogue.db")
    size = os.path.getsize(db)
    with open(db, "r+b") as f:
        for at in range(4096, size, 512):
            f.seek(at)
            f.write(os.urandom(200))


def sql(text):
    def spoil(path):
        db = sqlite3.connect(os.path.join(path, "catalogue.db"))
        db.executescript(text)
        db.commit()
        db.close()
        for extra in ("-wal", "-shm"):
            if os.path.exists(os.path.join(path, "catalogue.db" + extra)):
                os.unlink(os.path.join(path, "catalogue.db" + extra))
    return spoil


def no_catalogue(path):
    os.unlink(os.path.join(path, "catalogue.db"))


def catalogue_link(path):
    os.rename(os.path.join(path, "catalogue.db"), os.path.join(path, "x"))
    os.symlink("x", os.path.join(path, "catalogue.db"))


def catalogue_fifo(path):
    no_catalogue(path)
    os.mkfifo(os.path.join(path, "catalogue.db"))


def has_log(path):
    with open(os.path.join(path, "catalogue.db-wal"), "w") as f:
        f.write("x")


OFF = "PRAGMA journal_mode = DELETE;"
SPOILT = {
    "magic": spoil_magic, "middle": spoil_middle, "none": no_catalogue,
    "link": catalogue_link, "fifo": catalogue_fifo, "log": has_log,
    "version": sql(OFF + "PRAGMA user_version = 9;"),
    "number": sql(OFF + "PRAGMA ignore_check_constraints = 1;"
                  "UPDATE layer SET number = 1 << 50 WHERE number = 1;"),
    "id": sql(OFF + "UPDATE image SET config = x'7b7d';"),
    "name": sql(OFF + "INSERT INTO name SELECT '../../x', id FROM image "
                "LIMIT 1;"),
    "view": sql(OFF + "DROP TABLE signature; ALTER TABLE name RENAME TO n2;"
                "CREATE VIEW name AS WITH RECURSIVE r(x) AS (SELECT 1 UNION "
                "ALL SELECT x + 1 FROM r) SELECT 'a' AS name, 'b' AS image "
                "FROM r;"),
}


@pytest.fixture(scope="module")
def spoilt(scratch, shelf):
    """One criod with the good store and all the bad ones."""
    paths = {}
    base = os.path.join(scratch, "spoilt")
    os.mkdir(base)
    conf = ""
    for name, fn in SPOILT.items():
        paths[name] = broken(shelf, base, name)
        fn(paths[name])
        conf += 'additional store "%s"\n' % paths[name]
    conf += 'additional store "%s"\n' % shelf
    c = Criod(os.path.join(scratch, "careful"), conf=conf,
              args=["-m"]).start()
    c.paths = paths
    yield c
    c.stop()


def test_spoilt_stop_nobody(spoilt, scratch):
    """Each is left out, with one line that says why."""
    wait_for("the good one", lambda: image(spoilt, ONE).id)
    st, out = run(spoilt, scratch, ONE, ["cat", "/file-one"])
    assert st.exit_code == 0 and out == "one\n"
    log = spoilt.log()
    for name, path in spoilt.paths.items():
        lines = [x for x in log.splitlines()
                 if "additional store %s is not used" % path in x]
        assert len(lines) == 1, (name, lines)


@pytest.mark.parametrize("how", ["link", "link above", "device", "elsewhere"])
def test_no_layer_leads_outside(scratch, shelf, tmp_path, how):
    """cve S1: fs, or N, is a link to a directory of the host."""
    path = broken(shelf, tmp_path, "evil")
    os.chmod(tmp_path, 0o755)
    secret = os.path.join(tmp_path, "secret")
    os.mkdir(secret)
    os.mkdir(os.path.join(secret, "fs"))
    for d in (secret, os.path.join(secret, "fs")):
        with open(os.path.join(d, "secret"), "w") as f:
            f.write("s3cret")
    c = Criod(os.path.join(scratch, "evil " + how).replace(" ", "-"),
              conf='additional store "%s"\n' % path, args=["-m"]).start()
    try:
        wait_for("the store", lambda: image(c, ONE).id)
        for n in os.listdir(os.path.join(path, "layer")):
            fs = os.path.join(path, "layer", n, "fs")
            if how == "link":
                os.rename(fs, fs + ".old")
                os.symlink(secret, fs)
            elif how == "link above":
                os.rename(os.path.dirname(fs), os.path.dirname(fs) + ".old")
                os.symlink(secret, os.path.dirname(fs))
            elif how == "device":
                os.rename(fs, fs + ".old")
                os.mknod(fs, 0o600 | 0o020000, os.makedev(1, 5))
            else:
                subprocess.run(["mount", "--bind", secret, fs], check=True)
        with pytest.raises(grpc.RpcError) as e:
            run(c, scratch, ONE, ["cat", "/secret"])
        assert "layer" in e.value.details()
    finally:
        c.stop()
        for n in os.listdir(os.path.join(path, "layer")):
            subprocess.run(["umount", os.path.join(path, "layer", n, "fs")],
                           stderr=subprocess.DEVNULL)


def test_changes_are_seen(scratch, shelf, tmp_path):
    """Another store at the same path has other layers by the same numbers."""
    path = broken(shelf, tmp_path, "s")
    os.chmod(tmp_path, 0o755)
    c = Criod(os.path.join(scratch, "changes"),
              conf='additional store "%s"\n' % path, args=["-m"]).start()
    try:
        wait_for("the store", lambda: image(c, ONE).id)
        sql(OFF + "DELETE FROM name WHERE name = '%s'; DELETE FROM image "
            "WHERE id = '%s';" % (ONE, image(c, ONE).id))(path)
        with pytest.raises(grpc.RpcError) as e:
            run(c, scratch, ONE, ["true"])
        assert e.value.code() == grpc.StatusCode.NOT_FOUND
        assert image(c, ONE).id == ""
        # And when it is gone altogether.
        shutil.rmtree(path)
        with pytest.raises(grpc.RpcError) as e:
            run(c, scratch, "busybox", ["true"])
        assert "additional store" in e.value.details()
    finally:
        c.stop()


def known(c):
    """The image's id; None while imaged starts again."""
    try:
        return image(c, ONE).id
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.UNAVAILABLE
        return None


def test_reload(scratch, shelf):
    """A store that is added, or taken away, with containers running."""
    c = Criod(os.path.join(scratch, "reload"), args=["-m"]).start()
    pods = Pods(c, scratch)
    path = os.path.join(c.path, "criod.conf")
    with open(path) as f:
        before = f.read()

    def configure(text):
        with open(path, "w") as f:
            f.write(text)
        os.kill(c.parent(), signal.SIGHUP)
    try:
        assert image(c, ONE).id == ""
        configure(before + 'additional store "%s"\n' % shelf)
        wait_for("the store", lambda: known(c))
        pod, config = pods.run()
        ctr = pods.start(pod, config, ["sleep", "1000"], image=ONE)
        configure(before)
        wait_for("its end", lambda: known(c) == "")
        wait_for("a list", lambda: not c.client.ListImages().images)
        assert pods.sh(ctr, "cat /file-one").stdout == b"one"
        with pytest.raises(grpc.RpcError) as e:
            pods.create(pod, config, ["true"], name="d", image=ONE)
        assert e.value.code() == grpc.StatusCode.NOT_FOUND
    finally:
        pods.clean()
        c.stop()
