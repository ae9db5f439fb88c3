/* roexec for real: needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/roexec.h"

static pid_t
start(const char *path, char *word)
{
	char name[] = "x", *argv[] = { name, word, NULL }, *env[] = { NULL };
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		roexec(path, argv, env);
		_exit(errno == ENOENT ? 2 : 1);
	}
	return pid;
}

static int
ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_program_cannot_be_written(void **state)
{
	char link[64], to[64], word[] = "1000";
	struct statvfs vfs;
	pid_t pid = start("/bin/sleep", word);
	ssize_t n;

	(void)state;
	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	/* Until then it is this test. */
	do
		n = readlink(link, to, sizeof(to));
	while (n > 1 && memmem(to, (size_t)n, "t_roexec", 8) != NULL);
	assert_int_equal(statvfs(link, &vfs), 0);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(n, 1);
	assert_int_equal(to[0], '/');
	assert_true(vfs.f_flag & ST_RDONLY);
}

static void
a_script_runs(void **state)
{
	static const char text[] = "#!/bin/sh\nexit $1\n";
	char path[] = "/tmp/t_roexec.XXXXXX", word[] = "7";
	int fd = mkstemp(path);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(fchmod(fd, 0700), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(ended(start(path, word)), 7);
	assert_int_equal(unlink(path), 0);
}

static void
nothing_there(void **state)
{
	char word[] = "";

	(void)state;
	assert_int_equal(ended(start("/nonexistent/program", word)), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_cannot_be_written),
		cmocka_unit_test(a_script_runs),
		cmocka_unit_test(nothing_there),
	};

	if (getuid() != 0) {
		print_message("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
