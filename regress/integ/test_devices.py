"""Devices: by path, and by the files of the Container Device Interface."""

import json
import os
import shutil

import grpc
import pytest

from conftest_integ import Criod, Pods

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture(scope="module")
def dirs(scratch):
    out = [os.path.join(scratch, d) for d in ("cdi-etc", "cdi-run")]
    for d in out:
        os.mkdir(d, 0o755)
    return out


@pytest.fixture(scope="module")
def daemon(scratch, registry, dirs):
    conf = "".join('cdi directory "%s"\n' % d for d in dirs)
    c = Criod(os.path.join(scratch, "cdi"), conf + "cdi hooks yes\n",
              args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture
def cdi(daemon, dirs, scratch):
    """Pods of a criod with CDI directories, which begin empty."""
    p = Pods(daemon, scratch)
    yield p
    p.clean()
    for d in dirs:
        shutil.rmtree(d)
        os.mkdir(d, 0o755)


def put(dirname, name, doc, mode=0o644):
    path = os.path.join(dirname, name)
    with open(path, "w") as f:
        f.write(doc if isinstance(doc, str) else json.dumps(doc))
    os.chmod(path, mode)


def spec(kind="acme.com/card", edits=None, **devices):
    return {"cdiVersion": "0.6.0", "kind": kind,
            "containerEdits": edits or {},
            "devices": [{"name": n, "containerEdits": e}
                        for n, e in devices.items()]}


def ask(*names):
    return [{"name": n} for n in names]


def refused(pods, code=PRECONDITION, **over):
    pod, config = pods.run()
    before = len(pods.client.ListContainers().containers)
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], **over)
    assert e.value.code() == code, e.value.details()
    assert len(pods.client.ListContainers().containers) == before
    return e.value.details()


# ---- by path ----

TRY = ("[ -c %s ] && echo there; head -c1 %s >/dev/null 2>&1 && echo read;"
       "echo x 2>/dev/null >%s && echo written; true")


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("own_users", [False, True])
def test_device_elsewhere(pods, handler, own_users):
    """/dev/zero by another name, with and without a user namespace."""
    pod, config = pods.run(pods.userns_config() if own_users else None,
                           handler=handler)
    ctr = pods.start(pod, config, ["sleep", "1000"], devices=[
        {"host_path": "/dev/zero", "container_path": "/dev/card",
         "permissions": "rw"}])
    out = pods.sh(ctr, TRY % (("/dev/card",) * 3)).stdout.decode().split()
    assert out == ["there", "read", "written"]


def test_directory_of_devices(pods):
    """Each keeps its name below the directory; what is no device is not."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], devices=[
        {"host_path": "/dev/net", "container_path": "/dev/other",
         "permissions": "rwm"}])
    out = pods.sh(ctr, "ls /dev/other; stat -c '%t:%T' /dev/other/tun"
                  ).stdout.decode().split()
    assert out == ["tun", "a:c8"]


@pytest.mark.parametrize("device,code", [
    ({"host_path": "/dev/nowhere", "container_path": "/dev/x"},
     PRECONDITION),
    ({"host_path": "/etc/passwd", "container_path": "/dev/x"}, INVALID),
    ({"host_path": "/dev/zero", "container_path": "/dev/x",
      "permissions": "rwx"}, INVALID),
    ({"host_path": "/dev/../etc", "container_path": "/dev/x"}, INVALID)])
def test_bad_device(pods, device, code):
    refused(pods, code, devices=[device])


# ---- CDI ----

@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("own_users", [False, True])
def test_cdi_edits(cdi, dirs, scratch, handler, own_users):
    lib = os.path.join(scratch, "libcard")
    with open(lib, "w") as f:
        f.write("library\n")
    put(dirs[0], "card.json", spec(
        edits={"env": ["CARD_ALL=yes", "PATH=/bin:/opt"]},
        one={"deviceNodes": [{"path": "/dev/card1", "hostPath": "/dev/zero",
                              "permissions": "rw"}],
             "env": ["CARD=1"],
             "mounts": [{"hostPath": lib, "containerPath": "/usr/lib/card",
                         "options": ["ro", "nosuid", "nodev", "bind"]}]},
        two={"env": ["CARD2=2"], "additionalGids": [4242]}))
    pod, config = cdi.run(cdi.userns_config() if own_users else None,
                          handler=handler)
    ctr = cdi.start(pod, config, ["sleep", "1000"],
                    CDI_devices=ask("acme.com/card=one"), annotations={
                        "cdi.k8s.io/x": "acme.com/card=two,acme.com/card=one"})
    out = cdi.sh(ctr, "echo $CARD_ALL $CARD $CARD2 $PATH; id -G; "
                 "cat /usr/lib/card; touch /usr/lib/card || echo ro; "
                 + TRY % (("/dev/card1",) * 3)).stdout.decode().split()
    assert out[:4] == ["yes", "1", "2", "/bin:/opt"]
    assert "4242" in out and out[-5:] == ["library", "ro", "there", "read",
                                          "written"]
    other = cdi.start(pod, config, ["sleep", "1000"], name="d",
                      CDI_devices=ask("acme.com/card=two"))
    assert cdi.sh(other, "echo $CARD_ALL $CARD $CARD2; ls /dev/card1"
                  ).stdout == b"yes 2\n"


def test_cdi_is_read_when_asked(cdi, dirs):
    """Later directories win; files come and go without a reload."""
    put(dirs[0], "a.json", spec(one={"env": ["FROM=etc"]}))
    pod, config = cdi.run()

    def env(name):
        ctr = cdi.start(pod, config, ["sh", "-c", "echo $FROM"], name=name,
                        CDI_devices=ask("acme.com/card=one"))
        cdi.exited(ctr)
        return cdi.text(ctr)
    assert env("a") == "etc\n"
    put(dirs[1], "a.json", spec(one={"env": ["FROM=run"]}))
    assert env("b") == "run\n"
    os.unlink(dirs[1] + "/a.json")
    os.unlink(dirs[0] + "/a.json")
    with pytest.raises(grpc.RpcError) as e:
        env("c")
    assert "no file describes acme.com/card=one" in e.value.details()


@pytest.mark.parametrize("name,text,why", [
    ("b.json", "{not json", "b.json"),
    ("b.json", spec(kind="no kind", one={}), "VENDOR/CLASS=NAME"),
    ("b.json", dict(spec(one={}), cdiVersion="9.0.0"), "cdiVersion"),
    ("b.json", spec(one={"netDevices": []}), "netDevices"),
    ("b.json", dict(spec(one={}), devices=3), "devices"),
    ("b.yaml", "cdiVersion: 0.6.0\n", "kind"),
    ("b.yml", "a: &a {}\nb: *a\n", "anchors"),
    ("b.yaml", "[" * 100000, "nested too deep"),
    ("b.json", "[" * 100000, "b.json")])
def test_cdi_broken_file(cdi, dirs, name, text, why):
    """It is named where its device is missed, and stops no other."""
    put(dirs[0], name, text)
    put(dirs[0], "good.json", spec("acme.com/good", one={"env": ["A=b"]}))
    assert why in refused(cdi, CDI_devices=ask("acme.com/card=one"))
    pod, config = cdi.run()
    cdi.start(pod, config, ["true"], CDI_devices=ask("acme.com/good=one"))


def test_cdi_yaml(cdi, dirs):
    """As nvidia-ctk writes it, beside JSON of another kind."""
    put(dirs[0], "a.yaml", """---
cdiVersion: 0.5.0
kind: acme.com/card
devices:
- name: 0
  containerEdits:
    deviceNodes:
    - path: /dev/card
      type: c
      major: 1
      minor: 5
      fileMode: 0604
    additionalGids: [1234]
containerEdits:
  env:
  - CARD=on
""")
    put(dirs[0], "b.json", spec("acme.com/other", one={"env": ["OTHER=b"]}))
    pod, config = cdi.run()
    ctr = cdi.start(pod, config, ["sleep", "1000"], CDI_devices=ask(
        "acme.com/card=0", "acme.com/other=one"))
    out = cdi.sh(ctr, "echo $CARD $OTHER; id -G; stat -c '%F %a %t %T' "
                 "/dev/card; head -c4 /dev/card | od -An -tx1")
    assert out.exit_code == 0, out.stderr
    env, groups, node, data = out.stdout.decode().splitlines()
    assert env == "on b" and "1234" in groups.split()
    assert node == "character special file 604 1 5"
    assert data.split() == ["00"] * 4


def test_cdi_conflict(cdi, dirs):
    for n in ("a.json", "b.json"):
        put(dirs[1], n, spec(one={}))
    assert "two files" in refused(cdi, CDI_devices=ask("acme.com/card=one"))


def test_cdi_files_must_be_roots(cdi, dirs):
    put(dirs[0], "a.json", spec(one={}), mode=0o666)
    text = refused(cdi, CDI_devices=ask("acme.com/card=one"))
    assert "others than root" in text
    os.unlink(dirs[0] + "/a.json")
    os.symlink("/etc/passwd", dirs[0] + "/b.json")
    assert "root:x" not in refused(cdi, CDI_devices=ask("acme.com/card=one"))


@pytest.mark.parametrize("edits,why", [
    ({"deviceNodes": [{"path": "/dev/nowhere"}]}, "not there"),
    ({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/net"}]},
     "not a device"),
    ({"deviceNodes": [{"path": "relative"}]}, "absolute"),
    ({"mounts": [{"hostPath": "/etc", "containerPath": "/proc/sys"}]},
     "/proc/sys"),
    ({"env": ["novalue"]}, "NAME=VALUE"),
    ({"hooks": [{"hookName": "never", "path": "/bin/true"}]}, "stage")])
def test_cdi_bad_edits(cdi, dirs, edits, why):
    put(dirs[0], "a.json", spec(one=edits))
    assert why in refused(cdi, CDI_devices=ask("acme.com/card=one"))


@pytest.mark.parametrize("name", ["", "card", "acme.com/card", "a/b=../c",
                                  "/card=one", "acme.com/card=one=two"])
def test_cdi_bad_name(pods, name):
    assert "VENDOR/CLASS=NAME" in refused(pods, INVALID,
                                          CDI_devices=ask(name))
    assert "VENDOR/CLASS=NAME" in refused(
        pods, INVALID, annotations={"cdi.k8s.io/x": name})


def test_cdi_hooks(cdi, dirs, scratch):
    mark = os.path.join(scratch, "hook-ran")
    # crun fails if a hook ends before it has read the state.
    put(dirs[0], "a.json", spec(one={"hooks": [{
        "hookName": "createRuntime", "path": "/bin/sh", "args": [
            "sh", "-c", "/bin/cat >/dev/null; echo $X >" + mark],
        "env": ["X=hook"]}]}))
    pod, config = cdi.run()
    cdi.start(pod, config, ["sleep", "1000"],
              CDI_devices=ask("acme.com/card=one"))
    with open(mark) as f:
        assert f.read() == "hook\n"


def test_cdi_hooks_need_a_statement(scratch, registry, dirs):
    c = Criod(os.path.join(scratch, "nohooks"),
              'cdi directory "%s"\n' % dirs[0], args=["-m"]).start()
    try:
        c.client.PullImage(image={"image": "busybox"})
        put(dirs[0], "a.json", spec(one={"hooks": [{
            "hookName": "createRuntime", "path": "/bin/true"}]}))
        pods = Pods(c, scratch)
        assert "cdi hooks" in refused(pods,
                                      CDI_devices=ask("acme.com/card=one"))
        pods.clean()
    finally:
        os.unlink(dirs[0] + "/a.json")
        c.stop()
