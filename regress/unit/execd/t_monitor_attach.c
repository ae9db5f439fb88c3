/* Attached clients, with this program as client, container and monitor. */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "execd/monitor.h"

#define ALL (ATTACH_STDIN | ATTACH_STDOUT | ATTACH_STDERR)

struct bench {
	struct monitor m;
	int stdin_read;
	uint8_t got[ATTACH_DATA_MAX * 2];
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int p[2];

	assert_non_null(b);
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	b->stdin_read = p[0];
	b->m.stdin_fd = p[1];
	b->m.out.fd = b->m.err.fd = -1;
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++)
		b->m.attach[i].fd = -1;
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++) {
		if (b->m.attach[i].fd != -1)
			(void)close(b->m.attach[i].fd);
	}
	if (b->m.stdin_fd != -1)
		(void)close(b->m.stdin_fd);
	(void)close(b->stdin_read);
	free(b);
	return 0;
}

static int
attach(struct bench *b, uint32_t streams)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_null(monitor_attach_add(&b->m, pair[1], streams));
	return pair[0];
}

/* One turn of the monitor's loop; how many were served. */
static int
turn(struct bench *b)
{
	struct pollfd p[1 + MONITOR_ATTACH_MAX];
	int served = 0;

	monitor_attach_fill(&b->m, &p[0], &p[1]);
	(void)poll(p, 1 + MONITOR_ATTACH_MAX, 0);
	if (p[0].revents != 0) {
		monitor_attach_write(&b->m);
		served++;
	}
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++) {
		if (p[1 + i].revents == 0)
			continue;
		monitor_attach_read(&b->m, i);
		served++;
	}
	return served;
}

static void
packet(int fd, uint8_t type, const char *data)
{
	uint8_t buf[256];
	size_t n = strlen(data);

	buf[0] = type;
	memcpy(buf + 1, data, n);
	assert_int_equal(send(fd, buf, n + 1, 0), n + 1);
}

static void
expect(struct bench *b, int fd, const char *data)
{
	ssize_t n = read(fd, b->got, sizeof(b->got));

	assert_int_equal(n, strlen(data));
	assert_memory_equal(b->got, data, (size_t)n);
}

static void
expect_end(struct bench *b, int fd)
{
	assert_int_equal(recv(fd, b->got, sizeof(b->got), MSG_DONTWAIT), 0);
}

static void
output(struct bench *b, struct monitor_stream *s, const char *text)
{
	uint8_t buf[64];

	memcpy(buf, text, strlen(text));
	monitor_attach_output(&b->m, s, buf, strlen(text));
}

static void
test_output(void **state)
{
	struct bench *b = *state;
	int both = attach(b, ALL), out = attach(b, ATTACH_STDOUT);

	output(b, &b->m.out, "out");
	output(b, &b->m.err, "err");
	expect(b, both, "\1out");
	expect(b, both, "\2err");
	expect(b, out, "\1out");
	assert_int_equal(recv(out, b->got, 9, MSG_DONTWAIT), -1);
	(void)close(both);
	(void)close(out);
}

static void
test_input(void **state)
{
	struct bench *b = *state;
	int fd = attach(b, ALL);

	packet(fd, ATTACH_PACKET_STDIN, "hello");
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "hello");
	packet(fd, ATTACH_PACKET_STDIN, "");
	packet(fd, ATTACH_PACKET_STDIN, "again");
	assert_int_equal(turn(b), 1);
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "again");
	/* Left open: the next client goes on. */
	packet(fd, ATTACH_PACKET_END, "");
	assert_int_equal(turn(b), 1);
	assert_int_not_equal(b->m.stdin_fd, -1);
	output(b, &b->m.out, "x");
	expect(b, fd, "\1x");
	(void)close(fd);
	assert_int_equal(turn(b), 1);
	assert_int_equal(b->m.attach[0].fd, -1);
	fd = attach(b, ATTACH_STDIN);
	packet(fd, ATTACH_PACKET_STDIN, "b");
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "b");
	(void)close(fd);
}

/* The first client's end of input is the container's, however it comes. */
static void
test_once(void **state)
{
	struct bench *b = *state;
	int other, fd;

	b->m.flags = CTR_FLAG_STDIN | CTR_FLAG_STDIN_ONCE;
	other = attach(b, ATTACH_STDOUT);
	(void)close(other);
	assert_int_equal(turn(b), 1);
	assert_int_not_equal(b->m.stdin_fd, -1);
	fd = attach(b, ALL);
	packet(fd, ATTACH_PACKET_STDIN, "last");
	packet(fd, ATTACH_PACKET_END, "");
	assert_int_equal(turn(b), 1);
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "last");
	expect(b, b->stdin_read, "");
	output(b, &b->m.out, "still");
	expect(b, fd, "\1still");
	/* Input after its end breaks the rules. */
	packet(fd, ATTACH_PACKET_STDIN, "more");
	assert_int_equal(turn(b), 1);
	expect_end(b, fd);
	(void)close(fd);
}

static void
test_once_by_leaving(void **state)
{
	struct bench *b = *state;
	int fd;

	b->m.flags = CTR_FLAG_STDIN | CTR_FLAG_STDIN_ONCE;
	fd = attach(b, ALL);
	packet(fd, ATTACH_PACKET_STDIN, "bye");
	(void)close(fd);
	while (turn(b) > 0)
		continue;
	expect(b, b->stdin_read, "bye");
	expect(b, b->stdin_read, "");
	/* The next one's input goes nowhere, and hurts nobody. */
	fd = attach(b, ALL);
	packet(fd, ATTACH_PACKET_STDIN, "late");
	assert_int_equal(turn(b), 1);
	assert_int_equal(b->m.in_len, 0);
	(void)close(fd);
}

static size_t
fill_pipe(struct bench *b)
{
	size_t n = 0;
	ssize_t got;

	memset(b->got, 'f', sizeof(b->got));
	while ((got = write(b->m.stdin_fd, b->got, 4096)) > 0)
		n += (size_t)got;
	return n;
}

/*
 * A container that does not read: one packet waits, nobody's is read, and
 * who leaves is noticed; those without input are served as ever.
 */
static void
test_blocked(void **state)
{
	struct bench *b = *state;
	int fd = attach(b, ALL), gone = attach(b, ALL);
	size_t filled = fill_pipe(b);

	packet(fd, ATTACH_PACKET_STDIN, "wait");
	assert_int_equal(turn(b), 1);
	assert_int_equal(b->m.in_len, 4);
	packet(fd, ATTACH_PACKET_STDIN, "next");
	assert_int_equal(turn(b), 0);
	(void)close(gone);
	assert_int_equal(turn(b), 1);
	assert_int_equal(b->m.attach[1].fd, -1);
	assert_int_equal(turn(b), 0);
	gone = attach(b, ATTACH_STDOUT);
	output(b, &b->m.out, "o");
	expect(b, gone, "\1o");
	(void)close(gone);
	assert_int_equal(turn(b), 1);
	while (filled > 0) {
		ssize_t n = read(b->stdin_read, b->got, sizeof(b->got));

		filled -= (size_t)n < filled ? (size_t)n : filled;
	}
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "wait");
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "next");
	(void)close(fd);
}

/* The container closed its input: what comes is dropped. */
static void
test_input_refused(void **state)
{
	struct bench *b = *state;
	int fd = attach(b, ALL);

	(void)close(b->stdin_read);
	b->stdin_read = open("/dev/null", O_RDONLY);
	packet(fd, ATTACH_PACKET_STDIN, "x");
	assert_int_equal(turn(b), 1);
	assert_int_equal(b->m.stdin_fd, -1);
	packet(fd, ATTACH_PACKET_STDIN, "y");
	assert_int_equal(turn(b), 1);
	assert_int_equal(turn(b), 0);
	assert_int_not_equal(b->m.attach[0].fd, -1);
	(void)close(fd);
}

static void
test_slow_client(void **state)
{
	struct bench *b = *state;
	int slow = attach(b, ALL), good = attach(b, ATTACH_STDOUT);
	int n;

	for (n = 0; n < 10000 && b->m.attach[0].fd != -1; n++) {
		output(b, &b->m.out, "0123456789");
		if (b->m.attach[1].fd != -1)
			expect(b, good, "\0010123456789");
	}
	assert_in_range(n, 2, 9999);
	assert_int_not_equal(b->m.attach[1].fd, -1);
	(void)close(slow);
	(void)close(good);
}

/* Its input is still there to be read. */
static void
test_gone_with_input(void **state)
{
	struct bench *b = *state;
	int fd = attach(b, ALL);

	packet(fd, ATTACH_PACKET_STDIN, "left");
	(void)close(fd);
	output(b, &b->m.out, "x");
	assert_int_equal(turn(b), 1);
	expect(b, b->stdin_read, "left");
	assert_int_equal(turn(b), 1);
	assert_int_equal(b->m.attach[0].fd, -1);
}

static void
test_breaches(void **state)
{
	static const struct {
		uint32_t streams;
		size_t len;
		uint8_t type;
	} bad[] = {
		{ ATTACH_STDOUT, 2, ATTACH_PACKET_STDIN },
		{ ATTACH_STDOUT, 1, ATTACH_PACKET_END },
		{ ATTACH_STDOUT, 4096, ATTACH_PACKET_RESIZE },
		{ ALL, 2, ATTACH_PACKET_END },
		{ ALL, 4, ATTACH_PACKET_RESIZE },
		{ ALL, 6, ATTACH_PACKET_RESIZE },
		{ ALL, 2, ATTACH_PACKET_STDOUT },
		{ ALL, 2, ATTACH_PACKET_STDERR },
		{ ALL, 2, 5 },
		{ ALL, 2, 255 },
		{ ALL, ATTACH_DATA_MAX + 2, ATTACH_PACKET_STDIN },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = attach(b, bad[i].streams);

		memset(b->got, 0, sizeof(b->got));
		b->got[0] = bad[i].type;
		assert_int_equal(send(fd, b->got, bad[i].len, 0), bad[i].len);
		assert_int_equal(turn(b), 1);
		expect_end(b, fd);
		(void)close(fd);
		assert_int_equal(read(b->stdin_read, b->got, 1), -1);
	}
	/* The longest that may be. */
	int fd = attach(b, ALL);

	b->got[0] = ATTACH_PACKET_STDIN;
	assert_int_equal(send(fd, b->got, ATTACH_DATA_MAX + 1, 0),
	    ATTACH_DATA_MAX + 1);
	assert_int_equal(turn(b), 1);
	assert_int_equal(read(b->stdin_read, b->got, sizeof(b->got)),
	    ATTACH_DATA_MAX);
	(void)close(fd);
}

static void
test_refused(void **state)
{
	struct bench *b = *state;
	int fds[MONITOR_ATTACH_MAX], p[2];

	assert_int_equal(pipe(p), 0);
	assert_non_null(monitor_attach_add(&b->m, p[0], ALL));
	(void)close(p[0]);
	(void)close(p[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	assert_non_null(monitor_attach_add(&b->m, p[0], 0));
	assert_non_null(monitor_attach_add(&b->m, p[0], 8));
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++)
		fds[i] = attach(b, ALL);
	assert_non_null(monitor_attach_add(&b->m, p[0], ALL));
	(void)close(fds[3]);
	assert_int_equal(turn(b), 1);
	assert_null(monitor_attach_add(&b->m, p[0], ALL));
	fds[3] = p[1];
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++)
		(void)close(fds[i]);
}

static void
test_resize(void **state)
{
	struct bench *b = *state;
	struct winsize ws;
	int fd = attach(b, ATTACH_STDOUT), slave;

	assert_int_equal(openpty(&b->m.out.fd, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(send(fd, "\4\150\1\62\0", 5, 0), 5);
	/* Not a terminal's container: no effect. */
	assert_int_equal(turn(b), 1);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &ws), 0);
	assert_int_equal(ws.ws_col, 0);
	b->m.flags = CTR_FLAG_TTY;
	assert_int_equal(send(fd, "\4\150\1\62\0", 5, 0), 5);
	assert_int_equal(turn(b), 1);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &ws), 0);
	assert_int_equal(ws.ws_col, 360);
	assert_int_equal(ws.ws_row, 50);
	(void)close(slave);
	(void)close(b->m.out.fd);
	b->m.out.fd = -1;
	(void)close(fd);
}

#define BENCH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(test_output),
		BENCH(test_input),
		BENCH(test_once),
		BENCH(test_once_by_leaving),
		BENCH(test_blocked),
		BENCH(test_input_refused),
		BENCH(test_slow_client),
		BENCH(test_gone_with_input),
		BENCH(test_breaches),
		BENCH(test_refused),
		BENCH(test_resize),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
