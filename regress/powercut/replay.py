"""replay.py DIRECTORY RUNS [SEED]: criod on disks that lost power, made from
the logs in DIRECTORY, in regress/box (security.md §3 rows 10-14, §4 D4).

Of each moment it must hold: criod starts; each image that was pulled is
there, each that was removed is not, and all are whole; pods of
before are known; no layer, blob, record or writable layer is left that
nothing names; pulls, removals and pods work."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

import blocklog
import content
import disk
import guest

import cri
from conftest_integ import Criod, Pods, wait_for

import hostile

HOW = ["all", "some", "torn"]


def moments(dice, log, runs):
    """Entries to cut at: some wherever, some as soon as an answer was there."""
    first = log.marks[0][0] + 1
    answers = [n + 1 for n, m in log.marks if m["end"] == "ok"]
    return sorted(
        dice.choice(answers) if n % 3 == 0 else
        dice.randrange(first, len(log.entries) + 1) for n in range(runs))


class Node:
    """criod after the boot that follows a power cut."""

    def __init__(self, work, place):
        self.path = os.path.join(work, "node")
        self.place = place
        self.criod = Criod(self.path, conf=guest.CONF, args=["-k"])
        self.image = os.path.join(self.path, "lib/image")

    def __enter__(self):
        self.place.attach()
        self.place.up()
        self.criod.start()
        self.client = self.criod.client
        return self

    def __exit__(self, *args):
        if self.criod.proc is not None and self.criod.proc.poll() is None:
            self.criod.stop()
        self.criod.proc = None
        with open("/proc/self/mountinfo") as f:
            below = [m.split()[4] for m in f]
        for m in sorted(below, reverse=True):
            if m.startswith(self.path + "/run"):
                subprocess.run(["umount", "-l", m], check=True)
        shutil.rmtree(self.path + "/run", ignore_errors=True)
        self.place.down()
        self.place.end()

    def ctl(self, *args):
        done = subprocess.run(
            [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
             self.path + "/control.sock", *args],
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def names(self, directory):
        return set(os.listdir(os.path.join(self.path, "lib", directory)))

    def layers(self):
        return {str(x["number"])
                for i in self.ctl("image", "list", "-q").split()
                for d in json.loads(self.ctl("image", "inspect", i))
                for x in d["layers"]}


def check_images(node, want):
    for line in node.ctl("image", "verify").splitlines():
        assert line.startswith("ok "), line
    for name, there in want.items():
        got = node.client.ImageStatus(image={"image": name}).image
        if there is not None:
            assert bool(got.id) == there, (name, there)
    wait_for("layers without an image to go",
             lambda: node.names("image/layer") == node.layers())
    assert node.names("image/tmp") == set()
    assert "spare" not in node.criod.log(), node.criod.log()


def check_pods(node, want):
    """Those of before the boot are known, and can be removed; nothing of them
    stays."""
    have = {p.metadata.uid: p.state
            for p in node.client.ListPodSandbox().items}
    for uid, there in want.items():
        assert there is None or (uid in have) == there, (uid, there, have)
    assert set(have.values()) <= {1}, have  # NOTREADY
    clean(node)


def clean(node):
    node.ctl("pod", "remove", "-a")
    for directory in ("network", "record/pod", "record/ctr"):
        wait_for("nothing in " + directory,
                 lambda d=directory: not node.names(d))
    wait_for("no writable layer", lambda: not node.names("container"))


def check_work(node, names, image, dice):
    """As if nothing had happened."""
    name = dice.choice(names)
    node.client.RemoveImage(image={"image": name})
    for n in (name, image):
        node.client.PullImage(image={"image": n})
    node.ctl("image", "verify", name, image)
    pods = Pods(node.criod, node.path)
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["true"], image=image)
    assert pods.exited(ctr).exit_code == 0
    pods.clean()
    clean(node)


class Replay:
    def __init__(self, work, kind, directory, dice):
        self.kind, self.dice = kind, dice
        self.log = blocklog.Log(os.path.join(directory, kind + ".log"))
        self.past = blocklog.Past(
            self.log, os.path.join(directory, kind + ".base"),
            os.path.join(work, "past"))
        self.place = disk.Disk(os.path.join(work, "disk"),
                               os.path.join(work, "node/lib"), kind)
        self.node = Node(work, self.place)
        self.lost, self.seen = 0, [0, 0]

    def one(self, at, how, names, image):
        self.lost += self.past.cut(at, how, self.dice, self.place.image)
        marks = [m for n, m in self.log.marks if n < at]
        want = blocklog.expected(marks, ("pull", "remove"))
        pods = blocklog.expected(marks, ("keep", "drop"))
        with self.node as node:
            check_images(node, want)
            check_pods(node, pods)
            check_work(node, names, image, self.dice)
        self.seen[0] += sum(x is True for x in want.values())
        self.seen[1] += sum(x is True for x in pods.values())


def replay(kind, directory, runs, seed, names, image):
    """How many cuts were stood, or the one that was not."""
    dice = random.Random(seed)
    work = tempfile.mkdtemp(prefix="criod-replay.")
    os.chmod(work, 0o755)
    r = Replay(work, kind, directory, dice)
    for n, at in enumerate(moments(dice, r.log, runs)):
        how = dice.choice(HOW)
        try:
            r.one(at, how, names, image)
        except Exception as e:
            print(r.node.criod.log()[-3000:])
            print("%s: cut %d of seed %d, at entry %d of %d (%s): %r" % (
                kind, n, seed, at, len(r.log.entries), how, e))
            return n, 1
    print("%s: %d cuts, %d writes and flushes, %d writes without a flush, "
          "%d images and %d pods that had to be there" % (
              kind, runs, len(r.log.entries), r.lost, *r.seen))
    shutil.rmtree(work)
    return runs, 0


def main():
    directory, runs = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    registry = hostile.Registry(port=guest.PORT)
    names = content.images(registry, random.Random(1))
    image = content.busybox(registry)
    kinds = [k for k in ("ext4", "xfs")
             if os.path.exists(os.path.join(directory, k + ".log"))]
    passed = failed = 0
    for n, kind in enumerate(kinds):
        share = runs // len(kinds) + (n < runs % len(kinds))
        p, f = replay(kind, directory, share, seed, names, image)
        passed, failed = passed + p, failed + f
    print("powercut: %d passed, %d failed" % (passed, failed))
    sys.stdout.flush()
    os._exit(failed)


main()
