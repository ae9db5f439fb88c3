"""prepare.py DIRECTORY: file systems for the guest, KIND.disk and a copy of
each, KIND.base; prints the kinds, in the order of the guest's devices."""

import os
import subprocess
import sys

import blocklog
import disk

for kind in disk.kinds():
    path = os.path.join(sys.argv[1], kind)
    if not os.path.exists(path + ".disk"):
        disk.format_image(path + ".disk", kind, blocklog.FS_BYTES +
                          blocklog.MARK_BYTES, blocklog.FS_BYTES)
        subprocess.run(["cp", "--sparse=always", path + ".disk",
                        path + ".base"], check=True)
    print(kind)
