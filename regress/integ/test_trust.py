"""Signature policies: what is pulled, and what containers are made of."""

import json
import os
import signal
import subprocess
import tempfile
import urllib.request

import grpc
import pytest

import cri
import oci
from conftest_integ import REGISTRY, Criod, Pods, wait_for
from trust import (COSIGN, SIGN, Fulcio, Gpg, Keeper, Key, Lookaside, attach,
                   b64, bundle, dsse_entry, envelope, pae, payload, push, refer,
                   statement, upload)

TOOLS = os.path.join(cri.TOP, "build/go")
REFUSED = "SignatureValidationFailed: "
LAST = '{"default": [{"type": "insecureAcceptAnything"}]}'
REPOSITORY = {"type": "matchRepository"}


class World:
    """One criod with a policy, keys of all kinds, and signature stores."""

    def __init__(self, scratch):
        self.d = tempfile.mkdtemp(prefix="trust.", dir=scratch)
        os.chmod(self.d, 0o755)
        self.scratch = scratch
        self.look = Lookaside(self.path("look"))
        self.keeper = Keeper(REGISTRY)
        self.gpg = Gpg(self.path("gpg"))
        for name in "signer", "stranger", "gone":
            self.gpg.key(name)
        self.gpg.key("old", expire="2021-01-01", time="20200101T000000!")
        for name in "signer", "old", "gone":
            self.write(name + ".gpg", self.gpg.public(name))
        self.key = Key(self.path("key.pem"))
        self.stranger = Key(self.path("stranger.pem"))
        self.rsa = Key(self.path("rsa.pem"), "-algorithm", "RSA")
        self.ed = Key(self.path("ed.pem"), "-algorithm", "ED25519")
        self.log = Key(self.path("log.pem"))
        self.fulcio = Fulcio(self.path("fulcio"))
        os.makedirs(self.path("sources"))
        os.makedirs(self.path("policies"))
        self.write("sources/test.yaml", (
            "docker:\n  %s:\n    lookaside: %s\n    lookaside-staging: "
            "file://%s\n    use-sigstore-attachments: true\n"
            "  %s/dir:\n    lookaside: file://%s\n" % (
                REGISTRY, self.look.url, self.look.path, REGISTRY,
                self.path("files"))).encode())
        os.makedirs(self.path("files/dir"))
        self.base = self.policy()
        self.write_policy(self.base)
        self.write("policies/strict.json", json.dumps(
            {"default": [{"type": "reject"}]}).encode())
        self.criod = Criod(self.path("criod"), conf=self.conf()).start()

    def path(self, name):
        return os.path.join(self.d, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def conf(self):
        return ('registry "%s" {\n insecure\n}\n'
                'registry "%s" {\n insecure\n}\n'
                'signature policy "%s"\nsignature policy directory "%s"\n'
                'signature source directory "%s"\nsignature nameless yes\n'
                % (REGISTRY, self.keeper.host, self.path("policy.json"),
                   self.path("policies"), self.path("sources")))

    def signed_by(self, *names, **more):
        return {"type": "signedBy", "keyType": "GPGKeys",
                "keyPaths": [self.path(n + ".gpg") for n in names], **more}

    def sigstore(self, key, **more):
        return {"type": "sigstoreSigned", "keyPath": key.path + ".pub",
                "signedIdentity": REPOSITORY, **more}

    def by_fulcio(self):
        return {"type": "sigstoreSigned", "fulcio": {
            "caPath": self.fulcio.ca, "oidcIssuer": Fulcio.ISSUER,
            "subjectEmail": Fulcio.EMAIL},
            "rekorPublicKeyData": b64(self.log.public),
            "signedIdentity": REPOSITORY}

    def policy(self):
        docker = {
            "open": [{"type": "insecureAcceptAnything"}],
            "free": [{"type": "insecureAcceptAnything"}],
            "gpg": [self.signed_by("signer", "old", "gone")],
            "dir": [self.signed_by("signer")],
            "sig": [self.sigstore(self.key)],
            "rsa": [self.sigstore(self.rsa)],
            "ed": [self.sigstore(self.ed)],
            "logged": [self.sigstore(
                self.key, rekorPublicKeyPath=self.log.path + ".pub")],
            "fulcio": [self.by_fulcio()],
            "both": [self.signed_by("signer"), self.sigstore(self.key)],
            "lost": [self.signed_by("nothere")],
        }
        scopes = {REGISTRY + "/" + k: v for k, v in docker.items()}
        scopes[self.keeper.host] = [self.signed_by("signer")]
        return {"default": [{"type": "reject"}],
                "transports": {"docker": scopes}}

    def write_policy(self, policy):
        text = policy if isinstance(policy, str) else json.dumps(policy)
        self.write("policy.json", text.encode())

    def reload(self, policy, keys=False):
        """Puts a policy in force; keys: files it names have changed."""
        with open(self.path("policy.json")) as f:
            if f.read() == json.dumps(policy) and not keys:
                return
        before = self.criod.helpers()["imaged"]
        self.write_policy(policy)
        os.kill(self.criod.parent(), signal.SIGHUP)
        self.criod.replaced("imaged", before)

    @property
    def client(self):
        return self.criod.client

    def push(self, repository, tag="v1"):
        """Its name, digest and id."""
        digest, image = push(self.scratch, REGISTRY, repository, tag)
        return "%s/%s:%s" % (REGISTRY, repository, tag), digest, image

    def sign(self, name, digest, key="signer", at=None, reference=None,
             time=None, signed_digest=None):
        """Simple signing, by gpg."""
        repository = name.split("/", 1)[1].rsplit(":", 1)[0]
        self.look.add(repository, at or digest, self.gpg.sign(
            payload(reference or name, signed_digest or digest), key,
            time=time))

    def attach(self, name, digest, key, body=None, **notes):
        """sigstore's, by openssl."""
        repository = name.split("/", 1)[1].rsplit(":", 1)[0]
        body = body or payload("%s/%s" % (REGISTRY, repository), digest,
                               COSIGN)
        if "signature" not in notes:
            notes["signature"] = b64(key.sign(body))
        attach(REGISTRY, repository, digest, [(body, notes)])

    def pull(self, name, namespace=""):
        more = {}
        if namespace:
            more["sandbox_config"] = {"metadata": {
                "name": "p", "uid": "u", "namespace": namespace}}
        return self.client.PullImage(image={"image": name}, **more).image_ref

    def refused(self, name, image, why, namespace=""):
        """With what a kubelet looks for, and nothing of it is left."""
        with pytest.raises(grpc.RpcError) as e:
            self.pull(name, namespace)
        assert e.value.code() == grpc.StatusCode.UNKNOWN
        text = e.value.details()
        assert text.startswith(REFUSED + "pull " + name) and why in text, text
        assert not self.client.ImageStatus(image={"image": name}).image.id
        assert image not in [i.id for i in self.client.ListImages().images]

    def stop(self):
        self.criod.stop()
        self.look.stop()
        self.keeper.stop()
        self.gpg.stop()


@pytest.fixture(scope="module")
def world(scratch, registry):
    w = World(scratch)
    yield w
    w.stop()


@pytest.fixture
def restore(world):
    """Puts the policy back that the others expect."""
    yield
    world.reload(world.base)


@pytest.fixture
def trusted_pods(world, scratch):
    p = Pods(world.criod, scratch)
    yield p
    p.clean()


# ---- simple signing ----

def test_skopeo(world):
    """An image that skopeo signed and whose signature it stored."""
    name = REGISTRY + "/gpg/skopeo:v1"
    accept = world.write("accept.json", LAST.encode())
    subprocess.run(
        ["skopeo", "--policy", accept, "--registries.d",
         world.path("sources"), "copy", "-q", "--src-tls-verify=false",
         "--dest-tls-verify=false", "--sign-by", "signer@example.com",
         "docker://%s/library/busybox:latest" % REGISTRY, "docker://" + name],
        check=True, env=dict(os.environ, GNUPGHOME=world.gpg.home))
    image = world.pull(name)
    digests = world.client.ImageStatus(
        image={"image": name}).image.repo_digests
    assert world.pull(digests[0]) == image
    # The same bytes under a name that nobody signed.
    subprocess.run(
        ["skopeo", "copy", "-q", "--src-tls-verify=false",
         "--dest-tls-verify=false", "docker://" + name, "docker://" +
         REGISTRY + "/gpg/skopeo:v2"], check=True)
    with pytest.raises(grpc.RpcError) as e:
        world.pull(REGISTRY + "/gpg/skopeo:v2")
    assert "for another name" in e.value.details()


def test_standalone(world, tmp_path):
    """skopeo standalone-sign, put into the store by hand."""
    name, digest, image = world.push("gpg/alone")
    manifest = tmp_path / "manifest"
    manifest.write_bytes(subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false",
         "docker://" + name], check=True, stdout=subprocess.PIPE).stdout)
    out = tmp_path / "signature"
    subprocess.run(["skopeo", "standalone-sign", str(manifest), name,
                    "signer@example.com", "--output", str(out)], check=True,
                   env=dict(os.environ, GNUPGHOME=world.gpg.home),
                   stdout=subprocess.DEVNULL)
    world.look.add("gpg/alone", digest, out.read_bytes())
    assert world.pull(name) == image


def test_kept_by_the_registry(world):
    """X-Registry-Supports-Signatures: its own list, and no lookaside."""
    keeper = world.keeper
    _, digest, image = world.push("kept/one")
    name = keeper.host + "/kept/one:v1"
    world.refused(name, image, "and there is none")
    kept = keeper.kept[digest] = [b"no signature", world.gpg.sign(
        payload(name, digest), "stranger")]
    world.refused(name, image, "none of 2 signatures is accepted")
    for bad, why in (
            (b"{", "list of signatures"), (b"[" * 100000, "list of"),
            (json.dumps({"signatures": [{"version": 2, "type": "atomic",
                                         "content": "aaaa"}] * 129}).encode(),
             "more than 128 signatures"),
            (b"{" + b" " * (6 << 20) + b"}", "the reply is too long")):
        keeper.list = bad
        with pytest.raises(grpc.RpcError) as e:
            world.pull(name)
        assert why in e.value.details(), e.value.details()
    keeper.list = None
    kept.append(world.gpg.sign(payload(name, digest), "signer"))
    assert world.pull(name) == image
    assert "/extensions/v2/kept/one/signatures/" + digest in keeper.asked
    assert not [p for p in world.look.asked if "kept/one" in p]


@pytest.mark.parametrize("case, how, why", [
    ("unsigned", None, "a signature is required, and there is none"),
    ("key", {"key": "stranger"}, "it is not by a key of the policy"),
    ("tag", {"reference": REGISTRY + "/gpg/tag:v2"}, "for another name"),
    ("name", {"reference": REGISTRY + "/gpg/other:v1"}, "for another name"),
    ("replay", {"signed_digest": "sha256:" + "a" * 64}, "of another image"),
    ("expired", {"key": "old", "time": "20200101T000000!"},
     "its key is expired"),
])
def test_simple_refused(world, case, how, why):
    name, digest, image = world.push("gpg/" + case)
    if how is not None:
        world.sign(name, digest, **how)
    world.refused(name, image, why)


def test_simple_revoked(world):
    """As of the keyring that the policy has now."""
    name, digest, image = world.push("gpg/revoked")
    world.sign(name, digest, "gone")
    assert world.pull(name) == image
    world.client.RemoveImage(image={"image": name})
    world.gpg.revoke(world.gpg.fingerprints("gone")[0])
    world.write("gone.gpg", world.gpg.public("gone"))
    world.reload(world.base, keys=True)
    world.refused(name, image, "its key is expired, revoked")


def test_simple_tampered(world):
    name, digest, image = world.push("gpg/tampered")
    good = world.gpg.sign(payload(name, digest), "signer", "-z", "0")
    at = good.index(digest[7:].encode())
    world.look.add("gpg/tampered", digest,
                   good[:at] + b"0" * 64 + good[at + 64:])
    world.refused(name, image, "it is not a good signature")


def test_simple_one_of_many(world):
    """What others have signed is in nobody's way, nor is rubbish."""
    name, digest, image = world.push("gpg/many")
    world.look.add("gpg/many", digest, b"rubbish")
    world.sign(name, digest, "stranger")
    world.sign(name, digest, reference=REGISTRY + "/gpg/many:other")
    world.refused(name, image, "none of 3 signatures is accepted")
    world.sign(name, digest)
    assert world.pull(name) == image


def test_lookaside_away(world):
    """It cannot be told then, which is another error."""
    name, digest, image = world.push("gpg/away")
    other, _, open_image = world.push("open/away")
    world.sign(name, digest)
    world.look.status = 503
    try:
        with pytest.raises(grpc.RpcError) as e:
            world.pull(name)
        assert e.value.details().startswith("RegistryUnavailable: "), \
            e.value.details()
        assert "lookaside 127.0.0.1" in e.value.details()
        assert world.pull(other) == open_image
    finally:
        world.look.status = None
    assert world.pull(name) == image


def in_directory(world, name, digest):
    """Where its first signature would be."""
    d = world.path("files/" + name.split("/", 1)[1].rsplit(":", 1)[0] + "@" +
                   digest.replace(":", "="))
    os.makedirs(d)
    return os.path.join(d, "signature-1")


def test_lookaside_directory(world):
    name, digest, image = world.push("dir/good")
    world.refused(name, image, "and there is none")
    path = in_directory(world, name, digest)
    with open(path, "wb") as f:
        f.write(b"rubbish")
    world.refused(name, image, "none of 1 signatures")
    with open(path[:-1] + "2", "wb") as f:
        f.write(world.gpg.sign(payload(name, digest)))
    assert world.pull(name) == image


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_lookaside_directory_other_files(world, kind):
    """What is no file of that directory is not opened as one."""
    name, digest, image = world.push("dir/" + kind)
    path = in_directory(world, name, digest)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink(world.write("outside", world.gpg.sign(
            payload(name, digest))), path)
    with pytest.raises(grpc.RpcError) as e:
        world.pull(name)
    assert "lookaside " + world.path("files") in e.value.details()
    assert image not in [i.id for i in world.client.ListImages().images]


def test_key_file_missing(world):
    name, digest, image = world.push("lost/one")
    world.sign(name, digest)
    world.refused(name, image, "key file %s could not be read" %
                  world.path("nothere.gpg"))


def test_rejected_unasked(world):
    """A scope that is rejected: nobody is asked for anything."""
    before = len(world.look.asked)
    with pytest.raises(grpc.RpcError) as e:
        world.pull("registry.invalid/some/thing:v1")
    assert e.value.details() == (REFUSED + "pull registry.invalid/some/"
                                 "thing:v1: the policy rejects it")
    assert len(world.look.asked) == before


# ---- sigstore ----

@pytest.mark.parametrize("kind", ["sig", "rsa", "ed"])
def test_sigstore_key(world, kind):
    key = {"sig": world.key, "rsa": world.rsa, "ed": world.ed}[kind]
    name, digest, image = world.push(kind + "/good")
    world.attach(name, digest, key)
    assert world.pull(name) == image


def test_sigstore_refused(world):
    name, digest, image = world.push("sig/bad")
    mine = REGISTRY + "/sig/bad"
    world.refused(name, image, "and there is none")
    world.attach(name, digest, world.stranger)
    world.refused(name, image, "it is not by a key of the policy")
    good = payload(mine, digest, COSIGN)
    world.attach(name, digest, None, good.replace(b"test", b"tost"),
                 signature=b64(world.key.sign(good)))
    world.refused(name, image, "it is not by a key of the policy")
    world.attach(name, digest, world.key,
                 payload(mine, "sha256:" + "b" * 64, COSIGN))
    world.refused(name, image, "of another image")
    world.attach(name, digest, world.key,
                 payload(REGISTRY + "/sig/else", digest, COSIGN))
    world.refused(name, image, "for another name")
    world.attach(name, digest, world.key, payload(mine, digest))
    world.refused(name, image, "of another type")
    world.attach(name, digest, world.key, signature="=")
    world.refused(name, image, "it is not base64")


def test_sigstore_blob_swapped(world):
    """The registry gives other bytes than the manifest's digest says."""
    name, digest, image = world.push("sig/swapped")
    world.attach(name, digest, world.key)
    body = payload(REGISTRY + "/sig/swapped", digest, COSIGN)
    blob = upload(REGISTRY, "sig/swapped", body)[7:]
    data = os.path.join(world.scratch, "registry/docker/registry/v2/blobs/"
                        "sha256", blob[:2], blob, "data")
    with open(data, "r+b") as f:
        f.write(b"[")
    with pytest.raises(grpc.RpcError) as e:
        world.pull(name)
    assert "its content is another" in e.value.details()
    assert image not in [i.id for i in world.client.ListImages().images]


def test_sigstore_logged(world):
    name, digest, image = world.push("logged/good")
    body = payload(REGISTRY + "/logged/good", digest, COSIGN)
    signature = world.key.sign(body)

    def entry(log=world.log, **over):
        args = {"body": body, "signature": signature,
                "public": world.key.public, **over}
        return bundle(log, **args)

    for text, why in (
            (None, "it was not entered in a log"),
            (entry(log=world.stranger), "no log of the policy"),
            (entry(signature=b"other"), "of another signature"),
            (entry(public=world.stranger.public), "of another key"),
            (entry(digest="0" * 64), "of other content"),
            (entry().replace("1234", "1235"), "no log of the policy"),
            ("[]", "its log entry")):
        notes = {"bundle": text} if text else {}
        world.attach(name, digest, None, body, signature=b64(signature),
                     **notes)
        world.refused(name, image, why)
    world.attach(name, digest, None, body, signature=b64(signature),
                 bundle=entry())
    assert world.pull(name) == image


def by_certificate(world, name, digest, issuer=None, when=None, **over):
    """Attaches a signature by a certificate's key, logged."""
    fulcio = issuer or world.fulcio
    key, pem = fulcio.issue(**over)
    body = payload(name.rsplit(":", 1)[0], digest, COSIGN)
    signature = key.sign(body)
    more = {} if when is None else {"when": when}
    with open(fulcio.ca) as f:
        chain = f.read()
    world.attach(name, digest, None, body, signature=b64(signature),
                 certificate=pem.decode(), chain=chain,
                 bundle=bundle(world.log, body, signature, pem, **more))


def test_fulcio(world):
    for new in True, False:
        name, digest, image = world.push("fulcio/good%d" % new)
        by_certificate(world, name, digest, new=new)
        assert world.pull(name) == image


@pytest.mark.parametrize("case, over, why", [
    ("email", {"email": "evil@example.com"}, "subjectEmail"),
    ("issuer", {"issuer_url": "https://evil.example/"}, "oidcIssuer"),
    ("late", {"when": 1767229200}, "certificate has expired"),
    ("early", {"when": 1767139200}, "certificate is not yet valid"),
    ("use", {"use": "serverAuth"}, "not for signing"),
])
def test_fulcio_refused(world, case, over, why):
    name, digest, image = world.push("fulcio/" + case)
    over = dict(over)
    when = over.pop("when", None)
    url = over.pop("issuer_url", None)
    key, pem = world.fulcio.issue(**over, **({"issuer": url} if url else {}))
    body = payload(name.rsplit(":", 1)[0], digest, COSIGN)
    signature = key.sign(body)
    more = {} if when is None else {"when": when}
    world.attach(name, digest, None, body, signature=b64(signature),
                 certificate=pem.decode(),
                 bundle=bundle(world.log, body, signature, pem, **more))
    world.refused(name, image, why)


def test_fulcio_other_ca(world):
    other = Fulcio(world.path("other-fulcio"))
    name, digest, image = world.push("fulcio/other")
    by_certificate(world, name, digest, issuer=other)
    world.refused(name, image, "its certificate is not trusted")


def cosign(world, *args):
    program = os.path.join(TOOLS, "cosign")
    if not os.path.exists(program):
        pytest.skip("cosign is not built: regress/tools/go-tools")
    subprocess.run([program, *args], check=True, cwd=world.d,
                   env=dict(os.environ, COSIGN_PASSWORD="", HOME=world.d),
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def registry_open(repository, what, **more):
    return urllib.request.urlopen(urllib.request.Request(
        "http://%s/v2/%s/manifests/%s" % (REGISTRY, repository, what),
        **more))


def index_of(repository, digest, tag):
    """Puts an index with one image there; its digest."""
    with registry_open(repository, digest, headers={
            "Accept": oci.OCI + "manifest.v1+json"}) as r:
        size = len(r.read())
    index = json.dumps({
        "schemaVersion": 2, "mediaType": oci.OCI + "index.v1+json",
        "manifests": [{"mediaType": oci.OCI + "manifest.v1+json",
                       "digest": digest, "size": size, "platform": {
                           "os": "linux", "architecture": oci.ARCH}}]})
    with registry_open(repository, tag, method="PUT", data=index.encode(),
                       headers={"Content-Type": oci.OCI + "index.v1+json"}
                       ) as r:
        return r.headers["Docker-Content-Digest"]


def test_cosign(world, restore):
    """The real tool's, on an image and on an index, in both of its forms."""
    cosign(world, "generate-key-pair")
    policy = json.loads(json.dumps(world.base))
    for scope in "cosign", "cosign3":
        policy["transports"]["docker"][REGISTRY + "/" + scope] = [
            {"type": "sigstoreSigned", "keyPath": world.path("cosign.pub"),
             "signedIdentity": REPOSITORY}]
    world.reload(policy)
    sign = ["sign", "--key", "cosign.key", "--tlog-upload=false",
            "--use-signing-config=false", "--allow-http-registry", "--yes"]
    for scope, form in (("cosign", "--new-bundle-format=false"),
                        ("cosign3", "--new-bundle-format=true")):
        name, digest, image = world.push(scope + "/one")
        world.refused(name, image, "and there is none")
        cosign(world, *sign, form, name.rsplit(":", 1)[0] + "@" + digest)
        assert world.pull(name) == image
        # An index, which leads to the image, is signed, the image is not.
        _, inner, image = world.push(scope + "/many")
        top = index_of(scope + "/many", inner, "all")
        name = "%s/%s/many:all" % (REGISTRY, scope)
        world.refused(name, image, "and there is none")
        cosign(world, *sign, form, "%s/%s/many@%s" % (REGISTRY, scope, top))
        assert world.pull(name) == image


# ---- sigstore's bundles ----

def sign_bundle(world, name, digest, key=None, said=None, reference=None,
                pem=None, logged=False, kind=SIGN, **more):
    key = key or world.key
    body = statement(said or digest, reference, kind)
    signature = key.sign(pae(body))
    entries = [dsse_entry(world.log, body, signature, pem or key.public)] \
        if logged else []
    refer(REGISTRY, name.split("/", 1)[1].rsplit(":", 1)[0], digest,
          [b"no JSON", envelope(body, signature, pem, entries)], **more)


def test_bundle(world):
    name, digest, image = world.push("sig/bundle")
    for more, why in (
            ({"key": world.stranger}, "it is not by a key of the policy"),
            ({"said": "sha256:" + "b" * 64}, "of another image"),
            ({"reference": REGISTRY + "/sig/else"}, "for another name"),
            ({"kind": "https://slsa.dev/provenance/v1"}, "of another type"),
            ({"subject": {"digest": "sha256:" + "b" * 64}}, "there is none"),
            ({"artifactType": "application/x"}, "there is none")):
        sign_bundle(world, name, digest, **more)
        world.refused(name, image, why)
    sign_bundle(world, name, digest)
    assert world.pull(name) == image


def test_bundle_logged(world):
    name, digest, image = world.push("logged/bundle")
    body = statement(digest)
    signature = world.key.sign(pae(body))
    for entry, why in (
            ({}, "it was not entered in a log"),
            (dsse_entry(world.stranger, body, signature, world.key.public),
             "no log of the policy"),
            (dsse_entry(world.log, b"else", signature, world.key.public),
             "of other content"),
            (dsse_entry(world.log, body, b"else", world.key.public),
             "of another signature"),
            (dsse_entry(world.log, body, signature, world.stranger.public),
             "of another key")):
        refer(REGISTRY, "logged/bundle", digest,
              [envelope(body, signature, None, [entry])])
        world.refused(name, image, why)
    sign_bundle(world, name, digest, logged=True)
    assert world.pull(name) == image


def test_bundle_fulcio(world):
    name, digest, image = world.push("fulcio/bundle")
    key, pem = world.fulcio.issue(email="evil@example.com")
    sign_bundle(world, name, digest, key, pem=pem, logged=True)
    world.refused(name, image, "subjectEmail")
    key, pem = world.fulcio.issue()
    sign_bundle(world, name, digest, key, pem=pem)
    world.refused(name, image, "it was not entered in a log")
    sign_bundle(world, name, digest, key, pem=pem, logged=True)
    assert world.pull(name) == image


def test_bundle_nameless(world, scratch, registry):
    """Without the statement a bundle must say the right name."""
    name, digest, image = world.push("sig/nameless")
    sign_bundle(world, name, digest)
    c = Criod(world.path("named"),
              conf=world.conf().replace("signature nameless yes\n", ""))
    c.start()
    try:
        with pytest.raises(grpc.RpcError) as e:
            c.client.PullImage(image={"image": name})
        assert "signature nameless" in e.value.details()
        sign_bundle(world, name, digest, reference=name.rsplit(":", 1)[0])
        assert c.client.PullImage(image={"image": name}).image_ref == image
    finally:
        c.stop()


def test_bundle_too_many(world):
    name, digest, image = world.push("sig/crowd")
    refer(REGISTRY, "sig/crowd", digest, [b"%d" % i for i in range(65)])
    with pytest.raises(grpc.RpcError) as e:
        world.pull(name)
    assert "more than 64 referrers" in e.value.details()


# ---- both ----

def test_all_requirements(world):
    name, digest, image = world.push("both/one")
    world.sign(name, digest)
    world.refused(name, image, "and there is none")
    world.attach(name, digest, world.key)
    assert world.pull(name) == image


def test_no_requirement_of_the_first_alone(world):
    name, digest, image = world.push("both/two")
    world.attach(name, digest, world.key)
    world.refused(name, image, "and there is none")


# ---- containers ----

def create(pods, config, pod, image, asked="", **more):
    ns = config["linux"]["security_context"]["namespace_options"]
    return pods.client.CreateContainer(pod_sandbox_id=pod, config={
        "metadata": {"name": "c"},
        "image": {"image": image, "user_specified_image": asked},
        "linux": {"security_context": {"namespace_options": ns}}, **more},
        sandbox_config=config).container_id


def cannot_create(pods, config, pod, image, why, asked=""):
    before = len(pods.client.ListContainers().containers)
    with pytest.raises(grpc.RpcError) as e:
        create(pods, config, pod, image, asked)
    assert e.value.details().startswith(REFUSED), e.value.details()
    assert why in e.value.details()
    assert len(pods.client.ListContainers().containers) == before


def test_create_after_tightening(world, trusted_pods, restore):
    """Signatures that nobody asked for at the pull count now."""
    pods = trusted_pods
    signed, digest, good = world.push("open/signed")
    world.sign(signed, digest)
    unsigned, _, bad = world.push("open/unsigned")
    world.pull(signed)
    world.pull(unsigned)
    pod, config = pods.run(network=2)
    pods.client.RemoveContainer(
        container_id=create(pods, config, pod, bad, unsigned))
    policy = json.loads(json.dumps(world.base))
    policy["transports"]["docker"][REGISTRY + "/open"] = \
        [world.signed_by("signer")]
    world.reload(policy)
    world.look.status = 503  # nobody is asked
    try:
        for image, asked in ((good, signed), (good, ""), (signed, "")):
            pods.client.RemoveContainer(
                container_id=create(pods, config, pod, image, asked))
        for image, asked in ((bad, unsigned), (bad, ""), (unsigned, "")):
            cannot_create(pods, config, pod, image, "there is none", asked)
        # Neither name helps the other image.
        cannot_create(pods, config, pod, bad, "there is none", signed)
        # Nor a name that is accepted, but is not the image's.
        cannot_create(pods, config, pod, bad, "there is none",
                      REGISTRY + "/free/else:v1")
    finally:
        world.look.status = None


def test_create_survives_restart(world, trusted_pods):
    """Signatures are in the catalogue, not in a process."""
    pods = trusted_pods
    name, digest, image = world.push("gpg/kept")
    world.sign(name, digest)
    world.pull(name)
    world.reload(dict(world.base, default=2 * [{"type": "reject"}]))
    pod, config = pods.run(network=2)
    ctr = create(pods, config, pod, image, name)
    pods.client.StartContainer(container_id=ctr)
    world.reload(world.base)
    pods.client.RemoveContainer(container_id=ctr)


def test_image_volume_needs_signature(world, trusted_pods, restore):
    pods = trusted_pods
    volume, digest, _ = world.push("open/volume")
    name, _, image = world.push("open/holder")
    world.pull(volume)
    world.pull(name)
    policy = json.loads(json.dumps(world.base))
    policy["transports"]["docker"][REGISTRY + "/open/volume"] = \
        [world.signed_by("signer")]
    world.reload(policy)
    pod, config = pods.run(network=2)
    with pytest.raises(grpc.RpcError) as e:
        create(pods, config, pod, name, mounts=[{
            "container_path": "/v", "readonly": True,
            "image": {"image": volume}}])
    assert REFUSED in e.value.details() and "none" in e.value.details()


# ---- namespaces, and what is wrong ----

def test_namespaces(world, trusted_pods):
    pods = trusted_pods
    name, _, image = world.push("open/namespaces")
    world.refused(name, image, "the policy rejects it", "strict")
    assert world.pull(name, "other") == image
    pod, config = pods.run(network=2, metadata={
        "name": "p", "uid": "strict-1", "namespace": "strict"})
    cannot_create(pods, config, pod, image, "the policy rejects it", name)


def test_broken_policy_stays_out(world):
    """At SIGHUP the old one stays in force, and is said to."""
    name, _, image = world.push("gpg/broken")
    before = world.criod.helpers()["imaged"]
    for n, text in enumerate((
            "{", LAST.replace("insecure", "Insecure"),
            LAST[:-1] + ', "default": []}', '{"default": []}')):
        world.write_policy(text)
        os.kill(world.criod.parent(), signal.SIGHUP)
        wait_for("the refusal", lambda: world.criod.log().count(
            "the old configuration stays: " + world.path("policy.json")) > n)
    assert world.criod.helpers()["imaged"] == before
    world.refused(name, image, "there is none")
    world.write_policy(world.base)


@pytest.mark.parametrize("name, text", [
    ("policy.json", "{"), ("sources/test.yaml", "docker: [\n"),
    ("policies/strict.json", '{"default": [{"type": "perhaps"}]}')])
def test_broken_file_stops_start(world, tmp_path, name, text):
    keep = open(world.path(name), "rb").read()
    world.write(name, text.encode())
    try:
        c = Criod(str(tmp_path / "criod"), conf=world.conf())
        with pytest.raises(RuntimeError) as e:
            c.start()
        assert world.path(name) in str(e.value)
    finally:
        world.write(name, keep)
