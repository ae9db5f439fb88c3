"""watcher.py SOCKET CONNECT-MS: asks what a kubelet asks all the time, until
its standard input ends; then says how long the answers took, in JSON."""

import json
import os
import select
import subprocess
import sys
import time

import grpc

import cri

PERIOD_S = 0.02
CALLS = ("ListPodSandbox", "ListContainers", "Status", "Version")


class Watcher:
    """This program, in a process of its own: nobody's lock delays it."""

    def __init__(self, criod, connect_ms=20000):
        self.proc = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), criod.socket,
             str(connect_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.proc.stdout.readline() == "on\n"

    def end(self):
        out, _ = self.proc.communicate(timeout=60)
        return json.loads(out)


def main():
    client = cri.Client(sys.argv[1], int(sys.argv[2]))
    took, away, other = [], 0, []
    print("on", flush=True)
    n = 0
    while not select.select([sys.stdin], [], [], PERIOD_S)[0]:
        name = CALLS[n % len(CALLS)]
        n += 1
        before = time.monotonic()
        try:
            getattr(client, name)(rpc_timeout=20)
            took.append((time.monotonic() - before, name))
        except grpc.RpcError as e:
            if e.code() == grpc.StatusCode.UNAVAILABLE:
                away += 1
            else:
                other.append("%s: %s" % (name, e.code().name))
    took.sort()
    ms = [round(t * 1000, 1) for t, _ in took]
    print(json.dumps({
        "answers": len(ms), "away": away, "other": other[:5],
        "p50": ms[len(ms) // 2], "p99": ms[len(ms) * 99 // 100],
        "max": ms[-1], "slowest": took[-1][1],
        "over50": sum(m > 50 for m in ms)}))


if __name__ == "__main__":
    main()
