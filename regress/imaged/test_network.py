"""A network that loses packets, swallows large ones, goes down, or whose names
lead astray (security.md §4 R5, R8)."""
import os
import socket
import struct
import threading

import between
import drive
import far
import hostile
import pytest
from hostile import Image
from test_hostile import refused
from test_transport import (SHORT, bystander, failures, insecure,
                            long_chain, made)  # noqa: F401 (fixture)

IDLE = {"idle": 2, "tls": 2}  # the rest has the time it has in the field


@pytest.fixture
def remote():
    f = far.Far()
    yield f
    f.stop()


def registry_there(remote, made, **options):
    return made(remote.within(lambda: hostile.Registry(
        host=remote.address, **options)))


def test_lost_packets(start, made, remote, registry):
    """Three of ten, each way."""
    r = registry_there(remote, made)
    remote.drop("-m", "statistic", "--mode", "random", "--probability", "0.3")
    im = start(registries=insecure(r.host, registry.host))
    image = Image([{"a": os.urandom(30000)}, {"b": b"b"}], how="plain")
    started = im.start_pull(r.put("app", "v1", image))
    bystander(im, registry)
    assert im.end_pull(started) == image.id


def test_path_mtu_black_hole(start, made, remote, registry, certificates,
                             tmp_path):
    """Connections are made, and then nothing larger arrives: a blob, a
    certificate."""
    r = registry_there(remote, made)
    t = registry_there(remote, made, tls=long_chain(
        tmp_path, certificates, 8000))
    remote.drop("-m", "length", "--length", "1200:65535")
    im = start(registries=insecure(r.host, registry.host),
               transfer=dict(SHORT, **IDLE))
    image = Image([{"a": os.urandom(30000)}], how="plain")
    name = r.put("app", "v1", image)
    pulls = {
        "blob": (im.start_pull(name), "nothing came for 2 seconds"),
        "tls": (im.start_pull(t.put("app", "v1", image)),
                "no TLS within 2 seconds")}
    bystander(im, registry)
    for case, e in failures(im, pulls).items():
        assert e.code == "UNKNOWN", (case, e)
        assert e.text.startswith("RegistryUnavailable: "), (case, e)
    remote.heal()
    assert im.pull(name) == image.id


def dialling(r):
    """Whether somebody here asks r for a connection."""
    host, port = r.host.split(":")
    peer = "%08X:%04X" % (struct.unpack("=I", socket.inet_aton(host))[0],
                          int(port))
    with open("/proc/net/tcp") as f:
        return any(line.split()[2:4] == [peer, "02"] for line in f)


def test_network_goes_down(start, made, remote, registry):
    """In the middle of a blob, which goes on where it stopped."""
    r = registry_there(remote, made)
    im = start(registries=insecure(r.host, registry.host),
               transfer={"idle": 2, "connect": 2})
    image = Image([{"a": os.urandom(1 << 20)}], how="plain")
    name = r.put("app", "v1", image)
    d = image.manifest["layers"][0]["digest"]
    half, down = threading.Event(), threading.Event()

    def hook(h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(image.blobs[d])))
        h.end_headers()
        h.wfile.write(image.blobs[d][:500000])
        half.set()
        down.wait(20)
        h.wfile.write(image.blobs[d][500000:])
    r.hooks["blobs", "app", d] = hostile.first_times(
        1, hook, r, "blobs", "app")
    started = im.start_pull(name)
    assert half.wait(20)
    remote.there("ip", "link", "set", "e0", "down")
    down.set()
    bystander(im, registry)
    drive.wait_for(lambda: dialling(r))  # the first was given up
    remote.there("ip", "link", "set", "e0", "up")
    assert im.end_pull(started) == image.id
    asked = [q["range"] for q in r.requests(d)]
    assert asked[0] is None and int(asked[-1][6:-1]) > 0
    # what is down stays down: one error
    remote.drop()
    im.remove(image.id)
    im = start(registries=insecure(r.host, registry.host), transfer=SHORT)
    pulls = {"down": (im.start_pull(name), "no connection within 2 seconds")}
    bystander(im, registry)
    assert failures(im, pulls)["down"].code == "UNKNOWN"


def test_name_that_leads_back(start, made, remote, registry, tmp_path):
    """DNS rebinding: where the registry sends us has an address of its own, and
    one of this machine, which is tried when the first does not answer."""
    r = registry_there(remote, made)
    made(between.NameServer("127.0.53.54", {
        "both.test": [remote.address, "127.0.0.1"]}))
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.53.54\n")
    im = start(registries=insecure(r.host), resolv=str(resolv),
               transfer=SHORT)
    name = r.put("app", "v1", Image())
    r.hooks["manifests", "app"] = hostile.redirect(
        f"http://both.test:{registry.port}/v2/app/manifests/v1")
    refused(im, name)
    assert registry.log == []
