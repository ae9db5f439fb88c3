"""Runs the built unpack program as criod's parent and imaged would."""
import hashlib
import os
import re
import socket
import struct
import subprocess
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("B", os.path.join(TOP, "build"))
UNPACK = os.path.join(BUILD, "libexec/criod/unpack")
PACK = os.path.join(BUILD, "libexec/criod/pack")
UID = GID = 64990  # an account without a name will do
CODES = {0: "OK", 1: "CANCELLED", 3: "INVALID_ARGUMENT",
         8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 13: "INTERNAL",
         15: "DATA_LOSS"}
COMPRESSION = {"none": 0, "gzip": 1, "zstd": 2}


def message_types():
    names = re.findall(r"^MSG\((\w+),", open(
        os.path.join(TOP, "imsg/msg_table.h")).read(), re.M)
    return {name: i + 1 for i, name in enumerate(names)}


TYPES = message_types()


class Failed(Exception):
    """unpack's own refusal: code and text."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Died(Exception):
    """It ended without an answer; args[0] is the wait status."""


class Unpack:
    def __init__(self, root, prefix=(), log=None, program=UNPACK):
        self.link, child = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        rootfd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)

        def descriptors():
            high = [os.dup2(child.fileno(), 60), os.dup2(rootfd, 61)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
            os.umask(0o77)  # must not matter

        self.log = log or tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*prefix, program, "-u", str(UID), "-g", str(GID), "-v", "3"],
            stdin=subprocess.DEVNULL, stderr=self.log, stdout=self.log,
            pass_fds=(3, 4), preexec_fn=descriptors)
        child.close()
        os.close(rootfd)

    def send(self, name, body=b"\0\0\0\0", fds=(), ident=7):
        head = struct.pack("<HHIHHI", TYPES[name], 0, ident, len(fds), 0,
                           len(body))
        socket.send_fds(self.link, [head + body], list(fds))

    def receive(self, timeout=120):
        self.link.settimeout(timeout)
        try:
            data = self.link.recv(16384)
        except ConnectionResetError:  # it did not read the request
            data = b""
        if not data:
            raise Died(self.process.wait(), self.text())
        kind, _, ident, _, _, _ = struct.unpack("<HHIHHI", data[:16])
        body = data[16:]
        assert ident == 7
        if kind == TYPES["FAIL"]:
            code, text = struct.unpack("<I1024s", body)
            raise Failed(CODES.get(code, code),
                         text.rstrip(b"\0").decode("latin1"))
        if kind == TYPES["PACK_DONE"]:
            size, lost = struct.unpack("<QI", body)
            return {"size": size, "lost": bool(lost)}
        assert kind == TYPES["UNPACK_DONE"]
        size, inodes, diff_id = struct.unpack("<QQ65s", body)
        return {"bytes": size, "inodes": inodes,
                "diff_id": diff_id.rstrip(b"\0").decode()}

    def text(self):
        self.log.seek(0)
        return self.log.read().decode("latin1")

    def finish(self):
        """Its exit status, once the link is closed."""
        self.link.close()
        return self.process.wait(30)


def unpack(root, blob, compression="none", tar=None, diff_id=None, size=None,
           max_bytes=1 << 32, max_entries=1000000, prefix=()):
    """blob is bytes or a path; tar its uncompressed form if that differs."""
    if isinstance(blob, bytes):
        with tempfile.NamedTemporaryFile(delete=False) as f:
            f.write(blob)
        fd = os.open(f.name, os.O_RDONLY)
        os.unlink(f.name)
    else:
        fd = os.open(blob, os.O_RDONLY)
    if diff_id is None:
        if tar is None:
            tar = blob
        diff_id = hashlib.sha256(tar).hexdigest()
    if size is None:
        size = os.fstat(fd).st_size
    u = Unpack(root, prefix)
    body = struct.pack("<IQ65sQQQ256s", COMPRESSION[compression], size,
                       diff_id.encode(), max_bytes, max_entries, size, b"")
    # Beside the layer, as imaged has it.
    recipe = os.open(os.path.join(os.path.dirname(root), "recipe"),
                     os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    u.send("UNPACK_LAYER", body, [fd, recipe])
    os.close(fd)
    os.close(recipe)
    try:
        result = u.receive()
    finally:
        status = u.finish()
    assert status == 0, (status, u.text())
    made = pack(root, diff_id)
    assert made["lost"] or \
        hashlib.sha256(made["tar"]).hexdigest() == diff_id
    result["lost"] = made["lost"]
    return result


def pack(root, diff_id, wanted=True, prefix=()):
    """Has the layer read back: what pack says, and the tar."""
    recipe = os.open(os.path.join(os.path.dirname(root), "recipe"),
                     os.O_RDONLY)
    p = Unpack(root, prefix, program=PACK)
    with tempfile.TemporaryFile() as out:
        fds = [recipe, out.fileno()] if wanted else [recipe]
        p.send("PACK_LAYER", struct.pack("<65s", diff_id.encode()), fds)
        os.close(recipe)
        try:
            result = p.receive()
        except Failed as e:
            if e.code != "FAILED_PRECONDITION":
                raise
            result = {"lost": True}
        finally:
            status = p.finish()
        assert status == 0, (status, p.text())
        out.seek(0)
        result["tar"] = out.read()
    return result


def remove(root):
    u = Unpack(root)
    u.send("UNPACK_REMOVE")
    try:
        u.receive()
    finally:
        status = u.finish()
    assert status == 0, (status, u.text())
