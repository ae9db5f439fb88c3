/* Lines of the audit log: whole, JSON, bounded, whatever is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "scribe/line.h"

/* The line's member, after it was read back. */
static json_t *
parse(const struct line *l)
{
	json_error_t error;
	json_t *o;

	assert_true(l->len <= LINE_MAX_BYTES);
	assert_int_equal(l->text[l->len - 1], '\n');
	assert_ptr_equal(memchr(l->text, '\n', l->len), l->text + l->len - 1);
	o = json_loadb(l->text, l->len, JSON_REJECT_DUPLICATES, &error);
	if (o == NULL)
		fail_msg("%s: %s", error.text, l->text);
	return o;
}

static void
check(const char *value, const char *want)
{
	struct line l;
	json_t *o;

	line_begin(&l, "call", "front");
	line_string(&l, "x", value);
	line_end(&l);
	o = parse(&l);
	assert_string_equal(json_string_value(json_object_get(o, "x")), want);
	assert_string_equal(json_string_value(json_object_get(o, "by")),
	    "front");
	json_decref(o);
}

#define BAD "\xef\xbf\xbd"

static void
t_strings(void **state)
{
	(void)state;
	check("plain", "plain");
	check("a\"b\\c\nd\t\x01\x7f", "a\"b\\c\nd\t\x01\x7f");
	check("\",\"by\":\"me", "\",\"by\":\"me");
	check("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	check("a\xff", "a" BAD);
	check("\xc3", BAD);	    /* cut short */
	check("\xe2\x82", BAD BAD); /* likewise */
	check("\xc0\x80", BAD BAD); /* overlong */
	check("\xe0\x80\x80", BAD BAD BAD);
	check("\xed\xa0\x80", BAD BAD BAD); /* a surrogate */
	check("\xf5\x80\x80\x80", BAD BAD BAD BAD);
}

static void
t_empty(void **state)
{
	struct line l;
	json_t *o;

	(void)state;
	line_begin(&l, "call", "front");
	line_string(&l, "x", "");
	line_number(&l, "n", UINT64_MAX);
	line_millis(&l, "ms", 1234567);
	line_true(&l, "gone");
	line_end(&l);
	assert_non_null(strstr(l.text, "\"n\":18446744073709551615,"));
	*strstr(l.text, "18446744073709551615") = ' ';
	o = parse(&l);
	assert_null(json_object_get(o, "x"));
	assert_null(json_object_get(o, "cut"));
	assert_true(json_is_true(json_object_get(o, "gone")));
	assert_true(json_real_value(json_object_get(o, "ms")) == 1234.567);
	json_decref(o);
}

/* As many long strings as there may be, each made longer by escaping. */
static void
t_long(void **state)
{
	static const char *const fill[] = { "x", "\x01", "\xff", "\"",
		"\xf0\x9f\x98\x80" };
	char value[5000], name[8];
	struct line l;
	json_t *o;

	(void)state;
	for (size_t f = 0; f < sizeof(fill) / sizeof(fill[0]); f++) {
		size_t n = strlen(fill[f]);

		for (size_t i = 0; i + n < sizeof(value); i += n)
			memcpy(value + i, fill[f], n + 1);
		line_begin(&l, "call", "front");
		for (int i = 0; i < 9; i++) {
			(void)snprintf(name, sizeof(name), "x%d", i);
			line_string(&l, name, value);
		}
		line_end(&l);
		o = parse(&l);
		assert_true(json_is_true(json_object_get(o, "cut")));
		assert_non_null(json_object_get(o, "x0"));
		json_decref(o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_strings),
		cmocka_unit_test(t_empty),
		cmocka_unit_test(t_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
