#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/toml.h"

#define OUT_MAX 4096

static void
put(char *out, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out + n, OUT_MAX - n, fmt, ap);
	va_end(ap);
}

/* The tree on one line; the tests nest little. */
static void
show(char *out, const struct toml *t)
{
	if (t->key != NULL)
		put(out, "%s=", t->key);
	if (t->type == TOML_STRING || t->type == TOML_DATE)
		put(out, t->type == TOML_DATE ? "@%s" : "'%s'", t->text);
	else if (t->type == TOML_INTEGER)
		put(out, "%lld", (long long)t->integer);
	else if (t->type == TOML_FLOAT)
		put(out, "%g", t->real);
	else if (t->type == TOML_BOOLEAN)
		put(out, "%s", t->boolean ? "true" : "false");
	else
		put(out, t->type == TOML_ARRAY ? "[" : "{");
	for (const struct toml *m = t->first; m != NULL; m = m->next) {
		show(out, m);
		put(out, m->next == NULL ? "" : " ");
	}
	if (t->type == TOML_ARRAY || t->type == TOML_TABLE)
		put(out, t->type == TOML_ARRAY ? "]" : "}");
}

static const char *const good[][2] = {
	{ "", "{}" },
	{ "# c\n\r\n \t# d", "{}" },
	{ "a=1", "{a=1}" },
	{ "a = 1 # c\nb = 2\r\n", "{a=1 b=2}" },
	{ "\"a b\"=1\n'\"'=2\n\"\"=3\n1-_z=4", "{a b=1 \"=2 =3 1-_z=4}" },
	{ "a . \"b.c\" .d=1\na.e=2", "{a={b.c={d=1} e=2}}" },
	{ "a=\"x\\t\\\"\\\\\\u00e9\\U0001F600\"",
	    "{a='x\t\"\\\xc3\xa9\xf0\x9f\x98\x80'}" },
	{ "a='\\n'\nb=''\nc=\"\"", "{a='\\n' b='' c=''}" },
	{ "a=\"\"\"\nx\ny \\\n\n  z\"\"\"\"\"", "{a='x\ny z\"\"'}" },
	{ "a='''\r\n'x''\n\\'''", "{a=''x''\n\\'}" },
	{ "a=[+1,-2,0,1_000,0xfF,0o17,0b101]", "{a=[1 -2 0 1000 255 15 5]}" },
	{ "a=9223372036854775807\nb=-9223372036854775808",
	    "{a=9223372036854775807 b=-9223372036854775808}" },
	{ "a=[1.5,-0.0,1e3,2.5E-1,6_0.0_1]", "{a=[1.5 -0 1000 0.25 60.01]}" },
	{ "a=[inf,+inf,-inf]", "{a=[inf inf -inf]}" },
	{ "a=true\nb=false", "{a=true b=false}" },
	{ "a=2024-02-29\nb=07:32:00.5\nc=1979-05-27T07:32:00Z\n"
	  "d=1979-05-27 07:32:00-07:00",
	    "{a=@2024-02-29 b=@07:32:00.5 c=@1979-05-27T07:32:00Z "
	    "d=@1979-05-27 07:32:00-07:00}" },
	{ "a=[]\nb=[ 1 , # c\n 2,\n]\nc=[[1],['x']]",
	    "{a=[] b=[1 2] c=[[1] ['x']]}" },
	{ "a={}\nb={ x = 1, y.z = [2,\n3] }", "{a={} b={x=1 y={z=[2 3]}}}" },
	{ "[a]\nx=1\n[b]\n[a.c]\ny=2", "{a={x=1 c={y=2}} b={}}" },
	{ "[a.b.c]\nx=1\n[a]\ny=2", "{a={b={c={x=1}} y=2}}" },
	{ "[[a]]\nx=1\n[a.t]\nu=1\n[[a]]\n[[a.m]]\nx=2\n[[a.m]]",
	    "{a=[{x=1 t={u=1}} {m=[{x=2} {}]}]}" },
	{ "[ a . 'b' ]\n[x]\ny.z=1\n[x.y.w]", "{a={b={}} x={y={z=1 w={}}}}" },
};

static const char *const bad[] = {
	"a",
	"a=",
	"=1",
	"a=1 b=2",
	"a=1\na=2",
	"a.b=1\na=2",
	"a=1\na.b=2",
	"a b=1",
	".a=1",
	"a.=1",
	"a..b=1",
	"\"\"\"a\"\"\"=1",
	"a=\"x",
	"a='x",
	"a=\"x\n\"",
	"a='x\n'",
	"a=\"\"\"x\"\"",
	"a='''x''",
	"a=\"\\x\"",
	"a=\"\\u12\"",
	"a=\"\\ud800\"",
	"a=\"\\U00110000\"",
	"a=\"\\u0000\"",
	"a=\"\x01\"",
	"a='\x7f'",
	"# \x02",
	"a=1\rb=2",
	"a=\"\xff\"",
	"a=\"\xc0\x80\"",
	"a=\"\xed\xa0\x80\"",
	"a=01",
	"a=1_",
	"a=_1",
	"a=1__0",
	"a=0x",
	"a=+0x1",
	"a=0b2",
	"a=1.",
	"a=.5",
	"a=1.e3",
	"a=1e",
	"a=9223372036854775808",
	"a=yes",
	"a=True",
	"a=2023-02-29",
	"a=1979-13-01",
	"a=1979-05-27T",
	"a=24:00:00",
	"a=07:32",
	"a=[1",
	"a=[1 2]",
	"a=[,]",
	"a=[1,,2]",
	"a={x=1",
	"a={x=1,}",
	"a={,}",
	"a={x=1\n}",
	"a={x=1,x=2}",
	"a={x=1}\na.y=2",
	"a={x=1}\n[a]",
	"a={x=1}\n[a.b]",
	"a=[{}]\n[[a]]",
	"a=[{}]\n[a.b]",
	"[a]\n[a]",
	"[a]\n[[a]]",
	"[[a]]\n[a]",
	"[a",
	"[a]]",
	"[[a]",
	"[]",
	"[[]]",
	"[a]x=1",
	"[ [a]]",
	"a=1\n[a]",
	"a=1\n[a.b]",
	"a.b=1\n[a]",
	"[a.b]\nx=1\n[a]\nb.y=2",
	"[[a.b]]\n[a]\nb.y=2",
	"[[a]]\n[a.x]\n[a.x]",
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char out[OUT_MAX] = "";
		struct cerr err = { .text = "" };
		struct toml *t =
		    toml_parse("f", good[i][0], strlen(good[i][0]), &err);

		if (t == NULL)
			fail_msg("%s: %s", good[i][0], err.text);
		show(out, t);
		assert_string_equal(out, good[i][1]);
		toml_free(t);
	}
}

static void
test_bad(void **state)
{
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (toml_parse("f", bad[i], strlen(bad[i]), &err) != NULL)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_memory_equal(err.text, "f:", 2);
	}
	assert_null(toml_parse("f", "a\0=1", 4, &err));
}

/* Errors name the line, whatever came before. */
static void
test_line(void **state)
{
	static const char text[] =
	    "a = '''\n\n'''\nb = [\n1,\n]\r\n# x\nc = ?\n";
	struct cerr err;
	struct toml *t;

	(void)state;
	assert_null(toml_parse("dir/f.toml", text, sizeof(text) - 1, &err));
	assert_memory_equal(err.text, "dir/f.toml:8: ", 14);
	t = toml_parse("f", text, sizeof(text) - 8, &err);
	assert_non_null(t);
	assert_int_equal(toml_get(t, "b")->line, 4);
	assert_null(toml_get(t, "c"));
	assert_null(toml_get(toml_get(t, "b"), "c"));
	toml_free(t);
}

static struct toml *
repeat(const char *before, const char *s, size_t n, const char *after)
{
	size_t len = strlen(s), a = strlen(before), z = strlen(after);
	char *buf = malloc(a + n * len + z + 1);
	struct toml *t;
	struct cerr err;

	assert_non_null(buf);
	memcpy(buf, before, a);
	for (size_t i = 0; i < n; i++)
		memcpy(buf + a + i * len, s, len);
	memcpy(buf + a + n * len, after, z);
	t = toml_parse("f", buf, a + n * len + z, &err);
	free(buf);
	return t;
}

static void
test_limits(void **state)
{
	struct toml *t;

	(void)state;
	t = repeat("a=", "[", TOML_DEPTH_MAX, "1]]]]]]]]]]]]]]]]");
	assert_non_null(t);
	toml_free(t);
	assert_null(repeat("a=", "[", TOML_DEPTH_MAX + 1, "]]]]]]]]]]]]]]]]]"));
	assert_null(repeat("a=", "{a=", 1000, ""));
	assert_null(repeat("a", ".a", TOML_DEPTH_MAX, "=1"));
	t = repeat("a=[", "1,", TOML_NODES_MAX - 1, "]");
	assert_non_null(t);
	toml_free(t);
	assert_null(repeat("a=[", "1,", TOML_NODES_MAX, "]"));
	t = repeat("#", "x", TOML_MAX - 1, "");
	assert_non_null(t);
	toml_free(t);
	assert_null(repeat("#", "x", TOML_MAX, ""));
	assert_null(repeat("a=", "1", 1000, ""));
}

static void
test_keys_max(void **state)
{
	char *buf = malloc(16 * (TOML_KEYS_MAX + 1));
	size_t n = 0, cut = 0;
	struct cerr err;
	struct toml *t;

	(void)state;
	assert_non_null(buf);
	for (unsigned int i = 0; i <= TOML_KEYS_MAX; i++) {
		cut = n;
		n += (size_t)sprintf(buf + n, "k%u=1\n", i);
	}
	t = toml_parse("f", buf, cut, &err);
	assert_non_null(t);
	toml_free(t);
	assert_null(toml_parse("f", buf, n, &err));
	free(buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_keys_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
