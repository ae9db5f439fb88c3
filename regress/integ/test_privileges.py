"""criodctl privileges, and that criod.8 says the same of every process.
With CRIOD_UPDATE=FILE in the environment the page as it should be is written to
FILE."""

import json
import os
import pwd
import re
import signal
import subprocess
import textwrap

import pytest

import cri
import jail
import test_checkpoint
from conftest_integ import POD, Criod, Pods, wait_for
from test_checkpoint import daemon, fake  # noqa: F401 fixtures
from test_trust import world  # noqa: F401 a fixture

PAGE = os.path.join(cri.TOP, "criod.8")
SHIM = "/usr/bin/containerd-shim-runc-v2"
BEGIN = '.\\" Begin: what regress/integ/test_privileges.py compares.\n'
END = '.\\" End.\n'
CONF = """runtime crun path "/usr/bin/crun" default
nri { }
audit log "%s"
"""


def privileges(criod, *args):
    return subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         os.path.join(criod.path, "control.sock"), "privileges", *args],
        check=True, capture_output=True, text=True, timeout=30).stdout


def listed(criod):
    """The first process of each program, by its name."""
    out = {}
    for p in json.loads(privileges(criod, "-j")):
        out.setdefault(p["process"], p)
    return out


# Processes of a moment, and a call that each makes when it has all it gets:
# syncfs, pread64, and newfstatat.
MOMENT = {"unpack": (306,), "pack": (17,), "sigcheck": (17,),
          "policyread": (17,), "shelf": (262,)}


@pytest.fixture(scope="module")
def moments(world):  # noqa: F811
    """Those, as they were in the middle of their work."""
    got = {}

    def look(name, pid):
        got[name] = next(p for p in json.loads(privileges(
            world.criod, "-j")) if p["pid"] == pid)
    name, digest, _ = world.push("gpg/moment")
    world.sign(name, digest)
    with jail.Holder(world.criod.parent(), MOMENT, look):
        world.pull(name)
        subprocess.run(
            [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
             os.path.join(world.criod.path, "control.sock"), "image",
             "verify"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        os.mkdir(os.path.join(world.criod.path, "store"))
        with open(os.path.join(world.criod.path, "criod.conf"), "a") as f:
            f.write('additional store "%s/store"\n' % world.criod.path)
        os.kill(world.criod.parent(), signal.SIGHUP)
        wait_for("a policyread and a shelf",
                 lambda: {"policyread", "shelf"} <= set(got))
    return got


INSIDE = os.environ.get("CRIOD_BOX") == "inside"


@pytest.fixture(scope="module")
def restoring(request, scratch, registry):
    """The same of unarchive, which a restore starts; a box can have one."""
    if not INSIDE:
        return {}
    criod, got = request.getfixturevalue("daemon"), {}

    def look(name, pid):
        got[name] = next(p for p in json.loads(privileges(criod, "-j"))
                         if p["pid"] == pid)
    pods = Pods(criod, scratch)
    pods.fake, pods.out = request.getfixturevalue("fake"), pods.logs
    path = test_checkpoint.archive(pods)
    with jail.Holder(criod.helpers()["execlaunch"], {"unarchive": (0,)},
                     look):
        test_checkpoint.restore(pods, path)
    pods.clean()
    return got


@pytest.fixture(scope="module")
def seen(scratch, registry, moments, restoring):
    """All programs, as they were seen with a pod of each kind."""
    path = os.path.join(scratch, "privileges")
    conf = CONF % os.path.join(path, "audit.log")
    if os.path.exists(SHIM):
        conf += 'runtime shim path "%s" {\n\ttype vm\n}\n' % SHIM
    criod = Criod(path, args=["-m"], conf=conf).start()
    pods = Pods(criod, scratch)
    try:
        criod.client.PullImage(image={"image": "busybox"})
        pod, config = pods.run(pid=POD)
        pods.start(pod, config, ["sleep", "1000"])
        if os.path.exists(SHIM):
            pod, config = pods.run(handler="shim")
            pods.start(pod, config, ["sleep", "1000"])
        # Idle: nothing is passed on any more.
        out = listed(criod)
        out.update((name, moments[name]) for name in MOMENT)
        out.update(restoring)
        yield criod, out
    finally:
        pods.clean()
        criod.stop()


# ---- in the words of the page ----

ROOTS = [("run/", "STATE/"), ("lib/image", "IMAGE"),
         ("lib/network", "NETWORK"), ("lib/container", "CONTAINER"),
         ("lib/record", "RECORD"), ("store", "an additional store")]


def root(path):
    """As docs/internals.md names it."""
    if path == "(detached)":
        return "none"
    for here, name in ROOTS:
        m = re.search(r"/(?:privileges|ckpt|trust\.\w+/criod)/%s(.*)$" % here, path)
        if m:
            return re.sub(r"[0-9a-f]{64}", "ID", re.sub(
                r"layer/\d+", "layer/N", name + m.group(1)))
    return "the host's"


def user(p):
    uids, gids = set(p["uids"]), set(p["gids"])
    assert len(uids) == len(gids) == 1, p
    assert set(p["groups"]) <= gids, p
    uid, gid = uids.pop(), gids.pop()
    assert uid == gid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def caps(p, parent, name):
    got = p["capabilities"][name]
    if got and got == parent["capabilities"]["bounding"]:
        return "all"
    return " ".join(got) or "none"


def kinds(p):
    """Beyond those that all have; what comes and goes is left out."""
    got = {d["kind"] for d in p["descriptors"]
           if d["fd"] > 2 and not d["name"].startswith("/dev/null")}
    got -= {"memory", "tcp", "tcp6", "udp", "udp6"}
    if p["process"] == "imaged":
        got -= {"unix stream"}  # curl's own, while it resolves
    return ", ".join(sorted(got)) or "none"


def limits(p, parent):
    """Those that it was given, and cannot raise."""
    zero = ("core file size", "locked memory", "processes")
    got = {name: v[0] for name, v in sorted(p["limits"].items())
           if v[0] == v[1] and p is not parent and (
               v != parent["limits"][name] or name in zero and v[0] == "0")}
    if p["process"] == "unpack":
        got["file size"] = "by the layer"
    if p["process"] == "unarchive":
        got["file size"] = "by the archive"
    return ", ".join("%s %s" % kv for kv in got.items()) or "none of its own"


def described(p, parent):
    """Lines of mdoc about a process."""
    flat = {"user": user(p),
            "capabilities": caps(p, parent, "effective"),
            "namespaces of its own": " ".join(p["namespaces"]) or "none",
            "root": root(p["root"]),
            "Landlock": p["landlock"],
            "descriptors beside 0 to 2": kinds(p),
            "limits": limits(p, parent)}
    assert p["capabilities"]["permitted"] == p["capabilities"]["effective"]
    assert not p["capabilities"]["inheritable"]
    assert not p["capabilities"]["ambient"]
    flat["bounding set"] = caps(p, parent, "bounding")
    flat["no new privileges"] = "yes" if p["no_new_privs"] else "no"
    calls = " ".join(p["seccomp"]["calls"])
    assert bool(calls) == (p["seccomp"]["mode"] == "filter"), p
    flat["calls"] = calls or "all"
    out = [".It %s" % p["process"]]
    text = "; ".join("%s: %s" % kv for kv in flat.items()) + "."
    out += textwrap.wrap(text, 78, break_on_hyphens=False)
    return out


def section(seen):
    parent = seen["criod"]
    out = []
    for p in seen.values():
        out += described(p, parent)
    return out


def page():
    with open(PAGE) as f:
        text = f.read()
    head, rest = text.split(BEGIN)
    body, tail = rest.split(END)
    return head, body.splitlines(), tail


def items(lines):
    """Name to the words of its item."""
    out, name = {}, None
    for x in lines:
        if x.startswith(".It "):
            name = x[4:]
        out.setdefault(name, []).extend(x.split())
    return out


def test_page(seen):
    """Each process is what its entry says, and there is no other entry."""
    got = items(section(seen[1]))
    head, lines, tail = page()
    want = items(lines)
    if os.environ.get("CRIOD_UPDATE"):
        with open(os.environ["CRIOD_UPDATE"], "w") as f:
            f.write(head + BEGIN + "\n".join(section(seen[1])) + "\n" + END
                    + tail)
        return
    if not os.path.exists(SHIM):
        want.pop("shimrun")
    if not INSIDE:
        want.pop("unarchive")
    assert set(got) == set(want)
    for name, words in got.items():
        assert " ".join(words) == " ".join(want[name])


PROGRAMS = ["criod", "front", "streamd", "imaged", "unpack", "pack",
            "sigcheck", "shelf", "policyread", "netd", "netlaunch", "execd",
            "execlaunch", "nrid", "scribe", "keeper", "monitor", "pause"] + (
                ["unarchive"] if INSIDE else [])


def test_all_are_shown(seen):
    assert not set(PROGRAMS) - set(seen[1])


def test_table_of_users(seen):
    """The table of PROCESSES agrees, too."""
    with open(PAGE) as f:
        rows = re.findall(r"^\.It (\w+) Ta (\S+) Ta (.*?) Ta (.*?) Ta (.*)$",
                          f.read(), re.M)
    assert len(rows) >= len(PROGRAMS)
    for name, who, capabilities, network, calls in rows:
        p = seen[1].get(name)
        if p is None:
            continue
        assert who == user(p), name
        assert capabilities == caps(p, seen[1]["criod"], "effective"), name
        assert (calls == "allow-list") == (p["seccomp"]["mode"] == "filter")
        assert (network == "host") == ("net" not in p["namespaces"]), name


def test_tables_of_landlock(seen):
    """What /proc does not show is what the programs' sources say."""
    words = {"NO_FILES": "no files", "ROOT": "own root", None: "none"}
    for name, path in (("front", "criod/main.c"),
                       ("streamd", "streamd/main.c"),
                       ("imaged", "imaged/main.c"),
                       ("unpack", "imaged/unpack.c"),
                       ("pack", "imaged/pack.c"),
                       ("sigcheck", "imaged/sigcheck.c"),
                       ("shelf", "imaged/shelf.c"),
                       ("unarchive", "imaged/unarchive.c"),
                       ("policyread", "imaged/policyread.c"),
                       ("netd", "netd/main.c"), ("execd", "execd/main.c"),
                       ("nrid", "nrid/main.c"), ("scribe", "scribe/main.c"),
                       ("keeper", "keeper/main.c"),
                       ("netlaunch", "netd/launch_main.c"),
                       ("monitor", "execd/monitor_drop.c")):
        with open(os.path.join(cri.TOP, path)) as f:
            m = re.search(r"\.landlock = CONFINE_LANDLOCK_(\w+)", f.read())
        if name in seen[1]:
            assert seen[1][name]["landlock"] == words[m and m.group(1)], name


def test_people_can_read_it(seen):
    criod = seen[0]
    short = privileges(criod).splitlines()
    assert short[0].split()[:3] == ["PROCESS", "PID", "USER"]
    assert [x.split()[0] for x in short[1:]][:3] == ["criod", "front",
                                                     "streamd"]
    long = privileges(criod, "-v")
    for words in ("\tbounding capabilities: all\n", "\tcalls: epoll_wait ",
                  "\tdescriptor 3: unix seqpacket, ", "\tlimit of open files:",
                  "\troot: /"):
        assert words in long
    assert subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         os.path.join(criod.path, "control.sock"), "privileges", "-x"],
        capture_output=True, timeout=30).returncode == 2


def test_without_front(seen):
    """It asks the kernel, not the front."""
    criod = seen[0]
    front = criod.helpers()["front"]
    os.kill(front, 19)
    try:
        assert listed(criod)["front"]["pid"] == front
    finally:
        os.kill(front, 18)
    wait_for("the front", lambda: criod.client.Version())
