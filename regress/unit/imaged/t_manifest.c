#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/manifest.h"

#define H    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define D(n) "sha256:" H #n
#define OCI  "application/vnd.oci.image."
#define DOCK "application/vnd.docker."
/* clang-format off */
#define CONF "{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" D(0)    \
	"\",\"size\":10}"
#define LAYER(type, n)                                                         \
	"{\"mediaType\":\"" type "\",\"digest\":\"" D(n) "\",\"size\":100}"
#define GZ OCI "layer.v1.tar+gzip"
#define MAN(config, layers)                                                    \
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\","      \
	"\"config\":" config ",\"layers\":[" layers "]}"
#define ENTRY(arch, variant, n)                                                \
	"{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" D(n)        \
	"\",\"size\":100,\"platform\":{\"os\":\"linux\",\"architecture\":\""   \
	arch "\"" variant "}}"
#define INDEX(entries)                                                         \
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\","         \
	"\"manifests\":[" entries "]}"
/* clang-format on */

static struct manifest m;
static struct cerr err;

static int
parse(const char *text, const char *type, const char *expected,
    const char *machine)
{
	memset(&err, 0, sizeof(err));
	return manifest_parse(text, strlen(text), type, expected,
	    manifest_platform_of(machine), &m, &err);
}

static void
test_image(void **state)
{
	/* clang-format off */
	static const char text[] = MAN(CONF, LAYER(GZ, 1) ","
	    LAYER(OCI "layer.v1.tar", 2) ","
	    LAYER(DOCK "image.rootfs.diff.tar.gzip", 3) ","
	    LAYER(OCI "layer.v1.tar+zstd", 4));
	/* clang-format on */

	(void)state;
	assert_int_equal(parse(text, OCI "manifest.v1+json; charset=utf-8",
			     NULL, "x86_64"),
	    0);
	assert_int_equal(m.kind, MANIFEST_IMAGE);
	assert_int_equal(m.nlayers, 4);
	assert_string_equal(m.config.digest, D(0));
	assert_int_equal(m.layers[0].compression, MANIFEST_GZIP);
	assert_int_equal(m.layers[1].compression, MANIFEST_PLAIN);
	assert_int_equal(m.layers[2].compression, MANIFEST_GZIP);
	assert_int_equal(m.layers[3].compression, MANIFEST_ZSTD);
	assert_int_equal(m.layers[3].size, 100);
}

static void
test_index(void **state)
{
	/* clang-format off */
	static const char text[] = INDEX(ENTRY("arm", ",\"variant\":\"v6\"", 1)
	    "," ENTRY("arm", ",\"variant\":\"v7\"", 2) "," ENTRY("amd64", "", 3)
	    "," ENTRY("arm64", ",\"variant\":\"v8\"", 4) ","
	    ENTRY("amd64", ",\"variant\":\"v3\"", 5));
	/* clang-format on */

	(void)state;
	assert_int_equal(parse(text, "", NULL, "x86_64"), 0);
	assert_int_equal(m.kind, MANIFEST_INDEX);
	assert_string_equal(m.chosen.digest, D(3));
	assert_int_equal(parse(text, "", NULL, "x86_64-v2"), 0);
	assert_string_equal(m.chosen.digest, D(3));
	assert_int_equal(parse(text, "", NULL, "x86_64-v4"), 0);
	assert_string_equal(m.chosen.digest, D(5));
	assert_non_null(manifest_platform_of(manifest_machine("x86_64")));
	assert_int_equal(parse(text, "", NULL, "armv7l"), 0);
	assert_string_equal(m.chosen.digest, D(2));
	assert_int_equal(parse(text, "", NULL, "armv6l"), 0);
	assert_string_equal(m.chosen.digest, D(1));
	assert_int_equal(parse(text, "", NULL, "aarch64"), 0);
	assert_string_equal(m.chosen.digest, D(4));
	assert_int_equal(parse(text, "", NULL, "s390x"), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_null(manifest_platform_of("pdp11"));
}

/* A document that could be taken for another kind elsewhere is refused. */
static void
test_confusion(void **state)
{
	/* clang-format off */
	static const char both[] =
	    "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\","
	    "\"config\":" CONF ",\"layers\":[" LAYER(GZ, 1) "],"
	    "\"manifests\":[" ENTRY("amd64", "", 3) "]}";
	static const char bare[] = "{\"schemaVersion\":2,\"config\":" CONF
	    ",\"layers\":[" LAYER(GZ, 1) "]}";
	static const char mixed[] =
	    "{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\","
	    "\"config\":" CONF ",\"layers\":[" LAYER(GZ, 1) "]}";
	/* clang-format on */

	(void)state;
	assert_int_equal(parse(both, "", NULL, "x86_64"), -1);
	assert_int_equal(parse(mixed, "", NULL, "x86_64"), -1);
	assert_int_equal(parse(bare, "", NULL, "x86_64"), -1);
	assert_int_equal(parse(bare, "application/json", NULL, "x86_64"), -1);
	assert_int_equal(parse(bare, NULL, NULL, "x86_64"), 0);
	assert_int_equal(parse(bare, "", OCI "manifest.v1+json", "x86_64"), 0);
	assert_int_equal(parse(bare, OCI "manifest.v1+json", NULL, "x86_64"),
	    0);
	assert_int_equal(parse(bare, OCI "index.v1+json", NULL, "x86_64"), -1);
	assert_int_equal(parse(MAN(CONF, LAYER(GZ, 1)), OCI "index.v1+json",
			     NULL, "x86_64"),
	    -1);
	assert_int_equal(parse(MAN(CONF, LAYER(GZ, 1)),
			     DOCK "distribution.manifest.v2+json", NULL,
			     "x86_64"),
	    -1);
	assert_int_equal(parse(MAN(CONF, LAYER(GZ, 1)), "", OCI "index.v1+json",
			     "x86_64"),
	    -1);
}

static void
test_unsupported(void **state)
{
	static const char schema1[] =
	    "{\"schemaVersion\":1,\"name\":\"a\",\"fsLayers\":[]}";

	(void)state;
	assert_int_equal(parse(schema1, "", NULL, "x86_64"), -1);
	assert_non_null(strstr(err.text, "schema 1"));
	/* Whether those are fetched is imaged/foreign.h's. */
	assert_int_equal(
	    parse(MAN(CONF, LAYER(OCI "layer.nondistributable.v1.tar+gzip", 1)),
		"", NULL, "x86_64"),
	    0);
	assert_true(m.layers[0].foreign);
	assert_int_equal(m.layers[0].compression, MANIFEST_GZIP);
	assert_int_equal(
	    parse(MAN(CONF, LAYER(DOCK "image.rootfs.foreign.diff.tar", 1)), "",
		NULL, "x86_64"),
	    0);
	assert_true(m.layers[0].foreign);
	assert_int_equal(m.layers[0].compression, MANIFEST_PLAIN);
	assert_int_equal(parse(MAN(CONF, LAYER("text/plain", 1)), "", NULL,
			     "x86_64"),
	    -1);
	assert_int_equal(parse(MAN(LAYER("application/vnd.x.config+json", 0),
				   LAYER(GZ, 1)),
			     "", NULL, "x86_64"),
	    -1);
	assert_non_null(strstr(err.text, "artifact without files"));
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
}

/* Two layers, the second with this annotation. */
static int
parse_artifact(const char *title)
{
	char text[4096];

	(void)snprintf(text, sizeof(text),
	    "{\"schemaVersion\":2,\"artifactType\":\"application/x\","
	    "\"config\":" LAYER("application/vnd.oci.empty.v1+json",
		0) ",\"layers\":[" LAYER("text/plain",
		1) ",{\"mediaType\":\"application/"
		   "x\",\"size\":0,\"digest\":\"" D(2) "\",\"annotations\":{"
						       "\"org.opencontainers."
						       "image.title\":\"%s\"}}]"
						       "}",
	    title);
	return parse(text, OCI "manifest.v1+json", NULL, "x86_64");
}

static void
test_artifact(void **state)
{
	static const char *const bad[] = { ".", "..", "a/..", "/a", "a/",
		"a//b", ".wh.a", "a/.wh.b", "\\u0001", "\\u007f" };

	(void)state;
	assert_int_equal(parse_artifact("a dir/file.txt"), 0);
	assert_int_equal(m.kind, MANIFEST_ARTIFACT);
	assert_int_equal(m.nlayers, 1);
	assert_int_equal(m.layers[0].compression, MANIFEST_FILE);
	assert_string_equal(m.layers[0].name, "a dir/file.txt");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse_artifact(bad[i]), -1);
		assert_int_equal(err.code, CERR_DATA_LOSS);
	}
}

#define BAD_DESC(d, s)                                                         \
	"{\"mediaType\":\"" GZ "\",\"digest\":\"" d "\",\"size\":" s "}"

static void
test_malformed(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "null",
		"{\"schemaVersion\":2}", "{\"schemaVersion\":\"2\"}",
		MAN(CONF, ""), MAN("[]", LAYER(GZ, 1)), MAN(CONF, "1"),
		MAN(CONF, BAD_DESC("sha256:../../x", "1")),
		MAN(CONF, BAD_DESC("", "1")),
		MAN(CONF, BAD_DESC("sha256:" H "A", "1")),
		MAN(CONF, BAD_DESC("sha256:" H "00", "1")),
		MAN(CONF, BAD_DESC("sha384:" H "0", "1")),
		MAN(CONF, BAD_DESC("sha256:" H "0", "-1")),
		MAN(CONF, BAD_DESC("sha256:" H "0", "0")),
		MAN(CONF, BAD_DESC("sha256:" H "0", "1e3")),
		MAN(CONF, BAD_DESC("sha256:" H "0", "9223372036854775807")),
		MAN(CONF, LAYER(GZ, 1)) "x", INDEX("{\"mediaType\":1}"),
		INDEX("[]") };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i], "", NULL, "x86_64") != -1)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, CERR_DATA_LOSS);
	}
}

static void
test_layer_count(void **state)
{
	static const char layer[] = LAYER(GZ, 1) ",";
	static const char head[] =
	    "{\"schemaVersion\":2,\"mediaType\":\"" OCI
	    "manifest.v1+json\",\"config\":" CONF ",\"layers\":[";
	char *text = calloc(1, sizeof(head) + 128 * sizeof(layer) + 8);

	(void)state;
	assert_non_null(text);
	strcpy(text, head);
	for (int i = 0; i < 127; i++)
		strcat(text, layer);
	strcpy(text + strlen(text) - 1, "]}");
	assert_int_equal(parse(text, "", NULL, "x86_64"), 0);
	assert_int_equal(m.nlayers, 127);
	strcpy(text + strlen(text) - 2, "," LAYER(GZ, 1) "]}");
	assert_int_equal(parse(text, "", NULL, "x86_64"), -1);
	free(text);
}

static int
config(const char *text, size_t nlayers)
{
	static struct manifest_config c;

	memset(&err, 0, sizeof(err));
	return manifest_config_parse(text, strlen(text), nlayers, &c, &err);
}

static void
test_config(void **state)
{
	/* clang-format off */
	static const char good[] = "{\"os\":\"linux\",\"architecture\":"
	    "\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D(1)
	    "\",\"" D(2) "\"]}}";
	/* clang-format on */

	(void)state;
	assert_int_equal(config(good, 2), 0);
	assert_int_equal(config(good, 1), -1);
	assert_int_equal(config(good, 3), -1);
	assert_int_equal(config("{\"os\":\"windows\",\"rootfs\":{\"type\":"
				"\"layers\",\"diff_ids\":[]}}",
			     0),
	    -1);
	assert_int_equal(config("{\"rootfs\":{\"type\":\"layers\","
				"\"diff_ids\":[\"sha256:../x\"]}}",
			     1),
	    -1);
	assert_int_equal(config("{\"rootfs\":{\"type\":\"layers\","
				"\"diff_ids\":[1]}}",
			     1),
	    -1);
	assert_int_equal(config("{}", 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_confusion),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_artifact),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_layer_count),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
