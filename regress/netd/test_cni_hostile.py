"""Plugins that do all that a plugin must not (security.md N1-N3)."""
import json
import os
import shutil
import signal
import struct
import subprocess
import time

import pytest

import cni_world as wm
from cni_world import Refused, World

NETNS_NONE, NETNS_USE, NETNS_PREPARE = 0, 1, 2
OK = ("cat >/dev/null\nif [ $CNI_COMMAND = ADD ]; then echo '" + json.dumps({
    "cniVersion": "1.0.0",
    "interfaces": [{"name": "eth0", "sandbox": "/x"}],
    "ips": [{"address": "10.9.9.9/24", "interface": 0}]}) + "'; fi\n")


def conf(*types, version="1.0.0", **extra):
    return {"cniVersion": version, "name": "evil",
            "plugins": [{"type": t} for t in types], **extra}


@pytest.fixture
def evil(make_world, plugins):
    plugins.script("good", OK)

    def make(text, *types, version="1.0.0", **extra):
        plugins.script("bad", text)
        w = make_world(plugin_dir=plugins.path)
        with open(w.conf_dir + "/1.conflist", "w") as f:
            json.dump(conf(*(types or ("good", "bad")), version=version,
                           **extra), f)
        w.kill("netd")
        w.start_netd()
        return w
    return make


def refused(w, contains):
    pod = w.make()
    start = time.monotonic()
    with pytest.raises(Refused) as e:
        w.add(pod)
    assert contains in e.value.text, e.value.text
    return time.monotonic() - start


@pytest.mark.parametrize("text,contains", [
    ("exit 0", "not valid JSON"),
    ("echo '{\"cniVersion\":'", "not valid JSON"),
    ("echo '[]'", "not"),
    ("echo '{}'", "cniVersion"),
    ("echo '{\"cniVersion\":\"0.4.0\"}'", "cniVersion"),
    ("echo '{\"cniVersion\":\"1.0.0\",\"ips\":[]}'", "no address"),
    ("echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"1.2.3\"}]}'",
     "not an address"),
    ("echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"1.2.3.4/24\","
     "\"interface\":7}]}'", "not listed"),
    ("kill -SEGV $$", "killed by signal 11"),
    ("echo oops >&2; exit 3", "exit code 3: oops"),
    ("echo '{\"code\":7,\"msg\":\"my\\u001breason\"}'; exit 1", "my"),
    ("exec head -c 1073741824 /dev/zero", "more than"),
    ("exec 0<&-; echo x", "not valid JSON"),
    ("while :; do echo noise >&2; done & exec head -c 3000000 /dev/zero",
     "more than"),
])
def test_add_fails_clean(evil, text, contains):
    # DEL works: what went wrong is undone and nothing is kept.
    w = evil("[ $CNI_COMMAND = ADD ] || exit 0\ncat >/dev/null\n" + text)
    assert refused(w, contains) < 15
    assert w.records() == []
    assert w.status().ready


def test_missing_plugin(evil):
    w = evil("", "good", "none")
    assert refused(w, "no plugin none") < 5
    assert w.records() == []


def test_undo_fails_then_works(evil, plugins):
    w = evil("exit 1")
    pod = w.make()
    with pytest.raises(Refused):
        w.add(pod)
    assert w.records() == [pod], "kept, so that DEL can be tried again"
    with pytest.raises(Refused):
        w.delete(pod)
    plugins.script("bad", "exit 0")
    w.delete(pod)
    assert w.records() == []


def running(text):
    out = subprocess.run(["pgrep", "-f", text], stdout=subprocess.PIPE,
                         text=True).stdout
    return out.split()


def wait_until(fn, seconds=10):
    end = time.monotonic() + seconds
    while not fn():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_daemon_that_holds_stdout(evil):
    w = evil(OK + "(trap '' TERM HUP; exec sleep 98761) &")
    pod = w.make()
    start = time.monotonic()
    assert w.add(pod) == ["10.9.9.9"]
    assert time.monotonic() - start < 5
    assert running("sleep 98761") == []
    w.delete(pod)


HANG = ("[ $CNI_COMMAND = DEL ] && exit 0\ntrap '' TERM\n"
        "sh -c 'trap \"\" TERM; setsid sleep 98762' &\n"
        "while :; do sleep 98762; done\n")


def test_hang_and_cancel(evil):
    w = evil(HANG)
    pod, other = w.make(), w.make()
    rid = w.front.request("NET_ADD", w.pod_body(pod))
    w.serve_scan()
    wait_until(lambda: w.serve_scan() or len(running("sleep 98762")) > 1)
    assert w.status().ready, "others do not wait"
    w.delete(other)
    assert w.records() == [pod]
    w.front.cancel(rid)
    with pytest.raises(Refused) as e:
        w.wait(rid, 10)
    assert e.value.code == 1
    assert running("sleep 98762") == []
    assert w.records() == []


def test_netd_dies_in_add(evil):
    w = evil(HANG)
    pod = w.make()
    w.front.request("NET_ADD", w.pod_body(pod))
    wait_until(lambda: w.serve_scan() or len(running("sleep 98762")) > 1)
    w.kill("netd")
    wait_until(lambda: running("sleep 98762") == [])
    w.start_netd()
    assert w.records() == [pod]
    w.delete(pod)
    assert w.records() == []


def test_netlaunch_dies_in_add(evil):
    w = evil(HANG)
    pod = w.make()
    rid = w.front.request("NET_ADD", w.pod_body(pod))
    wait_until(lambda: w.serve_scan() or len(running("sleep 98762")) > 1)
    w.kill("netlaunch")
    w.start_netlaunch()
    assert running("sleep 98762") == [], "ended by the next launcher"
    with pytest.raises(Refused) as e:
        w.wait(rid, 20)
    assert e.value.code == 14
    assert w.records() == [], "the undo waited for the launcher"


def test_plugin_files_that_are_not_run(evil, plugins):
    w = evil(OK, "bad")
    bad = plugins.path + "/bad"
    os.chmod(bad, 0o775)
    refused(w, "written by others")
    os.chmod(bad, 0o644)
    refused(w, "not executable")
    os.chmod(bad, 0o755)
    os.chown(bad, 1000, 0)
    refused(w, "belong to root")
    os.chown(bad, 0, 0)
    os.rename(bad, plugins.path + "/real")
    os.symlink("real", bad)
    refused(w, "")
    os.unlink(bad)
    os.mkdir(bad)
    refused(w, "regular")
    os.rmdir(bad)
    os.chmod(plugins.path, 0o777)
    refused(w, "others than root")
    assert w.records() == []


def test_del_gets_prev_result(evil):
    w = evil("if [ $CNI_COMMAND = DEL ]; then grep -q prevResult || exit 9; "
             "exit 0; fi\n" + OK)
    pod = w.make()
    assert w.add(pod) == ["10.9.9.9"]
    w.delete(pod)


def test_gc_and_status_verbs(evil, plugins):
    text = ("in=$(cat)\ncase $CNI_COMMAND in\n"
            "GC) case $in in *cni.dev/valid-attachments*$KEEP*) exit 0;; "
            "esac; exit 4;;\n"
            "STATUS) [ -z \"$CNI_CONTAINERID\" ] || exit 4; "
            "echo '{\"code\":50,\"msg\":\"not today\"}'; exit 1;;\n"
            "esac\n")
    w = evil(text, "bad", version="1.1.0")
    s = w.status()
    assert not s.ready and "not today" in s.message
    w.gc([])


# ---- the launcher alone: the test plays netd ----

class Launcher(World):
    def link(self):
        pass

    def start_netd(self):
        ours, theirs = self.pair()
        self.netd = wm.Peer(ours)
        self.netd_pid = 0
        self.netlaunch.send("LINK", struct.pack("<I", wm.ROLES["netd"]),
                            [theirs.fileno()])
        theirs.close()

    def run(self, plugin, command="ADD", pod="", ifname="eth0", args="",
            netns=NETNS_NONE, timeout_ms=5000, fds=None, text=b"{}"):
        body = struct.pack("<64s16s65s16s1024sIQ", plugin, command.encode(),
                           pod.encode(), ifname.encode(), args.encode(),
                           netns, timeout_ms)
        out_r, out_w = os.pipe()
        err_r, err_w = os.pipe()
        mfd = os.memfd_create("in")
        os.write(mfd, text)
        os.lseek(mfd, 0, 0)
        sent = fds if fds is not None else [mfd, out_w, err_w]
        rid = self.netd.request("PLUGIN_RUN", body, sent)
        for fd in (out_w, err_w, mfd):
            os.close(fd)
        try:
            name, body = self.netd.wait(rid, 20)
        finally:
            self.out = os.read(out_r, 65536)
            self.err = os.read(err_r, 65536)
            os.close(out_r)
            os.close(err_r)
        assert name == "PLUGIN_DONE"
        return struct.unpack("<II", body)

    def close(self):
        self.netd_pid = -1
        for pod in list(self.pods):
            self.drop(pod)
        self.netlaunch.send("STOP", struct.pack("<I", 0))
        os.waitpid(self.launch_pid, 0)
        subprocess.call(["umount", "-l", self.state + "/ns"])
        shutil.rmtree(self.dir)


@pytest.fixture
def launcher(plugins):
    w = Launcher(plugin_dir=plugins.path)
    yield w
    w.close()


def test_launcher_environment(launcher, plugins):
    plugins.script("show", "cat; env >&2; umask >&2; pwd >&2\n"
                   "for f in /proc/$$/fd/*; do echo fd ${f##*/} >&2; done\n"
                   "grep -E 'Cap|Seccomp|NoNew|SigIgn|SigBlk' "
                   "/proc/self/status >&2\n")
    pod = launcher.make()
    assert launcher.run(b"show", "ADD", pod, args="A=B;C=D",
                        netns=NETNS_PREPARE, text=b"input") == (0, 0)
    assert launcher.out == b"input"
    seen = launcher.err.decode()
    env = {line.split("=", 1)[0] for line in seen.splitlines()
           if "=" in line}
    # PWD and friends are the shell's own.
    assert env - {"PWD", "OLDPWD", "_", "SHLVL"} == {
        "CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME",
        "CNI_ARGS", "CNI_PATH", "PATH"}
    assert "CNI_NETNS=%s/ns/%s/net" % (launcher.state, pod) in seen
    assert "\n0022\n" in seen and "\n/\n" in seen
    fds = {line for line in seen.splitlines() if line.startswith("fd ")}
    # The shell itself has its script open, and the directory.
    assert fds - {"fd 3", "fd 10"} == {"fd 0", "fd 1", "fd 2"}
    assert "CapBnd:\t0000000000203000" in seen
    assert "CapInh:\t0000000000000000" in seen
    assert "Seccomp:\t0" in seen and "NoNewPrivs:\t0" in seen
    assert "SigIgn:\t0000000000000000" in seen
    assert "SigBlk:\t0000000000000000" in seen


def test_launcher_root(launcher, plugins):
    plugins.script("peek", "ls / /etc /dev >&2\n"
                   "for f in /etc/shadow /root /home /boot /var/lib/dpkg;"
                   " do [ -e $f ] && echo FOUND $f; done\n"
                   "for f in /usr/bin/x /x /proc/sys/kernel/domainname "
                   "/sys/kernel/mm/ksm/run /etc/hosts;"
                   " do (echo 1 >$f) 2>/dev/null && echo WROTE $f; done\n"
                   "(echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding) "
                   "|| echo NO forwarding\n"
                   "(echo 1 >/var/lib/cni/x) && rm /var/lib/cni/x "
                   "|| echo NO state\n"
                   "iptables -t nat -S >/dev/null || echo NO iptables\n"
                   "exit 0")
    assert launcher.run(b"peek", "VERSION", ifname="") == (0, 0), \
        launcher.err
    assert launcher.out == b""


def test_launcher_shows_configured_paths(launcher, plugins, tmp_path):
    (tmp_path / "shown").mkdir()
    plugins.script("touch", "echo 1 >%s/shown/x\n" % tmp_path)
    code, _ = launcher.run(b"touch", "VERSION", ifname="")
    assert code != 0
    launcher.kill("netlaunch")
    launcher.start_netlaunch(["-b", str(tmp_path / "shown")])
    launcher.start_netd()
    assert launcher.run(b"touch", "VERSION", ifname="") == (0, 0)
    assert (tmp_path / "shown" / "x").read_text() == "1\n"


def test_launcher_deadline(launcher, plugins):
    plugins.script("hang", "trap '' TERM; sleep 98763 & wait; "
                   "while :; do sleep 98763; done")
    start = time.monotonic()
    code, late = launcher.run(b"hang", "VERSION", ifname="", timeout_ms=300)
    assert late == 1 and code == 128 + signal.SIGKILL
    assert time.monotonic() - start < 3
    assert running("sleep 98763") == []


@pytest.mark.parametrize("kw", [
    dict(plugin=b"../ok"), dict(plugin=b"/bin/sh"), dict(plugin=b""),
    dict(plugin=b".."), dict(plugin=b"o k"), dict(command="RUN"),
    dict(command=""), dict(pod="x" * 64), dict(pod=""), dict(ifname=""),
    dict(ifname="../e"), dict(args="a b"), dict(args="a\nb"),
    dict(netns=3), dict(timeout_ms=0), dict(timeout_ms=1 << 40),
    dict(command="GC"), dict(command="VERSION")])
def test_launcher_refuses(launcher, plugins, kw):
    plugins.script("ok", "exit 0")
    plugins.script("../ok", "exit 0")
    pod = launcher.make()
    args = dict(plugin=b"ok", command="ADD", pod=pod, netns=NETNS_USE)
    assert launcher.run(**args) == (0, 0)
    args.update(kw)
    with pytest.raises(Refused) as e:
        launcher.run(**args)
    assert e.value.code == 3


def test_launcher_refuses_descriptors(launcher, plugins):
    plugins.script("ok", "exit 0")
    a, b = World.pair()
    null = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(Refused):
        launcher.run(b"ok", "VERSION", ifname="", fds=[a.fileno()] * 3)
    with pytest.raises(Refused):
        launcher.run(b"ok", "VERSION", ifname="", fds=[null] * 3)
    os.close(null)


def test_launcher_never_the_host_namespace(launcher, plugins):
    plugins.script("ok", "exit 0")
    pod = "ab" * 32
    d = launcher.state + "/ns/" + pod
    os.mkdir(d)
    open(d + "/net", "w").close()
    for command, code in (("ADD", 5), ("CHECK", 5)):
        with pytest.raises(Refused) as e:
            launcher.run(b"ok", command, pod, netns=NETNS_PREPARE)
        assert e.value.code == code
    assert launcher.run(b"ok", "DEL", pod, netns=NETNS_USE) == (0, 0)
    subprocess.check_call(["mount", "--bind", "/proc/self/ns/net",
                           d + "/net"])
    with pytest.raises(Refused) as e:
        launcher.run(b"ok", "ADD", pod, netns=NETNS_PREPARE)
    assert e.value.code == 9
    subprocess.check_call(["umount", d + "/net"])
