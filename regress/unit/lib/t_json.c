#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"

static json_t *
load(const char *text, size_t max, struct cerr *err)
{
	memset(err, 0, sizeof(*err));
	return json_read_bounded("test", text, strlen(text), max, err);
}

static void
test_good(void **state)
{
	struct cerr err;
	json_t *v, *doc = load("{\"a\": [1, {\"b\": \"\\\"]]\"}], \"n\": null}",
		       100, &err);
	const char *s;
	uint64_t n;

	(void)state;
	assert_non_null(doc);
	assert_int_equal(json_want(doc, "a", JSON_ARRAY, true, &v, &err), 0);
	assert_int_equal(json_array_size(v), 2);
	assert_int_equal(json_want(doc, "n", JSON_ARRAY, false, &v, &err), 0);
	assert_null(v);
	assert_int_equal(json_want(doc, "n", JSON_ARRAY, true, &v, &err), -1);
	assert_int_equal(json_want_str(doc, "a", false, &s, &err), -1);
	assert_int_equal(json_want_str(doc, "x", false, &s, &err), 0);
	assert_string_equal(s, "");
	assert_int_equal(json_want_size(doc, "x", true, &n, &err), -1);
	json_decref(doc);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", "{", "{}{}", "1", "\"a\"",
		"{\"a\":1,\"a\":2}", "[\"\\u0000\"]", "[\"\xff\"]", "[1,]",
		"[18446744073709551616]", "[\"\\", "[1]]", "{\"a\" 1}" };
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(load(bad[i], 100, &err));
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	}
	assert_null(load("[      ]", 7, &err));
}

static char *
repeat(const char *unit, size_t times, const char *end)
{
	size_t n = strlen(unit);
	char *s = calloc(1, n * times + strlen(end) * times + 1);

	assert_non_null(s);
	for (size_t i = 0; i < times; i++)
		memcpy(s + i * n, unit, n);
	for (size_t i = 0; i < times; i++)
		strcat(s + n * times, end);
	return s;
}

static void
test_depth(void **state)
{
	struct cerr err;
	char *s = repeat("[", 64, "]");
	json_t *doc = load(s, 1000, &err);

	(void)state;
	assert_non_null(doc);
	json_decref(doc);
	free(s);
	s = repeat("[", 65, "]");
	assert_null(load(s, 1000, &err));
	assert_non_null(strstr(err.text, "deep"));
	free(s);
	s = repeat("[", 1000000, "");
	assert_null(load(s, 2000000, &err));
	assert_non_null(strstr(err.text, "deep"));
	free(s);
}

static void
test_values(void **state)
{
	struct cerr err;
	char *s = repeat("[],", JSON_VALUES_MAX, "");

	(void)state;
	s[0] = '[';
	assert_null(load(s, 10000000, &err));
	assert_non_null(strstr(err.text, "many"));
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
