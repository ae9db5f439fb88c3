#!/usr/bin/python3
"""The launcher, monitor and pause with real runtimes.

    cases.py [-d DIR] [-r RUNTIME] [NAME...]

Ends with "N passed, N failed".
"""
import argparse
import contextlib
import errno
import fcntl
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import launcher                                                # noqa: E402
import wire                                                    # noqa: E402
from launcher import CGROUP as CG                              # noqa: E402
from launcher import SLOW, Container, new_id, wait_for         # noqa: E402

TESTS = []
L = None
G = None


def test(fn):
    TESTS.append(fn)
    return fn


def refused(code, fn, *args, **kw):
    try:
        fn(*args, **kw)
    except wire.Failure as e:
        assert e.code == code, (code, e.code, e.text)
        return e.text
    raise AssertionError('not refused')


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def status(pid):
    with open('/proc/%d/status' % pid) as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f
                    if ':\t' in line)


def mounts():
    with open('/proc/self/mountinfo') as f:
        return [line for line in f if G.top in line and
                ' %s/ns ' % G.state not in line]


# Where every process of a container is listed.
PIDS = '/sys/fs/cgroup/pids'
if not os.path.isdir(PIDS):
    PIDS = '/sys/fs/cgroup'


def cgroups():
    out = subprocess.run(['find', '/sys/fs/cgroup', '-type', 'd', '-path',
                          '/sys/fs/cgroup*%s/*' % CG],
                         stdout=subprocess.PIPE, text=True).stdout.split()
    return out


def cgroup_pids(path):
    out = []
    for top, _, names in os.walk(PIDS + path):
        with open(top + '/cgroup.procs') as f:
            out += f.read().split()
    return out


def files():
    out = []
    for top, dirs, names in os.walk(G.top):
        if '/layer' in top:
            continue
        out += [top + '/' + n for n in dirs + names]
    return sorted(out)


# ---- containers ----

@test
def hello():
    c = Container(L, ['sh', '-c', 'echo hello; echo oops >&2; exit 3'],
                  runtime=R)
    assert c.rootfs() == [b'root:x:0:0:root:/root:/bin/sh\n',
                          b'root:x:0:\n']
    c.write_bundle()
    c.create_only()
    assert c.connect()['state'] == 0
    c.start()
    assert c.wait()['exit_code'] == 3
    got = c.mon.recv(5)
    assert got[0] == 'MON_STATE' and got[2]['state'] == 2, got
    assert c.mon.recv(5) is None
    lines = sorted(c.lines(), key=lambda x: x.split()[1])
    assert re.fullmatch(
        rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stderr F oops', lines[0])
    assert lines[1].endswith(b' stdout F hello')
    when = time.time() - c.exit_record()['finished_at'] / 1e9
    assert 0 <= when < 10, when
    c.delete()


@test
def clean_environment():
    c = Container(L, ['sh', '-c', 'env; echo --; ls /proc/self/fd; echo --; '
                      'cat /proc/self/limits; echo --; '
                      'cat /proc/self/oom_score_adj; umask'],
                  runtime=R).create()
    c.start()
    c.wait()
    env, fds, limits, rest = c.text().split(b'--\n')
    assert b'SECRET' not in env
    assert {e.split(b'=')[0] for e in env.split()} <= {
        b'PATH', b'HOME', b'PWD', b'SHLVL'}, env
    # ls itself has 3 open.
    assert set(fds.split()) == {b'0', b'1', b'2', b'3'}, fds
    with open('/proc/self/limits', 'rb') as f:
        mine = f.read()
    for name in (b'Max address space', b'Max file size', b'Max processes',
                 b'Max core file size', b'Max locked memory'):
        def row(t):
            return [x for x in t.split(b'\n') if x.startswith(name)]
        assert row(limits) == row(mine), name
    score, umask = rest.split()
    with open('/proc/self/oom_score_adj', 'rb') as f:
        assert score == f.read().strip()
    assert umask == b'0022', umask
    c.delete()
    # Not by a shell, which ignores some itself.
    c = Container(L, ['grep', 'Sig', '/proc/self/status'], runtime=R)
    c.create().start()
    c.wait()
    assert re.search(rb'SigIgn:\s*0+\n', c.text()) and \
        re.search(rb'SigBlk:\s*0+\n', c.text()), c.text()
    c.delete()


@test
def monitor_confined():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    pid = c.record()['monitor']
    s = status(pid)
    import pwd
    mon = pwd.getpwnam('_criomon')
    assert set(s['Uid'].split()) == {str(mon.pw_uid)}
    assert set(s['Gid'].split()) == {str(mon.pw_gid)} and \
        s['Groups'].strip() == ''
    for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
        assert int(s[k], 16) == 0, k
    assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2'
    assert os.readlink('/proc/%d/root' % pid) == G.state + '/empty'
    with open('/proc/%d/cgroup' % pid) as f:
        text = f.read()
    assert 'criodtest' not in text and '/criod/monitor' in text
    with open('/proc/%d/smaps_rollup' % pid) as f:
        dirty = [int(x.split()[1]) for x in f if x.startswith('Pss_Anon')]
    assert dirty[0] < 120, dirty
    c.signal(9)
    c.wait()
    c.delete()


@test
def big_output():
    n = 1000000
    c = Container(L, ['sh', '-c', 'seq %d; seq 5 >&2' % n],
                  runtime=R).create().start()
    c.wait(120)
    want, err = 1, 0
    with open(c.log, 'rb') as f:
        for line in f:
            parts = line.split(b' ', 3)
            assert parts[2] == b'F'
            if parts[1] == b'stderr':
                err += 1
                continue
            assert int(parts[3]) == want, (line, want)
            want += 1
    assert want == n + 1 and err == 5
    assert c.exit_record()['log_lost'] == 0
    with open(c.log, 'rb') as f:
        assert f.read(1) != b''
    c.delete()


@test
def odd_output():
    """Binary bytes, lines of any length, none at the end."""
    script = ('printf "a\\0b\\377\\n"; printf "\\n"; '
              'head -c 8191 /dev/zero | tr "\\0" x; echo; '
              'head -c 8192 /dev/zero | tr "\\0" y; echo; '
              'head -c 30000 /dev/zero | tr "\\0" z; echo; '
              'printf "no end"')
    c = Container(L, ['sh', '-c', script], runtime=R).create().start()
    c.wait()
    full, part = [], b''
    for line in c.lines():
        stamp, stream, tag, text = line.split(b' ', 3)
        part += text
        assert len(text) <= 8192 and tag in (b'P', b'F')
        if tag == b'F':
            full.append(part)
            part = b''
    assert part == b''
    assert full == [b'a\0b\xff', b'', b'x' * 8191, b'y' * 8192,
                    b'z' * 30000, b'no end'], [len(f) for f in full]
    c.delete()


@test
def exit_codes():
    for args, code in ((['true'], 0), (['false'], 1),
                       (['sh', '-c', 'exit 77'], 77),
                       (['sh', '-c', 'exit 255'], 255)):
        c = Container(L, args, runtime=R).create().start()
        assert c.wait()['exit_code'] == code
        c.delete()
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    c.signal(9)
    r = c.wait()
    assert r['exit_code'] == 137 and r['oom'] == 0
    c.delete()


@test
def signals():
    c = Container(L, ['sh', '-c', 'trap "echo usr" USR1; trap "exit 9" TERM; '
                      'echo up; while :; do sleep 0.05; done'],
                  runtime=R).create().start()
    wait_for(lambda: b'up' in c.text(), what='trap')
    c.signal(0)
    c.signal(signal.SIGUSR1)
    wait_for(lambda: b'usr' in c.text(), what='USR1')
    c.signal(signal.SIGTERM)
    assert c.wait()['exit_code'] == 9
    assert refused(5, c.signal, 0)
    c.signal(signal.SIGTERM)
    c.signal(signal.SIGKILL)
    assert refused(3, c.signal, 1000)
    c.delete()
    c.signal(signal.SIGTERM)
    assert refused(5, c.signal, 0)


@test
def oom():
    c = Container(L, ['sh', '-c', 'echo in; x=a; while :; do x=$x$x; done'],
                  runtime=R, memory=16 << 20).create().start()
    r = c.wait(30)
    assert r['oom'] == 1 and r['exit_code'] == 137, r
    assert c.text() == b'in\n'
    c.delete()


@test
def terminal():
    c = Container(L, ['sh', '-c', 'test -t 0 && test -t 1 && test -t 2 && '
                      'echo tty; exit 4'], runtime=R, tty=True)
    c.create().start()
    assert c.wait()['exit_code'] == 4
    assert c.text() == b'tty\r\n', c.text()
    c.delete()


@test
def stdin_held():
    c = Container(L, ['cat'], runtime=R, flags=2).create().start()
    time.sleep(0.3)
    assert alive(c.pid)
    c.signal(9)
    c.wait()
    c.delete()
    c = Container(L, ['cat'], runtime=R).create().start()
    assert c.wait()['exit_code'] == 0
    c.delete()


@test
def no_log():
    c = Container(L, ['sh', '-c', 'echo x; exit 2'], runtime=R, log=False)
    c.create().start()
    assert c.wait()['exit_code'] == 2
    c.delete()


@test
def log_rotation():
    """No line is lost or doubled while files are switched under load."""
    c = Container(L, ['sh', '-c', 'seq 300000'], runtime=R).create()
    c.connect()
    names = [c.log]
    c.start()
    for i in range(8):
        time.sleep(0.02)
        old = '%s.%d' % (c.log, i)
        os.rename(c.log, old)
        names.insert(-1, old)
        _, fds = L.call('L_CTR_LOG', ctr=c.id, log_dir=G.logs,
                        log_name=os.path.basename(c.log))
        assert os.path.exists(c.log)
        try:
            c.mon.call('MON_LOG', fds)
        except (EOFError, ConnectionError):
            pass
        for fd in fds:
            os.close(fd)
    c.wait(60)
    want = 1
    for name in names:
        with open(name, 'rb') as f:
            for line in f:
                assert int(line.split(b' ', 3)[3]) == want
                want += 1
        os.unlink(name)
    assert want == 300001, want
    c.delete()


@test
def log_full_disk():
    """Drops whole lines, goes on, and takes up again."""
    d = G.top + '/full'
    os.mkdir(d)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', d],
                   check=True)
    try:
        c = Container(L, ['sh', '-c', 'seq 20000; sleep 1; while [ ! -e /go ]'
                          '; do sleep 0.05; done; echo last'], runtime=R)
        c.rootfs()
        c.write_bundle()
        v = c.create_values()
        v.update(log_dir=d, log_name='a.log')
        L.call('L_CTR_CREATE', **v)
        c.start()
        time.sleep(0.7)
        with open(d + '/a.log', 'rb') as f:
            data = f.read()
        assert data.endswith(b'\n') and len(data) > 50000
        assert [int(x.split(b' ')[3]) for x in data.split(b'\n')[:-1]] == \
            list(range(1, data.count(b'\n') + 1))
        os.truncate(d + '/a.log', 0)
        subprocess.run(['touch', '%s/rootfs/%s/fs/go' % (G.state, c.id)])
        r = c.wait()
        assert r['exit_code'] == 0 and r['log_lost'] > 10000, r
        with open(d + '/a.log', 'rb') as f:
            assert f.read().endswith(b' stdout F last\n')
        c.delete()
    finally:
        subprocess.run(['umount', d], check=True)
        os.rmdir(d)


@test
def log_hostile():
    """Names that leave the directory, and things that are no file."""
    c = new_id()
    d = G.top + '/logs2'
    os.mkdir(d)
    os.symlink('/etc', d + '/link')
    os.symlink('/etc/passwd', d + '/p.log')
    os.mkfifo(d + '/fifo.log')
    for name, code in (('../x.log', 3), ('a/../../x', 3), ('/x', 3),
                       ('', 3), ('link/criod-canary', 13), ('p.log', 13),
                       ('fifo.log', 13)):
        refused(code, L.call, 'L_CTR_LOG', ctr=c, log_dir=d, log_name=name)
    refused(3, L.call, 'L_CTR_LOG', ctr=c, log_dir='relative', log_name='x')
    refused(3, L.call, 'L_CTR_LOG', ctr=c, log_dir=d + '/../x', log_name='x')
    refused(13, L.call, 'L_CTR_LOG', ctr=c,
            log_dir='/proc/self/fd/3/x', log_name='x')
    assert not os.path.exists('/etc/criod-canary')
    _, fds = L.call('L_CTR_LOG', ctr=c, log_dir=d + '/new/er',
                    log_name='sub/0.log')
    os.close(fds[0])
    st = os.stat(d + '/new/er/sub/0.log')
    assert st.st_mode & 0o777 == 0o640
    assert os.stat(d + '/new/er').st_mode & 0o777 == 0o755
    subprocess.run(['rm', '-r', d], check=True)


@test
def launcher_killed():
    """kill -9 of the launcher: the container and its monitor go on."""
    c = Container(L, ['sh', '-c', 'i=0; while [ $i -lt 40 ]; do echo $i; '
                      'i=$((i+1)); sleep 0.05; done; exit 6'], runtime=R)
    c.create().start()
    mon = c.record()['monitor']
    L.kill()
    time.sleep(0.5)
    assert alive(c.pid) and alive(mon)
    L.start()
    c.signal(0)
    assert c.connect()['state'] == 0
    out = c.exec(['echo', 'again'])
    assert out[0]['exit_code'] == 0 and out[1] == b'again\n', out
    assert c.wait()['exit_code'] == 6
    assert c.text() == b''.join(b'%d\n' % i for i in range(40))
    wait_for(lambda: not alive(mon), what='monitor to end')
    c.delete()


@test
def killed_while_creating():
    """Everything that is half done when the launcher dies can be removed."""
    for delay in (0.001, 0.003, 0.006, 0.01, 0.02):
        c = Container(L, ['sleep', '100'], runtime=R)
        c.rootfs()
        c.write_bundle()
        L.execd.begin('L_CTR_CREATE', **c.create_values())
        time.sleep(delay)
        L.kill()
        L.start()
        time.sleep(0.1)
        c.delete()
        assert not cgroups(), cgroups()[:2]


@test
def cancelled_create():
    for delay in (0, 0.002, 0.005, 0.01):
        c = Container(L, ['sleep', '100'], runtime=R)
        c.rootfs()
        c.write_bundle()
        ident = L.execd.begin('L_CTR_CREATE', **c.create_values())
        time.sleep(delay)
        L.execd.send('CANCEL', request=ident)
        try:
            L.execd.end(ident)
        except wire.Failure as e:
            assert e.code == 1, e
            assert not os.path.exists('%s/launch/%s' % (G.state, c.id))
            assert not cgroups(), cgroups()[:2]
        c.delete()


@test
def create_fails():
    """The runtime's reason comes back, and nothing stays."""
    before = files()
    c = Container(L, ['/no/such/program'], runtime=R)
    text = refused(13, c.create)
    assert 'no/such' in text or 'no such file' in text.lower(), text
    assert len(text) < 600
    assert not cgroups()
    c.delete()
    c = Container(L, ['true'], runtime=R,
                  edit=lambda s: s.update(linux=5))
    refused(13, c.create)
    c.delete()
    assert files() == before


@test
def create_verified():
    """A runtime that does not do as told is caught."""
    def set_uid(s):
        s['process']['user'] = {'uid': 0, 'gid': 0}

    def more_caps(s):
        for k in ('bounding', 'effective', 'permitted'):
            s['process']['capabilities'][k] = list(
                launcher.CAPS) + ['CAP_NET_RAW']

    def no_nnp(s):
        s['process']['noNewPrivileges'] = False

    def elsewhere(s):
        s['linux']['cgroupsPath'] = CG + '/elsewhere'
    for edit, user, what in ((set_uid, (1000, 1000), '0:0'),
                             (more_caps, (0, 0), 'capabilities'),
                             (no_nnp, (0, 0), 'no_new_privs'),
                             (elsewhere, (0, 0), 'cgroup')):
        c = Container(L, ['sleep', '100'], runtime=R, edit=edit, user=user)
        text = refused(13, c.create)
        assert what in text, text
        c.delete()
    # The wrong cgroup is the runtime's own: delete --force removes it.
    wait_for(lambda: not cgroups(), what='cgroups')


@test
def start_verified():
    c = Container(L, ['sleep', '100'], runtime=R, flags=0x40)
    c.create()
    assert 'filter' in refused(13, c.start)
    c.wait()
    c.delete()


@test
def create_refused():
    c = Container(L, ['sleep', '100'], runtime=R)
    v = c.create_values()
    for change in (dict(ctr='x' * 64), dict(ctr='../' + 'a' * 61),
                   dict(pod='zz'), dict(runtime=7), dict(cgroup='/'),
                   dict(cgroup='/kubepods'), dict(cgroup='x/' + c.id),
                   dict(cgroup='/../' + c.id), dict(log_dir='x'),
                   dict(log_name='../x')):
        refused(3, L.call, 'L_CTR_CREATE', **dict(v, **change))
    c.create()
    refused(6, c.create_only)
    # The refusal undid nothing of what was there.
    time.sleep(0.2)
    assert alive(c.pid) and c.connect()['state'] == 0
    c.delete()


@test
def repeated_delete():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    c.delete()
    L.call('L_CTR_DELETE', ctr=c.id, runtime=R)
    L.call('L_ROOTFS_DROP', ctr=c.id)
    L.call('L_CTR_DELETE', ctr=new_id(), runtime=R)
    L.call('L_ROOTFS_DROP', ctr=new_id())


@test
def sigkill_all():
    """In the host's PID namespace, children outlive the first process."""
    def host_pid(s):
        s['linux']['namespaces'] = [
            n for n in s['linux']['namespaces'] if n['type'] != 'pid']
    c = Container(L, ['sh', '-c', 'setsid sleep 987 & setsid sleep 987 & '
                      'echo up; sleep 987'], runtime=R, edit=host_pid)
    c.create().start()
    wait_for(lambda: b'up' in c.text(), what='children')
    c.signal(9)
    assert c.wait()['exit_code'] == 137
    def left():
        return subprocess.run(['pgrep', '-f', '^sleep 987'],
                              stdout=subprocess.PIPE).stdout
    wait_for(lambda: not left(), what='children to die')
    c.delete()


@test
def grandchild_holds_output():
    """Its output is taken for a moment; the exit is not held up."""
    def host_pid(s):
        s['linux']['namespaces'] = [
            n for n in s['linux']['namespaces'] if n['type'] != 'pid']
    c = Container(L, ['sh', '-c', 'setsid sleep 986 & echo done; exit 5'],
                  runtime=R, edit=host_pid).create()
    t = time.time()
    c.start()
    assert c.wait()['exit_code'] == 5 and time.time() - t < 2 * SLOW
    assert c.text() == b'done\n'
    c.signal(9)
    c.delete()


# ---- streams ----

def drain(fd):
    data = b''
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError as e:
            assert e.errno == errno.EIO
            chunk = b''
        if not chunk:
            os.close(fd)
            return data
        data += chunk


@test
def exec_streams():
    """Both ways at once, more than a pipe holds, then the exit code."""
    c = Container(L, ['sleep', '100'], runtime=R, user=(1000, 1000))
    c.create().start()
    ident, (i, o, e) = c.exec_stream(
        ['sh', '-c', 'echo err >&2; cat; exit 9'])
    data = os.urandom(1 << 20)
    feeder = threading.Thread(target=lambda: (
        launcher.write_all(i, data), os.close(i)))
    feeder.start()
    assert drain(o) == data and drain(e) == b'err\n'
    feeder.join()
    assert L.execd.end(ident)[0] == {'exit_code': 9, 'timed_out': 0}
    # Its end of file is seen while it runs, and so is a closed input.
    ident, (i, o, e) = c.exec_stream(
        ['sh', '-c', 'exec >&- 2>&- <&-; sleep 1004'])
    assert drain(o) == drain(e) == b''
    try:
        while True:
            os.write(i, b'x' * 65536)
    except BrokenPipeError:
        os.close(i)
    wait_for(lambda: sleepers(c, 1004) == 1, what='exec')
    L.execd.send('CANCEL', request=ident)
    refused(1, L.execd.end, ident)
    wait_for(lambda: sleepers(c, 1004) == 0, what='exec to die')
    c.signal(9)
    c.delete()


@test
def exec_terminal():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    for _ in range(3):
        ident, fd = c.exec_tty(['sh', '-c', 'test -t 0 && test -t 1 && '
                                'test -t 2 && stty size; read x; '
                                'stty size; echo got $x; exit 3'])
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('4H', 50, 132, 0, 0))
        os.write(fd, b'word\n')
        out = drain(fd)
        assert b'50 132' in out and b'got word' in out, out
        assert L.execd.end(ident)[0]['exit_code'] == 3
    # The whole of it is killed, though it ignores the hang-up.
    ident, fd = c.exec_tty(['sh', '-c', 'trap "" HUP; sleep 1005 & '
                            'setsid sleep 1005 & sleep 1005'])
    wait_for(lambda: sleepers(c, 1005) == 3, what='exec')
    os.close(fd)
    L.execd.send('CANCEL', request=ident)
    refused(1, L.execd.end, ident)
    wait_for(lambda: sleepers(c, 1005) == 0, what='exec to die')
    try:
        c.exec_tty(['/no/such'])
        raise AssertionError('not refused')
    except wire.Failure as e:
        assert 'no/such' in e.text or 'no such file' in e.text.lower(), e
    assert os.listdir(G.state + '/launch/exec') == [c.id + '.mon']
    assert alive(c.pid)
    c.signal(9)
    c.delete()


@test
def exec_stream_refused():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    p = wire.memfd(b'{}')
    r, w = os.pipe()
    for flags, fds in ((0, [p, r]), (1, [p]), (3, [p, r]), (7, [p, r, w]),
                       (8, [p, r]), (9, [p, r]), (16, [p]), (2, [p, r, w]),
                       (1 << 31, [p])):
        refused(3, L.call, 'L_EXEC', fds=fds, ctr=c.id,
                exec=new_id(), runtime=R, flags=flags)
    for fd in (p, r, w):
        os.close(fd)
    c.signal(9)
    c.delete()


def packets(s, kind, want):
    """Until so many bytes of that kind of output came."""
    out = b''
    while len(out) < want:
        data = s.recv(40000)
        assert data, out
        if data[0] == kind:
            out += data[1:]
    return out


@test
def attach_pipes():
    c = Container(L, ['sh', '-c', 'while read x; do echo "o$x"; '
                      'echo "e$x" >&2; done; exit 6'], runtime=R, flags=2)
    c.create()
    a, b, d = c.attach(), c.attach(2), c.attach(1)
    c.start()
    a.send(b'\0one\n')
    assert packets(a, 1, 5) == b'oone\n' == packets(b, 1, 5)
    assert packets(a, 2, 5) == b'eone\n'
    a.send(b'\3')
    a.close()
    # Standard input is left open for the next.
    d.send(b'\0two\n')
    assert packets(b, 1, 5) == b'otwo\n'
    wait_for(lambda: c.text().endswith(b'etwo\n'), what='the last line')
    # One that breaks the rules is let go, nobody else.
    d.send(b'\1fake')
    assert d.recv(10) == b''
    c.signal(9)
    assert c.wait()['exit_code'] == 137
    assert b.recv(10) == b''
    assert c.text() == b'oone\neone\notwo\netwo\n', c.text()
    c.delete()


@test
def attach_once():
    c = Container(L, ['sh', '-c', 'cat; exit 6'], runtime=R, flags=2 | 4)
    c.create().start()
    a = c.attach()
    data = b''.join(b'%07d\n' % i for i in range(10000))
    got = []
    reader = threading.Thread(
        target=lambda: got.append(packets(a, 1, len(data))))
    reader.start()
    for at in range(0, len(data), 32768):
        a.send(b'\0' + data[at:at + 32768])
    a.send(b'\3')
    reader.join()
    assert got == [data]
    assert c.wait()['exit_code'] == 6
    assert c.text() == data
    c.delete()


@test
def attach_terminal():
    c = Container(L, ['sh', '-c', 'read x; stty size; echo got $x; exit 6'],
                  runtime=R, tty=True, flags=2).create().start()
    a = c.attach(3)
    a.send(b'\4' + struct.pack('<HH', 132, 50))
    a.send(b'\0word\n')
    out = b''
    while True:
        data = a.recv(40000)
        if not data:
            break
        assert data[0] == 1
        out += data[1:]
    assert b'50 132' in out and b'got word' in out, out
    assert c.wait()['exit_code'] == 6
    c.delete()


@test
def attach_hostile():
    """Nobody who is attached delays the container or its log."""
    c = Container(L, ['sh', '-c', 'read x; seq 1 300000; sleep 100'],
                  runtime=R, flags=2).create().start()
    # One that never reads, one that never stops writing, and too many.
    slow, writer = c.attach(), c.attach(1)
    rest = [c.attach(2) for _ in range(6)]
    refused(9, c.attach)
    # Neither a socket nor a stream.
    r, w = os.pipe()
    refused(9, c.mon.call, 'MON_ATTACH', [w], streams=7)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for streams in (0, 8):
        refused(9, c.mon.call, 'MON_ATTACH', [s.fileno()], streams=streams)
    s.close()
    os.close(r)
    os.close(w)
    for a in rest:
        a.close()
    slow.send(b'\0go\n')
    writer.setblocking(False)
    try:
        while True:
            writer.send(b'\0' + b'w' * 32768)
    except BlockingIOError:
        pass
    wait_for(lambda: c.text().endswith(b'300000\n'), what='the log')
    assert c.text().count(b'\n') == 300000
    # Cut off, without a hole in what came before.
    out = b''
    while True:
        data = slow.recv(40000)
        if not data:
            break
        out += data[1:]
    assert out and c.text().startswith(out) and len(out) < len(c.text())
    assert alive(c.pid)
    with open('/proc/%d/smaps_rollup' % c.record()['monitor']) as f:
        own = [int(x.split()[1]) for x in f if x.startswith('Anonymous:')][0]
    print('    own memory of a monitor that was attached to: %d kB' % own)
    assert own < 200
    writer.close()
    c.signal(9)
    c.delete()


@test
def row_47():
    """CVE-2022-23471, CVE-2025-64329: what fails, or is left, leaves nothing.
    """
    c = Container(L, ['sleep', '100'], runtime=R, flags=2).create().start()
    refused(13, c.exec_tty, ['/no/such'])
    c.attach().close()
    mon = c.record()['monitor']

    def look():
        return (len(os.listdir('/proc/%d/fd' % L.pid)),
                len(os.listdir('/proc/%d/fd' % mon)),
                os.listdir('/proc/%d/root/dev/pts' % c.pid),
                sorted(os.listdir(G.state + '/launch/exec')))
    time.sleep(0.2)
    before = look()
    for i in range(20):
        refused(13, c.exec_tty, ['/no/such'])
        for _ in range(10):
            c.attach().close()
        p = wire.memfd(json.dumps(dict(c.process(['sleep', '1006']),
                                       terminal=True)).encode())
        ident = L.execd.begin('L_EXEC', [p], ctr=c.id, exec=new_id(),
                              runtime=R, flags=8)
        os.close(p)
        time.sleep(0.004 * i)
        L.execd.send('CANCEL', request=ident)
        refused(1, L.execd.end, ident)
        for got in L.execd.oneway:
            os.close(got[3][0])
        L.execd.oneway.clear()
    wait_for(lambda: sleepers(c, 1006) == 0, what='execs to die')
    wait_for(lambda: look() == before, what='%s, now %s' % (before, look()))
    c.signal(9)
    c.delete()


# ---- the monitor's socket ----

@test
def monitor_clients():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    # Not a log file, and not allowed now.
    r, w = os.pipe()
    c.connect()
    refused(9, c.mon.call, 'MON_LOG', [w])
    refused(9, c.mon.call, 'MON_QUIT')
    # Garbage ends that connection only.
    for data in (b'', b'x', b'\0' * 16, b'\xff' * 20, b'x' * 5000):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        d = os.open(c.bundle, os.O_PATH)
        s.connect('/proc/self/fd/%d/monitor.sock' % d)
        os.close(d)
        conn = wire.Conn(s)
        assert conn.recv(5)[0] == 'MON_STATE'
        s.send(data)
        assert conn.recv(5) is None
        s.close()
    # Others than root and execd are not served.
    pid = os.fork()
    if pid == 0:
        os.chdir(c.bundle)
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            s.connect('monitor.sock')
            os._exit(3)
        except PermissionError:
            os._exit(0)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 0
    # Not even if the modes let them.
    os.chmod(c.bundle, 0o755)
    os.chmod(c.bundle + '/monitor.sock', 0o777)
    pid = os.fork()
    if pid == 0:
        os.chdir(c.bundle)
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect('monitor.sock')
        try:
            os._exit(0 if s.recv(100) == b'' else 1)
        except ConnectionResetError:
            os._exit(0)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 0
    os.chmod(c.bundle, 0o700)
    # More than it takes.
    conns = []
    for _ in range(3):
        c2 = Container.__new__(Container)
        c2.bundle = c.bundle
        assert c2.connect()['state'] == 0
        conns.append(c2)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    d = os.open(c.bundle, os.O_PATH)
    s.connect('/proc/self/fd/%d/monitor.sock' % d)
    os.close(d)
    try:
        assert s.recv(100) == b''
    except ConnectionResetError:
        pass
    c.signal(9)
    for c2 in conns:
        assert c2.mon.recv(5)[2]['exit_code'] == 137
    c.delete()
    os.close(r)
    os.close(w)


# ---- exec ----

@contextlib.contextmanager
def third_runtimes(scripts):
    """A launcher whose runtimes are these scripts, name to text."""
    top = G.top + '/third'
    paths = []
    os.mkdir(top + '-bin')
    for name, text in scripts.items():
        path = '%s-bin/%s' % (top, name)
        with open(path, 'w') as f:
            f.write('#!/bin/sh\n' + text + '\n')
        os.chmod(path, 0o755)
        paths.append(path)
    l2 = launcher.Launcher(launcher.Ground(top), paths)
    try:
        yield l2
    finally:
        for c in [c for c in Container.every if c.l is l2]:
            c.delete()
        l2.stop()
        l2.ground.remove()
        subprocess.run(['rm', '-r', top + '-bin'], check=True)


@test
def exec_basic():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    r, out, err = c.exec(['sh', '-c', 'echo out; echo err >&2; exit 7'])
    assert (r['exit_code'], r['timed_out'], out, err) == \
        (7, 0, b'out\n', b'err\n'), (r, out, err)
    r, out, err = c.exec(['ls', '/proc/self/fd'])
    assert out.split() == [b'0', b'1', b'2', b'3'], out
    r, out, err = c.exec(['sh', '-c', 'kill -9 $$'])
    assert r['exit_code'] == 137, r
    try:
        c.exec(['/no/such'])
        raise AssertionError('not refused')
    except wire.Failure as e:
        assert 'no/such' in e.text or 'no such file' in e.text.lower(), e
    assert os.listdir(G.state + '/launch/exec') == [c.id + '.mon']
    c.signal(9)
    c.wait()
    try:
        c.exec(['true'])
        raise AssertionError('not refused')
    except wire.Failure:
        pass
    c.delete()
    try:
        c.exec(['true'])
        raise AssertionError('not refused')
    except wire.Failure as e:
        assert e.code == 5


def sleepers(c, number):
    with open('%s%s/cgroup.procs' % (PIDS, c.cgroup)) as f:
        pids = f.read().split()
    out = 0
    for p in pids:
        try:
            with open('/proc/%s/cmdline' % p) as f:
                out += f.read().startswith('sleep\0%d' % number)
        except OSError:
            pass
    return out


@test
def null_device():
    """Runtimes give descriptors to the container's user: not the host's."""
    before = os.stat('/dev/null')
    script = ('chmod 600 /proc/self/fd/0 2>/dev/null; id -u; '
              'cat /proc/self/fd/0; cat')
    c = Container(L, ['sh', '-c', script + '; sleep 100'], runtime=R,
                  user=(1000, 1000)).create().start()
    wait_for(lambda: b'1000' in c.text(), what='start')
    r, out, err = c.exec(['sh', '-c', script])
    assert (r['exit_code'], out) == (0, b'1000\n'), (r, out, err)
    after = os.stat('/dev/null')
    assert (after.st_uid, after.st_gid, after.st_mode) == \
        (before.st_uid, before.st_gid, before.st_mode), after
    c.delete()


@test
def exec_timeout():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    for script in ('sleep 1000', 'sleep 1000 & sleep 1000',
                   '(sleep 1000 &); sleep 1000',
                   'setsid sleep 1000 & sleep 1000',
                   'trap "" TERM; sleep 1000 & sleep 1000 & wait',
                   'sh -c "sleep 1000 & sleep 1000" & wait'):
        t = time.time()
        r, out, err = c.exec(['sh', '-c', script], timeout_ms=300)
        assert r['timed_out'] == 1 and r['exit_code'] == 137, r
        assert 0.25 < time.time() - t < 2 * SLOW
        assert sleepers(c, 1000) == 0, script
    assert alive(c.pid)
    # In time, and what it leaves behind does not hold it up.
    r, out, err = c.exec(['sh', '-c', 'sleep 1001 & echo ok'], timeout_ms=5000)
    assert r == {'exit_code': 0, 'timed_out': 0} and out == b'ok\n'
    c.signal(9)
    c.delete()


@test
def exec_cancelled():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    ident = c.exec(['sh', '-c', 'sleep 1002 & sleep 1002'], wait=False)
    wait_for(lambda: sleepers(c, 1002) == 2, what='exec')
    L.execd.send('CANCEL', request=ident)
    refused(1, L.execd.end, ident)
    wait_for(lambda: sleepers(c, 1002) == 0, what='exec to die')
    # As when the launcher dies.
    c.exec(['sh', '-c', 'sleep 1003 & sleep 1003'], wait=False)
    wait_for(lambda: sleepers(c, 1003) == 2, what='exec')
    L.kill()
    wait_for(lambda: sleepers(c, 1003) == 0, what='exec to die')
    L.start()
    assert alive(c.pid)
    c.signal(9)
    c.delete()


@test
def exec_slow_runtime():
    """It begins the command and does not end: what it began ends with it,
    when nobody waits any more and when the time is over."""
    with third_runtimes({'slow': '%s "$@" || exit; case " $* " in *" exec "*) '
                         'exec sleep 50;; esac' % L.runtimes[R]}) as l2:
        c = Container(l2, ['sleep', '100']).create().start()
        script = 'trap "" HUP; sleep 1006 & setsid sleep 1006 & sleep 1006'
        ident = c.exec(['sh', '-c', script], wait=False)
        wait_for(lambda: sleepers(c, 1006) == 3, what='exec')
        l2.execd.send('CANCEL', request=ident)
        refused(1, l2.execd.end, ident)
        wait_for(lambda: sleepers(c, 1006) == 0, what='exec to die')
        r, _, _ = c.exec(['sh', '-c', script], timeout_ms=1000)
        assert r == {'exit_code': 137, 'timed_out': 1}, r
        assert sleepers(c, 1006) == 0
        assert alive(c.pid)


@test
def exec_many():
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    before = files()
    idents = []
    for i in range(60):
        idents.append((c.exec(['sh', '-c', 'sleep 0.2; exit %d' % i],
                              wait=False), c.outs))
    for i, (ident, outs) in enumerate(idents):
        v, _ = L.execd.end(ident)
        assert v['exit_code'] == i
        for fd in outs:
            os.close(fd)
    assert files() == before
    c.signal(9)
    c.delete()


# ---- root file systems ----

def evil(number, name, make):
    def fill(fs):
        launcher.Ground.busybox(fs)
        os.unlink(fs + '/etc/' + name)
        make(fs + '/etc/' + name)
    return G.layer(number, fill)


def sparse(size):
    def make(path):
        with open(path, 'w') as f:
            f.truncate(size)
    return make


@test
def rootfs_hostile_passwd():
    canary = G.top + '/canary'
    with open(canary, 'w') as f:
        f.write('secret\n')
    os.chmod(canary, 0o644)
    for number, make, want in (
            (101, lambda p: os.symlink(canary, p), b''),
            (102, lambda p: os.symlink('../' * 20 + canary[1:], p), b''),
            (103, os.mkfifo, None), (104, os.mkdir, None),
            (105, lambda p: os.mknod(p, 0o20666, os.makedev(1, 5)), None),
            (106, sparse(10 << 30), None), (107, sparse((1 << 20) + 1), None),
            (108, lambda p: os.symlink(p.rsplit('/')[-1], p), None),
            (109, lambda p: os.symlink('/proc/1/root/etc/passwd', p), b''),
            (110, lambda p: None, b''),
            (111, lambda p: os.symlink('/etc/group', p), b'root:x:0:\n')):
        c = Container(L, ['true'], layers=(evil(number, 'passwd', make),))
        t = time.time()
        if want is None:
            text = refused(9 if number != 108 else 13, c.rootfs)
            assert '/etc/passwd' in text, text
            assert not os.path.exists('%s/rootfs/%s' % (G.state, c.id))
        else:
            assert c.rootfs()[0] == want
            L.call('L_ROOTFS_DROP', ctr=c.id)
        assert time.time() - t < 1 * SLOW
    c = Container(L, ['true'], layers=())
    assert c.rootfs() == [b'', b'']
    L.call('L_ROOTFS_DROP', ctr=c.id)
    refused(13, L.call, 'L_ROOTFS', ctr=new_id(), nlayers=1, layers=[999])
    refused(3, L.call, 'L_ROOTFS', ctr=new_id(), nlayers=129)
    os.unlink(canary)


@test
def rootfs_layers():
    """Order, whiteouts, opaque directories, the root's own mode."""
    def upper(fs):
        os.mkdir(fs + '/etc')
        with open(fs + '/etc/passwd', 'w') as f:
            f.write('upper\n')
        os.mknod(fs + '/etc/group', 0o20000, os.makedev(0, 0))
        os.chmod(fs, 0o751)

    def opaque(fs):
        os.mkdir(fs + '/bin')
        os.setxattr(fs + '/bin', 'user.overlay.opaque', b'y')
    G.layer(120, upper)
    c = Container(L, ['true'], layers=(1, 120))
    assert c.rootfs() == [b'upper\n', b'']
    path = '%s/rootfs/%s/fs' % (G.state, c.id)
    assert os.stat(path).st_mode & 0o7777 == 0o751
    assert os.path.exists(path + '/bin/busybox')
    assert c.rootfs() == [b'upper\n', b'']
    L.call('L_ROOTFS_DROP', ctr=c.id)
    try:
        number = G.layer(121, opaque)
        c = Container(L, ['true'], layers=(1, number))
        c.rootfs()
        assert os.listdir('%s/rootfs/%s/fs/bin' % (G.state, c.id)) == []
        L.call('L_ROOTFS_DROP', ctr=c.id)
    except OSError as e:
        # A tmpfs before Linux 6.6 has no such attributes.
        assert e.errno == errno.EOPNOTSUPP, e
    many = [G.layer(1000000 + i, lambda fs: None) for i in range(127)]
    c = Container(L, ['true'], layers=[1] + many)
    assert c.rootfs()[1] == b'root:x:0:\n'
    L.call('L_ROOTFS_DROP', ctr=c.id)


@test
def rootfs_dir():
    canary = G.top + '/canary'
    os.mkdir(canary)

    def fill(fs):
        launcher.Ground.busybox(fs)
        os.symlink(canary, fs + '/out')
        os.symlink('../../../../../../../..' + canary, fs + '/rel')
        os.symlink('/tmp', fs + '/good')
        os.symlink('/nowhere', fs + '/dangling')
        os.chmod(fs + '/root', 0o000)
    c = Container(L, ['true'], layers=(G.layer(130, fill),))
    c.rootfs()
    path = '%s/rootfs/%s/fs' % (G.state, c.id)
    def make(p):
        return L.call('L_ROOTFS_DIR', ctr=c.id, path=p)
    make('/')
    make('/a/b/c')
    make('/a/b/c')
    make('/good/x')
    make('/root/in')
    for p in ('/out/x', '/rel/x', '/dangling/x', '/etc/passwd/x'):
        refused(13, make, p)
    for p in ('a', '', '/a/../b', '/./a', '/a//b', '/a/'):
        refused(3, make, p)
    assert os.listdir(canary) == []
    st = os.stat(path + '/a/b/c')
    assert (st.st_mode & 0o7777, st.st_uid) == (0o755, 0)
    assert os.path.isdir(path + '/tmp/x') and os.path.isdir(path + '/root/in')
    refused(9, L.call, 'L_ROOTFS_DIR', ctr=new_id(), path='/a')
    L.call('L_ROOTFS_DROP', ctr=c.id)
    os.rmdir(canary)


@test
def rootfs_removed_whole():
    """Depth, modes, immutable files: the writable layer goes in one piece."""
    c = Container(L, ['sh', '-c', 'i=0; while [ $i -lt 900 ]; do mkdir d; '
                      'cd d; i=$((i+1)); done; touch f; cd /; mkdir x; '
                      'touch x/y; chmod 000 x; ln -s /etc x2; '
                      'i=0; mkdir many; while [ $i -lt 500 ]; do '
                      'mkdir many/$i; touch many/$i/f; i=$((i+1)); done'],
                  runtime=R).create().start()
    assert c.wait(30)['exit_code'] == 0
    upper = '%s/%s/upper' % (G.container, c.id)
    subprocess.run(['chattr', '+i', upper + '/x/y'], check=False)
    c.delete()
    assert not os.path.exists('%s/%s' % (G.container, c.id))
    assert os.path.isdir('/etc')


# ---- pods ----

def pod(flags, pid=None, **kw):
    p = pid or new_id()
    values = dict(pod=p, flags=flags, shm_size=1 << 20, hostname='podhost',
                  cgroup=CG + '/pod-' + p[:8])
    values.update(kw)
    got, _ = L.call('L_POD_MAKE', **values)
    return p, got['pause_pid']


def unpod(p):
    L.call('L_POD_UNMAKE', pod=p)


def unparent(p):
    """The pod's own cgroup, which is its maker's to remove."""
    subprocess.run('rmdir /sys/fs/cgroup/*%s/pod-%s /sys/fs/cgroup%s/pod-%s' %
                   (CG, p[:8], CG, p[:8]), shell=True,
                   stderr=subprocess.DEVNULL)


@test
def pod_namespaces():
    p, pause = pod(7)
    assert pause == 0
    d = '%s/ns/%s' % (G.state, p)
    assert sorted(os.listdir(d)) == ['ipc', 'net', 'uts']
    out = subprocess.run(['nsenter', '--net=' + d + '/net',
                          '--uts=' + d + '/uts', 'sh', '-c',
                          'hostname; cat /proc/net/dev | grep -c :; '
                          'ip -br link show lo'], stdout=subprocess.PIPE,
                         text=True).stdout.split()
    assert out[:2] == ['podhost', '1'], out
    shm = '%s/pod/%s/shm' % (G.state, p)
    st = os.statvfs(shm)
    assert st.f_blocks * st.f_frsize == 1 << 20
    assert os.stat(shm).st_mode & 0o7777 == 0o1777
    for flag in (os.ST_NODEV, os.ST_NOSUID, os.ST_NOEXEC):
        assert st.f_flag & flag
    assert pod(7, p) == (p, 0)
    # A container in it.
    c = Container(L, ['hostname'], runtime=R, pod=p, ns={
        'network': d + '/net', 'ipc': d + '/ipc', 'uts': d + '/uts'})
    c.create().start()
    c.wait()
    assert c.text() == b'podhost\n'
    c.delete()
    # And one that the runtime leaves out of it.
    c = Container(L, ['hostname'], runtime=R, pod=p)
    assert 'namespace' in refused(13, c.create)
    c.delete()
    unpod(p)
    unpod(p)


@test
def pod_shared_pid():
    p, pause = pod(15)
    s = status(pause)
    assert set(s['Uid'].split()) == {'65535'} and s['Seccomp'] == '2'
    assert int(s['CapBnd'], 16) == 0 and s['NoNewPrivs'] == '1'
    assert s['NSpid'].split()[-1] == '1'
    with open('/proc/%d/cgroup' % pause) as f:
        assert CG + '/pod-%s/criod-pause-%s' % (p[:8], p) in f.read()
    with open('/proc/%d/mounts' % pause) as f:
        assert len(f.read().split('\n')) == 2
    assert os.listdir('/proc/%d/root/..' % pause) == []
    d = '%s/ns/%s' % (G.state, p)
    assert os.stat(d + '/pid').st_ino == \
        os.stat('/proc/%d/ns/pid' % pause).st_ino
    for n in ('net', 'ipc', 'uts'):
        assert os.stat('%s/%s' % (d, n)).st_ino == \
            os.stat('/proc/%d/ns/%s' % (pause, n)).st_ino
    assert pod(15, p) == (p, pause)
    ns = {'network': d + '/net', 'ipc': d + '/ipc', 'uts': d + '/uts',
          'pid': d + '/pid'}
    # Root with ptrace rights in the pod's PID namespace: nothing of the host
    # is to be seen through pause.
    def ptrace(s):
        for k in ('bounding', 'effective', 'permitted'):
            s['process']['capabilities'][k] = list(
                launcher.CAPS) + ['CAP_SYS_PTRACE']
    c = Container(L, ['sh', '-c', 'ls -a /proc/1/root/ | wc -l; '
                      'ls /proc/1/root/../../../etc; '
                      'echo x > /proc/1/exe; sh -c "sleep 0.1 &" ; exit 8'],
                  runtime=R, pod=p, ns=ns, flags=0x800, edit=ptrace)
    c.rootfs()
    c.write_bundle()
    v = dict(c.create_values(), caps=launcher.CAP_BITS | 1 << 19)
    L.call('L_CTR_CREATE', **v)
    c.start()
    assert c.wait()['exit_code'] == 8
    text = c.text()
    assert b'passwd' not in text, text
    with open(launcher.BUILD + '/libexec/criod/pause', 'rb') as f:
        assert f.read(4) == b'\x7fELF'
    time.sleep(0.3)
    with open('%s%s/pod-%s/criod-pause-%s/cgroup.procs' %
              (PIDS, CG, p[:8], p)) as f:
        assert f.read().split() == [str(pause)]
    c.delete()
    unpod(p)
    assert not alive(pause)
    unparent(p)


@test
def pod_sysctls():
    p = new_id()
    def ask(name, value):
        L.execd.send('L_POD_SYSCTL', pod=p, name=name, value=value)
    ask('net.ipv4.ip_unprivileged_port_start', '0')
    ask('kernel.shm_rmid_forced', '1')
    ask('net/ipv4/conf/lo/forwarding', '1')
    ask('fs.mqueue.msg_max', '77')
    pod(7, p)
    d = '%s/ns/%s' % (G.state, p)
    out = subprocess.run(
        ['nsenter', '--net=' + d + '/net', '--ipc=' + d + '/ipc', 'cat',
         '/proc/sys/net/ipv4/ip_unprivileged_port_start',
         '/proc/sys/kernel/shm_rmid_forced',
         '/proc/sys/net/ipv4/conf/lo/forwarding',
         '/proc/sys/fs/mqueue/msg_max'],
        stdout=subprocess.PIPE, text=True).stdout.split()
    assert out == ['0', '1', '1', '77'], out
    unpod(p)
    before = files()
    for flags, name, value in (
            (7, 'kernel.core_pattern', '|/x'), (7, 'vm.swappiness', '1'),
            (7, 'net.ipv4/../../kernel/core_pattern', 'x'),
            (7, 'net/../kernel/core_pattern', 'x'), (7, 'net', 'x'),
            (7, 'kernel.hostname', 'x'), (6, 'net.ipv4.ip_forward', '1'),
            (5, 'kernel.shmmaxx', '1'), (7, 'net.nosuch', '1'),
            (7, 'net.ipv4.ip_forward', 'bad'), (7, 'kernel.shm', '1'),
            (7, '', 'x'), (5, 'kernel.domainname', 'x'),
            (3, 'net.ipv4.ip_forward\n', 'x')):
        p = new_id()
        L.execd.send('L_POD_SYSCTL', pod=p, name=name, value=value)
        refused(3, pod, flags, p)
        assert not os.path.exists('%s/ns/%s' % (G.state, p))
    assert files() == before
    with open('/proc/sys/kernel/core_pattern') as f:
        assert '|/x' not in f.read()


@test
def pod_files():
    fds = [wire.memfd(t) for t in (b'nameserver 1.2.3.4\n', b'h\n', b'')]
    p, _ = pod(7, fds=fds)
    d = '%s/pod/%s/' % (G.state, p)
    with open(d + 'resolv.conf', 'rb') as f:
        assert f.read() == b'nameserver 1.2.3.4\n'
    with open(d + 'hosts', 'rb') as f, open('/etc/hosts', 'rb') as h:
        assert f.read() == h.read()
    assert os.stat(d + 'hosts').st_mode & 0o777 == 0o644
    assert sorted(os.listdir(d)) == ['hostname', 'hosts', 'resolv.conf',
                                     'shm']
    before = files()
    passwd = os.open('/etc/passwd', os.O_RDONLY)
    refused(13, pod, 7, fds=[passwd])
    for fd in fds + [passwd]:
        os.close(fd)
    assert files() == before
    unpod(p)


@test
def pod_users():
    """All namespaces are those of the pod's users, and go with it."""
    before = files()
    uid = 1 << 20
    p, pause = pod(0x1f, uid=uid, uid_count=65536, gid=uid, gid_count=65536)
    d = '%s/ns/%s' % (G.state, p)
    assert sorted(os.listdir(d)) == ['ipc', 'net', 'pid', 'user', 'uts']
    with open('/proc/%d/uid_map' % pause) as f:
        assert f.read().split() == ['0', str(uid), '65536']
    user = os.stat(d + '/user').st_ino
    for ns in ('net', 'ipc', 'uts', 'pid'):
        # NS_GET_USERNS
        with open(d + '/' + ns) as f:
            fd = fcntl.ioctl(f, 0xb701)
        assert os.fstat(fd).st_ino == user, ns
        os.close(fd)
    unpod(p)
    unparent(p)
    assert not alive(pause)
    assert files() == before and not mounts()


@test
def mounts_refused():
    """Nothing but what the fields allow, and nothing is left."""
    c = Container(L, ['true'])
    c.rootfs()
    d = '%s/rootfs/%s' % (G.state, c.id)

    def mount(code, **kw):
        values = dict(ctr=c.id, number=0, path='/etc')
        values.update(kw)
        refused(code, L.call, 'L_MOUNT', **values)
    mount(3, number=1024)
    mount(3, flags=16)
    os.symlink('/etc', G.top + '/link')
    mount(13, flags=8, path=G.top + '/link')
    mount(13, flags=8, path=G.top + '/link/ssl')
    os.unlink(G.top + '/link')
    mount(3, path='relative')
    mount(3, path='/etc/../root')
    mount(3, flags=1, path='')
    mount(3, flags=1, path='', nlayers=129)
    mount(13, flags=1, path='', nlayers=1, layers=[999])
    mount(13, path='/nowhere')
    mount(5, userns=new_id())
    mount(3, userns='x')
    mount(9, ctr=new_id())
    assert os.listdir(d) == ['fs']
    L.call('L_MOUNT', ctr=c.id, number=3, path='/etc/passwd', flags=4)
    try:
        with open(d + '/m3', 'a'):
            raise AssertionError('written')
    except OSError as e:
        assert e.errno == errno.EROFS
    L.call('L_ROOTFS_DROP', ctr=c.id)
    assert not os.path.exists(d) and os.path.getsize('/etc/passwd')


@test
def pod_refused():
    before = files()
    refused(3, pod, 7, 'x' * 64)
    refused(3, pod, 0x100)
    refused(3, pod, 0x10)
    refused(3, pod, 7, uid=1 << 20)
    refused(3, pod, 0x17, uid=1 << 20, uid_count=1, gid=0, gid_count=1)
    refused(3, pod, 15, cgroup='relative')
    refused(3, pod, 15, cgroup='/a/../b')
    assert files() == before


@test
def pods_many():
    before = files()
    pods = [new_id() for _ in range(200)]
    # With pause: they are all process 1 where they begin.
    idents = [L.execd.begin('L_POD_MAKE', pod=p, flags=15, shm_size=65536,
                            hostname='h') for p in pods]
    for i in idents:
        L.execd.end(i)
    idents = [L.execd.begin('L_POD_UNMAKE', pod=p) for p in pods]
    for i in idents:
        L.execd.end(i)
    assert files() == before and not mounts()


@test
def pod_killed_while_making():
    for delay in (0, 0.001, 0.002, 0.004):
        p = new_id()
        L.execd.begin('L_POD_MAKE', pod=p, flags=15, shm_size=65536,
                      hostname='h', cgroup=CG + '/k')
        time.sleep(delay)
        L.kill()
        L.start()
        time.sleep(0.05)
        unpod(p)
    wait_for(lambda: not cgroup_pids(CG), what='pause to die')
    subprocess.run('rmdir /sys/fs/cgroup/*%s/k /sys/fs/cgroup%s/k' %
                   (CG, CG), shell=True,
                   stderr=subprocess.DEVNULL)


# ---- the rest ----

@test
def features():
    _, fds = L.call('L_FEATURES', runtime=R)
    data = os.read(fds[0], 1 << 20)
    os.close(fds[0])
    version, _, rest = data.partition(b'\0')
    assert version.split()[0] == [b'crun', b'runc'][R], version
    if R == 1:
        assert b'ociVersionMin' in rest and rest.rstrip().endswith(b'}')
    refused(3, L.call, 'L_FEATURES', runtime=9)


@test
def runtime_must_be_roots():
    bad = G.top + '/runtime'
    subprocess.run(['cp', '/bin/true', bad], check=True)
    os.chmod(bad, 0o775)
    l2 = launcher.Launcher(launcher.Ground(G.top + '/second'),
                           [bad, '/usr/bin/crun'])
    try:
        text = refused(9, l2.call, 'L_FEATURES', runtime=0)
        assert 'only root' in text
        os.chmod(bad, 0o755)
        l2.call('L_FEATURES', runtime=0)
        os.chown(bad, 1, 0)
        refused(9, l2.call, 'L_FEATURES', runtime=0)
    finally:
        l2.stop()
        l2.ground.remove()
        os.unlink(bad)


def runtime_settled(path, bundle):
    """What a runtime starts with, and its containers could inherit."""
    with open(path) as f:
        env, fds, rest = f.read().split('--\n')
    assert {e.split('=')[0] for e in env.split()} <= {
        'PATH', 'PWD', 'SHLVL', '_', 'OLDPWD'}, env
    # The shell itself keeps its script open.
    fds = [re.search(r' (\d+) -> (.*)$', line).groups()
           for line in fds.split('\n') if '->' in line]
    assert {fd for fd, _ in fds} >= {'0', '1', '2'} and \
        all(fd in '012' or to.endswith('/spy') for fd, to in fds), fds
    assert 'SigIgn:\t0000000000000000' in rest and \
        'SigBlk:\t0000000000000000' in rest, rest
    assert rest.split('\n')[-3:] == ['0022', bundle, ''], rest


@test
def hanging_runtime():
    """One that says nothing, one that says too much, one that lies."""
    top = G.top + '/third'
    scripts = {
        'spy': '(env; echo --; ls -l /proc/$$/fd; echo --; '
        'grep Sig /proc/$$/status; umask; pwd) > %s-bin/seen; exit 1' % top,
        'loud': 'head -c 100000000 /dev/zero | tr "\\0" e >&2; exit 1',
        'quiet': 'exit 0', 'liar': 'while [ "$1" != --pid-file ]; do shift; '
        'done; echo 1 > $2; exit 0',
        'liar2': 'while [ "$1" != --pid-file ]; do shift; '
        'done; echo $PPID > $2; exit 0'}
    with third_runtimes(scripts) as l2:
        for i, what in ((0, 'did not say why'), (1, 'eee'), (2, 'no pid'),
                        (3, 'no pid'), (4, 'not the container')):
            c = Container(l2, ['true'], runtime=i)
            text = refused(13, c.create)
            assert what in text and len(text) < 1024, text
            if i == 0:
                runtime_settled(top + '-bin/seen', c.bundle)
            c.delete()


@test
def host_path():
    d = G.top + '/hp'
    L.call('L_HOST_PATH', path=d + '/a/b')
    assert os.stat(d + '/a/b').st_mode & 0o777 == 0o755
    L.call('L_HOST_PATH', path=d + '/a/b')
    L.call('L_HOST_PATH', path='/')
    for p in ('x', '', '/a/../b'):
        refused(3, L.call, 'L_HOST_PATH', path=p)
    refused(13, L.call, 'L_HOST_PATH', path='/etc/passwd/x')
    # With links followed, if asked; and nothing made behind one.
    os.symlink('a', d + '/l')
    real = os.path.realpath(d)
    got, _ = L.call('L_HOST_PATH', path=d + '/l/b', flags=1)
    assert got['path'] == real + '/a/b', got
    got, _ = L.call('L_HOST_PATH', path=d + '/l/b')
    assert got['path'] == '', got
    refused(9, L.call, 'L_HOST_PATH', path=d + '/l/c', flags=1)
    assert not os.path.exists(d + '/a/c')
    got, _ = L.call('L_HOST_PATH', path=real + '/a/c/d', flags=1)
    assert got['path'] == real + '/a/c/d', got
    subprocess.run(['rm', '-r', d], check=True)
    _, fds = L.call('L_DEVICES', path='/dev/null')
    text = os.read(fds[0], 4096)
    os.close(fds[0])
    assert text == b'c 1 3 666 0 0 /dev/null\n', text
    refused(5, L.call, 'L_DEVICES', path='/dev/nosuch')


@test
def breach():
    """A malformed message ends the link, is reported, and harms nothing."""
    c = Container(L, ['sleep', '100'], runtime=R).create().start()
    L.execd.sock.send(b'\xff' * 40)
    assert L.execd.recv(5) is None
    got = L.parent.recv(5)
    assert got[0] == 'PEER_BAD' and got[2]['role'] == 0x80, got
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    L.execd = wire.Conn(ours)
    L.parent.send('LINK', [theirs.fileno()], role=0x80)
    theirs.close()
    c.signal(9)
    c.wait()
    c.delete()


@test
def monitor_memory():
    """PSS of each of twenty."""
    cs = [Container(L, ['sleep', '100'], runtime=R).create().start()
          for _ in range(20)]
    total = 0
    for c in cs:
        with open('/proc/%d/smaps_rollup' % c.record()['monitor']) as f:
            total += [int(x.split()[1]) for x in f if
                      x.startswith('Pss:')][0]
    print('    PSS of a monitor, of 20: %.0f kB' % (total / 20))
    assert total / 20 < 200
    for c in cs:
        c.signal(9)
        c.delete()


# ---- numbers and limits ----

def numbers(names, what=1):
    """{(item, file): bytes} of L_STATS."""
    _, fds = L.call('L_STATS', what=what, names=''.join(names))
    with os.fdopen(fds[0], 'rb') as f:
        data = f.read()
    out, at = {}, 0
    while at < len(data):
        item, name, size = struct.unpack_from('<III', data, at)
        out[item, name] = data[at + 12:at + 12 + size]
        at += 12 + size
    assert at == len(data)
    return out


@test
def stats_read():
    c = Container(L, ['sleep', '1000'], runtime=R, memory=64 << 20).create()
    c.start()
    other = new_id()
    got = numbers(['c' + c.id, 'c' + other, '@' + other], 7)
    # What is not there is left out; the others are there all the same.
    assert {k[0] for k in got} == {0}, got.keys()
    when, = struct.unpack_from('<Q', got[0, 0])
    assert abs(when / 1e9 - time.time()) < 10
    assert struct.unpack('<Q', got[0, 1]) == (1,)
    assert any(v == b'%d\n' % (64 << 20) for v in got.values())
    _, sockets, limit = struct.unpack('<QQQ', got[0, 2])
    assert sockets == 0 and limit > 0
    c.delete()


@test
def stats_refused():
    ok = 'c' + new_id()
    for what, names in ((0, ok), (8, ok), (1, ''), (1, ok[:-1]), (1, ok + 'c'),
                        (1, 'x' + ok[1:]), (1, 'c' + '/' * 64),
                        (1, 'c' + '../' * 21 + '.'),
                        (1, ok + '@' + 'g' * 64)):
        refused(3, L.call, 'L_STATS', what=what, names=names)
    refused(3, L.call, 'L_USAGE', ctr='../' + new_id()[3:])


@test
def usage_hostile():
    """A layer that a container filled with what is hard to count."""
    c = Container(L, ['sleep', '1000'], runtime=R)
    c.rootfs()
    upper = '%s/%s/upper' % (G.container, c.id)
    before, _ = L.call('L_USAGE', ctr=c.id)
    os.mkdir(upper + '/closed', 0)
    sparse_fd = os.open(upper + '/closed/sparse', os.O_CREAT | os.O_WRONLY)
    os.ftruncate(sparse_fd, 1 << 40)
    os.write(sparse_fd, b'x' * 8192)
    os.close(sparse_fd)
    os.link(upper + '/closed/sparse', upper + '/again')
    os.symlink('/', upper + '/root')
    os.symlink('..', upper + '/closed/up')
    os.mkfifo(upper + '/fifo')
    os.mknod(upper + '/socket', 0o140600)
    fd = os.open(upper, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir('deep', dir_fd=fd)
        to = os.open('deep', os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = to
    os.close(fd)
    got, _ = L.call('L_USAGE', ctr=c.id)
    assert got['inodes'] - before['inodes'] == 2006, (got, before)
    assert 8192 <= got['bytes'] - before['bytes'] < 64 << 20
    assert got['fs_bytes'] > got['bytes']
    # Directories that move while they are counted.
    stop = threading.Event()

    def move():
        while not stop.is_set():
            os.rename(upper + '/closed', upper + '/deep/closed')
            os.rename(upper + '/deep/closed', upper + '/closed')
    t = threading.Thread(target=move)
    t.start()
    try:
        for _ in range(20):
            try:
                got, _ = L.call('L_USAGE', ctr=c.id)
                assert got['inodes'] < before['inodes'] + 5000
            except wire.Failure as e:
                assert e.code == 10, e.text
    finally:
        stop.set()
        t.join()
    refused(13, L.call, 'L_USAGE', ctr=new_id())
    c.delete()


@test
def usage_confined():
    """What walks through a container's files can do nothing else."""
    c = Container(L, ['sleep', '1000'], runtime=R)
    c.rootfs()
    upper = os.open('%s/%s/upper' % (G.container, c.id), os.O_RDONLY)
    os.mkdir('many', dir_fd=upper)
    many = os.open('many', os.O_RDONLY, dir_fd=upper)
    for i in range(30000):
        os.close(os.open('%d' % i, os.O_CREAT, dir_fd=many))
    os.close(many)
    ident = L.execd.begin('L_USAGE', ctr=c.id)
    seen = None
    end = time.time() + 20 * SLOW
    while seen is None and ident not in L.execd.answers and \
            time.time() < end:
        with open('/proc/%d/task/%d/children' % (L.pid, L.pid)) as f:
            for pid in f.read().split():
                try:
                    st = status(int(pid))
                except OSError:
                    continue
                if st.get('Seccomp') == '2':
                    seen = st
                    root = os.readlink('/proc/%s/root' % pid)
                    fds = os.listdir('/proc/%s/fd' % pid)
    L.execd.end(ident)
    assert seen is not None
    assert seen['Uid'].split() == ['65534'] * 4
    assert seen['CapEff'] == seen['CapPrm'] == '%016x' % (1 << 2)
    assert seen['NoNewPrivs'] == '1'
    assert root.endswith('/upper') and len(fds) <= 8, (root, fds)
    os.close(upper)
    c.delete()


def limits(c):
    """What the kernel has for the container."""
    out = {}
    for top in subprocess.run(
            ['find', '/sys/fs/cgroup', '-type', 'd', '-path', '*' + c.cgroup],
            stdout=subprocess.PIPE, text=True).stdout.split():
        for name in os.listdir(top):
            if re.search('limit_in_bytes|[.]max$|quota|shares|weight$|cpus$',
                         name):
                with open(top + '/' + name) as f:
                    out[name] = f.read()
    return out


def update(c, resources, entries=(), **kw):
    fds = [wire.memfd(resources), wire.memfd(b''.join(
        n.ljust(96, b'\0') + v.ljust(928, b'\0') for n, v in entries))]
    try:
        L.execd.call('L_CTR_UPDATE', fds, ctr=kw.get('ctr', c.id),
               runtime=c.runtime)
    finally:
        for fd in fds:
            os.close(fd)


@test
def update_whole_or_not():
    c = Container(L, ['sleep', '1000'], runtime=R, memory=64 << 20).create()
    update(c, b'{"cpu":{"shares":300}}')
    before = limits(c)
    key = b'memory.high' if os.path.exists(
        '/sys/fs/cgroup/cgroup.controllers') else b'memory.soft_limit_in_bytes'
    good = b'{"memory":{"limit":33554432,"swap":33554432},"cpu":{"shares":99}}'
    for entries in ([(b'cgroup.procs', b'0')], [(b'../cgroup.procs', b'0')],
                    [(b'memory.max/../cgroup.kill', b'1')],
                    [(b'cgroup.kill', b'1')], [(b'notify_on_release', b'1')],
                    [(b'memory.force_empty', b'1')], [(b'x' * 96, b'1')],
                    [(key, b'1' * 928)],
                    [(key, b'16777216'), (b'cpuset.cpus', b'nonsense')]):
        try:
            update(c, good, entries)
        except wire.Failure:
            pass
        else:
            raise AssertionError(entries)
        assert limits(c) == before, entries
        assert alive(c.pid)
    for text in (b'{', b'[]', b'{"cpu":{"cpus":"4095"},"memory":'
                 b'{"limit":16777216,"swap":16777216}}'):
        try:
            update(c, text)
        except wire.Failure:
            assert limits(c) == before, text
    update(c, good, [(key, b'16777216')])
    after = limits(c)
    assert before != after
    refused(5, update, c, good, ctr=new_id())
    refused(3, update, c, good, ctr='a' * 63 + '/')
    # Neither a pipe nor a file that can change.
    r, w = os.pipe()
    loose = os.memfd_create('loose')
    os.write(loose, b'\0' * 1024)
    empty = wire.memfd(b'')
    for fds in ((r, empty), (empty, r), (empty, loose)):
        try:
            L.execd.call('L_CTR_UPDATE', fds, ctr=c.id, runtime=c.runtime)
        except wire.Failure:
            pass
        else:
            raise AssertionError(fds)
    for fd in (r, w, loose, empty):
        os.close(fd)
    assert limits(c) == after
    c.delete()


def checked(fn):
    """Runs one; then no file, mount or cgroup may be left."""
    before = files()
    fn()
    assert not mounts(), mounts()
    wait_for(lambda: not cgroups(), 3, 'cgroups')
    assert files() == before, set(files()) ^ set(before)


def run(names):
    passed = failed = 0
    for fn in TESTS:
        if names and fn.__name__ not in names:
            continue
        try:
            checked(fn)
            passed += 1
            print('ok %s' % fn.__name__)
        except Exception:
            import traceback
            traceback.print_exc()
            failed += 1
            print('FAIL %s' % fn.__name__)
        for c in list(Container.every):
            c.delete()
        sys.stdout.flush()
    return passed, failed


def main():
    global L, G, R
    a = argparse.ArgumentParser()
    a.add_argument('-d', default=None)
    a.add_argument('-r', default=None, choices=('crun', 'runc'))
    a.add_argument('names', nargs='*')
    a = a.parse_args()
    top = a.d or tempfile.mkdtemp(prefix='launch-')
    G = launcher.Ground(top)
    L = launcher.Launcher(G)
    passed = failed = 0
    for R in (0, 1):
        if a.r and a.r != ('crun', 'runc')[R]:
            continue
        print('runtime %s' % ('crun', 'runc')[R])
        p, f = run(a.names)
        passed, failed = passed + p, failed + f
    L.stop()
    G.remove()
    subprocess.run('rmdir /sys/fs/cgroup/*%s' % CG, shell=True,
                   stderr=subprocess.DEVNULL)
    print('launch: %d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


R = 0
if __name__ == '__main__':
    sys.exit(main())
