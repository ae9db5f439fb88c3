"""What may stand between a client and a registry: a wire that counts and
cuts, proxies, a name server."""
import base64
import select
import socket
import ssl
import struct
import threading


class Listener:
    """Accepts; each connection has a thread that runs self.serve(sock)."""

    def __init__(self, host="127.0.0.1"):
        self.sock = socket.create_server((host, 0))
        self.port = self.sock.getsockname()[1]
        self.host = f"{host}:{self.port}"
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _serve(self, conn):
        with conn:
            try:
                self.serve(conn)
            except OSError:
                pass  # either end may go away at any time

    def stop(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # was stopped before
        self.sock.close()


def ready(a, b):
    """Those of two sockets that have something to read."""
    held = [s for s in (a, b)
            if isinstance(s, ssl.SSLSocket) and s.pending()]
    return held or select.select([a, b], [], [])[0]


def carry(a, b, limit=None, heard=None):
    """Bytes both ways until one ends, or limit bytes came from b; what a says
    is added to heard."""
    other = {a: b, b: a}
    while True:
        for s in ready(a, b):
            data = s.recv(65536)
            if limit is not None and s is b:
                data = data[:limit]
                limit -= len(data)
            if heard is not None and s is a:
                heard.append(data)
            if not data:
                return
            other[s].sendall(data)
            # Not when more comes: an end that waits for an answer sends none.
            if limit == 0:
                return


class Wire(Listener):
    """To port of this machine; cuts: bytes after which each connection in
    turn is cut."""

    def __init__(self, port, cuts=()):
        self.to, self.cuts, self.heard = port, list(cuts), []
        super().__init__()

    def serve(self, conn):
        limit = self.cuts.pop(0) if self.cuts else None
        with socket.create_connection(("127.0.0.1", self.to)) as far:
            carry(conn, far, limit, self.heard)


class Proxy(Listener):
    """An HTTP proxy; names: host to address.  log has the request lines,
    heads everything that was sent to the proxy itself."""

    def __init__(self, names=(), auth=None, connect_status=200, tls=None):
        self.names, self.connect_status = dict(names), connect_status
        self.tls = None
        if tls is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.log, self.heads = [], []
        self.auth = None if auth is None else \
            "Basic " + base64.b64encode(auth.encode()).decode()
        super().__init__()

    def dial(self, place, port):
        host, _, given = place.rpartition(":")
        if not given.isdigit():
            host, given = place, port
        return socket.create_connection(
            (self.names.get(host, host.strip("[]")), int(given)), 10)

    def serve(self, conn):
        if self.tls is not None:
            conn = self.tls.wrap_socket(conn, server_side=True)
        reader = conn.makefile("rb")
        head = []
        while True:
            line = reader.readline()
            if line in (b"\r\n", b""):
                break
            head.append(line.decode().rstrip())
        if not head:
            return
        self.log.append(head[0])
        self.heads.append(head)
        if self.auth is not None and \
                f"Proxy-Authorization: {self.auth}" not in head:
            return conn.sendall(b"HTTP/1.1 407 Proxy Authentication Required"
                                b"\r\nProxy-Authenticate: Basic realm=p\r\n"
                                b"Content-Length: 0\r\n\r\n")
        method, where, _ = head[0].split()
        if method == "CONNECT":
            return self.connect(conn, where)
        place, _, path = where.split("://", 1)[1].partition("/")
        with self.dial(place, 80) as far:
            rest = [h for h in head[1:] if not h.lower().startswith(
                ("proxy-", "connection:"))]
            far.sendall("\r\n".join(
                [f"{method} /{path} HTTP/1.1", *rest, "Connection: close",
                 "", ""]).encode())
            carry(conn, far)

    def connect(self, conn, where):
        if self.connect_status != 200:
            return conn.sendall(b"HTTP/1.1 %d no\r\nContent-Length: 0\r\n\r\n"
                                % self.connect_status)
        with self.dial(where, 443) as far:
            conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            carry(conn, far)


class Socks(Listener):
    """SOCKS 5 with names, for a user and password."""

    def __init__(self, names, user, password):
        self.names = dict(names)
        self.want = b"\1%c%b%c%b" % (len(user), user.encode(),
                                    len(password), password.encode())
        self.log = []
        super().__init__()

    def serve(self, conn):
        assert conn.recv(1024)[0] == 5
        conn.sendall(b"\5\2")
        if conn.recv(1024) != self.want:
            return conn.sendall(b"\1\1")
        conn.sendall(b"\1\0")
        asked = conn.recv(1024)
        assert asked[:4] == b"\5\1\0\3"  # connect, by name
        host = asked[5:-2].decode()
        port, = struct.unpack(">H", asked[-2:])
        self.log.append(f"{host}:{port}")
        with socket.create_connection((self.names[host], port)) as far:
            conn.sendall(b"\5\0\0\1" + b"\0" * 6)
            carry(conn, far)


class NameServer:
    """On port 53 of an address of its own; answers: name to a list of IPv4
    addresses, or None, which is no answer at all.  Other names fail."""

    def __init__(self, address, answers):
        self.answers, self.asked = answers, []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.create_server((address, 53))
        for run in (self._udp, self._tcp):
            threading.Thread(target=run, daemon=True).start()

    def answer(self, query, limit):
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name = ".".join(name)
        self.asked.append(name)
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        question = query[12:at + 5]
        if name not in self.answers:
            return query[:2] + b"\x81\x82\0\1\0\0\0\0\0\0" + question
        if self.answers[name] is None:
            return None
        found = self.answers[name] if kind == 1 else []
        rows = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" +
                        socket.inet_aton(a) for a in found)
        flags = b"\x81\x80"
        if 12 + len(question) + len(rows) > limit:
            flags, rows, found = b"\x83\x80", b"", []  # ask by TCP
        return (query[:2] + flags + struct.pack(">HHHH", 1, len(found), 0, 0)
                + question + rows)

    def _udp(self):
        while True:
            try:
                query, who = self.udp.recvfrom(4096)
            except OSError:
                return
            reply = self.answer(query, 512)
            if reply is not None:
                self.udp.sendto(reply, who)

    def _tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn, conn.makefile("rb") as reader:
                while True:
                    size = reader.read(2)
                    if len(size) < 2:
                        break
                    reply = self.answer(reader.read(
                        struct.unpack(">H", size)[0]), 1 << 16)
                    conn.sendall(struct.pack(">H", len(reply)) + reply)

    def stop(self):
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        self.udp.close()
