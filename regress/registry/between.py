"""What may stand between a client and a registry: a wire that counts and
cuts, and a proxy."""
import base64
import select
import socket
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


def carry(a, b, limit=None):
    """Bytes both ways until one ends, or limit bytes came from b."""
    other = {a: b, b: a}
    while True:
        for s in select.select([a, b], [], [])[0]:
            data = s.recv(65536)
            if limit is not None and s is b:
                data = data[:limit]
                limit -= len(data)
            if not data:
                return
            other[s].sendall(data)


class Wire(Listener):
    """To port of this machine; cuts: bytes after which each connection in
    turn is cut."""

    def __init__(self, port, cuts=()):
        self.to, self.cuts = port, list(cuts)
        super().__init__()

    def serve(self, conn):
        limit = self.cuts.pop(0) if self.cuts else None
        with socket.create_connection(("127.0.0.1", self.to)) as far:
            carry(conn, far, limit)


class Proxy(Listener):
    """An HTTP proxy; names: host to address.  log has the request lines,
    heads everything that was sent to the proxy itself."""

    def __init__(self, names=(), auth=None, connect_status=200):
        self.names, self.connect_status = dict(names), connect_status
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
