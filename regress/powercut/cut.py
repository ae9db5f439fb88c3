"""cut.py [RUNS [SEED]]: imaged on an ext4 that loses power in the middle of
pulls and removals, again and again (security.md §3 rows 11-13, §4 D4).

ext4's own shutdown, without flushing its journal, is what file systems' tests
take for a power cut: what was not on disk is gone.  Then the store is opened as
after a boot.  Each image that it lists must be whole, each directory must be an
image's, and no start may fail."""

import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "imaged"),
                os.path.join(HERE, "..", "registry"),
                os.path.join(HERE, "..", "grpc")]

import content  # noqa: E402
import disk  # noqa: E402
import drive  # noqa: E402
import hostile  # noqa: E402

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH = 2


class Disk(disk.Disk):
    def cut(self):
        fd = os.open(self.mount, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)


def make_disk(work):
    image = os.path.join(work, "disk")
    disk.format_image(image, "ext4", 256 << 20, 256 << 20)
    return Disk(image, os.path.join(work, "image")).attach()


class Run:
    def __init__(self, root, registry, names, number):
        self.names = names
        self.im = drive.Imaged(root, registries=[
            drive.registry(registry.host, insecure=True)],
            boot="boot-%d" % number)
        self.im.execd.send("LEASE_HAVE", drive.msg.LeaseHave(
            ).SerializeToString())

    def details(self):
        return self.im.front.call("IMG_DETAILS", drive.msg.ImgDetails(),
                                  drive.msg.ImgDetailsAre).images

    def check(self):
        """How many images there are, all of them whole."""
        end = time.monotonic() + 60
        while any(x.suspect for i in self.details() for x in i.layers):
            assert time.monotonic() < end, "suspect for ever"
            time.sleep(0.02)
        have = self.details()
        for i in have:
            assert not i.damaged, "%s is damaged" % i.tags
        numbers = {x.number for i in have for x in i.layers}
        for n in numbers:
            self.im.front.call("IMG_READ", drive.msg.ImgRead(layer=n),
                               drive.msg.ImgReadDone)
        while True:
            left = {int(n) for n in os.listdir(os.path.join(
                self.im.root, "layer"))}
            if left == numbers:
                break
            assert time.monotonic() < end, (left, numbers)
            time.sleep(0.02)
        assert os.listdir(os.path.join(self.im.root, "tmp")) == []
        return len(have)

    def work(self, dice, stop):
        """Pulls and removes until nothing answers any more."""
        while not stop.is_set():
            name = dice.choice(self.names)
            try:
                if dice.random() < 0.6:
                    self.im.pull(name, timeout=20)
                else:
                    self.im.remove(name)
            except (drive.Failed, EOFError, OSError, TimeoutError):
                time.sleep(0.01)

    def die(self):
        self.im.process.kill()
        self.im.process.wait(20)
        while not self.im.parent.closed:  # nothing is spawned after that
            time.sleep(0.01)
        for p in self.im.unpacks:
            p.kill()
            p.wait(20)


def one(place, registry, names, number, dice):
    place.up()
    run = Run(place.mount, registry, names, number)
    whole = run.check()
    stop = threading.Event()
    workers = [threading.Thread(target=run.work, daemon=True,
                                args=(random.Random(dice.random()), stop))
               for _ in range(3)]
    for w in workers:
        w.start()
    time.sleep(dice.random() * 1.5)
    place.cut()
    stop.set()
    run.die()
    for w in workers:
        w.join(30)
    place.down()
    return whole


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    dice = random.Random(seed)
    work = tempfile.mkdtemp(prefix="criod-cut.")
    os.chmod(work, 0o755)
    try:
        place = make_disk(work)
    except (OSError, subprocess.CalledProcessError) as e:
        print("skipped: no disk can be had here: %s" % e)
        print("powercut: 0 passed, 0 failed")
        return
    registry = hostile.Registry()
    names, seen = content.images(registry, dice), 0
    n = status = 0
    try:
        for n in range(runs):
            seen += one(place, registry, names, n, dice)
    except BaseException as e:  # said here, as threads may still wait
        with open(place.mount + ".log") as f:
            print("%s\nrun %d of seed %d: %r" % (f.read()[-3000:], n, seed, e))
        status = 1
    place.end()
    shutil.rmtree(work, ignore_errors=True)
    print("powercut: %d images found whole; %d passed, %d failed" % (
        seen, n + 1 - status, status))
    sys.stdout.flush()
    os._exit(status)


main()
