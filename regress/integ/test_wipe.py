"""criodctl wipe."""

import os
import subprocess

import cri
from conftest_integ import NODE, Criod, Pods


def wipe(criod, *args):
    got = subprocess.run(
        [os.path.join(cri.BUILD, "sbin/criodctl"), "-s",
         os.path.join(criod.path, "control.sock"), "wipe", *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)
    return got.returncode, got.stdout, got.stderr


def test_wipe(scratch, registry):
    c = Criod(os.path.join(scratch, "wipe"), args=["-m"]).start()
    c.client.PullImage(image={"image": "busybox"})
    pods = Pods(c, scratch)
    made = []
    for _ in range(3):
        pod, config = pods.run(network=NODE)
        pods.start(pod, config, ["sleep", "1000"])
        made.append(pod)
    rc, out, err = wipe(c)
    assert (rc, err) == (0, "")
    assert all(pod in out for pod in made)
    assert not c.client.ListPodSandbox().items
    assert not c.client.ListContainers().containers
    images = [i.id for i in c.client.ListImages().images]
    assert images
    rc, out, err = wipe(c, "-i")
    assert (rc, err) == (0, "")
    assert all("image %s\n" % i in out for i in images)
    assert not c.client.ListImages().images
    assert wipe(c, "-i") == (0, "", "")
    assert wipe(c, "everything")[0] == 2
    c.stop()
