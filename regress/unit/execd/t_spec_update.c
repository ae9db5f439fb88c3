/* New limits, as a runtime and a cgroup are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "execd/spec_update.h"

static Criod__BootExecd boot = CRIOD__BOOT_EXECD__INIT;
static Runtime__V1__LinuxContainerResources res;
static struct update_file files[UPDATE_FILES_MAX];
static char word_cpus[] = "0-1", word_page[] = "2MB",
	    word_key[] = "memory.high", word_value[] = "max",
	    word_bad[] = "cgroup.procs";
static struct cerr err;

static int
begin(void **state)
{
	(void)state;
	runtime__v1__linux_container_resources__init(&res);
	boot.cgroup2 = true;
	boot.cgroup_driver = RUNTIME__V1__CGROUP_DRIVER__CGROUPFS;
	boot.hugetlb = true;
	return 0;
}

static void
expect(const char *want)
{
	json_t *o = spec_update(&boot, &res, &err);
	char *text;

	assert_non_null(o);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, want);
	free(text);
	json_decref(o);
}

static void
test_only_what_is_asked(void **state)
{
	(void)state;
	expect("{}");
	res.cpu_quota = 50000;
	expect("{\"cpu\":{\"quota\":50000}}");
	res.cpuset_cpus = word_cpus;
	res.memory_limit_in_bytes = 1 << 20;
	res.memory_swap_limit_in_bytes = 2 << 20;
	expect("{\"cpu\":{\"cpus\":\"0-1\",\"quota\":50000},"
	       "\"memory\":{\"limit\":1048576,\"swap\":2097152}}");
	res.memory_limit_in_bytes = 1024;
	assert_null(spec_update(&boot, &res, &err));
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
}

static void
test_huge_pages(void **state)
{
	Runtime__V1__HugepageLimit h = RUNTIME__V1__HUGEPAGE_LIMIT__INIT,
				   *list[] = { &h };
	size_t n;

	(void)state;
	h.page_size = word_page;
	h.limit = 4 << 20;
	res.hugepage_limits = list;
	res.n_hugepage_limits = 1;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(files[0].name, "hugetlb.2MB.rsvd.max");
	assert_string_equal(files[1].name, "hugetlb.2MB.max");
	assert_string_equal(files[1].value, "4194304");
	boot.cgroup2 = false;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), 0);
	assert_string_equal(files[1].name, "hugetlb.2MB.limit_in_bytes");
	/* As at creation, where the host cannot limit them. */
	boot.hugetlb = false;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), 0);
	assert_int_equal(n, 0);
}

static void
test_unified(void **state)
{
	Runtime__V1__LinuxContainerResources__UnifiedEntry
	    e = RUNTIME__V1__LINUX_CONTAINER_RESOURCES__UNIFIED_ENTRY__INIT,
	    *list[] = { &e };
	size_t n;

	(void)state;
	e.key = word_key;
	e.value = word_value;
	res.unified = list;
	res.n_unified = 1;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(files[0].name, "memory.high");
	boot.cgroup_driver = RUNTIME__V1__CGROUP_DRIVER__SYSTEMD;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), -1);
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
	boot.cgroup_driver = RUNTIME__V1__CGROUP_DRIVER__CGROUPFS;
	e.key = word_bad;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), -1);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	boot.cgroup2 = false;
	assert_int_equal(spec_update_files(&boot, &res, files, &n, &err), -1);
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_what_is_asked, begin),
		cmocka_unit_test_setup(test_huge_pages, begin),
		cmocka_unit_test_setup(test_unified, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
