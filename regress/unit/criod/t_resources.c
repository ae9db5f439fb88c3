/* New limits beside those in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "criod/pb.h"
#include "criod/resources.h"

typedef Runtime__V1__LinuxContainerResources resources;

static resources old, change;

static int
begin(void **state)
{
	(void)state;
	runtime__v1__linux_container_resources__init(&old);
	runtime__v1__linux_container_resources__init(&change);
	return 0;
}

static void
test_nothing_stays(void **state)
{
	resources *r;

	(void)state;
	old.cpu_shares = 512;
	old.cpuset_cpus = pb_str("0");
	old.memory_limit_in_bytes = 100;
	old.oom_score_adj = 7;
	change.oom_score_adj = 900;
	r = resources_merge(&old, &change);
	assert_int_equal(r->cpu_shares, 512);
	assert_string_equal(r->cpuset_cpus, "0");
	assert_int_equal(r->memory_limit_in_bytes, 100);
	assert_int_equal(r->oom_score_adj, 7);
	pb_free(r);
	change.cpuset_cpus = pb_str("0-1");
	change.cpu_quota = -1;
	r = resources_merge(NULL, &change);
	assert_int_equal(r->cpu_quota, -1);
	assert_string_equal(r->cpuset_cpus, "0-1");
	pb_free(r);
}

static void
test_together(void **state)
{
	resources *r, step;

	(void)state;
	old.cpu_period = 100000;
	old.cpu_quota = 50000;
	old.memory_limit_in_bytes = 100;
	old.memory_swap_limit_in_bytes = 150;
	change.cpu_quota = 70000;
	change.memory_limit_in_bytes = 200;
	r = resources_merge(&old, &change);
	/* The swap is what it was: 50. */
	assert_int_equal(r->memory_swap_limit_in_bytes, 250);
	resources_step(&step, r, &change);
	assert_int_equal(step.cpu_period, 100000);
	assert_int_equal(step.cpu_quota, 70000);
	assert_int_equal(step.memory_limit_in_bytes, 200);
	assert_int_equal(step.memory_swap_limit_in_bytes, 250);
	pb_free(r);
	change.cpu_quota = change.memory_limit_in_bytes = 0;
	change.cpu_shares = 3;
	r = resources_merge(&old, &change);
	resources_step(&step, r, &change);
	assert_int_equal(step.cpu_quota, 0);
	assert_int_equal(step.memory_limit_in_bytes, 0);
	pb_free(r);
}

static void
test_lists(void **state)
{
	Runtime__V1__HugepageLimit h[2] = { RUNTIME__V1__HUGEPAGE_LIMIT__INIT,
		RUNTIME__V1__HUGEPAGE_LIMIT__INIT },
				   *had[] = { &h[0] }, *now[] = { &h[1] };
	Runtime__V1__LinuxContainerResources__UnifiedEntry e
	    [2] = { RUNTIME__V1__LINUX_CONTAINER_RESOURCES__UNIFIED_ENTRY__INIT,
		    RUNTIME__V1__LINUX_CONTAINER_RESOURCES__UNIFIED_ENTRY__INIT },
	   *had_e[] = { &e[0] }, *now_e[] = { &e[1] };
	resources *r;

	(void)state;
	h[0].page_size = h[1].page_size = pb_str("2MB");
	h[0].limit = 1;
	h[1].limit = 2;
	e[0].key = e[1].key = pb_str("memory.low");
	e[0].value = pb_str("1");
	e[1].value = pb_str("2");
	old.hugepage_limits = had;
	old.unified = had_e;
	old.n_hugepage_limits = old.n_unified = 1;
	change.hugepage_limits = now;
	change.unified = now_e;
	change.n_hugepage_limits = change.n_unified = 1;
	r = resources_merge(&old, &change);
	assert_int_equal(r->n_hugepage_limits, 1);
	assert_int_equal(r->hugepage_limits[0]->limit, 2);
	assert_int_equal(r->n_unified, 1);
	assert_string_equal(r->unified[0]->value, "2");
	pb_free(r);
	h[1].page_size = pb_str("1GB");
	e[1].key = pb_str("memory.high");
	r = resources_merge(&old, &change);
	assert_int_equal(r->n_hugepage_limits, 2);
	assert_int_equal(r->n_unified, 2);
	pb_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_stays, begin),
		cmocka_unit_test_setup(test_together, begin),
		cmocka_unit_test_setup(test_lists, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
