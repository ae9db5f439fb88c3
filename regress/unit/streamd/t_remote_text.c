#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base64.h"
#include "streamd/resize.h"
#include "streamd/status.h"

static void
expect_status(unsigned int version, int32_t code, const char *why,
    const char *want)
{
	char *text = status_text(version, code, why);

	assert_string_equal(text, want);
	free(text);
}

static void
t_status(void **state)
{
	(void)state;
	expect_status(4, 0, NULL, "{\"metadata\":{},\"status\":\"Success\"}");
	expect_status(5, 42, NULL,
	    "{\"metadata\":{},\"status\":\"Failure\",\"message\":"
	    "\"command terminated with non-zero exit code: 42\",\"reason\":"
	    "\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":"
	    "\"ExitCode\",\"message\":\"42\"}]}}");
	expect_status(4, 0, "a \"b\"",
	    "{\"metadata\":{},\"status\":\"Failure\",\"message\":"
	    "\"error executing command in container: a \\\"b\\\"\","
	    "\"reason\":\"InternalError\",\"details\":{\"causes\":[{"
	    "\"message\":\"error executing command in container: a "
	    "\\\"b\\\"\"}]},\"code\":500}");
	expect_status(3, 0, NULL, "");
	expect_status(1, 3, NULL,
	    "command terminated with non-zero exit code: 3");
	/* clients take eight bits */
	expect_status(1, -1, NULL,
	    "command terminated with non-zero exit code: 255");
	expect_status(1, 256, NULL,
	    "command terminated with non-zero exit code: 255");
}

static void
t_status_not_text(void **state)
{
	char *text = status_text(4, 0, "\xff");

	(void)state;
	assert_non_null(strstr(text, "\"status\":\"Failure\""));
	assert_non_null(strstr(text, "not valid text"));
	free(text);
}

static void
t_resize(void **state)
{
	struct resize r = { 0 };
	struct resize_size s = { 0 };

	(void)state;
	assert_false(resize_take(&r, "{\"Width\":80,", 12, &s));
	assert_true(resize_take(&r, "\"Height\":24}\n", 13, &s));
	assert_int_equal(s.columns, 80);
	assert_int_equal(s.rows, 24);
	assert_true(resize_take(&r,
	    "{\"Width\":1,\"Height\":2}{\"Height\":4,\"Width\":3}", 44, &s));
	assert_int_equal(s.columns, 3);
	assert_int_equal(s.rows, 4);
	assert_false(resize_take(&r, "{\"Width\":65536,\"Height\":2}", 26, &s));
	assert_true(r.bad);
	assert_false(resize_take(&r, "{\"Width\":1,\"Height\":2}", 22, &s));
}

static void
t_resize_bound(void **state)
{
	struct resize r = { 0 };
	struct resize_size s;
	char text[RESIZE_TEXT_MAX + 1];

	(void)state;
	memset(text, ' ', sizeof(text));
	assert_false(resize_take(&r, text, sizeof(text), &s));
	assert_true(r.bad);
}

static void
t_base64(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = { { "", "" }, { "QQ==", "A" }, { "QUI=", "AB" },
		{ "QUJD", "ABC" }, { "QUJDRA==", "ABCD" },
		{ "+/+/", "\xfb\xff\xbf" } };
	static const char *const bad[] = { "Q", "QQ", "QQ=", "QQ==Q",
		"Q===", "=QQQ", "QQ=Q",
		"QUJ DRA==", "QQ==QQ==", "\xff\xff\xff\xff" };
	uint8_t out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct base64 b = { 0 };
		size_t n = 0;

		for (const char *p = good[i].in; *p != '\0'; p++)
			n += (size_t)base64_decode(&b, (const uint8_t *)p, 1,
			    out + n);
		assert_int_equal(base64_end(&b), 0);
		assert_int_equal(n, strlen(good[i].out));
		assert_memory_equal(out, good[i].out, n);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct base64 b = { 0 };

		assert_true(base64_decode(&b, (const uint8_t *)bad[i],
				strlen(bad[i]), out) == -1 ||
			    base64_end(&b) == -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_status),
		cmocka_unit_test(t_status_not_text),
		cmocka_unit_test(t_resize),
		cmocka_unit_test(t_resize_bound),
		cmocka_unit_test(t_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
