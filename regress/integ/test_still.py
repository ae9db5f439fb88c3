"""An unpack that stands still: nobody else waits for it, and who waits no more
ends it."""

import os
import signal
import sys
import tempfile
import threading

import grpc
import pytest

from conftest_integ import Criod, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../registry"))

import hostile  # noqa: E402

MIB = 1 << 20


class Held:
    """An image whose blob stops in the middle until it is let go."""

    def __init__(self, registry, repo):
        self.gate, self.image = threading.Event(), hostile.Image(
            [{"f": os.urandom(4 * MIB)}], how="plain")
        digest = self.image.manifest["layers"][0]["digest"]
        self.blob = self.image.blobs[digest]
        self.name = registry.put(repo, "v1", self.image)
        registry.hooks["blobs", repo, digest] = self.serve

    def serve(self, h):
        h.send_response(200)
        h.send_header("Content-Length", str(len(self.blob)))
        h.end_headers()
        h.wfile.write(self.blob[:3 * MIB])
        h.wfile.flush()
        self.gate.wait(100)
        h.wfile.write(self.blob[3 * MIB:])


@pytest.fixture
def registry():
    r = hostile.Registry()
    yield r
    r.stop()


@pytest.fixture
def own(scratch, registry):
    path = tempfile.mkdtemp(prefix="still.", dir=scratch)
    c = Criod(path, conf='registry "%s" { insecure }\n' % registry.host).start()
    yield c
    c.stop()


def stand_still(criod, held):
    """A pull whose unpack has been stopped, with the whole blob; its pid."""
    pull = criod.client.future("PullImage", image={"image": held.name})
    pid = wait_for("unpack", lambda: criod.helpers().get("unpack"))
    os.kill(pid, signal.SIGSTOP)
    held.gate.set()
    return pull, pid


def there(criod, name):
    return bool(criod.client.ImageStatus(image={"image": name}).image.id)


def others(criod, registry, name):
    """Pulls of others, and what is asked of images."""
    other = registry.put(name, "v1", hostile.Image([{"other": b"x"}]))
    criod.client.PullImage(image={"image": other})
    assert there(criod, other)
    assert other in [t for i in criod.client.ListImages().images
                     for t in i.repo_tags]


def layers(criod):
    return len(os.listdir(os.path.join(criod.path, "lib/image/layer")))


def test_x_unpack_that_goes_on(own, registry):
    held = Held(registry, "held")
    pull, pid = stand_still(own, held)
    others(own, registry, "other")
    assert not pull.done() and not there(own, held.name)
    os.kill(pid, signal.SIGCONT)
    assert pull.result(100).image_ref
    assert there(own, held.name)


def test_x_unpack_that_is_given_up(own, registry):
    held = Held(registry, "held")
    pull, pid = stand_still(own, held)
    others(own, registry, "other")
    assert not pull.done()
    pull.cancel()
    wait_for("the end of it", lambda: not os.path.exists("/proc/%d" % pid), 60)
    wait_for("its layer to go", lambda: layers(own) == 1, 60)
    assert "killing unpack[%d]: imaged has let it go" % pid in own.log()
    assert not there(own, held.name)
    own.client.PullImage(image={"image": held.name})
    assert there(own, held.name) and layers(own) == 2
