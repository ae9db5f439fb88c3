#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "streamd/metrics.h"

static char *
page(const struct metrics *m)
{
	static char text[8192];
	struct evbuffer *b = evbuffer_new();
	int n;

	metrics_page(m, b);
	n = evbuffer_remove(b, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	evbuffer_free(b);
	return text;
}

static void
t_page(void **state)
{
	struct metrics m = { 0 };
	char *text;

	(void)state;
	text = page(&m);
	assert_non_null(strstr(text, "criod_build_info{version=\""));
	assert_null(strstr(text, "role="));
	assert_int_equal(metrics_set(&m, "imaged", 1, 0), 0);
	assert_int_equal(metrics_set(&m, "front", 2, 1), 0);
	assert_int_equal(metrics_set(&m, "imaged", 3, UINT64_MAX), 0);
	text = page(&m);
	assert_non_null(
	    strstr(text, "criod_helper_restarts_total{role=\"imaged\"} 3\n"
			 "criod_helper_restarts_total{role=\"front\"} 2\n"));
	assert_non_null(
	    strstr(text, "criod_filter_violations_total{role=\"imaged\"} "
			 "18446744073709551615\n"
			 "criod_filter_violations_total{role=\"front\"} 1\n"));
}

static void
t_roles(void **state)
{
	struct metrics m = { 0 };
	char role[METRICS_ROLE_SIZE + 1];

	(void)state;
	assert_int_equal(metrics_set(&m, "", 0, 0), -1);
	assert_int_equal(metrics_set(&m, "a\"b", 0, 0), -1);
	assert_int_equal(metrics_set(&m, "a\nb", 0, 0), -1);
	memset(role, 'a', sizeof(role));
	role[METRICS_ROLE_SIZE] = '\0';
	assert_int_equal(metrics_set(&m, role, 0, 0), -1);
	for (int i = 0; i < METRICS_ROLES_MAX; i++) {
		(void)snprintf(role, sizeof(role), "role%d", i);
		assert_int_equal(metrics_set(&m, role, 0, 0), 0);
	}
	assert_int_equal(metrics_set(&m, "more", 0, 0), -1);
	assert_int_equal(metrics_set(&m, "role3", 7, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_page),
		cmocka_unit_test(t_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
