#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "imaged/dump.h"

static int
file(const void *buf, size_t len)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, buf, len), (ssize_t)len);
	return fd;
}

static void
test_round(void **state)
{
	static uint8_t big[200000];
	int fd = memfd_create("dump", MFD_CLOEXEC);
	struct dump_out *out = dump_out_new(fd);
	struct dump_in in;
	char text[8];
	uint64_t len, at;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_non_null(out);
	dump_out_number(out, UINT64_MAX);
	dump_out_text(out, "");
	dump_out_text(out, "seven77");
	dump_out_bytes(out, big, sizeof(big));
	dump_out_number(out, 5);
	assert_int_equal(dump_out_end(out, &len), 0);
	assert_int_equal(len, 8 + 8 + 8 + 7 + 8 + sizeof(big) + 8);
	dump_in_begin(&in, fd, len);
	assert_true(dump_in_number(&in, UINT64_MAX) == UINT64_MAX);
	dump_in_text(&in, text, sizeof(text));
	assert_string_equal(text, "");
	dump_in_text(&in, text, sizeof(text));
	assert_string_equal(text, "seven77");
	assert_int_equal(dump_in_skip(&in, sizeof(big), &at), sizeof(big));
	assert_int_equal(at, 39);
	assert_false(dump_in_good(&in));
	assert_int_equal(dump_in_number(&in, 5), 5);
	assert_true(dump_in_good(&in));
	/* Behind the end there is nothing. */
	assert_int_equal(dump_in_number(&in, 5), 0);
	assert_false(dump_in_good(&in));
	(void)close(fd);
}

static void
test_wrong(void **state)
{
	static const uint8_t three[] = { 3, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 'b' };
	struct dump_in in;
	char text[16];
	uint64_t at;
	int fd = file(three, sizeof(three));

	(void)state;
	dump_in_begin(&in, fd, sizeof(three));
	dump_in_text(&in, text, sizeof(text));
	assert_true(in.bad); /* a NUL within */
	dump_in_begin(&in, fd, sizeof(three));
	dump_in_text(&in, text, 3);
	assert_true(in.bad); /* no room for its own */
	dump_in_begin(&in, fd, sizeof(three));
	assert_int_equal(dump_in_number(&in, 2), 0);
	assert_true(in.bad);
	dump_in_begin(&in, fd, sizeof(three));
	(void)dump_in_skip(&in, 2, &at);
	assert_true(in.bad);
	/* Shorter than was said, whoever is wrong. */
	dump_in_begin(&in, fd, sizeof(three) - 1);
	(void)dump_in_skip(&in, 3, &at);
	assert_true(in.bad);
	dump_in_begin(&in, fd, sizeof(three) + 100);
	(void)dump_in_number(&in, 3);
	(void)dump_in_number(&in, 3);
	assert_true(in.bad);
	dump_in_begin(&in, fd, DUMP_MAX + 1);
	assert_true(in.bad);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
