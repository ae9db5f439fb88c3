"""Layers that are unpacked while their blobs come: what is not verified is
never there for anybody."""
import os
import threading
import time

import drive
import hostile
import pytest
from hostile import Image

MIB = 1 << 20


def image(mib=4, how="plain", name="f"):
    """Its one blob, and the blob's digest, beside it."""
    im = Image([{name: os.urandom(mib * MIB)}], how=how)
    d = im.manifest["layers"][0]["digest"]
    return im, d, im.blobs[d]


class Held:
    """A blob that stops after so many bytes until let go; then rest."""

    def __init__(self, registry, repo, digest, data, at, rest=None):
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.data, self.at = data, at
        self.rest = data[at:] if rest is None else rest
        registry.hooks["blobs", repo, digest] = self.serve

    def serve(self, h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(self.data)))
        h.end_headers()
        h.wfile.write(self.data[:self.at])
        h.wfile.flush()
        self.waiting.set()
        self.gate.wait(60)
        h.wfile.write(self.rest)


def until(fn):
    end = time.monotonic() + 60
    while not fn():
        assert time.monotonic() < end
        time.sleep(0.01)


def layers(im):
    return sorted(os.listdir(os.path.join(im.root, "layer")))


def unpacked(im, layer, name="f"):
    path = os.path.join(im.root, "layer", layer, "fs", name)
    return os.path.getsize(path) if os.path.exists(path) else 0


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_ahead(imaged, registry, how):
    im, d, blob = image(how=how)
    name = registry.put("app", "v1", im)
    held = Held(registry, "app", d, blob, 3 * MIB)
    pull = imaged.start_pull(name)
    until(lambda: layers(imaged) and unpacked(imaged, layers(imaged)[0])
          > 3 * MIB // 2)
    assert imaged.list() == []
    held.gate.set()
    assert imaged.end_pull(pull) == im.id
    assert imaged.spawned == 1
    assert unpacked(imaged, layers(imaged)[0]) == 4 * MIB


def test_the_last_byte_is_another(imaged, registry):
    """The layer is whole but for what its blob's digest says."""
    im, d, blob = image()
    name = registry.put("app", "v1", im)
    # What follows a tar's end: the same files, another blob.
    held = Held(registry, "app", d, blob, len(blob) - 1, b"x")
    pull = imaged.start_pull(name)
    until(lambda: layers(imaged) and unpacked(imaged, layers(imaged)[0])
          > 3 * MIB)
    held.gate.set()
    with pytest.raises(drive.Failed, match="another digest") as e:
        imaged.end_pull(pull)
    assert e.value.code == "DATA_LOSS"
    assert imaged.list() == []
    until(lambda: layers(imaged) == [])


def test_what_failed_ahead_is_not_believed(imaged, registry):
    """Nonsense makes unpack fail first; the digest decides what is said."""
    im, d, blob = image(how="gzip")
    name = registry.put("app", "v1", im)
    Held(registry, "app", d, blob, 0, b"nonsense" * (len(blob) // 8) +
         blob[:len(blob) % 8]).gate.set()
    with pytest.raises(drive.Failed, match="another digest") as e:
        imaged.pull(name)
    assert e.value.code == "DATA_LOSS"
    until(lambda: layers(imaged) == [])


def test_a_sound_blob_of_nonsense(imaged, registry):
    im, d, blob = image()
    bad = os.urandom(len(blob))
    im.manifest["layers"][0].update(digest=im.add(bad), size=len(bad))
    name = registry.put("app", "v1", im.seal())
    with pytest.raises(drive.Failed, match="layer tar") as e:
        imaged.pull(name)
    assert e.value.code == "INVALID_ARGUMENT"
    until(lambda: layers(imaged) == [])


def test_begun_anew(imaged, registry):
    """Cut, then all of it again: what was unpacked is thrown away."""
    im, d, blob = image()
    name = registry.put("app", "v1", im)
    state = []

    def serve(h):
        if not state:
            state.append(1)
            return hostile.cut(os.urandom(len(blob)), 2 * MIB)(h)
        return h.reply(200, blob)
    registry.hooks["blobs", "app", d] = serve
    assert imaged.pull(name) == im.id
    assert unpacked(imaged, layers(imaged)[-1]) == 4 * MIB


def test_nobody_joins_it(imaged, registry, other, start):
    """A layer that an evil registry never finishes keeps no other pull of
    the same layer waiting; both end well."""
    im, d, blob = image()
    both = start(registries=[drive.registry(r.host, insecure=True)
                             for r in (registry, other)])
    evil = registry.put("app", "v1", im)
    held = Held(registry, "app", d, blob, 3 * MIB)
    pull = both.start_pull(evil)
    until(lambda: layers(both) and unpacked(both, layers(both)[0]) > MIB)
    good = other.put("app", "v1", im)
    assert both.pull(good) == im.id
    held.gate.set()
    assert both.end_pull(pull) == im.id
    assert len(both.lease("c" * 64, im.id).layers) == 1
    until(lambda: len(layers(both)) == 1)


def test_slow_ones_stop_nobody(imaged, registry):
    """More stalled blobs than may be unpacked ahead."""
    stalled = []
    for i in range(3):
        im, d, blob = image()
        name = registry.put(f"slow{i}", "v1", im)
        held = Held(registry, f"slow{i}", d, blob, 2 * MIB)
        stalled.append((held, imaged.start_pull(name), im))
        assert held.waiting.wait(60)
    im, _, _ = image()
    assert imaged.pull(registry.put("app", "v1", im)) == im.id
    for held, pull, im in stalled:
        held.gate.set()
        assert imaged.end_pull(pull) == im.id


def test_cancelled(imaged, registry):
    im, d, blob = image()
    name = registry.put("app", "v1", im)
    held = Held(registry, "app", d, blob, 3 * MIB)
    pull = imaged.start_pull(name)
    until(lambda: layers(imaged) and unpacked(imaged, layers(imaged)[0]) > MIB)
    imaged.cancel(pull)
    until(lambda: layers(imaged) == [])
    for p in imaged.unpacks:
        p.wait(20)
    held.gate.set()
    del registry.hooks["blobs", "app", d]
    assert imaged.pull(name) == im.id
