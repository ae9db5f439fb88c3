"""OCI artifacts: files by their titles, as image volumes show them."""
import json
import os

import drive
import hostile
import pytest

TITLE = "org.opencontainers.image.title"
EMPTY = b"{}"


def artifact(files, kind="application/vnd.test.thing", config=EMPTY,
             config_type="application/vnd.oci.empty.v1+json", key=TITLE,
             extra=()):
    """As ORAS makes them; files: (title or None, contents)."""
    blobs = {hostile.digest(config): config}
    layers = []
    for title, data in files:
        blobs[hostile.digest(data)] = data
        layer = {"mediaType": "application/octet-stream",
                 "digest": hostile.digest(data), "size": len(data)}
        if title is not None:
            layer["annotations"] = {key: title}
        layers.append(layer)
    doc = {"schemaVersion": 2,
           "mediaType": hostile.OCI + "manifest.v1+json",
           "config": {"mediaType": config_type,
                      "digest": hostile.digest(config), "size": len(config)},
           "layers": layers, **dict(extra)}
    if kind:
        doc["artifactType"] = kind
    return blobs, (doc["mediaType"], json.dumps(doc).encode())


def put(registry, made, repo="art"):
    registry.blobs.update(made[0])
    return registry.put(repo, "v1", made[1])


def files(im, ident):
    out = {}
    for n in im.lease("c" * 64, ident).layers:
        top = os.path.join(im.root, "layer", str(n), "fs")
        for base, _, names in os.walk(top):
            for name in names:
                path = os.path.join(base, name)
                with open(path, "rb") as f:
                    out[os.path.relpath(path, top)] = f.read()
                st = os.lstat(path)
                assert (st.st_mode, st.st_uid, st.st_gid, st.st_mtime) == (
                    0o100644, 0, 0, 0)
    return out


LONG = "models/" + "n" * 200 + "/weights.bin"
FILES = [("config.json", b"{}"), (LONG, os.urandom(3 << 20)),
         ("a b/\u00e9t\u00e9", b"x" * 512), ("empty", b""),
         ("block", b"y" * 511), (None, b"no title: no file")]


@pytest.mark.parametrize("kind,config_type,key", [
    ("application/vnd.test.thing", "application/vnd.oci.empty.v1+json",
     TITLE),
    ("", "application/vnd.test.config", TITLE),
    ("application/vnd.test.thing", hostile.OCI + "config.v1+json", TITLE),
    ("", "application/vnd.cncf.model.config.v1+json",
     "org.cncf.model.filepath")])
def test_files(imaged, registry, kind, config_type, key):
    made = artifact(FILES, kind, config_type=config_type, key=key)
    name = put(registry, made)
    ident = imaged.pull(name)
    assert ident == hostile.digest(made[1][1])
    want = {t: d for t, d in FILES if t is not None}
    assert files(imaged, ident) == want
    [shown] = imaged.list()
    assert shown.id == ident and list(shown.repo_tags) == [name]
    assert list(shown.repo_digests) == [f"{registry.host}/art@{ident}"]
    assert shown.size > 3 << 20
    before = len(registry.requests("/blobs/"))
    assert imaged.pull(name) == ident
    assert len(registry.requests("/blobs/")) == before


def test_beside_an_image(imaged, registry):
    """An index of an image and its attestation names the image; an artifact's
    own entry is found by its digest."""
    image = hostile.Image()
    registry.blobs.update(image.blobs)
    made = artifact([("f", b"1")])
    put(registry, made)
    registry.manifests["both", hostile.digest(made[1][1])] = made[1]
    registry.put("both", "x", image)
    name = registry.put("both", "v1", hostile.index([
        dict(image.entry(os="linux", architecture="amd64")),
        {"mediaType": made[1][0], "digest": hostile.digest(made[1][1]),
         "size": len(made[1][1]), "artifactType": "application/x",
         "platform": {"os": "unknown", "architecture": "unknown"}}]))
    assert imaged.pull(name) == image.id


def test_wrong_bytes(imaged, registry):
    made = artifact([("f", b"right"), ("g", b"fine")])
    name = put(registry, made)
    registry.hooks["blobs", "art", hostile.digest(b"right")] = \
        hostile.fixed(200, b"wrong")
    with pytest.raises(drive.Failed, match="another digest"):
        imaged.pull(name)
    assert imaged.list() == []


@pytest.mark.parametrize("title", [
    "../x", "/etc/passwd", "a/../b", ".", "..", "a//b", "a/", "x\ny",
    ".wh.x", "a/.wh..wh..opq", "n" * 256, "\x7f", "a/./b"])
def test_titles_that_are_no_files(imaged, registry, title):
    with pytest.raises(drive.Failed, match="title") as e:
        imaged.pull(put(registry, artifact([(title, b"x")])))
    assert e.value.code == "DATA_LOSS"
    assert os.listdir(os.path.join(imaged.root, "layer")) == []


def test_one_title_twice(imaged, registry):
    with pytest.raises(drive.Failed, match="two files"):
        imaged.pull(put(registry, artifact([("f", b"x"), ("f", b"y")])))


def test_a_file_and_a_directory(imaged, registry):
    """Each is a layer of its own: the later one is what is seen."""
    ident = imaged.pull(put(registry, artifact([("f", b"x"), ("f/g", b"y")])))
    assert len(imaged.lease("c" * 64, ident).layers) == 2


def test_no_files(imaged, registry):
    with pytest.raises(drive.Failed, match="without files") as e:
        imaged.pull(put(registry, artifact([(None, EMPTY)])))
    assert e.value.code == "FAILED_PRECONDITION"


def test_import(imaged, tmp_path):
    made = artifact(FILES)
    blobs = {**made[0], hostile.digest(made[1][1]): made[1][1]}
    paths = {}
    for i, (d, data) in enumerate(blobs.items()):
        paths[d] = str(tmp_path / f"b{i}")
        with open(paths[d], "wb") as f:
            f.write(data)
    ident = hostile.digest(made[1][1])
    assert imaged.import_image("docker.io/x/art:1", ident, paths) == ident
    assert files(imaged, ident) == {t: d for t, d in FILES if t is not None}
