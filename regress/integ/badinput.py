"""Every field of every request, bad in every way: made from proto/cri.proto.

A case is one request as bytes.  The request is a good one but for one field,
named by its path, which is encoded by hand, so that it may be what no
library would send.
"""

import grpc
from google.protobuf.descriptor import FieldDescriptor as F

import cri

VARINT, FIXED64, BYTES = 0, 1, 2
DEPTH = 9
TYPES = {
    F.TYPE_STRING: "text", F.TYPE_BYTES: "bytes", F.TYPE_MESSAGE: "message",
    F.TYPE_BOOL: "number", F.TYPE_ENUM: "number", F.TYPE_INT32: "number",
    F.TYPE_INT64: "number", F.TYPE_UINT32: "number",
    F.TYPE_UINT64: "number", F.TYPE_DOUBLE: "number",
}


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def tag(field, wire):
    return varint(field.number << 3 | wire)


def block(field, data):
    return tag(field, BYTES) + varint(len(data)) + data


def number(field, n):
    return tag(field, VARINT) + varint(n)


# NAME: what to put in the field's place; SURE: it has to be refused.
ANY = {
    "missing": lambda f: b"",
    "wrong-wire-type": lambda f: tag(f, FIXED64) + b"\1" * 8,
    "cut-off": lambda f: tag(f, BYTES) + b"\x7f",
}
TEXT = {
    "empty": lambda f: block(f, b""),
    "long": lambda f: block(f, b"x" * 70000),
    "not-utf8": lambda f: block(f, b"a\xff\xfe"),
    "nul": lambda f: block(f, b"a\0b"),
    "control": lambda f: block(f, b"a\nb\x1b[1m"),
    "dots": lambda f: block(f, b"/../../etc"),
    "twice": lambda f: block(f, b"one") + block(f, b"two/../"),
}
NUMBER = {
    "minus-one": lambda f: number(f, -1),
    "least": lambda f: number(f, -(1 << 63)),
    "most": lambda f: number(f, (1 << 63) - 1),
    "out-of-range": lambda f: number(f, 1 << 40),
    "unknown-value": lambda f: number(f, 99),
    "overlong": lambda f: tag(f, VARINT) + b"\xff" * 11,
    "twice": lambda f: number(f, 1) + number(f, 3),
}
MESSAGE = {
    "empty": lambda f: block(f, b""),
    "garbage": lambda f: block(f, b"\xff\xff\xff"),
    "twice": lambda f: block(f, b"") + block(f, b""),
    "many": lambda f: block(f, b"") * 3000,
}
KINDS = {"text": TEXT, "bytes": TEXT, "number": NUMBER, "message": MESSAGE}
SURE = {("cut-off", "any"), ("not-utf8", "text"), ("garbage", "message"),
        ("overlong", "number")}


def values(msg, field):
    if field.label == F.LABEL_REPEATED:
        got = getattr(msg, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            entry = field.message_type
            return [(k, got[k], entry) for k in got]
        return list(got)
    if field.message_type:
        return [getattr(msg, field.name)] if msg.HasField(field.name) else []
    v = getattr(msg, field.name)
    return [v] if v != field.default_value else []


def encode_value(field, v):
    kind = TYPES[field.type]
    if isinstance(v, tuple):
        key, value, entry = v
        data = block(entry.fields_by_name["key"], key.encode()) + \
            block(entry.fields_by_name["value"], value.encode())
        return block(field, data)
    if kind == "message":
        return block(field, v.SerializeToString())
    if kind in ("text", "bytes"):
        return block(field, v if isinstance(v, bytes) else v.encode())
    return number(field, int(v))


def encode(msg, desc, path, put):
    """msg (or None: nothing set) with put in the place of path."""
    out = b""
    for f in desc.fields:
        if f.name != path[0]:
            out += b"".join(encode_value(f, v)
                            for v in (values(msg, f) if msg else []))
        elif len(path) == 1:
            out += put(f)
        else:
            vs = values(msg, f) if msg else []
            first = vs[0] if vs and not isinstance(vs[0], tuple) else None
            out += block(f, encode(first, f.message_type, path[1:], put))
            out += b"".join(encode_value(f, v) for v in vs[1:])
    return out


def paths(desc, depth=0):
    """(path, field) of all fields; what Windows is asked for counts once."""
    for f in desc.fields:
        yield (f.name,), f
        if f.message_type and depth < DEPTH and f.name != "windows":
            for p, sub in paths(f.message_type, depth + 1):
                yield (f.name,) + p, sub


def cases(good, only=None):
    """(name, bytes, whether it must be refused) for one good request."""
    for path, f in paths(good.DESCRIPTOR):
        kind = TYPES[f.type]
        for group, table in (("any", ANY), (kind, KINDS[kind])):
            for name, put in table.items():
                if only and name not in only:
                    continue
                yield (".".join(path) + ":" + name,
                       encode(good, good.DESCRIPTOR, path, put),
                       (name, group) in SURE)


# ---- requests to spoil, and how to send them ----

ID = "f" * 64
C = grpc.StatusCode
# What may be said of input; never UNKNOWN, INTERNAL or UNAVAILABLE.
CODES = {C.OK, C.INVALID_ARGUMENT, C.NOT_FOUND, C.FAILED_PRECONDITION,
         C.ALREADY_EXISTS, C.UNIMPLEMENTED, C.RESOURCE_EXHAUSTED,
         C.OUT_OF_RANGE, C.PERMISSION_DENIED}


def pod_config():
    return {
        "metadata": {"name": "bad", "uid": "u", "namespace": "n"},
        "hostname": "host", "log_directory": "/var/log/pods/bad",
        "dns_config": {"servers": ["10.0.0.1"], "searches": ["a.test"],
                       "options": ["ndots:2"]},
        "port_mappings": [{"container_port": 80, "host_port": 8080}],
        "labels": {"l": "v"}, "annotations": {"a": "v"},
        "linux": {"cgroup_parent": "/kubepods/pod1",
                  "sysctls": {"kernel.shm_rmid_forced": "1"},
                  "security_context": {"namespace_options": {"pid": 1}}},
    }


def ctr_config():
    return {
        "metadata": {"name": "c"}, "image": {"image": "registry.test/b"},
        "command": ["sh"], "args": ["-c", "true"], "working_dir": "/",
        "envs": [{"key": "K", "value": b"v"}],
        "mounts": [{"container_path": "/m", "host_path": "/tmp"}],
        "labels": {"l": "v"}, "annotations": {"a": "v"},
        "log_path": "c/0.log",
        "linux": {"resources": {"cpu_shares": 2,
                                "memory_limit_in_bytes": 1 << 26},
                  "security_context": {"run_as_user": {"value": 1},
                                       "namespace_options": {"pid": 1}}},
    }


def good(name, request, pod):
    """A request that would be granted, where that is possible."""
    fill = {
        "RunPodSandbox": {"config": pod_config()},
        "CreateContainer": {"pod_sandbox_id": pod, "config": ctr_config(),
                            "sandbox_config": pod_config()},
        "PullImage": {"image": {"image": "registry.test/b"},
                      "sandbox_config": pod_config()},
        "RestorePod": {"config": pod_config(), "checkpoint_path": "/x",
                       "container_configs": [ctr_config()]},
        "ExecSync": {"container_id": ID, "cmd": ["true"]},
        "Exec": {"container_id": ID, "cmd": ["true"], "stdout": True},
    }.get(name, {})
    msg = getattr(cri.pb, request)(**fill)
    for f in msg.DESCRIPTOR.fields:
        if f.name in ("container_id", "pod_sandbox_id") and \
                not getattr(msg, f.name):
            setattr(msg, f.name, ID)
    return msg


class Raw:
    """Sends bytes as they are; what was answered."""

    def __init__(self, client, service, name, response):
        self.stream = response.startswith("Stream")
        kind = client.channel.unary_stream if self.stream else \
            client.channel.unary_unary
        self.call = kind("/runtime.v1.%s/%s" % (service, name),
                         response_deserializer=getattr(
                             cri.pb, response).FromString)

    def __call__(self, data, timeout=10):
        try:
            if self.stream:
                return C.OK, list(self.call(data, timeout=timeout))
            return C.OK, self.call(data, timeout=timeout)
        except grpc.RpcError as e:
            return e.code(), e.details()


def check_error(where, code, text, codes=CODES):
    assert code in codes, (where, code, text)
    assert 0 < len(text) < 1024 and text.isprintable(), (where, text)
