#include <sys/prctl.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "execd/ctr_flags.h"
#include "execd/launch_proc.h"
#include "execd/launch_verify.h"

static void
test_stat(void **state)
{
	struct proc_stat st;

	(void)state;
	assert_int_equal(proc_stat_parse("42 (a) R 1 (x)) S 7 42 99 0 -1 "
					 "4194304 136 0 0 0 0 0 0 0 20 0 1 0 "
					 "502505 4096 1 184 0\n",
			     &st),
	    0);
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 7);
	assert_int_equal(st.session, 99);
	assert_int_equal(st.start_time, 502505);
	assert_int_equal(proc_stat_parse("42 (a) S 7 42\n", &st), -1);
	assert_int_equal(proc_stat_parse("", &st), -1);
	assert_int_equal(proc_stat_read(getpid(), &st), 0);
	assert_int_equal(st.ppid, getppid());
}

/* A pid that was used again is not the process that was meant. */
static void
test_identity(void **state)
{
	struct proc_stat st;
	pid_t pid = fork();
	int fd;

	(void)state;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(proc_stat_read(pid, &st), 0);
	assert_int_equal(proc_open(pid, st.start_time + 1), -1);
	assert_int_equal(proc_open(1, st.start_time), -1);
	fd = proc_open(pid, st.start_time);
	assert_int_not_equal(fd, -1);
	assert_false(proc_wait(fd, 0));
	assert_int_equal(proc_signal(fd, SIGKILL), 0);
	assert_true(proc_wait(fd, 5000));
	(void)close(fd);
	assert_int_equal(proc_open(pid, st.start_time), -1); /* a zombie */
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(proc_open(pid, st.start_time), -1);
}

static const char text[] = "Name:\tx\\nUid:\\t0 0 0 0\n"
			   "Umask:\t0022\nUid:\t1000\t1000\t1000\t1000\n"
			   "Gid:\t1001\t1001\t1001\t1001\n"
			   "CapInh:\t0000000000000000\n"
			   "CapPrm:\t0000000000000400\n"
			   "CapEff:\t0000000000000400\n"
			   "CapBnd:\t00000000000004fb\n"
			   "CapAmb:\t0000000000000000\n"
			   "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

static void
test_status(void **state)
{
	struct fixed_ctr_create c = { .uid = 1000,
		.gid = 1001,
		.caps = 0x4fb,
		.flags = CTR_FLAG_NNP };
	struct proc_status s, bad;

	(void)state;
	assert_int_equal(proc_status_parse(text, &s), 0);
	assert_int_equal(s.uid[3], 1000);
	assert_int_equal(s.bnd, 0x4fb);
	assert_int_equal(s.seccomp, 2);
	assert_int_equal(verify_status(&s, &c, NULL), 0);
	assert_int_equal(proc_status_parse("Uid:\t0\n", &bad), -1);
	for (int i = 0; i < 4; i++) {
		bad = s;
		bad.uid[i] = 0;
		assert_int_equal(verify_status(&bad, &c, NULL), -1);
		bad = s;
		bad.gid[i] = 0;
		assert_int_equal(verify_status(&bad, &c, NULL), -1);
	}
	bad = s;
	bad.bnd |= 1 << 21;
	assert_int_equal(verify_status(&bad, &c, NULL), -1);
	bad = s;
	bad.inh = 0x400;
	assert_int_equal(verify_status(&bad, &c, NULL), -1);
	bad.amb = 0x400;
	assert_int_equal(verify_status(&bad, &c, NULL), 0);
	bad = s;
	bad.nnp = 0;
	assert_int_equal(verify_status(&bad, &c, NULL), -1);
	c.flags = 0;
	assert_int_equal(verify_status(&bad, &c, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
