"""What a well-behaved client (grpcio) sees, and what a clumsy one does."""

import threading
import time

import grpc
import pytest

MIB = 1024 * 1024
MAX = 16 * MIB
VERSION = "/runtime.v1.RuntimeService/Version"


def wait_for(fn, seconds=10):
    end = time.monotonic() + seconds
    while not fn():
        assert time.monotonic() < end
        time.sleep(0.02)


def fails(code, fn, *args, **kw):
    with pytest.raises(grpc.RpcError) as e:
        fn(*args, **kw)
    assert e.value.code() == code, e.value.details()
    return e.value.details()


def test_unary(client):
    assert client.version("") == ""
    assert client.version("hello \u00e9\U0001f600") == "hello \u00e9\U0001f600"


def test_status_and_message(client):
    text = "no such 100% thing: \u00e9\n\"x\""
    assert fails(grpc.StatusCode.NOT_FOUND, client.version,
                 "fail:" + text) == text.replace("\n", "?")  # one line


def test_long_message_is_cut(client):
    got = fails(grpc.StatusCode.NOT_FOUND, client.version, "fail:" + "%" * 5000)
    assert got == "%" * 1023


def test_unimplemented_and_unknown(client):
    got = fails(grpc.StatusCode.UNIMPLEMENTED, client.raw,
                "/runtime.v1.RuntimeService/CheckpointPod")
    assert "CheckpointPod is not implemented" in got
    got = fails(grpc.StatusCode.UNIMPLEMENTED, client.raw,
                "/runtime.v1.RuntimeService/Nothing")
    assert "unknown method" in got


@pytest.mark.parametrize("path", [
    "/runtime.v1.RuntimeService/version",
    "/runtime.v1.RuntimeService/Version/",
    "//runtime.v1.RuntimeService/Version",
    "/runtime.v1.RuntimeService//Version",
    "/runtime.v1.RuntimeService/Version?x=1",
    "/runtime.v1.RuntimeService/%56ersion",
    "/runtime.v1alpha2.RuntimeService/Version",
    "/runtime.v1.ImageService/Version",
    "runtime.v1.RuntimeService/Version",
    "/",
    "/" + "x" * 5000,
])
def test_path_confusion(client, path):
    # The body is no protobuf: nothing may have looked at it.
    fails(grpc.StatusCode.UNIMPLEMENTED, client.raw, path, b"\xff\xff")


def test_largest_request(client):
    assert client.send(MAX - 20) == MAX - 20


def test_larger_request(client):
    # Again and again: what is still on its way is no attack.
    for _ in range(20):
        got = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, client.send, MAX + 1)
        assert "larger than" in got
    assert client.version("next") == "next"


def test_largest_response(client):
    assert client.receive(MAX - 20) == MAX - 20


def test_larger_response(client):
    got = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, client.receive, MAX)
    assert "larger than" in got


def test_sixteen_mebibytes_are_quick(client):
    start = time.monotonic()
    client.send(MAX - 20)
    client.receive(MAX - 20)
    assert time.monotonic() - start < 5


def test_memory_is_given_back(client, echo):
    for _ in range(5):
        client.send(MAX - 20)
        client.receive(MAX - 20)
    assert echo.status("VmRSS") < 16 * 1024


@pytest.mark.parametrize("data", [
    b"\x0a", b"\x0a\xff", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x0b", b"\x08\x01", b"\x00\x00", b"\xff" * 11, b"\x0d\x00",
], ids=lambda d: d.hex())
def test_malformed_protobuf(client, data):
    got = fails(grpc.StatusCode.INVALID_ARGUMENT, client.raw, VERSION, data)
    assert "malformed protobuf" in got


def test_bad_text_names_its_field(client):
    path = "/runtime.v1.ImageService/ImageStatus"
    got = fails(grpc.StatusCode.INVALID_ARGUMENT, client.raw, path,
                b"\x0a\x04\x0a\x02\xc0\x80")
    assert got == "image.image: not valid UTF-8"
    got = fails(grpc.StatusCode.INVALID_ARGUMENT, client.raw, path,
                b"\x0a\x05\x0a\x03a\0b")
    assert got == "image.image: contains a NUL byte"


def test_unknown_fields_are_ignored(client):
    # 99: a string; 98: a varint; 97: fixed64; 96: fixed32
    extra = (b"\x9a\x06\x03abc" b"\x90\x06\x05" b"\x89\x06" + b"\0" * 8 +
             b"\x85\x06" + b"\0" * 4)
    assert client.raw(VERSION, b"\x0a\x01v" + extra).find(b"v") >= 0


def test_message_bomb(client, echo):
    """16 MiB of two-byte submessages; 16 MiB of tiny unknown fields."""
    # ImageStatusRequest.image.annotations, empty entries
    inner = b"\x12\x00" * (8 * MIB - 16)
    size, n = len(inner), bytearray()
    while size >= 128:
        n.append(size & 127 | 128)
        size >>= 7
    n.append(size)
    for data in (b"\x0a" + bytes(n) + inner, b"\x78\x00" * (8 * MIB - 16)):
        start = time.monotonic()
        got = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, client.raw,
                    "/runtime.v1.ImageService/ImageStatus", data)
        assert "memory" in got
        assert time.monotonic() - start < 5
    assert echo.status("VmHWM") < 220 * 1024
    assert client.version("next") == "next"


def test_deadline(client):
    start = time.monotonic()
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, client.version, "hang",
          timeout=0.3)
    assert 0.25 < time.monotonic() - start < 2
    wait_for(lambda: client.counts()["cancelled"] == 1)
    assert client.counts()["ended"] == 1


def test_work_goes_on_after_the_deadline(client):
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, client.version, "sleep:600",
          timeout=0.2)
    assert client.counts() == {"started": 1, "ended": 0, "cancelled": 1}
    wait_for(lambda: client.counts()["ended"] == 1)


def test_deadline_not_reached(client):
    assert client.version("sleep:100", timeout=5) == "slept"
    assert client.counts()["cancelled"] == 0


def test_cancellation(client):
    fn = client.channel.unary_unary(VERSION)
    call = fn.future(client.cri.VersionRequest(
        version="hang").SerializeToString())
    wait_for(lambda: client.counts()["started"] == 1)
    call.cancel()
    wait_for(lambda: client.counts()["cancelled"] == 1)


def test_client_vanishes(client, another):
    other = another()
    fn = other.channel.unary_unary(VERSION)
    calls = [fn.future(other.cri.VersionRequest(
        version="hang").SerializeToString()) for _ in range(20)]
    wait_for(lambda: client.counts()["started"] == 20)
    stream = other.stream("0:10")
    next(stream)
    other.channel.close()
    wait_for(lambda: client.counts()["cancelled"] == 21)
    assert client.counts()["ended"] == 21
    assert all(c.cancelled() or c.done() for c in calls)


def test_stream(client):
    assert sum(1 for _ in client.stream("50:1000")) == 50
    assert sum(1 for _ in client.stream("1:" + str(15 * MIB))) == 1
    wait_for(lambda: client.counts()["ended"] == 2)


def test_stream_cancelled(client):
    s = client.stream("0:100")
    for _ in range(5):
        next(s)
    s.cancel()
    wait_for(lambda: client.counts()["cancelled"] == 1)


def test_slow_stream_reader(client, another, echo):
    """It is told so; nobody else waits; memory stays bounded."""
    slow = another().stream("0:1000000")
    next(slow)
    wait_for(lambda: client.counts()["ended"] == 1, 30)
    assert echo.status("VmRSS") < 32 * 1024
    with pytest.raises(grpc.RpcError) as e:
        for _ in slow:
            pass
    assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert e.value.details() == "slow reader"
    wait_for(lambda: echo.status("VmRSS") < 32 * 1024)


def test_many_clients(client, another):
    clients = [another() for _ in range(40)]
    errors = []

    def work(c, n):
        try:
            for i in range(25):
                word = "%d.%d" % (n, i)
                assert c.version(word) == word
            assert c.send(100000) == 100000
            assert c.receive(100000) == 100000
        except Exception as e:  # noqa: BLE001
            errors.append(e)
    threads = [threading.Thread(target=work, args=(c, n))
               for n, c in enumerate(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_many_calls_at_once(client):
    fn = client.channel.unary_unary(VERSION)
    calls = [fn.future(client.cri.VersionRequest(
        version="sleep:300").SerializeToString()) for _ in range(300)]
    for c in calls:
        assert b"slept" in c.result(20)


def test_large_headers(client):
    fails(grpc.StatusCode.RESOURCE_EXHAUSTED, client.version, "x",
          metadata=(("a", "x" * 20000),))
    assert client.version("next", metadata=(("a", "x" * 6000),)) == "next"


def test_compression_is_refused(client):
    got = fails(grpc.StatusCode.UNIMPLEMENTED, client.version, "x" * 10000,
                compression=grpc.Compression.Gzip)
    assert "grpc-encoding gzip is not supported" in got


def test_stop_tells_clients(client, echo, cri):
    second = type(echo)(echo.path + "2")
    other = type(client)(cri, second.path)
    call = other.channel.unary_unary(VERSION).future(
        cri.VersionRequest(version="hang").SerializeToString())
    wait_for(lambda: other.counts()["started"] == 1)
    second.proc.terminate()
    assert second.proc.wait(10) == 0
    assert call.exception(10).code() == grpc.StatusCode.UNAVAILABLE
    assert call.exception().details() == "criod is stopping"
    other.channel.close()
