#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/sigmanifest.h"
#include "imaged/sigset.h"

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D   "sha256:" HEX

static void
add(struct sigset *set, enum sig_kind kind, const char *body)
{
	struct sig *sig = sigset_add(set, kind, D, NULL);

	assert_non_null(sig);
	assert_int_equal(sigset_put(set, sig, SIG_BODY, body, strlen(body),
			     NULL),
	    0);
}

static void
test_packed(void **state)
{
	struct sigset set = { 0 }, back = { 0 };
	uint8_t *buf;
	size_t len;

	(void)state;
	sigset_pack(&set, &buf, &len);
	assert_int_equal(sigset_unpack(&back, buf, len, NULL), 0);
	assert_int_equal(back.n, 0);
	free(buf);
	add(&set, SIG_SIMPLE, "one");
	add(&set, SIG_SIGSTORE, "");
	assert_int_equal(sigset_put(&set, &set.sigs[1], SIG_BUNDLE, "{}", 2,
			     NULL),
	    0);
	sigset_pack(&set, &buf, &len);
	/* Several are put together. */
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(sigset_unpack(&back, buf, len, NULL), 0);
	assert_int_equal(back.n, 4);
	assert_int_equal(back.sigs[2].kind, SIG_SIMPLE);
	assert_string_equal(back.sigs[2].digest, D);
	assert_string_equal(back.sigs[2].part[SIG_BODY].data, "one");
	assert_int_equal(back.sigs[3].part[SIG_BODY].len, 0);
	assert_non_null(back.sigs[3].part[SIG_BODY].data);
	assert_null(back.sigs[3].part[SIG_CHAIN].data);
	assert_string_equal(back.sigs[3].part[SIG_BUNDLE].data, "{}");
	sigset_clear(&back);
	/* Not a byte less. */
	for (size_t i = 0; i < len; i++) {
		int rc = sigset_unpack(&back, buf, i, NULL);

		assert_true(rc == -1 || back.n < 2);
		sigset_clear(&back);
	}
	free(buf);
	sigset_clear(&set);
}

static void
test_limits(void **state)
{
	static char big[SIGSET_PART_MAX + 1];
	struct sigset set = { 0 };
	struct sig *sig = sigset_add(&set, SIG_SIMPLE, D, NULL);
	struct cerr err;

	(void)state;
	assert_int_equal(sigset_put(&set, sig, SIG_BODY, big, sizeof(big),
			     &err),
	    -1);
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	for (size_t i = 0; i < SIGSET_BYTES_MAX / SIGSET_PART_MAX; i++)
		assert_int_equal(sigset_put(&set, sig, SIG_BODY, big,
				     SIGSET_PART_MAX, &err),
		    0);
	assert_int_equal(sigset_put(&set, sig, SIG_BODY, big, 1, &err), -1);
	for (size_t i = 1; i < SIGSET_MAX; i++)
		assert_non_null(sigset_add(&set, SIG_SIMPLE, D, &err));
	assert_null(sigset_add(&set, SIG_SIMPLE, D, &err));
	sigset_clear(&set);
}

#define TYPE                                                                   \
	"\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\""
#define BLOB ",\"digest\":\"" D "\",\"size\":3"

static int
manifest(const char *layers, struct sigset *set, struct sigmanifest *m)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "{\"layers\":%s}", layers);
	return sigmanifest_parse(text, strlen(text), D, set, m, NULL);
}

static void
test_manifests(void **state)
{
	static const char *const bad[] = { "{}", "[1]", "[{}]", "[{" TYPE "}]",
		"[{" TYPE ",\"digest\":\"" D "\"}]",
		"[{" TYPE ",\"digest\":\"sha256:\",\"size\":3}]",
		"[{" TYPE ",\"digest\":\"" D "\",\"size\":262145}]",
		"[{" TYPE BLOB ",\"annotations\":{"
		"\"dev.sigstore.cosign/bundle\":{}}}]" };
	static struct sigmanifest m;
	struct sigset set = { 0 };

	(void)state;
	assert_int_equal(
	    manifest("[{\"mediaType\":\"x\"},{" TYPE BLOB
		     ",\"annotations\":{\"dev.cosignproject.cosign/signature\":"
		     "\"c2ln\",\"dev.sigstore.cosign/certificate\":\"\"}}]",
		&set, &m),
	    0);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.blobs[0].size, 3);
	assert_string_equal(set.sigs[0].part[SIG_SIGNATURE].data, "c2ln");
	assert_null(set.sigs[0].part[SIG_CERTIFICATE].data);
	assert_null(set.sigs[0].part[SIG_BODY].data);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(manifest(bad[i], &set, &m), -1);
	sigset_clear(&set);
}

static void
test_tag(void **state)
{
	char tag[SIGMANIFEST_TAG_SIZE];

	(void)state;
	sigmanifest_tag(D, tag);
	assert_string_equal(tag, "sha256-" HEX ".sig");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_manifests),
		cmocka_unit_test(test_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
