"""Rows 1, 4, 6, 7, 15, 16 (its image part) and 50 to 52: hostile images."""

import gzip
import io
import os
import tarfile
import time

import grpc
import pytest

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


LINK = [entry("out", link="/canary")]
UP = [entry("out", link="../../../../../../../../canary")]


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


@pytest.mark.parametrize("name", ["../../../canary/new", "/canary/new",
                                  "a/../../../../canary/new", ".."])
def test_row_1_CVE_2014_9357_names(canary, pods, image, name):
    must_not_escape(pods, image, [entry(name, "x")])


@pytest.mark.parametrize("target", ["/canary/file", "../../../canary/file",
                                    "..", "/etc/shadow"])
def test_row_4_CVE_2020_10696_hard_link_out(canary, pods, image, target):
    must_not_escape(pods, image, [entry("h", type=tarfile.LNKTYPE,
                                        link=target)])


def test_row_6_CVE_2021_32760_metadata_through_link(canary, pods, image):
    """The same name, first a link out, then a file with a mode and owner."""
    must_not_escape(pods, image, [
        entry("x", link="/canary/file"),
        entry("x", "mine", mode=0o4777, uid=12, mtime=5),
        entry("y", link="/canary/dir"), entry("y/", mode=0o777, uid=12)])


@pytest.mark.parametrize("volume", ["/../../canary", "/link"])
def test_row_7_CVE_2022_23648_volume(canary, pods, image, volume):
    must_not_escape(pods, image, [entry("link", link="/canary")],
                    config={"Volumes": {volume: {}}, "Env": ["PATH=/bin"]})


@pytest.mark.parametrize("path", ["etc", "etc/hostname", "etc/hosts",
                                  "etc/resolv.conf", "etc/mtab"])
def test_row_8_CVE_2024_5154_injected_files(canary, pods, image, path):
    target = "../../canary" if path == "etc" else "/canary/file"
    links = [entry(path, link=target)]
    if path == "etc":
        links = [entry(".wh.etc", "")] + [entry("etc", link="/canary")]
    must_not_escape(pods, image, links)


@pytest.mark.parametrize("what", ["dev-zero", "kcore", "fifo", "sparse",
                                  "directory"])
def test_row_9_CVE_2024_9676_passwd(canary, pods, image, what):
    e = {"dev-zero": entry("etc/passwd", link="/dev/zero"),
         "kcore": entry("etc/passwd", link="/proc/kcore"),
         "fifo": entry("etc/passwd", type=tarfile.FIFOTYPE),
         "sparse": None, "directory": entry("etc/passwd/")}[what]
    if what == "sparse":
        e = entry("etc/passwd", bytes(64 << 20))
    name = image([entry(".wh.etc", "")], [entry("etc/"), e])
    pod, config = pods.run()
    start = time.monotonic()
    # A numeric user needs nothing of the file; a name must be an error.
    with pytest.raises(grpc.RpcError) as err:
        pods.create(pod, config, ["true"], image=name,
                    security_context={"run_as_username": "someone"})
    assert err.value.details()
    assert time.monotonic() - start < 2


def test_row_53_CVE_2025_4437_huge_passwd(pods, image):
    lines = "".join("u%d:x:%d:%d::/:/bin/sh\n" % (i, i, i)
                    for i in range(200000))
    name = image([entry("etc/passwd", lines)])
    pod, config = pods.run()
    start = time.monotonic()
    with pytest.raises(grpc.RpcError):
        pods.create(pod, config, ["true"], image=name,
                    security_context={"run_as_username": "u199999"})
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("links", [
    [entry("a", link="/canary")],
    [entry("a/"), entry("a/b", link="../../../canary")]])
def test_row_15_CVE_2026_55686_workdir(canary, pods, image, links):
    must_not_escape(pods, image, links,
                    config={"WorkingDir": "/a/b", "Env": ["PATH=/bin"]})


@pytest.mark.parametrize("name", ["dev", "proc", "sys", "dev/pts"])
@pytest.mark.parametrize("kind", ["link", "file", "fifo"])
def test_row_16_CVE_2026_41579_odd_mount_points(canary, pods, image, name,
                                                kind):
    e = {"link": entry(name, link="/canary"), "file": entry(name, "x"),
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
    import oci
    import subprocess
    import cri
    tar = layer([entry("f", os.urandom(5000))])
    lay = oci.Layout(str(tmp_path / "cut"))
    desc = lay.image([tar])
    import json
    blob = os.path.join(lay.path, "blobs/sha256")
    with open(os.path.join(blob, desc["digest"][7:])) as f:
        m = json.load(f)
    with open(os.path.join(blob, m["layers"][0]["digest"][7:]), "rb") as f:
        short = f.read()[:cut]
    d = lay.blob(short)
    m["layers"][0].update(d)
    path = lay.write(dict(lay.blob(m), mediaType=desc["mediaType"]), "x.y/z:1")
    start = time.monotonic()
    got = subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         os.path.join(criod.path, "control.sock"), "image", "import", path],
        capture_output=True, text=True)
    assert got.returncode != 0 and got.stderr.strip()
    assert time.monotonic() - start < 10
    assert not criod.client.ImageStatus(
        image={"image": "x.y/z:1"}).image.id


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
