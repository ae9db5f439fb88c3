import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import driver  # noqa: E402


@pytest.fixture
def base(tmp_path):
    """A directory on a real file system, with a canary beside the layer."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not os.path.exists(driver.UNPACK):
        pytest.skip("unpack is not built")
    path = tmp_path / "store"
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def root(base):
    """An empty layer directory as imaged makes it."""
    return make_root(base, "1")


def make_root(base, number):
    (base / number).mkdir(mode=0o700)
    fs = base / number / "fs"
    fs.mkdir(mode=0o755)
    os.chown(base / number, driver.UID, driver.GID)
    os.chown(fs, driver.UID, driver.GID)
    return fs


@pytest.fixture
def canary(base):
    """What no layer may touch; checked at the end."""
    path = base / "canary"
    path.mkdir()
    for name in ("file", "dir"):
        if name == "dir":
            (path / name).mkdir()
        else:
            (path / name).write_text("untouched")
    import tree
    before = tree.describe(path)
    yield path
    assert tree.differences(before, tree.describe(path)) == []
