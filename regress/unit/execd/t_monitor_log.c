/* The log writer, over pipes, into a file that fills up. */
#include <sys/resource.h>
#include <sys/stat.h>

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

#include "execd/monitor.h"

struct bench {
	struct monitor m;
	int write_fd;
	char path[32];
	char text[65536];
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int p[2];

	assert_non_null(b);
	strcpy(b->path, "/tmp/t_monitor_log.XXXXXX");
	b->m.log_fd = mkostemp(b->path, O_APPEND);
	assert_int_not_equal(b->m.log_fd, -1);
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	b->m.out.fd = p[0];
	b->m.out.name = "stdout";
	b->write_fd = p[1];
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	(void)unlink(b->path);
	(void)close(b->m.log_fd);
	if (b->m.out.fd != -1)
		(void)close(b->m.out.fd);
	(void)close(b->write_fd);
	free(b);
	return 0;
}

static void
say(struct bench *b, const char *text)
{
	assert_int_equal(write(b->write_fd, text, strlen(text)), strlen(text));
	monitor_log_read(&b->m, &b->m.out, false);
}

/* The log without its time stamps. */
static const char *
logged(struct bench *b)
{
	static char out[65536];
	size_t n = 0;
	char *line, *next = b->text;
	ssize_t len = pread(b->m.log_fd, b->text, sizeof(b->text) - 1, 0);

	assert_true(len >= 0);
	b->text[len] = '\0';
	out[0] = '\0';
	while ((line = strsep(&next, "\n")) != NULL && *line != '\0')
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s\n",
		    line + 38);
	return out;
}

static void
test_lines(void **state)
{
	struct bench *b = *state;

	say(b, "one\ntwo\nthr");
	assert_string_equal(logged(b), "F one\nF two\n");
	say(b, "ee\n\nend");
	assert_string_equal(logged(b), "F one\nF two\nF three\nF \n");
	(void)close(b->write_fd);
	b->write_fd = -1;
	monitor_log_read(&b->m, &b->m.out, false);
	assert_int_equal(b->m.out.fd, -1);
	assert_string_equal(logged(b), "F one\nF two\nF three\nF \nF end\n");
}

/* Nothing to read is not the end. */
static void
test_empty(void **state)
{
	struct bench *b = *state;

	monitor_log_read(&b->m, &b->m.out, false);
	assert_int_not_equal(b->m.out.fd, -1);
	say(b, "held");
	monitor_log_read(&b->m, &b->m.out, true);
	assert_int_equal(b->m.out.fd, -1);
	assert_string_equal(logged(b), "F held\n");
}

static void
test_full(void **state)
{
	struct bench *b = *state;
	struct rlimit old, lim;
	struct stat st;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	lim = old;
	lim.rlim_cur = 100; /* two lines of 44, and a torn third */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	say(b, "aaa\nbbb\nccc\nddd\n");
	assert_int_equal(b->m.log_lost, 2);
	say(b, "eee\n");
	assert_int_equal(b->m.log_lost, 3);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(fstat(b->m.log_fd, &st), 0);
	assert_int_equal(st.st_size, 88);
	say(b, "fff\n");
	assert_string_equal(logged(b), "F aaa\nF bbb\nF fff\n");
}

static void
test_usable(void **state)
{
	struct bench *b = *state;
	int rd = open(b->path, O_RDONLY), wr = open(b->path, O_WRONLY);

	assert_true(monitor_log_usable(b->m.log_fd));
	assert_false(monitor_log_usable(rd));
	assert_false(monitor_log_usable(wr)); /* no O_APPEND */
	assert_false(monitor_log_usable(b->write_fd));
	assert_false(monitor_log_usable(-1));
	(void)close(rd);
	(void)close(wr);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lines),
		T(test_empty),
		T(test_full),
		T(test_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
