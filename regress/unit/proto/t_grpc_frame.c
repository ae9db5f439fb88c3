#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "proto/grpc_frame.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void
t_whole(void **state)
{
	struct grpc_frame f = { 0 };
	struct cerr err;

	(void)state;
	assert_false(grpc_frame_whole(&f));
	assert_int_equal(grpc_frame_feed(&f, BYTES("\0\0\0\0\3abc"), 10, &err),
	    0);
	assert_true(grpc_frame_whole(&f));
	assert_memory_equal(f.data, "abc", 3);
	grpc_frame_clear(&f);
}

static void
t_empty(void **state)
{
	struct grpc_frame f = { 0 };
	struct cerr err;

	(void)state;
	assert_int_equal(grpc_frame_feed(&f, BYTES("\0\0\0\0"), 10, &err), 0);
	assert_false(grpc_frame_whole(&f));
	assert_int_equal(grpc_frame_feed(&f, BYTES("\0"), 10, &err), 0);
	assert_true(grpc_frame_whole(&f));
	assert_int_equal(f.cap, 0);
	grpc_frame_clear(&f);
}

static void
t_bytewise(void **state)
{
	static const uint8_t in[] = "\0\0\0\2\4";
	struct grpc_frame f = { 0 };
	struct cerr err;
	uint8_t c = 'x';

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(grpc_frame_feed(&f, in + i, 1, 4096, &err), 0);
	for (size_t i = 0; i < 0x204; i++) {
		assert_false(grpc_frame_whole(&f));
		assert_int_equal(grpc_frame_feed(&f, &c, 1, 4096, &err), 0);
	}
	assert_true(grpc_frame_whole(&f));
	assert_int_equal(grpc_frame_feed(&f, &c, 1, 4096, &err), -1);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	grpc_frame_clear(&f);
}

static void
t_grows_with_what_came(void **state)
{
	struct grpc_frame f = { 0 };
	struct cerr err;

	(void)state;
	assert_int_equal(grpc_frame_feed(&f, BYTES("\0\1\0\0\0a"), 1 << 24,
			     &err),
	    0);
	assert_true(f.cap <= 1024);
	grpc_frame_clear(&f);
}

static void
t_refused(void **state)
{
	static const struct {
		const char *in;
		enum cerr_code code;
	} bad[] = {
		{ "\1\0\0\0\1", CERR_UNIMPLEMENTED },
		{ "\2\0\0\0\1", CERR_INVALID_ARGUMENT },
		{ "\0\0\0\0\x0b", CERR_RESOURCE_EXHAUSTED },
		{ "\0\xff\xff\xff\xff", CERR_RESOURCE_EXHAUSTED },
	};
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct grpc_frame f = { 0 };

		assert_int_equal(grpc_frame_feed(&f, (const uint8_t *)bad[i].in,
				     5, 10, &err),
		    -1);
		assert_int_equal(err.code, bad[i].code);
		grpc_frame_clear(&f);
	}
}

static void
t_header(void **state)
{
	uint8_t head[GRPC_FRAME_HEADER];

	(void)state;
	grpc_frame_header(head, 0x01020304);
	assert_memory_equal(head, "\0\1\2\3\4", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_whole),
		cmocka_unit_test(t_empty),
		cmocka_unit_test(t_bytewise),
		cmocka_unit_test(t_grows_with_what_came),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
