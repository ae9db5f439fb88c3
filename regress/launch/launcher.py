"""A launcher alone, with this program in the places of parent and execd."""
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time

import wire

BUILD = os.path.join(wire.TOP, 'build')
NS = {'net': 1, 'ipc': 2, 'uts': 4, 'pid': 8}
CAPS = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']
CAP_BITS = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 10
APPLETS = ('sh sleep cat ls echo id yes head dd printf true false env seq '
           'ps kill wc tr od hostname awk stty readlink grep mkdir ln touch '
           'chmod test tail setsid sync').split()


# The guest of regress/vm/run is emulated.
SLOW = 8 if os.environ.get('CRIOD_IN_VM') else 1
# Where this run's containers are counted.
CGROUP = '/criodtest-%d' % os.getpid()


def new_id():
    return secrets.token_hex(32)


class Ground:
    """The directories that a launcher needs, and one busybox layer."""

    def __init__(self, top):
        self.top = top
        self.state = top + '/run'
        self.image = top + '/lib/image'
        self.container = top + '/lib/container'
        self.logs = top + '/log'
        uid = pwd.getpwnam('_crioexec')
        for path, mode in ((self.state, 0o711), (self.image + '/layer', 0o700),
                           (self.container, 0o700), (self.logs, 0o755),
                           (self.state + '/bundle', 0o700),
                           (self.state + '/empty', 0o555)):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
        os.chown(self.state + '/bundle', uid.pw_uid, uid.pw_gid)
        self.layer(1, self.busybox)

    def layer(self, number, fill):
        fs = '%s/layer/%d/fs' % (self.image, number)
        if not os.path.isdir(fs):
            os.makedirs(fs)
            os.chmod(fs, 0o755)
            fill(fs)
        return number

    @staticmethod
    def busybox(fs):
        for d in ('bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root'):
            os.mkdir(fs + '/' + d)
        shutil.copy('/bin/busybox', fs + '/bin/busybox')
        for a in APPLETS:
            os.link(fs + '/bin/busybox', fs + '/bin/' + a)
        with open(fs + '/etc/passwd', 'w') as f:
            f.write('root:x:0:0:root:/root:/bin/sh\n')
        with open(fs + '/etc/group', 'w') as f:
            f.write('root:x:0:\n')

    def remove(self):
        out = subprocess.run(['umount', self.state + '/ns'],
                             stderr=subprocess.DEVNULL)
        del out
        shutil.rmtree(self.top)


class Launcher:
    RUNTIMES = ('/usr/bin/crun', '/usr/sbin/runc')

    def __init__(self, ground, runtimes=None):
        self.ground = ground
        self.runtimes = runtimes or self.RUNTIMES
        self.start()

    def start(self):
        g = self.ground
        mon, ex = pwd.getpwnam('_criomon'), pwd.getpwnam('_crioexec')
        parent, child = socket.socketpair(socket.AF_UNIX,
                                          socket.SOCK_SEQPACKET)
        argv = [BUILD + '/libexec/criod/execlaunch', '-s', g.state,
                '-i', g.image, '-c', g.container,
                '-l', BUILD + '/libexec/criod',
                '-m', '%d:%d' % (mon.pw_uid, mon.pw_gid),
                '-x', '%d:%d' % (ex.pw_uid, ex.pw_gid), '-v', '2', '-w', '0']
        for r in self.runtimes:
            argv += ['-r', '%s=%s' % (os.path.basename(r), r)]
        fd = child.fileno()
        pid = os.fork()
        if pid == 0:
            null = os.open('/dev/null', os.O_RDWR)
            high = os.dup(fd) if fd > 3 else os.dup2(fd, 20)
            os.dup2(null, 0)
            os.dup2(null, 1)
            os.dup2(high, 3)
            os.set_inheritable(3, True)
            os.closerange(4, 1024)
            os.execve(argv[0], argv, {'SECRET': 'must not be inherited'})
        child.close()
        self.pid = pid
        self.parent = wire.Conn(parent)
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        self.execd = wire.Conn(ours)
        self.parent.send('LINK', [theirs.fileno()], role=0x80)
        theirs.close()
        self.parent.send('START')
        got = self.parent.recv(10)
        assert got is not None and got[0] == 'READY', got

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.parent.sock.close()
        self.execd.sock.close()

    def stop(self):
        self.parent.send('STOP')
        os.waitpid(self.pid, 0)
        self.parent.sock.close()
        self.execd.sock.close()

    def call(self, name, **kw):
        return self.execd.call(name, **kw)


def wait_for(fn, seconds=10, what='condition'):
    end = time.time() + seconds * SLOW
    while time.time() < end:
        v = fn()
        if v:
            return v
        time.sleep(0.01)
    raise AssertionError('waited in vain for ' + what)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class Container:
    """One container: root file system, bundle, monitor."""
    every = []

    def __init__(self, l, args, runtime=0, pod='', layers=(1,), flags=0,
                 tty=False, log=True, memory=None, env=(), ns=None, user=(0, 0),
                 nnp=True, edit=None, parent=CGROUP):
        self.l, self.g = l, l.ground
        self.id = new_id()
        self.runtime = runtime
        self.pod = pod
        self.cgroup = parent + '/' + self.id
        self.log = '%s/%s.log' % (self.g.logs, self.id[:12]) if log else None
        self.args, self.env, self.ns = args, list(env), ns or {}
        self.layers, self.memory, self.user = layers, memory, user
        self.tty, self.nnp, self.edit = tty, nnp, edit
        self.flags = flags | (1 if tty else 0) | (0x80 if nnp else 0)
        self.bundle = self.g.state + '/bundle/' + self.id
        self.mon = None
        Container.every.append(self)

    def process(self, args=None):
        caps = {k: CAPS for k in ('bounding', 'effective', 'permitted')}
        return {
            'terminal': self.tty, 'args': args or self.args, 'cwd': '/',
            'user': {'uid': self.user[0], 'gid': self.user[1]},
            'env': ['PATH=/bin'] + self.env, 'capabilities': caps,
            'noNewPrivileges': self.nnp}

    def spec(self):
        ns = [{'type': t} for t in ('pid', 'mount')]
        for t, path in self.ns.items():
            ns = [n for n in ns if n['type'] != t]
            ns.append({'type': t, 'path': path})
        c = {
            'ociVersion': '1.0.0', 'process': self.process(),
            'root': {'path': self.g.state + '/rootfs/' + self.id + '/fs'},
            'mounts': [
                {'destination': '/proc', 'type': 'proc', 'source': 'proc'},
                {'destination': '/dev', 'type': 'tmpfs', 'source': 'tmpfs',
                 'options': ['nosuid', 'strictatime', 'mode=755']},
                {'destination': '/dev/pts', 'type': 'devpts',
                 'source': 'devpts', 'options': [
                     'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666',
                     'mode=0620']}],
            'linux': {'cgroupsPath': self.cgroup, 'namespaces': ns,
                      'resources': {}}}
        if self.memory:
            c['linux']['resources'] = {'memory': {
                'limit': self.memory, 'swap': self.memory}}
        if self.edit:
            self.edit(c)
        return c

    def rootfs(self):
        _, fds = self.l.call('L_ROOTFS', ctr=self.id,
                             nlayers=len(self.layers), layers=self.layers)
        out = []
        for fd in fds:
            out.append(os.read(fd, 2 << 20))
            os.close(fd)
        return out

    def write_bundle(self):
        ex = pwd.getpwnam('_crioexec')
        os.mkdir(self.bundle, 0o700)
        with open(self.bundle + '/config.json', 'w') as f:
            json.dump(self.spec(), f)
        os.chown(self.bundle, ex.pw_uid, ex.pw_gid)
        os.chown(self.bundle + '/config.json', ex.pw_uid, ex.pw_gid)

    def create_values(self):
        return dict(
            ctr=self.id, pod=self.pod, runtime=self.runtime, flags=self.flags,
            cgroup=self.cgroup, log_dir=self.g.logs if self.log else '',
            log_name=os.path.basename(self.log) if self.log else '',
            uid=self.user[0], gid=self.user[1], caps=CAP_BITS,
            oom_score_adj=0)

    def create(self):
        self.rootfs()
        self.write_bundle()
        return self.create_only()

    def create_only(self):
        got, _ = self.l.call('L_CTR_CREATE', **self.create_values())
        self.pid = got['pid']
        return self

    def start(self):
        self.l.call('L_CTR_START', ctr=self.id, runtime=self.runtime)
        return self

    def signal(self, sig):
        self.l.call('L_CTR_SIGNAL', ctr=self.id, runtime=self.runtime,
                    signal=sig)

    def connect(self):
        """As execd does."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        d = os.open(self.bundle, os.O_PATH)
        try:
            s.connect('/proc/self/fd/%d/monitor.sock' % d)
        finally:
            os.close(d)
        self.mon = wire.Conn(s)
        got = self.mon.recv(5)
        assert got[0] == 'MON_STATE', got
        return got[2]

    def exit_record(self):
        with open(self.bundle + '/exit', 'rb') as f:
            data = f.read()
        if data == b'\0' * len(data):
            return None
        assert data[:6] == b'criod\x01'
        return wire.decode('mon_state', data[16:])

    def wait(self, seconds=10):
        return wait_for(self.exit_record, seconds, 'exit record')

    def record(self):
        with open(self.g.state + '/launch/' + self.id, 'rb') as f:
            return wire.decode('launch_rec', f.read()[16:])

    def exec(self, args, timeout_ms=0, wait=True):
        out_r, out_w = os.pipe()
        err_r, err_w = os.pipe()
        p = wire.memfd(json.dumps(dict(self.process(args),
                                       terminal=False)).encode())
        ident = self.l.execd.begin(
            'L_EXEC', [p, out_w, err_w], ctr=self.id, exec=new_id(),
            runtime=self.runtime, flags=2 | 4, timeout_ms=timeout_ms)
        for fd in (p, out_w, err_w):
            os.close(fd)
        self.outs = (out_r, err_r)
        if not wait:
            return ident
        try:
            values, _ = self.l.execd.end(ident)
        finally:
            out = []
            for fd in (out_r, err_r):
                os.set_blocking(fd, False)
                data = b''
                try:
                    while True:
                        chunk = os.read(fd, 65536)
                        if not chunk:
                            break
                        data += chunk
                except BlockingIOError:
                    pass
                os.close(fd)
                out.append(data)
        return values, out[0], out[1]

    def exec_stream(self, args):
        """Standard input, output and error as pipes: (ident, our ends)."""
        ours, theirs = [], []
        for write in (True, False, False):
            r, w = os.pipe()
            ours.append(w if write else r)
            theirs.append(r if write else w)
        p = wire.memfd(json.dumps(dict(self.process(args),
                                       terminal=False)).encode())
        ident = self.l.execd.begin('L_EXEC', [p] + theirs, ctr=self.id,
                                   exec=new_id(), runtime=self.runtime,
                                   flags=7)
        for fd in [p] + theirs:
            os.close(fd)
        return ident, ours

    def exec_tty(self, args):
        """(ident, the terminal's master)"""
        p = wire.memfd(json.dumps(dict(self.process(args),
                                       terminal=True)).encode())
        name = new_id()
        ident = self.l.execd.begin('L_EXEC', [p], ctr=self.id, exec=name,
                                   runtime=self.runtime, flags=8)
        os.close(p)
        while True:
            if ident in self.l.execd.answers:
                self.l.execd.end(ident)
            got = self.l.execd.recv(60)
            if got[0] == 'L_EXEC_TTY':
                assert got[2]['exec'] == name and got[1] == 0, got
                return ident, got[3][0]
            self.l.execd.answers[got[1]] = got

    def attach(self, streams=7):
        """The client's end, as streamd has it."""
        if self.mon is None:
            self.connect()
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        self.mon.call('MON_ATTACH', [theirs.fileno()], streams=streams)
        theirs.close()
        ours.settimeout(20 * SLOW)
        return ours

    def lines(self):
        with open(self.log, 'rb') as f:
            return f.read().split(b'\n')[:-1]

    def text(self):
        return b''.join(
            line.split(b' ', 3)[3] + (b'\n' if line.split(b' ', 3)[2] == b'F'
                                      else b'') for line in self.lines())

    def delete(self):
        if self in Container.every:
            Container.every.remove(self)
        self.l.call('L_CTR_DELETE', ctr=self.id, runtime=self.runtime)
        self.l.call('L_ROOTFS_DROP', ctr=self.id)
        shutil.rmtree(self.bundle, ignore_errors=True)
        if self.log and os.path.exists(self.log):
            os.unlink(self.log)
