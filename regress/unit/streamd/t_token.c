#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "lib/mono.h"
#include "streamd/token.h"

/* A clock of the test's own. */
static int64_t now_ms = 1;

struct mono
mono_after_ms(int64_t ms)
{
	return (struct mono){ (now_ms + ms) * MONO_NS_PER_MS };
}

bool
mono_passed(struct mono t)
{
	return t.ns <= now_ms * MONO_NS_PER_MS;
}

struct timeval
mono_timeval(struct mono t)
{
	struct timeval tv = { 0, t.ns <= now_ms * MONO_NS_PER_MS ? 1 : 5000 };

	return tv;
}

static uint64_t dropped[TOKEN_MAX + 1];
static size_t ndropped;

static void
on_drop(void *arg, uint64_t session)
{
	(void)arg;
	dropped[ndropped++] = session;
}

static const struct want exec = { .kind = WANT_EXEC, .session = 7 };

static void
t_one_use(void **state)
{
	struct event_base *base = event_base_new();
	struct token_table *t = token_table_new(base, on_drop, NULL);
	char a[TOKEN_SIZE], b[TOKEN_SIZE];
	struct want w;

	(void)state;
	assert_int_equal(token_add(t, &exec, a, NULL), 0);
	assert_int_equal(token_add(t, &exec, b, NULL), 0);
	assert_int_equal(strlen(a), 40);
	assert_int_equal(strspn(a, "0123456789abcdef"), 40);
	assert_string_not_equal(a, b);
	assert_int_equal(token_take(t, WANT_ATTACH, a, 40, &w), -1);
	assert_int_equal(token_take(t, WANT_EXEC, a, 39, &w), -1);
	assert_int_equal(token_take(t, WANT_EXEC, a, 40, &w), 0);
	assert_int_equal(w.session, 7);
	assert_int_equal(token_take(t, WANT_EXEC, a, 40, &w), -1);
	assert_int_equal(token_take(t, WANT_EXEC, b, 40, &w), 0);
	assert_int_equal(token_count(t), 0);
	token_table_free(t);
	event_base_free(base);
}

static void
t_bound(void **state)
{
	struct event_base *base = event_base_new();
	struct token_table *t = token_table_new(base, on_drop, NULL);
	char a[TOKEN_SIZE];
	struct want w;
	struct cerr err;

	(void)state;
	for (int i = 0; i < TOKEN_MAX; i++)
		assert_int_equal(token_add(t, &exec, a, NULL), 0);
	assert_int_equal(token_add(t, &exec, a, &err), -1);
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	token_clear(t);
	assert_int_equal(token_add(t, &exec, a, NULL), 0);
	assert_int_equal(token_take(t, WANT_EXEC, a, 40, &w), 0);
	assert_int_equal(ndropped, 0);
	token_table_free(t);
	event_base_free(base);
}

/* A minute, no less and no more. */
static void
t_time(void **state)
{
	struct event_base *base = event_base_new();
	struct token_table *t = token_table_new(base, on_drop, NULL);
	struct want w = exec;
	char a[TOKEN_SIZE], b[TOKEN_SIZE];

	(void)state;
	assert_int_equal(token_add(t, &w, a, NULL), 0);
	now_ms += 1000;
	w.session = 8;
	assert_int_equal(token_add(t, &w, b, NULL), 0);
	now_ms += 58999;
	(void)event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(ndropped, 0);
	now_ms += 1;
	(void)event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(ndropped, 1);
	assert_int_equal(dropped[0], 7);
	assert_int_equal(token_take(t, WANT_EXEC, a, 40, &w), -1);
	assert_int_equal(token_take(t, WANT_EXEC, b, 40, &w), 0);
	token_table_free(t);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_one_use),
		cmocka_unit_test(t_bound),
		cmocka_unit_test(t_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
