"""Registries that lie, stall and steal: one clear error, bounded memory,
nothing left behind."""
import email.utils
import json
import os
import threading
import time

import drive
import hostile
import pytest
from hostile import Image, OCI


def refused(im, name, code=None, text="", **auth):
    """The pull fails so, fast, and leaves neither image, blob nor memory."""
    fds, began = im.fds(), time.monotonic()
    with pytest.raises(drive.Failed) as e:
        im.pull(name, timeout=60, **auth)
    if code is not None:
        assert e.value.code == code, e.value.text
    assert text in e.value.text
    assert name.split("@")[0] in e.value.text
    assert time.monotonic() - began < 30
    assert im.list() == []
    assert os.listdir(os.path.join(im.root, "tmp")) == []
    assert im.fds() <= fds + 8  # connections that may be used again
    assert im.memory_kb("Rss") < 64 * 1024
    return e.value


def put_raw(registry, doc, kind=OCI + "manifest.v1+json"):
    raw = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
    return registry.put("app", "v1", (kind, raw))


# too much

def cut_off(registry, limit):
    """No more was taken of each answer than the limit and what sockets hold."""
    s = registry.server
    assert s.sent < s.begun * (limit + (8 << 20))


def test_endless_manifest(imaged, registry):
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.endless
    refused(imaged, name, "DATA_LOSS", "too long")
    cut_off(registry, 4 << 20)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_endless_error(imaged, registry, status):
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = \
        lambda h: hostile.endless(h, status)
    refused(imaged, name)
    cut_off(registry, 4 << 20)


def test_endless_headers(imaged, registry):
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.endless_headers
    refused(imaged, name, "DATA_LOSS", "64 KiB")


def test_endless_config(imaged, registry):
    image = Image()
    name = registry.put("app", "v1", image)
    registry.hooks["blobs", "app", image.id] = hostile.endless
    refused(imaged, name, "DATA_LOSS")


def test_endless_layer(imaged, registry):
    image = Image()
    name = registry.put("app", "v1", image)
    registry.hooks["blobs", "app",
                   image.manifest["layers"][0]["digest"]] = hostile.endless
    refused(imaged, name, "DATA_LOSS", "longer")
    cut_off(registry, 0)


def test_endless_token(imaged, registry):
    name = registry.put("app", "v1", Image())
    hostile.token_auth(registry, registry.url + "/token")
    registry.hooks["path", "/token"] = hostile.endless
    refused(imaged, name)
    cut_off(registry, 1 << 20)


def test_big_config_is_announced(imaged, registry):
    image = Image()
    image.manifest["config"]["size"] = 1 << 40
    refused(imaged, registry.put("app", "v1", image.seal(config=False)),
            "DATA_LOSS")
    assert registry.requests("/blobs/") == []


@pytest.mark.parametrize("text", [
    b"[" * 1000000, b'{"a":' * 500000, b'{"a":1,"a":2}', b"", b"nonsense",
    b"[" + b"[]," * 1000000 + b"1]", b'{"schemaVersion":2}',
    b'"\xff\xfe"', b"{" + b'"k":1,' * 10 + b"}"])
def test_json(imaged, registry, text):
    refused(imaged, put_raw(registry, text), "DATA_LOSS")


@pytest.mark.parametrize("extra", [
    b'"schemaVersion":2,', b'"x":' + b"[" * 64 + b"]" * 64 + b",",
    b'"x":[' + b"[]," * 131072 + b"1],", b'"x":"\\u0000",', b'"x":"\xff",'])
def test_json_in_a_good_manifest(imaged, registry, extra):
    image = Image()
    image.raw = b"{" + extra + image.raw[1:]
    image.digest = hostile.digest(image.raw)
    refused(imaged, registry.put("app", "v1", image), "DATA_LOSS", "JSON")


def test_too_many_layers(imaged, registry):
    image = Image()
    image.manifest["layers"] *= 128
    refused(imaged, registry.put("app", "v1", image.seal(config=False)),
            "DATA_LOSS", "127")


def test_index_cycle(imaged, registry):
    """It cannot name its own digest, so the tag leads in a circle: the digest
    is what counts."""
    kind, raw = hostile.index([{"mediaType": OCI + "index.v1+json",
                                "digest": "sha256:" + "0" * 64,
                                "size": 100}])
    name = registry.put("app", "v1", (kind, raw))
    registry.manifests["app", "sha256:" + "0" * 64] = (kind, raw)
    refused(imaged, name, "DATA_LOSS", "digest")


# not what it says

def test_both(imaged, registry):
    image = Image()
    doc = dict(image.manifest, manifests=[
        image.entry(os="linux", architecture="amd64")])
    registry.put("app", "x", image)
    for kind in ("manifest", "index"):
        refused(imaged, put_raw(registry, doc, OCI + kind + ".v1+json"),
                "DATA_LOSS")


@pytest.mark.parametrize("own,header", [
    ("index.v1+json", "manifest.v1+json"),
    ("manifest.v1+json", "index.v1+json"),
    ("index.v1+json", "index.v1+json")])
def test_types_disagree(imaged, registry, own, header):
    image = Image()
    registry.put("app", "x", image)
    doc = dict(image.manifest, mediaType=OCI + own)
    refused(imaged, put_raw(registry, doc, OCI + header), "DATA_LOSS")


def test_descriptor_disagrees(imaged, registry):
    """An index calls an index a manifest."""
    image = Image()
    registry.put("app", "x", image)
    kind, raw = hostile.index([image.entry(os="linux",
                                           architecture="amd64")])
    registry.put("app", "y", (kind, raw))
    name = registry.put("app", "v1", hostile.index([
        {"mediaType": OCI + "manifest.v1+json", "size": len(raw),
         "digest": hostile.digest(raw),
         "platform": {"os": "linux", "architecture": "amd64"}}]))
    refused(imaged, name, "DATA_LOSS")


@pytest.mark.parametrize("bad", [
    "sha256:../../../etc/passwd", "sha256:" + "A" * 64, "sha256:" + "0" * 63,
    "sha256:" + "0" * 65, "md5:" + "0" * 32, "", "sha512:" + "0" * 64,
    "sha256:" + "0" * 62 + "/x", "sha256:%2e%2e" + "0" * 58])
def test_digests(imaged, registry, bad):
    for where in ("config", "layer", "index", "diff_id"):
        image = Image()
        registry.put("app", "x", image)
        if where == "config":
            image.manifest["config"]["digest"] = bad
            image.seal(config=False)
        elif where == "layer":
            image.manifest["layers"][0]["digest"] = bad
            image.seal(config=False)
        elif where == "diff_id":
            image.config["rootfs"]["diff_ids"] = [bad]
            image.seal()
        if where == "index":
            name = registry.put("app", "v1", hostile.index([dict(
                image.entry(os="linux", architecture="amd64"),
                digest=bad)]))
        else:
            name = registry.put("app", "v1", image)
        refused(imaged, name, "DATA_LOSS")


@pytest.mark.parametrize("header", [
    "sha256:" + "0" * 64, "sha256:../../x", "nonsense"])
def test_digest_header(imaged, registry, header):
    image = Image()
    name = registry.put("app", "v1", image)
    registry.hooks["manifests", "app"] = hostile.fixed(
        200, image.raw, Content_Type=image.type,
        Docker_Content_Digest=header)
    refused(imaged, name, "DATA_LOSS", "Docker-Content-Digest")


def test_other_manifest(imaged, registry):
    """By digest, but the registry gives another one."""
    asked, given = Image(), Image([{"evil": b"1"}])
    name = registry.put("app", "v1", asked).replace(
        ":v1", "@" + asked.digest)
    registry.hooks["manifests", "app"] = hostile.fixed(
        200, given.raw, Content_Type=given.type)
    registry.blobs.update(given.blobs)
    refused(imaged, name, "DATA_LOSS", "digest")


@pytest.mark.parametrize("which", ["config", "layer"])
@pytest.mark.parametrize("how", ["shorter", "longer", "same size", "empty"])
def test_other_blob(imaged, registry, which, how):
    image = Image()
    name = registry.put("app", "v1", image)
    d = image.id if which == "config" else \
        image.manifest["layers"][0]["digest"]
    good = image.blobs[d]
    registry.blobs[d] = {"shorter": good[:-1], "longer": good + b" ",
                         "same size": bytes([good[0]]) + b"#" + good[2:],
                         "empty": b""}[how]
    refused(imaged, name, "DATA_LOSS")
    registry.blobs[d] = good
    assert imaged.pull(name) == image.id


def test_diff_id(imaged, registry):
    """The layer is not the one the configuration names."""
    image = Image()
    image.config["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    name = registry.put("app", "v1", image.seal())
    refused(imaged, name, text="the image says")


def test_diff_id_count(imaged, registry):
    image = Image()
    image.config["rootfs"]["diff_ids"] *= 2
    refused(imaged, registry.put("app", "v1", image.seal()), "DATA_LOSS",
            "diff_ids")


@pytest.mark.parametrize("change,text", [
    ({"mediaType": OCI + "layer.nondistributable.v1.tar+gzip"}, "foreign"),
    ({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar."
      "gzip", "urls": ["http://127.0.0.2/x"]}, "foreign"),
    ({"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip"},
     "not supported")])
def test_layer_types(imaged, registry, change, text):
    image = Image()
    image.manifest["layers"][0].update(change)
    refused(imaged, registry.put("app", "v1", image.seal()),
            "FAILED_PRECONDITION", text)


def test_artifact(imaged, registry):
    image = Image()
    image.manifest["config"]["mediaType"] = "application/vnd.oci.empty.v1+json"
    refused(imaged, registry.put("app", "v1", image.seal()),
            "FAILED_PRECONDITION", "artifact")


def test_schema1(imaged, registry):
    name = put_raw(registry, {"schemaVersion": 1, "fsLayers": [],
                              "signatures": []},
                   "application/vnd.docker.distribution.manifest.v1+prettyjws")
    refused(imaged, name, "FAILED_PRECONDITION", "schema 1")


def test_windows(imaged, registry):
    refused(imaged, registry.put("app", "v1", Image(os="windows")),
            "FAILED_PRECONDITION", "Linux")


# stealing

def stolen(r):
    return [q for q in r.log if q["authorization"] is not None
            or b"s3cret" in q["body"] or "s3cret" in q["path"]]


AUTH = {"username": "u", "password": "s3cret"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_redirect_strips(imaged, registry, other, kind, status):
    """Followed, as storage behind a registry needs, but without the
    password, to another host and to another port."""
    same_host = hostile.Registry()
    registry.auth = hostile.basic_auth("u", "s3cret")
    for thief in (other, same_host):
        image = Image([{"a": thief.host.encode()}])
        name = registry.put("app", "v1", image)
        thief.put("app", "v1", image)
        registry.hooks[kind, "app"] = lambda h: h.reply(
            status, Location=thief.url + h.path)
        assert imaged.pull(name, **AUTH) == image.id
        assert len(thief.log) > 0 and stolen(thief) == []
    same_host.stop()


def test_redirect_then_challenge(imaged, registry, other):
    """A host that was redirected to may not ask for the password."""
    registry.auth = hostile.basic_auth("u", "s3cret")
    other.auth = hostile.basic_auth("u", "s3cret")
    image = Image()
    name = registry.put("app", "v1", image)
    other.put("app", "v1", image)
    registry.hooks["blobs", "app"] = lambda h: h.reply(
        307, Location=other.url + h.path)
    refused(imaged, name, "UNAUTHENTICATED", "redirect", **AUTH)
    assert len(other.log) > 0 and stolen(other) == []


def test_realm_elsewhere(imaged, registry, other):
    hostile.token_auth(registry, hostile.token_server(other))
    refused(imaged, registry.put("app", "v1", Image()), "UNAUTHENTICATED",
            "another site", **AUTH)
    assert other.log == []


@pytest.mark.parametrize("realm", [
    "http://127.0.0.1:1/token", "https://u:p@127.0.0.1/token",
    "file:///etc/passwd", "/token", "ftp://127.0.0.1/", "https://"])
def test_realm_bad(start, certificates, realm):
    r = hostile.Registry(tls=certificates["good"])
    im = start(ca=certificates["ca"])
    hostile.token_auth(r, realm)
    refused(im, r.put("app", "v1", Image()), "UNAUTHENTICATED", **AUTH)
    assert stolen(r) == []
    r.stop()


def test_realm_without_trust(start, certificates, other):
    """The token server's certificate is checked too."""
    r = hostile.Registry(tls=certificates["good"])
    thief = hostile.Registry(tls=certificates["wrong"])
    im = start(ca=certificates["ca"])
    hostile.token_auth(r, hostile.token_server(thief))
    refused(im, r.put("app", "v1", Image()), text="token server", **AUTH)
    assert thief.log == []
    r.stop()
    thief.stop()


def test_redirect_to_http(start, certificates, other):
    r = hostile.Registry(tls=certificates["good"])
    im = start(ca=certificates["ca"])
    image = Image()
    name = r.put("app", "v1", image)
    other.put("app", "v1", image)
    r.hooks["blobs", "app"] = lambda h: h.reply(
        307, Location=other.url + h.path)
    refused(im, name, "DATA_LOSS", "https to http", **AUTH)
    assert other.log == []
    r.stop()


@pytest.mark.parametrize("where", [
    "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x",
    "http://u:p@127.0.0.1/x", "http://", "http://a b/",
    "dict://127.0.0.1:11211/stat", "unix:///run/x",
    "http://[fe80::1%25lo]/x", "http://[fe80::1%lo]/x", "http://[::1/x",
    "http://127.1:x/"])
def test_redirect_bad(imaged, registry, where):
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.redirect(where)
    refused(imaged, name)


def test_redirect_loop(imaged, registry):
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.redirect(
        "/v2/app/manifests/v1")
    refused(imaged, name, "DATA_LOSS", "redirects")
    assert len(registry.log) == 6


def test_challenge_loop(imaged, registry):
    """401 whatever is sent."""
    hostile.token_server(registry)
    hostile.token_auth(registry, registry.url + "/token", "never")
    name = registry.put("app", "v1", Image())
    refused(imaged, name, "UNAUTHENTICATED", **AUTH)
    assert len(registry.requests("/manifests/")) <= 4
    registry.auth = hostile.basic_auth("u", "never")
    refused(imaged, name, "UNAUTHENTICATED", **AUTH)


@pytest.mark.parametrize("challenge", [
    "", "Bearer", 'Bearer realm="', "Negotiate", 'Bearer realm="x',
    "Bearer realm=\"" + "a" * 3000 + "\"", ["Basic realm=x"] * 2000])
def test_challenge_bad(imaged, registry, challenge):
    registry.auth = lambda h, repo: h.reply(401, WWW_Authenticate=challenge)
    refused(imaged, registry.put("app", "v1", Image()))


@pytest.mark.parametrize("reply", [
    b"", b"{}", b'{"token":5}', b'{"token":"a\\r\\nX-Evil: 1"}',
    b'{"token":""}', b'{"token":"' + b"a" * 40000 + b'"}', b"[" * 60000])
def test_token_reply_bad(imaged, registry, reply):
    hostile.token_auth(registry, registry.url + "/token")
    registry.hooks["path", "/token"] = hostile.fixed(200, reply)
    refused(imaged, registry.put("app", "v1", Image()), "DATA_LOSS")


def test_echo(imaged, registry):
    """An error that repeats the password does not reach the client."""
    def echo(h, repo):
        sent = h.headers.get("Authorization")
        if sent is None:
            h.reply(401, WWW_Authenticate="Basic realm=x")
        else:
            h.reply(403, json.dumps({"errors": [{
                "code": sent, "message": "s3cret " + sent}]}).encode())
    registry.auth = echo
    e = refused(imaged, registry.put("app", "v1", Image()),
                "PERMISSION_DENIED", **AUTH)
    assert "s3cret" not in e.text and "Basic" not in e.text


# wrong framing

def raw(words):
    def hook(h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\n" + words)
        h.wfile.flush()
        h.close_connection = True
        h.connection.shutdown(2)
    return hook


FRAMES = [
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nxx",
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nxx",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    b"Content-Length: 99999999999999999999\r\n\r\nx",
    b"Content-Length: -5\r\n\r\nx", b"Content-Length: x\r\n\r\nx",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx",
    b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    b"no colon\r\n\r\nx", b"X: \0\r\n\r\nx", b"\r\n"]


def test_framing(start, registry):
    """Replies that are none, of every kind, all at once."""
    im = start(registries=[drive.registry(registry.host, insecure=True)],
               transfer={"progress": 1})
    pulls = {}
    for kind in ("manifests", "blobs"):
        for i, words in enumerate(FRAMES):
            name = registry.put(f"{kind}{i}", "v1", Image([{"n": b"%d" % i}]))
            registry.hooks[kind, f"{kind}{i}"] = raw(words)
            pulls[kind, words] = im.start_pull(name)
    for case, started in pulls.items():
        with pytest.raises(drive.Failed) as e:
            im.end_pull(started)
        assert e.value.code in ("UNKNOWN", "DATA_LOSS",
                                "FAILED_PRECONDITION"), (case, e.value)
    assert im.list() == []
    assert os.listdir(os.path.join(im.root, "tmp")) == []


def test_mirror_gives_another(start, registry, other):
    """By digest: what the mirror gives is not it, the registry's is."""
    image, evil = Image(), Image([{"evil": b"1"}])
    name = registry.put("app", "v1", image).replace(":v1", "@" + image.digest)
    other.put("app", "v1", evil)
    other.manifests["app", image.digest] = (evil.type, evil.raw)
    im = start(registries=[drive.registry(
        registry.host, insecure=True, mirrors=[(other.host, True)])])
    assert im.pull(name) == image.id
    assert len(other.log) == 1


@pytest.mark.parametrize("when", ["index", "manifest"])
@pytest.mark.parametrize("gone", [False, True])
def test_tag_moves_meanwhile(imaged, registry, when, gone):
    """The tag is asked for once: what it was then is pulled, or nothing, if
    the registry has it no more."""
    old, new = Image([{"a": b"old"}]), Image([{"a": b"new"}])
    what = old
    if when == "index":
        registry.put("app", "x", old)
        what = hostile.index([old.entry(os="linux", architecture="amd64")])
    name = registry.put("app", "v1", what)
    kind, raw = registry.manifests["app", "v1"]

    def move(h):
        registry.put("app", "v1", new)
        for d in old.blobs if gone else ():
            registry.blobs.pop(d)
        h.reply(200, raw, Content_Type=kind)
    registry.hooks["manifests", "app", "v1"] = hostile.first_times(
        1, move, registry, "manifests", "app")
    if gone:
        refused(imaged, name, "NOT_FOUND", "404")
    else:
        assert imaged.pull(name) == old.id
    assert len(registry.requests("/manifests/v1")) == 1
    assert imaged.pull(name) == new.id


# unwell

@pytest.mark.parametrize("status,code", [
    (400, "FAILED_PRECONDITION"), (403, "PERMISSION_DENIED"),
    (404, "NOT_FOUND"), (408, "UNKNOWN"), (429, "RESOURCE_EXHAUSTED"),
    (500, "UNKNOWN"), (502, "UNKNOWN"), (503, "UNKNOWN"),
    (504, "UNKNOWN"), (204, "FAILED_PRECONDITION"), (999, None)])
def test_status(imaged, registry, status, code):
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.fixed(status)
    e = refused(imaged, name, code)
    if code == "UNKNOWN":
        assert e.text.startswith("RegistryUnavailable: ")
    assert len(registry.log) == (
        2 if status == 429 else
        4 if status in (408, 500, 502, 503, 504, 999) else 1)


def test_comes_back(imaged, registry):
    image = Image()
    name = registry.put("app", "v1", image)
    for kind in ("manifests", "blobs"):
        registry.hooks[kind, "app"] = hostile.first_times(
            2, hostile.fixed(503), registry, kind, "app")
    assert imaged.pull(name) == image.id


@pytest.mark.parametrize("after,waits", [
    ("1", True), ("0", False), ("-5", False), ("soon", False),
    ("1 2", False), ("Thu, 01 Jan 1970 00:00:00 GMT", False)])
def test_retry_after(imaged, registry, after, waits):
    image = Image()
    name = registry.put("app", "v1", image)
    registry.hooks["manifests", "app"] = hostile.first_times(
        1, hostile.fixed(429, Retry_After=after), registry, "manifests",
        "app")
    began = time.monotonic()
    assert imaged.pull(name) == image.id
    assert not waits or time.monotonic() - began >= 1


def date_in(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def test_retry_after_date(imaged, registry):
    image = Image()
    name = registry.put("app", "v1", image)
    registry.hooks["manifests", "app"] = hostile.first_times(
        1, lambda h: h.reply(503, Retry_After=date_in(3)), registry,
        "manifests", "app")
    began = time.monotonic()
    assert imaged.pull(name) == image.id
    assert time.monotonic() - began >= 1.9


@pytest.mark.parametrize("after", [
    "1000000000", "9" * 30, "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_retry_after_too_long(imaged, registry, after):
    """Then it is left alone, by other pulls too, but not by those with other
    credentials: the limit may be an account's."""
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.fixed(429, Retry_After=after)
    refused(imaged, name, "RESOURCE_EXHAUSTED", "429")
    refused(imaged, registry.put("other", "v1", Image()),
            "RESOURCE_EXHAUSTED", "left alone")
    assert len(registry.log) == 1
    image = Image([{"n": after.encode()}])
    assert imaged.pull(registry.put("more", "v1", image), **AUTH) == image.id


def test_retry_after_is_shared(imaged, registry):
    """What one pull is told, all wait for."""
    first, second = Image([{"a": b"1"}]), Image([{"b": b"2"}])
    name = registry.put("app", "v1", first)
    other = registry.put("other", "v1", second)
    told = threading.Event()

    def refuse(h):
        h.reply(429, Retry_After="2")
        told.set()
    registry.hooks["manifests", "app"] = hostile.first_times(
        1, refuse, registry, "manifests", "app")
    began = time.monotonic()
    started = imaged.start_pull(name)
    assert told.wait(20)
    imaged.list()  # by its answer imaged has read what was there before
    assert imaged.pull(other) == second.id
    assert time.monotonic() - began >= 2
    assert imaged.end_pull(started) == first.id


def test_dates_are_by_the_servers_clock(start, registry, shim):
    """Retry-After, where the clock is fifty years behind."""
    im = start(registries=[drive.registry(registry.host, insecure=True)],
               prefix=shim.prefix)
    image = Image()
    name = registry.put("app", "v1", image)
    shim.clock(-50 * 365 * 86400)
    registry.hooks["manifests", "app"] = hostile.first_times(
        1, lambda h: h.reply(429, Retry_After=date_in(2)), registry,
        "manifests", "app")
    assert im.pull(name) == image.id


def test_too_often_without_a_word(imaged, registry):
    """429 without Retry-After is not answered with more requests."""
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.fixed(429)
    refused(imaged, name, "RESOURCE_EXHAUSTED", "429")
    assert len(registry.log) == 2


def test_resume(imaged, registry):
    """A cut transfer goes on where it stopped."""
    image = Image([{"big": os.urandom(1 << 20)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    registry.hooks["blobs", "app", d] = hostile.first_times(
        1, hostile.cut(image.blobs[d], 500000), registry, "blobs", "app")
    assert imaged.pull(name) == image.id
    asked = registry.requests(d)
    assert len(asked) == 2
    start = int(asked[1]["range"].split("=")[1].rstrip("-"))
    assert 0 < start <= 500000


@pytest.mark.parametrize("lie", ["whole", "elsewhere", "no range"])
def test_resume_lies(imaged, registry, lie):
    """A server that ignores the range is started over with; one that sends
    another range is not believed."""
    image = Image([{"big": os.urandom(100000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    data = image.blobs[d]

    def second(h):
        if h.headers.get("Range") is None:
            return hostile.cut(data, 50000)(h)
        if lie == "whole":
            return h.reply(200, data)
        if lie == "elsewhere":
            return h.reply(206, data[7:],
                           Content_Range=f"bytes 7-{len(data) - 1}/*")
        return h.reply(206, data[50000:])
    registry.hooks["blobs", "app", d] = second
    if lie == "whole":
        assert imaged.pull(name) == image.id
    else:
        refused(imaged, name, "DATA_LOSS", "range")


def test_always_cut(imaged, registry):
    image = Image([{"big": os.urandom(100000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    registry.hooks["blobs", "app", d] = hostile.cut(image.blobs[d], 0)
    e = refused(imaged, name, "UNKNOWN")
    assert e.text.startswith("RegistryUnavailable: ")


def test_one_slow_pull_does_not_hold_up_others(imaged, registry, other):
    asked, answer = threading.Event(), threading.Event()

    def held(h):
        asked.set()
        answer.wait(60)
    image = Image([{"slow": b"1"}])
    stuck = registry.put("slow", "v1", image)
    registry.hooks["manifests", "slow"] = held
    quick = Image([{"quick": b"2"}])
    started = imaged.start_pull(stuck)
    assert asked.wait(20)
    assert imaged.pull(registry.put("quick", "v1", quick)) == quick.id
    assert not answer.is_set() and len(imaged.list()) == 1
    imaged.cancel(started)
    answer.set()


def test_poison(imaged, registry, other):
    """Another registry's image claims the same layer with other bytes; the
    honest pull that runs beside it is not disturbed."""
    image = Image([{"a": os.urandom(100000)}], how="plain")
    d = image.manifest["layers"][0]["digest"]
    good = registry.put("app", "v1", image)
    im = imaged
    evil = Image([{"a": b"evil"}], how="plain")
    evil.manifest["layers"] = image.manifest["layers"]
    evil_name = registry.put("evil", "v1", evil.seal())
    registry.hooks["blobs", "evil", d] = hostile.fixed(200, b"x" * len(
        image.blobs[d]))
    one, two = im.start_pull(evil_name), im.start_pull(good)
    with pytest.raises(drive.Failed):
        im.end_pull(one)
    assert im.end_pull(two) == image.id


def test_claims(imaged, registry):
    """An image says that its bomb is the layer of another image: that one is
    pulled meanwhile as if nothing were, and is what both are."""
    good = Image([{"a": b"1"}])
    evil = Image([{"a": b"1"}])
    bomb = hostile.compress(b"\0" * (1 << 20), "zstd") * 4000
    evil.manifest["layers"] = [{
        "mediaType": OCI + "layer.v1.tar+zstd", "size": len(bomb),
        "digest": evil.add(bomb)}]
    evil.seal(config=False)
    evil_pull = imaged.start_pull(registry.put("evil", "v1", evil))
    drive.wait_for(lambda: imaged.spawned == 1)
    assert imaged.pull(registry.put("app", "v1", good)) == good.id
    assert imaged.end_pull(evil_pull, timeout=60) == evil.id
    assert len(os.listdir(os.path.join(imaged.root, "layer"))) <= 2
    assert imaged.spawned == 2


def test_bomb(imaged, registry):
    """Small on the way, endless when unpacked."""
    bomb = hostile.compress(b"\0" * (1 << 20), "gzip") * 4000
    image = Image()
    image.manifest["layers"] = [{
        "mediaType": OCI + "layer.v1.tar+gzip", "size": len(bomb),
        "digest": image.add(bomb)}]
    refused(imaged, registry.put("app", "v1", image.seal(config=False)))


def test_garbage_from_the_front(start):
    """The front breaks the protocol: it is cut off, imaged lives."""
    im = start()
    im.front.sock.send(b"\xff" * 100)
    for _ in range(50):
        if im.front.closed:
            break
        time.sleep(0.1)
    assert im.front.closed and im.alive()
    im.front = im.link("front")
    assert im.list() == []
