"""Additional stores that do not answer, or lie: whoever needs none of them
does not notice."""
import json
import os
import socket
import struct
import time

import pytest

import drive
import hostile
from drive import Failed, Link, msg
from hostile import OCI, Image

READ, DONE = "SHELF_READ", "SHELF_DONE"


@pytest.fixture
def begin(start, registry):
    return lambda *stores: start(stores=stores, registries=[
        drive.registry(registry.host, insecure=True)])


def until(fn, seconds=30):
    end = time.monotonic() + seconds
    while not fn():
        assert time.monotonic() < end
        time.sleep(0.02)


def answer(im, dump, printed=b"1.2.3"):
    """Plays the shelf program that was asked for."""
    until(lambda: im.asked)
    store, ident = im.asked.pop()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def serve(name, number, body, fds):
        if name == READ:
            os.pwrite(fds[0], dump, 0)
            link.send(DONE, struct.pack("<100sQ", printed, len(dump)),
                      ident=number)
    link = Link(ours, serve)
    im.parent.send("UNPACK_LINK", fds=[theirs.fileno()], ident=ident)
    theirs.close()
    return store


def number(n):
    return struct.pack("<Q", n)


def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return number(len(s)) + s


def dump(image, layers=None, names=("a.test/x:1",), ident=None, config=None):
    """What shelf says of a store that has this image."""
    rows = layers if layers is not None else [
        (7 + i, d[len("sha256:"):]) for i, d in enumerate(image.diff_ids)]
    out = number(len(rows))
    for n, diff_id in rows:
        out += number(n) + number(4096) + number(3) + text(diff_id)
    out += number(1) + text(ident or image.id) + text("")
    out += text(image.blobs[image.id] if config is None else config)
    out += number(len(image.diff_ids))
    for i in range(len(image.diff_ids)):
        out += number(7 + i)
    out += number(len(names)) + b"".join(text(n) for n in names)
    return out + number(0)


def test_no_answer(begin, registry):
    """Lists and what is here go on at once; a pull waits a while, then is
    one without that store."""
    im = begin("/hangs")
    assert im.list() == []
    image = Image()
    assert im.pull(registry.put("app", "v1", image)) == image.id
    assert "does not answer" in im.log()
    assert im.status(image.id).id == image.id


def test_answer(begin, registry):
    """Its layers are not fetched, and named by the store's number."""
    image = Image([{"a": b"1"}, {"b": b"2"}])
    im = begin("/s")
    store = answer(im, dump(image))
    assert im.status("a.test/x:1").pinned  # it waits for the store
    assert len(im.list()) == 1
    assert im.pull(registry.put("app", "v1", image)) == image.id
    assert im.spawned == 0
    started = im.execd.start("LEASE_GET", msg.LeaseGet(
        container_id="c" * 64, image="a.test/x:1").SerializeToString())
    answer(im, b"")  # nothing has changed
    lease = im.execd.finish(started, msg.Lease, 30)
    assert list(lease.layers) == [store << 48 | 7, store << 48 | 8]


@pytest.mark.parametrize("lie", [
    "empty", "short", "long", "huge", "order", "zero", "big number",
    "diff_id", "id", "config", "no json", "name", "names"])
def test_lies(begin, registry, lie):
    """Whatever shelf says, if it was taken over, is looked at."""
    image = Image()
    good = dump(image)
    rows = [(7, image.diff_ids[0][7:])]
    told = {
        "empty": lambda: b"",
        "short": lambda: good[:-5],
        "long": lambda: good + b"x",
        "huge": lambda: number(1 << 40) + good[8:],
        "order": lambda: dump(image, rows + rows),
        "zero": lambda: dump(image, [(0, rows[0][1])] + rows),
        "big number": lambda: dump(image, rows + [(1 << 48, rows[0][1])]),
        "diff_id": lambda: dump(image, [(7, "../../../etc")]),
        "id": lambda: dump(image, ident="sha256:" + "0" * 64),
        "config": lambda: dump(image, config=b"{}"),
        "no json": lambda: dump(image, config=b"\xff" * 100),
        "name": lambda: dump(image, names=["../../x"]),
        "names": lambda: dump(image, names=["a.test/x:1"] * 2000),
    }[lie]()
    im = begin("/s")
    answer(im, told)
    until(lambda: "is not used" in im.log())
    assert im.list() == []
    assert im.pull(registry.put("app", "v1", image)) == image.id
    assert im.spawned == 1


def test_not_removed(begin):
    image = Image()
    im = begin("/s")
    answer(im, dump(image))
    assert im.status("a.test/x:1").pinned
    with pytest.raises(Failed) as e:
        im.remove("a.test/x:1")
    assert e.value.code == "FAILED_PRECONDITION" and "/s" in str(e.value)


def test_artifact(begin, registry):
    """One of another store is used, and its files are not fetched."""
    data = b"weights"
    doc = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
           "artifactType": "application/vnd.test.thing",
           "config": {"mediaType": "application/vnd.oci.empty.v1+json",
                      "digest": hostile.digest(b"{}"), "size": 2},
           "layers": [{"mediaType": "text/plain", "size": len(data),
                       "digest": hostile.digest(data), "annotations":
                       {"org.opencontainers.image.title": "m.bin"}}]}
    raw = json.dumps(doc).encode()
    made = Image()
    made.id = hostile.digest(raw)
    made.blobs[made.id] = raw
    im = begin("/s")
    answer(im, dump(made, names=("a.test/art:1",)))
    assert im.status("a.test/art:1").id == made.id
    name = registry.put("art", "v1", (doc["mediaType"], raw))
    assert im.pull(name) == made.id
    assert im.spawned == 0 and registry.requests("/blobs/") == []
    assert im.status(name).id == made.id
