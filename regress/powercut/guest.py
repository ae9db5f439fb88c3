"""guest.py SECONDS DEVICE TYPE ...: in the emulated guest, criod on each device
in turn, which pulls, removes and runs pods until the time is over, but not
before each of its clients had MIN_TURNS.  Each beginning and each answer is marked on the device (blocklog.py)."""

import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import blocklog
import content

from conftest_integ import Criod, Pods, wait_for

import hostile

PORT = 5016
MIN_TURNS = 4
CONF = 'registry "127.0.0.1:%d" { insecure }\n' % PORT


class Worker(threading.Thread):
    """One thing after the other, of its own images or pods."""

    def __init__(self, node, seed):
        super().__init__()
        self.node, self.dice = node, random.Random(seed)
        self.failed = None

    def run(self):
        try:
            turns = 0
            while turns < MIN_TURNS or time.monotonic() < self.node.end:
                self.turn()
                turns += 1
        except Exception as e:  # said by who waits for this thread
            self.failed = e

    def marked(self, do, on, call, **fields):
        self.node.mark(do=do, on=on, end="")
        answer = call(rpc_timeout=100, **fields)
        self.node.mark(do=do, on=on, end="ok")
        return answer


class Puller(Worker):
    def __init__(self, node, seed, names):
        super().__init__(node, seed)
        self.names = names

    def turn(self):
        client = self.node.criod.client
        do, call = self.dice.choice([
            ("pull", client.PullImage), ("pull", client.PullImage),
            ("remove", client.RemoveImage)])
        name = self.dice.choice(self.names)
        self.marked(do, name, call, image={"image": name})


class Podder(Worker):
    def __init__(self, node, seed, image):
        super().__init__(node, seed)
        self.image = image
        self.pods = Pods(node.criod, tempfile.gettempdir())

    def kept(self, kind, ident):
        """keeper has placed a copy of the record: all that it placed before is
        on disk."""
        wait_for("a record", lambda: os.path.exists(os.path.join(
            self.node.criod.path, "lib/record", kind, ident)), 100)

    def turn(self):
        client, config = self.pods.client, self.pods.config()
        uid = config["metadata"]["uid"]
        pod = client.RunPodSandbox(config=config, rpc_timeout=100
                                   ).pod_sandbox_id
        self.kept("pod", pod)
        ctr = self.pods.create(
            pod, config, ["sh", "-c", "echo x >/written; sleep 1000"],
            image=self.image)
        self.kept("ctr", ctr)
        # Of the batch before the one that this is in, all is on disk.
        self.kept("ctr", self.pods.create(pod, config, ["true"],
                                          name="second", image=self.image))
        self.node.mark(do="keep", on=uid, end="ok")
        client.StartContainer(container_id=ctr)
        if self.dice.random() < 0.5:
            self.node.mark(do="drop", on=uid, end="")
            client.StopPodSandbox(pod_sandbox_id=pod)
            client.RemovePodSandbox(pod_sandbox_id=pod)


class Node:
    def __init__(self, device, kind, seconds):
        path = tempfile.mkdtemp(prefix="node.")
        lib = os.path.join(path, "lib")
        os.mkdir(lib)
        subprocess.run(["mount", "-t", kind, device, lib], check=True)
        self.marks = blocklog.Marks(device)
        self.lock = threading.Lock()
        self.criod = Criod(path, conf=CONF, args=["-k"]).start()
        self.seconds = seconds

    def mark(self, **what):
        with self.lock:
            self.marks.write(**what)

    def work(self, names, image, seed):
        self.criod.client.PullImage(image={"image": image})
        self.mark(do="pull", on=image, end="ok")
        self.end = time.monotonic() + self.seconds
        workers = [Puller(self, seed, names[::2]),
                   Puller(self, seed + 1, names[1::2]),
                   Podder(self, seed + 2, image)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        for w in workers:
            if w.failed is not None:
                print(self.criod.log()[-3000:])
                raise w.failed


def main():
    registry = hostile.Registry(port=PORT)
    names = content.images(registry, random.Random(1))
    image = content.busybox(registry)
    for n, (device, kind) in enumerate(zip(sys.argv[2::2], sys.argv[3::2])):
        node = Node(device, kind, float(sys.argv[1]))
        node.work(names, image, n)
        node.criod.stop()
        print("%s: %d marks" % (kind, (
            node.marks.at - blocklog.FS_BYTES) // blocklog.SECTOR))
    sys.stdout.flush()
    os._exit(0)  # the registry's threads go on


if __name__ == "__main__":
    main()
