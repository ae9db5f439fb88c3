"""Digests by sha512: of manifests, configurations, layers and references."""
import hashlib
import json
import os

import pytest

import hostile
from drive import Failed
from hostile import OCI, Image

K = "sha512"


def sha512(image, *what):
    """Names parts of an image by sha512 instead."""
    if "layer" in what:
        for d in image.manifest["layers"]:
            d["digest"] = hostile.digest(image.blobs[d["digest"]], K)
    image.seal()
    if "config" in what:
        image.manifest["config"]["digest"] = hostile.digest(
            image.blobs[image.id], K)
        image.seal(config=False)
    for data in list(image.blobs.values()):
        image.blobs[hostile.digest(data, K)] = data
    return image


@pytest.mark.parametrize("what", [("layer",), ("config",),
                                  ("layer", "config")])
def test_parts(imaged, registry, what):
    """The image's id is what it always is, sha256 of its configuration."""
    image = sha512(Image([{"a": b"1"}, {"b": b"2" * 3000000}]), *what)
    name = registry.put("app", "v1", image)
    assert imaged.pull(name) == image.id
    assert image.id == "sha256:" + hashlib.sha256(
        json.dumps(image.config).encode()).hexdigest()
    lease = imaged.lease("c" * 64, name)
    assert len(lease.layers) == 2
    # Once more, the same by sha256: nothing is unpacked again.
    assert imaged.pull(registry.put("app", "v2", Image(
        [{"a": b"1"}, {"b": b"2" * 3000000}]))) == image.id
    assert imaged.spawned == 2


def test_reference(imaged, registry):
    image = Image()
    registry.put("app", "v1", image)
    name = f"{registry.host}/app@{hostile.digest(image.raw, K)}"
    assert imaged.pull(name) == image.id
    assert list(imaged.status(name).repo_digests) == [name]
    assert imaged.status(image.id).id == image.id
    imaged.remove(name)
    assert imaged.list() == []


def test_index(imaged, registry):
    image = Image()
    registry.put("app", "x", image)
    top = hostile.index([dict(image.entry(os="linux", architecture="amd64"),
                              digest=hostile.digest(image.raw, K))])
    name = registry.put("app", "v1", top)
    assert imaged.pull(name) == image.id
    assert sorted(imaged.status(name).repo_digests) == sorted([
        f"{registry.host}/app@{hostile.digest(top[1])}",
        f"{registry.host}/app@{hostile.digest(image.raw, K)}"])


def test_header(imaged, registry):
    """A registry may name the same bytes by another algorithm than asked."""
    image = Image()
    name = registry.put("app", "v1", image)
    for asked in (name, name.replace(":v1", "@" + image.digest)):
        registry.hooks["manifests", "app"] = hostile.fixed(
            200, image.raw, Content_Type=image.type,
            Docker_Content_Digest=hostile.digest(image.raw, K))
        assert imaged.pull(asked) == image.id
        registry.hooks["manifests", "app"] = hostile.fixed(
            200, image.raw, Content_Type=image.type,
            Docker_Content_Digest=hostile.digest(b"other", K))
        with pytest.raises(Failed) as e:
            imaged.pull(asked)
        assert "Docker-Content-Digest" in str(e.value)


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_wrong(imaged, registry, which):
    image = sha512(Image(), "layer", "config")
    name = registry.put("app", "v1", image)
    if which == "manifest":
        other = Image([{"evil": b"1"}])
        name = name.replace(":v1", "@" + hostile.digest(image.raw, K))
        registry.hooks["manifests", "app"] = hostile.fixed(
            200, other.raw, Content_Type=other.type)
        registry.blobs.update(other.blobs)
    else:
        d = image.manifest["config"] if which == "config" else \
            image.manifest["layers"][0]
        good = registry.blobs[d["digest"]]
        registry.blobs[d["digest"]] = good[:-1] + b"#"
    with pytest.raises(Failed) as e:
        imaged.pull(name)
    assert e.value.code == "DATA_LOSS" and "digest" in str(e.value)
    assert imaged.list() == []


def test_unknown(imaged, registry):
    image = Image()
    name = registry.put("app", "v1", image)
    with pytest.raises(Failed) as e:
        imaged.pull(name.replace(":v1", "@sha384:" + "0" * 96))
    assert e.value.code == "INVALID_ARGUMENT" and "neither" in str(e.value)
    image.manifest["layers"][0]["digest"] = "blake3:" + "0" * 64
    with pytest.raises(Failed) as e:
        imaged.pull(registry.put("app", "v2", image.seal(config=False)))
    assert "neither" in str(e.value)
    image = Image()
    image.config["rootfs"]["diff_ids"] = ["sha512:" + "0" * 128]
    with pytest.raises(Failed) as e:
        imaged.pull(registry.put("app", "v3", image.seal()))
    assert e.value.code == "FAILED_PRECONDITION"
    assert "diff_ids" in str(e.value)


def test_artifact(imaged, registry):
    data = b"model"
    doc = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
           "artifactType": "application/vnd.test.thing",
           "config": {"mediaType": "application/vnd.oci.empty.v1+json",
                      "digest": hostile.digest(b"{}", K), "size": 2},
           "layers": [{"mediaType": "text/plain", "size": len(data),
                       "digest": hostile.digest(data, K), "annotations":
                       {"org.opencontainers.image.title": "m.bin"}}]}
    raw = json.dumps(doc).encode()
    registry.blobs.update({hostile.digest(b"{}", K): b"{}",
                           hostile.digest(data, K): data})
    registry.put("art", "v1", (doc["mediaType"], raw))
    name = f"{registry.host}/art@{hostile.digest(raw, K)}"
    assert imaged.pull(name) == hostile.digest(raw)
    before = imaged.spawned
    assert imaged.pull(name) == hostile.digest(raw)
    assert imaged.spawned == before


def test_import(imaged, tmp_path):
    image = sha512(Image(), "layer", "config")
    blobs = {}
    for d, data in list(image.blobs.items()) + [
            (hostile.digest(image.raw, K), image.raw)]:
        path = os.path.join(tmp_path, d)
        with open(path, "wb") as f:
            f.write(data)
        blobs[d] = path
    ident = imaged.import_image("a.test/b:1", hostile.digest(image.raw, K),
                                blobs)
    assert ident == image.id
    assert imaged.status("a.test/b:1").id == image.id
