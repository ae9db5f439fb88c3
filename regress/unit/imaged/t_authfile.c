#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/auth.h"
#include "imaged/authfile.h"

static struct authfile *
parse(const char *text, struct cerr *err)
{
	return authfile_parse("auth.json", text, strlen(text), err);
}

/* YTpi is a:b, and so on: the user's name says which entry it was. */
static const char many[] =
    "{\"auths\":{"
    "\"Reg.test\":{\"auth\":\"aG9zdDpw\"},"	    /* host */
    "\"reg.test/ns\":{\"auth\":\"bnM6cA==\"},"	    /* ns */
    "\"reg.test/ns/repo\":{\"auth\":\"cmVwbzpw\"}," /* repo */
    "\"reg.test:5000\":{\"username\":\"port\",\"password\":\"p\"},"
    "\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnA=\"}," /* hub */
    "\"http://url.test:80/v1/\":{\"auth\":\"dXJsOnA=\"},"      /* url */
    "\"tok.test\":{\"auth\":\"\",\"identitytoken\":\"tttt\"},"
    "\"helped.test\":{}"
    "},\"credHelpers\":{\"helped.test\":\"x\"}}";

static void
test_find(void **state)
{
	static const struct {
		const char *name, *user;
	} want[] = {
		{ "reg.test/a", "host" },
		{ "REG.test/a/b", "host" },
		{ "reg.test/ns/other", "ns" },
		{ "reg.test/ns", "ns" },
		{ "reg.test/nsx/repo", "host" },
		{ "reg.test/ns/repo", "repo" },
		{ "reg.test/ns/repo/deep", "repo" },
		{ "reg.test/Ns/repo", "host" },
		{ "reg.test:5000/ns/repo", "port" },
		{ "reg.test:5001/ns/repo", NULL },
		{ "sub.reg.test/a", NULL },
		{ "test/a", NULL },
		{ "docker.io/library/a", "hub" },
		{ "registry-1.docker.io/library/a", "hub" },
		{ "url.test:80/a", "url" },
		{ "helped.test/a", NULL },
	};
	struct cerr err;
	struct authfile *f = parse(many, &err);
	struct auth_creds *c;

	(void)state;
	assert_non_null(f);
	assert_true(authfile_helpers(f));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		c = authfile_find(f, want[i].name);
		if ((c == NULL) != (want[i].user == NULL) ||
		    (c != NULL && strcmp(c->username, want[i].user) != 0))
			fail_msg("%s: %s", want[i].name,
			    c == NULL ? "none" : c->username);
	}
	c = authfile_find(f, "tok.test/a");
	assert_non_null(c);
	assert_string_equal(c->identity_token, "tttt");
	/* They are for that host, whoever asks. */
	assert_true(auth_creds_for(c, "tok.test"));
	assert_false(auth_creds_for(c, "reg.test"));
	c = authfile_find(f, "docker.io/library/a");
	assert_true(auth_creds_for(c, "registry-1.docker.io"));
	authfile_free(f);
	assert_null(authfile_find(NULL, "reg.test/a"));
}

static void
test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{\"auths\":[]}",
		"{\"auths\":{\"a\":1}}",
		"{\"auths\":{\"a\":{\"auth\":\"SECRET\"}}}",
		"{\"auths\":{\"a\":{\"auth\":\"U0VDUkVU\"}}}",
		"{\"auths\":{\"a\":{\"auth\":{\"x\":\"SECRET\"}}}}",
		"{\"auths\":{\"a\":{\"identitytoken\":\"SECRET \\n\"}}}",
		"{\"auths\":{\"a\":{\"auth\":\"SECRET\"}",
		"{\"auths\":{},\"credHelpers\":\"SECRET\"}",
	};
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i], &err) != NULL)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_memory_equal(err.text, "auth.json: ", 11);
		if (strstr(err.text, "SECRET") != NULL)
			fail_msg("told: %s", err.text);
	}
}

static void
test_key(void **state)
{
	struct cerr err;
	struct authfile *a = parse("{}", &err), *b = parse(many, &err),
			*c = parse(many, &err);

	(void)state;
	assert_non_null(a);
	assert_false(authfile_helpers(a));
	assert_null(authfile_find(a, "reg.test/a"));
	assert_string_equal(authfile_key(b), authfile_key(c));
	assert_string_not_equal(authfile_key(a), authfile_key(b));
	assert_string_equal(authfile_key(NULL), "");
	authfile_free(a);
	authfile_free(b);
	authfile_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
