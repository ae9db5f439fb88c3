#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdio.h"
#include "parent/spawn.h"

static char buf[8192];

/* Runs a shell command as a helper would be run; its output in buf. */
static int
shell(const char *command, size_t nfds)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, NULL, NULL };
	char *envp[] = { (char[]){ "ONLY=this" }, NULL };
	struct spawn_def def = { .path = "/bin/sh",
		.argv = argv,
		.envp = envp,
		.nfds = nfds,
		.umask = 027 };
	struct cerr err;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	argv[2] = strdup(command);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	def.fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 1; i < nfds; i++)
		def.fds[i] = fds[1];
	pid = spawn_run(&def, &err);
	assert_true(pid > 0);
	(void)close(fds[1]);
	n = fdio_read_upto(fds[0], buf, sizeof(buf) - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	(void)close(fds[0]);
	(void)close(def.fds[0]);
	free(argv[2]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_descriptors(void **state)
{
	int leak = fcntl(STDIN_FILENO, F_DUPFD, 7); /* not close-on-exec */

	(void)state;
	assert_true(leak >= 7);
	assert_int_equal(
	    shell("for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
		  "19 20; do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done; "
		  "true",
		4),
	    0);
	assert_string_equal(buf, "0 1 2 3 ");
	(void)close(leak);
}

static void
test_environment(void **state)
{
	(void)state;
	assert_int_equal(shell("tr '\\0' ' ' </proc/$$/environ; echo; umask; "
			       "readlink /proc/$$/cwd",
			     3),
	    0);
	assert_string_equal(buf, "ONLY=this \n0027\n/\n");
}

static void
test_signals(void **state)
{
	sigset_t set, old;

	/* The kernel's struct sigaction; 32 and 33 are the C library's own. */
	const unsigned long ign[8] = { 1 };

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	for (int sig = 32; sig <= 33; sig++)
		assert_int_equal(syscall(SYS_rt_sigaction, sig, ign, NULL, 8),
		    0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	assert_int_equal(shell("read -r line </proc/self/status; exec grep -E "
			       "'^Sig(Blk|Ign)' /proc/self/status",
			     3),
	    0);
	assert_string_equal(buf,
	    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	/* The caller's own are as before. */
	(void)sigprocmask(SIG_SETMASK, &old, &set);
	assert_true(sigismember(&set, SIGUSR1));
	(void)signal(SIGPIPE, SIG_DFL);
}

static void
test_session(void **state)
{
	(void)state;
	assert_int_equal(
	    shell("read -r pid comm st ppid pgrp sid rest </proc/$$/stat; "
		  "[ $pid = $pgrp ] && [ $pid = $sid ]",
		3),
	    0);
}

static void
test_exec_fails(void **state)
{
	char *argv[] = { (char[]){ "x" }, NULL };
	char *envp[] = { NULL };
	struct spawn_def def = { .path = "/nonexistent/x",
		.argv = argv,
		.envp = envp,
		.fds = { 0, 1, 2 },
		.nfds = 3 };
	struct cerr err;

	(void)state;
	assert_int_equal(spawn_run(&def, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/x"));
	assert_non_null(strstr(err.text, "No such file"));
	/* Nobody is left to be waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_exec_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
