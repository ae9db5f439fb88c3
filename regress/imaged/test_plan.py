"""security.md §4 R1 and R3 to R6, all at once on one imaged: each pull ends with the
error that is stated here, the one beside it is pulled all the same, and nothing
is left of them."""
import os

import hostile
from drive import wait_for
from hostile import OCI, Image, fixed
from test_transport import (bystander, failures, insecure, long_chain, made,
                            old_tls, self_signed)  # noqa: F401 (fixture)

AWAY = "RegistryUnavailable: "
MANIFEST = OCI + "manifest.v1+json"


def manifests(hook):
    """The manifest is answered so."""
    def put(r):
        name = r.put("app", "v1", Image())
        r.hooks["manifests", "app"] = hook
        return name
    return put


def layer(change):
    """change(blob) is what comes instead of the layer."""
    def put(r):
        image = Image([{"a": os.urandom(50000)}], how="plain")
        name = r.put("app", "v1", image)
        d = image.manifest["layers"][0]["digest"]
        r.hooks["blobs", "app", d] = change(image.blobs[d])
        return name
    return put


def sealed(change):
    """change(image) before it is put."""
    def put(r):
        image = Image([{"a": b"1"}])
        change(image)
        return r.put("app", "v1", image.seal(config=False))
    return put


def document(raw, kind=MANIFEST):
    return lambda r: r.put("app", "v1", (kind, raw))


def wrong_length(data):
    """Less than it says, on a connection that then ends."""
    return hostile.cut(data, len(data) // 2)


def chunks(h):
    h.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"5\r\nabcdefgh\r\nzz\r\n")
    h.close_connection = True


def bomb(how, mib):
    """All of it after the archive's end."""
    def put(r):
        blob = hostile.compress(b"\0" * (1 << 20), how) * mib
        image = Image()
        image.manifest["layers"] = [{
            "mediaType": OCI + "layer.v1.tar+" + how, "size": len(blob),
            "digest": image.add(blob)}]
        return r.put("app", "v1", image.seal(config=False))
    return put


def circle(r):
    kind, raw = hostile.index([{"mediaType": OCI + "index.v1+json",
                                "digest": "sha256:" + "0" * 64, "size": 9}])
    r.manifests["app", "sha256:" + "0" * 64] = (kind, raw)
    return r.put("app", "v1", (kind, raw))


def loop_of_challenges(r):
    r.auth = lambda h, repo: h.reply(401, WWW_Authenticate="Basic realm=x")
    return r.put("app", "v1", Image())


def layers(n):
    def change(image):
        image.manifest["layers"] *= n
    return change


def other_algorithm(image):
    image.manifest["layers"][0]["digest"] = "md5:" + "0" * 32


# What is done, the code, what the text has.
CASES = {
    "R1 401": (loop_of_challenges, "UNAUTHENTICATED", "credentials"),
    "R1 403": (manifests(fixed(403)), "PERMISSION_DENIED", "403"),
    "R1 404": (manifests(fixed(404)), "NOT_FOUND", "404"),
    "R1 408": (manifests(fixed(408)), "UNKNOWN", AWAY),
    "R1 429": (manifests(fixed(429)), "RESOURCE_EXHAUSTED", "429"),
    "R1 429 at once": (manifests(fixed(429, Retry_After="0")),
                       "RESOURCE_EXHAUSTED", "429"),
    "R1 429 never": (manifests(fixed(429, Retry_After="1000000000")),
                     "RESOURCE_EXHAUSTED", "429"),
    "R1 429 soon": (manifests(fixed(429, Retry_After="soon")),
                    "RESOURCE_EXHAUSTED", "429"),
    "R1 500": (manifests(fixed(500)), "UNKNOWN", AWAY),
    "R1 502": (manifests(fixed(502)), "UNKNOWN", AWAY),
    "R1 503": (manifests(fixed(503)), "UNKNOWN", AWAY),
    "R1 504": (manifests(fixed(504)), "UNKNOWN", AWAY),
    "R3 truncated": (layer(wrong_length), "UNKNOWN", AWAY),
    "R3 shorter": (layer(lambda b: fixed(200, b[:-1])), "DATA_LOSS",
                   "has not the size"),
    "R3 longer": (layer(lambda b: fixed(200, b + b" ")), "DATA_LOSS",
                  "has not the size"),
    "R3 chunks": (layer(lambda b: chunks), "UNKNOWN", AWAY),
    "R3 other bytes": (layer(lambda b: fixed(200, b"x" * len(b))),
                       "DATA_LOSS", "another digest"),
    "R3 algorithm": (sealed(other_algorithm), "DATA_LOSS", "digest"),
    "R4 gzip": (bomb("gzip", 600), "INVALID_ARGUMENT", "the image says"),
    "R4 zstd": (bomb("zstd", 4000), "RESOURCE_EXHAUSTED", "larger than"),
    "R4 layers": (sealed(layers(10000)), "DATA_LOSS",
                  "more than 127 layers"),
    "R4 manifest": (manifests(hostile.endless), "DATA_LOSS", "too long"),
    "R4 depth": (document(b"[" * 1000000), "DATA_LOSS", "nested too deep"),
    "R4 twice": (document(b'{"a":1,"a":2}'), "DATA_LOSS", "duplicate key"),
    "R4 circle": (circle, "DATA_LOSS", "another digest"),
    "R5 loop": (manifests(hostile.redirect("/v2/app/manifests/v1")),
                "DATA_LOSS", "more than 5 redirects"),
    "R5 file": (manifests(hostile.redirect("file:///etc/passwd")),
                "DATA_LOSS", "neither http nor https"),
    "R5 metadata": (manifests(hostile.redirect(
        "http://169.254.169.254/latest")), "DATA_LOSS",
        "only this machine reaches"),
    "R5 unix": (manifests(hostile.redirect("unix:///run/x")), "DATA_LOSS",
                "neither http nor https"),
    "R5 scope": (manifests(hostile.redirect("http://[fe80::1%25lo]/x")),
                 "DATA_LOSS", "only this machine reaches"),
}



# How TLS goes wrong: nothing is asked for then.
TLS = {
    "R6 expired": lambda tmp_path, certificates: certificates["expired"],
    "R6 wrong name": lambda tmp_path, certificates: certificates["wrong"],
    "R6 self-signed": self_signed,
    "R6 old": old_tls,
    "R6 long chain": long_chain,
}


def test_registries_that_lie(start, made, registry, certificates, tmp_path):
    cases = dict(CASES, **{case: (manifests(fixed(200)), "UNKNOWN", AWAY)
                           for case in TLS})
    rs = {case: made(hostile.Registry(tls=case in TLS and TLS[case](
        tmp_path, certificates) or None)) for case in cases}
    im = start(registries=insecure(registry.host, *(
        r.host for case, r in rs.items() if case not in TLS)),
        ca=certificates["ca"], transfer={"progress": 2})
    pulls = {case: (im.start_pull(cases[case][0](r)), cases[case][2])
             for case, r in rs.items()}
    bystander(im, registry)
    for case, e in failures(im, pulls).items():
        assert e.code == cases[case][1], (case, e)
        assert rs[case].host in e.text, (case, e)
        assert case not in TLS or rs[case].log == [], case
    wait_for(lambda: os.listdir(os.path.join(im.root, "layer")) == [])
    assert im.memory_kb("Rss") < 96 * 1024
