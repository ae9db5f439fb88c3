"""The policy of criod.conf: what it refuses, and that execd, netd and imaged
refuse it themselves, whatever the front is."""

import os
import secrets
import signal

import grpc
import pytest

import evil
from conftest_integ import CONTAINER, NODE, Criod, Pods, wait_for

RULES = """policy {
	deny privileged
	deny host network
	deny host pid
	deny host ipc
	deny host port 1-1023
	deny path any
	allow path "@/open"
	allow path "@/half" read-only
	deny path "@/open/secret"
	deny capability any
	allow capability default
	allow capability NET_RAW
	deny device any
	allow device "/dev/null"
	deny sysctl any
	allow sysctl "kernel.shm*"
	deny seccomp unconfined
	deny selinux spc_t
	deny runtime runc
	deny registry any
	allow registry "docker.io/library"
}
policy namespace "trusted" { allow any }
policy namespace "half" {
	allow any
	deny proc unmasked
}
"""
CONF = """runtime crun path "/usr/bin/crun" default
runtime runc path "/usr/sbin/runc"
seccomp default runtime
"""




@pytest.fixture(scope="module")
def volumes(scratch):
    top = os.path.join(scratch, "policy-volumes")
    for d in ("open/in", "open/secret", "half", "closed"):
        os.makedirs(os.path.join(top, d))
        with open(os.path.join(top, d, "f"), "w") as f:
            f.write(d)
    os.symlink("/etc", os.path.join(top, "open/in/away"))
    os.symlink("in", os.path.join(top, "open/near"))
    return top


@pytest.fixture(scope="module")
def ruled(scratch, registry, volumes):
    c = Criod(os.path.join(scratch, "ruled"), args=["-m"],
              conf=CONF + RULES.replace("@", volumes)).start()
    c.client.PullImage(image={"image": "busybox"})
    yield c
    c.stop()


@pytest.fixture
def pods(ruled, scratch):
    p = Pods(ruled, scratch)
    yield p
    p.clean()


def where(criod, volumes, rule):
    """FILE:LINE of the rule, as errors name it."""
    name = os.path.join(criod.path, "criod.conf")
    with open(name) as f:
        lines = [x.strip() for x in f]
    return "(%s:%d)" % (name, lines.index(rule.replace("@", volumes)) + 1)


class denied:
    """with denied(criod, volumes, rule, text): the rule refuses it so."""

    def __init__(self, criod, volumes, rule, what):
        self.want = "policy: %s is denied %s" % (
            what.replace("@", volumes), where(criod, volumes, rule))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None and issubclass(kind, grpc.RpcError), error
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED, error
        assert self.want in error.details(), (error.details(), self.want)
        return True


PODS = [
    ("deny privileged", "privileged",
     {"linux": {"security_context": {"privileged": True}}}),
    ("deny host network", "host network", {"network": NODE}),
    ("deny host pid", "host pid", {"pid": NODE}),
    ("deny host ipc", "host ipc", {"linux": {"security_context": {
        "namespace_options": {"ipc": NODE, "pid": CONTAINER}}}}),
    ("deny host port 1-1023", 'host port "80"',
     {"port_mappings": [{"container_port": 80, "host_port": 80}]}),
    ("deny sysctl any", 'sysctl "net.ipv4.ip_forward"',
     {"linux": {"sysctls": {"net.ipv4.ip_forward": "1"}}}),
]


@pytest.mark.parametrize("rule,what,over", PODS, ids=lambda v: str(v)[:20])
def test_pod(ruled, pods, volumes, rule, what, over):
    with denied(ruled, volumes, rule, what):
        pods.run(**over)
    trusted = dict(over)
    config = pods.config(**trusted)
    config["metadata"]["namespace"] = "trusted"
    pods.run(config)
    assert len(ruled.client.ListPodSandbox().items) == 1


def test_pod_allowed(pods):
    pods.run(linux={"sysctls": {"kernel.shm_rmid_forced": "1"},
                    "security_context": {"namespace_options": {
                        "pid": CONTAINER}}},
             port_mappings=[{"container_port": 80, "host_port": 18080}])


def test_runtime(ruled, pods, volumes):
    with denied(ruled, volumes, "deny runtime runc", 'runtime "runc"'):
        pods.run(handler="runc")


CTRS = [
    ('deny path any', 'path "@/closed"',
     {"mounts": [{"host_path": "@/closed", "container_path": "/v"}]}),
    ('deny path any', 'path "@/half"',
     {"mounts": [{"host_path": "@/half", "container_path": "/v"}]}),
    ('deny path "@/open/secret"', 'path "@/open/secret"',
     {"mounts": [{"host_path": "@/open/secret", "container_path": "/v",
                  "readonly": True}]}),
    # Who has what lies above has it, too.
    ('deny path "@/open/secret"', 'path "@/open"',
     {"mounts": [{"host_path": "@/open", "container_path": "/v"}]}),
    ('deny path any', 'path "/etc"',
     {"mounts": [{"host_path": "@/open/in/away", "container_path": "/v"}]}),
    ("deny capability any", 'capability "CAP_SYS_ADMIN"',
     {"security_context": {"capabilities": {
         "add_capabilities": ["SYS_ADMIN"]}}}),
    ("deny capability any", 'capability "CAP_SYS_TIME"',
     {"security_context": {"capabilities": {
         "add_ambient_capabilities": ["SYS_TIME"]}}}),
    ("deny device any", 'device "/dev/zero"',
     {"devices": [{"host_path": "/dev/zero", "container_path": "/dev/z",
                   "permissions": "r"}]}),
    ("deny device any", 'device "/dev"',
     {"devices": [{"host_path": "/dev", "container_path": "/dev",
                   "permissions": "r"}]}),
    ("deny device any", 'device "vendor.com/class=one"',
     {"CDI_devices": [{"name": "vendor.com/class=one"}]}),
    ("deny device any", 'device "vendor.com/class=one"',
     {"annotations": {"cdi.k8s.io/x": "vendor.com/class=one"}}),
    ("deny seccomp unconfined", 'seccomp "unconfined"',
     {"security_context": {"seccomp": {"profile_type": 1}}}),
    ("deny selinux spc_t", 'selinux "spc_t"',
     {"security_context": {"selinux_options": {"type": "spc_t"}}}),
]


def at(over, top):
    """The mounts' @ is a directory."""
    over = dict(over)
    if "mounts" in over:
        over["mounts"] = [dict(m, host_path=m["host_path"].replace("@", top))
                          for m in over["mounts"]]
    return over


@pytest.mark.parametrize("rule,what,over", CTRS, ids=lambda v: str(v)[:24])
def test_container(ruled, pods, volumes, rule, what, over):
    over = at(over, volumes)
    pod, config = pods.run()
    with denied(ruled, volumes, rule, what):
        pods.create(pod, config, ["true"], **over)
    assert not ruled.client.ListContainers().containers
    if "cdi" in str(over).lower():
        return
    config = pods.config()
    config["metadata"]["namespace"] = "trusted"
    pod, config = pods.run(config)
    pods.create(pod, config, ["true"], **over)


def test_unmasked(ruled, pods, volumes):
    """Of all that a privileged one has, this alone is denied here."""
    config = pods.config()
    config["metadata"]["namespace"] = "half"
    config["linux"]["security_context"]["privileged"] = True
    pod, config = pods.run(config)
    with denied(ruled, volumes, "deny proc unmasked", 'proc "unmasked"'):
        pods.create(pod, config, ["true"],
                    security_context={"privileged": True})


def test_privileged_container(ruled, pods):
    """In a pod that is not, nobody gets this far."""
    pod, config = pods.run()
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"],
                    security_context={"privileged": True})
    assert e.value.code() in (grpc.StatusCode.PERMISSION_DENIED,
                              grpc.StatusCode.INVALID_ARGUMENT)


def test_allowed(pods, volumes):
    """What the rules allow works as it does without rules."""
    pod, config = pods.run()
    new = os.path.join(volumes, "open/in/new/er")
    ctr = pods.start(
        pod, config, ["sleep", "1000"],
        security_context={"capabilities": {"add_capabilities": ["NET_RAW"]}},
        devices=[{"host_path": "/dev/null", "container_path": "/dev/n",
                  "permissions": "rw"}],
        mounts=[{"host_path": volumes + "/open/near", "container_path": "/a"},
                {"host_path": volumes + "/half", "container_path": "/b",
                 "readonly": True},
                {"host_path": volumes + "/open/in/f",
                 "container_path": "/file"},
                {"host_path": new, "container_path": "/new"}])
    got = pods.sh(ctr, "cat /a/f /b/f /file; echo made >/new/x; "
                  "echo x >/b/f || echo ro; echo y >/dev/n && echo dev"
                  ).stdout.decode()
    assert got == "open/inhalfopen/inro\ndev\n"
    with open(new + "/x") as f:
        assert f.read() == "made\n"
    with open("/proc/self/mountinfo") as f:
        left = [x for x in f if ctr in x and "/m0" in x]
    assert not left


def test_not_through_a_link(ruled, pods, volumes):
    """Nothing is made where a link leads."""
    pod, config = pods.run()
    away = os.path.join(volumes, "open/in/out")
    os.symlink(os.path.join(volumes, "closed"), away)
    with pytest.raises(grpc.RpcError) as e:
        pods.create(pod, config, ["true"], mounts=[
            {"host_path": away + "/made", "container_path": "/v"}])
    assert "symbolic link" in e.value.details()
    assert not os.path.exists(os.path.join(volumes, "closed/made"))


def test_registry(ruled, volumes):
    c = ruled.client
    c.PullImage(image={"image": "docker.io/library/busybox"})
    with denied(ruled, volumes, "deny registry any",
                'registry "quay.example/team/x"'):
        c.PullImage(image={"image": "quay.example/team/x:1"})
    with denied(ruled, volumes, "deny registry any",
                'registry "docker.io/libraryx/y"'):
        c.PullImage(image={"image": "libraryx/y"})
    # Of a trusted namespace, it goes as far as the network.
    with pytest.raises(grpc.RpcError) as e:
        c.PullImage(image={"image": "127.0.0.1:1/team/x:1"}, sandbox_config={
            "metadata": {"namespace": "trusted", "name": "x", "uid": "x"}})
    assert e.value.code() != grpc.StatusCode.PERMISSION_DENIED


def test_reload(scratch, registry):
    """Rules come with SIGHUP, for pods that are there as for new ones."""
    c = Criod(os.path.join(scratch, "ruled-later"), args=["-m"]).start()
    pods = Pods(c, scratch)
    try:
        c.client.PullImage(image={"image": "busybox"})
        pod, config = pods.run(network=NODE)
        ctr = pods.start(pod, config, ["sleep", "1000"])
        before = c.helpers()["execd"]
        with open(os.path.join(c.path, "criod.conf"), "a") as f:
            f.write("policy { deny host network }\n")
        os.kill(c.parent(), signal.SIGHUP)
        wait_for("new execd", lambda: c.helpers().get("execd",
                                                      before) != before)

        def refused():
            try:
                pods.create(pod, config, ["true"], name="second")
            except grpc.RpcError as e:
                if e.code() == grpc.StatusCode.PERMISSION_DENIED:
                    return e.details()
                assert e.code() == grpc.StatusCode.UNAVAILABLE, e
            return None
        assert "policy: host network is denied" in wait_for(
            "the rule", refused)
        assert pods.status(ctr).state == 1
    finally:
        pods.clean()
        c.stop()


# ---- the front lies ----

@pytest.fixture(scope="module")
def bad(scratch, volumes):
    pb, msg = evil.load_messages()
    e = evil.Evil(os.path.join(scratch, "evil"),
                  CONF + RULES.replace("@", volumes), pb, msg)
    yield e
    e.stop()


def pod_create(bad, namespace="regress", **context):
    """PodCreate of a pod, asked of execd without any check."""
    c = bad.pb.PodSandboxConfig()
    c.metadata.name, c.metadata.uid = "p", secrets.token_hex(8)
    c.metadata.namespace = namespace
    ns = c.linux.security_context.namespace_options
    ns.pid = CONTAINER
    c.linux.security_context.privileged = context.pop("privileged", False)
    for k, v in context.pop("sysctls", {}).items():
        c.linux.sysctls[k] = v
    runtime = context.pop("runtime", "")
    for k, v in context.items():
        setattr(ns, k, v)
    return bad.msg.PodCreate(id=secrets.token_hex(32), config=c,
                             runtime=runtime)


def refused(bad, to, name, body):
    with pytest.raises(evil.Refused) as e:
        bad.ask(to, name, body)
    assert e.value.code == 7, e.value
    assert e.value.text.startswith("policy: "), e.value
    return e.value.text


@pytest.mark.parametrize("what,over", [
    ("privileged", {"privileged": True}),
    ("host network", {"network": NODE}),
    ("host pid", {"pid": NODE}),
    ("host ipc", {"ipc": NODE}),
    ("sysctl", {"sysctls": {"net.ipv4.ip_forward": "1"}}),
    ("runtime", {"runtime": "runc"}),
], ids=lambda v: str(v)[:14])
def test_evil_pod(bad, what, over):
    text = refused(bad, "execd", "POD_CREATE", pod_create(bad, **over))
    assert text.startswith("policy: " + what)


def ctr_create(bad, pod, namespace, privileged=False, **over):
    c = bad.pb.ContainerConfig(**over)
    c.metadata.name = "c"
    c.image.image = "busybox"
    c.command.append("true")
    c.linux.security_context.privileged = privileged
    c.linux.security_context.namespace_options.pid = CONTAINER
    config = bad.pb.PodSandboxConfig()
    config.CopyFrom(pod.config)
    config.metadata.namespace = namespace
    return bad.msg.CtrCreate(id=secrets.token_hex(32), pod_id=pod.id,
                             config=c, pod_config=config, image="busybox")


def test_evil_container(bad, volumes):
    """The namespace of the pod is the first that was said."""
    pod = pod_create(bad)
    bad.ask("execd", "POD_CREATE", pod)
    try:
        for namespace in ("regress", "trusted", ""):
            for what, over in (
                    ("path", {"mounts": [{"host_path": "/etc",
                                          "container_path": "/v"}]}),
                    ("path", {"mounts": [
                        {"host_path": volumes + "/open/./../closed",
                         "container_path": "/v"}]}),
                    ("device", {"devices": [
                        {"host_path": "/dev/mem", "container_path": "/dev/m",
                         "permissions": "rw"}]})):
                body = ctr_create(bad, pod, namespace, **over)
                with pytest.raises(evil.Refused) as e:
                    bad.ask("execd", "CTR_CREATE", body)
                assert e.value.text.startswith(
                    ("policy: " + what, "mounts: host_path")), e.value
                assert e.value.code in (3, 7)
            body = ctr_create(bad, pod, namespace)
            body.config.linux.security_context.capabilities \
                .add_capabilities.append("SYS_ADMIN")
            assert "CAP_SYS_ADMIN" in refused(bad, "execd", "CTR_CREATE",
                                              body)
        # A pod that names itself again is not another one.
        pod.config.metadata.namespace = "trusted"
        with pytest.raises(evil.Refused) as e:
            bad.ask("execd", "POD_CREATE", pod)
        assert e.value.code == 6
    finally:
        bad.ask("execd", "POD_REMOVE", bad.msg.PodId(id=pod.id))


def test_evil_namespace(bad):
    """What it says at first is believed: criod(8) tells of it."""
    pod = pod_create(bad, "trusted", pid=NODE)
    assert bad.ask("execd", "POD_CREATE", pod)[0] == "POD_CREATED"
    bad.ask("execd", "POD_REMOVE", bad.msg.PodId(id=pod.id))


def test_evil_network(bad):
    body = bad.msg.NetPod(pod_id=secrets.token_hex(32), name="p",
                          namespace="regress", uid="u")
    body.port_mappings.add(container_port=80, host_port=22)
    assert 'host port "22"' in refused(bad, "netd", "NET_ADD", body)
    assert "host network" in refused(
        bad, "netd", "NET_DIAL", bad.msg.NetDial(
            pod_id=secrets.token_hex(32), host_network=True, port=22))


def test_evil_image(bad):
    req = bad.pb.PullImageRequest()
    req.image.image = "quay.example/x"
    assert "quay.example/x" in refused(bad, "imaged", "IMG_PULL", req)
    assert "quay.example/x" in refused(
        bad, "imaged", "IMG_IMPORT", bad.msg.ImgImport(
            reference="quay.example/x:1",
            manifest_digest="sha256:" + "0" * 64))
