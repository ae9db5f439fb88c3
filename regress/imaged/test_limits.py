"""The limits that criod.conf(5) states are those of the code."""
import os
import re

import drive
import pytest

SOURCES = {}


def constant(name):
    """The value of a #define in imaged/."""
    if not SOURCES:
        top = os.path.join(drive.TOP, "imaged")
        for f in os.listdir(top):
            if f.endswith((".c", ".h")):
                with open(os.path.join(top, f)) as fp:
                    SOURCES[f] = fp.read()
    found = {m[1] for s in SOURCES.values() for m in re.finditer(
        r"^#define\s+%s\s+([^/\n]+)" % name, s, re.M)}
    assert len(found) == 1, (name, found)
    text = re.sub(r"U?INT64_C\((\d+)\)", r"\1", found.pop())
    return eval(re.sub(r"(?<=\d)U", "", text))  # noqa: S307


MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize("name,value,row,shown", [
    ("MANIFEST_MAX", 4 * MIB, "manifest or index", "4194304 bytes"),
    ("MANIFEST_CONFIG_MAX", 4 * MIB, "configuration of an image",
     "4194304 bytes"),
    ("MANIFEST_ENTRIES_MAX", 4096, "entries of an index", "4096"),
    ("MANIFEST_DEPTH_MAX", 4, "indexes in indexes", "4 deep"),
    ("MANIFEST_LAYERS_MAX", 127, "layers of an image, files of an artifact",
     "127"),
    ("MANIFEST_BLOB_MAX", 1024 * GIB, "blob", "1 TiB"),
    ("ARTIFACT_NAME_SIZE", 256, "a file's name in an artifact", "255 bytes"),
    ("LAYER_BYTES_MAX", 256 * GIB, "layer, unpacked", "256 GiB"),
    ("LAYER_RATIO_MAX", 1100, "layer, unpacked, of its blob's size",
     "1100 times"),
    ("LAYER_BYTES_MIN", 64 * MIB, "layer that this does not apply to",
     "64 MiB"),
    ("LAYER_ENTRIES_MAX", 4000000, "objects in a layer", "4000000"),
    ("UNPACK_PATH_MAX", 4096, "path in a layer, and target of a link",
     "4095 bytes"),
    ("UNPACK_COMPONENT_MAX", 255, "component of a path", "255 bytes"),
    ("TAR_META_MAX", MIB, "extended header (pax, GNU) of an entry",
     "1048576 bytes"),
    ("TAR_XATTRS_MAX", 256, "extended attributes of an entry", "256"),
    ("TAR_SEGMENTS_MAX", 65536, "pieces of a sparse file", "65536"),
    ("STREAM_ZSTD_WINDOW_LOG", 27, "window of zstd", "128 MiB"),
    ("STORE_UNPACK_MAX", 2, "layers unpacked at a time",
     "2, and 2 while they are fetched"),
    ("STORE_AHEAD_MAX", 2, "layers unpacked at a time",
     "2, and 2 while they are fetched"),
    ("UNPACKER_WORK_MS", 30 * 60000,
     "time to unpack a layer that is there", "30 minutes")])
def test_limit(name, value, row, shown):
    assert constant(name) == value
    with open(os.path.join(drive.TOP, "criod.conf.5")) as f:
        assert f".It {row} Ta {shown}\n" in f.read()
