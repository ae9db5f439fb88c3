"""A host behind a link that can be bad: a network namespace of the tests' own
with one address, at the other end of a veth."""
import ctypes
import os
import subprocess
import threading

CLONE_NEWNET = 0x40000000


class Far:
    serial = 0

    def __init__(self):
        Far.serial += 1
        self.name = "far%d.%d" % (os.getpid(), Far.serial)
        self.link = "f%d.%d" % (os.getpid() % 10 ** 8, Far.serial)
        # Of RFC 2544: nobody's address.
        near, self.address = [
            "198.18.%d.%d" % (Far.serial, n) for n in (1, 2)]
        self.ip("netns", "add", self.name)
        try:
            self.ip("link", "add", self.link, "type", "veth", "peer", "name",
                    "e0", "netns", self.name)
            self.ip("address", "add", near + "/30", "dev", self.link)
            # Packets as on a wire: no segments put together.
            self.ip("link", "set", self.link, "up", "gso_max_segs", "1")
            self.there("ip", "address", "add", self.address + "/30", "dev",
                       "e0")
            self.there("ip", "link", "set", "e0", "up", "gso_max_segs", "1")
        except subprocess.CalledProcessError:
            self.stop()
            raise

    @staticmethod
    def ip(*args):
        subprocess.run(["ip", *args], check=True)

    def there(self, *args):
        self.ip("netns", "exec", self.name, *args)

    def drop(self, *match):
        """From now on, of what leaves and of what arrives there."""
        for chain in ("INPUT", "OUTPUT"):
            self.there("iptables", "-A", chain, *match, "-j", "DROP")

    def heal(self):
        self.there("iptables", "-F")

    def within(self, make):
        """make() there: sockets stay where they were made."""
        made = []

        def run():
            fd = os.open("/run/netns/" + self.name, os.O_RDONLY)
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(fd, CLONE_NEWNET) == -1:
                raise OSError(ctypes.get_errno(), "setns")
            os.close(fd)
            made.append(make())
        t = threading.Thread(target=run)
        t.start()
        t.join()
        return made[0]

    def stop(self):
        self.ip("netns", "delete", self.name)
        subprocess.run(["ip", "link", "delete", self.link],
                       stderr=subprocess.DEVNULL)  # gone with its other end
