"""PullImage against a registry that is honest."""
import os
import threading

import drive
import hostile
import pytest
from hostile import Image


def tree(im, layer):
    return os.path.join(im.root, "layer", str(layer), "fs")


@pytest.mark.parametrize("family", ["oci", "docker"])
@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_formats(imaged, registry, family, how):
    image = Image([{"a": b"1"}, {"b": b"22"}], family=family, how=how)
    name = registry.put("some/app", "v1", image)
    assert imaged.pull(name) == image.id
    status = imaged.status(name)
    assert status.id == image.id and status.size > 0
    assert list(status.repo_tags) == [name]
    assert list(status.repo_digests) == [
        f"{registry.host}/some/app@{image.digest}"]
    lease = imaged.lease("c" * 64, image.id)
    assert len(lease.layers) == 2
    with open(os.path.join(tree(imaged, lease.layers[0]), "a"), "rb") as f:
        assert f.read() == b"1"
    with open(os.path.join(tree(imaged, lease.layers[1]), "b"), "rb") as f:
        assert f.read() == b"22"


def test_by_digest(imaged, registry):
    image = Image()
    registry.put("app", "v1", image)
    name = f"{registry.host}/app@{image.digest}"
    assert imaged.pull(name) == image.id
    assert list(imaged.status(name).repo_tags) == []
    assert list(imaged.status(name).repo_digests) == [name]
    both = f"{registry.host}/app:v9@{image.digest}"
    assert imaged.pull(both) == image.id
    assert imaged.status(both).id == image.id
    assert list(imaged.status(both).repo_tags) == []


def test_again_fetches_nothing(imaged, registry):
    image = Image([{"a": b"1"}, {"b": b"2"}])
    name = registry.put("app", "v1", image)
    imaged.pull(name)
    before = len(registry.log)
    assert imaged.pull(name) == image.id
    assert len(registry.log) == before + 1  # the manifest
    assert imaged.spawned == 2


def test_tag_moves(imaged, registry):
    old, new = Image([{"a": b"1"}]), Image([{"a": b"1"}, {"b": b"2"}])
    name = registry.put("app", "v1", old)
    imaged.pull(name)
    registry.put("app", "v1", new)
    assert imaged.pull(name) == new.id
    assert imaged.status(name).id == new.id
    assert list(imaged.status(old.id).repo_tags) == []
    assert imaged.spawned == 2  # the shared layer came once


@pytest.mark.parametrize("family", ["oci", "docker"])
def test_index(imaged, registry, family):
    mine = Image([{"a": b"amd64"}], family=family)
    others = [Image([{"a": a.encode()}], family=family, arch=a)
              for a in ("arm64", "s390x")]
    for i in (mine, *others):
        registry.put("app", "x", i)
    entries = [others[0].entry(os="linux", architecture="arm64"),
               mine.entry(os="windows", architecture="amd64"),
               mine.entry(os="linux", architecture="amd64"),
               others[1].entry(os="linux", architecture="s390x")]
    kind, raw = hostile.index(entries, family)
    name = registry.put("app", "v1", (kind, raw))
    assert imaged.pull(name) == mine.id
    assert set(imaged.status(name).repo_digests) == {
        f"{registry.host}/app@{d}" for d in (hostile.digest(raw),
                                             mine.digest)}
    assert imaged.status(f"{registry.host}/app@{hostile.digest(raw)}").id \
        == mine.id
    kind, raw = hostile.index(entries[:1], family)
    name = registry.put("app", "none", (kind, raw))
    with pytest.raises(drive.Failed) as e:
        imaged.pull(name)
    assert e.value.code == "NOT_FOUND" and "linux/amd64" in e.value.text


def nested(registry, repo, depth):
    image = Image()
    registry.put(repo, "x", image)
    kind, raw = hostile.index([image.entry(os="linux", architecture="amd64")])
    for _ in range(depth - 1):
        registry.put(repo, "x", (kind, raw))
        kind, raw = hostile.index([{"mediaType": kind, "size": len(raw),
                                    "digest": hostile.digest(raw)}])
    return image, registry.put(repo, "v1", (kind, raw))


def test_nested_index(imaged, registry):
    image, name = nested(registry, "four", 4)
    assert imaged.pull(name) == image.id
    with pytest.raises(drive.Failed, match="deep"):
        imaged.pull(nested(registry, "five", 5)[1])


def test_many_layers(imaged, registry):
    image = Image([{f"f{i}": b"x" * i} for i in range(127)])
    assert imaged.pull(registry.put("app", "v1", image)) == image.id
    assert len(imaged.lease("c" * 64, image.id).layers) == 127
    assert imaged.memory_kb("Rss") < 64 * 1024


def test_same_layer_twice(imaged, registry):
    image = Image([{"a": b"1"}, {"b": b"2"}, {"a": b"1"}])
    assert imaged.pull(registry.put("app", "v1", image)) == image.id


def test_big_layer_is_not_in_memory(imaged, registry):
    image = Image([{"big": os.urandom(1 << 20) * 200}], how="plain")
    assert imaged.pull(registry.put("app", "v1", image)) == image.id
    assert imaged.memory_kb("Rss") < 64 * 1024


def test_one_download(imaged, registry):
    """Ten pulls of three images with one layer in common."""
    base = {"base": os.urandom(1 << 20)}
    images = [Image([base, {"own": b"%d" % i}]) for i in range(3)]
    names = [registry.put(f"app{i}", "v1", image)
             for i, image in enumerate(images)]
    started = [imaged.start_pull(names[i % 3]) for i in range(10)]
    for i, s in enumerate(started):
        assert imaged.end_pull(s) == images[i % 3].id
    shared = images[0].manifest["layers"][0]["digest"]
    assert len(registry.requests(shared)) == 1
    assert len(registry.requests("/manifests/")) == 3
    assert imaged.spawned == 4


def test_parallel(start, registry):
    """Layers come side by side, no more than was configured."""
    im = start(parallel=3, registries=[
        drive.registry(registry.host, insecure=True)])
    image = Image([{"f": b"%d" % i} for i in range(7)])
    at_once, most, lock = [0], [0], threading.Lock()
    barrier = threading.Barrier(3)

    def hook(h):
        name = h.path.rsplit("/", 1)[1]
        if name != image.id:
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            try:
                barrier.wait(1)
            except threading.BrokenBarrierError:
                pass
            with lock:
                at_once[0] -= 1
        registry.answer(h, "blobs", "app", name)

    name = registry.put("app", "v1", image)
    registry.hooks["blobs", "app"] = hook
    im.pull(name)
    assert most[0] == 3


def test_mirrors(start, registry, other):
    image = Image()
    registry.put("mirror/app", "v1", image)
    im = start(registries=[drive.registry("docker.io/library", mirrors=[
        ("127.0.0.1:1", True), (other.host, True),
        (registry.host + "/mirror", True)])])
    assert im.pull("app:v1") == image.id
    assert list(im.status("app:v1").repo_tags) == ["docker.io/library/app:v1"]
    assert len(other.log) == 1  # said 404


def test_mirror_without_a_blob(start, registry, other):
    """What one mirror lacks comes from the next."""
    image = Image([{"a": b"1"}, {"b": b"2"}])
    registry.put("app", "v1", image)
    other.put("app", "v1", image)
    del registry.blobs[image.manifest["layers"][1]["digest"]]
    im = start(registries=[drive.registry("quay.io", mirrors=[
        (registry.host, True), (other.host, True)])])
    assert im.pull("quay.io/app:v1") == image.id
    assert len(other.requests("/blobs/")) == 1


def test_blocked(start):
    im = start(registries=[drive.registry("evil.example", blocked=True)])
    with pytest.raises(drive.Failed) as e:
        im.pull("evil.example/x")
    assert e.value.code == "PERMISSION_DENIED"


def test_not_found(imaged, registry):
    with pytest.raises(drive.Failed) as e:
        imaged.pull(f"{registry.host}/nothing:here")
    assert e.value.code == "NOT_FOUND"
    assert "nothing:here" in e.value.text and registry.host in e.value.text


def test_unreachable(start):
    with pytest.raises(drive.Failed) as e:
        start().pull("127.0.0.1:1/x")
    assert e.value.code == "UNKNOWN"
    assert e.value.text.startswith("RegistryUnavailable: ")
    assert "127.0.0.1:1" in e.value.text


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "a@sha256:x", "a" * 300,
                                  "../x", "0" * 64])
def test_bad_reference(imaged, name):
    with pytest.raises(drive.Failed) as e:
        imaged.pull(name)
    assert e.value.code == "INVALID_ARGUMENT"


# authentication

def test_basic(imaged, registry):
    registry.auth = hostile.basic_auth("u", "s3cret")
    image = Image()
    name = registry.put("app", "v1", image)
    assert imaged.pull(name, username="u", password="s3cret") == image.id
    for wrong in ({}, {"username": "u", "password": "s3cret-no"}):
        with pytest.raises(drive.Failed) as e:
            imaged.pull(name, **wrong)
        assert e.value.code == "UNAUTHENTICATED"
        assert "s3cret" not in e.value.text
    assert imaged.pull(name, auth="dTpzM2NyZXQ=") == image.id


def test_credentials_of_another_server(imaged, registry):
    registry.auth = hostile.basic_auth("u", "s3cret")
    name = registry.put("app", "v1", Image())
    with pytest.raises(drive.Failed) as e:
        imaged.pull(name, username="u", password="s3cret",
                    server_address="https://quay.io")
    assert e.value.code == "UNAUTHENTICATED"
    assert all(r["authorization"] is None for r in registry.log)
    imaged.pull(name, username="u", password="s3cret",
                server_address=registry.host)


def test_token(imaged, registry):
    realm = hostile.token_server(registry, basic="u:s3cret")
    hostile.token_auth(registry, realm)
    image = Image([{"a": b"1"}, {"b": b"2"}])
    name = registry.put("app", "v1", image)
    assert imaged.pull(name, username="u", password="s3cret") == image.id
    asked = registry.requests("/token")
    assert len(asked) == 1
    assert "scope=repository:app:pull" in asked[0]["path"]
    with pytest.raises(drive.Failed) as e:
        imaged.pull(name, username="u", password="nos3cret")
    assert e.value.code == "UNAUTHENTICATED"


def test_token_anonymous(imaged, registry):
    hostile.token_auth(registry, hostile.token_server(registry))
    image = Image()
    assert imaged.pull(registry.put("app", "v1", image)) == image.id
    assert registry.requests("/token")[0]["authorization"] is None


def test_token_expires(imaged, registry):
    """A new one is asked for when the old one stops being taken."""
    hostile.token_auth(registry, hostile.token_server(registry))
    image = Image([{"a": b"1"}])
    name = registry.put("app", "v1", image)

    def expired(h):
        hostile.token_server(registry, token="tok-2")
        hostile.token_auth(registry, registry.url + "/token", "tok-2")
        del registry.hooks["blobs", "app"]
        h.reply(401, WWW_Authenticate='Bearer realm="%s/token"' %
                registry.url)
    registry.hooks["blobs", "app"] = expired
    assert imaged.pull(name) == image.id


def test_identity_token(imaged, registry):
    realm = hostile.token_server(registry)
    hostile.token_auth(registry, realm)
    image = Image()
    name = registry.put("app", "v1", image)
    assert imaged.pull(name, identity_token="aWQtdG9r") == image.id
    asked = registry.requests("/token")[0]
    assert asked["method"] == "POST" and asked["authorization"] is None
    assert b"refresh_token=aWQtdG9r" in asked["body"]


def test_registry_token(imaged, registry):
    hostile.token_auth(registry, registry.url + "/none", "tok-1")
    image = Image()
    name = registry.put("app", "v1", image)
    assert imaged.pull(name, registry_token="tok-1") == image.id
    with pytest.raises(drive.Failed) as e:
        imaged.pull(name, registry_token="tok-no")
    assert e.value.code == "UNAUTHENTICATED"


# TLS

def test_tls(start, certificates):
    r = hostile.Registry(tls=certificates["good"])
    image = Image()
    name = r.put("app", "v1", image)
    with pytest.raises(drive.Failed) as e:
        start().pull(name)
    assert e.value.text.startswith("RegistryUnavailable: ")
    assert "certificate" in e.value.text
    assert start(ca=certificates["ca"]).pull(name) == image.id
    with open(certificates["ca"], "rb") as f:
        own = f.read()
    assert start(registries=[drive.registry(r.host, ca=own)]).pull(name) \
        == image.id
    assert start(registries=[drive.registry(r.host, insecure=True)]).pull(
        name) == image.id
    r.stop()


@pytest.mark.parametrize("which", ["expired", "wrong"])
def test_tls_bad(start, certificates, which):
    r = hostile.Registry(tls=certificates[which])
    im = start(ca=certificates["ca"])
    with pytest.raises(drive.Failed) as e:
        im.pull(r.put("app", "v1", Image()))
    assert e.value.text.startswith("RegistryUnavailable: ")
    assert r.log == []
    r.stop()


@pytest.mark.parametrize("years,word", [(-50, "before"), (10, "after")])
def test_clock_and_certificates(start, certificates, shim, years, word):
    """security.md §4 C1: whose fault it may be is said."""
    r = hostile.Registry(tls=certificates["good"])
    im = start(ca=certificates["ca"], prefix=shim.prefix)
    name = r.put("app", "v1", Image())
    shim.clock(years * 365 * 86400)
    with pytest.raises(drive.Failed) as e:
        im.pull(name)
    assert e.value.text.startswith("RegistryUnavailable: ")
    assert "the clock here, " in e.value.text, e.value
    assert "is %s its dates" % word in e.value.text
    shim.clock(0)
    im.pull(name)
    r.stop()


def test_plain_http_needs_insecure(start, registry):
    name = registry.put("app", "v1", Image())
    with pytest.raises(drive.Failed) as e:
        start().pull(name)
    assert e.value.text.startswith("RegistryUnavailable: ")
    assert registry.log == []


# cancelling

def test_cancel(imaged, registry):
    image = Image([{"a": b"1"}])
    name = registry.put("app", "v1", image)
    stuck, gone = threading.Event(), threading.Event()

    def hook(h):
        h.send_response(200)
        h.send_header("Content-Length",
                      str(image.manifest["layers"][0]["size"]))
        h.end_headers()
        h.wfile.flush()
        stuck.set()
        if h.rfile.read(1) == b"":
            gone.set()

    layer = image.manifest["layers"][0]["digest"]
    registry.hooks["blobs", "app", layer] = hook
    one, two = imaged.start_pull(name), imaged.start_pull(name)
    assert stuck.wait(10)
    imaged.cancel(one)
    with pytest.raises(drive.Failed) as e:
        imaged.end_pull(one)
    assert e.value.code == "CANCELLED"
    assert not gone.wait(0.3)  # the other still wants it
    imaged.cancel(two)
    assert gone.wait(5)
    del registry.hooks["blobs", "app", layer]
    assert imaged.pull(name) == image.id


# import

def write_blobs(tmp_path, image):
    paths = {}
    for d, data in {**image.blobs, image.digest: image.raw}.items():
        p = tmp_path / d.replace(":", "-")
        p.write_bytes(data)
        paths[d] = str(p)
    return paths


def test_import(imaged, tmp_path):
    image = Image([{"a": b"1"}, {"b": b"2" * 1000000}])
    del image.manifest["mediaType"]  # as umoci writes it
    image.seal()
    assert imaged.import_image("localhost/made:here", image.digest,
                               write_blobs(tmp_path, image)) == image.id
    assert list(imaged.status("localhost/made:here").repo_tags) == [
        "localhost/made:here"]
    with pytest.raises(drive.Failed) as e:  # the blobs were given once
        imaged.import_image("localhost/made:again", image.digest, {})
    assert e.value.code == "NOT_FOUND"


def test_import_bad(imaged, tmp_path):
    image = Image([{"a": b"1"}])
    good = write_blobs(tmp_path, image)
    layer = image.manifest["layers"][0]["digest"]
    bad = tmp_path / "bad"
    bad.write_bytes(image.blobs[layer][:-1] + b"x")
    with pytest.raises(drive.Failed) as e:
        imaged.import_image("a:b", image.digest, {**good, layer: str(bad)})
    assert e.value.code == "DATA_LOSS"
    bad.write_bytes(b"short")
    with pytest.raises(drive.Failed) as e:
        imaged.import_image("a:b", image.digest, {**good, layer: str(bad)})
    assert e.value.code == "INVALID_ARGUMENT"
    del good[layer]
    with pytest.raises(drive.Failed) as e:
        imaged.import_image("a:b", image.digest, good)
    assert e.value.code == "NOT_FOUND"
    assert imaged.list() == []
