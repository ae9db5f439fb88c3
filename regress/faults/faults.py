"""Disks that are full, slow or lie, and clocks that jump, for tests in a box."""

import contextlib
import ctypes
import errno
import mmap
import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)


def some(every, few):
    """What make regress has time for; all with CRIOD_FAULTS=all."""
    return every if os.environ.get("CRIOD_FAULTS") == "all" else few


class Shim:
    """shim.c in every process that starts from now on; preload False: in
    those that a test starts with self.prefix."""

    PAGE = "/run/criod.shim"
    PRELOAD = "/etc/ld.so.preload"
    ARM = struct.Struct("<16s16siiii")
    ARMS = 4

    def __init__(self, preload=True):
        self.preload = preload
        self.dir = tempfile.mkdtemp(prefix="shim.")
        os.chmod(self.dir, 0o755)
        so = os.path.join(self.dir, "shim.so")
        self.prefix = ["env", "LD_PRELOAD=" + so]
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-w", "-D_GNU_SOURCE",
                        "-o", so, os.path.join(HERE, "shim.c"), "-ldl"],
                       check=True)
        size = 16 + self.ARMS * self.ARM.size
        fd = os.open(self.PAGE, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(fd, size)
        self.page = mmap.mmap(fd, size)
        os.close(fd)
        if preload:
            assert os.environ.get("CRIOD_BOX") == "inside", "not in a box"
            with open(self.PRELOAD, "w") as f:
                f.write(so + "\n")

    def close(self):
        if self.preload:
            os.unlink(self.PRELOAD)
        os.unlink(self.PAGE)
        self.page.close()
        shutil.rmtree(self.dir)

    def arm(self, program, function, error, skip=0, count=1, slot=0):
        """error: a name of errno; "": only count."""
        self.ARM.pack_into(
            self.page, 16 + slot * self.ARM.size, program.encode(),
            function.encode(), skip, count,
            getattr(errno, error) if error else 0, 0)

    def calls(self, slot=0):
        """How often the function was called."""
        return self.ARM.unpack_from(self.page, 16 + slot * self.ARM.size)[5]

    def disarm(self, slot=0):
        at, calls = 16 + slot * self.ARM.size, self.calls(slot)
        self.page[at:at + self.ARM.size] = b"\0" * self.ARM.size
        return calls

    def clock(self, seconds):
        struct.pack_into("<q", self.page, 0, int(seconds * 10 ** 9))

    def slept(self, seconds):
        struct.pack_into("<q", self.page, 8, int(seconds * 10 ** 9))


class Small:
    """A tmpfs at path whose room a test sets."""

    def __init__(self, path, owner=None, size="64m", inodes=20000):
        self.path = path
        os.makedirs(path, exist_ok=True)
        options = "mode=%s,size=%s,nr_inodes=%d" % (
            "700" if owner else "755", size, inodes)
        if owner:
            options += ",uid=%d,gid=%d" % pwd.getpwnam(owner)[2:4]
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", path],
                       check=True)
        self.limits = {"size": size, "nr_inodes": inodes}

    def set(self, **options):
        subprocess.run(["mount", "-o", "remount," + ",".join(
            "%s=%s" % i if i[1] is not None else i[0]
            for i in options.items()), self.path], check=True)

    def used(self, what):
        st = os.statvfs(self.path)
        return (st.f_blocks - st.f_bfree) * st.f_bsize if what == "size" \
            else st.f_files - st.f_ffree

    def fill(self, what, room=0):
        """So many bytes or inodes are left, at most one page more."""
        if self.used(what) == 0:  # no limit at all is written so
            with open(os.path.join(self.path, "something"), "w") as f:
                f.write("x")
        self.set(**{what: self.used(what) + room})

    def free(self):
        self.set(**self.limits)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)


class Slow:
    """slowfs.py with its files in DIR/files, seen at DIR/slow."""

    def __init__(self, path):
        self.files = os.path.join(path, "files")
        self.path = os.path.join(path, "slow")
        for d in (self.files, self.path):
            os.makedirs(d)
            os.chmod(d, 0o755)
        self.proc = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "slowfs.py"), self.files,
             self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        assert self.proc.stdout.readline() == "ready\n"

    def delay(self, seconds):
        """Of each operation; "hang": until another word comes.  How many
        waited until now."""
        self.proc.stdin.write("%s\n" % seconds)
        self.proc.stdin.flush()
        return int(self.proc.stdout.readline())

    def close(self):
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.delay(0)
        subprocess.run(["umount", "-l", self.path], check=False)
        self.proc.terminate()
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


class SlowDisk(Slow):
    """An ext4 at DIR/disk whose blocks are in a file of a slow one."""

    def __init__(self, path, mib=256):
        super().__init__(path)
        self.disk = os.path.join(path, "disk")
        image = os.path.join(self.path, "image")
        with open(os.path.join(self.files, "image"), "wb") as f:
            f.truncate(mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F",
                        os.path.join(self.files, "image")], check=True)
        for n, name in enumerate(["loop-control"] + [
                "loop%d" % i for i in range(16)]):
            if not os.path.exists("/dev/" + name):  # a box has none
                os.mknod("/dev/" + name, 0o600 | (
                    stat.S_IFBLK if n else stat.S_IFCHR),
                    os.makedev(7, n - 1) if n else os.makedev(10, 237))
        self.loop = subprocess.run(
            ["losetup", "-f", "--show", image], check=True,
            capture_output=True, text=True).stdout.strip()
        os.makedirs(self.disk)
        subprocess.run(["mount", "-o", "commit=1", self.loop, self.disk],
                       check=True)

    def close(self):
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.delay(0)
        subprocess.run(["umount", "-l", self.disk], check=False)
        subprocess.run(["losetup", "-d", self.loop], check=False)
        super().close()
