"""Rows 1, 4, 6, 7, 15, 16 (its image part) and 50 to 52: hostile images."""

import gzip
import json
import os
import struct
import tarfile
import time

import grpc
import pytest

import oci

from conftest_integ import wait_for
from conftest import CANARY, CANARY_UP, import_layout
from oci import entry, layer


def run(pods, name, command, **over):
    return pods.output(command, image=name, **over)


def must_not_escape(pods, image, *layers, config=None):
    """The image is refused, or it runs and stays inside."""
    try:
        name = image(*layers, config=config)
    except ImportError as e:
        assert str(e).strip()
        return None
    try:
        return run(pods, name, ["true"])
    except grpc.RpcError as e:
        assert e.details()
        return None


LINK = [entry("out", link=CANARY)]
UP = [entry("out", link=CANARY_UP)]


@pytest.mark.parametrize("first", [LINK, UP], ids=["absolute", "dotdot"])
@pytest.mark.parametrize("second", [
    [entry("out/new", "x")],
    [entry("out/file", "x")],
    [entry("out/dir/")],
    [entry("out/", mode=0o777, uid=5)],
    [entry("out/file", mode=0o777, uid=5, type=tarfile.LNKTYPE,
           link="bin/busybox")],
    [entry("hard", type=tarfile.LNKTYPE, link="out/file")],
    [entry("out/.wh.file", "")],
    [entry("out/.wh..wh..opq", "")],
    [entry("out/fifo", type=tarfile.FIFOTYPE)],
], ids=["new", "file", "dir", "replace", "hardlink-at", "hardlink-to",
        "whiteout", "opaque", "fifo"])
@pytest.mark.parametrize("same_layer", [True, False])
def test_row_1_CVE_2014_9356_symlink_out(canary, pods, image, first, second,
                                         same_layer):
    layers = [first + second] if same_layer else [first, second]
    must_not_escape(pods, image, *layers)


@pytest.mark.parametrize("name", [CANARY_UP + "/new", CANARY + "/new",
                                  "a/" + CANARY_UP + "/new", ".."],
                         ids=["up", "absolute", "down-up", "dotdot"])
def test_row_1_CVE_2014_9357_names(canary, pods, image, name):
    must_not_escape(pods, image, [entry(name, "x")])


@pytest.mark.parametrize("target", [CANARY + "/file", CANARY_UP + "/file",
                                    "..", "/etc/shadow"],
                         ids=["absolute", "up", "dotdot", "shadow"])
def test_row_4_CVE_2020_10696_hard_link_out(canary, pods, image, target):
    must_not_escape(pods, image, [entry("h", type=tarfile.LNKTYPE,
                                        link=target)])


def test_row_6_CVE_2021_32760_metadata_through_link(canary, pods, image):
    """The same name, first a link out, then a file with a mode and owner."""
    must_not_escape(pods, image, [
        entry("x", link=CANARY + "/file"),
        entry("x", "mine", mode=0o4777, uid=12, mtime=5),
        entry("y", link=CANARY + "/dir"), entry("y/", mode=0o777, uid=12)])


@pytest.mark.parametrize("volume", ["/../.." + CANARY, "/link", "/real"],
                         ids=["dotdot", "link", "real"])
def test_row_7_CVE_2022_23648_volume(canary, pods, image, volume):
    """A volume of the image is its own data, never the host's."""
    name = image([entry("link", link=CANARY), entry("real/"),
                  entry("real/own", "of the image\n")],
                 config={"Volumes": {volume: {}}, "Env": ["PATH=/bin"]})
    _, out = run(pods, name, [
        "sh", "-c", "cat %s/* /link/* /real/* 2>/dev/null; "
        "cat /proc/self/mountinfo" % volume])
    assert "someone" not in out and "of the image" in out
    assert " /real " not in out and "canary" not in out


@pytest.mark.parametrize("path", ["etc", "etc/hostname", "etc/hosts",
                                  "etc/resolv.conf", "etc/mtab"])
def test_row_8_CVE_2024_5154_injected_files(canary, pods, image, path):
    target = CANARY_UP if path == "etc" else CANARY + "/file"
    links = [entry(path, link=target)]
    if path == "etc":
        links = [entry(".wh.etc", "")] + [entry("etc", link=CANARY)]
    must_not_escape(pods, image, links)


SOMEONE = b"someone:x:0:0::/:/bin/sh\n"


@pytest.mark.parametrize("what", ["host", "host-up", "dev-zero", "kcore",
                                  "fifo", "sparse", "directory"])
def test_row_9_CVE_2024_9676_passwd(canary, pods, image, what):
    """None of these makes "someone" known, or takes long."""
    e = {"host": entry("etc/passwd", link=CANARY + "/passwd"),
         "host-up": entry("etc/passwd", link=CANARY_UP + "/passwd"),
         "dev-zero": entry("etc/passwd", link="/dev/zero"),
         "kcore": entry("etc/passwd", link="/proc/kcore"),
         "fifo": entry("etc/passwd", type=tarfile.FIFOTYPE),
         "sparse": entry("etc/passwd", SOMEONE + bytes(64 << 20)),
         "directory": entry("etc/passwd/")}[what]
    name = image([entry(".wh.etc", "")], [entry("etc/"), e])
    pod, config = pods.run()
    start = time.monotonic()
    # A numeric user needs nothing of the file; a name must be an error.
    with pytest.raises(grpc.RpcError) as err:
        pods.create(pod, config, ["true"], image=name,
                    security_context={"run_as_username": "someone"})
    assert err.value.details()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("file", ["passwd", "group"])
def test_row_53_CVE_2025_4437_huge_files(pods, image, file):
    """Refused whole: half a file of users would be another file."""
    lines = "someone:x:0:0::/:/bin/sh\n" if file == "passwd" else ""
    lines += "".join("u%d:x:%d:%s\n" % (
        i, i, "%d::/:/bin/sh" % i if file == "passwd" else "")
        for i in range(200000))
    more = [] if file == "passwd" else [entry("etc/passwd", SOMEONE)]
    name = image([entry("etc/" + file, lines)] + more)
    pod, config = pods.run()
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as err:
        pods.create(pod, config, ["true"], image=name,
                    security_context={"run_as_username": "someone"})
    assert "larger" in err.value.details()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("links", [
    [entry("a", link=CANARY)],
    [entry("a/"), entry("a/b", link=CANARY_UP)]])
def test_row_15_CVE_2026_55686_workdir(canary, pods, image, links):
    must_not_escape(pods, image, links,
                    config={"WorkingDir": "/a/b", "Env": ["PATH=/bin"]})


@pytest.mark.parametrize("name", ["dev", "proc", "sys", "dev/pts"])
@pytest.mark.parametrize("kind", ["link", "file", "fifo"])
def test_row_16_CVE_2026_41579_odd_mount_points(canary, pods, image, name,
                                                kind):
    e = {"link": entry(name, link=CANARY), "file": entry(name, "x"),
         "fifo": entry(name, type=tarfile.FIFOTYPE)}[kind]
    must_not_escape(pods, image, [e])


def raw_header(name, size, typeflag=b"0"):
    ti = tarfile.TarInfo(name)
    ti.size = size
    ti.type = typeflag
    return ti.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("what", ["pax-1G", "pax-1e6-records",
                                  "long-name-1G", "sparse-1e9"])
def test_row_50_CVE_2025_58183_tar_headers(image, what):
    if what == "pax-1G":
        tar = raw_header("p", 1 << 30, b"x") + bytes(1 << 20)
    elif what == "long-name-1G":
        tar = raw_header("p", 1 << 30, b"L") + b"a" * (1 << 20)
    elif what == "pax-1e6-records":
        rec = b"".join(b"%d k%06d=v\n" % (13, i) for i in range(1000000))
        tar = raw_header("p", len(rec), b"x") + rec + bytes(
            -len(rec) % 512) + raw_header("f", 0) + bytes(1024)
    else:
        body = (b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
                b"27 GNU.sparse.name=sparse\n"
                b"35 GNU.sparse.realsize=10000000000\n")
        m = b"1000000000\n" + b"0\n1\n" * 500
        m += bytes(-len(m) % 512)
        tar = raw_header("p", len(body), b"x") + body + bytes(
            -len(body) % 512) + raw_header("f", len(m)) + m + bytes(1024)
    start = time.monotonic()
    with pytest.raises(ImportError) as e:
        image(tar)
    assert time.monotonic() - start < 20
    assert str(e.value).strip()


@pytest.mark.parametrize("cut", [10, 100, -10])
def test_row_51_CVE_2021_20291_truncated_gzip(criod, image, cut, tmp_path):
    tar = layer([entry("f", os.urandom(5000))])
    lay = oci.Layout(str(tmp_path / "cut"))
    desc = lay.image([tar])
    blob = os.path.join(lay.path, "blobs/sha256")
    with open(os.path.join(blob, desc["digest"][7:])) as f:
        m = json.load(f)
    with open(os.path.join(blob, m["layers"][0]["digest"][7:]), "rb") as f:
        short = f.read()[:cut]
    d = lay.blob(short)
    m["layers"][0].update(d)
    path = lay.write(dict(lay.blob(m), mediaType=desc["mediaType"]),
                     "x.y/z:1")
    start = time.monotonic()
    with pytest.raises(ImportError) as e:
        import_layout(criod, path)
    assert str(e.value).strip()
    assert time.monotonic() - start < 10
    assert not criod.client.ImageStatus(
        image={"image": "x.y/z:1"}).image.id


def zstd_zeros(mib):
    """A frame of blocks of one repeated byte: 4 bytes are 128 KiB."""
    block = struct.pack("<I", (1 << 17) << 3 | 1 << 1)[:3] + b"\0"
    return struct.pack("<IBB", 0xFD2FB528, 0, (17 - 10) << 3) + \
        block * (8 * mib - 1) + bytes([block[0] | 1]) + block[1:]


def zstd(data):
    """A frame with data as it is."""
    return struct.pack("<IBB", 0xFD2FB528, 0, (17 - 10) << 3) + struct.pack(
        "<I", len(data) << 3 | 1)[:3] + data


def raw_layer(lay, blob, diff_id):
    """An image of one layer whose blob is this."""
    desc = lay.image([b""])
    blobs = os.path.join(lay.path, "blobs/sha256")

    def load(digest):
        with open(os.path.join(blobs, digest[7:])) as f:
            return json.load(f)
    m = load(desc["digest"])
    conf = load(m["config"]["digest"])
    conf["rootfs"]["diff_ids"] = [diff_id]
    m["config"].update(lay.blob(conf))
    m["layers"][0].update(lay.blob(blob), mediaType=oci.OCI +
                          "layer.v1.tar+zstd")
    return lay.write(dict(lay.blob(m), mediaType=desc["mediaType"]),
                     "bomb.test/x:1")


def used(path):
    return sum(os.lstat(os.path.join(d, n)).st_blocks * 512
               for d, _, names in os.walk(path) for n in names)


@pytest.mark.parametrize("where", ["file", "after"])
def test_row_52_bomb(criod, tmp_path, where):
    """1 MiB that becomes 32 GiB, in a file or after the tar's end."""
    size = 32 << 30
    head = bytearray(raw_header("big", 0))
    head[124:136] = b"\x80" + size.to_bytes(11, "big")
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    if where == "after":
        head = layer([entry("f", "x")])
    store = os.path.join(criod.path, "lib/image")
    before = used(store)
    path = raw_layer(oci.Layout(str(tmp_path / "bomb")),
                     zstd(bytes(head)) + zstd_zeros(size >> 20),
                     "sha256:" + "0" * 64)
    start = time.monotonic()
    with pytest.raises(ImportError) as e:
        import_layout(criod, path)
    assert "large" in str(e.value)
    assert time.monotonic() - start < 30
    wait_for("the disk's space", lambda: used(store) < before + (8 << 20))
    assert criod.client.ListImages() is not None


def test_device_nodes_of_an_image_are_not_made(pods, image):
    dev = entry("null2", type=tarfile.CHRTYPE)
    dev[0].devmajor, dev[0].devminor = 1, 3
    must_not_escape(pods, image, [dev])


def test_forged_whiteout_attributes(pods, image):
    """An image's own overlay attributes must not act."""
    must_not_escape(pods, image, [entry("bin/", pax={
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.overlay.redirect": "/etc"})])
    name = image([entry("bin/", pax={
        "SCHILY.xattr.user.overlay.opaque": "y"})])
    st, _ = run(pods, name, ["true"])
    assert st.exit_code == 0  # /bin/true of the lower layer is still seen
