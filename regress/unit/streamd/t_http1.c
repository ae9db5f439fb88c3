#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "streamd/http1.h"

#define HOST "Host: x\r\n"

static enum http1_result
parse(const char *s, struct http1_request *r)
{
	return http1_parse(s, strlen(s), r);
}

static void
t_good(void **state)
{
	static const char in[] = "GET /metrics?a=b&c HTTP/1.1\r\nHost: x:1\r\n"
				 "Empty:\r\nA: \t v w \t\r\n\r\nGET /next";
	struct http1_request r;

	(void)state;
	assert_int_equal(parse(in, &r), HTTP1_OK);
	assert_true(http1_slice_is(r.method, "GET"));
	assert_true(http1_slice_is(r.path, "/metrics"));
	assert_true(http1_slice_is(r.query, "a=b&c"));
	assert_int_equal(r.minor, 1);
	assert_int_equal(r.nfields, 3);
	assert_true(http1_slice_is(*http1_field_get(&r, "host"), "x:1"));
	assert_true(http1_slice_is(*http1_field_get(&r, "empty"), ""));
	assert_true(http1_slice_is(*http1_field_get(&r, "a"), "v w"));
	assert_null(http1_field_get(&r, "b"));
	assert_int_equal(r.len, sizeof(in) - 1 - strlen("GET /next"));
	assert_true(http1_keep_alive(&r));
}

static void
t_every_prefix_wants_more(void **state)
{
	static const char in[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
	struct http1_request r;

	(void)state;
	for (size_t n = 0; n < sizeof(in) - 1; n++)
		assert_int_equal(http1_parse(in, n, &r), HTTP1_MORE);
	assert_int_equal(http1_parse(in, sizeof(in) - 1, &r), HTTP1_OK);
}

static void
t_bad(void **state)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
		" GET / HTTP/1.1\r\n" HOST "\r\n",
		"GET  / HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.1 \r\n" HOST "\r\n",
		"GET /\r\n" HOST "\r\n",
		"GET / HTTP/1.1\n" HOST "\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "\n\r\n\r\n",
		"GET / http/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1\r\n" HOST "\r\n",
		"GET / HTTP/11.1\r\n" HOST "\r\n",
		"G(T / HTTP/1.1\r\n" HOST "\r\n",
		"GET x HTTP/1.1\r\n" HOST "\r\n",
		"GET http://x/ HTTP/1.1\r\n" HOST "\r\n",
		"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
		"GET /#a HTTP/1.1\r\n" HOST "\r\n",
		"GET /\x80 HTTP/1.1\r\n" HOST "\r\n",
		"GET /\x01 HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST HOST "\r\n",
		"GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "A\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "Content-Length: +0\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "Content-Length: 0, 0\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n"
		"Content-Length: 0\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n",
	};
	struct http1_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i], &r) != HTTP1_BAD)
			fail_msg("taken: %s", bad[i]);
	}
}

static void
t_nul(void **state)
{
	static const char in[] = "GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n";
	struct http1_request r;

	(void)state;
	assert_int_equal(http1_parse(in, sizeof(in) - 1, &r), HTTP1_BAD);
}

static void
t_other_refusals(void **state)
{
	struct http1_request r;

	(void)state;
	assert_int_equal(parse("GET / HTTP/2.0\r\n" HOST "\r\n", &r),
	    HTTP1_VERSION);
	assert_int_equal(parse("GET / HTTP/1.2\r\n" HOST "\r\n", &r),
	    HTTP1_VERSION);
	assert_int_equal(parse("PUT / HTTP/1.1\r\n" HOST
			       "Content-Length: 1\r\n\r\nx",
			     &r),
	    HTTP1_BODY);
	assert_int_equal(parse("PUT / HTTP/1.1\r\n" HOST
			       "Transfer-Encoding: chunked\r\n\r\n",
			     &r),
	    HTTP1_BODY);
	assert_int_equal(parse("GET / HTTP/1.1\r\n" HOST
			       "Content-Length: 0\r\n\r\n",
			     &r),
	    HTTP1_OK);
}

static void
t_too_large(void **state)
{
	struct http1_request r;
	char *in = malloc(HTTP1_HEAD_MAX + 100);
	size_t n;

	(void)state;
	memset(in, 'x', HTTP1_HEAD_MAX + 100);
	assert_int_equal(http1_parse(in, HTTP1_HEAD_MAX, &r), HTTP1_TOO_LARGE);
	assert_int_equal(http1_parse(in, HTTP1_HEAD_MAX - 1, &r), HTTP1_MORE);
	n = (size_t)sprintf(in, "GET / HTTP/1.1\r\n%s", HOST);
	for (int i = 0; i < HTTP1_FIELDS_MAX; i++)
		n += (size_t)sprintf(in + n, "a:b\r\n");
	(void)sprintf(in + n, "\r\n");
	assert_int_equal(parse(in, &r), HTTP1_TOO_LARGE);
	(void)sprintf(in + n - 5, "\r\n");
	assert_int_equal(parse(in, &r), HTTP1_OK);
	assert_int_equal(r.nfields, HTTP1_FIELDS_MAX);
	free(in);
}

static void
t_keep_alive(void **state)
{
	static const struct {
		const char *in;
		bool keep;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST "connection: Close\r\n\r\n",
		    false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n",
		    true },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\n\r\n",
		    false },
	};
	struct http1_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].in, &r), HTTP1_OK);
		assert_int_equal(http1_keep_alive(&r), rows[i].keep);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_good),
		cmocka_unit_test(t_every_prefix_wants_more),
		cmocka_unit_test(t_bad),
		cmocka_unit_test(t_nul),
		cmocka_unit_test(t_other_refusals),
		cmocka_unit_test(t_too_large),
		cmocka_unit_test(t_keep_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
