"""Layers read back: the same tar, or a clear word that they are not the same.

Every layer that another test unpacks is read back as well (driver.unpack)."""
import hashlib
import os
import struct

import pytest

import driver
from conftest import make_root
from layer import DIR, LINK, SYMLINK, Layer
from test_hostile import check_status


def layer():
    sub = Layer()
    sub.add("d", kind=DIR, mode=0o750, uid=5)
    sub.add("d/f", b"first" * 5000)
    sub.add("d/g", b"x", mode=0o4755)
    sub.add("l", kind=SYMLINK, linkname="d/f")
    sub.add("h", kind=LINK, linkname="d/f")
    sub.add("empty")
    return sub.bytes()


@pytest.fixture
def unpacked(root):
    tar = layer()
    driver.unpack(root, tar)
    return root, hashlib.sha256(tar).hexdigest()


def found(root, diff_id, match):
    for wanted in (True, False):
        with pytest.raises(driver.Failed, match=match) as e:
            driver.pack(root, diff_id, wanted)
        assert e.value.code == "DATA_LOSS"


def test_without_the_tar(unpacked):
    assert driver.pack(*unpacked, wanted=False)["tar"] == b""


def test_size_is_told_first(unpacked):
    root, _ = unpacked
    recipe = os.open(root.parent / "recipe", os.O_RDONLY)
    p = driver.Unpack(root, program=driver.PACK)
    p.send("PACK_SIZE", fds=[recipe])
    os.close(recipe)
    assert p.receive() == {"size": len(layer()), "lost": False}
    assert p.finish() == 0


def test_status_in_proc(root):
    """It may read the layer, whoever owns it, and nothing else."""
    tar = Layer().add("f", os.urandom(1 << 20)).bytes()
    driver.unpack(root, tar)
    recipe = os.open(root.parent / "recipe", os.O_RDONLY)
    read, write = os.pipe()
    p = driver.Unpack(root, program=driver.PACK)
    p.send("PACK_LAYER", struct.pack(
        "<65s", hashlib.sha256(tar).hexdigest().encode()), [recipe, write])
    os.close(recipe)
    os.close(write)
    got = os.read(read, 512)  # it is at work and waits for its reader
    assert "ro" in check_status(p.process.pid, 1 << 2)
    while more := os.read(read, 1 << 16):
        got += more
    assert got == tar and p.receive()["size"] == len(tar)
    assert p.finish() == 0


def test_ends_with_its_reader(root):
    tar = Layer().add("f", os.urandom(1 << 20)).bytes()
    driver.unpack(root, tar)
    recipe = os.open(root.parent / "recipe", os.O_RDONLY)
    read, write = os.pipe()
    p = driver.Unpack(root, program=driver.PACK)
    p.send("PACK_LAYER", b"0" * 64 + b"\0", [recipe, write])
    for fd in (recipe, read, write):
        os.close(fd)
    with pytest.raises(driver.Failed, match="Broken pipe"):
        p.receive()
    assert p.finish() == 0


DAMAGE = {
    "content": lambda r: overwrite(r / "d/f"),
    "shorter": lambda r: os.truncate(r / "d/f", 100),
    "zeroed": lambda r: os.truncate(r / "d/g", 0),
    "mode": lambda r: os.chmod(r / "d/g", 0o755),
    "owner": lambda r: os.chown(r / "d", 6, 0),
    "time": lambda r: os.utime(r / "empty", (1, 1)),
    "gone": lambda r: os.unlink(r / "empty"),
    "link gone": lambda r: os.unlink(r / "l"),
    "more": lambda r: (r / "more").write_text(""),
    "hard link cut": lambda r: copy_over(r / "h"),
    "attribute": lambda r: os.setxattr(r / "d/g", "user.x", b"y"),
}


def overwrite(path):
    st = os.stat(path)
    with open(path, "r+b") as f:
        f.seek(7000)
        f.write(b"?")
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def copy_over(path):
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found(base, what):
    root = make_root(base, "2")
    tar = Layer().add("x", b"", pax_headers={"SCHILY.xattr.user.a": "b"})
    tar.add("d", kind=DIR).add("d/f", b"first" * 5000).add("d/g", b"x")
    tar.add("l", kind=SYMLINK, linkname="d/f").add("empty")
    tar.add("h", kind=LINK, linkname="d/f")
    tar = tar.bytes()
    driver.unpack(root, tar)
    DAMAGE[what](root)
    found(root, hashlib.sha256(tar).hexdigest(), "not what|shorter")


def other(data, at):
    """With another byte there."""
    out = bytearray(data)
    out[at] ^= 0xff
    return bytes(out)


def test_damaged_recipe(unpacked):
    root, diff_id = unpacked
    recipe = root.parent / "recipe"
    whole = recipe.read_bytes()
    for bad in (b"", whole[:-1], whole[:20], other(whole, 30),
                other(whole, -2), b"\0" * 100, other(whole, -1)):
        recipe.write_bytes(bad)
        found(root, diff_id, "recipe is damaged")


def test_replaced_files(root):
    """The tar holds all versions, the layer the last one."""
    sub = Layer()
    sub.add("f", b"one" * 999).add("g", b"").add("h", kind=LINK, linkname="f")
    sub.add("f", b"two").add("f", b"three" * 4000).add("g", b"four")
    sub.add("h", b"five").add("f", b"")
    assert not driver.unpack(root, sub.bytes())["lost"]


def test_replaced_through_links(root):
    sub = Layer()
    sub.add("usr/lib", kind=DIR)
    sub.add("lib", kind=SYMLINK, linkname="usr/lib")
    sub.add("lib/a", b"one").add("usr/lib/a", b"two" * 9)
    assert not driver.unpack(root, sub.bytes())["lost"]


@pytest.mark.parametrize("first", [
    dict(kind=SYMLINK, linkname="elsewhere"), dict(kind=DIR)])
def test_what_cannot_be_made_again(root, first):
    """The rest is still compared."""
    sub = Layer().add("elsewhere", kind=DIR).add("x", **first)
    sub.add("x/y", b"data").add("x", b"now a file")
    tar = sub.bytes()
    assert driver.unpack(root, tar)["lost"]
    diff_id = hashlib.sha256(tar).hexdigest()
    assert driver.pack(root, diff_id, wanted=False)["lost"]
    os.chmod(root / "x", 0)
    with pytest.raises(driver.Failed, match="modes"):
        driver.pack(root, diff_id, wanted=False)


def test_links_are_not_followed_out(base, root, canary):
    """A file that became a link: what it points to is not read."""
    tar = Layer().add("d/f", b"untouched").bytes()
    driver.unpack(root, tar)
    (root / "d/f").unlink()
    os.symlink(canary / "file", root / "d/f")
    diff_id = hashlib.sha256(tar).hexdigest()
    found(root, diff_id, "not what")
