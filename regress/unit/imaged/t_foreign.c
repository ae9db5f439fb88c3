#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/foreign.h"

#define OCI "application/vnd.oci.image."
#define D                                                                      \
	"sha256:"                                                              \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define LAYER(type, urls)                                                      \
	"{\"mediaType\":\"" OCI type "\",\"digest\":\"" D                      \
	"\",\"size\":9,\"urls\":[" urls "]}"
#define LOCAL "layer.nondistributable.v1.tar+gzip"

static char *urls[MANIFEST_LAYERS_MAX];
static struct cerr err;

static int
choose(const char *const *rules, size_t n, const char *image,
    const char *layers)
{
	static struct manifest m;
	struct foreign_rules f = { rules, n };
	struct ref ref;
	char text[4096];

	assert_int_equal(ref_parse(image, &ref, &err), 0);
	(void)snprintf(text, sizeof(text),
	    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI
	    "config.v1+json\",\"digest\":\"" D "\",\"size\":2},"
	    "\"layers\":[%s]}",
	    layers);
	assert_int_equal(manifest_parse(text, strlen(text),
			     OCI "manifest.v1+json", NULL,
			     manifest_platform_of("x86_64"), &m, &err),
	    0);
	return foreign_choose(&f, &ref, &m, text, strlen(text), urls, &err);
}

static void
test_rules(void **state)
{
	static const char *const rules[] = {
		"a.example/team=https://cdn.example/l/",
		"*=http://10.0.0.1:8080/"
	};
	/* image, URL, allowed */
	static const struct {
		const char *image, *url;
		bool allowed;
	} cases[] = {
		{ "a.example/team/x:1", "\"https://cdn.example/l/1\"", true },
		{ "a.example/team:1", "\"https://CDN.example:443/l/1\"", true },
		{ "a.example/teams:1", "\"https://cdn.example/l/1\"", false },
		{ "b.example/team:1", "\"https://cdn.example/l/1\"", false },
		{ "b.example/x", "\"http://10.0.0.1:8080/1\"", true },
		{ "b.example/x", "\"https://10.0.0.1:8080/1\"", false },
		{ "b.example/x", "\"http://10.0.0.1:80800/1\"", false },
		{ "a.example/team", "\"http://cdn.example/l/1\"", false },
		{ "a.example/team", "\"https://cdn.example/m/1\"", false },
		{ "a.example/team", "\"https://cdn.example/l\"", false },
		{ "a.example/team", "\"https://cdn.example.evil/l/1\"", false },
		{ "a.example/team", "\"https://u:p@cdn.example/l/1\"", false },
		{ "a.example/team", "\"https://cdn.example/l/../m\"", false },
		{ "a.example/team", "\"https://cdn.example/l/%2e%2E/m\"",
		    false },
		{ "a.example/team", "\"file:///l/1\"", false },
		{ "a.example/team", "\"\"", false },
		{ "a.example/team", "1, {}, null", false },
		{ "a.example/team", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char layers[1024];
		int rc;

		(void)snprintf(layers, sizeof(layers), LAYER(LOCAL, "%s"),
		    cases[i].url);
		rc = choose(rules, 2, cases[i].image, layers);
		if (rc != (cases[i].allowed ? 0 : -1))
			fail_msg("%s %s", cases[i].image, cases[i].url);
		assert_true((urls[0] != NULL) == cases[i].allowed);
		if (rc == -1) {
			assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
			assert_non_null(strstr(err.text, "foreign"));
		}
	}
	foreign_free(urls);
}

static void
test_several(void **state)
{
	static const char *const rules[] = { "*=https://a.example/" };

	(void)state;
	/* The first that is allowed; others' URLs mean nothing. */
	assert_int_equal(
	    choose(rules, 1, "x.example/y",
		LAYER("layer.v1.tar",
		    "\"https://a.example/0\"") "," LAYER(LOCAL,
		    "\"https://b.example/1\",\"https://a.example/2\","
		    "\"https://a.example/3\"")),
	    0);
	assert_null(urls[0]);
	assert_string_equal(urls[1], "https://a.example/2");
	/* One that has none stops all. */
	assert_int_equal(choose(rules, 1, "x.example/y",
			     LAYER(LOCAL,
				 "\"https://a.example/1\"") "," LAYER(LOCAL,
				 "\"https://b.example/1\"")),
	    -1);
	assert_null(urls[0]);
	/* Without a rule nothing is allowed. */
	assert_int_equal(choose(NULL, 0, "x.example/y",
			     LAYER(LOCAL, "\"https://a.example/1\"")),
	    -1);
	assert_int_equal(choose(NULL, 0, "x.example/y",
			     LAYER("layer.v1.tar", "")),
	    0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
