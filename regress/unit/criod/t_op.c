#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>

#include <stdbool.h>
#include <string.h>

#include "criod/op.h"

/* Each step and undo writes a letter; what is in fails refuses, once each. */
struct world {
	struct event_base *base;
	struct op *op, *waiting;
	char trace[64];
	char fails[16];
	bool later, away;
	struct cerr told;
	int done, undone;
};

static void
step(void *ctx, struct op *op, char letter)
{
	struct world *w = ctx;
	size_t n = strlen(w->trace);
	char *f = strchr(w->fails, letter);
	struct cerr err;

	w->trace[n] = letter;
	w->trace[n + 1] = '\0';
	if (f != NULL) {
		*f = '-';
		(void)cerr_set(&err, w->away ? CERR_UNAVAILABLE : CERR_ABORTED,
		    "%c", letter);
		op_next(op, &err);
	} else if (w->later && letter == 'b') {
		w->waiting = op;
	} else {
		op_next(op, NULL);
	}
}

#define STEP(l)                                                                \
	static void step_##l(void *ctx, struct op *op)                         \
	{                                                                      \
		step(ctx, op, #l[0]);                                          \
	}
STEP(a);
STEP(b);
STEP(c);
STEP(A);
STEP(B);
STEP(C);

static void
done(void *ctx, const struct cerr *err)
{
	struct world *w = ctx;

	w->done++;
	w->told.code = CERR_OK;
	if (err != NULL)
		w->told = *err;
}

static void
undone(void *ctx)
{
	struct world *w = ctx;

	w->undone++;
}

static const struct op_step steps[] = {
	{ "a", step_a, step_A },
	{ "b", step_b, step_B },
	{ "c", step_c, step_C },
};
static const struct op_def def = { "test", steps, 3, done, undone };

static void
run_away(struct world *w, const char *fails, bool away)
{
	memset(w, 0, sizeof(*w));
	w->away = away;
	(void)strcpy(w->fails, fails);
	w->base = event_base_new();
	w->op = op_start(w->base, &def, w);
	(void)event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void
run(struct world *w, const char *fails)
{
	run_away(w, fails, false);
}

static void
test_all_well(void **state)
{
	struct world w;

	(void)state;
	run(&w, "");
	assert_string_equal(w.trace, "abc");
	assert_int_equal(w.done, 1);
	assert_int_equal(w.undone, 0);
	assert_int_equal(w.told.code, CERR_OK);
	event_base_free(w.base);
}

static void
test_nothing_from_inside_op_start(void **state)
{
	struct world w = { .base = event_base_new() };

	(void)state;
	(void)op_start(w.base, &def, &w);
	assert_string_equal(w.trace, "");
	(void)event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_string_equal(w.trace, "abc");
	event_base_free(w.base);
}

static void
test_each_failure_is_undone(void **state)
{
	static const char *const want[][2] = { { "a", "aA" }, { "b", "abBA" },
		{ "c", "abcCBA" } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world w;

		run(&w, want[i][0]);
		assert_string_equal(w.trace, want[i][1]);
		assert_int_equal(w.done, 1);
		assert_int_equal(w.undone, 1);
		assert_string_equal(w.told.text, want[i][0]);
		event_base_free(w.base);
	}
}

static void
test_failed_undo_is_told_then_repeated(void **state)
{
	struct world w;

	(void)state;
	run(&w, "cB");
	/* A is the record: it waits for B. */
	assert_string_equal(w.trace, "abcCB");
	assert_int_equal(w.done, 1);
	assert_int_equal(w.undone, 0);
	op_hurry(w.op);
	(void)event_base_loop(w.base, EVLOOP_ONCE);
	assert_string_equal(w.trace, "abcCBBA");
	assert_int_equal(w.done, 1);
	assert_int_equal(w.undone, 1);
	event_base_free(w.base);
}

/* What C would undo may need b: b waits for the peer that C needs. */
static void
test_undo_waits_for_a_peer(void **state)
{
	struct world w;

	(void)state;
	run_away(&w, "cC", true);
	assert_string_equal(w.trace, "abcC");
	assert_int_equal(w.done, 1);
	op_hurry(w.op);
	(void)event_base_loop(w.base, EVLOOP_ONCE);
	assert_string_equal(w.trace, "abcCCBA");
	assert_int_equal(w.undone, 1);
	event_base_free(w.base);
}

static void
test_undo_alone(void **state)
{
	struct world w = { .base = event_base_new() };

	(void)state;
	(void)op_undo(w.base, &def, &w);
	(void)event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_string_equal(w.trace, "CBA");
	assert_int_equal(w.done, 0);
	assert_int_equal(w.undone, 1);
	event_base_free(w.base);
}

static void
test_later_and_abort(void **state)
{
	struct world w = { .base = event_base_new(), .later = true };
	struct cerr err;

	(void)state;
	w.op = op_start(w.base, &def, &w);
	(void)event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_string_equal(w.trace, "ab");
	(void)cerr_set(&err, CERR_ABORTED, "stop");
	op_abort(w.op, &err);
	assert_int_equal(w.done, 0);
	op_next(w.waiting, NULL);
	assert_string_equal(w.trace, "abBA");
	assert_string_equal(w.told.text, "stop");
	assert_int_equal(w.undone, 1);
	event_base_free(w.base);
}

static void
test_abort_before_the_start(void **state)
{
	struct world w = { .base = event_base_new() };
	struct cerr err;

	(void)state;
	w.op = op_start(w.base, &def, &w);
	(void)cerr_set(&err, CERR_ABORTED, "stop");
	op_abort(w.op, &err);
	(void)event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_string_equal(w.trace, "");
	assert_int_equal(w.done, 1);
	assert_int_equal(w.undone, 1);
	event_base_free(w.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well),
		cmocka_unit_test(test_nothing_from_inside_op_start),
		cmocka_unit_test(test_each_failure_is_undone),
		cmocka_unit_test(test_failed_undo_is_told_then_repeated),
		cmocka_unit_test(test_undo_waits_for_a_peer),
		cmocka_unit_test(test_undo_alone),
		cmocka_unit_test(test_later_and_abort),
		cmocka_unit_test(test_abort_before_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
