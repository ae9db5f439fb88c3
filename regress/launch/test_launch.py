"""The cases of cases.py, with each runtime, for pytest."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases                                                   # noqa: E402
import launcher                                                # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


@pytest.fixture(scope='module')
def ground(tmp_path_factory):
    cases.G = launcher.Ground(str(tmp_path_factory.mktemp('launch')))
    cases.L = launcher.Launcher(cases.G)
    yield
    cases.L.stop()
    cases.G.remove()
    subprocess.run('rmdir /sys/fs/cgroup/*%s' % launcher.CGROUP, shell=True,
                   stderr=subprocess.DEVNULL)


@pytest.mark.parametrize('runtime', (0, 1), ids=('crun', 'runc'))
@pytest.mark.parametrize('case', cases.TESTS, ids=lambda f: f.__name__)
def test_launch(ground, case, runtime):
    cases.R = runtime
    try:
        cases.checked(case)
    finally:
        for c in list(launcher.Container.every):
            c.delete()
