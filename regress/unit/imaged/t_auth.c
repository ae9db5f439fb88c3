#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/auth.h"

static int
challenge(const char *text, struct auth_challenge *c)
{
	return auth_challenge_parse(text, strlen(text), c);
}

static void
test_challenge_good(void **state)
{
	struct auth_challenge c;

	(void)state;
	assert_int_equal(
	    challenge("Bearer realm=\"https://a/t\",service=\"s\""
		      ",scope=\"repository:x:pull,push\",error=\"invalid\"\n",
		&c),
	    0);
	assert_int_equal(c.scheme, AUTH_BEARER);
	assert_string_equal(c.realm, "https://a/t");
	assert_string_equal(c.service, "s");
	assert_string_equal(c.scope, "repository:x:pull,push");
	assert_int_equal(challenge("basic realm=\"a \\\"b\\\"\"\n", &c), 0);
	assert_int_equal(c.scheme, AUTH_BASIC);
	assert_string_equal(c.realm, "a \"b\"");
	assert_int_equal(challenge("Basic realm=x, Bearer realm=\"https://b\""
				   "\n",
			     &c),
	    0);
	assert_int_equal(c.scheme, AUTH_BEARER);
	assert_int_equal(challenge("Bearer realm=\"https://b\"\nBasic "
				   "realm=x\n",
			     &c),
	    0);
	assert_int_equal(c.scheme, AUTH_BEARER);
	assert_int_equal(challenge("Negotiate\nBasic realm=x\n", &c), 0);
	assert_int_equal(c.scheme, AUTH_BASIC);
}

static void
test_challenge_bad(void **state)
{
	static const char *const bad[] = { "", "\n", "Bearer", "Bearer \n",
		"Bearer realm=\n", "Bearer realm=\"x\n", "Bearer realm=\"x\\",
		"Bearer service=\"x\"\n", "Negotiate\n", "Bearer =\"x\"\n",
		"Bearer realm=\"a\",realm=\"b\"\n", "Bearer realm=\"a\"b\n",
		"Bearer realm=\"a\x01\"\n", "Bearer realm=\"\xff\"\n",
		"\"x\"\n", "Digest realm=x,nonce=y\n" };
	struct auth_challenge c;
	char text[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (challenge(bad[i], &c) != -1)
			fail_msg("taken: %s", bad[i]);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text, "Bearer realm=\"", 14);
	text[sizeof(text) - 2] = '"';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(challenge(text, &c), -1);
}

static void
test_site(void **state)
{
	(void)state;
	assert_true(auth_same_site("registry-1.docker.io", "auth.docker.io"));
	assert_true(auth_same_site("registry.gitlab.com", "gitlab.com"));
	assert_true(auth_same_site("quay.io", "quay.io"));
	assert_true(auth_same_site("127.0.0.1", "127.0.0.1"));
	assert_true(auth_same_site("localhost", "localhost"));
	assert_false(auth_same_site("127.0.0.1", "127.0.0.2"));
	assert_false(auth_same_site("10.0.0.1", "evil.0.1"));
	assert_false(auth_same_site("quay.io", "evil.io"));
	assert_false(auth_same_site("a.docker.io", "docker.io.evil.com"));
	assert_false(auth_same_site("a.docker.io", "evildocker.io"));
	assert_false(auth_same_site("a.co.uk", "b.co.uk"));
	assert_true(auth_same_site("a.b.co.uk", "c.b.co.uk"));
	assert_false(auth_same_site("localhost", "io"));
	assert_false(auth_same_site("[::1]", "[::2]"));
}

static void
test_creds(void **state)
{
	struct auth_given g = { .username = "u", .password = "p:q" };
	struct auth_given e = { .auth = "dTpwOnE=" };
	struct auth_creds *a, *b;
	struct cerr err;
	char *s;

	(void)state;
	digest_init();
	assert_int_equal(auth_creds_new(&g, &a, &err), 0);
	assert_int_equal(auth_creds_new(&e, &b, &err), 0);
	assert_string_equal(b->username, "u");
	assert_string_equal(b->password, "p:q");
	assert_string_equal(a->key, b->key);
	assert_true(auth_creds_any(a));
	s = auth_basic(a);
	assert_string_equal(s, "Basic dTpwOnE=");
	auth_wipe(s);
	auth_creds_unref(a);
	auth_creds_unref(b);
	memset(&g, 0, sizeof(g));
	assert_int_equal(auth_creds_new(&g, &a, &err), 0);
	assert_false(auth_creds_any(a));
	auth_creds_unref(a);
}

static void
test_creds_bad(void **state)
{
	static const struct auth_given bad[] = {
		{ .auth = "x" },
		{ .auth = "dXA=" },	/* no colon */
		{ .auth = "dToAcA==" }, /* NUL inside */
		{ .auth = "====" },
		{ .username = "a:b", .password = "c" },
		{ .registry_token = "a\r\nX-Evil: 1" },
		{ .identity_token = "a b" },
	};
	struct auth_creds *c;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(auth_creds_new(&bad[i], &c, &err), -1);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_null(strstr(err.text, "Evil"));
	}
}

static void
test_server(void **state)
{
	struct auth_given g = { .username = "u",
		.server_address = "https://index.docker.io/v1/" };
	struct auth_creds *c;

	(void)state;
	assert_int_equal(auth_creds_new(&g, &c, NULL), 0);
	assert_true(auth_creds_for(c, "registry-1.docker.io"));
	assert_false(auth_creds_for(c, "quay.io"));
	auth_creds_unref(c);
	g.server_address = "Q.io:5000";
	assert_int_equal(auth_creds_new(&g, &c, NULL), 0);
	assert_true(auth_creds_for(c, "q.io:5000"));
	assert_false(auth_creds_for(c, "q.io"));
	assert_false(auth_creds_for(c, "q.io:5001"));
	auth_creds_unref(c);
}

static void
test_token(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"token\":1}",
		"{\"token\":\"a\\r\\nb\"}", "{\"token\":\"a b\"}",
		"{\"token\":\"\",\"access_token\":\"\"}",
		"{\"token\":\"a\",\"token\":\"b\"}" };
	struct cerr err;
	char *t;

	(void)state;
	assert_int_equal(auth_token_parse("{\"token\":\"abc\"}", 15, &t, &err),
	    0);
	assert_string_equal(t, "abc");
	auth_wipe(t);
	assert_int_equal(auth_token_parse("{\"access_token\":\"x\"}", 20, &t,
			     &err),
	    0);
	auth_wipe(t);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(auth_token_parse(bad[i], strlen(bad[i]), &t,
				     &err),
		    -1);
}

static void
test_urls(void **state)
{
	struct auth_challenge c = { .scheme = AUTH_BEARER,
		.realm = "https://a/t",
		.service = "s&x=1" };
	struct auth_given g = { .identity_token = "i+d" };
	struct auth_creds *creds;
	char url[AUTH_URL_SIZE], *form;

	(void)state;
	assert_int_equal(auth_token_url(&c, "repository:x:pull", url), 0);
	assert_string_equal(url,
	    "https://a/t?scope=repository:x:pull&service=s%26x%3D1");
	assert_int_equal(auth_creds_new(&g, &creds, NULL), 0);
	form = auth_token_form(&c, "q", creds);
	assert_string_equal(form,
	    "grant_type=refresh_token&client_id=criod"
	    "&service=s%26x%3D1&scope=q&refresh_token=i%2Bd");
	auth_wipe(form);
	auth_creds_unref(creds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge_good),
		cmocka_unit_test(test_challenge_bad),
		cmocka_unit_test(test_site),
		cmocka_unit_test(test_creds),
		cmocka_unit_test(test_creds_bad),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
