"""A file system (FUSE) whose one file is never read: who tries is in the state
D, and no signal ends that.  release() answers all."""

import ctypes
import errno
import os
import struct
import threading

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS = 1, 2, 3, 14, 15, 17
RELEASE, FLUSH, INIT, OPENDIR, INTERRUPT, BATCH_FORGET = 18, 25, 26, 27, 36, 42
DIRECT_IO = 1
ROOT, FILE = 1, 2
HEAD, OUT = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
libc = ctypes.CDLL(None, use_errno=True)


def attr(node):
    mode, size = (0o40755, 0) if node == ROOT else (0o100644, 4096)
    return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1,
                       0, 0, 0, 4096, 0)


class HangFs:
    def __init__(self, path):
        self.path, self.held, self.open = path, [], False
        self.lock = threading.Lock()
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % \
            self.fd
        if libc.mount(b"hang", path.encode(), b"fuse", 6,
                      options.encode()) == -1:
            raise OSError(ctypes.get_errno(), "mount")
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, unique, body=b"", error=0):
        try:
            os.write(self.fd, OUT.pack(OUT.size + len(body), -error, unique) +
                     body)
        except OSError:
            pass  # nobody waits any more

    def serve(self):
        while True:
            try:
                data = os.read(self.fd, 1 << 18)
            except OSError:
                return
            self.take(*HEAD.unpack_from(data)[1:4])

    def take(self, opcode, unique, node):
        if opcode == INIT:
            self.answer(unique, struct.pack(
                "<IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 4096, 1, 1, 0, 0,
                *[0] * 7))
        elif opcode == LOOKUP:
            self.answer(unique, struct.pack("<QQQQII", FILE, 0, 1, 1, 0, 0) +
                        attr(FILE))
        elif opcode == GETATTR:
            self.answer(unique, struct.pack("<QII", 1, 0, 0) + attr(node))
        elif opcode in (OPEN, OPENDIR):
            self.answer(unique, struct.pack("<QII", 0, DIRECT_IO, 0))
        elif opcode == STATFS:
            self.answer(unique, bytes(80))
        elif opcode in (RELEASE, FLUSH):
            self.answer(unique)
        elif opcode == READ:
            self.hold(unique)
        elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            self.answer(unique, error=errno.ENOSYS)

    def hold(self, unique):
        with self.lock:
            if not self.open:
                self.held.append(unique)
                return
        self.answer(unique)

    def release(self):
        with self.lock:
            self.open = True
        for unique in self.held:
            self.answer(unique)

    def close(self):
        self.release()
        libc.umount2(self.path.encode(), 2)
        os.close(self.fd)
