"""The images that are pulled and removed when the power goes."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "registry"),
                os.path.join(HERE, "..", "integ")]

import hostile  # noqa: E402
import oci  # noqa: E402


def images(registry, dice):
    """With layers in common, of many small files and of a few large ones."""
    layers = [{"d%d/f%d" % (n, i): dice.randbytes(dice.choice(
        [0, 10, 5000, 200000] if n % 2 else [0, 10, 3000]))
        for i in range(6 if n % 2 else 40)} for n in range(5)]
    return [registry.put("i%d" % n, "v1", hostile.Image(
        [layers[n % 5], layers[(n + 2) % 5], {"own": b"%d" % n}]))
        for n in range(6)]


def busybox(registry):
    """One that containers can be made of, larger than what is unpacked whole."""
    return registry.put("busybox", "v1", hostile.Image(
        [oci.layer(oci.busybox_entries())], how="plain"))
