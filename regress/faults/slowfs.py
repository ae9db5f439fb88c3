#!/usr/bin/python3
"""slowfs.py FILES MOUNTPOINT: FILES, seen through a file system on which every
operation takes as long as the last line of standard input says, in seconds;
"hang" is until the next line.  Each is answered with a line: how many operations
wait by then."""

import errno
import os
import sys
import threading
import time

import fusepy as fuse

STAT = ("st_atime", "st_ctime", "st_mtime", "st_gid", "st_uid", "st_mode",
        "st_nlink", "st_size", "st_ino")
seconds, waiting, told = 0.0, 0, threading.Condition()


def wait():
    global waiting
    with told:
        waiting += 1
        while seconds is None:
            told.wait()
        now = seconds
        waiting -= 1
    time.sleep(now)


class Files(fuse.Operations):
    def __init__(self, root):
        self.root = root

    def __call__(self, op, path, *args):
        if op not in ("init", "destroy", "statfs"):
            wait()
        return super().__call__(op, self.root + path if path else path, *args)

    def getattr(self, path, fh=None):
        st = os.lstat(path)
        return {k: getattr(st, k) for k in STAT}

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(path)

    def open(self, path, flags):
        return os.open(path, flags & ~os.O_APPEND)

    def create(self, path, mode, fi=None):
        return os.open(path, os.O_RDWR | os.O_CREAT, mode)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(path, length)

    def release(self, path, fh):
        os.close(fh)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def mkdir(self, path, mode):
        os.mkdir(path, mode)

    def rmdir(self, path):
        os.rmdir(path)

    def unlink(self, path):
        os.unlink(path)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def chown(self, path, uid, gid):
        os.lchown(path, uid, gid)

    def utimens(self, path, times=None):
        os.utime(path, times)

    def rename(self, old, new):
        os.rename(old, self.root + new)

    def readlink(self, path):
        return os.readlink(path)

    def statfs(self, path):
        st = os.statvfs(path)
        return {k: getattr(st, k) for k in (
            "f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail",
            "f_ffree", "f_files", "f_frsize", "f_namemax")}

    def getxattr(self, path, name, position=0):
        raise fuse.FuseOSError(errno.ENOTSUP)

    listxattr = setxattr = removexattr = None


def orders():
    global seconds
    for line in sys.stdin:
        with told:
            seconds = None if line.strip() == "hang" else float(line)
            print(waiting, flush=True)
            told.notify_all()


class Ready(Files):
    def init(self, path):
        threading.Thread(target=orders, daemon=True).start()
        print("ready", flush=True)


def main():
    files, at = sys.argv[1:]
    fuse.FUSE(Ready(files), at, foreground=True, allow_other=True,
              default_permissions=True, attr_timeout=0, entry_timeout=0,
              nothreads=False)


main()
