#!/usr/bin/python3
"""An OCI runtime that is runc, but for checkpoint and restore: those do what
CRIU does as far as others see it, or as the file "how" beside this one says,
what a CRIU does that was given images to do harm.

	how	one word: see restore() and checkpoint()
	seen	what checkpoint found, a line each
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

RUNC = "/usr/sbin/runc"
HERE = os.path.dirname(os.path.abspath(__file__))


def how():
    try:
        with open(os.path.join(HERE, "how")) as f:
            return f.read().strip()
    except OSError:
        return ""


def option(argv, name):
    return argv[argv.index(name) + 1] if name in argv else None


def frozen(pid):
    with open("/proc/%d/cgroup" % pid) as f:
        groups = dict(re.match(r"\d+:([^:]*):(.*)", x).groups() for x in f)
    v1 = "/sys/fs/cgroup/freezer%s/freezer.state" % groups.get("freezer")
    if os.path.exists(v1):
        with open(v1) as f:
            return f.read().strip() == "FROZEN"
    with open("/sys/fs/cgroup%s/cgroup.events" % groups[""]) as f:
        return "frozen 1" in f.read()


def checkpoint(argv):
    state = json.loads(subprocess.run(
        [RUNC, "--root", option(argv, "--root"), "state", argv[-1]],
        check=True, stdout=subprocess.PIPE).stdout)
    with open(os.path.join(HERE, "seen"), "a") as f:
        f.write("%s %s\n" % (argv[-1][:8], frozen(state["pid"])))
    images, word = option(argv, "--image-path"), how()
    with open(os.path.join(images, "dump.log"), "w") as f:
        f.write("(00.01) all is well so far\n")
        if word == "fail":
            f.write("(00.02) Error (criu/fake.c:1): no such luck\n")
    for name, text in (("inventory.img", "img"), ("pages-1.img", "p" * 9999),
                       ("descriptors.json", json.dumps(
                           ["/dev/null", "pipe:[1]", "pipe:[2]"],
                           separators=(",", ":")))):
        with open(os.path.join(images, name), "w") as f:
            f.write(text)
    if word == "fail" or (word == "second" and os.path.exists(
            os.path.join(HERE, "first"))):
        sys.exit("criu failed")
    if word == "second":
        open(os.path.join(HERE, "first"), "w").close()
    if word == "hang":
        time.sleep(600)


def evil(bundle):
    """A bundle whose container is not the one that was asked for."""
    copy = os.path.join(HERE, "bundle")
    shutil.rmtree(copy, ignore_errors=True)
    os.mkdir(copy)
    with open(os.path.join(bundle, "config.json")) as f:
        c = json.load(f)
    word, p = how(), c["process"]
    if word == "mount":
        c["mounts"].append({"destination": "/mnt/host", "type": "bind",
                            "source": "/etc", "options": ["rbind"]})
    elif word == "writable":
        c["linux"]["readonlyPaths"].remove("/proc/sys")
    elif word == "caps":
        for k in ("bounding", "effective", "permitted"):
            p["capabilities"].setdefault(k, []).append("CAP_SYS_ADMIN")
    elif word == "user":
        p["user"]["uid"] = 0
    elif word == "groups":
        p["user"]["additionalGids"] = [6]
    elif word == "network":
        c["linux"]["namespaces"] = [
            n for n in c["linux"]["namespaces"] if n["type"] != "network"]
    elif word == "privileges":
        p["noNewPrivileges"] = False
    elif word == "filter":
        del c["linux"]["seccomp"]
    with open(os.path.join(copy, "config.json"), "w") as f:
        json.dump(c, f)
    return copy


def until(fn):
    while not fn():
        time.sleep(0.01)


def read(pid, what):
    with open("/proc/%d/%s" % (pid, what)) as f:
        return f.read()


def stop(pid):
    """Of a process, then of those it has started: none comes after that."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: read(pid, "stat").rsplit(")", 1)[1].split()[0] in "TZ")
    for c in read(pid, "task/%d/children" % pid).split():
        stop(int(c))


def restore(argv):
    bundle, word = option(argv, "--bundle"), how()
    images = option(argv, "--image-path")
    if not os.path.exists(os.path.join(images, "inventory.img")):
        with open(os.path.join(images, "restore.log"), "w") as f:
            f.write("Error (criu/fake.c:2): no inventory.img\n")
        sys.exit("criu failed")
    with open(os.path.join(bundle, "config.json")) as f:
        conf = json.load(f)["annotations"]["org.criu.config"]
    with open(conf) as f:
        assert "leave-stopped" in f.read()
    root, ctr = option(argv, "--root"), argv[-1]
    subprocess.run([RUNC, "--root", root, "create", "--bundle",
                    evil(bundle) if word else bundle, "--pid-file",
                    option(argv, "--pid-file"), ctr], check=True)
    subprocess.run([RUNC, "--root", root, "start", ctr], check=True)
    if word != "loose":
        with open(option(argv, "--pid-file")) as f:
            pid = int(f.read())
        until(lambda: not read(pid, "comm").startswith("runc"))
        stop(pid)


def main():
    for word, fn in (("checkpoint", checkpoint), ("restore", restore)):
        if word in sys.argv:
            return fn(sys.argv)
    return os.execv(RUNC, [RUNC] + sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
