#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/ref.h"

#define D                                                                      \
	"sha256:"                                                              \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
test_good(void **state)
{
	static const char *const good[][2] = {
		{ "busybox", "docker.io/library/busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "a/b", "docker.io/a/b:latest" },
		{ "docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "index.docker.io/a/b", "docker.io/a/b:latest" },
		{ "localhost/a", "localhost/a:latest" },
		{ "localhost:5000/a:b", "localhost:5000/a:b" },
		{ "127.0.0.1:5000/a/b/c:T_1.x-y",
		    "127.0.0.1:5000/a/b/c:T_1.x-y" },
		{ "registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9" },
		{ "[::1]:5000/a", "[::1]:5000/a:latest" },
		{ "[fe80::1]/a", "[fe80::1]/a:latest" },
		{ "Host/a", "Host/a:latest" },
		{ "busybox@" D, "docker.io/library/busybox@" D },
		{ "q.io/a:t@" D, "q.io/a:t@" D },
		{ "q.io/a__b/c-d/e---f.g", "q.io/a__b/c-d/e---f.g:latest" },
	};
	char text[REF_TEXT_SIZE];
	struct ref ref;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ref_parse(good[i][0], &ref, &err), 0);
		ref_text(&ref, text);
		assert_string_equal(text, good[i][1]);
		/* The full form is its own full form. */
		assert_int_equal(ref_parse(text, &ref, &err), 0);
		ref_text(&ref, text);
		assert_string_equal(text, good[i][1]);
	}
}

static void
test_bad(void **state)
{
	static const char *const bad[] = { "", ":", "/", "@", "a/", "/a", "A",
		"a//b", "a/../b", "../a", "a/./b", "a:", "a:-x", "a:.x", "a@",
		"a@sha256:", "a@sha256:../../etc", "a b", "a\nb", "a\tb",
		"a@" D "0", "a@sha512:00", "a@" D "@" D, "-a", "a-", "a___b",
		"a..b", "q.io:/a", "q.io:0/a", "q.io:65536/a", "q.io:x/a",
		"q..io/a", ".io/a", "q.io./a", "-q.io/a", "[::1/a", "[]/a",
		"[g::]/a", "user@q.io/a", "http://q.io/a",
		"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef"
		"0123456789abcdef",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
		"abcdef",
		"q.io/a:\xc3\xa9", "q.io/a?x=1", "q.io/a#b", "q.io/%2e%2e" };
	struct ref ref;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (ref_parse(bad[i], &ref, &err) != -1)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	}
}

static void
test_long(void **state)
{
	char text[2000];
	struct ref ref;
	struct cerr err;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "q.io/", 5);
	text[255] = '\0';
	assert_int_equal(ref_parse(text, &ref, &err), 0);
	memset(text + 255, 'a', 1);
	text[256] = '\0';
	assert_int_equal(ref_parse(text, &ref, &err), -1);
	memset(text + 256, 'a', 1743);
	text[1999] = '\0';
	assert_int_equal(ref_parse(text, &ref, &err), -1);
	memcpy(text, "q.io/a:", 7);
	text[7 + 128] = '\0';
	assert_int_equal(ref_parse(text, &ref, &err), 0);
	text[7 + 128] = 'a';
	text[7 + 129] = '\0';
	assert_int_equal(ref_parse(text, &ref, &err), -1);
}

static void
test_parts(void **state)
{
	char text[REF_TEXT_SIZE];
	struct ref ref;

	(void)state;
	assert_int_equal(ref_parse("q.io/a:t@" D, &ref, NULL), 0);
	ref_name(&ref, text);
	assert_string_equal(text, "q.io/a");
	ref_tagged(&ref, text);
	assert_string_equal(text, "q.io/a:t");
	ref_at_digest(&ref, D, text);
	assert_string_equal(text, "q.io/a@" D);
	assert_int_equal(ref_parse("q.io/a@" D, &ref, NULL), 0);
	ref_tagged(&ref, text);
	assert_string_equal(text, "");
}

static void
test_digest(void **state)
{
	char out[DIGEST_SIZE];

	(void)state;
	digest_init();
	digest_of("abc", 3, out);
	assert_string_equal(out,
	    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2"
	    "0015ad");
	assert_true(digest_valid(out));
	out[70] = '\0';
	assert_false(digest_valid(out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
