#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "criod/stop.h"

static struct mono
at(int64_t ms)
{
	return (struct mono){ 1 + ms * MONO_NS_PER_MS };
}

static int64_t
ms(struct mono t)
{
	return (t.ns - 1) / MONO_NS_PER_MS;
}

static void
test_term_once_then_kill(void **state)
{
	struct stop_plan p = { 0 };
	struct mono wake;

	(void)state;
	stop_plan_ask(&p, 1000, at(0));
	assert_int_equal(stop_plan_next(&p, at(0), &wake), STOP_TERM);
	assert_int_equal(ms(wake), 1000);
	assert_int_equal(stop_plan_next(&p, at(500), &wake), STOP_WAIT);
	assert_false(stop_plan_killing(&p));
	assert_int_equal(stop_plan_next(&p, at(1000), &wake), STOP_KILL);
	assert_int_equal(ms(wake), 1500);
	assert_true(stop_plan_killing(&p));
	assert_int_equal(stop_plan_next(&p, at(1200), &wake), STOP_WAIT);
	assert_int_equal(ms(wake), 1500);
}

static void
test_kill_backs_off_without_end(void **state)
{
	struct stop_plan p = { 0 };
	struct mono wake;
	int64_t now = 0, gap = 0;

	(void)state;
	stop_plan_ask(&p, 0, at(0));
	for (int i = 0; i < 100; i++) {
		assert_int_equal(stop_plan_next(&p, at(now), &wake), STOP_KILL);
		assert_true(ms(wake) - now >= gap);
		gap = ms(wake) - now;
		assert_true(gap <= STOP_KILL_MAX_MS);
		now = ms(wake);
	}
	assert_int_equal(gap, STOP_KILL_MAX_MS);
}

static void
test_shortest_wins(void **state)
{
	struct stop_plan p = { 0 };
	struct mono wake;

	(void)state;
	stop_plan_ask(&p, 3600000, at(0));
	assert_int_equal(stop_plan_next(&p, at(0), &wake), STOP_TERM);
	stop_plan_ask(&p, 7200000, at(10));
	assert_int_equal(stop_plan_next(&p, at(10), &wake), STOP_WAIT);
	assert_int_equal(ms(wake), 3600000);
	stop_plan_ask(&p, 2000, at(20));
	assert_int_equal(stop_plan_next(&p, at(20), &wake), STOP_WAIT);
	assert_int_equal(ms(wake), 2020);
	stop_plan_ask(&p, -1, at(30));
	assert_int_equal(stop_plan_next(&p, at(30), &wake), STOP_KILL);
}

static void
test_endless_grace(void **state)
{
	struct stop_plan p = { 0 };
	struct mono wake;

	(void)state;
	stop_plan_ask(&p, INT64_MAX, at(0));
	assert_int_equal(stop_plan_next(&p, at(0), &wake), STOP_TERM);
	assert_true(wake.ns == INT64_MAX);
}

static void
test_term_that_failed_is_repeated(void **state)
{
	struct stop_plan p = { 0 };
	struct mono wake;

	(void)state;
	stop_plan_ask(&p, 60000, at(0));
	assert_int_equal(stop_plan_next(&p, at(0), &wake), STOP_TERM);
	stop_plan_term_failed(&p, at(10));
	assert_int_equal(stop_plan_next(&p, at(10), &wake), STOP_WAIT);
	assert_int_equal(ms(wake), 10 + STOP_TERM_RETRY_MS);
	assert_int_equal(stop_plan_next(&p, wake, &wake), STOP_TERM);
	stop_plan_term_failed(&p, at(1000));
	stop_plan_hurry(&p, at(1001));
	assert_int_equal(stop_plan_next(&p, at(1001), &wake), STOP_TERM);
}

static void
test_hurry_kills_again(void **state)
{
	struct stop_plan p = { 0 };
	struct mono wake;

	(void)state;
	stop_plan_ask(&p, 0, at(0));
	assert_int_equal(stop_plan_next(&p, at(0), &wake), STOP_KILL);
	stop_plan_hurry(&p, at(1));
	assert_int_equal(stop_plan_next(&p, at(1), &wake), STOP_KILL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_term_once_then_kill),
		cmocka_unit_test(test_kill_backs_off_without_end),
		cmocka_unit_test(test_shortest_wins),
		cmocka_unit_test(test_endless_grace),
		cmocka_unit_test(test_term_that_failed_is_repeated),
		cmocka_unit_test(test_hurry_kills_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
