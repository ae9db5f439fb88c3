"""A WebSocket client of its own."""

import base64
import hashlib
import os
import socket
import struct
from urllib.parse import urlsplit

from rig import read_head, receive

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Ws:
    def __init__(self, url, protocols, version="13"):
        u = urlsplit(url)
        self.sock = socket.create_connection((u.hostname, u.port), 10)
        self.sock.settimeout(30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = ["GET %s HTTP/1.1" % u.path, "Host: " + u.netloc,
                  "Connection: keep-alive, Upgrade", "Upgrade: websocket",
                  "Sec-WebSocket-Key: " + key,
                  "Sec-WebSocket-Version: " + version]
        if protocols:
            fields.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        self.sock.sendall(("\r\n".join(fields) + "\r\n\r\n").encode())
        self.head = read_head(self.sock)
        self.status = int(self.head.split()[1])
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1(
                (key + GUID).encode()).digest()).decode()
            assert "Sec-WebSocket-Accept: %s\r\n" % want in self.head
        self.inbox = b""
        self.code = None	# of the server's close

    def frame(self, opcode, payload, fin=True, mask=True):
        n = len(payload)
        out = bytes([(0x80 if fin else 0) | opcode])
        m = 0x80 if mask else 0
        if n < 126:
            out += bytes([m | n])
        elif n < 65536:
            out += struct.pack(">BH", m | 126, n)
        else:
            out += struct.pack(">BQ", m | 127, n)
        if not mask:
            return out + payload
        key = os.urandom(4)
        mask = int.from_bytes((key * (n // 4 + 1))[:n], "big")
        return out + key + (int.from_bytes(payload, "big") ^ mask).to_bytes(
            n, "big")

    def send(self, payload, opcode=2, fin=True):
        self.sock.sendall(self.frame(opcode, payload, fin))

    def channel(self, n, payload):
        self.send(bytes([n]) + payload)

    def read(self, n):
        return receive(self.sock.recv, n)

    def recv_frame(self):
        """Opcode and payload; pongs too."""
        first, second = self.read(2)
        assert first & 0x80 and not second & 0x80
        n = second & 0x7f
        if n == 126:
            n = struct.unpack(">H", self.read(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.read(8))[0]
        return first & 15, self.read(n)

    def message(self):
        """The next message; None after the close."""
        op, payload = self.recv_frame()
        if op == 8:
            self.code = struct.unpack(">H", payload[:2])[0] if payload \
                else None
            return None
        return payload

    def collect(self):
        """By channel, all until the close."""
        out = {}
        while True:
            try:
                m = self.message()
            except EOFError:
                return out
            if m is None:
                return out
            out[m[0]] = out.get(m[0], b"") + m[1:]

    # for Spdy in a tunnel
    def sendall(self, raw):
        self.send(raw)

    def recv(self, n):
        while not self.inbox:
            try:
                m = self.message()
            except EOFError:
                return b""
            if m is None:
                return b""
            self.inbox = m
        out, self.inbox = self.inbox[:n], self.inbox[n:]
        return out

    def shutdown(self, how):
        self.sock.shutdown(how)

    def close(self):
        self.sock.close()
