#!/usr/bin/python3
"""A registry that serves what it is told to: good images, and every lie that
the tests need.  `hostile.py PORT` serves one of each by name, for trying a
runtime by hand; the tests use the class."""
import base64
import gzip
import hashlib
import http.server
import io
import json
import socket
import socketserver
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
TYPES = {
    "oci": {"manifest": OCI + "manifest.v1+json",
            "index": OCI + "index.v1+json",
            "config": OCI + "config.v1+json",
            "plain": OCI + "layer.v1.tar",
            "gzip": OCI + "layer.v1.tar+gzip",
            "zstd": OCI + "layer.v1.tar+zstd"},
    "docker": {"manifest": DOCKER + "distribution.manifest.v2+json",
               "index": DOCKER + "distribution.manifest.list.v2+json",
               "config": DOCKER + "container.image.v1+json",
               "plain": DOCKER + "image.rootfs.diff.tar",
               "gzip": DOCKER + "image.rootfs.diff.tar.gzip",
               "zstd": DOCKER + "image.rootfs.diff.tar.zstd"},
}


def digest(data, kind="sha256"):
    return kind + ":" + hashlib.new(kind, data).hexdigest()


def layer_tar(files):
    """files: name to contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-qc"], input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    return data


class Image:
    """A whole image; change .manifest or .config, then seal() again."""

    def __init__(self, layers=({"hello": b"hello\n"},), family="oci",
                 how="gzip", arch="amd64", os="linux", extra=None):
        t = TYPES[family]
        self.family, self.blobs = family, {}
        self.diff_ids, descs = [], []
        for files in layers:
            tar = files if isinstance(files, bytes) else layer_tar(files)
            blob = compress(tar, how)
            self.diff_ids.append(digest(tar))
            descs.append({"mediaType": t[how], "size": len(blob),
                          "digest": self.add(blob)})
        self.config = {"architecture": arch, "os": os, "config": extra or {},
                       "rootfs": {"type": "layers",
                                  "diff_ids": self.diff_ids}}
        self.manifest = {"schemaVersion": 2, "mediaType": t["manifest"],
                         "config": {"mediaType": t["config"]},
                         "layers": descs}
        self.seal()

    def add(self, data):
        self.blobs[digest(data)] = data
        return digest(data)

    def seal(self, config=True):
        if config:
            raw = json.dumps(self.config).encode()
            self.id = self.add(raw)
            self.manifest["config"].update(digest=self.id, size=len(raw))
        self.raw = json.dumps(self.manifest).encode()
        self.digest = digest(self.raw)
        self.type = self.manifest.get("mediaType", "application/json")
        return self

    def entry(self, **platform):
        return {"mediaType": self.type, "digest": self.digest,
                "size": len(self.raw), "platform": platform}


def index(entries, family="oci"):
    doc = {"schemaVersion": 2, "mediaType": TYPES[family]["index"],
           "manifests": entries}
    return doc["mediaType"], json.dumps(doc).encode()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, address, handler):
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    request_queue_size = 128
    sent = 0  # bytes of endless answers
    begun = 0  # endless answers: what is retried gets several

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what this is for


class Registry:
    """hooks: (kind, repository) or (kind, repository, name) to a function of
    the handler, which answers by itself."""

    def __init__(self, host="127.0.0.1", port=0, tls=None, client_ca=None,
                 name=None):
        self.manifests, self.blobs, self.hooks = {}, {}, {}
        self.log, self.auth = [], None
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                registry.serve(self)

            do_POST = do_GET

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                headers.setdefault("Content_Length", str(len(body)))
                for name, value in headers.items():
                    for v in value if isinstance(value, list) else [value]:
                        self.send_header(name.replace("_", "-"), v)
                self.end_headers()
                self.wfile.write(body)

        self.server = Server((host, port), Handler)
        self.scheme = "http"
        if tls is not None:
            context = tls
            if not isinstance(tls, ssl.SSLContext):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*tls)
            if client_ca is not None:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True,
                do_handshake_on_connect=False)
            self.scheme = "https"
        self.port = self.server.server_address[1]
        self.host = ("[%s]:%d" if ":" in host else "%s:%d") % (
            name or host, self.port)
        self.url = f"{self.scheme}://{self.host}"
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, repo, tag, image):
        """Serves an Image, or (type, bytes) of an index."""
        if isinstance(image, Image):
            self.blobs.update(image.blobs)
            image = image.type, image.raw
        for name in (tag, digest(image[1]), digest(image[1], "sha512")):
            self.manifests[repo, name] = image
        return f"{self.host}/{repo}:{tag}"

    def requests(self, part=""):
        return [r for r in self.log if part in r["path"]]

    def serve(self, h):
        length = int(h.headers.get("Content-Length") or 0)
        self.log.append({"path": h.path, "method": h.command,
                         "authorization": h.headers.get("Authorization"),
                         "range": h.headers.get("Range"),
                         "headers": h.headers,
                         "accept": h.headers.get("Accept"),
                         "body": h.rfile.read(length)})
        path = urllib.parse.urlsplit(h.path).path
        if ("path", path) in self.hooks:
            return self.hooks["path", path](h)
        parts = path.split("/")
        if len(parts) < 5 or parts[1] != "v2":
            return h.reply(404)
        repo, kind, name = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if self.auth is not None and not self.auth(h, repo):
            return None
        for key in ((kind, repo, name), (kind, repo)):
            if key in self.hooks:
                return self.hooks[key](h)
        return self.answer(h, kind, repo, name)

    def answer(self, h, kind, repo, name):
        if kind == "manifests" and (repo, name) in self.manifests:
            kind, body = self.manifests[repo, name]
            return h.reply(200, body, Content_Type=kind,
                           Docker_Content_Digest=digest(body))
        if kind == "blobs" and name in self.blobs:
            return self.blob(h, self.blobs[name])
        return h.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')

    def blob(self, h, data):
        span = h.headers.get("Range")
        if span is None:
            return h.reply(200, data, Content_Type="application/octet-stream")
        start = int(span.split("=")[1].split("-")[0])
        return h.reply(206, data[start:], Content_Range="bytes %d-%d/%d" % (
            start, len(data) - 1, len(data)))


# Authentication

def basic_auth(user, password):
    want = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def check(h, repo):
        if h.headers.get("Authorization") == want:
            return True
        h.reply(401, WWW_Authenticate='Basic realm="test"')
        return False
    return check


def token_auth(registry, realm, token="tok-1"):
    """The challenge; the token server is a hook of any registry."""
    def check(h, repo):
        if h.headers.get("Authorization") == f"Bearer {token}":
            return True
        h.reply(401, WWW_Authenticate=f'Bearer realm="{realm}",service="s",'
                f'scope="repository:{repo}:pull"')
        return False
    registry.auth = check


def token_server(registry, path="/token", token="tok-1", basic=None):
    def serve(h):
        if basic is not None and \
                h.headers.get("Authorization") != "Basic " + base64.b64encode(
                    basic.encode()).decode():
            return h.reply(401, b"{}")
        return h.reply(200, json.dumps({"token": token}).encode(),
                       Content_Type="application/json")
    registry.hooks["path", path] = serve
    return registry.url + path


# Lies, each a hook

def endless(h, status=200, kind="application/json"):
    h.send_response(status)
    h.send_header("Content-Type", kind)
    h.send_header("Transfer-Encoding", "chunked")
    h.end_headers()
    h.server.begun += 1
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    while True:
        h.wfile.write(chunk)
        h.server.sent += 65536


def endless_headers(h):
    h.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        h.wfile.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def cut(data, at):
    """Half of it, then the connection is closed."""
    def hook(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data[:at])
        h.wfile.flush()
        h.close_connection = True
        h.connection.shutdown(2)
    return hook


def fixed(status, body=b"", **headers):
    return lambda h: h.reply(status, body, **headers)


def redirect(where, status=307):
    return lambda h: h.reply(status, Location=where)


def slow(data, delay):
    def hook(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        for b in data:
            h.wfile.write(bytes([b]))
            h.wfile.flush()
            time.sleep(delay)
    return hook


def first_times(n, hook, registry, kind, repo):
    """hook for the first n requests, then the truth."""
    left = [n]

    def serve(h):
        if left[0] > 0:
            left[0] -= 1
            return hook(h)
        return registry.answer(h, kind, repo, h.path.rsplit("/", 1)[1])
    return serve


def main():
    r = Registry(port=int(sys.argv[1]))
    r.put("good", "latest", Image())
    r.put("docker", "latest", Image(family="docker"))
    for name, hook in {
            "endless": endless, "headers": endless_headers,
            "loop": redirect("/v2/loop/manifests/latest"),
            "file": redirect("file:///etc/passwd"),
            "many": fixed(429, Retry_After="1"),
            "broken": fixed(500), "forbidden": fixed(403)}.items():
        r.hooks["manifests", name] = hook
    print(r.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
