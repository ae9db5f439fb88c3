"""The page of lib/failpoint.h: what is armed, and what was passed."""

import mmap
import os
import struct

PATH = "/run/criod.failpoints"
NAME, ARMS, TRACE = 64, 8, 8192
HEAD, ARM = struct.Struct("<II"), struct.Struct("<64sIIII")
ACTIONS = {"error": 1, "kill": 2, "delay": 3}


class Points:
    """To be made before the criod that is to fail."""

    def __init__(self):
        size = HEAD.size + ARMS * ARM.size + TRACE * NAME
        self.fd = os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(self.fd, size)
        self.page = mmap.mmap(self.fd, size)

    def close(self):
        self.page.close()
        os.close(self.fd)
        os.unlink(PATH)

    def arm(self, name, action, skip=0, ms=0):
        ARM.pack_into(self.page, HEAD.size, name.encode(), ACTIONS[action],
                      skip, ms, 0)

    def disarm(self):
        """Whether the point was reached."""
        arm = ARM.unpack_from(self.page, HEAD.size)
        ARM.pack_into(self.page, HEAD.size, b"", 0, 0, 0, 0)
        return arm[4] > arm[2]

    def trace(self, call):
        """The points that call passes: (name, how often before)."""
        HEAD.pack_into(self.page, 0, 1, 0)
        call()
        n = HEAD.unpack_from(self.page, 0)[1]
        HEAD.pack_into(self.page, 0, 0, 0)
        assert 0 < n <= TRACE
        base, seen, out = HEAD.size + ARMS * ARM.size, {}, []
        for i in range(n):
            name = self.page[base + i * NAME:base + (i + 1) * NAME]
            name = name.split(b"\0")[0].decode()
            out.append((name, seen.get(name, 0)))
            seen[name] = seen.get(name, 0) + 1
        return out
