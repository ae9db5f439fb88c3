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

static int
set(struct metrics *m, const char *role, uint64_t restarts, uint64_t violations)
{
	Criod__Metrics f = CRIOD__METRICS__INIT;
	char name[2 * METRICS_ROLE_SIZE];

	(void)snprintf(name, sizeof(name), "%s", role);
	f.role = name;
	f.restarts = restarts;
	f.violations = violations;
	f.silent = restarts == 2;
	return metrics_set(m, &f);
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
	assert_int_equal(set(&m, "imaged", 1, 0), 0);
	assert_int_equal(set(&m, "front", 2, 1), 0);
	assert_int_equal(set(&m, "imaged", 3, UINT64_MAX), 0);
	text = page(&m);
	assert_non_null(
	    strstr(text, "criod_helper_restarts_total{role=\"imaged\"} 3\n"
			 "criod_helper_restarts_total{role=\"front\"} 2\n"));
	assert_non_null(
	    strstr(text, "criod_filter_violations_total{role=\"imaged\"} "
			 "18446744073709551615\n"
			 "criod_filter_violations_total{role=\"front\"} 1\n"));
	assert_non_null(
	    strstr(text, "criod_helper_silent{role=\"imaged\"} 0\n"
			 "criod_helper_silent{role=\"front\"} 1\n"));
}

static void
t_roles(void **state)
{
	struct metrics m = { 0 };
	char role[METRICS_ROLE_SIZE + 1];

	(void)state;
	assert_int_equal(set(&m, "", 0, 0), -1);
	assert_int_equal(set(&m, "a\"b", 0, 0), -1);
	assert_int_equal(set(&m, "a\nb", 0, 0), -1);
	memset(role, 'a', sizeof(role));
	role[METRICS_ROLE_SIZE] = '\0';
	assert_int_equal(set(&m, role, 0, 0), -1);
	for (int i = 0; i < METRICS_ROLES_MAX; i++) {
		(void)snprintf(role, sizeof(role), "role%d", i);
		assert_int_equal(set(&m, role, 0, 0), 0);
	}
	assert_int_equal(set(&m, "more", 0, 0), -1);
	assert_int_equal(set(&m, "role3", 7, 0), 0);
}

/* Names that would need escaping in a label are left out. */
static void
t_front(void **state)
{
	static char run[] = "RunPodSandbox", bad[] = "a\"} 1\nb",
		    crun[] = "crun", code[] = "NOT_FOUND";
	Criod__FrontOperation ops[2] = { CRIOD__FRONT_OPERATION__INIT,
		CRIOD__FRONT_OPERATION__INIT },
			      *list[] = { &ops[0], &ops[1] };
	Criod__FrontFailures failed = CRIOD__FRONT_FAILURES__INIT,
			     *failures[] = { &failed };
	Criod__FrontFigures f = CRIOD__FRONT_FIGURES__INIT;
	struct evbuffer *b = evbuffer_new();
	char text[8192];
	int n;

	(void)state;
	ops[0].name = run;
	ops[0].count = 5;
	ops[0].errors = 2;
	ops[0].took_ns = 1500000000;
	ops[0].last_ns = 250000000;
	ops[1].name = bad;
	f.operations = list;
	f.n_operations = 2;
	failed.code = code;
	failed.count = 3;
	f.pull_failures = failures;
	f.n_pull_failures = 1;
	f.pulls = 9;
	f.oom_kills = 4;
	f.default_runtime = crun;
	metrics_front(&f, b);
	n = evbuffer_remove(b, text, sizeof(text) - 1);
	evbuffer_free(b);
	assert_true(n > 0);
	text[n] = '\0';
#define HAS(line)                                                              \
	assert_non_null(strstr(text, "\ncontainer_runtime_crio_" line "\n"))
	HAS("operations_total{operation=\"RunPodSandbox\"} 5");
	HAS("operations_errors_total{operation=\"RunPodSandbox\"} 2");
	HAS("operations_latency_seconds{operation=\"RunPodSandbox\"} "
	    "0.250000000");
	HAS("operations_latency_seconds_total_sum{operation="
	    "\"RunPodSandbox\"} 1.500000000");
	HAS("operations_latency_seconds_total_count{operation="
	    "\"RunPodSandbox\"} 5");
	HAS("image_pulls_success_total 9");
	HAS("image_pulls_failure_total{error=\"NOT_FOUND\"} 3");
	HAS("containers_oom_total 4");
	HAS("default_runtime{runtime=\"crun\"} 1");
	assert_null(strstr(text, "} 1\nb"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_page),
		cmocka_unit_test(t_roles),
		cmocka_unit_test(t_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
