"""Describes a directory so that two can be compared."""
import hashlib
import os
import stat


def describe_one(path):
    st = os.lstat(path)
    facts = {"type": stat.S_IFMT(st.st_mode), "mode": stat.S_IMODE(st.st_mode),
             "uid": st.st_uid, "gid": st.st_gid, "mtime": st.st_mtime_ns}
    if stat.S_ISLNK(st.st_mode):
        facts["to"] = os.readlink(path)
    else:
        facts["xattrs"] = {
            x: os.getxattr(path, x, follow_symlinks=False)
            for x in os.listxattr(path, follow_symlinks=False)}
    if stat.S_ISREG(st.st_mode):
        facts["nlink"] = st.st_nlink
        with open(path, "rb") as f:
            facts["data"] = hashlib.sha256(f.read()).hexdigest()
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        facts["dev"] = st.st_rdev
    return facts


def describe(root):
    root = os.fsencode(root)
    found = {b".": describe_one(root)}
    for base, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(base, name)
            found[os.path.relpath(path, root)] = describe_one(path)
    return found


def differences(a, b):
    out = []
    for path in sorted(set(a) | set(b)):
        one, two = a.get(path), b.get(path)
        if one == two:
            continue
        if one is None or two is None:
            out.append((path, one and "only in first", two and "only in second"))
            continue
        out.append((path, {k: (one.get(k), two.get(k)) for k in one
                           if one.get(k) != two.get(k)}))
    return out
