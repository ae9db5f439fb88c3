"""Fixed messages as criod's processes speak them, from the tables in imsg/."""
import array
import os
import re
import socket
import struct

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')


def _text(path):
    with open(os.path.join(TOP, path)) as f:
        text = f.read()
    return re.sub(r'/\*.*?\*/', '', text, flags=re.S).replace('\\\n', ' ')


def _types():
    names = re.findall(r'^MSG\((\w+), (.*)\)$', _text('imsg/msg_table.h'),
                       re.M)
    out = {}
    for i, (name, rest) in enumerate(names):
        codec = re.search(r'F\((\w+)\)', rest)
        out[name] = (i + 1, codec.group(1) if codec else None)
    return out


def _bodies():
    out = {}
    for name, rest in re.findall(
            r'^#define FIXED_FIELDS_(\w+)\(U32, U64, I64, STR, ARR64\)(.*)$',
            _text('imsg/fixed_table.h'), re.M):
        out[name] = re.findall(r'(U32|U64|I64|STR|ARR64)\((\w+)(?:, (\d+))?\)',
                               rest)
    return out


TYPES = _types()
NAMES = {num: name for name, (num, _) in TYPES.items()}
BODIES = _bodies()
KINDS = {'U32': 'I', 'U64': 'Q', 'I64': 'q'}


def encode(body, **values):
    out = b''
    for kind, name, size in BODIES[body]:
        v = values.pop(name, None)
        if kind == 'STR':
            v = (v or '').encode() if not isinstance(v, bytes) else v
            assert len(v) < int(size), name
            out += v.ljust(int(size), b'\0')
        elif kind == 'ARR64':
            v = list(v or [])
            v += [0] * (int(size) - len(v))
            out += struct.pack('<%dQ' % int(size), *v)
        else:
            out += struct.pack('<' + KINDS[kind], v or 0)
    assert not values, values
    return out


def decode(body, data):
    out, at = {}, 0
    for kind, name, size in BODIES[body]:
        if kind == 'STR':
            out[name] = data[at:at + int(size)].split(b'\0')[0].decode()
            at += int(size)
        elif kind == 'ARR64':
            out[name] = struct.unpack_from('<%dQ' % int(size), data, at)
            at += 8 * int(size)
        else:
            fmt = '<' + KINDS[kind]
            out[name] = struct.unpack_from(fmt, data, at)[0]
            at += struct.calcsize(fmt)
    assert at == len(data), (body, at, len(data))
    return out


class Failure(Exception):
    def __init__(self, code, text):
        super().__init__('%d: %s' % (code, text))
        self.code, self.text = code, text


class Conn:
    """One SEQPACKET connection; requests are matched to answers by id."""

    def __init__(self, sock):
        self.sock = sock
        self.next = 0
        self.answers = {}
        self.oneway = []

    def send(self, kind, fds=(), ident=0, **values):
        num, body = TYPES[kind]
        data = encode(body, **values)
        head = struct.pack('<HHIHHI', num, 0, ident, len(fds), 0, len(data))
        anc = []
        if fds:
            anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array('i', fds))]
        self.sock.sendmsg([head, data], anc)

    def recv(self, timeout=None):
        """(name, id, values, fds), or None at the end."""
        self.sock.settimeout(timeout)
        data, anc, flags, _ = self.sock.recvmsg(
            16384, socket.CMSG_LEN(16), socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        fds = array.array('i')
        for _, _, payload in anc:
            fds.frombytes(payload[:len(payload) // 4 * 4])
        num, _, ident, nfds, _, size = struct.unpack_from('<HHIHHI', data)
        assert nfds == len(fds) and size == len(data) - 16
        name = NAMES[num]
        return (name, ident, decode(TYPES[name][1], data[16:]), list(fds))

    def begin(self, kind, fds=(), **values):
        self.next += 1
        self.send(kind, fds, self.next, **values)
        return self.next

    def end(self, ident, timeout=60):
        while ident not in self.answers:
            got = self.recv(timeout)
            if got is None:
                raise EOFError
            if got[1] == 0:
                self.oneway.append(got)
            else:
                self.answers[got[1]] = got
        name, _, values, fds = self.answers.pop(ident)
        if name == 'FAIL':
            raise Failure(values['code'], values['text'])
        return values, fds

    def call(self, kind, fds=(), timeout=60, **values):
        return self.end(self.begin(kind, fds, **values), timeout)


def memfd(data):
    fd = os.memfd_create('test', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    os.lseek(fd, 0, 0)
    import fcntl
    fcntl.fcntl(fd, 1033, 0xf)  # F_ADD_SEALS: SEAL, SHRINK, GROW, WRITE
    return fd
