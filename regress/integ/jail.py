"""What tests do to confined processes from outside: make calls fail under them,
have them make calls, and hold them in the middle of their work."""

import ctypes
import errno
import os
import re
import struct
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
PR_SET_SECCOMP, MODE_FILTER = 22, 2
GETREGS, SETREGS, DETACH, CONT, SYSCALL = 12, 13, 17, 7, 24
SEIZE, INTERRUPT = 0x4206, 0x4207
WALL, NOTHREAD = 0x40000000, 0x20000000
# Options: fork, vfork, clone, exec, and calls that can be told from traps.
FAMILY = 1 | 2 | 4 | 8 | 16
TRAP = 5
EVENT_EXEC, EVENT_STOP = 4, 128
REGS = 27	# of struct user_regs_struct
RDI, RSI, RDX, R10, R8, R9 = 14, 13, 12, 7, 9, 8
RAX, ORIG_RAX, RIP = 10, 15, 16


# ---- calls that fail ----

class Prog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refusing(nr, error, first=None):
    """For a new process before exec, as root: from here on call nr fails with
    error, if its first argument is what is given."""
    load, jump, ret = 0x20, 0x15, 0x06
    code = [(load, 0, 0, 0), (jump, 0, 1 if first is None else 3, nr)]
    if first is not None:
        code += [(load, 0, 0, 16), (jump, 0, 1, first)]
    code += [(ret, 0, 0, 0x00050000 | error), (ret, 0, 0, 0x7fff0000)]
    raw = b"".join(struct.pack("=HBBI", *c) for c in code)
    buf = ctypes.create_string_buffer(raw, len(raw))
    prog = Prog(len(code), ctypes.addressof(buf))

    def install():
        if LIBC.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(prog)) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")
    install.keep = buf
    return install


# ---- calls that somebody else makes ----

def ptrace(request, pid, addr=None, data=None):
    if LIBC.ptrace(request, pid, addr, data) == -1:
        raise OSError(ctypes.get_errno(), "ptrace %#x" % request)


def syscall_at(pid):
    """Where the two bytes of the instruction are in a process's program."""
    with open("/proc/%d/maps" % pid) as f:
        areas = [re.match(r"(\w+)-(\w+) r-xp", x) for x in f]
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for m in filter(None, areas):
            start, end = int(m[1], 16), int(m[2], 16)
            mem.seek(start)
            try:
                at = mem.read(end - start).find(b"\x0f\x05")
            except OSError:
                continue	# [vsyscall]
            if at != -1:
                return start + at
    raise AssertionError("%d has no system call in it" % pid)


def inject(pid, nr, *args):
    """Has process pid, wherever it is, make a system call next."""
    at = syscall_at(pid)
    ptrace(SEIZE, pid)
    ptrace(INTERRUPT, pid)
    os.waitpid(pid, WALL)
    regs = (ctypes.c_ulonglong * REGS)()
    ptrace(GETREGS, pid, None, ctypes.addressof(regs))
    for place, value in zip((RDI, RSI, RDX, R10, R8, R9), args):
        regs[place] = value
    # No call is interrupted any more: none is begun again.
    regs[RAX], regs[ORIG_RAX], regs[RIP] = nr, (1 << 64) - 1, at
    ptrace(SETREGS, pid, None, ctypes.addressof(regs))
    ptrace(DETACH, pid)


# ---- processes that are held at a call ----

# What look() answers: which call is made instead, and what was answered if none.
NONE = (1 << 64) - 1
NOT_MADE = -errno.ENOSYS & NONE


def makes(nr):
    """Another call."""
    return nr, NOT_MADE


def answers(value):
    """None, and this answer; below 0: an error."""
    return NONE, value & NONE


def argv0(pid):
    with open("/proc/%d/cmdline" % pid) as f:
        return os.path.basename(f.read().partition("\0")[0])


class Holder(threading.Thread):
    """Watches what process pid starts.  A program of points (name to a call: its
    number and what its first arguments must be, None for any) is held when it
    makes that call, while look(name, pid) is called, once; that may answer what
    is to become of the call.  filtered: only under a filter of its own.  forks:
    programs whose children are watched that never call exec."""

    def __init__(self, pid, points, look, filtered=True, forks=()):
        super().__init__()
        self.pid, self.points, self.look = pid, dict(points), look
        self.filtered, self.forks = filtered, forks
        self.names, self.over = {}, False
        self.ready = threading.Event()

    def __enter__(self):
        self.start()
        self.ready.wait()
        return self

    def __exit__(self, *_):
        self.end()

    def run(self):
        ptrace(SEIZE, self.pid, None, FAMILY)
        self.ready.set()
        while not self.over:
            pid, status = os.waitpid(-1, WALL | NOTHREAD | os.WNOHANG)
            if pid == 0:
                time.sleep(0.001)
            elif os.WIFSTOPPED(status):
                self.stopped(pid, status >> 8)
        for pid in {self.pid} | set(self.names):
            self.let_go(pid)

    def end(self):
        self.over = True
        self.join()

    def let_go(self, pid):
        try:
            ptrace(INTERRUPT, pid)
            os.waitpid(pid, WALL)
            ptrace(DETACH, pid)
        except OSError:
            pass	# it has ended

    def stopped(self, pid, what):
        sig, event = what & 0xff, what >> 8
        try:
            if sig == TRAP and event == EVENT_EXEC and pid != self.pid:
                self.named(pid)
            elif sig == TRAP | 0x80:
                self.called(pid)
            else:
                if event == EVENT_STOP and pid != self.pid:
                    self.born(pid)
                ptrace(SYSCALL if pid in self.names else CONT, pid, None,
                       sig if sig != TRAP and event == 0 else 0)
        except OSError:
            self.names.pop(pid, None)	# killed meanwhile

    def born(self, pid):
        name = argv0(pid)
        if name in self.forks and name in self.points:
            self.names[pid] = name

    def named(self, pid):
        name = argv0(pid)
        self.names.pop(pid, None)
        if name in self.points:
            self.names[pid] = name
            ptrace(SYSCALL, pid)
        else:
            ptrace(DETACH, pid)

    def is_point(self, name, pid, regs):
        nr, *args = self.points.get(name, (None,))
        if regs[ORIG_RAX] != nr or regs[RAX] != NOT_MADE or any(
                want is not None and want != regs[place]
                for want, place in zip(args, (RDI, RSI, RDX))):
            return False
        with open("/proc/%d/status" % pid) as f:
            return not self.filtered or "\nSeccomp:\t2\n" in f.read()

    def called(self, pid):
        name = self.names[pid]
        regs = (ctypes.c_ulonglong * REGS)()
        ptrace(GETREGS, pid, None, ctypes.addressof(regs))
        if self.is_point(name, pid, regs):
            self.points.pop(name)
            instead = self.look(name, pid)
            if instead is not None:
                regs[ORIG_RAX], regs[RAX] = instead
                ptrace(SETREGS, pid, None, ctypes.addressof(regs))
        if name in self.points:
            ptrace(SYSCALL, pid)
        else:
            self.names.pop(pid)
            ptrace(DETACH, pid)
