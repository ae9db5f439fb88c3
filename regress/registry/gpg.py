"""Keys and signatures by GnuPG, each keyring in a directory of its own."""
import os
import subprocess


class Gpg:
    def __init__(self, home):
        self.home = str(home)
        os.makedirs(self.home, mode=0o700)
        self.serial = 0

    def run(self, *args, data=b"", time=None):
        when = ["--faked-system-time", time] if time else []
        p = subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes",
             "--pinentry-mode", "loopback", "--passphrase", "",
             "--trust-model", "always", *when, *args],
            input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert p.returncode == 0, p.stderr.decode()
        return p.stdout

    def key(self, name="signer", kind="ed25519", expire="never", time=None):
        """Makes a key that signs; its fingerprint."""
        self.run("--quick-generate-key", f"{name} <{name}@example.com>", kind,
                 "sign", expire, time=time)
        return self.fingerprints(name)[0]

    def fingerprints(self, name):
        text = self.run("--with-colons", "--fingerprint", "--fingerprint",
                        "-k", f"{name}@example.com").decode()
        return [line.split(":")[9] for line in text.splitlines()
                if line.startswith("fpr:")]

    def public(self, *names, armor=False):
        return self.run(*(["--armor"] if armor else []), "--export", *names)

    def sign(self, data, name="signer", *args, time=None):
        return self.run("--local-user", f"{name}@example.com", *args,
                        "--sign", data=data, time=time)

    def revoke(self, fingerprint):
        path = os.path.join(self.home, "openpgp-revocs.d",
                            fingerprint + ".rev")
        with open(path) as f:
            text = f.read().replace(":-----BEGIN", "-----BEGIN")
        self.run("--import", data=text.encode())

    def stop(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"],
                       check=True)
