"""What a criod and its pods leave on a machine, as numbers and names, so that
two moments can be compared.

All of it is taken as it is in this process's PID, mount, network and cgroup
namespaces: in a box nothing else is there.
"""

import collections
import glob
import os
import re
import subprocess
import threading

import cri

ROLES = os.path.realpath(os.path.join(cri.BUILD, "libexec/criod"))
PARENT = os.path.realpath(os.path.join(cri.BUILD, "sbin/criod"))
ID = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]+")
NUMBER = re.compile(r"\d+")


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def heap(pid, path):
    """Saves a process's heap; the words in it that come most often."""
    m = re.search(r"^([0-9a-f]+)-([0-9a-f]+) .*\[heap\]$",
                  read("/proc/%d/maps" % pid), re.M)
    if not m:
        return "nothing: it has none"
    start, end = (int(g, 16) for g in m.groups())
    with open("/proc/%d/mem" % pid, "rb") as f:
        f.seek(start)
        data = f.read(end - start)
    with open(path, "wb") as f:
        f.write(data)
    words = collections.Counter(
        ID.sub("ID", w.decode()) for w in re.findall(rb"[ -~]{6,}", data))
    return ", ".join("%d %s" % (n, w[:60]) for w, n in words.most_common(20))


class Process:
    """One of /proc; fields are empty if it is gone meanwhile."""

    def __init__(self, pid):
        self.pid = pid
        self.dir = "/proc/%d" % pid
        self.exe = link(self.dir + "/exe").replace(" (deleted)", "")
        if self.exe == "/":	# monitor and pause: mounts of their own
            self.exe = os.path.join(ROLES, read(
                self.dir + "/cmdline").partition("\0")[0])
        stat = read(self.dir + "/stat").rpartition(")")[2].split()
        self.state = stat[0] if stat else "gone"
        self.parent = int(stat[1]) if stat else 0
        self.start = stat[19] if stat else ""

    def name(self):
        if not self.exe:
            return "a thread of the kernel" if self.state != "Z" else "zombie"
        return os.path.basename(self.exe)

    def key(self):
        return self.pid, self.start

    def role(self):
        """The program, if it is one of criod's; else None."""
        real = os.path.realpath(self.exe)
        if real == PARENT or os.path.dirname(real) == ROLES:
            return os.path.basename(real)
        return None

    def memory(self):
        """KiB: proportional, and of it what is nobody's file."""
        text = read(self.dir + "/smaps_rollup")
        got = re.findall(r"^(Pss|Pss_Anon):\s*(\d+)", text, re.M)
        got = dict(got)
        return int(got.get("Pss", 0)), int(got.get("Pss_Anon", 0))

    def descriptors(self, sockets):
        out = []
        for fd in glob.glob(self.dir + "/fd/*"):
            name = link(fd)
            name = sockets.get(name, name)
            out.append(ID.sub("ID", NUMBER.sub("N", name)))
        return collections.Counter(out)

    def threads(self):
        return len(glob.glob(self.dir + "/task/*"))


def sockets():
    """What they are, by what descriptors call them."""
    out = {}
    for name in ("tcp", "tcp6"):
        for line in read("/proc/net/" + name).splitlines()[1:]:
            part = line.split()
            if part[3] != "0A":		# listens
                out["socket:[%s]" % part[9]] = "tcp"
    for line in read("/proc/net/unix").splitlines()[1:]:
        part = line.split()
        out["socket:[%s]" % part[6]] = " ".join(["unix"] + part[7:])
    return out


def processes():
    pids = [int(d) for d in os.listdir("/proc") if d.isdigit()]
    return [p for p in map(Process, pids) if p.state != "gone"]


def of_criod(all_processes):
    return [p for p in all_processes if p.role()]


def tree(*tops):
    """Every name below tops, without what differs between two pods."""
    out = collections.Counter()
    for top in tops:
        for d, dirs, files in os.walk(top):
            for n in dirs + files:
                out[ID.sub("ID", os.path.join(d, n))] += 1
    return out


def store(top):
    """Of the image store: layers have numbers that are never used twice, and
    what SQLite keeps beside its files comes and goes."""
    out = collections.Counter()
    for name, n in tree(top).items():
        if name.endswith(("-wal", "-shm", "-journal")):
            continue
        out[re.sub(r"/layer/\d+", "/layer/N", name)] += n
    return out


def mounts(all_processes):
    """Mounts of each mount namespace, by whose it is."""
    seen, out = set(), collections.Counter()
    for p in [Process(os.getpid())] + of_criod(all_processes):
        ns = link(p.dir + "/ns/mnt")
        if ns in seen:
            continue
        seen.add(ns)
        for line in read(p.dir + "/mountinfo").splitlines():
            at = ID.sub("ID", line.split()[4])
            out[(p.role() or "host") + ": " + at] += 1
    return out


def namespaces(all_processes):
    """How many there are of each kind; pinned ones are mounts of nsfs."""
    seen = set()
    for p in all_processes:
        for n in glob.glob(p.dir + "/ns/*"):
            name = link(n)
            if name and not n.endswith("for_children"):
                seen.add(name)
    for line in read("/proc/self/mountinfo").splitlines():
        if " - nsfs " in line:
            seen.add(line.split()[3])
    return collections.Counter(n.partition(":")[0] for n in seen)


def cgroup_dirs():
    tops = [line.split()[1] for line in read("/proc/mounts").splitlines()
            if line.split()[2] in ("cgroup", "cgroup2")]
    return [os.path.join(d, n) for top in set(tops)
            for d, dirs, _ in os.walk(top) for n in dirs]


def cgroups():
    return collections.Counter(ID.sub("ID", d) for d in cgroup_dirs())


def output(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""


def network():
    """Links, addresses in use, rules.  Names of chains and links are random;
    the chains that portmap makes once stay, as they should."""
    out = collections.Counter()
    for line in output("ip", "-o", "link").splitlines():
        name = line.split(": ")[1].partition("@")[0]
        out["link " + re.sub(r"^veth.*", "veth", name)] += 1
    for table in ("iptables-save", "ip6tables-save"):
        for line in output(table).splitlines():
            if line.startswith("-A"):
                out[table[:-5] + ": " + re.sub(
                    r"[0-9a-f]{20,}|\d+", "N", line)] += 1
    for name in glob.glob("/var/lib/cni/networks/*/*"):
        out["address " + NUMBER.sub("N", os.path.basename(name))] += 1
    return out


class World:
    """One moment."""

    KINDS = ("processes", "threads", "descriptors", "files", "images",
             "mounts", "namespaces", "cgroups", "network")

    def __init__(self, path):
        ps = [p for p in processes() if p.pid != os.getpid()]
        mine = of_criod(ps)
        self.roles = {p.key(): p.role() for p in mine}
        self.memory = {p.key(): p.memory() for p in mine}
        self.processes = collections.Counter(p.name() for p in ps)
        self.threads = collections.Counter()
        self.descriptors = collections.Counter()
        known = sockets()
        for p in mine:
            self.threads[p.role()] += p.threads()
            for what, n in p.descriptors(known).items():
                self.descriptors[p.role() + ": " + what] += n
        # imaged keeps some to its registries, for two minutes, and libcurl
        # as many pairs as were of use at a time.
        self.kept = self.descriptors.pop("imaged: tcp", 0) + \
            self.descriptors.pop("imaged: unix", 0)
        self.files = tree(path + "/run", path + "/lib/container",
                          path + "/lib/network", "/dev/shm", "/dev/mqueue")
        self.images = store(path + "/lib/image")
        self.mounts = mounts(ps)
        self.namespaces = namespaces(ps)
        self.cgroups = cgroups()
        self.network = network()

    def total(self, kind):
        return sum(getattr(self, kind).values())

    def by_role(self):
        """KiB: role to proportional and anonymous memory."""
        out = {}
        for key, (pss, anon) in self.memory.items():
            a, b = out.get(self.roles[key], (0, 0))
            out[self.roles[key]] = (a + pss, b + anon)
        return out


def difference(before, after, kind):
    """Lines that say what there is more and less of."""
    a, b = getattr(before, kind), getattr(after, kind)
    return ["%+d %s" % (b[k] - a[k], k) for k in sorted(set(a) | set(b))
            if a[k] != b[k]]


class Latency:
    """How long lists take, from a thread of its own; told, not judged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.took = []

    def add(self, seconds):
        with self.lock:
            self.took.append(seconds)

    def text(self):
        with self.lock:
            t = sorted(self.took)
        if not t:
            return "none"
        return "%d lists, median %.1f ms, 99%% %.1f ms, most %.0f ms" % (
            len(t), t[len(t) // 2] * 1e3, t[len(t) * 99 // 100] * 1e3,
            t[-1] * 1e3)
