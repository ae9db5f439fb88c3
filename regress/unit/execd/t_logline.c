#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "execd/monitor_line.h"

static void
check(const char *text, size_t len, bool end, size_t want, size_t want_len,
    bool full, bool has_nl)
{
	struct line_piece p;

	assert_int_equal(line_cut((const uint8_t *)text, len, end, &p), want);
	assert_int_equal(p.len, want_len);
	if (want == 0)
		return;
	assert_int_equal(p.full, full);
	assert_int_equal(p.has_nl, has_nl);
}

static void
test_cut(void **state)
{
	(void)state;
	check("", 0, false, 0, 0, true, false);
	check("", 0, true, 0, 0, true, false);
	check("abc", 3, false, 0, 0, true, false);
	check("abc", 3, true, 3, 3, true, false);
	check("abc\ndef", 7, false, 4, 4, true, true);
	check("\n\n", 2, false, 1, 1, true, true);
	check("a\0b\n", 4, false, 4, 4, true, true);
}

static void
test_long(void **state)
{
	static char buf[3 * LINE_MAX_TEXT];

	(void)state;
	memset(buf, 'x', sizeof(buf));
	check(buf, LINE_MAX_TEXT - 1, false, 0, 0, true, false);
	check(buf, LINE_MAX_TEXT, false, LINE_MAX_TEXT, LINE_MAX_TEXT, false,
	    false);
	check(buf, LINE_MAX_TEXT, true, LINE_MAX_TEXT, LINE_MAX_TEXT, true,
	    false);
	check(buf, sizeof(buf), true, LINE_MAX_TEXT, LINE_MAX_TEXT, false,
	    false);
	buf[LINE_MAX_TEXT] = '\n';
	check(buf, sizeof(buf), false, LINE_MAX_TEXT + 1, LINE_MAX_TEXT + 1,
	    true, true);
	buf[LINE_MAX_TEXT] = 'x';
	buf[LINE_MAX_TEXT + 1] = '\n';
	check(buf, sizeof(buf), false, LINE_MAX_TEXT, LINE_MAX_TEXT, false,
	    false);
}

static void
stamp(int64_t ns, const char *want)
{
	char buf[LINE_PREFIX_SIZE];

	line_prefix(buf, ns, "stdout", true);
	assert_string_equal(buf, want);
}

static void
test_prefix(void **state)
{
	char buf[LINE_PREFIX_SIZE];

	(void)state;
	stamp(0, "1970-01-01T00:00:00.000000000Z stdout F ");
	stamp(INT64_C(1767323045678901234),
	    "2026-01-02T03:04:05.678901234Z stdout F ");
	stamp(INT64_C(1709164799999999999),
	    "2024-02-28T23:59:59.999999999Z stdout F ");
	stamp(INT64_C(1709164800) * 1000000000,
	    "2024-02-29T00:00:00.000000000Z stdout F ");
	stamp(INT64_C(4107542400) * 1000000000,
	    "2100-03-01T00:00:00.000000000Z stdout F ");
	stamp(INT64_C(951782400) * 1000000000,
	    "2000-02-29T00:00:00.000000000Z stdout F ");
	stamp(-1, "1970-01-01T00:00:00.000000000Z stdout F ");
	line_prefix(buf, 0, "stderr", false);
	assert_string_equal(buf, "1970-01-01T00:00:00.000000000Z stderr P ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
