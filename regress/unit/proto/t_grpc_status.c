#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "proto/grpc_status.h"

static void
t_timeout_good(void **state)
{
	static const struct {
		const char *s;
		int64_t ms;
	} good[] = {
		{ "0S", 0 },
		{ "0n", 0 },
		{ "1n", 1 },
		{ "999999n", 1 },
		{ "1000000n", 1 },
		{ "1000001n", 2 },
		{ "1500u", 2 },
		{ "20m", 20 },
		{ "3S", 3000 },
		{ "2M", 120000 },
		{ "1H", 3600000 },
		{ "00000001S", 1000 },
		{ "99999999H", INT64_C(359999996400000) },
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(grpc_timeout_parse(good[i].s, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
}

static void
t_timeout_bad(void **state)
{
	static const char *const bad[] = { "", "S", "1", "1s", "1h",
		"123456789S", "-1S", "+1S", " 1S", "1S ", "1.5S", "1SS", "?",
		"0x1S" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(grpc_timeout_parse(bad[i], &ms), -1);
}

static void
t_text(void **state)
{
	char out[GRPC_TEXT_MAX];

	(void)state;
	grpc_text_encode("", out);
	assert_string_equal(out, "");
	grpc_text_encode("plain ~ text", out);
	assert_string_equal(out, "plain ~ text");
	grpc_text_encode("100%\n\x7f\xc3\xa9", out);
	assert_string_equal(out, "100%25%0A%7F%C3%A9");
}

static void
t_text_longest(void **state)
{
	char text[CERR_TEXT_MAX], out[GRPC_TEXT_MAX];

	(void)state;
	memset(text, '%', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	grpc_text_encode(text, out);
	assert_int_equal(strlen(out), 3 * (sizeof(text) - 1));
}

static void
t_number(void **state)
{
	(void)state;
	assert_string_equal(grpc_status_number(CERR_OK), "0");
	assert_string_equal(grpc_status_number(CERR_UNAUTHENTICATED), "16");
	assert_string_equal(grpc_status_number((enum cerr_code)17), "2");
	assert_string_equal(grpc_status_number((enum cerr_code) - 1), "2");
}

static void
t_content_type(void **state)
{
	(void)state;
	assert_true(grpc_content_type_ok("application/grpc"));
	assert_true(grpc_content_type_ok("application/grpc+proto"));
	assert_true(grpc_content_type_ok("application/grpc;a=b"));
	assert_true(grpc_content_type_ok("application/grpc+proto;a=b"));
	assert_false(grpc_content_type_ok(""));
	assert_false(grpc_content_type_ok("application/grp"));
	assert_false(grpc_content_type_ok("application/grpcx"));
	assert_false(grpc_content_type_ok("application/grpc+json"));
	assert_false(grpc_content_type_ok("application/grpc+protobuf"));
	assert_false(grpc_content_type_ok("Application/grpc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_timeout_good),
		cmocka_unit_test(t_timeout_bad),
		cmocka_unit_test(t_text),
		cmocka_unit_test(t_text_longest),
		cmocka_unit_test(t_number),
		cmocka_unit_test(t_content_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
