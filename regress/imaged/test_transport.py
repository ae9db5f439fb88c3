"""How requests travel: proxies, TLS, HTTP/2, IPv6, cut connections, slow
registries, addresses that are nobody's business."""
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import warnings

import between
import drive
import h2raw
import hostile
import pytest
from hostile import Image
from test_hostile import AUTH, refused, stolen

FEW = {"progress": 1}  # tries, not as many as there may be
SHORT = {"connect": 2, "tls": 2, "header": 2, "idle": 2, "document": 4,
         "progress": 1}


@pytest.fixture
def hosts(tmp_path):
    """A hosts file for imaged alone."""
    path = tmp_path / "hosts"

    def write(**names):
        path.write_text("".join(
            f"{address} {name.replace('_', '.')}\n"
            for name, address in names.items()))
        return str(path)
    return write


@pytest.fixture
def made():
    """Things with stop()."""
    things = []

    def keep(thing):
        things.append(thing)
        return thing
    yield keep
    for t in things:
        t.stop()


def insecure(*hosts):
    return [drive.registry(h, insecure=True) for h in hosts]


# proxies

@pytest.mark.parametrize("auth", [None, "pu:pp4ss"])
def test_proxy_plain(start, made, registry, auth):
    """The name is the proxy's to look up."""
    proxy = made(between.Proxy({"registry.test": "127.0.0.1"}, auth))
    userinfo = auth + "@" if auth else ""
    registry.auth = hostile.basic_auth("u", "s3cret")
    image = Image()
    registry.put("app", "v1", image)
    name = f"registry.test:{registry.port}/app:v1"
    im = start(registries=insecure(f"registry.test:{registry.port}"),
               proxy={"http": f"http://{userinfo}{proxy.host}",
                      "https": f"http://{userinfo}{proxy.host}"})
    assert im.pull(name, **AUTH) == image.id
    assert any(r.startswith("GET http://registry.test") for r in proxy.log)
    assert all("pp4ss" not in json.dumps(str(r["headers"]))
               for r in registry.log)
    assert "pp4ss" not in im.log()


@pytest.mark.parametrize("auth", [None, "pu:pp4ss"])
def test_proxy_connect(start, made, certificates, auth):
    """The proxy sees neither the request nor the registry's password."""
    r = made(hostile.Registry(tls=certificates["named"],
                              name="registry.test"))
    proxy = made(between.Proxy({"registry.test": "127.0.0.1"}, auth))
    userinfo = auth + "@" if auth else ""
    im = start(ca=certificates["ca"],
               proxy={"https": f"{userinfo}{proxy.host}"})
    r.auth = hostile.basic_auth("u", "s3cret")
    image = Image()
    assert im.pull(r.put("app", "v1", image), **AUTH) == image.id
    assert set(proxy.log) == {f"CONNECT {r.host} HTTP/1.1"}
    assert not any(h.startswith("Authorization")
                   for head in proxy.heads for h in head)
    assert "pp4ss" not in im.log()


def test_proxy_by_tls(start, made, certificates):
    """TLS to the proxy, TLS through it."""
    r = made(hostile.Registry(tls=certificates["named"],
                              name="registry.test"))
    names = {"registry.test": "127.0.0.1"}
    proxy = made(between.Proxy(names, tls=certificates["good"]))
    liar = made(between.Proxy(names, tls=certificates["wrong"]))
    image = Image()
    name = r.put("app", "v1", image)
    im = start(ca=certificates["ca"], proxy={"https": f"https://{proxy.host}"})
    assert im.pull(name) == image.id
    im = start(ca=certificates["ca"],
               proxy={"https": f"https://pu:pp4ss@{liar.host}"})
    refused(im, name, "UNKNOWN")
    assert liar.heads == []


def test_proxy_socks(start, made, certificates):
    r = made(hostile.Registry(tls=certificates["named"],
                              name="registry.test"))
    proxy = made(between.Socks({"registry.test": "127.0.0.1"}, "pu", "pp4ss"))
    im = start(ca=certificates["ca"],
               proxy={"https": f"socks5h://pu:pp4ss@{proxy.host}"})
    image = Image()
    assert im.pull(r.put("app", "v1", image)) == image.id
    assert set(proxy.log) == {r.host}


@pytest.mark.parametrize("status,again", [
    (403, False), (407, False), (502, True)])
def test_proxy_refuses(start, made, status, again):
    proxy = made(between.Proxy(connect_status=status))
    im = start(proxy={"https": f"http://pu:pp4ss@{proxy.host}"},
               transfer=FEW)
    e = refused(im, "registry.test/app:v1", "UNKNOWN", f"status {status}")
    assert e.text.startswith("RegistryUnavailable: ")
    assert f"by proxy {proxy.host}" in e.text and "pp4ss" not in e.text
    assert (len(proxy.log) > 1) == again


def test_proxy_wants_a_password(start, made):
    proxy = made(between.Proxy(auth="pu:pp4ss"))
    im = start(registries=insecure("registry.test"), transfer=FEW,
               proxy={"http": f"http://pu:wr0ng@{proxy.host}"})
    e = refused(im, "registry.test/app:v1", "UNKNOWN", "status 407")
    assert f"by proxy {proxy.host}" in e.text
    assert "wr0ng" not in e.text + im.log()


def test_proxy_is_not_there(start, made):
    proxy = made(between.Listener())
    proxy.stop()
    im = start(proxy={"https": f"http://pu:pp4ss@{proxy.host}"},
               transfer=FEW)
    e = refused(im, "registry.test/app:v1", "UNKNOWN", proxy.host)
    assert "pp4ss" not in e.text


def test_no_proxy(start, made, hosts, registry):
    """Names of the list, and this machine, are asked without one."""
    proxy = made(between.Proxy())
    port = registry.port
    names = [f"registry.test:{port}", f"127.0.0.1:{port}",
             f"localhost:{port}"]
    im = start(registries=insecure(*names),
               hosts=hosts(registry_test="127.0.0.1", localhost="127.0.0.1"),
               proxy={"http": proxy.host, "https": proxy.host,
                      "except": "other.test, .example, registry.test"})
    for i, name in enumerate(names):
        image = Image([{"n": b"%d" % i}])
        registry.put("app", f"v{i}", image)
        assert im.pull(f"{name}/app:v{i}") == image.id
    assert proxy.count == 0


# addresses

@pytest.mark.parametrize("where", [
    "http://127.0.0.1:{port}/x", "http://[::1]:{port}/x",
    "http://0.0.0.0:{port}/x", "http://[::ffff:127.0.0.1]:{port}/x",
    "http://localhost:{port}/x", "http://inside.test:{port}/x",
    "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/x",
    "http://meta.test/x"])
def test_redirect_to_this_machine(start, made, hosts, registry, where):
    """A registry that is elsewhere may not name what only we can reach, nor
    by a name that leads there."""
    target = made(hostile.Registry())
    proxy = made(between.Proxy({"registry.test": "127.0.0.1"}))
    host = f"registry.test:{registry.port}"
    im = start(registries=insecure(host), hosts=hosts(
        inside_test="127.0.0.1", meta_test="169.254.169.254",
        localhost="127.0.0.1"),
        proxy={"http": proxy.host, "https": proxy.host,
               "except": "inside.test,meta.test,169.254.0.0/16,fe80::/10"})
    registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.redirect(
        where.format(port=target.port))
    refused(im, f"{host}/app:v1", "DATA_LOSS", "only this machine reaches",
            **AUTH)
    assert target.log == []


@pytest.mark.parametrize("where", [
    "http://169.254.169.254/x", "http://[fe80::1]/x", "http://meta.test/x",
    "http://224.0.0.1/x"])
def test_redirect_to_metadata(start, hosts, registry, where):
    """Nor one of this machine what only a link reaches."""
    im = start(registries=insecure(registry.host),
               hosts=hosts(meta_test="169.254.169.254"))
    name = registry.put("app", "v1", Image())
    registry.hooks["manifests", "app"] = hostile.redirect(where)
    refused(im, name, "DATA_LOSS")


def test_realm_at_metadata(start, registry):
    im = start(registries=insecure(registry.host))
    hostile.token_auth(registry, "http://169.254.169.254/token")
    refused(im, registry.put("app", "v1", Image()),
            text="only this machine reaches")


def test_ipv6(start, made, certificates):
    image = Image()
    plain = made(hostile.Registry(host="::1"))
    im = start(registries=insecure(plain.host), ca=certificates["ca"])
    assert im.pull(plain.put("app", "v1", image)) == image.id
    r = made(hostile.Registry(host="::1", tls=certificates["named"]))
    other = Image([{"a": b"6"}])
    assert im.pull(r.put("app", "v1", other)) == other.id


# names

def test_names(start, made, registry, tmp_path):
    """A thousand addresses, a server that fails, one that is silent."""
    server = made(between.NameServer("127.0.53.53", {
        "many.test": ["127.%d.%d.1" % (n >> 8, n & 255)
                      for n in range(1000)],
        "silent.test": None}))
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.53.53\n")
    port = made(hostile.Registry(host="0.0.0.0")).port
    many = made(hostile.Registry(host="0.0.0.0", name="many.test"))
    im = start(registries=insecure(registry.host, many.host),
               resolv=str(resolv), transfer=SHORT)
    pulls = {
        "silent": (im.start_pull(f"silent.test:{port}/app:v1"),
                   "no connection within 2 seconds"),
        "fails": (im.start_pull(f"none.test:{port}/app:v1"),
                  "Could not resolve host"),
    }
    bystander(im, registry)
    for case, e in failures(im, pulls).items():
        assert e.code == "UNKNOWN", (case, e)
    image = Image()
    assert im.pull(many.put("app", "v1", image)) == image.id
    assert {"many.test", "silent.test", "none.test"} <= set(server.asked)


# TLS

def self_signed(tmp_path, certificates):
    pair = (str(tmp_path / "c"), str(tmp_path / "k"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                    "-nodes", "-keyout", pair[1], "-out", pair[0],
                    "-subj", "/CN=127.0.0.1", "-days", "1", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True,
                   stderr=subprocess.DEVNULL)
    return pair


def old_tls(tmp_path, certificates):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*certificates["good"])
    c.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c.minimum_version = ssl.TLSVersion.TLSv1
        c.maximum_version = ssl.TLSVersion.TLSv1_1
    return c


def long_chain(tmp_path, certificates, size=1 << 20):
    chain = tmp_path / "chain"
    with open(certificates["good"][0]) as f:
        pem = f.read()
    chain.write_text(pem * (1 + size // len(pem)))
    return str(chain), certificates["good"][1]


@pytest.mark.parametrize("which,text", [
    ("expired", "expired"), ("wrong", ""), ("self", "")])
def test_tls_trust(start, made, certificates, tmp_path, which, text):
    pair = certificates.get(which) or self_signed(tmp_path, certificates)
    r = made(hostile.Registry(tls=pair))
    im = start(ca=certificates["ca"])
    e = refused(im, r.put("app", "v1", Image()), "UNKNOWN", text, **AUTH)
    assert e.text.startswith("RegistryUnavailable: ")
    assert r.log == []


def test_tls_private_ca(start, made, certificates):
    """Of this registry alone: another one is not trusted by it."""
    ca = open(certificates["ca"], "rb").read()
    r = made(hostile.Registry(tls=certificates["good"]))
    other = made(hostile.Registry(tls=certificates["good"]))
    im = start(registries=[drive.registry(r.host, ca=ca)])
    image = Image()
    assert im.pull(r.put("app", "v1", image)) == image.id
    with pytest.raises(drive.Failed) as e:
        im.pull(other.put("app", "v1", image))
    assert e.value.code == "UNKNOWN" and other.log == []


@pytest.mark.parametrize("tls", [old_tls, long_chain])
def test_tls_bad(start, made, certificates, tmp_path, tls):
    r = made(hostile.Registry(tls=tls(tmp_path, certificates)))
    im = start(ca=certificates["ca"], transfer=FEW)
    refused(im, r.put("app", "v1", Image()), "UNKNOWN", "")
    assert r.log == []


class Knows(hostile.Registry):
    """Notes who its clients are."""

    def __init__(self, pair, ca, demand):
        self.names = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED if demand else \
            ssl.CERT_OPTIONAL
        super().__init__(tls=context)

    def serve(self, h):
        cert = h.connection.getpeercert() or {}
        self.names.append(dict(x[0] for x in cert.get(
            "subject", ())).get("commonName"))
        return super().serve(h)


def test_client_certificate(start, made, certificates):
    """Shown to the registry alone, not to where it sends us."""
    r = made(Knows(certificates["good"], certificates["ca"], True))
    other = made(Knows(certificates["good"], certificates["ca"], False))
    image = Image()
    name = r.put("app", "v1", image)
    other.put("app", "v1", image)
    im = start(ca=certificates["ca"], transfer=FEW)
    refused(im, name, "UNKNOWN")
    assert r.log == []
    im = start(ca=certificates["ca"], registries=[
        drive.registry(r.host, client=certificates["client"],
                       headers=b"X-Own: own\n")])
    r.hooks["blobs", "app"] = lambda h: h.reply(
        307, Location=other.url + h.path)
    assert im.pull(name) == image.id
    assert set(r.names) == {"client"} and set(other.names) == {None}
    assert all(q["headers"]["X-Own"] == "own" for q in r.log)
    assert not any("X-Own" in q["headers"] for q in other.log)


def test_client_certificates(start, made, certificates, tmp_path):
    """Of several, the one that is wanted is found."""
    r = made(Knows(certificates["good"], certificates["ca"], True))
    path = [str(tmp_path / n) for n in ("c", "k")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                    "-nodes", "-out", path[0], "-keyout", path[1], "-subj",
                    "/CN=stranger", "-days", "1"], check=True,
                   stderr=subprocess.DEVNULL)
    pairs = {"a": path, "b": certificates["client"]}
    files = [("CERTS", f"/etc/docker/certs.d/{r.host}/{n}.{end}",
              open(pair[i], "rb").read())
             for n, pair in pairs.items() for i, end in enumerate(("cert", "key"))]
    im = start(ca=certificates["ca"], files=files)
    image = Image()
    assert im.pull(r.put("app", "v1", image)) == image.id
    assert set(r.names) == {"client"}


# token servers of another site

def elsewhere(start, made, certificates, hosts, pair="named", **registry):
    r = made(hostile.Registry(tls=certificates["named"],
                              name="registry.test"))
    t = made(hostile.Registry(tls=certificates[pair], name="other.example"))
    im = start(ca=certificates["ca"], transfer=FEW, hosts=hosts(
        registry_test="127.0.0.1", other_example="127.0.0.1"),
        registries=[drive.registry(r.host, **registry)])
    hostile.token_auth(r, hostile.token_server(t, basic="u:s3cret"))
    return r, t, im


def test_realm_elsewhere_allowed(start, made, certificates, hosts):
    r, t, im = elsewhere(start, made, certificates, hosts,
                         token_server="Other.Example")
    image = Image()
    assert im.pull(r.put("app", "v1", image), **AUTH) == image.id
    assert stolen(t) != []


def test_realm_elsewhere_not_allowed(start, made, certificates, hosts):
    r, t, im = elsewhere(start, made, certificates, hosts,
                         token_server="another.example")
    refused(im, r.put("app", "v1", Image()), "UNAUTHENTICATED",
            "another site", **AUTH)
    assert t.log == []


@pytest.mark.parametrize("insecure", [False, True])
def test_realm_elsewhere_without_trust(start, made, certificates, hosts,
                                       insecure):
    """What holds for an insecure registry does not for its token server."""
    r, t, im = elsewhere(start, made, certificates, hosts, "wrong",
                         token_server="other.example", insecure=insecure)
    refused(im, r.put("app", "v1", Image()), "UNKNOWN", "token server",
            **AUTH)
    assert t.log == []


def test_realm_elsewhere_plain(start, made, hosts, registry):
    """Nor does the password go anywhere else in the clear."""
    t = made(hostile.Registry(name="other.example"))
    host = f"registry.test:{registry.port}"
    im = start(hosts=hosts(registry_test="127.0.0.1",
                           other_example="127.0.0.1"),
               registries=[drive.registry(host, insecure=True,
                                          token_server="other.example")])
    hostile.token_auth(registry, hostile.token_server(t))
    registry.put("app", "v1", Image())
    refused(im, f"{host}/app:v1", "UNAUTHENTICATED", "not https", **AUTH)
    assert t.log == []


# slow and silent ones; each is tried once: progress is shorter than any

class Silent(between.Listener):
    """Says what it is told to, then nothing."""

    def __init__(self, words=b"", every=None):
        self.words, self.every = words, every
        super().__init__()

    def serve(self, conn):
        conn.sendall(self.words)
        if self.every is None:
            conn.recv(1 << 20)
        else:
            while True:
                conn.sendall(self.every)
                time.sleep(0.2)
        while conn.recv(1 << 20):
            pass


def bystander(im, registry):
    """Another registry is pulled from meanwhile."""
    image = Image([{"by": os.urandom(16)}])
    name = registry.put("by", "v1", image)
    for _ in range(5):  # its own limits are as short
        try:
            assert im.pull(name) == image.id
            return im.remove(image.id)
        except drive.Failed as e:
            assert "seconds" in e.text
    raise AssertionError("a bystander was held up")


def failures(im, pulls):
    """pulls: name to (what was started, text of the error)."""
    result = {}
    for case, (started, text) in pulls.items():
        with pytest.raises(drive.Failed) as e:
            im.end_pull(started, timeout=60)
        assert text in e.value.text, (case, e.value)
        result[case] = e.value
    assert im.list() == []
    assert os.listdir(os.path.join(im.root, "tmp")) == []
    return result


@pytest.fixture
def full():
    """A socket whose queue is full: it answers no SYN."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for other in fill:
            other.setblocking(False)
            other.connect_ex(s.getsockname())
        yield "127.0.0.1:%d" % s.getsockname()[1]
        for other in fill:
            other.close()


OKAY = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "headers": (b"", None, "no answer within 2 seconds"),
    "each header": (OKAY, b"X: y\r\n", "no answer within 2 seconds"),
    "one header": (OKAY + b"X: ", b"x", "no answer within 2 seconds"),
    "body": (OKAY + b"Content-Length: 9999\r\n\r\n", None,
             "nothing came for 2 seconds"),
    "trickle": (OKAY + b"Content-Length: 9999\r\n\r\n", b" ",
                "less than 1024 bytes a second came for 2 seconds"),
    # fast enough at every moment, and yet it takes too long
    "document": (OKAY + b"Content-Length: 999999\r\n\r\n", b" " * 2000,
                 "not all of it came in 4 seconds"),
}


def test_slow(start, made, registry, full):
    """Every step has its limit, and says which it was."""
    silent = {case: made(Silent(words, every))
              for case, (words, every, _) in SLOW.items()}
    plain = [s.host for s in silent.values()]
    im = start(registries=insecure(registry.host, *plain), transfer=SHORT)
    pulls = {case: (im.start_pull(f"{s.host}/app:v1"), SLOW[case][2])
             for case, s in silent.items()}
    pulls["connect"] = (im.start_pull(f"{full}/app:v1"),
                        "no connection within 2 seconds")
    pulls["handshake"] = (im.start_pull(made(Silent()).host + "/app:v1"),
                          "no TLS within 2 seconds")
    bystander(im, registry)
    for case, e in failures(im, pulls).items():
        assert e.code == "UNKNOWN", (case, e)
        assert e.text.startswith("RegistryUnavailable: "), (case, e)


def stalled(data, at):
    def hook(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data[:at])
        h.wfile.flush()
        h.connection.recv(1)
    return hook


def test_stalled_blob(start, registry):
    """A transfer that stands still goes on by another connection."""
    im = start(registries=insecure(registry.host), transfer=dict(
        SHORT, progress=300))
    image = Image([{"big": os.urandom(300000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    registry.hooks["blobs", "app", d] = hostile.first_times(
        1, stalled(image.blobs[d], 200000), registry, "blobs", "app")
    assert im.pull(name) == image.id
    assert [r["range"] is None for r in registry.requests(d)] == [True, False]


def test_total(start, registry):
    im = start(registries=insecure(registry.host), transfer={"total": 2})
    image = Image([{"big": os.urandom(300000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    registry.hooks["blobs", "app", d] = stalled(image.blobs[d], 1000)
    refused(im, name, "DEADLINE_EXCEEDED", "not done within 2 seconds")


def test_stopped_process(start, registry):
    """While imaged itself stands still nobody is late."""
    im = start(registries=insecure(registry.host),
               transfer=dict(SHORT, idle=1))
    image = Image([{"big": os.urandom(300000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    begun, go = threading.Event(), threading.Event()

    def hook(h):
        data = image.blobs[d]
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data[:200000])
        begun.set()
        go.wait(20)
        h.wfile.write(data[200000:])
    registry.hooks["blobs", "app", d] = hook
    started = im.start_pull(name)
    assert begun.wait(20)
    os.kill(im.process.pid, 19)
    time.sleep(3)  # longer than idle
    go.set()
    os.kill(im.process.pid, 18)
    assert im.end_pull(started) == image.id
    assert len(registry.requests(d)) == 1


# cut connections

def test_cut_again_and_again(start, made, registry):
    """Every connection ends after 150 kB: the blob still comes whole."""
    wire = made(between.Wire(registry.port))
    im = start(registries=insecure(wire.host))
    image = Image([{"big": os.urandom(1 << 20)}], how="plain")
    registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    registry.hooks["blobs", "app", d] = lambda h: (
        registry.blob(h, image.blobs[d]), setattr(h, "close_connection",
                                                  True))
    wire.cuts += [None] + [150000] * 100  # the first has the documents
    registry.hooks["blobs", "app", image.id] = lambda h: (
        registry.blob(h, image.blobs[image.id]),
        setattr(h, "close_connection", True))
    assert im.pull(f"{wire.host}/app:v1") == image.id
    asked = [int((r["range"] or "bytes=0-").split("=")[1][:-1])
             for r in registry.requests(d)]
    assert len(asked) >= 7 and asked == sorted(set(asked))


def test_cut_by_trickle(imaged, registry):
    """A few bytes more each time are no progress."""
    image = Image([{"big": os.urandom(1 << 20)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]

    def trickle(h):
        data, at = image.blobs[d], 0
        if h.headers.get("Range"):
            at = int(h.headers["Range"].split("=")[1][:-1])
        h.send_response(206 if at else 200)
        h.send_header("Content-Length", str(len(data) - at))
        h.send_header("Content-Range",
                      f"bytes {at}-{len(data) - 1}/{len(data)}")
        h.end_headers()
        h.wfile.write(data[at:at + 100])
        h.close_connection = True
        h.connection.shutdown(2)
    registry.hooks["blobs", "app", d] = trickle
    refused(imaged, name, "UNKNOWN")
    assert len(registry.requests(d)) == 4


def test_range_refused(imaged, registry):
    """416 for the rest: all of it then, without a range."""
    image = Image([{"big": os.urandom(300000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]

    def hook(h):
        if h.headers.get("Range") is not None:
            return h.reply(416)
        if len(registry.requests(d)) == 1:
            return hostile.cut(image.blobs[d], 200000)(h)
        return h.reply(200, image.blobs[d])
    registry.hooks["blobs", "app", d] = hook
    assert imaged.pull(name) == image.id
    assert len(registry.requests(d)) == 3


def test_other_bytes_on_resume(imaged, registry):
    """The parts do not fit together: once more, in one piece."""
    image = Image([{"big": os.urandom(300000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    data = image.blobs[d]

    def hook(h):
        n = len(registry.requests(d))
        if n == 1:
            return hostile.cut(b"x" * len(data), 200000)(h)
        return registry.blob(h, data)
    registry.hooks["blobs", "app", d] = hook
    assert imaged.pull(name) == image.id
    assert [r["range"] is None for r in registry.requests(d)] == \
        [True, False, True]


def test_token_expires_during_a_blob(imaged, registry):
    """401 when it goes on after a cut: a new token, the same blob."""
    image = Image([{"big": os.urandom(300000)}], how="plain")
    name = registry.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    good = ["tok-1"]

    def check(h, repo):
        if h.headers.get("Authorization") == f"Bearer {good[-1]}":
            return True
        return h.reply(401, WWW_Authenticate='Bearer realm='
                       f'"{registry.url}/token"') and False
    registry.auth = check
    registry.hooks["path", "/token"] = lambda h: h.reply(
        200, json.dumps({"token": good[-1]}).encode())

    def cut(h):
        good.append("tok-2")
        hostile.cut(image.blobs[d], 200000)(h)
    registry.hooks["blobs", "app", d] = hostile.first_times(
        1, cut, registry, "blobs", "app")
    assert imaged.pull(name) == image.id
    assert [(r["authorization"], r["range"] is not None)
            for r in registry.requests(d)] == [
        ("Bearer tok-1", False), ("Bearer tok-1", True),
        ("Bearer tok-2", True)]
    assert len(registry.requests("/token")) == 2


# mirrors

def test_mirrors_in_turn(start, made, registry):
    """Each way to fail leads to the next place; who asked to be left alone is
    not waited for while there is another."""
    failing = [hostile.fixed(404), hostile.fixed(500),
               hostile.fixed(429, Retry_After="20"),
               hostile.fixed(403), hostile.fixed(401), hostile.fixed(200)]
    mirrors = [made(hostile.Registry()) for _ in failing]
    for m, hook in zip(mirrors, failing):
        m.hooks["manifests", "app"] = hook
    image = Image()
    name = registry.put("app", "v1", image)
    im = start(registries=[drive.registry(
        registry.host, insecure=True, mirrors=[
            (m.host, True) for m in mirrors])])
    began = time.monotonic()
    assert im.pull(name) == image.id
    assert [len(m.log) for m in mirrors] == [1] * len(mirrors)
    im.remove(image.id)
    assert im.pull(name) == image.id
    assert len(mirrors[2].log) == 1
    assert time.monotonic() - began < 20


def test_mirror_loses_a_layer(start, made, registry):
    """What a mirror has not, or has wrong, comes from the registry."""
    mirror = made(hostile.Registry())
    image = Image([{"a": b"1"}, {"b": b"2"}, {"c": b"3"}])
    name = registry.put("app", "v1", image)
    mirror.put("app", "v1", image)
    layers = [d["digest"] for d in image.manifest["layers"]]
    mirror.blobs = dict(mirror.blobs)
    del mirror.blobs[layers[0]]
    mirror.blobs[layers[1]] = b"x" * len(image.blobs[layers[1]])
    im = start(registries=[drive.registry(
        registry.host, insecure=True, mirrors=[(mirror.host, True)])])
    assert im.pull(name) == image.id
    assert len(registry.requests(layers[0])) == 1
    assert len(registry.requests(layers[1])) == 1
    assert registry.requests(layers[2]) == []
    assert registry.requests("/manifests/") == []


def test_all_mirrors_fail(start, made, registry):
    """The text says what each of them said."""
    mirror = made(hostile.Registry())
    mirror.hooks["manifests", "app"] = hostile.fixed(403)
    registry.hooks["manifests", "app"] = hostile.fixed(404)
    im = start(registries=[drive.registry(
        registry.host, insecure=True, mirrors=[(mirror.host, True)])])
    e = refused(im, registry.host + "/app:v1", "NOT_FOUND", registry.host)
    assert mirror.host in e.text and "403" in e.text


# HTTP/2 by hand

def frames(*all_of_them):
    return b"".join(h2raw.frame(*f) for f in all_of_them)


SETTINGS = (h2raw.SETTINGS, 0, 0, b"")
OK = b"\x88"  # :status 200
SPOILS = {
    "nothing": b"",
    "not HTTP/2": b"HTTP/1.1 200 OK\r\n\r\n",
    "no frame": b"\xff" * 1000,
    "max frame size 0": frames(
        (h2raw.SETTINGS, 0, 0, b"\0\5\0\0\0\0"), (h2raw.HEADERS, 0, 1, OK)) +
        frames((h2raw.CONT, 0, 1, b"")) * 10000,
    "endless continuation": frames(
        SETTINGS, (h2raw.HEADERS, 0, 1, OK)) +
        frames((h2raw.CONT, 0, 1, h2raw.field("x", "y" * 1000))) * 3000,
    "many headers": frames(
        SETTINGS, (h2raw.HEADERS, 4, 1, OK + h2raw.field(
            "x-a", "y" * 100) * 120)) * 20,
    "bad compression": frames(
        SETTINGS, (h2raw.HEADERS, 4, 1, b"\xff" * 100)),
    "reset": frames(SETTINGS, (h2raw.RST, 0, 1, b"\0\0\0\1")),
    "goaway": frames(SETTINGS, (h2raw.GOAWAY, 0, 0, b"\0" * 8)),
    "pings": frames(SETTINGS) +
        frames((h2raw.PING, 0, 0, b"\0" * 8)) * 100000,
    "settings": frames(SETTINGS) * 100000,
    "push": frames(SETTINGS, (h2raw.PUSH, 4, 1, b"\0\0\0\2" + OK)),
    "window": frames(SETTINGS, (h2raw.WINDOW, 0, 0, b"\x7f\xff\xff\xff")) * 9,
    "data first": frames(SETTINGS, (h2raw.DATA, 0, 1, b"x" * 1000)),
    "endless data": frames(SETTINGS, (h2raw.HEADERS, 4, 1, OK)) +
        frames((h2raw.DATA, 0, 1, b" " * 16000)) * 2000,
    "headers alone": frames(SETTINGS, (h2raw.HEADERS, 4, 1, OK)),
    "no end": frames(SETTINGS, (h2raw.HEADERS, 4, 1, OK),
                     (h2raw.DATA, 0, 1, b"{")),
}


class Spoiler(between.Listener):
    """A server that agrees on HTTP/2 and then sends these bytes."""

    def __init__(self, pair, spoil):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.set_alpn_protocols(["h2"])
        self.spoil = spoil
        super().__init__()

    def serve(self, conn):
        with self.context.wrap_socket(conn, server_side=True) as tls:
            assert tls.selected_alpn_protocol() == "h2"
            tls.recv(1 << 16)
            tls.settimeout(20)
            tls.sendall(self.spoil)
            while tls.recv(1 << 16):
                pass


def test_http2(start, made, certificates, registry):
    """All at once: none disturbs another, nor honest pulls."""
    im = start(ca=certificates["ca"], transfer=SHORT,
               registries=insecure(registry.host))
    spoilers = {case: made(Spoiler(certificates["good"], spoil))
                for case, spoil in SPOILS.items()}
    pulls = {case: (im.start_pull(f"{s.host}/app:v1"), "")
             for case, s in spoilers.items()}
    bystander(im, registry)
    for case, e in failures(im, pulls).items():
        assert spoilers[case].host in e.text, (case, e)
        assert e.code in ("UNKNOWN", "DATA_LOSS"), (case, e)
        assert spoilers[case].count < 8, case
    assert im.memory_kb("Rss") < 96 * 1024
