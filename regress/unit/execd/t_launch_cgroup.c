#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "execd/launch_cgroup.h"

static const char v1[] =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup "
    "rw,memory\n"
    "36 31 0:33 /sub /mnt/part rw - cgroup cgroup rw,pids\n"
    "37 31 0:34 / /mnt/a\\040b rw - cgroup cgroup rw,pids\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
    "rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
static const char v2[] =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n";

static void
test_parse(void **state)
{
	struct cgroups cg;
	char file[256];

	(void)state;
	cgroup_parse(&cg, v1);
	assert_int_equal(cg.n, 4);
	assert_string_equal(cg.trees[0].mount, "/sys/fs/cgroup/cpu,cpuacct");
	assert_true(cg.trees[3].v2);
	cgroup_oom_file(&cg, "/a/b", file, sizeof(file));
	assert_string_equal(file,
	    "/sys/fs/cgroup/memory/a/b/memory.oom_control");
	cgroup_parse(&cg, v2);
	assert_int_equal(cg.n, 1);
	cgroup_oom_file(&cg, "/a/b", file, sizeof(file));
	assert_string_equal(file, "/sys/fs/cgroup/a/b/memory.events");
	cgroup_parse(&cg, "");
	assert_int_equal(cg.n, 0);
	cgroup_parse(&cg, "garbage\n - \n1 2 3 / - cgroup\n");
	assert_int_equal(cg.n, 0);
}

static void
test_path(void **state)
{
	static const char *const bad[] = { "", "/", "a", "/a/", "//a", "/a//b",
		"/a/../b", "/..", "/a/..", "/a/.", "/./a", "/a\nb" };
	char longest[CGROUP_PATH_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(cgroup_path_valid(bad[i]));
	assert_true(cgroup_path_valid("/a"));
	assert_true(cgroup_path_valid("/a.slice/b..c/...d"));
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[CGROUP_PATH_MAX] = '\0';
	assert_false(cgroup_path_valid(longest));
	longest[CGROUP_PATH_MAX - 1] = '\0';
	assert_true(cgroup_path_valid(longest));
}

static void
test_within(void **state)
{
	(void)state;
	assert_true(cgroup_text_within("0::/p/c\n", "/p/c"));
	assert_true(cgroup_text_within("0::/p/c/inner\n", "/p/c"));
	assert_false(cgroup_text_within("0::/p/cc\n", "/p/c"));
	assert_false(cgroup_text_within("0::/p\n", "/p/c"));
	assert_false(cgroup_text_within("0::/\n", "/p/c"));
	assert_false(cgroup_text_within("", "/p/c"));
	assert_false(cgroup_text_within("garbage", "/p/c"));
	/* v1: each that limits must agree, others need not. */
	assert_true(cgroup_text_within(
	    "9:name=systemd:/\n8:pids:/p/c\n4:memory:/p/c\n0::/\n", "/p/c"));
	assert_false(
	    cgroup_text_within("8:pids:/p/c\n4:memory:/other\n0::/p/c\n",
		"/p/c"));
	assert_false(
	    cgroup_text_within("3:cpuacct,cpu:/other\n8:pids:/p/c\n", "/p/c"));
	assert_true(
	    cgroup_text_within("3:cpuacct:/other\n8:pids:/p/c\n", "/p/c"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
