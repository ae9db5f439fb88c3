#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/unarchive_fds.h"

static void
test_descriptors(void **state)
{
	static const char *const good[] = {
		"[\"/dev/null\",\"pipe:[1]\",\"pipe:[2]\"]",
		"[\"\",\"\",\"\"]",
		"[\"/dev/pts/0\",\"/a b (deleted)\",\"socket:[9]\"]",
	};
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"[\"a\",\"b\"]",
		"[\"a\",\"b\",\"c\",\"pipe:[7]\"]",
		"[\"a\",\"b\",\"\\u0070ipe:[7]\"]",
		"[\"a\",\"b\",\"c\"",
		"[\"a\",\"b\",\"c\"]]",
		"[\"a\",\"b\",\"c\"] ",
		"[\"a\" ,\"b\",\"c\"]",
		"[\"a\",\"b\",[\"c\"]]",
		"[\"a\",\"b\",\"c\n\"]",
		"{\"a\":\"b\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(unarchive_fds_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(unarchive_fds_valid(bad[i], strlen(bad[i])));
	/* Only the bytes that are there count. */
	assert_false(unarchive_fds_valid(good[0], strlen(good[0]) - 1));
	assert_false(unarchive_fds_valid("[\"a\0\",\"b\",\"c\"]", 13));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
