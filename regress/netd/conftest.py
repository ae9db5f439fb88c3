import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
if os.geteuid() != 0:
    pytest.skip("needs root", allow_module_level=True)
import cni_world as world_module  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def isolated():
    """Tests of other folders run in the same process, outside."""
    i = world_module.Isolated()
    yield
    i.leave()


@pytest.fixture
def make_world():
    made = []

    def make(**kw):
        made.append(world_module.World(**kw))
        return made[-1]

    yield make
    for w in made:
        print(w.close())


@pytest.fixture
def world(make_world):
    """With Debian's plugins; afterwards nothing of a pod may be left."""
    before = world_module.traces()
    w = make_world()
    yield w
    after = world_module.traces()
    assert [n for n in after["links"] if n not in before["links"]] == []
    assert after["leases"] == before["leases"]
    assert not any(w_id in rule for rule in after["rules"]
                   for w_id in w.ever)


class Plugins:
    """A plugin directory of scripts."""

    def __init__(self, path):
        self.path = path
        os.chmod(path, 0o755)

    def script(self, name, text, mode=0o755):
        p = os.path.join(self.path, name)
        with open(p, "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(p, mode)
        return p


@pytest.fixture
def plugins(tmp_path):
    d = tmp_path / "bin"
    d.mkdir()
    os.chmod(tmp_path, 0o755)
    return Plugins(str(d))
