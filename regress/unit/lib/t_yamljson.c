#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/yamljson.h"

#define MAX  (1024 * 1024)
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const integers[] = { "major", "minor", "fileMode", "uid",
	"gid", "timeout", "additionalGids", NULL };

/* As nvidia-ctk writes them. */
static const char card[] = "---\n"
			   "cdiVersion: 0.5.0\n"
			   "kind: a.com/b\n"
			   "devices:\n"
			   "- name: 0\n"
			   "  containerEdits:\n"
			   "    deviceNodes:\n"
			   "    - path: /dev/x\n"
			   "      type: c\n"
			   "      major: 195\n"
			   "      fileMode: 0666 # octal\n"
			   "    hooks:\n"
			   "    - hookName: createContainer\n"
			   "      path: /usr/bin/h\n"
			   "      args: [h, \"--link\", 'a::b']\n"
			   "      timeout: 0x10\n"
			   "- containerEdits:\n"
			   "    additionalGids: [5, 0o17]\n"
			   "    env:\n"
			   "    - A=on\n"
			   "    - |\n"
			   "      B=two\n"
			   "      lines\n"
			   "  name: \"null\"\n"
			   "containerEdits: ~\n";

static const char card_json[] =
    "{\"cdiVersion\":\"0.5.0\",\"kind\":\"a.com/b\",\"devices\":["
    "{\"name\":\"0\",\"containerEdits\":{\"deviceNodes\":[{\"path\":"
    "\"/dev/x\",\"type\":\"c\",\"major\":195,\"fileMode\":438}],"
    "\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/usr/bin/h\","
    "\"args\":[\"h\",\"--link\",\"a::b\"],\"timeout\":16}]}},"
    "{\"containerEdits\":{\"additionalGids\":[5,15],\"env\":[\"A=on\","
    "\"B=two\\nlines\\n\"]},\"name\":\"null\"}],\"containerEdits\":null}";

static void
t_same_as_json(void **state)
{
	json_t *want = json_loads(card_json, JSON_REJECT_DUPLICATES, NULL);
	struct cerr err;
	json_t *got = yamljson_read(card, strlen(card), MAX, integers, &err);

	(void)state;
	assert_non_null(want);
	if (got == NULL)
		fail_msg("%s", err.text);
	if (!json_equal(got, want))
		fail_msg("%s", json_dumps(got, 0));
	json_decref(got);
	json_decref(want);
	/* JSON is YAML. */
	got = yamljson_read(card_json, strlen(card_json), MAX, integers, &err);
	assert_true(json_is_object(got));
	json_decref(got);
}

/* What is no integer is left as it was, for its reader to refuse. */
static void
t_scalars(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{ "major: 0", "{\"major\":0}" },
		{ "major: '7'", "{\"major\":\"7\"}" },
		{ "major: 7x", "{\"major\":\"7x\"}" },
		{ "major: -7", "{\"major\":\"-7\"}" },
		{ "major: 0o", "{\"major\":\"0o\"}" },
		{ "major: 0x", "{\"major\":\"0x\"}" },
		{ "major: 08", "{\"major\":\"08\"}" },
		{ "major: 7.0", "{\"major\":\"7.0\"}" },
		{ "major: 9223372036854775808",
		    "{\"major\":\"9223372036854775808\"}" },
		{ "major:", "{\"major\":null}" },
		{ "path: 12", "{\"path\":\"12\"}" },
		{ "path: true", "{\"path\":\"true\"}" },
		{ "path: NULL", "{\"path\":null}" },
		{ "path: ''", "{\"path\":\"\"}" },
		{ "additionalGids: [1, [2], {a: 3}]",
		    "{\"additionalGids\":[1,[\"2\"],{\"a\":\"3\"}]}" },
		{ "a: \"\\u00e9\\x41\"", "{\"a\":\"\xc3\xa9"
					 "A\"}" },
		{ "- a\n- b", "[\"a\",\"b\"]" },
		{ "%YAML 1.1\n---\na: b\n...\n", "{\"a\":\"b\"}" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct cerr err;
		json_t *want = json_loads(rows[i].json, 0, NULL);
		json_t *got = yamljson_read(rows[i].text, strlen(rows[i].text),
		    MAX, integers, &err);

		if (got == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (!json_equal(got, want))
			fail_msg("%s: %s", rows[i].text, json_dumps(got, 0));
		json_decref(got);
		json_decref(want);
	}
}

static void
refused(const char *text, size_t len, const char *why)
{
	struct cerr err = { 0 };
	json_t *got = yamljson_read(text, len, MAX, integers, &err);

	if (got != NULL || strstr(err.text, why) == NULL)
		fail_msg("%.64s: %s, not %s", text, err.text, why);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
}

static void
t_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "empty" },
		{ "# nothing\n", "empty" },
		{ "a", "not a mapping" },
		{ "a: &x b", "anchors" },
		{ "a: &x {}", "anchors" },
		{ "a: &x []", "anchors" },
		{ "a: *x", "anchors" },
		{ "*x : a", "anchors" },
		{ "a: !!str b", "anchors" },
		{ "!x {a: b}", "anchors" },
		{ "[!x [a]]", "anchors" },
		{ "a: b\nc: d\na: e", "duplicate key (line 3)" },
		{ "{a: b, 'a': c}", "duplicate" },
		{ "a: b\n---\nc: d", "more than one document" },
		{ "a: b\n--- c", "more than one document" },
		{ "{[a]: b}", "key is not a string" },
		{ "? {a: b}\n: c", "key is not a string" },
		{ "a: \"\\0\"", "U+0000" },
		{ "\"a\\0\": b", "U+0000" },
		{ "a: \"\\ud800\"", "syntax" },
		{ "a: \xff", "syntax" },
		{ "\xff\xfe"
		  "a",
		    "syntax" },
		{ "a: [b", "syntax" },
		{ "a: b: c", "syntax" },
		{ "%YAML 3.0\n---\na: b", "syntax" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		refused(rows[i].text, strlen(rows[i].text), rows[i].why);
	refused("a\0: b", 5, "syntax");
}

/* N times what, then the rest. */
static char *
repeated(const char *what, size_t n, const char *rest, size_t *len)
{
	size_t k = strlen(what);
	char *out = malloc(n * k + strlen(rest) + 1);

	assert_non_null(out);
	for (size_t i = 0; i < n; i++)
		memcpy(out + i * k, what, k);
	memcpy(out + n * k, rest, strlen(rest) + 1);
	*len = n * k + strlen(rest);
	return out;
}

static void
t_bounds(void **state)
{
	static const struct {
		const char *what, *rest, *why;
		size_t n;
	} rows[] = {
		{ "[", "", "nested too deep", 100000 },
		{ "- ", "a", "nested too deep", 200 },
		{ "{a: ", "", "nested too deep", JSON_DEPTH_MAX + 1 },
		{ "- a\n", "", "too many values", JSON_VALUES_MAX },
		{ "- a\n", "", "too long", MAX / 4 + 1 },
	};
	struct cerr err;
	json_t *got;
	size_t len;
	char *text;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		text = repeated(rows[i].what, rows[i].n, rows[i].rest, &len);
		refused(text, len, rows[i].why);
		free(text);
	}
	text = repeated("- ", JSON_DEPTH_MAX, "a", &len);
	got = yamljson_read(text, len, MAX, integers, &err);
	assert_non_null(got);
	json_decref(got);
	free(text);
	text = repeated("- a\n", JSON_VALUES_MAX - 1, "", &len);
	got = yamljson_read(text, len, MAX, integers, &err);
	assert_int_equal(json_array_size(got), JSON_VALUES_MAX - 1);
	json_decref(got);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_same_as_json),
		cmocka_unit_test(t_scalars),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
