#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/wire.h"
#include "lib/fdio.h"

#define BIG (3 * 1024 * 1024)

static int pair[2];

static int
open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static int
setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int
teardown(void **state)
{
	(void)state;
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}

static void
inline_round_trip(void **state)
{
	uint8_t data[] = "hello";
	struct wire_msg out = { .type = 7, .id = 42, .data = data, .len = 5 };
	struct wire_msg in;

	(void)state;
	out.nfds = 1;
	out.fds[0] = STDERR_FILENO;
	assert_int_equal(wire_send(pair[0], &out), 0);
	assert_int_equal(wire_recv(pair[1], &in, 100), 1);
	assert_int_equal(in.type, 7);
	assert_int_equal(in.id, 42);
	assert_int_equal(in.len, 5);
	assert_memory_equal(in.data, "hello", 6);
	assert_int_equal(in.nfds, 1);
	assert_int_equal(fcntl(in.fds[0], F_GETFD), FD_CLOEXEC);
	wire_clear(&in);
}

static void
spilled_round_trip(void **state)
{
	uint8_t *data = malloc(BIG);
	struct wire_msg out = { .type = 9, .data = data, .len = BIG };
	struct wire_msg in;
	int before = open_fds();

	(void)state;
	memset(data, 'x', BIG);
	assert_int_equal(wire_send(pair[0], &out), 0);
	assert_int_equal(wire_recv(pair[1], &in, BIG), 1);
	assert_int_equal(in.len, BIG);
	assert_int_equal(in.nfds, 0);
	assert_memory_equal(in.data, data, BIG);
	wire_clear(&in);
	/* One byte more than the receiver allows. */
	assert_int_equal(wire_send(pair[0], &out), 0);
	assert_int_equal(wire_recv(pair[1], &in, BIG - 1), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(open_fds(), before);
	free(data);
}

static void
end_of_file(void **state)
{
	struct wire_msg in;

	(void)state;
	(void)shutdown(pair[0], SHUT_WR);
	assert_int_equal(wire_recv(pair[1], &in, 10), 0);
}

/* What no well-meaning peer sends: each is refused and leaks nothing. */
static void
malformed(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[20];
		size_t len;
	} cases[] = {
		{ "short header", { 1 }, 15 },
		{ "length too small", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3 },
		    20 },
		{ "length too large", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 },
		    20 },
		{ "unknown flag", { 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4 },
		    20 },
		{ "descriptors claimed",
		    { 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4 }, 20 },
		{ "reserved not zero",
		    { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4 }, 20 },
		{ "spill without memfd", { 1, 0, 1, 0 }, 16 },
	};
	int before = open_fds();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_msg in;

		assert_int_equal(send(pair[0], cases[i].bytes, cases[i].len, 0),
		    cases[i].len);
		if (wire_recv(pair[1], &in, 100) != -1 || errno != EBADMSG)
			fail_msg("%s was taken", cases[i].what);
	}
	assert_int_equal(open_fds(), before);
}

/* A memfd that its sender could still change is not a payload. */
static void
unsealed_spill(void **state)
{
	uint8_t header[16] = { 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { header, sizeof(header) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int fd = memfd_create("t", MFD_ALLOW_SEALING);
	int before = open_fds();
	struct wire_msg in;

	(void)state;
	assert_int_equal(write(fd, "abcd", 4), 4);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	assert_int_equal(sendmsg(pair[0], &mh, 0), 16);
	assert_int_equal(wire_recv(pair[1], &in, 100), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(open_fds(), before);
	(void)close(fd);
}

/* This process may open so many more. */
static void
have_room(int n)
{
	int next = dup(0);
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = n < 0 ? r.rlim_max : (rlim_t)(next + n);
	(void)close(next);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
}

static void
starved_of(struct wire_msg *out, int room)
{
	struct wire_msg in;
	int before = open_fds();

	assert_int_equal(wire_send(pair[0], out), 0);
	have_room(room);
	assert_int_equal(wire_recv(pair[1], &in, BIG), -1);
	assert_int_equal(errno, EMFILE);
	have_room(-1);
	assert_int_equal(in.type, out->type);
	assert_int_equal(in.id, out->id);
	assert_int_equal(in.nfds, 0);
	assert_int_equal(open_fds(), before);
}

/* No room here for what came: not the peer's fault, and nothing leaks. */
static void
starved(void **state)
{
	struct wire_msg fds = { .type = 7, .id = 9, .fds = { 0, 0, 0 } };
	struct wire_msg spilled = { .type = 8, .id = 3, .len = BIG };

	(void)state;
	fds.nfds = 3;
	starved_of(&fds, 0);
	starved_of(&fds, 2);
	spilled.data = calloc(1, BIG);
	starved_of(&spilled, 0);
	free(spilled.data);
}

/* More than it says: there would be no end of it. */
static void
too_many_fds(void **state)
{
	uint8_t header[16] = { 1, 0, 0, 0, 0, 0, 0, 0, WIRE_FDS_MAX };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE((WIRE_FDS_MAX + 1) * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { header, sizeof(header) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int before = open_fds();
	struct wire_msg in;

	(void)state;
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN((WIRE_FDS_MAX + 1) * sizeof(int));
	assert_int_equal(sendmsg(pair[0], &mh, 0), 16);
	assert_int_equal(wire_recv(pair[1], &in, 100), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(open_fds(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(inline_round_trip, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(spilled_round_trip, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(end_of_file, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(unsealed_spill, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(starved, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_fds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
