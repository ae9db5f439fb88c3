"""Signatures as gpg, skopeo, cosign and a sigstore would make them."""

import base64
import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "../registry"))

import oci  # noqa: E402
from gpg import Gpg  # noqa: E402,F401

SIMPLE = "atomic container signature"
COSIGN = "cosign container image signature"
LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
NOTES = {"signature": "dev.cosignproject.cosign/signature",
         "certificate": "dev.sigstore.cosign/certificate",
         "chain": "dev.sigstore.cosign/chain",
         "bundle": "dev.sigstore.cosign/bundle"}


def b64(data):
    return base64.b64encode(data).decode()


def payload(reference, digest, kind=SIMPLE):
    return json.dumps({
        "critical": {"type": kind, "image": {"docker-manifest-digest": digest},
                     "identity": {"docker-reference": reference}},
        "optional": {"creator": "test", "timestamp": 1700000000}}).encode()


def push(scratch, registry, repository, tag="v1", entries=()):
    """An image of its own in a repository: its manifest's digest and its id.
    entries: more that its layer has."""
    where = os.path.join(scratch, "made",
                         repository.replace("/", "-") + "-" + tag)
    layout = oci.Layout(where)
    desc = layout.image([oci.layer([*oci.busybox_entries(), *entries])],
                        {"Env": ["PATH=/bin", "OF=" + repository + tag],
                         "Cmd": ["sleep", "3600"]})
    path = layout.write(desc)
    subprocess.run(
        ["skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:" + path,
         "docker://%s/%s:%s" % (registry, repository, tag)], check=True)
    with open(os.path.join(where, "blobs/sha256",
                           desc["digest"].split(":")[1])) as f:
        return desc["digest"], json.load(f)["config"]["digest"]


class Lookaside:
    """A static web server; status replaces every answer while it is set."""

    def __init__(self, path):
        self.path, self.status, self.asked = path, None, []
        os.makedirs(path)
        this = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                this.asked.append(self.path)
                if this.status:
                    self.send_error(this.status)
                else:
                    super().do_GET()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=path))
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_port

    def add(self, repository, digest, signature):
        d = os.path.join(self.path, repository + "@" +
                         digest.replace(":", "="))
        os.makedirs(d, exist_ok=True)
        name = "signature-%d" % (len(os.listdir(d)) + 1)
        with open(os.path.join(d, name), "wb") as f:
            f.write(signature)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Keeper:
    """A registry, in front of another, that keeps signatures itself: kept has
    them by digest, asked what was asked for.  list replaces an answer."""

    def __init__(self, registry):
        self.kept, self.asked, self.list = {}, [], None
        this = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                this.asked.append(self.path)
                if self.path.startswith("/extensions/v2/"):
                    self.reply(200, this.answer(
                        self.path.rsplit("/", 1)[1]), {})
                    return
                try:
                    with urllib.request.urlopen(urllib.request.Request(
                            "http://" + registry + self.path, headers={
                                "Accept": self.headers["Accept"] or "*/*"}
                            )) as r:
                        self.reply(r.status, r.read(), {
                            k: r.headers[k] for k in
                            ("Content-Type", "Docker-Content-Digest")
                            if r.headers[k]})
                except urllib.error.HTTPError as e:
                    self.reply(e.code, b"", {})

            def reply(self, status, body, fields):
                self.send_response(status)
                for k, v in fields.items():
                    self.send_header(k, v)
                self.send_header("X-Registry-Supports-Signatures", "1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        self.host = "127.0.0.1:%d" % self.server.server_port

    def answer(self, digest):
        if self.list is not None:
            return self.list
        return json.dumps({"signatures": [
            {"version": 2, "type": "atomic", "name": digest + "@x",
             "content": b64(s)} for s in self.kept.get(digest, [])]}).encode()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


# ---- sigstore ----

def upload(registry, repository, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    base = "http://%s/v2/%s" % (registry, repository)
    with urllib.request.urlopen(urllib.request.Request(
            base + "/blobs/uploads/", method="POST", data=b"")) as r:
        where = r.headers["Location"]
    where += ("&" if "?" in where else "?") + "digest=" + digest
    urllib.request.urlopen(urllib.request.Request(
        where, method="PUT", data=data, headers={
            "Content-Type": "application/octet-stream"})).close()
    return digest


def attach(registry, repository, digest, signatures):
    """signatures: (payload, {signature, certificate, chain, bundle})."""
    layers = []
    for body, notes in signatures:
        layers.append({"mediaType": LAYER, "size": len(body),
                       "digest": upload(registry, repository, body),
                       "annotations": {NOTES[k]: v for k, v in
                                       notes.items()}})
    config = json.dumps({"architecture": "", "os": "", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": []}}
                        ).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": oci.OCI + "manifest.v1+json",
        "config": {"mediaType": oci.OCI + "config.v1+json",
                   "size": len(config),
                   "digest": upload(registry, repository, config)},
        "layers": layers}).encode()
    urllib.request.urlopen(urllib.request.Request(
        "http://%s/v2/%s/manifests/%s.sig" % (
            registry, repository, digest.replace(":", "-")), method="PUT",
        data=manifest, headers={
            "Content-Type": oci.OCI + "manifest.v1+json"})).close()


BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
INTOTO = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"


def put_manifest(registry, repository, what, manifest):
    """Its digest and size."""
    data = json.dumps(manifest).encode()
    urllib.request.urlopen(urllib.request.Request(
        "http://%s/v2/%s/manifests/%s" % (registry, repository, what),
        method="PUT", data=data,
        headers={"Content-Type": manifest["mediaType"]})).close()
    return "sha256:" + hashlib.sha256(data).hexdigest(), len(data)


def refer(registry, repository, digest, blobs, **more):
    """Attaches bundles as cosign 3 does to a registry without referrers; more
    replaces what the manifests of referrers have."""
    listed = []
    for data in blobs:
        manifest = {
            "schemaVersion": 2, "mediaType": oci.OCI + "manifest.v1+json",
            "artifactType": BUNDLE,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json",
                       "size": 2, "digest": upload(registry, repository,
                                                   b"{}")},
            "layers": [{"mediaType": BUNDLE, "size": len(data), "digest":
                        upload(registry, repository, data)}],
            "subject": {"mediaType": oci.OCI + "manifest.v1+json",
                        "digest": digest, "size": 7}, **more}
        tag = "m" + hashlib.sha256(json.dumps(manifest).encode()
                                   ).hexdigest()[:16]
        name, size = put_manifest(registry, repository, tag, manifest)
        listed.append({"mediaType": manifest["mediaType"], "digest": name,
                       "size": size, "artifactType": BUNDLE})
    put_manifest(registry, repository, digest.replace(":", "-"), {
        "schemaVersion": 2, "mediaType": oci.OCI + "index.v1+json",
        "manifests": listed})


def statement(digest, name=None, kind=SIGN):
    subject = {"digest": {"sha256": digest.split(":")[1]}}
    if name:
        subject["name"] = name
    return json.dumps({"_type": "https://in-toto.io/Statement/v1",
                       "predicateType": kind, "subject": [subject]}).encode()


def pae(body):
    return b"DSSEv1 %d %s %d %s" % (len(INTOTO), INTOTO.encode(), len(body),
                                    body)


def envelope(body, signature, pem=None, entries=(), **more):
    """A sigstore bundle; pem: the signer's certificate."""
    material = {"publicKey": {"hint": "x"}}
    if pem:
        material = {"certificate": {"rawBytes": "".join(
            pem.decode().split("-----")[2].split())}}
    return json.dumps({
        "mediaType": BUNDLE,
        "verificationMaterial": dict(material, tlogEntries=list(entries)),
        "dsseEnvelope": {"payload": b64(body), "payloadType": INTOTO,
                         "signatures": [{"sig": b64(signature)}]},
        **more}).encode()


def openssl(*args, data=b"", cwd=None):
    p = subprocess.run(["openssl", *args], input=data, cwd=cwd,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.returncode == 0, p.stderr.decode()
    return p.stdout


class Key:
    """A private key in a file; how: arguments of openssl genpkey."""

    def __init__(self, path, *how):
        self.path = path
        openssl("genpkey", *(how or ("-algorithm", "EC", "-pkeyopt",
                                     "ec_paramgen_curve:P-256")),
                "-out", path)
        self.public = openssl("pkey", "-in", path, "-pubout")
        with open(path + ".pub", "wb") as f:
            f.write(self.public)

    def sign(self, data):
        if b"ED25519" in openssl("pkey", "-in", self.path, "-noout", "-text"):
            with open(self.path + ".data", "wb") as f:
                f.write(data)
            return openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin",
                           "-in", self.path + ".data")
        return openssl("dgst", "-sha256", "-sign", self.path, data=data)


class Fulcio:
    """A CA that says for whom it has issued."""

    ISSUER = "https://issuer.example/"
    EMAIL = "dev@example.com"

    def __init__(self, d):
        self.d, self.n = d, 0
        os.makedirs(d)
        self.key = Key(os.path.join(d, "ca.key"))
        self.ca = os.path.join(d, "ca.pem")
        self._certify(self.key, self.ca, "20250101000000Z",
                      "20450101000000Z", ["basicConstraints=critical,CA:TRUE",
                                          "keyUsage=critical,keyCertSign"],
                      "-selfsign")

    def _certify(self, key, out, start, end, extensions, *how):
        self.n += 1
        base = os.path.join(self.d, str(self.n))
        files = {"ext": "\n".join(extensions), "index": "",
                 "serial": "%02x\n" % (self.n + 16),
                 "cnf": "[ca]\ndefault_ca=d\n[d]\ndatabase=%s.index\n"
                        "serial=%s.serial\nnew_certs_dir=%s\n"
                        "default_md=sha256\npolicy=p\nemail_in_dn=no\n"
                        "[p]\ncommonName=optional\n" % (base, base, self.d)}
        for name, text in files.items():
            with open(base + "." + name, "w") as f:
                f.write(text)
        openssl("req", "-new", "-key", key.path, "-subj",
                "/CN=%d" % self.n, "-out", base + ".csr")
        openssl("ca", "-batch", "-notext", "-config", base + ".cnf",
                *(how or ("-cert", self.ca)), "-keyfile", self.key.path,
                "-in", base + ".csr", "-out", out, "-startdate", start,
                "-enddate", end, "-extfile", base + ".ext")

    def issue(self, email=EMAIL, issuer=ISSUER, use="codeSigning",
              start="20260101000000Z", end="20260101001000Z", new=True):
        """(key, certificate): of ten minutes, as Fulcio's are."""
        base = os.path.join(self.d, "leaf%d" % self.n)
        key = Key(base + ".key")
        lines = ["subjectAltName=critical,email:" + email,
                 "keyUsage=critical,digitalSignature",
                 "extendedKeyUsage=" + use,
                 "1.3.6.1.4.1.57264.1.1=DER:" + issuer.encode().hex()]
        if new:
            lines.append("1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:" + issuer)
        self._certify(key, base + ".pem", start, end, lines)
        with open(base + ".pem", "rb") as f:
            return key, f.read()


WHEN = 1767225900  # 2026-01-01 00:05:00, within such a certificate's time


def bundle(log, body, signature, public, when=WHEN, digest=None):
    """What the transparency log with that key promises."""
    entry = {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value":
                          digest or hashlib.sha256(body).hexdigest()}},
        "signature": {"content": b64(signature),
                      "publicKey": {"content": b64(public)}}}}
    said = {"body": b64(json.dumps(entry).encode()), "integratedTime": when,
            "logIndex": 1234, "logID": hashlib.sha256(
                log.public).hexdigest()}
    canonical = json.dumps(said, sort_keys=True,
                           separators=(",", ":")).encode()
    return json.dumps({"SignedEntryTimestamp": b64(log.sign(canonical)),
                       "Payload": said})


def dsse_entry(log, body, signature, public, digest=None):
    """The same of an envelope, as a bundle has it."""
    entry = {"apiVersion": "0.0.1", "kind": "dsse", "spec": {
        "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
        "payloadHash": {"algorithm": "sha256", "value":
                        digest or hashlib.sha256(body).hexdigest()},
        "signatures": [{"signature": b64(signature),
                        "verifier": b64(public)}]}}
    key = hashlib.sha256(log.public).digest()
    said = {"body": b64(json.dumps(entry).encode()), "integratedTime": WHEN,
            "logIndex": 1234, "logID": key.hex()}
    canonical = json.dumps(said, sort_keys=True,
                           separators=(",", ":")).encode()
    return {"logIndex": "1234", "logId": {"keyId": b64(key)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(WHEN), "canonicalizedBody": said["body"],
            "inclusionPromise": {"signedEntryTimestamp":
                                 b64(log.sign(canonical))}}
