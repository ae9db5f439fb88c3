"""Images as large as they may be, run."""

import os

import oci


def test_127_layers(pods, scratch, criod, registry):
    """Overlay's options are one page; an empty layer and one that stands
    twice are among them."""
    lay = oci.Layout(os.path.join(scratch, "layers"))
    layers = [oci.layer(oci.busybox_entries()), oci.layer([])]
    layers += [oci.layer([oci.entry("n/"), oci.entry("n/%d" % i, "%d\n" % i)])
               for i in range(124)]
    layers.append(layers[2])
    assert len(layers) == 127
    oci.push(lay.write(lay.image(layers, {"Env": ["PATH=/bin"]})),
             registry + "/library/many:1")
    ref = criod.client.PullImage(image={"image": "many:1"}).image_ref
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"], image=ref)
    out = pods.sh(ctr, "ls /n | wc -l; cat /n/* | sort -n | tail -n 1; "
                  "echo x >/n/0 && cat /n/0").stdout.decode().split()
    assert out == ["124", "123", "x"]
    pods.client.StopContainer(container_id=ctr, timeout=0)
    pods.client.RemoveContainer(container_id=ctr)
    criod.client.RemoveImage(image={"image": ref})


def test_writable_layers_are_volatile(pods, criod):
    """What a container wrote is not synced: after a crash of the host it is
    not there any more."""
    pod, config = pods.run()
    ctr = pods.start(pod, config, ["sleep", "1000"])
    # What the kernel makes for such a mount, and refuses to mount again.
    assert os.path.isdir(os.path.join(
        criod.path, "lib/container", ctr, "work/work/incompat/volatile"))
