"""Foreign layers: from the URLs that a manifest names, by rule."""
import pytest

import drive
import hostile
from drive import Failed
from hostile import OCI, Image

LOCAL = OCI + "layer.nondistributable.v1.tar+gzip"


@pytest.fixture
def begin(start, registry):
    def go(*rules, **more):
        return start(foreign=rules, registries=[
            drive.registry(registry.host, insecure=True)], **more)
    return go


def put(registry, at, urls, path="/l/1"):
    """An image whose layer is only at another server; its name."""
    image = Image()
    d = image.manifest["layers"][0]
    d.update(mediaType=LOCAL, urls=urls)
    image.blob = image.blobs.pop(d["digest"])
    image.seal()
    at.hooks["path", path] = lambda h: at.blob(h, image.blob)
    return registry.put("app", "v1", image), image


def refused(im, name, code, text):
    with pytest.raises(Failed) as e:
        im.pull(name)
    assert e.value.code == code and text in str(e.value), str(e.value)
    assert im.list() == []


def test_allowed(begin, registry, other):
    """No credential and no header of the registry's goes there."""
    registry.auth = hostile.basic_auth("u", "s3cret")
    name, image = put(registry, other, [
        "https://cdn.invalid/x", other.url + "/l/1"])
    im = begin(f"{registry.host}={other.url}/l/")
    assert im.pull(name, username="u", password="s3cret") == image.id
    assert [r["path"] for r in other.log] == ["/l/1"]
    assert other.log[0]["authorization"] is None
    assert registry.requests("/blobs/" + image.manifest["layers"][0][
        "digest"]) == []
    assert len(im.lease("c" * 64, name).layers) == 1


def test_not_allowed(begin, registry, other):
    name, _ = put(registry, other, [other.url + "/l/1"])
    for rules in ((), ("other.test=" + other.url + "/",),
                  (registry.host + "=" + other.url + "/m/",),
                  ("*=https://" + other.host + "/",)):
        refused(begin(*rules), name, "FAILED_PRECONDITION", "foreign")
    assert other.log == []


def test_bytes_are_verified(begin, registry, other):
    name, image = put(registry, other, [other.url + "/l/1"])
    im = begin("*=" + other.url + "/")
    for bad in (image.blob[:-1], image.blob + b" ",
                image.blob[:-1] + b"#"):
        other.hooks["path", "/l/1"] = lambda h: other.blob(h, bad)
        refused(im, name, "DATA_LOSS", "blob")
    other.hooks["path", "/l/1"] = lambda h: other.blob(h, image.blob)
    assert im.pull(name) == image.id


def test_no_password_is_asked_for(begin, registry, other):
    """Row 56: a challenge of such a host is answered by nothing."""
    name, _ = put(registry, other, [other.url + "/l/1"])
    hostile.token_server(other)
    registry.auth = hostile.basic_auth("u", "s3cret")
    for realm in ('Basic realm="x"',
                  f'Bearer realm="{other.url}/token",service="s"'):
        other.hooks["path", "/l/1"] = hostile.fixed(
            401, WWW_Authenticate=realm)
        im = begin("*=" + other.url + "/")
        with pytest.raises(Failed) as e:
            im.pull(name, username="u", password="s3cret")
        assert e.value.code == "UNAUTHENTICATED"
    assert all(r["path"] == "/l/1" and r["authorization"] is None
               for r in other.log)


def test_link_local(begin, registry, other):
    """Row 55: the registry is at loopback, the cloud's metadata is not."""
    name, _ = put(registry, other, ["http://169.254.169.254/l/1"])
    refused(begin("*=http://169.254.169.254/"), name, "DATA_LOSS",
            "169.254.169.254")


def test_redirect(begin, registry, other):
    name, _ = put(registry, other, [other.url + "/l/2"])
    other.hooks["path", "/l/2"] = hostile.redirect("ftp://127.0.0.2/l/1")
    refused(begin("*=" + other.url + "/"), name, "DATA_LOSS",
            "neither http")
