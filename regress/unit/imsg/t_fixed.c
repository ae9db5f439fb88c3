#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "imsg/fixed.h"

static void
round_trip(void **state)
{
	struct fixed_mon_state in = { 1, 2, 137, -5, 1, 9 }, out;
	struct fixed_rootfs rin = { .nlayers = 2 }, rout;
	uint8_t buf[FIXED_MAX];

	(void)state;
	fixed_encode(&fixed_desc_mon_state, &in, buf);
	assert_int_equal(fixed_size(&fixed_desc_mon_state), 32);
	assert_int_equal(fixed_decode(&fixed_desc_mon_state, buf, 32, &out), 0);
	assert_int_equal(out.finished_at, -5);
	assert_int_equal(out.exit_code, 137);
	assert_int_equal(out.oom, 1);
	assert_int_equal(out.log_lost, 9);
	assert_int_equal(FIXED_SET_STR(rin.ctr, "abc"), 0);
	rin.layers[0] = 7;
	rin.layers[127] = UINT64_MAX;
	fixed_encode(&fixed_desc_rootfs, &rin, buf);
	assert_int_equal(fixed_decode(&fixed_desc_rootfs, buf,
			     fixed_size(&fixed_desc_rootfs), &rout),
	    0);
	assert_string_equal(rout.ctr, "abc");
	assert_true(rout.layers[0] == 7 && rout.layers[127] == UINT64_MAX);
}

static void
wrong_length(void **state)
{
	uint8_t buf[64] = { 0 };
	struct fixed_link l;

	(void)state;
	assert_int_equal(fixed_decode(&fixed_desc_link, buf, 3, &l), -1);
	assert_int_equal(fixed_decode(&fixed_desc_link, buf, 5, &l), -1);
	assert_int_equal(fixed_decode(&fixed_desc_link, buf, 4, &l), 0);
}

static void
strings_end_and_hide_nothing(void **state)
{
	uint8_t buf[65];
	struct fixed_pod p;

	(void)state;
	memset(buf, 'a', sizeof(buf));
	assert_int_equal(fixed_decode(&fixed_desc_pod, buf, 65, &p), -1);
	buf[64] = 0;
	assert_int_equal(fixed_decode(&fixed_desc_pod, buf, 65, &p), 0);
	buf[10] = 0; /* text behind the end */
	assert_int_equal(fixed_decode(&fixed_desc_pod, buf, 65, &p), -1);
}

static void
set_str_refuses_what_does_not_fit(void **state)
{
	char four[4] = "zzz";

	(void)state;
	assert_int_equal(FIXED_SET_STR(four, "abcd"), -1);
	assert_int_equal(FIXED_SET_STR(four, "a"), 0);
	assert_memory_equal(four, "a\0\0\0", 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(wrong_length),
		cmocka_unit_test(strings_end_and_hide_nothing),
		cmocka_unit_test(set_str_refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
