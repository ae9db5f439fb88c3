#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <nghttp2/nghttp2.h>

#include <string.h>

#include "criod/h2_scan.h"

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define HEADERS3 "\0\0\2\1\4\0\0\0\3ab"
#define DATA3	 "\0\0\15\0\0\0\0\0\3\0\0\4\3\0\0\0\0\11\0\0\0\10" /* a reset? */
#define RESET1	 "\0\0\4\3\0\0\0\0\1\0\0\0\10"
#define RESET2	 "\0\0\4\3\0\0\0\0\2\0\0\0\10"
#define RESET3	 "\0\0\4\3\0\0\0\0\3\0\0\0\10"
#define RESET5	 "\0\0\4\3\0\0\0\0\5\0\0\0\10"
#define RESET5R	 "\0\0\4\3\0\200\0\0\5\0\0\0\10" /* the reserved bit */
#define LONG5	 "\0\0\5\3\0\0\0\0\5\0\0\0\10x"

static const char sent[] = NGHTTP2_CLIENT_MAGIC SETTINGS RESET1 HEADERS3 RESET5
    DATA3 RESET1 RESET2 RESET5R RESET3 LONG5;
static const char wanted[] =
    NGHTTP2_CLIENT_MAGIC SETTINGS HEADERS3 DATA3 RESET1 RESET2 RESET3 LONG5;

struct got {
	uint8_t buf[sizeof(sent)];
	size_t len;
};

static int
take(void *arg, const uint8_t *buf, size_t len)
{
	struct got *g = arg;

	assert_true(len > 0 && g->len + len <= sizeof(g->buf));
	memcpy(g->buf + g->len, buf, len);
	g->len += len;
	return 1;
}

static void
whatever_the_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < sizeof(sent); piece++) {
		struct got g = { .len = 0 };
		struct h2_scan s;

		h2_scan_init(&s);
		for (size_t at = 0; at < sizeof(sent) - 1; at += piece) {
			size_t n = sizeof(sent) - 1 - at;

			assert_int_equal(h2_scan(&s, (const uint8_t *)sent + at,
					     n < piece ? n : piece, take, &g),
			    0);
		}
		assert_int_equal(s.dropped, 3);
		assert_int_equal(g.len, sizeof(wanted) - 1);
		assert_memory_equal(g.buf, wanted, g.len);
	}
}

static int
refuse(void *arg, const uint8_t *buf, size_t len)
{
	(void)buf;
	(void)len;
	return --*(int *)arg > 0 ? 0 : -7;
}

static void
an_end_is_passed_on(void **state)
{
	struct h2_scan s;
	int calls = 3;

	(void)state;
	h2_scan_init(&s);
	assert_int_equal(h2_scan(&s, (const uint8_t *)sent, sizeof(sent) - 1,
			     refuse, &calls),
	    -7);
	assert_int_equal(calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_the_pieces),
		cmocka_unit_test(an_end_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
