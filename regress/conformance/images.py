#!/usr/bin/python3
"""images.py REGISTRY DEBS WORK: pushes to REGISTRY (HOST:PORT) a stand-in
for every image that critest names, made of this machine's programs and of
Debian's packages busybox and nginx, unpacked in DEBS.  WORK is for what is
made.

busybox-static will not do: its shell runs applets without looking for their
files, so that one cannot be masked."""

import os
import re
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integ"))

import oci  # noqa: E402
from oci import ARCH, entry  # noqa: E402

E2E = "e2e-test-images/"
TEST = "k8s-staging-cri-tools/"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NGINX_CONF = """daemon off;
user root;
pid /var/run/nginx.pid;
error_log /dev/stderr;
worker_processes 1;
events { worker_connections 64; }
http {
	access_log off;
	server { listen %d; root /www; }
}
"""


class Tree:
    """Entries of one layer: each path once, parents made when needed."""

    def __init__(self, have=()):
        self.entries, self.have = [], set(have)

    def dir(self, path):
        if path and path + "/" not in self.have:
            self.dir(os.path.dirname(path))
            self.add(entry(path + "/"))

    def add(self, e):
        name = e[0].name
        if e[0].type == tarfile.DIRTYPE:
            name = name.rstrip("/") + "/"
        if name not in self.have:
            self.have.add(name)
            self.entries.append(e)

    def file(self, path, data, mode=0o644):
        path = path.lstrip("/")
        self.dir(os.path.dirname(path))
        self.add(entry(path, data, mode=mode))

    def program(self, path, source=None):
        """A program of this machine with the libraries that it loads."""
        source = source or path
        with open(source, "rb") as f:
            self.file(path, f.read(), 0o755)
        out = subprocess.run(["ldd", source], capture_output=True,
                             text=True).stdout
        for lib in re.findall(r"(/\S+) \(0x", out):
            with open(lib, "rb") as f:
                self.file(lib, f.read(), 0o755)

    def layer(self):
        return oci.layer(self.entries)


def static(source, work):
    out = os.path.join(work, os.path.basename(source)[:-2])
    subprocess.run(["gcc", "-O2", "-static", "-o", out, source], check=True)
    with open(out, "rb") as f:
        return f.read()


def busybox(debs):
    program = os.path.join(debs, "bin/busybox")
    t = Tree()
    for e in oci.busybox_entries(program):
        t.add(e)
    t.program("/bin/busybox", program)
    for p in ("pgrep", "ipcs", "ipcmk"):
        t.program("/usr/bin/" + p)
    return t


class Images:
    def __init__(self, registry, work):
        self.registry, self.work, self.n = registry, work, 0

    def push(self, names, layers, config=None, arches=(ARCH,)):
        """Several architectures make an index, one a plain manifest."""
        self.n += 1
        lay = oci.Layout(os.path.join(self.work, "image%d" % self.n))
        all_of = []
        for arch in arches:
            m = lay.image(layers, dict({"Env": [PATH]}, **(config or {})),
                          architecture=arch)
            m["platform"] = {"os": "linux", "architecture": arch}
            all_of.append(m)
        desc = lay.index(all_of) if len(all_of) > 1 else all_of[0]
        lay.write(desc)
        for name in names:
            oci.push(lay.path, self.registry + "/" + name)
        return desc["digest"]


def marked(base, name):
    """A layer that makes an image differ from its base."""
    t = Tree(base.have)
    t.file(name, "")
    return [base.layer(), t.layer()]


def nginx(base, debs, port):
    t = Tree(base.have)
    t.program("/usr/sbin/nginx", os.path.join(debs, "usr/sbin/nginx"))
    t.file("/etc/nginx/nginx.conf", NGINX_CONF % port)
    t.file("/www/index.html", "nginx\n")
    for d in ("var/run", "var/log/nginx", "var/lib/nginx",
              "usr/share/nginx"):
        t.dir(d)
    return [base.layer(), t.layer()]


def push_all(images, debs, work):
    base = busybox(debs)
    sh = {"Cmd": ["sh"]}
    both = (ARCH, "arm64" if ARCH == "amd64" else "amd64")
    images.push([E2E + "busybox:1.29-2"], [base.layer()], sh, both)
    run_nginx = {"Cmd": ["nginx", "-c", "/etc/nginx/nginx.conf"]}
    images.push([E2E + "nginx:1.14-2"], nginx(base, debs, 80), run_nginx)
    images.push([TEST + "hostnet-nginx-" + ARCH],
                nginx(base, debs, 12003), run_nginx)
    www = Tree(base.have)
    www.file("/www/index.html", "httpd\n")
    images.push([E2E + "httpd:2.4.39-4"], [base.layer(), www.layer()], {
        "Cmd": ["sh", "-c", "echo httpd; exec httpd -f -p 80 -h /www"]})
    nnp = Tree(base.have)
    nnp.file("/nnp", static(os.path.join(HERE, "nnp.c"), work), 0o4755)
    images.push([E2E + "nonewprivs:1.3"], [base.layer(), nnp.layer()],
                {"Entrypoint": ["/nnp"]})
    pause = Tree()
    pause.file("/pause", static(os.path.join(
        os.path.dirname(HERE), "bench/pause.c"), work), 0o755)
    images.push(["pause:3.9"], [pause.layer()], {"Entrypoint": ["/pause"]})
    for name in ("test-image-1", "test-image-2", "test-image-3",
                 "test-image-latest"):
        images.push([TEST + name], marked(base, name), sh, both)
    images.push([TEST + "test-image-digest"],
                marked(base, "test-image-digest"), sh)
    images.push([TEST + "test-image-tags:%d" % i for i in (1, 2, 3)],
                marked(base, "same-image"), sh, both)
    for tag in ("test", "all"):
        images.push([TEST + "test-image-tag:" + tag], marked(base, tag), sh)
    for name, user in (("uid", "1002"), ("username", "www-data"),
                       ("uid-group", "1003:1004"),
                       ("username-group", "www-data:1004")):
        images.push([TEST + "test-image-user-" + name], [base.layer()],
                    dict(sh, User=user))
    images.push([TEST + "test-image-predefined-group"], [base.layer()],
                dict(sh, User="1000"))


def main():
    registry, debs, work = sys.argv[1:]
    push_all(Images(registry, work), debs, work)


if __name__ == "__main__":
    main()
