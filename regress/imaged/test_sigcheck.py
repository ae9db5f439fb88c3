"""sigcheck, the program that reads OpenPGP, with what GnuPG makes."""
import fcntl
import os
import socket
import struct
import subprocess
import tempfile

import pytest

from drive import BUILD, GID, TYPES, UID
from gpg import Gpg

SIGCHECK = os.path.join(BUILD, "libexec/criod/sigcheck")
TEXT = b'{"critical":{},"optional":{}}'
SEALS = 0xf  # SEAL, SHRINK, GROW, WRITE
OLD = "20200101T000000!"
BAD_KEY = "its key is expired, revoked or not for signing"


def memory(data, seal=True):
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, data)
    if seal:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return fd


def check(keys, message):
    """(text, fingerprint), or the reason why not, as a string."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    empty = tempfile.mkdtemp()
    root = os.open(empty, os.O_RDONLY | os.O_DIRECTORY)

    def descriptors():
        high = [os.dup2(theirs.fileno(), 60), os.dup2(root, 61)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    p = subprocess.Popen(
        [SIGCHECK, "-u", str(UID), "-g", str(GID), "-v", "3"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=(3, 4),
        preexec_fn=descriptors)
    theirs.close()
    os.close(root)
    rings = b"".join(struct.pack("<I", len(k)) + k for k in keys)
    fds = [memory(rings), memory(message), memory(b"", seal=False)]
    body = b"\0\0\0\0"
    head = struct.pack("<HHIHHI", TYPES["SIG_CHECK"], 0, 7, 3, 0, len(body))
    socket.send_fds(ours, [head + body], fds)
    ours.settimeout(60)
    data = ours.recv(16384)
    ours.close()
    log = p.communicate()[1].decode()
    os.rmdir(empty)
    assert p.returncode == 0, (p.returncode, log)
    assert len(data) > 16, log
    kind, body = struct.unpack("<H", data[:2])[0], data[16:]
    if kind == TYPES["FAIL"]:
        result = body[4:].rstrip(b"\0").decode()
    else:
        assert kind == TYPES["SIG_CHECKED"]
        n, fingerprint = struct.unpack("<I65s", body)
        result = os.pread(fds[2], n, 0), fingerprint.rstrip(b"\0").decode()
    for fd in fds:
        os.close(fd)
    return result


@pytest.fixture(scope="module")
def gpg(tmp_path_factory):
    g = Gpg(tmp_path_factory.mktemp("gpg") / "home")
    g.fp = g.key()
    g.public_key = g.public("signer")
    yield g
    g.stop()


@pytest.mark.parametrize("kind", ["rsa2048", "nistp256", "ed25519"])
def test_kinds_of_keys(gpg, kind):
    name = "k" + kind
    fp = gpg.key(name, kind)
    for armor in False, True:
        assert check([gpg.public(name, armor=armor)],
                     gpg.sign(TEXT, name)) == (TEXT, fp)


def test_any_of_the_keys(gpg, tmp_path):
    other = Gpg(tmp_path / "home")
    other.key("other")
    rings = [other.public(), gpg.public_key]
    message = gpg.sign(TEXT)
    assert check(rings, message) == (TEXT, gpg.fp)
    assert check(rings[:1], message) == "it is not by a key of the policy"
    assert check([], message) == "it is not by a key of the policy"
    # A key whose user claims to be the signer is no better.
    fake = Gpg(tmp_path / "fake")
    fake.key("signer")
    assert check([gpg.public_key], fake.sign(TEXT)) == \
        "it is not by a key of the policy"
    other.stop()
    fake.stop()


def test_without_compression(gpg):
    assert check([gpg.public_key], gpg.sign(TEXT, "signer", "-z", "0")) == \
        (TEXT, gpg.fp)


def test_subkey(gpg):
    fp = gpg.key("above")
    before = gpg.public("above")
    gpg.run("--quick-add-key", fp, "ed25519", "sign", "never")
    primary, sub = gpg.fingerprints("above")
    message = gpg.sign(TEXT, "above")
    assert check([gpg.public("above")], message) == (TEXT, sub)
    assert check([before], message) == "it is not by a key of the policy"
    gpg.revoke(primary)
    assert check([gpg.public("above")], message) == BAD_KEY


def test_tampered(gpg):
    message = bytearray(gpg.sign(TEXT, "signer", "-z", "0"))
    at = bytes(message).index(b"critical")
    message[at] ^= 1
    assert check([gpg.public_key], bytes(message)) == \
        "it is not a good signature"


@pytest.mark.parametrize("args", [["--clearsign"], ["--detach-sign"],
                                  ["--armor", "--sign"], ["--store"]])
def test_other_messages(gpg, args):
    message = gpg.run("--local-user", "signer@example.com", *args, data=TEXT)
    assert isinstance(check([gpg.public_key], message), str)


def test_encrypted(gpg):
    message = gpg.run("--local-user", "signer@example.com", "--sign",
                      "--passphrase", "secret", "--symmetric", data=TEXT)
    assert isinstance(check([gpg.public_key], message), str)


def test_two_signatures(gpg):
    gpg.key("second")
    message = gpg.run("--local-user", "signer@example.com", "--local-user",
                      "second@example.com", "--sign", data=TEXT)
    assert check([gpg.public("signer", "second")], message) == \
        "it is not one signature"


def test_expired_key(gpg):
    gpg.key("old", expire="2021-01-01", time=OLD)
    message = gpg.sign(TEXT, "old", time=OLD)
    assert check([gpg.public("old")], message) == BAD_KEY


def test_expired_signature(gpg):
    gpg.key("older", time=OLD)
    good = gpg.sign(TEXT, "older", time=OLD)
    assert check([gpg.public("older")], good)[0] == TEXT
    message = gpg.sign(TEXT, "older", "--default-sig-expire", "1d", time=OLD)
    assert check([gpg.public("older")], message) == "it is expired"


def test_revoked_key(gpg):
    fp = gpg.key("gone")
    message = gpg.sign(TEXT, "gone")
    assert check([gpg.public("gone")], message) == (TEXT, fp)
    gpg.revoke(fp)
    assert check([gpg.public("gone")], message) == BAD_KEY


def test_sha1(gpg):
    gpg.key("weak", "rsa2048")
    message = gpg.sign(TEXT, "weak", "--digest-algo", "SHA1",
                       "--allow-weak-digest-algos")
    assert check([gpg.public("weak")], message) == \
        "it is not a good signature"


def test_much(gpg):
    """A compressed message that is too long when it is not."""
    message = gpg.sign(b"\0" * (8 << 20), "signer", "-z", "9",
                       "--compress-algo", "zlib")
    assert len(message) < 256 * 1024
    assert isinstance(check([gpg.public_key], message), str)


def test_rubbish(gpg):
    message = gpg.sign(TEXT)
    for cut in range(0, len(message), 7):
        assert isinstance(check([gpg.public_key], message[:cut]), str)
    assert isinstance(check([b"\x99\xff\xff\xff"], message), str)
    assert isinstance(check([b""], message), str)
