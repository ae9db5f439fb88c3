"""Layers as they are met: the result is what GNU tar and umoci make of them."""
import gzip
import hashlib
import json
import os
import struct
import subprocess
import tarfile
import tempfile

import pytest

import driver
import tree
from conftest import make_root
from layer import (BLOCK, CHAR, DIR, FIFO, FILE, LINK, SYMLINK, Layer,
                   capability, zstd)


def gnu_tar(base, blob, name="gnu"):
    out = base / name
    out.mkdir(mode=0o755)
    os.chmod(out, 0o755)
    subprocess.run(["tar", "-C", str(out), "--numeric-owner", "-p", "--xattrs",
                    "--xattrs-include=*", "-xf", "-"], input=blob, check=True)
    return out


def source(base):
    """A tree with one of everything that a layer carries."""
    src = base / "src"
    src.mkdir(mode=0o755)
    os.makedirs(src / "etc/deep/er")
    os.chmod(src / "etc", 0o1777)
    (src / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (src / "bin").mkdir()
    (src / "bin/su").write_bytes(b"\x7fELF" + os.urandom(300000))
    os.chown(src / "bin/su", 0, 33)
    os.chmod(src / "bin/su", 0o6755)
    os.link(src / "bin/su", src / "bin/sudo")
    os.symlink("../bin", src / "etc/bin")
    os.symlink("/etc/passwd", src / "absolute")
    os.symlink("dangling/\u00e9", src / "link")
    (src / "empty").write_bytes(b"")
    os.chown(src / "empty", 4000000000, 65534)
    os.chmod(src / "empty", 0)
    (src / "nam\u00e9 \u4e2d\u6587").write_text("utf-8")
    with open(os.fsencode(src) + b"/latin\xe9\x01", "w") as f:
        f.write("bytes")
    (src / ("n" * 255)).write_text("long name")
    deep = src / ("d" * 200) / ("e" * 200) / ("f" * 200)
    os.makedirs(deep)
    (deep / "file").write_text("long path")
    os.mkfifo(src / "fifo", 0o640)
    (src / "ping").write_bytes(b"x")
    os.setxattr(src / "ping", "security.capability", capability())
    os.setxattr(src / "etc/deep", "user.note", b"with\0nul\n")
    with open(src / "sparse", "wb") as f:
        f.truncate(3 << 20)
        f.seek(1 << 20)
        f.write(b"data" * 5000)
        f.seek(2 << 20)
        f.write(b"more")
    os.utime(src / "empty", ns=(0, 1234567890123456789))
    os.utime(src / "etc/passwd", ns=(0, -1500000000))
    os.utime(src / "absolute", ns=(0, 987654321), follow_symlinks=False)
    os.utime(src / "etc/deep", ns=(0, 1111111111111111111))
    return src


@pytest.mark.parametrize("options", [
    ["--format=pax", "--xattrs", "--xattrs-include=*"],
    ["--format=pax", "--xattrs", "--xattrs-include=*", "--sparse"],
    ["--format=pax", "--sparse", "--sparse-version=0.1"],
    ["--format=gnu"],
    ["--format=gnu", "--sparse"],
])
def test_same_as_gnu_tar(base, root, options):
    src = source(base)
    blob = subprocess.run(["tar", "-C", str(src), "--numeric-owner", *options,
                           "-cf", "-", "."], stdout=subprocess.PIPE,
                          check=True).stdout
    result = driver.unpack(root, blob)
    want = tree.describe(gnu_tar(base, blob))
    assert tree.differences(want, tree.describe(root)) == []
    inodes = len({os.lstat(os.path.join(d, n)).st_ino
                  for d, ds, fs in os.walk(os.fsencode(root))
                  for n in ds + fs}) + 1
    assert result["inodes"] == inodes
    if "--sparse" in options:
        assert os.lstat(root / "sparse").st_blocks < 200


def test_old_format(base, root):
    src = base / "src"
    (src / "a/b").mkdir(parents=True)
    (src / "a/b/c").write_text("v7")
    blob = subprocess.run(["tar", "-C", str(src), "--format=v7", "-cf", "-",
                           "a"], stdout=subprocess.PIPE, check=True).stdout
    driver.unpack(root, blob)
    want = tree.describe(gnu_tar(base, blob))
    got = tree.describe(root)
    del want[b"."], got[b"."]
    assert tree.differences(want, got) == []


def test_compressions(base):
    tar = Layer().add("f", os.urandom(1 << 20)).bytes()
    blobs = {"gzip": gzip.compress(tar), "zstd": zstd(tar), "none": tar}
    for i, (name, blob) in enumerate(blobs.items()):
        root = make_root(base, str(i))
        driver.unpack(root, blob, name, tar)
        assert (root / "f").stat().st_size == 1 << 20


def test_several_members(base):
    """gzip and zstd blobs may be joined from several."""
    tar = Layer().add("f", b"x" * 100000).add("g", b"y").bytes()
    parts = [tar[:7], tar[7:60000], tar[60000:60000], tar[60000:]]
    root = make_root(base, "1")
    driver.unpack(root, b"".join(map(gzip.compress, parts)), "gzip", tar)
    root = make_root(base, "2")
    driver.unpack(root, b"".join(map(zstd, parts)), "zstd", tar)
    assert (root / "g").read_text() == "y"


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_while_it_comes(base, how):
    """The blob grows, also by single bytes, while it is unpacked."""
    sub = Layer()
    for i in range(40):
        sub.add("f%d" % i, os.urandom(9000))
    tar = sub.bytes()
    blob = {"none": bytes, "gzip": gzip.compress, "zstd": zstd}[how](
        tar)
    root = make_root(base, how)
    with tempfile.TemporaryFile() as f:
        u = driver.Unpack(root)
        null = os.open("/dev/null", os.O_WRONLY)
        u.send("UNPACK_LAYER", struct.pack(
            "<IQ65sQQQ256s", driver.COMPRESSION[how], len(blob),
            hashlib.sha256(tar).hexdigest().encode(), 1 << 30, 1000, 0, b""),
            [f.fileno(), null])
        os.close(null)
        at = 0
        while at < len(blob):
            step = 1 if at < 2000 or len(blob) - at < 2000 else 7001
            f.write(blob[at:at + step])
            f.flush()
            at = min(at + step, len(blob))
            u.send("UNPACK_MORE", struct.pack("<Q", at), ident=0)
        assert u.receive()["inodes"] == 41
        assert u.finish() == 0


def test_zstd_large_window(root):
    tar = Layer().add("f", b"0123456789" * 3000000).bytes()
    driver.unpack(root, zstd(tar, "--ultra", "-22", "--long=27"), "zstd", tar)


def test_trailing_bytes_are_hashed(base):
    tar = Layer().add("f", b"x").bytes() + b"\0" * 20480 + b"tail"
    driver.unpack(make_root(base, "1"), tar)
    with pytest.raises(driver.Failed, match="layer is sha256"):
        driver.unpack(make_root(base, "2"), tar, tar=tar[:-1] + b"X")


def test_no_end_blocks(root):
    tar = Layer().add("f", b"x" * 512).bytes()
    driver.unpack(root, tar[:1024])
    assert (root / "f").exists()


def test_empty(base):
    for i, tar in enumerate([b"", b"\0" * 1024, b"\0" * 10240]):
        root = make_root(base, str(i))
        driver.unpack(root, tar)
        st = root.stat()
        assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o755)
        assert os.listdir(root) == []


def test_root_entry(root):
    driver.unpack(root, Layer().add("./", kind=DIR, mode=0o1751, uid=3, gid=4)
                  .add("./f").bytes())
    st = root.stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (3, 4, 0o1751)
    assert st.st_mtime == 1000000000


def test_missing_parents(root):
    driver.unpack(root, Layer().add("a/b/c", uid=9, gid=9).bytes())
    for d in ("a", "a/b"):
        st = (root / d).stat()
        assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o755)


def test_later_replaces_earlier(root):
    layer = Layer()
    layer.add("d", kind=DIR, mode=0o700).add("d/kept", b"1")
    layer.add("d", kind=DIR, mode=0o750)            # merges
    layer.add("f", b"old").add("f", b"new")         # file by file
    layer.add("x", kind=DIR).add("x/y/z", b"").add("x", b"now a file")
    layer.add("l", kind=SYMLINK, linkname="d").add("l", kind=DIR)
    layer.add("l/in", b"not in d")
    layer.add("s", b"file").add("s", kind=SYMLINK, linkname="f")
    layer.add("h", b"was").add("h", kind=LINK, linkname="f")
    layer.add("h", kind=LINK, linkname="h")         # itself
    layer.add("p", b"").add("p", kind=FIFO)
    driver.unpack(root, layer.bytes())
    assert (root / "d").stat().st_mode & 0o7777 == 0o750
    assert (root / "d/kept").exists() and not (root / "d/in").exists()
    assert (root / "f").read_text() == "new"
    assert (root / "x").read_text() == "now a file"
    assert (root / "l/in").read_text() == "not in d"
    assert os.readlink(root / "s") == "f"
    assert (root / "h").stat().st_ino == (root / "f").stat().st_ino
    assert (root / "p").is_fifo()


def test_devices_are_left_out(root):
    layer = Layer().add("dev/null", kind=CHAR, devmajor=1, devminor=3)
    layer.add("dev/sda", kind=BLOCK, devmajor=8, devminor=0).add("f")
    driver.unpack(root, layer.bytes())
    assert sorted(os.listdir(root)) == ["dev", "f"]
    assert os.listdir(root / "dev") == []


def test_xattrs_that_are_kept(root):
    names = ["user.a", "user.overlay.opaque", "user.overlay.redirect",
             "trusted.overlay.opaque", "security.selinux", "security.ima",
             "system.posix_acl_access"]
    layer = Layer()
    records = {"SCHILY.xattr." + n: "y" for n in names}
    layer.add("f", pax_headers=records).add("d", kind=DIR, pax_headers=records)
    driver.unpack(root, layer.bytes())
    assert os.listxattr(root / "f") == ["user.a"]
    assert os.listxattr(root / "d") == ["user.a"]


def test_removal(root):
    layer = Layer()
    for i in range(300):
        layer.add(f"d{i % 7}/e{i % 11}/f{i}", b"x")
    layer.add("locked", kind=DIR, mode=0).add("locked/f", mode=0)
    layer.add("s", kind=SYMLINK, linkname="/").add(".wh.gone")
    driver.unpack(root, layer.bytes())
    driver.remove(root)
    assert os.listdir(root) == []
    driver.remove(root)


def overlay(base, lowers):
    for d in ("upper", "work", "merged"):
        (base / d).mkdir()
    dirs = ":".join(str(x) for x in reversed(lowers))
    done = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o",
         f"userxattr,lowerdir={dirs},upperdir={base}/upper,"
         f"workdir={base}/work", str(base / "merged")])
    if done.returncode != 0:
        pytest.skip("no overlay here")
    return base / "merged"


def test_whiteouts_in_overlay(base):
    lower = Layer()
    for d in ("a", "b", "c", "e", "g"):
        lower.add(f"{d}/low", b"low").add(f"{d}/sub/low", b"low")
    lower.add("file", b"low").add("other", b"low")
    upper = Layer()
    upper.add(".wh.file").add("a/.wh.low")
    upper.add("b", kind=DIR).add("b/.wh..wh..opq").add("b/new")
    upper.add(".wh.c").add("c/new", b"")            # whiteout, then its parent
    upper.add("e/new", b"").add(".wh.e")            # the other way round
    upper.add(".wh.g").add("g", kind=DIR, mode=0o711)
    upper.add(".wh.other").add("other", b"new")
    upper.add("other2", b"new").add(".wh.other2")
    upper.add(".wh..wh.plnk/1.2", b"").add(".wh..wh.aufs", b"")
    one, two = make_root(base, "1"), make_root(base, "2")
    driver.unpack(one, lower.bytes())
    driver.unpack(two, upper.bytes())
    merged = overlay(base, [one, two])
    try:
        got = {os.path.relpath(os.path.join(d, n), merged)
               for d, ds, fs in os.walk(merged) for n in ds + fs}
        assert got == {"a", "a/sub", "a/sub/low", "b", "b/new", "c", "c/new",
                       "e", "e/new", "g", "other", "other2"}
        assert (merged / "other").read_text() == "new"
        assert (merged / "g").stat().st_mode & 0o7777 == 0o711
    finally:
        subprocess.run(["umount", str(merged)], check=True)


def test_same_as_umoci(base):
    """A whole image, by umoci raw unpack and by unpack plus overlay."""
    src = source(base)
    os.unlink(os.fsencode(src) + b"/latin\xe9\x01")  # umoci's own JSON fails
    os.unlink(src / "ping")  # it wants security.capability's trusted twin
    image = base / "image"

    def umoci(*args):
        subprocess.run(["umoci", *args], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    umoci("init", "--layout", str(image))
    umoci("new", "--image", f"{image}:t")
    umoci("unpack", "--image", f"{image}:t", str(base / "bundle"))
    rootfs = base / "bundle/rootfs"
    subprocess.run(["cp", "-a", f"{src}/.", str(rootfs)], check=True)
    umoci("repack", "--image", f"{image}:t", "--refresh-bundle",
          str(base / "bundle"))
    subprocess.run(["rm", "-r", str(rootfs / "etc"), str(rootfs / "bin")],
                   check=True)
    (rootfs / "bin").write_text("a file now")
    umoci("repack", "--image", f"{image}:t", "--refresh-bundle",
          str(base / "bundle"))
    umoci("raw", "unpack", "--image", f"{image}:t", str(base / "want"))

    def blob(digest):
        return image / "blobs/sha256" / digest.split(":")[1]

    index = json.loads((image / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    config = json.loads(blob(manifest["config"]["digest"]).read_text())
    lowers = []
    for i, layer in enumerate(manifest["layers"]):
        root = make_root(base, str(i))
        driver.unpack(root, str(blob(layer["digest"])), "gzip",
                      diff_id=config["rootfs"]["diff_ids"][i].split(":")[1])
        lowers.append(root)
    assert len(lowers) >= 2
    merged = overlay(base, lowers)
    try:
        want = tree.describe(base / "want")
        got = tree.describe(merged)
        for facts in (want, got):
            for one in facts.values():
                one.pop("nlink", None)
                one.get("xattrs", {}).pop("user.rootlesscontainers", None)
        want.pop(b"."), got.pop(b".")
        assert tree.differences(want, got) == []
    finally:
        subprocess.run(["umount", str(merged)], check=True)


def test_many_files(root):
    layer = Layer(tarfile.USTAR_FORMAT)
    for i in range(100000):
        layer.add(f"d{i // 1000}/f{i}", b"")
    result = driver.unpack(root, gzip.compress(layer.bytes(), 1), "gzip",
                           layer.buffer.getvalue())
    assert result["inodes"] == 100101
    driver.remove(root)
    assert os.listdir(root) == []
