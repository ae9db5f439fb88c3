import os
import struct
import subprocess
import sys
import tempfile

import pytest

from rig import TOP, Backend, Streamd


@pytest.fixture(scope="module")
def pb(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("stubs"))
    subprocess.run(["protoc", "--python_out=" + out, "-I" + TOP,
                    "proto/cri.proto", "proto/nri.proto",
                    "proto/msg.proto"], check=True,
                   cwd=TOP)
    sys.path.insert(0, out)
    from proto import msg_pb2
    return msg_pb2


@pytest.fixture
def streamd(pb):
    with tempfile.TemporaryDirectory(prefix="criod-streamd.") as root:
        os.chmod(root, 0o755)
        s = Streamd(pb, root)
        s.listen("METRICS")
        s.listen("STREAM")
        s.start()
        yield s
        assert s.proc.poll() is None, "streamd died: " + s.text()
        s.send("STOP", struct.pack("<I", 0))
        assert s.proc.wait(10) == 0, s.text()


@pytest.fixture
def backend(streamd, pb):
    b = Backend(streamd, pb)
    yield b
    b.close()
