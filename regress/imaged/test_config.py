"""What files say of registries: who is asked, with what, and who is not."""
import base64
import json

import drive
import hostile
import pytest
from hostile import Image

REGISTRIES, HOSTS, CERTS, NAMED = range(4)
CONF = "/etc/containers/registries.conf"



def auth_file(entries):
    return json.dumps({"auths": {
        h: {"auth": base64.b64encode(":".join(up).encode()).decode()}
        for h, up in entries.items()}})


def registries(text):
    return (REGISTRIES, CONF, text)


def entry(prefix, location=None, mirrors=(), insecure=True, more=""):
    """A [[registry]]; mirrors are (location, pull-from-mirror)."""
    text = '[[registry]]\nprefix = "%s"\nlocation = "%s"\ninsecure = %s\n%s\n' \
        % (prefix, location or prefix, str(insecure).lower(), more)
    for m, when in mirrors:
        text += '[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' % m
        if when:
            text += 'pull-from-mirror = "%s"\n' % when
    return text


def sent(registry):
    """Every Authorization field that came, decoded."""
    out = set()
    for r in registry.log:
        a = r["authorization"]
        if a is not None and a.startswith("Basic "):
            a = base64.b64decode(a[6:]).decode()
        out.add(a)
    return out


def fails(im, name, code, text, **kw):
    with pytest.raises(drive.Failed) as e:
        im.pull(name, **kw)
    assert e.value.code == code, e.value.text
    assert text in e.value.text
    assert "s3cret" not in e.value.text
    return e.value.text


# mirrors

@pytest.mark.parametrize("when,by_tag,by_digest", [
    ("", True, True), ("all", True, True), ("digest-only", False, True),
    ("tag-only", True, False)])
def test_mirror(start, registry, other, when, by_tag, by_digest):
    image = Image()
    name = registry.put("app", "v1", image)
    other.put("cache/app", "v1", image)
    im = start(files=[registries(entry(
        registry.host, mirrors=[(other.host + "/cache", when)]))])
    digest = hostile.digest(image.raw)
    for ref, mirrored in ((name, by_tag),
                          (name.rsplit(":", 1)[0] + "@" + digest, by_digest)):
        registry.log.clear()
        other.log.clear()
        assert im.pull(ref) == image.id
        assert bool(other.log) == mirrored
        assert bool(registry.log) != mirrored
        im.remove(image.id)


def test_mirror_fails(start, registry, other):
    """What a mirror does not have, or will not give, the registry gives."""
    image = Image()
    name = registry.put("app", "v1", image)
    other.auth = hostile.basic_auth("u", "s3cret")
    im = start(files=[registries(entry(
        registry.host, mirrors=[(other.host, "")]))])
    assert im.pull(name) == image.id
    assert len(other.log) > 0 and len(registry.log) > 0


def test_moved(start, registry, other):
    """The name stays, the place is another."""
    image = Image()
    other.put("some/where/app", "v1", image)
    im = start(files=[registries(entry("gone.test/x",
                                       other.host + "/some/where"))])
    assert im.pull("gone.test/x/app:v1") == image.id
    assert im.status("gone.test/x/app:v1").repo_tags == ["gone.test/x/app:v1"]


def test_wildcard(start, registry):
    image = Image()
    registry.put("app", "v1", image)
    im = start(files=[registries(entry("*.wild.test", registry.host))])
    assert im.pull("a.b.wild.test/app:v1") == image.id


def test_blocked(start, registry):
    name = registry.put("app", "v1", Image())
    im = start(files=[registries(entry(registry.host, more="blocked = true"))])
    fails(im, name, "PERMISSION_DENIED", "blocked by " + CONF)
    assert registry.log == []


def test_conf_wins(start, registry, other):
    """What criod.conf has about the same prefix."""
    image = Image()
    name = registry.put("app", "v1", image)
    im = start(registries=[drive.registry(registry.host, insecure=True)],
               files=[registries(entry(registry.host, other.host,
                                       more="blocked = true"))])
    assert im.pull(name) == image.id
    assert other.log == []


# credentials

def test_auth_file(start, registry, other):
    """Each place has its own; what none is for is asked without."""
    image = Image()
    name = registry.put("ns/app", "v1", image)
    other.put("ns/app", "v1", image)
    registry.auth = hostile.basic_auth("deep", "s3cret-1")
    other.auth = hostile.basic_auth("mirror", "s3cret-2")
    im = start(files=[registries(entry(registry.host,
                                       mirrors=[(other.host, "")]))],
               auth=auth_file({registry.host: ("host", "s3cret-0"),
                               registry.host + "/ns": ("deep", "s3cret-1"),
                               other.host: ("mirror", "s3cret-2")}))
    assert im.pull(name) == image.id
    assert sent(other) == {None, "mirror:s3cret-2"}
    other.manifests.clear()
    im.remove(image.id)
    assert im.pull(name) == image.id
    assert sent(registry) == {None, "deep:s3cret-1"}


def test_request_stays(start, registry, other):
    """row56: a kubelet's password is the registry's, not a mirror's, nor that
    of the place that stands for it."""
    image = Image()
    name = registry.put("app", "v1", image)
    registry.auth = hostile.basic_auth("u", "s3cret")
    other.auth = hostile.basic_auth("u", "s3cret")
    other.put("app", "v1", image)
    im = start(files=[registries(
        entry(registry.host, mirrors=[(other.host, "")]) +
        entry("moved.test", other.host))])
    assert im.pull(name, username="u", password="s3cret") == image.id
    assert len(other.log) > 0 and sent(other) == {None}
    assert sent(registry) == {None, "u:s3cret"}
    fails(im, "moved.test/app:v1", "UNAUTHENTICATED", other.host,
          username="u", password="s3cret")
    fails(im, "moved.test/app:v1", "UNAUTHENTICATED", other.host,
          registry_token="s3cret")
    assert sent(other) == {None}
    # Unless they say so.
    assert im.pull("moved.test/app:v1", username="u", password="s3cret",
                   server_address=other.host) == image.id


def test_request_first(start, registry):
    name = registry.put("app", "v1", Image())
    registry.auth = hostile.basic_auth("u", "s3cret")
    im = start(files=[registries(entry(registry.host))],
               auth=auth_file({registry.host: ("u", "s3cret-not")}))
    im.pull(name, username="u", password="s3cret")
    assert sent(registry) == {None, "u:s3cret"}


def test_identity_token(start, registry):
    """One of a file becomes a token of the registry's own server."""
    name = registry.put("app", "v1", Image())
    hostile.token_auth(registry, hostile.token_server(registry))
    im = start(files=[registries(entry(registry.host))],
               auth=json.dumps({"auths": {
                   registry.host: {"identitytoken": "s3cret-id"}}}))
    im.pull(name)
    asked = registry.requests("/token")
    assert [r["method"] for r in asked] == ["POST"]
    assert b"refresh_token=s3cret-id" in asked[0]["body"]


def test_helpers(start, registry):
    """They are not run: said once, and what else is there counts."""
    name = registry.put("app", "v1", Image())
    im = start(files=[registries(entry(registry.host))],
               auth='{"credsStore":"x","auths":{}}')
    im.pull(name)
    im.pull(name)
    assert im.log().count("are not run") == 1


def test_auth_changes(start, registry):
    """It is read by each pull; one that cannot be read stops them."""
    image = Image()
    name = registry.put("app", "v1", image)
    registry.auth = hostile.basic_auth("u", "s3cret")
    im = start(files=[registries(entry(registry.host))],
               auth='{"auths": {"a": {"auth": "s3cret"}}}')
    fails(im, name, "INVALID_ARGUMENT", '/etc/auth.json: auths of "a": ')
    im.auth = PermissionError("not root's")
    fails(im, name, "PERMISSION_DENIED", "not root's")
    assert registry.log == []
    im.auth = "{}"
    fails(im, name, "UNAUTHENTICATED", registry.host)
    im.auth = auth_file({registry.host: ("u", "s3cret")})
    assert im.pull(name) == image.id


def test_namespace(start, registry):
    """What was left for one namespace is for its pulls alone, and once."""
    image = Image()
    name = registry.put("app", "v1", image)
    registry.auth = hostile.basic_auth("u", "s3cret")
    bare = name.rsplit(":", 1)[0]
    im = start(
        files=[registries(entry(registry.host))],
        auth=auth_file({registry.host: ("u", "s3cret-not")}), left={
            ("good", bare): auth_file({registry.host: ("u", "s3cret")}),
            ("bad", bare): '{"auths": s3cret}',
            ("denied", bare): PermissionError("not root's")})
    fails(im, name, "UNAUTHENTICATED", registry.host)
    fails(im, name, "UNAUTHENTICATED", registry.host, namespace="none")
    fails(im, name, "INVALID_ARGUMENT", "credentials of namespace bad",
          namespace="bad")
    fails(im, name, "PERMISSION_DENIED", "not root's", namespace="denied")
    fails(im, name, "UNAUTHENTICATED", registry.host, namespace="../good")
    assert im.pull(name, namespace="good") == image.id
    assert im.taken == ["none", "bad", "denied", "good"]


def test_namespaces_apart(start, registry):
    """Of two at once, one with credentials: the other does not get in."""
    image = Image()
    name = registry.put("app", "v1", image)
    registry.auth = hostile.basic_auth("u", "s3cret")
    im = start(files=[registries(entry(registry.host))], left={
        ("good", name.rsplit(":", 1)[0]):
            auth_file({registry.host: ("u", "s3cret")})})
    good = im.start_pull(name, namespace="good")
    poor = im.start_pull(name, namespace="poor")
    assert im.end_pull(good) == image.id
    with pytest.raises(drive.Failed) as e:
        im.end_pull(poor)
    assert e.value.code == "UNAUTHENTICATED"


def test_namespace_cancelled(start, registry):
    name = registry.put("app", "v1", Image())
    im = start(files=[registries(entry(registry.host))], left={})
    for _ in range(20):
        pull = im.start_pull(name, namespace="ns")
        im.cancel(pull)
        with pytest.raises(drive.Failed):
            im.end_pull(pull)
    assert im.pull(name, namespace="ns")


# TLS

@pytest.fixture
def mutual(certificates):
    """A registry that wants a client's certificate."""
    r = hostile.Registry(tls=certificates["good"],
                         client_ca=certificates["ca"])
    yield r
    r.stop()


def read(path):
    with open(path) as f:
        return f.read()


def test_certs_d(start, mutual, certificates):
    name = mutual.put("app", "v1", Image())
    d = f"/etc/containers/certs.d/{mutual.host}/"
    ca = (CERTS, d + "ca.crt", read(certificates["ca"]))
    pair = [(CERTS, d + "client." + e, read(p)) for e, p in
            zip(("cert", "key"), certificates["good"])]
    fails(start(), name, "UNKNOWN", "RegistryUnavailable")
    fails(start(files=[ca]), name, "UNKNOWN", "RegistryUnavailable")
    assert start(files=[ca, *pair]).pull(name)
    fails(start(files=[ca, pair[0]]), name, "FAILED_PRECONDITION",
          d + "client.cert")


def test_hosts_tls(start, mutual, certificates):
    image = Image()
    mutual.put("app", "v1", image)
    cert, key = certificates["good"]
    d = "/etc/containerd/certs.d/up.test/"
    toml = f"""[host."https://{mutual.host}"]
ca = "ca.pem"
client = [["client.cert", "/etc/ssl/client.key"]]
"""
    files = [(HOSTS, d + "hosts.toml", toml),
             (HOSTS, d + "ca.pem", read(certificates["ca"])),
             (HOSTS, d + "client.cert", read(cert)),
             (NAMED, "/etc/ssl/client.key", read(key))]
    im = start(files=files)
    assert im.pull("up.test/app:v1") == image.id
    fails(start(files=files[:-1]), "up.test/app:v1", "FAILED_PRECONDITION",
          d + "hosts.toml:3: /etc/ssl/client.key")


def test_skip_verify(start, certificates):
    r = hostile.Registry(tls=certificates["expired"])
    try:
        image = Image()
        r.put("app", "v1", image)
        im = start(files=[(HOSTS, "/etc/c/up.test/hosts.toml",
                           f'[host."https://{r.host}"]\nskip_verify = true')])
        assert im.pull("up.test/app:v1") == image.id
    finally:
        r.stop()


# hosts.toml

def test_hosts(start, registry, other):
    """One says what the tag is, the other serves; each is told for whom, and
    headers are for one of them."""
    image = Image()
    registry.put("app", "v1", image)
    other.put("app", "v1", image)
    toml = f"""server = "http://{registry.host}"
[host."http://{other.host}"]
capabilities = ["pull"]
[host."http://{other.host}".header]
X-Key = "s3cret-header"
"""
    im = start(files=[(HOSTS, "/etc/c/up.test/hosts.toml", toml)])
    assert im.pull("up.test/app:v1") == image.id
    assert {r["path"] for r in registry.log} == \
        {"/v2/app/manifests/v1?ns=up.test"}
    assert len(other.log) == 2
    for r in other.log:
        assert "/blobs/" in r["path"] and r["path"].endswith("?ns=up.test")
        assert r["headers"]["X-Key"] == "s3cret-header"
    assert all(r["headers"]["X-Key"] is None for r in registry.log)


def test_override_path(start, registry):
    image = Image()
    raw = image.raw

    def manifest(h):
        h.reply(200, raw, Content_Type=image.type)

    registry.hooks["path", "/api/x/app/manifests/v1"] = manifest
    for d, data in image.blobs.items():
        registry.hooks["path", "/api/x/app/blobs/" + d] = \
            lambda h, data=data: h.reply(200, data)
    im = start(files=[(HOSTS, "/etc/c/_default/hosts.toml",
                       f'[host."http://{registry.host}/api/x"]\n'
                       'override_path = true\n')])
    assert im.pull("any.test/app:v1") == image.id


def test_no_capability(start, registry):
    im = start(files=[(HOSTS, "/etc/c/up.test/hosts.toml",
                       f'server = "http://{registry.host}"\n'
                       'capabilities = ["pull"]\n')])
    fails(im, "up.test/app:v1", "FAILED_PRECONDITION", "up.test/app:v1")
    assert registry.log == []


def test_broken_host(start, registry):
    """Its pulls alone fail."""
    name = registry.put("app", "v1", Image())
    im = start(files=[registries(entry(registry.host)),
                      (HOSTS, "/etc/c/up.test/hosts.toml", "server = 1\n")])
    fails(im, "up.test/app:v1", "FAILED_PRECONDITION",
          "/etc/c/up.test/hosts.toml:1: server must be of type string")
    assert im.pull(name)


# short names

def search(*hosts, more=""):
    return "unqualified-search-registries = [%s]\n%s\n" % (
        ", ".join('"%s"' % h for h in hosts), more)


def test_short(start, registry, other):
    """All are tried in turn; what was pulled is found by the short name."""
    image = Image()
    other.put("app", "v1", image)
    conf = search(registry.host, other.host,
                  more='short-name-mode = "permissive"') + \
        entry(registry.host) + entry(other.host)
    im = start(files=[registries(conf)])
    assert im.pull("app:v1") == image.id
    assert len(registry.log) == 1 and len(other.log) > 1
    assert im.status("app:v1").repo_tags == [other.host + "/app:v1"]
    text = fails(im, "nosuch:v1", "NOT_FOUND", registry.host)
    assert other.host in text
    im.remove("app:v1")
    assert im.list() == []


def test_short_enforcing(start, registry, other):
    conf = search(registry.host, other.host) + '[aliases]\n' \
        'known = "%s/app"\n' % other.host + entry(registry.host) + \
        entry(other.host)
    image = Image()
    other.put("app", "v1", image)
    im = start(files=[registries(conf)])
    fails(im, "app:v1", "FAILED_PRECONDITION", "ambiguous")
    assert registry.log == [] and other.log == []
    assert im.pull("known:v1") == image.id
    assert registry.log == []
    assert im.status("known:v1").id == image.id


def test_short_none(start, registry):
    im = start(files=[registries(search())])
    fails(im, "app:v1", "FAILED_PRECONDITION", "no registry to search")


# what cannot be understood

@pytest.mark.parametrize("files,text", [
    ([(REGISTRIES, CONF, "\n[[registry]]\nlocation = 5\n")], CONF + ":3: "),
    ([(REGISTRIES, CONF, ""), (REGISTRIES, CONF + ".d/1.conf", "x")],
     CONF + ".d/1.conf:1: "),
])
def test_broken(start, registry, files, text):
    """Nothing is pulled until it is mended; images that are there stay."""
    name = registry.put("app", "v1", Image())
    im = start(registries=[drive.registry(registry.host, insecure=True)],
               files=files)
    fails(im, name, "FAILED_PRECONDITION", text)
    assert registry.log == []
    assert text in im.log()
    assert im.list() == []
    assert im.status("busybox") is None
