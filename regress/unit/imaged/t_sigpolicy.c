#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/identity.h"
#include "imaged/payload.h"
#include "imaged/policy.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct policy *
parse(const char *text)
{
	struct cerr err = { 0 };
	struct policy *p = policy_parse("p", text, strlen(text), &err);

	if (p == NULL)
		print_message("%s: %s\n", text, err.text);
	return p;
}

static const char scopes[] =
    "{\"default\":[{\"type\":\"reject\"}],\"transports\":{"
    "\"docker\":{"
    "\"\":[{\"type\":\"reject\"},{\"type\":\"reject\"}],"
    "\"r.example:5000\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"r.example:5000/a/b\":[{\"type\":\"reject\"}],"
    "\"r.example:5000/a/b:v1\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"docker.io/library/x\":[{\"type\":\"insecureAcceptAnything\"}],"
    "\"*.example\":[{\"type\":\"reject\"}],"
    "\"*.deep.example\":[{\"type\":\"reject\"}]},"
    "\"oci\":{\"/x\":[{\"type\":\"reject\"}]}}}";

static void
test_scopes(void **state)
{
	static const struct {
		const char *image, *scope;
	} rows[] = {
		{ "r.example:5000/a/b:v1", "r.example:5000/a/b:v1" },
		{ "r.example:5000/a/b:v2", "r.example:5000/a/b" },
		{ "r.example:5000/a/b/c:v1", "r.example:5000/a/b" },
		{ "r.example:5000/a/bc:v1", "r.example:5000" },
		{ "r.example:5000/a", "r.example:5000" },
		{ "r.example/a", "*.example" },
		{ "s.example:5000/a", "*.example" },
		{ "a.b.example:9/a", "*.example" },
		{ "a.b.deep.example/a", "*.deep.example" },
		{ "deep.example/a", "*.example" },
		{ "notexample/a", "" },
		{ "x", "docker.io/library/x" },
		{ "y", "" },
		{ "localhost/x", "" },
	};
	struct policy *p = parse(scopes);
	struct ref ref;

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(ref_parse(rows[i].image, &ref, NULL), 0);
		assert_string_equal(policy_find(p, &ref)->name, rows[i].scope);
	}
	/* A tag beside a digest is no part of the scope. */
	assert_int_equal(ref_parse("r.example:5000/a/b:v1@sha256:"
				   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			     &ref, NULL),
	    0);
	assert_string_equal(policy_find(p, &ref)->name, "r.example:5000/a/b");
	assert_int_equal(policy_find(p, NULL)->nreqs, 2);
	assert_false(policy_accepts_all(policy_find(p, NULL)));
	policy_free(p);
	p = parse("{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}");
	assert_non_null(p);
	assert_true(policy_accepts_all(policy_find(p, &ref)));
	policy_free(p);
}

#define KEY   "\"keyType\":\"GPGKeys\","
#define PATH  "\"keyPath\":\"/k\""
#define REKOR "\"rekorPublicKeyData\":\"a2V5\""
#define FULCIO                                                                 \
	"\"fulcio\":{\"caData\":\"a2V5\",\"oidcIssuer\":\"i\","                \
	"\"subjectEmail\":\"e\"}"
#define PKI "\"pki\":{\"caRootsPath\":\"/r\",\"subjectHostname\":\"h\"}"
#define IDENTITY(rest)                                                         \
	"signedBy\"," KEY PATH ",\"signedIdentity\":{\"type\":" rest "}"

/* The rest of a requirement's type, and what more it has. */
static void
test_requirements(void **state)
{
	static const char *const good[] = {
		"insecureAcceptAnything\"",
		"reject\"",
		"signedBy\"," KEY PATH,
		"signedBy\"," KEY "\"keyPaths\":[\"/a\",\"/b\"]",
		"signedBy\"," KEY "\"keyData\":\"a2V5\"",
		"sigstoreSigned\"," PATH,
		"sigstoreSigned\",\"keyDatas\":[\"a2V5\",\"a2V5\"]",
		"sigstoreSigned\"," PATH "," REKOR,
		"sigstoreSigned\"," FULCIO "," REKOR,
		"sigstoreSigned\"," PKI,
		IDENTITY("\"matchExact\""),
		IDENTITY("\"matchRepository\""),
		IDENTITY("\"matchRepoDigestOrExact\""),
		IDENTITY("\"exactReference\",\"dockerReference\":\"a/b:c\""),
		IDENTITY("\"exactRepository\",\"dockerRepository\":\"a/b\""),
		IDENTITY("\"remapIdentity\",\"prefix\":\"a\","
			 "\"signedPrefix\":\"b\""),
	};
	static const char *const bad[] = {
		"perhaps\"",
		"reject\",\"x\":1",
		"signedBy\"," PATH,
		"signedBy\",\"keyType\":\"X509\"," PATH,
		"signedBy\"," KEY "\"keyPath\":\"k\"",
		"signedBy\"," KEY "\"keyPath\":\"/a\\n/etc/shadow\"",
		"signedBy\"," KEY "\"keyPath\":1",
		"signedBy\"," KEY PATH ",\"keyData\":\"a2V5\"",
		"signedBy\"," KEY PATH ",\"keyPath\":\"/other\"",
		"signedBy\"," KEY "\"keyData\":\"a2V\"",
		"signedBy\"," KEY "\"keyData\":\"\"",
		"signedBy\"," KEY "\"keyPaths\":[]",
		"signedBy\"," KEY "\"keyDatas\":[\"a2V5\"]",
		"signedBy\"," KEY "\"x\":1",
		"sigstoreSigned\"",
		"sigstoreSigned\"," PATH "," PKI,
		"sigstoreSigned\"," FULCIO "," PKI "," REKOR,
		"sigstoreSigned\"," FULCIO,
		"sigstoreSigned\"," PKI "," REKOR,
		"sigstoreSigned\",\"fulcio\":{\"caPath\":\"/c\","
		"\"oidcIssuer\":\"i\"}," REKOR,
		"sigstoreSigned\",\"fulcio\":{\"oidcIssuer\":\"i\","
		"\"subjectEmail\":\"e\"}," REKOR,
		"sigstoreSigned\",\"fulcio\":[]," REKOR,
		"sigstoreSigned\",\"pki\":{\"caRootsPath\":\"/r\"}",
		IDENTITY("\"matchSome\""),
		IDENTITY("\"matchExact\",\"x\":1"),
		IDENTITY("\"exactReference\",\"dockerReference\":\"a/b\""),
		IDENTITY("\"exactReference\""),
		IDENTITY("\"exactRepository\",\"dockerRepository\":\"A/B\""),
		IDENTITY("\"remapIdentity\",\"prefix\":\"a\""),
	};
	char text[1024];
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < N(good) + N(bad); i++) {
		(void)snprintf(text, sizeof(text),
		    "{\"default\":[{\"type\":\"%s}]}",
		    i < N(good) ? good[i] : bad[i - N(good)]);
		if (i < N(good)) {
			p = parse(text);
			assert_non_null(p);
			policy_free(p);
		} else {
			assert_null(
			    policy_parse("p", text, strlen(text), NULL));
		}
	}
}

static void
test_documents(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"default\":[]}",
		"{\"default\":{}}",
		"{\"default\":[1]}",
		"{\"default\":[{}]}",
		"{\"default\":[{\"type\":\"reject\"}],\"x\":1}",
		"{\"default\":[{\"type\":\"reject\"}],"
		"\"default\":[{\"type\":\"insecureAcceptAnything\"}]}",
		"{\"default\":[{\"type\":\"reject\"}],\"transports\":[]}",
		"{\"default\":[{\"type\":\"reject\"}],"
		"\"transports\":{\"docker\":[]}}",
		"{\"default\":[{\"type\":\"reject\"}],"
		"\"transports\":{\"docker\":{\"a\":[]}}}",
		"{\"default\":[{\"type\":\"reject\"}],"
		"\"transports\":{\"dir\":{\"\":[{\"type\":\"x\"}]}}}",
	};

	(void)state;
	for (size_t i = 0; i < N(bad); i++)
		assert_null(policy_parse("p", bad[i], strlen(bad[i]), NULL));
}

static void
test_too_much(void **state)
{
	static char text[POLICY_REQS_MAX * 32 + 128];
	struct cerr err;

	(void)state;
	strcpy(text, "{\"default\":[{\"type\":\"reject\"}");
	for (size_t i = 0; i < POLICY_REQS_MAX; i++)
		strcat(text, ",{\"type\":\"reject\"}");
	strcat(text, "]}");
	assert_null(policy_parse("p", text, strlen(text), &err));
	assert_non_null(strstr(err.text, "more than 32 requirements"));
}

static void
count_file(void *arg, struct policy_key *key)
{
	size_t *n = arg;

	assert_int_equal(key->path[0], '/');
	(*n)++;
}

static void
test_files(void **state)
{
	struct policy *p = parse(
	    "{\"default\":[{\"type\":\"sigstoreSigned\"," PATH
	    ",\"rekorPublicKeyPaths\":[\"/a\",\"/b\"]},"
	    "{\"type\":\"sigstoreSigned\"," PKI "}],"
	    "\"transports\":{\"docker\":{\"a\":[{\"type\":\"signedBy\"," KEY
	    "\"keyData\":\"a2V5\"}]},\"oci\":{\"/x\":["
	    "{\"type\":\"signedBy\"," KEY PATH "}]}}}");
	size_t n = 0;

	(void)state;
	assert_non_null(p);
	policy_each_file(p, count_file, &n);
	assert_int_equal(n, 4);
	policy_free(p);
}

/* ---- identities ---- */

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AT  "@sha256:" HEX

static void
test_identities(void **state)
{
	static char ref[] = "r.io/a:v1", repo[] = "r.io/a", from[] = "r.io",
		    to[] = "s.io/m";
	static const struct {
		struct policy_identity id;
		const char *wanted, *claimed;
		bool match;
	} rows[] = {
		{ { POLICY_MATCH_EXACT, NULL, NULL }, "r.io/a:v1", "r.io/a:v1",
		    true },
		{ { POLICY_MATCH_EXACT, NULL, NULL }, "r.io/a:v1", "r.io/a",
		    false },
		{ { POLICY_MATCH_EXACT, NULL, NULL }, "r.io/a:latest", "r.io/a",
		    false },
		{ { POLICY_MATCH_EXACT, NULL, NULL }, "x",
		    "docker.io/library/x"
		    ":latest",
		    true },
		{ { POLICY_MATCH_EXACT, NULL, NULL }, "r.io/a" AT, "r.io/a:v1",
		    false },
		{ { POLICY_MATCH_EXACT, NULL, NULL }, "r.io/a" AT, "r.io/a" AT,
		    true },
		{ { 0, NULL, NULL }, "r.io/a:v1", "r.io/a:v1", true },
		{ { 0, NULL, NULL }, "r.io/a:v1", "r.io/a:v2", false },
		{ { 0, NULL, NULL }, "r.io/a:v1", "r.io/a", false },
		{ { 0, NULL, NULL }, "r.io/a" AT, "r.io/a:v9", true },
		{ { 0, NULL, NULL }, "r.io/a" AT, "r.io/a", true },
		{ { 0, NULL, NULL }, "r.io/a" AT, "r.io/b:v9", false },
		{ { 0, NULL, NULL }, "r.io/a:v1" AT, "r.io/a:v9", true },
		{ { 0, NULL, NULL }, NULL, "r.io/a:v1", false },
		{ { 0, NULL, NULL }, "r.io/a:v1", "Nonsense/!", false },
		{ { POLICY_MATCH_REPOSITORY, NULL, NULL }, "r.io/a:v1",
		    "r.io/a:v2", true },
		{ { POLICY_MATCH_REPOSITORY, NULL, NULL }, "r.io/a:v1",
		    "r.io/a", true },
		{ { POLICY_MATCH_REPOSITORY, NULL, NULL }, "r.io/a:v1",
		    "r.io/ab", false },
		{ { POLICY_MATCH_REPOSITORY, NULL, NULL }, NULL, "r.io/a",
		    false },
		{ { POLICY_MATCH_EXACT_REFERENCE, ref, NULL }, "other/x:y",
		    "r.io/a:v1", true },
		{ { POLICY_MATCH_EXACT_REFERENCE, ref, NULL }, "other/x:y",
		    "r.io/a:v2", false },
		{ { POLICY_MATCH_EXACT_REFERENCE, ref, NULL }, NULL,
		    "r.io/a:v1", true },
		{ { POLICY_MATCH_EXACT_REPOSITORY, repo, NULL }, "other/x:y",
		    "r.io/a:v2", true },
		{ { POLICY_MATCH_EXACT_REPOSITORY, repo, NULL }, "r.io/b",
		    "r.io/b", false },
		{ { POLICY_MATCH_REMAP, from, to }, "r.io/a:v1", "s.io/m/a:v1",
		    true },
		{ { POLICY_MATCH_REMAP, from, to }, "r.io/a:v1", "r.io/a:v1",
		    false },
		{ { POLICY_MATCH_REMAP, from, to }, "r.io/a:v1", "s.io/m/a:v2",
		    false },
		{ { POLICY_MATCH_REMAP, from, to }, "r.io/a" AT, "s.io/m/a:v2",
		    true },
		{ { POLICY_MATCH_REMAP, from, to }, "r.iota/a:v1",
		    "r.iota/a:v1", true },
		{ { POLICY_MATCH_REMAP, from, to }, "r.iota/a:v1",
		    "s.io/mta/a:v1", false },
	};
	struct ref wanted;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		if (rows[i].wanted != NULL)
			assert_int_equal(ref_parse(rows[i].wanted, &wanted,
					     NULL),
			    0);
		if (identity_match(&rows[i].id,
			rows[i].wanted != NULL ? &wanted : NULL,
			rows[i].claimed) != rows[i].match)
			fail_msg("row %zu: %s, %s", i, rows[i].wanted,
			    rows[i].claimed);
	}
}

/* ---- payloads ---- */

#define SAYS(type, digest, ref, optional)                                      \
	"{\"critical\":{\"type\":\"" type "\",\"image\":{"                     \
	"\"docker-manifest-digest\":\"" digest "\"},\"identity\":{"            \
	"\"docker-reference\":\"" ref "\"}},\"optional\":" optional "}"
#define D "sha256:" HEX

static void
test_payloads(void **state)
{
	static const char *const good[] = {
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "{}"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "null"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1",
		    "{\"creator\":\"c\",\"timestamp\":1,\"more\":[]}"),
	};
	static const char *const bad[] = {
		"{}",
		SAYS(PAYLOAD_SIGSTORE, D, "r.io/a:v1", "{}"),
		SAYS(PAYLOAD_SIMPLE, "sha256:aa", "r.io/a:v1", "{}"),
		SAYS(PAYLOAD_SIMPLE, "sha512:" HEX, "r.io/a:v1", "{}"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "[]"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "{\"creator\":1}"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "{\"timestamp\":1.5}"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "{},\"x\":1"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1\",\"x\":\"y", "{}"),
		SAYS(PAYLOAD_SIMPLE, D "\",\"x\":\"y", "r.io/a:v1", "{}"),
		SAYS(PAYLOAD_SIMPLE "\",\"x\":\"y", D, "r.io/a:v1", "{}"),
		SAYS(PAYLOAD_SIMPLE, D, "r.io/a:v1", "{}") "x",
		"{\"critical\":{\"type\":\"" PAYLOAD_SIMPLE "\"},"
		"\"optional\":{}}",
	};
	struct payload p;

	(void)state;
	for (size_t i = 0; i < N(good); i++) {
		assert_int_equal(payload_parse(good[i], strlen(good[i]),
				     PAYLOAD_SIMPLE, &p, NULL),
		    0);
		assert_string_equal(p.digest, D);
		assert_string_equal(p.reference, "r.io/a:v1");
	}
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(payload_parse(bad[i], strlen(bad[i]),
				     PAYLOAD_SIMPLE, &p, NULL),
		    -1);
}

#define STATEMENT(name)                                                        \
	"{\"_type\":\"" PAYLOAD_STATEMENT                                      \
	"\",\"predicateType\":\"" PAYLOAD_PREDICATE "\",\"subject\":[" name    \
	"]}"
#define OF(name, hex) "{" name "\"digest\":{\"sha256\":\"" hex "\"}}"
#define OTHER	      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int
statement(const char *text, struct payload *p)
{
	return payload_statement(text, strlen(text), D, p, NULL);
}

static void
test_statements(void **state)
{
	static const char *const bad[] = { "{}", STATEMENT(""), STATEMENT("{}"),
		STATEMENT(OF("", "aa")), STATEMENT(OF("\"name\":5,", OTHER)),
		"{\"_type\":\"" PAYLOAD_STATEMENT
		"\",\"predicateType\":\"https://slsa.dev/provenance/v1\","
		"\"subject\":[" OF("", OTHER) "]}",
		"{\"_type\":\"x\",\"predicateType\":\"" PAYLOAD_PREDICATE
		"\",\"subject\":[" OF("", OTHER) "]}" };
	const char *hex = D + DIGEST_PREFIX_LEN;
	struct payload p;
	char text[1024];

	(void)state;
	(void)snprintf(text, sizeof(text),
	    STATEMENT(OF("", OTHER) "," OF("\"name\":\"r.io/a\",", "%s")), hex);
	assert_int_equal(statement(text, &p), 0);
	assert_string_equal(p.digest, D);
	assert_string_equal(p.reference, "r.io/a");
	/* What it is of is told, for the error. */
	assert_int_equal(statement(STATEMENT(OF("", OTHER)), &p), 0);
	assert_string_equal(p.digest, DIGEST_PREFIX OTHER);
	assert_string_equal(p.reference, "");
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(statement(bad[i], &p), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_requirements),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
