#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "execd/launch_label.h"

/* A whole name and nothing else is a profile. */
static void
t_listed(void **state)
{
	static const char list[] = "/usr/bin/man (enforce)\n"
				   "man_filter (complain)\n"
				   "a b (enforce)\n"
				   ":ns://in-a-namespace (enforce)\n"
				   "last (kill)";
	static const char *const yes[] = { "/usr/bin/man", "man_filter", "a b",
		"last" };
	static const char *const no[] = { "", "man", "man_filte", "man_filterx",
		"usr/bin/man", "/usr/bin/man (enforce)", "b", "in-a-namespace",
		"unconfined", "(enforce)", "\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!label_listed(list, yes[i]))
			fail_msg("not found: %s", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (label_listed(list, no[i]))
			fail_msg("found: %s", no[i]);
	}
	assert_false(label_listed("", "x"));
	assert_false(label_listed("\n\n", "x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
