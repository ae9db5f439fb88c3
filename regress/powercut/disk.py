"""A file system in a file, on a loop device."""

import os
import stat
import subprocess
import time


def kinds():
    """Of those that are tried, what this machine can make and mount."""
    found = ["ext4"]
    subprocess.run(["modprobe", "-q", "xfs"], stderr=subprocess.DEVNULL)
    with open("/proc/filesystems") as f:
        if "xfs" in f.read().split():
            found.append("xfs")
    return found


def format_image(path, kind, size, fs_size):
    """fs_size of the file's size are the file system's."""
    with open(path, "wb") as f:
        f.truncate(size)
    if kind == "ext4":
        subprocess.run(["mkfs.ext4", "-q", "-F", path,
                        str(fs_size // 1024) + "k"], check=True)
    else:
        subprocess.run(["mkfs.xfs", "-q", "-f", "-d",
                        "size=%d" % fs_size, path], check=True)


def fds(pid):
    try:
        return os.listdir("/proc/%s/fd" % pid)
    except OSError:
        return []


class Disk:
    def __init__(self, image, mount, kind="ext4"):
        self.image, self.mount, self.kind = image, mount, kind
        os.makedirs(mount, exist_ok=True)

    def attach(self):
        """regress/box has no device nodes of loops: these are its own."""
        if not os.path.exists("/dev/loop-control"):
            os.mknod("/dev/loop-control", stat.S_IFCHR | 0o600,
                     os.makedev(10, 237))
        free = subprocess.run(["losetup", "-f"], check=True, text=True,
                              capture_output=True).stdout.strip()
        if not os.path.exists(free):
            os.mknod(free, stat.S_IFBLK | 0o600,
                     os.makedev(7, int(free[len("/dev/loop"):])))
        subprocess.run(["losetup", free, self.image], check=True)
        self.loop = free
        return self

    def end(self):
        subprocess.run(["umount", self.mount], stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", self.loop], check=True)

    def up(self):
        subprocess.run(["mount", "-t", self.kind, self.loop, self.mount],
                       check=True)

    def down(self):
        for _ in range(200):
            if subprocess.run(["umount", self.mount],
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)  # processes that were killed still end
        raise RuntimeError("the disk is still in use: %s" % self.users())

    def users(self):
        """Who holds something of it, as PID, program and what."""
        out, device = [], os.stat(self.mount).st_dev
        for p in filter(str.isdigit, os.listdir("/proc")):
            for what in ["root", "cwd"] + ["fd/" + f for f in fds(p)]:
                try:
                    path = "/proc/%s/%s" % (p, what)
                    if os.stat(path).st_dev == device:
                        out.append((p, os.readlink("/proc/%s/exe" % p), what,
                                    os.readlink(path)))
                except OSError:
                    pass
        return out
