#include <sys/wait.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_label.h"
#include "execd/launch_proc.h"

/* A whole name and nothing else is a profile. */
static void
t_listed(void **state)
{
	static const char list[] = "/usr/bin/man (enforce)\n"
				   "man_filter (complain)\n"
				   "a b (enforce)\n"
				   ":ns://in-a-namespace (enforce)\n"
				   "last (kill)";
	static const char *const yes[] = { "/usr/bin/man", "man_filter", "a b",
		"last" };
	static const char *const no[] = { "", "man", "man_filte", "man_filterx",
		"usr/bin/man", "/usr/bin/man (enforce)", "b", "in-a-namespace",
		"unconfined", "(enforce)", "\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!label_listed(list, yes[i]))
			fail_msg("not found: %s", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (label_listed(list, no[i]))
			fail_msg("found: %s", no[i]);
	}
	assert_false(label_listed("", "x"));
	assert_false(label_listed("\n\n", "x"));
}

/* A process that runs another program when it is told to. */
static pid_t
runner(int *go)
{
	int p[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(p[1]);
		if (read(p[0], &c, 1) == 1)
			(void)execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	(void)close(p[0]);
	*go = p[1];
	return pid;
}

/* Row 19: what runs without its label is told from what does not run yet. */
static void
t_row_19_verify(void **state)
{
	struct fixed_launch_rec r = { 0 };
	struct label_program before;
	struct proc_stat st;
	struct cerr err;
	int go;
	pid_t pid = runner(&go);

	(void)state;
	assert_int_equal(proc_stat_read(pid, &st), 0);
	r.pid = (uint32_t)pid;
	r.start_time = st.start_time;
	label_program_read(pid, &before);
	assert_true(before.ino != 0);
	assert_int_equal(label_verify(&r, &before, &err), 0);
	(void)snprintf(r.apparmor, sizeof(r.apparmor), "no-such-profile");
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(label_verify(&r, &before, &err), -1);
	(void)close(go);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* It has ended: there is nothing to be labelled. */
	assert_int_equal(label_verify(&r, &before, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_listed),
		cmocka_unit_test(t_row_19_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
