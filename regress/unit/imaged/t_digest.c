#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/digest.h"

/* As sha256sum and sha512sum have it. */
#define ABC256                                                                 \
	"sha256:"                                                              \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC512                                                                 \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"              \
	"0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"                     \
	"454d4423643ce80e2a9ac94fa54ca49f"

static void
test_of(void **state)
{
	char out[DIGEST_SIZE];
	struct digest *d;

	(void)state;
	digest_of("abc", 3, out);
	assert_string_equal(out, ABC256);
	digest_of_like("abc", 3, ABC256, out);
	assert_string_equal(out, ABC256);
	digest_of_like("abc", 3, ABC512, out);
	assert_string_equal(out, ABC512);
	d = digest_new_like(ABC512);
	digest_update(d, "x", 1);
	digest_reset(d);
	digest_update(d, "ab", 2);
	digest_update(d, "c", 1);
	digest_final(d, out);
	digest_free(d);
	assert_string_equal(out, ABC512);
	/* What is nobody's algorithm is compared with a sha256. */
	digest_of_like("abc", 3, "md5:900150983cd24fb0", out);
	assert_string_equal(out, ABC256);
}

static void
test_valid(void **state)
{
	static const char *const wrong[] = { "", "sha256", "sha256:",
		"sha512:" /* as long as the other's */
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
		"5ad",
		"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF"
		"61F20015AD",
		ABC256 "0", ABC512 "0", ABC512 "/",
		"sha384:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff",
		"sha256:../../../../../../../../../../../../../../../../../../"
		"../../.." };
	static char longer[4096];

	(void)state;
	assert_true(digest_valid(ABC256));
	assert_true(digest_valid(ABC512));
	assert_true(digest_is_sha256(ABC256));
	assert_false(digest_is_sha256(ABC512));
	assert_null(digest_problem(ABC512));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(digest_valid(wrong[i]));
		assert_false(digest_is_sha256(wrong[i]));
		assert_non_null(digest_problem(wrong[i]));
	}
	assert_non_null(strstr(digest_problem("sha384:00"), "neither"));
	assert_non_null(strstr(digest_problem("sha512:00"), "128"));
	memset(longer, 'a', sizeof(longer) - 1);
	memcpy(longer, "sha512:", 7);
	assert_false(digest_valid(longer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of),
		cmocka_unit_test(test_valid),
	};

	digest_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
