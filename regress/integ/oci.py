"""Makes OCI image layouts, well-formed or not, and pushes them."""

import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(),
                                                   platform.machine())
OCI = "application/vnd.oci.image."


def entry(name, data=None, mode=None, type=None, uid=0, gid=0, link="",
          mtime=1000000000, pax=None):
    """A (TarInfo, data) pair; a name that ends in / is a directory."""
    ti = tarfile.TarInfo(name)
    if type is None:
        type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
        if link:
            type = tarfile.SYMTYPE
    ti.type = type
    ti.mode = mode if mode is not None else (
        0o755 if type == tarfile.DIRTYPE else 0o644)
    ti.uid, ti.gid, ti.mtime, ti.linkname = uid, gid, mtime, link
    if isinstance(data, str):
        data = data.encode()
    ti.size = len(data) if data and type == tarfile.REGTYPE else 0
    if pax:
        ti.pax_headers = pax
    return ti, data


def layer(entries):
    """The tar of entries, as bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for ti, data in entries:
            t.addfile(ti, io.BytesIO(data) if data else None)
    return out.getvalue()


def busybox_entries(program="/bin/busybox"):
    with open(program, "rb") as f:
        data = f.read()
    applets = subprocess.run([program, "--list"], check=True,
                             capture_output=True, text=True).stdout.split()
    yield entry("bin/")
    yield entry("bin/busybox", data, mode=0o755)
    for a in applets:
        if a != "busybox":
            yield entry("bin/" + a, mode=0o755, type=tarfile.LNKTYPE,
                        link="bin/busybox")
    yield entry("etc/")
    yield entry("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                "daemon:x:1:1:daemon:/:/bin/false\n"
                "default-user:x:1000:1000:u:/home/u:/bin/sh\n"
                "nobody:x:65534:65534:nobody:/:/bin/false\n")
    yield entry("etc/group", "root:x:0:\ndaemon:x:1:\n"
                "default-user:x:1000:\nextra:x:50000:default-user\n"
                "nogroup:x:65534:\n")
    yield entry("tmp/", mode=0o1777)
    yield entry("root/", mode=0o700)


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs/sha256"), exist_ok=True)
        with open(os.path.join(path, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.path, "blobs/sha256", digest), "wb") as f:
            f.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    def image(self, layers, config=None, compress=True, **root):
        """layers: tars as bytes.  Returns the manifest's descriptor."""
        diff = ["sha256:" + hashlib.sha256(t).hexdigest() for t in layers]
        descs = []
        for t in layers:
            d = self.blob(gzip.compress(t, 1, mtime=0) if compress else t)
            d["mediaType"] = OCI + "layer.v1.tar" + (
                "+gzip" if compress else "")
            descs.append(d)
        conf = {"architecture": ARCH, "os": "linux", "config": config or {},
                "rootfs": {"type": "layers", "diff_ids": diff}}
        conf.update(root)
        cd = self.blob(conf)
        cd["mediaType"] = OCI + "config.v1+json"
        m = self.blob({"schemaVersion": 2,
                       "mediaType": OCI + "manifest.v1+json",
                       "config": cd, "layers": descs})
        m["mediaType"] = OCI + "manifest.v1+json"
        m["config"] = cd["digest"]
        return m

    def index(self, manifests):
        clean = [{k: v for k, v in m.items() if k != "config"}
                 for m in manifests]
        d = self.blob({"schemaVersion": 2, "mediaType": OCI +
                       "index.v1+json", "manifests": clean})
        d["mediaType"] = OCI + "index.v1+json"
        return d

    def write(self, desc, name=None):
        d = {k: v for k, v in desc.items() if k != "config"}
        if name:
            d["annotations"] = {"org.opencontainers.image.ref.name": name}
        with open(os.path.join(self.path, "index.json"), "w") as f:
            json.dump({"schemaVersion": 2, "manifests": [d]}, f)
        return self.path


def push(path, dest, *extra):
    subprocess.run(["skopeo", "copy", "-q", "--all",
                    "--dest-tls-verify=false", *extra, "oci:" + path,
                    "docker://" + dest], check=True)
