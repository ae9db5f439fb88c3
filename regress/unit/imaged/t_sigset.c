#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/sigatomic.h"
#include "imaged/sigbundle.h"
#include "imaged/sigmanifest.h"
#include "imaged/sigreferrer.h"
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

/* ---- bundles ---- */

#define BUNDLE	  "\"" SIGBUNDLE_TYPE "\""
#define REFERRER  "\"digest\":\"" D "\",\"size\":9"
#define PREDICATE "dev.sigstore.bundle.predicateType"

static size_t
referrers(const char *text)
{
	static struct sigreferrer_list l;
	struct cerr err;

	if (sigreferrer_parse(text, strlen(text), &l, &err) == -1)
		return 1000;
	return l.n;
}

static void
test_referrers(void **state)
{
	char many[16384] = "{\"manifests\":[{" REFERRER "}";
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{ "{}", 0 },
		{ "{\"manifests\":[]}", 0 },
		{ "{\"manifests\":{}}", 1000 },
		{ "{\"manifests\":[1]}", 1000 },
		{ "{\"manifests\":[{" REFERRER "}]}", 1 },
		{ "{\"manifests\":[{" REFERRER ",\"artifactType\":" BUNDLE
		  "}]}",
		    1 },
		{ "{\"manifests\":[{" REFERRER
		  ",\"artifactType\":\"application/x\"}]}",
		    0 },
		{ "{\"manifests\":[{" REFERRER ",\"annotations\":{\"" PREDICATE
		  "\":\"https://slsa.dev/provenance/v1\"}}]}",
		    0 },
		{ "{\"manifests\":[{\"digest\":\"" D "\",\"size\":65537}]}",
		    1000 },
		{ "{\"manifests\":[{\"digest\":\"sha256:../..\",\"size\":1}]}",
		    1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(referrers(cases[i].text), cases[i].n);
	for (size_t i = 1; i < SIGREFERRER_MAX; i++)
		(void)strcat(many, ",{" REFERRER "}");
	(void)strcat(many, "]}");
	assert_int_equal(referrers(many), SIGREFERRER_MAX);
	many[strlen(many) - 2] = '\0';
	(void)strcat(many, ",{" REFERRER "}]}");
	assert_int_equal(referrers(many), 1000);
}

#define LAYER	"{\"mediaType\":" BUNDLE "," REFERRER "}"
#define SUBJECT "\"artifactType\":" BUNDLE ",\"subject\":{\"digest\":\"" D "\"}"

static void
test_referrer(void **state)
{
	static const struct {
		const char *text;
		int rc;
		size_t size;
	} cases[] = {
		{ "{" SUBJECT ",\"layers\":[" LAYER "]}", 0, 9 },
		{ "{" SUBJECT ",\"layers\":[" LAYER "," LAYER "]}", 0, 0 },
		{ "{" SUBJECT ",\"layers\":[]}", 0, 0 },
		{ "{" SUBJECT "}", 0, 0 },
		{ "{\"layers\":[" LAYER "]}", 0, 0 },
		/* Of itself, say: a loop is not even begun. */
		{ "{\"artifactType\":" BUNDLE ",\"subject\":{\"digest\":"
		  "\"sha256:x\"},\"layers\":[" LAYER "]}",
		    0, 0 },
		{ "{" SUBJECT ",\"layers\":[{\"mediaType\":" BUNDLE
		  ",\"digest\":\"" D "\",\"size\":262145}]}",
		    -1, 0 },
		{ "[", -1, 0 },
	};
	struct sigreferrer_desc d;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sigreferrer_blob(cases[i].text,
				     strlen(cases[i].text), D, &d, &err),
		    cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(d.size, cases[i].size);
	}
}

#define ENVELOPE                                                               \
	"\"dsseEnvelope\":{\"payload\":\"e30=\",\"payloadType\":"              \
	"\"application/"                                                       \
	"vnd.in-toto+json\",\"signatures\":[{\"sig\":\"c2ln\"}]}"
#define HEAD "\"mediaType\":" BUNDLE ","
#define LOG                                                                    \
	"{\"logIndex\":\"7\",\"logId\":{\"keyId\":\"AQI=\"},"                  \
	"\"integratedTime\":\"9\",\"canonicalizedBody\":\"e30=\","             \
	"\"inclusionPromise\":{\"signedEntryTimestamp\":\"c2V0\"}}"

static int
bundle(const char *text, struct sigset *set)
{
	struct cerr err;
	int rc = sigbundle_add(set, D, text, strlen(text), &err);

	if (rc == -1)
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	return rc;
}

static void
test_bundles(void **state)
{
	static const char *const bad[] = { "{}", "{" HEAD ENVELOPE "}",
		"{" ENVELOPE ",\"verificationMaterial\":{\"publicKey\":{}}}",
		"{" HEAD "\"verificationMaterial\":{\"publicKey\":{}}}",
		"{" HEAD ENVELOPE
		",\"verificationMaterial\":{\"certificate\":{}}}",
		"{" HEAD ENVELOPE
		",\"verificationMaterial\":{\"certificate\":{\"rawBytes\":"
		"\"-\"}}}" };
	struct sigset set = { 0 };
	const struct sig *s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(bundle(bad[i], &set), -1);
	assert_int_equal(set.n, 0);
	assert_int_equal(
	    bundle("{" HEAD ENVELOPE
		   ",\"verificationMaterial\":{\"publicKey\":{\"hint\":\"x\"},"
		   "\"tlogEntries\":[{}," LOG "]}}",
		&set),
	    0);
	s = &set.sigs[0];
	assert_int_equal(s->kind, SIG_DSSE);
	assert_string_equal(s->digest, D);
	assert_string_equal(s->part[SIG_BODY].data, "{}");
	assert_string_equal(s->part[SIG_SIGNATURE].data, "c2ln");
	assert_null(s->part[SIG_CERTIFICATE].data);
	assert_non_null(strstr((const char *)s->part[SIG_BUNDLE].data,
	    "\"logID\":\"0102\""));
	assert_int_equal(bundle("{" HEAD ENVELOPE ",\"verificationMaterial\":"
				"{\"certificate\":{\"rawBytes\":\"AQI=\"}}}",
			     &set),
	    0);
	assert_string_equal(set.sigs[1].part[SIG_CERTIFICATE].data,
	    "-----BEGIN CERTIFICATE-----\nAQI=\n"
	    "-----END CERTIFICATE-----\n");
	sigset_clear(&set);
}

static void
test_signed(void **state)
{
	size_t len;
	uint8_t *text = sigbundle_signed("{}", 2, &len);

	(void)state;
	assert_int_equal(len, strlen("DSSEv1 28 " SIGBUNDLE_PAYLOAD " 2 {}"));
	assert_memory_equal(text, "DSSEv1 28 " SIGBUNDLE_PAYLOAD " 2 {}", len);
	free(text);
}

static int
kept(const char *text, struct sigset *set)
{
	return sigatomic_parse(text, strlen(text), D, set, NULL);
}

static void
test_kept(void **state)
{
	struct sigset set = { 0 };

	(void)state;
	assert_int_equal(
	    kept("{\"signatures\":[{\"version\":2,\"type\":"
		 "\"atomic\",\"content\":\"c2ln\"},{\"version\":3},"
		 "{\"version\":2,\"type\":\"x\"}]}",
		&set),
	    0);
	assert_int_equal(set.n, 1);
	assert_int_equal(set.sigs[0].kind, SIG_SIMPLE);
	assert_string_equal(set.sigs[0].part[SIG_BODY].data, "sig");
	assert_int_equal(kept("{\"signatures\":[{\"version\":2,\"type\":"
			      "\"atomic\",\"content\":\"-\"}]}",
			     &set),
	    -1);
	assert_int_equal(kept("{\"signatures\":[5]}", &set), -1);
	assert_int_equal(kept("{\"signatures\":{}}", &set), -1);
	assert_int_equal(kept("{}", &set), 0);
	sigset_clear(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_manifests),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_referrers),
		cmocka_unit_test(test_referrer),
		cmocka_unit_test(test_bundles),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
