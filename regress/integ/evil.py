"""criod with a front that does what a test tells it (regress/evil/front)."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from google.protobuf import (descriptor_pb2, descriptor_pool,
                             message_factory)

import cri
from conftest_integ import wait_for

ROLES = {"streamd": 0x004, "imaged": 0x008, "netd": 0x020, "execd": 0x080}


class Package:
    """Messages by name; a pool of its own, as cri.py's has the same names."""

    def __init__(self, pool, name):
        self.pool, self.name = pool, name
        self.factory = message_factory.MessageFactory(pool)

    def __getattr__(self, name):
        return self.factory.GetPrototype(
            self.pool.FindMessageTypeByName(self.name + "." + name))


def load_messages():
    """The messages of CRI, and criod's own."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.check_call(["protoc", "--include_imports",
                               "--descriptor_set_out=" + out.name,
                               "proto/msg.proto"], cwd=cri.TOP)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    pool = descriptor_pool.DescriptorPool()
    for one in files.file:
        pool.Add(one)
    return Package(pool, "runtime.v1"), Package(pool, "criod")


def message_types():
    with open(os.path.join(cri.TOP, "imsg/msg_table.h")) as f:
        names = re.findall(r"^MSG\((\w+), ", f.read(), re.M)
    return {name: i + 1 for i, name in enumerate(names)}


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error.text)
        self.code, self.text = error.code, error.text


class Evil:
    """Starts it with everything below path; nothing else is unusual."""

    def __init__(self, path, conf, pb, msg):
        self.path, self.pb, self.msg = path, pb, msg
        self.types = message_types()
        self.names = {v: k for k, v in self.types.items()}
        self.ident = 0
        bin_ = os.path.join(path, "bin")
        real = os.path.join(cri.BUILD, "libexec/criod")
        shutil.copytree(real, bin_)
        os.chmod(path, 0o755)
        shutil.copy(os.path.join(cri.TOP, "regress/evil/front"),
                    os.path.join(bin_, "front"))
        with open(os.path.join(bin_, "types.json"), "w") as f:
            json.dump(self.types, f)
        with open(os.path.join(path, "criod.conf"), "w") as f:
            f.write(conf)
        os.chmod(os.path.join(path, "criod.conf"), 0o644)
        subprocess.run([os.path.join(cri.TOP, "contrib/add-users")],
                       check=True)
        self.log = open(os.path.join(path, "log"), "wb")
        self.proc = subprocess.Popen(
            [os.path.join(cri.BUILD, "sbin/criod"), "-d", "-r", path, "-x",
             bin_, "-f", os.path.join(path, "criod.conf")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.sock = socket.socket(socket.AF_UNIX)
        wait_for("the evil front", lambda: os.path.exists(
            os.path.join(bin_, "front.sock")) or self.proc.poll())
        self.sock.connect(os.path.join(bin_, "front.sock"))
        self.file = self.sock.makefile("rw")

    def ask(self, to, name, body):
        """The answer's type and bytes; raises Refused for ERROR."""
        self.ident += 1
        print(json.dumps({"to": ROLES[to], "type": self.types[name],
                          "id": self.ident,
                          "body": body.SerializeToString().hex()}),
              file=self.file, flush=True)
        got = json.loads(self.file.readline())
        assert "gone" not in got, to + " is gone"
        data = bytes.fromhex(got["body"])
        if self.names[got["type"]] == "ERROR":
            raise Refused(self.msg.Error.FromString(data))
        return self.names[got["type"]], data

    def stop(self):
        self.file.close()
        self.sock.close()
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(30)
        self.log.close()
        with open("/proc/self/mountinfo") as f:
            at = [x.split()[4] for x in f]
        for m in sorted(at, reverse=True):
            if m.startswith(self.path + "/"):
                subprocess.run(["umount", "-l", m], check=True)
