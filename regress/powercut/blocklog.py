"""The log that the emulator's blklogwrites keeps of a disk: what the disk held
at any moment, and what it may have held if the power had gone just then.

A disk is a file system of FS_BYTES and, behind it, marks: a sector each, JSON,
written by whoever works on the file system.  As marks are in the log too, they
tell what had been begun and answered at each of its entries."""

import json
import mmap
import os
import struct
import subprocess

SECTOR = 512
FS_BYTES = 320 << 20
MARK_BYTES = 4 << 20
MAGIC = 0x6A736677736872
FLUSH, DISCARD = 1, 4


class Marks:
    """Writes them: beside the page cache, in order, each on its own."""

    def __init__(self, device):
        self.fd = os.open(device, os.O_WRONLY | os.O_DIRECT)
        self.sector = mmap.mmap(-1, SECTOR)
        self.at = FS_BYTES

    def write(self, **what):
        raw = json.dumps(what).encode()
        self.sector[:] = raw.ljust(SECTOR)
        os.pwrite(self.fd, self.sector, self.at)
        self.at += SECTOR
        assert self.at <= FS_BYTES + MARK_BYTES, "too many marks"


class Entry:
    """count sectors from sector on; their bytes are at `at` of the log."""

    def __init__(self, head, at):
        self.sector, self.count, self.flags, _ = head
        self.at = at

    def write(self, log, fd, count):
        if self.flags & DISCARD:
            raise ValueError("nobody was to discard anything")
        os.pwrite(fd, log[self.at:self.at + count * SECTOR],
                  self.sector * SECTOR)


class Log:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.raw = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        magic, version, number, size = struct.unpack("<QQQI", self.raw[:28])
        if (magic, version, size) != (MAGIC, 1, SECTOR):
            raise ValueError("%s is no log" % path)
        self.entries, self.marks = [], []
        at = SECTOR
        for n in range(number):
            e = Entry(struct.unpack("<QQQQ", self.raw[at:at + 32]),
                      at + SECTOR)
            self.entries.append(e)
            at = e.at + e.count * SECTOR
            if e.sector * SECTOR >= FS_BYTES:
                self.marks.append((n, json.loads(
                    self.raw[e.at:e.at + SECTOR])))


class Past:
    """The disk in a file, brought forward from entry to entry."""

    def __init__(self, log, base, path):
        self.log, self.path, self.next = log, path, 0
        subprocess.run(["cp", "--sparse=always", base, path], check=True)
        self.fd = os.open(path, os.O_WRONLY)

    def _forward(self, end):
        for e in self.log.entries[self.next:end]:
            e.write(self.log.raw, self.fd, e.count)
        self.next = end

    def cut(self, end, how, dice, path):
        """A disk that lost power after `end` entries, at path.  What was
        written since the last flush is all there ("all"), or some of it
        ("some"), and the last of it in part ("torn")."""
        entries = self.log.entries
        flush = max((n for n in range(self.next, end)
                     if entries[n].flags & FLUSH), default=self.next)
        self._forward(flush)
        subprocess.run(["cp", "--sparse=auto", self.path, path], check=True)
        pending = entries[flush:end]
        share = 1 if how == "all" else dice.random()
        fd = os.open(path, os.O_WRONLY)
        for e in pending:
            if dice.random() < share:
                torn = how == "torn" and e is pending[-1]
                e.write(self.log.raw, fd,
                        dice.randrange(e.count + 1) if torn else e.count)
        os.close(fd)
        return len(pending)


def expected(marks, verbs):
    """By what the verbs, (make, undo), were about: True if it must be there,
    False if it must not; neither for what was under way."""
    is_there = {}
    for m in marks:
        if m["do"] not in verbs:
            continue
        want = m["do"] == verbs[0]
        if m["end"] == "ok":
            is_there[m["on"]] = want
        elif is_there.get(m["on"], False) != want:
            is_there[m["on"]] = None
    return is_there
