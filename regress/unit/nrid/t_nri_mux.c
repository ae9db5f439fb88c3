#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nrid/mux.h"

struct got {
	char text[3][64]; /* by connection */
	size_t len[3];
	size_t times;
	bool stop;
};

static int
take(void *ctx, uint32_t conn, const uint8_t *buf, size_t len, struct cerr *err)
{
	struct got *g = ctx;

	if (g->stop)
		return cerr_set(err, CERR_ABORTED, "enough");
	if (conn > 2)
		conn = 0;
	g->times++;
	assert_true(g->len[conn] + len <= sizeof(g->text[conn]));
	memcpy(g->text[conn] + g->len[conn], buf, len);
	g->len[conn] += len;
	return 0;
}

/* Two connections, in turns, an empty frame, and one for nobody. */
static const uint8_t stream[] = { 0, 0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0,
	0, 2, 0, 0, 0, 2, 'x', 'y', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0,
	1, '?', 0, 0, 0, 1, 0, 0, 0, 2, 'd', 'e' };

static void
test_pieces(void **state)
{
	(void)state;
	for (size_t step = 1; step <= sizeof(stream); step++) {
		struct got g = { 0 };
		struct mux m = { 0 };
		struct cerr err;

		for (size_t at = 0; at < sizeof(stream); at += step)
			assert_int_equal(mux_input(&m, stream + at,
					     sizeof(stream) - at < step
						 ? sizeof(stream) - at
						 : step,
					     take, &g, &err),
			    0);
		assert_int_equal(g.len[1], 5);
		assert_memory_equal(g.text[1], "abcde", 5);
		assert_int_equal(g.len[2], 2);
		assert_memory_equal(g.text[2], "xy", 2);
		assert_int_equal(g.len[0], 1);
	}
}

static void
test_too_long(void **state)
{
	/* A message of ttrpc's largest size, with its header; one more. */
	static const uint8_t most[] = { 0, 0, 0, 1, 0, 0x40, 0, 10 };
	static const uint8_t more[] = { 0, 0, 0, 1, 0, 0x40, 0, 11 };
	struct got g = { 0 };
	struct mux m = { 0 };
	struct cerr err;

	(void)state;
	assert_int_equal(mux_input(&m, most, sizeof(most), take, &g, &err), 0);
	m = (struct mux){ 0 };
	assert_int_equal(mux_input(&m, more, sizeof(more), take, &g, &err), -1);
	assert_int_equal(g.times, 0);
}

static void
test_refusal(void **state)
{
	struct got g = { .stop = true };
	struct mux m = { 0 };
	struct cerr err;

	(void)state;
	assert_int_equal(mux_input(&m, stream, sizeof(stream), take, &g, &err),
	    -1);
	assert_int_equal(err.code, CERR_ABORTED);
}

static void
test_header(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 2, 0, 1, 2, 3 };
	uint8_t out[MUX_HEADER];

	(void)state;
	mux_header(out, MUX_RUNTIME_CONN, 0x010203);
	assert_memory_equal(out, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
