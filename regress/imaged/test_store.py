"""The store behind imaged's own filter: status, list, removal, leases, kills."""
import json
import os
import sqlite3
import subprocess
import time

import pytest

import drive
from drive import cri, msg
from hostile import Image

A, B = "a" * 64, "b" * 64


def have(im, container="", image=""):
    im.execd.send("LEASE_HAVE", msg.LeaseHave(
        container_id=container, image_id=image).SerializeToString())


def put(im, container):
    im.execd.send("LEASE_PUT", msg.LeasePut(
        container_id=container).SerializeToString())


def layers(im):
    return sorted(os.listdir(os.path.join(im.root, "layer")), key=int)


def status(im, image, verbose=False):
    return im.front.call("IMG_STATUS", cri.ImageStatusRequest(
        image=cri.ImageSpec(image=image), verbose=verbose),
        cri.ImageStatusResponse)


def fsinfo(im):
    return im.front.call("IMG_FSINFO", msg.Empty(), cri.ImageFsInfoResponse)


def test_status_forms(imaged, registry):
    image = Image()
    name = registry.put("app", "v1", image)
    imaged.pull(name)
    for what in (name, image.id, image.id[7:], image.id[7:20],
                 f"{registry.host}/app@{image.digest}",
                 f"{registry.host}/app:v9@{image.digest}"):
        assert imaged.status(what).id == image.id
    for what in (f"{registry.host}/app", f"{registry.host}/app:v2", "app",
                 "sha256:" + "0" * 64, "0" * 64, "no such name", "../..",
                 "x" * 5000, image.id.upper()):
        got = status(imaged, what)
        assert not got.HasField("image"), what
    with pytest.raises(drive.Failed, match="image.image"):
        imaged.status("")
    info = json.loads(status(imaged, name, verbose=True).info["info"])
    assert "rootfs" in info["imageSpec"]
    assert not status(imaged, name).info


def test_list_filter(imaged, registry):
    names = [registry.put(f"app{i}", "v1", Image([{"f": b"%d" % i}]))
             for i in range(3)]
    for n in names:
        imaged.pull(n)
    ids = [i.id for i in imaged.list()]
    assert len(ids) == 3 and ids == sorted(ids)
    for what, n in ((names[1], 1), ("none:1", 0)):
        req = cri.ListImagesRequest()
        req.filter.image.image = what
        got = imaged.front.call("IMG_LIST", req, cri.ListImagesResponse)
        assert len(got.images) == n


def test_fsinfo(imaged, registry):
    empty = fsinfo(imaged).image_filesystems[0]
    assert empty.used_bytes.value == 0 and empty.inodes_used.value == 0
    imaged.pull(registry.put("app", "v1", Image([{"f": b"x" * 100000}])))
    info = fsinfo(imaged)
    assert list(info.image_filesystems) == list(info.container_filesystems)
    one = info.image_filesystems[0]
    assert one.fs_id.mountpoint == imaged.root
    assert one.used_bytes.value > 100000 and one.inodes_used.value >= 2
    assert abs(one.timestamp - time.time_ns()) < 10 ** 10
    assert imaged.told_fs.used_bytes == one.used_bytes
    imaged.remove(imaged.list()[0].id)
    assert imaged.told_fs.used_bytes.value == 0


@pytest.mark.parametrize("by", ["name", "id", "digest", "short"])
def test_remove(imaged, registry, by):
    have(imaged)
    image = Image([{"a": b"1"}, {"b": b"2"}])
    name = registry.put("app", "v1", image)
    other = registry.put("app", "v2", image)
    imaged.pull(name)
    imaged.pull(other)
    imaged.remove({"name": name, "id": image.id, "short": image.id[7:19],
                   "digest": f"{registry.host}/app@{image.digest}"}[by])
    assert imaged.list() == [] and layers(imaged) == []
    imaged.remove(name)  # again: fine
    imaged.remove("never.test/seen:1")
    assert fsinfo(imaged).image_filesystems[0].used_bytes.value == 0


def test_shared_layers(imaged, registry):
    have(imaged)
    one = Image([{"a": b"1"}, {"b": b"2"}])
    two = Image([{"a": b"1"}, {"c": b"3"}])
    for i, image in enumerate((one, two)):
        imaged.pull(registry.put(f"app{i}", "v1", image))
    assert len(layers(imaged)) == 3
    imaged.remove(one.id)
    assert len(layers(imaged)) == 2
    low = imaged.lease(A, two.id).layers[0]
    assert os.path.exists(f"{imaged.root}/layer/{low}/fs/a")


def test_lease_blocks_removal(imaged, registry):
    have(imaged)
    image = Image()
    name = registry.put("app", "v1", image)
    imaged.pull(name)
    lease = imaged.lease(A, name)
    assert lease.image_id == image.id
    assert lease.image_ref == f"{registry.host}/app@{image.digest}"
    with pytest.raises(drive.Failed, match=A) as e:
        imaged.remove(name)
    assert e.value.code == "FAILED_PRECONDITION"
    with pytest.raises(drive.Failed) as e:
        imaged.lease(B, "never.test/seen:1")
    assert e.value.code == "NOT_FOUND"
    for bad in ("", "../x", "A" * 64, A[:-1]):
        with pytest.raises(drive.Failed) as e:
            imaged.lease(bad, name)
        assert e.value.code == "INVALID_ARGUMENT"
    put(imaged, B)
    put(imaged, A)
    imaged.remove(name)
    assert imaged.list() == []


def test_restart_keeps_images_and_leases(start, registry):
    im = start(registries=[drive.registry(registry.host, insecure=True)])
    image = Image()
    name = registry.put("app", "v1", image)
    im.pull(name)
    for _ in range(3):
        im.process.kill()
        im.process.wait()
        before = im.root
        im.__init__(before, [drive.registry(registry.host, insecure=True)])
        assert im.status(name).id == image.id
        started = im.front.start("IMG_REMOVE", cri.RemoveImageRequest(
            image=cri.ImageSpec(image=name)).SerializeToString())
        time.sleep(0.2)
        assert not started[1].is_set()  # it waits for execd
        have(im, A, image.id)
        have(im)
        with pytest.raises(drive.Failed, match=A):
            im.front.finish(started, msg.Empty)


def test_killed_while_pulling(start, registry):
    """Whatever the instant: every listed image is whole, the rest is gone."""
    config = [drive.registry(registry.host, insecure=True)]
    im = start(registries=config)
    names = []
    for i in range(6):
        image = Image([{f"f{k}": os.urandom(200000)} for k in range(4)])
        names.append((registry.put(f"app{i}", "v1", image), image))
    for turn in range(12):
        pulls = [im.start_pull(n) for n, _ in names]
        time.sleep(0.01 + turn * 0.02)
        im.process.kill()
        im.process.wait()
        for p in im.unpacks:
            p.wait(20)
        im.__init__(im.root, config)
        have(im)
        used = set()
        for image in im.list():
            for n in im.lease(A, image.id).layers:
                used.add(str(n))
                fs = f"{im.root}/layer/{n}/fs"
                files = os.listdir(fs)
                assert len(files) == 1
                assert os.path.getsize(f"{fs}/{files[0]}") == 200000
            put(im, A)
        end = time.time() + 10
        while set(layers(im)) != used and time.time() < end:
            time.sleep(0.05)
        assert set(layers(im)) == used
        if turn % 4 == 3:
            for image in im.list():
                im.remove(image.id)
        del pulls
    for name, image in names:
        assert im.pull(name) == image.id


def test_full_disk(start, registry, tmp_path):
    disk = tmp_path / "image0"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=200",
                       "tmpfs", str(disk)]).returncode != 0:
        pytest.skip("cannot mount")
    try:
        im = start(registries=[drive.registry(registry.host, insecure=True)])
        have(im)
        small = registry.put("small", "v1", Image([{"f": b"x"}]))
        im.pull(small)
        big = registry.put("big", "v1", Image([{"f": os.urandom(14 << 20)}]))
        with pytest.raises(drive.Failed) as e:
            im.pull(big)
        assert e.value.code == "RESOURCE_EXHAUSTED", e.value
        fill = os.open(disk / "fill", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(fill, b"x" * 4096)
        except OSError:
            pass
        for i in range(300):
            try:
                os.close(os.open(disk / f"i{i}", os.O_CREAT))
            except OSError:
                break
        im.remove(small)
        assert im.list() == [] and layers(im) == []
        os.close(fill)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def used(disk):
    st = os.statvfs(disk)
    return {"size": (st.f_blocks - st.f_bfree) * st.f_bsize,
            "nr_inodes": st.f_files - st.f_ffree}


@pytest.mark.parametrize("what,step", [("size", 12288), ("nr_inodes", 1)])
def test_full_at_every_write(start, registry, tmp_path, what, step):
    """security.md §4 D1, D2: a little more room each time, until the pull
    succeeds; then none at all, and removal."""
    disk = tmp_path / "image0"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=999",
                       "tmpfs", str(disk)]).returncode != 0:
        pytest.skip("cannot mount")

    def limit(n):
        subprocess.run(["mount", "-o", "remount,%s=%d" % (what, n),
                        str(disk)], check=True)
    try:
        im = start(registries=[drive.registry(registry.host, insecure=True)])
        have(im)
        small = registry.put("small", "v1", Image([{"f": b"x"}]))
        im.pull(small)
        base = used(disk)[what]
        two = registry.put("two", "v1", Image(
            [{"d/f%d" % i: os.urandom(5000) for i in range(9)},
             {"e/f%d" % i: b"y" for i in range(9)}]))
        failed = 0
        while True:
            limit(max(base + failed * step, used(disk)[what]))
            try:
                im.pull(two)
                break
            except drive.Failed as e:
                assert e.code == "RESOURCE_EXHAUSTED", (failed, e)
            failed += 1
            assert len(im.list()) == 1 and failed < 400
        assert failed > 5
        limit(used(disk)[what])
        im.remove(two)
        im.remove(small)
        assert im.list() == [] and layers(im) == []
        limit(999 if what == "nr_inodes" else 64 << 20)
        im.pull(two)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


VERSION_1 = """
CREATE TABLE layer (number INTEGER PRIMARY KEY AUTOINCREMENT,
 diff_id TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
 inodes INTEGER NOT NULL) STRICT;
CREATE TABLE image (id TEXT PRIMARY KEY, user TEXT NOT NULL,
 config BLOB NOT NULL) STRICT;
CREATE TABLE manifest (digest TEXT NOT NULL, image TEXT NOT NULL
 REFERENCES image(id) ON DELETE CASCADE, body BLOB NOT NULL,
 PRIMARY KEY (digest, image)) STRICT;
CREATE TABLE name (name TEXT PRIMARY KEY, image TEXT NOT NULL
 REFERENCES image(id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
CREATE TABLE image_layer (image TEXT NOT NULL
 REFERENCES image(id) ON DELETE CASCADE, position INTEGER NOT NULL,
 layer INTEGER NOT NULL REFERENCES layer(number),
 PRIMARY KEY (image, position)) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_image ON manifest(image);
CREATE INDEX name_image ON name(image);
CREATE INDEX image_layer_layer ON image_layer(layer);
PRAGMA user_version = 1;
"""


def make_version_1(root):
    """Of the store what criod's first catalogue would be: no recipes, no
    spare."""
    path = os.path.join(root, "catalogue.db")
    os.rename(path, path + ".now")
    for suffix in ("", "-wal"):
        if os.path.exists(os.path.join(root, "spare.db" + suffix)):
            os.unlink(os.path.join(root, "spare.db" + suffix))
    db = sqlite3.connect(path)
    db.executescript(VERSION_1)
    db.execute("ATTACH ? AS now", (path + ".now",))
    for table, columns in (("layer", "number, diff_id, bytes, inodes"),
                           ("image", "*"), ("manifest", "*"), ("name", "*"),
                           ("image_layer", "*"), ("sqlite_sequence", "*")):
        db.execute("DELETE FROM " + table)
        db.execute("INSERT INTO %s SELECT %s FROM now.%s" % (
            table, columns, table))
    db.commit()
    db.close()
    for name in os.listdir(root):
        if name.startswith("catalogue.db.now") or name == "catalogue.db-wal":
            os.unlink(os.path.join(root, name))
    for n in os.listdir(os.path.join(root, "layer")):
        os.unlink(os.path.join(root, "layer", n, "recipe"))
    os.chown(path, drive.UID, drive.GID)


def test_catalogue_of_version_1(start, registry):
    """Nothing is lost, nothing fetched again, no number given twice."""
    config = [drive.registry(registry.host, insecure=True)]
    im = start(registries=config, boot="one")
    have(im)
    made = [Image([{"a": b"1"}, {"n": b"%d" % n}]) for n in range(3)]
    names = [registry.put("app%d" % n, "v1", i) for n, i in enumerate(made)]
    for name in names:
        im.pull(name)
    im.remove(names[2])  # it had the highest number
    drive.wait_for(lambda: layers(im) == ["1", "2", "3"])
    before = list(im.lease(A, made[0].id).layers)
    put(im, A)
    assert im.stop() == 0
    make_version_1(im.root)
    asked = len(registry.requests("/blobs/"))
    im.__init__(im.root, config, boot="two")
    have(im)
    assert [im.status(n).id for n in names[:2]] == [i.id for i in made[:2]]
    assert list(im.lease(A, made[0].id).layers) == before
    put(im, A)
    assert im.pull(names[1]) == made[1].id
    assert len(registry.requests("/blobs/")) == asked
    with pytest.raises(drive.Failed) as e:
        im.front.call("IMG_READ", msg.ImgRead(layer=1), msg.ImgReadDone)
    assert e.value.code == "FAILED_PRECONDITION", e.value
    im.pull(names[2])
    assert max(im.lease(A, made[2].id).layers) == 5
    put(im, A)
    # for good: with the spare in its place it is the same
    assert im.stop() == 0
    os.unlink(os.path.join(im.root, "catalogue.db"))
    im.__init__(im.root, config, boot="two")
    assert {i.id for i in im.list()} == {i.id for i in made}


def test_user(imaged, registry):
    for user, uid, name in (("", None, ""), ("0", 0, ""), ("1000:5", 1000, ""),
                            ("4294967294", 4294967294, ""),
                            ("4294967296", None, "4294967296"),
                            ("-1", None, "-1"), ("web", None, "web"),
                            ("web:staff", None, "web")):
        image = Image([{"f": user.encode()}])
        image.config["config"] = {"User": user}
        image.seal()
        got = imaged.status((imaged.pull(registry.put("u", "v1", image))))
        assert got.username == name
        assert (got.uid.value if got.HasField("uid") else None) == uid
