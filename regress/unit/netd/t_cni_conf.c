#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netd/conf.h"
#include "netd/embedded.h"
#include "netd/plugin.h"
#include "netd/request.h"

static struct conf *
parse(const char *text, struct cerr *err)
{
	memset(err, 0, sizeof(*err));
	return conf_parse("test", text, strlen(text), err);
}

static void
test_list(void **state)
{
	struct cerr err;
	struct conf *c = parse("{\"cniVersion\":\"0.4.0\",\"cniVersions\":"
			       "[\"0.3.1\",\"1.0.0\",\"9.0.0\"],"
			       "\"name\":\"n\",\"disableCheck\":\"true\","
			       "\"plugins\":[{\"type\":\"bridge\",\"ipam\":"
			       "{\"type\":\"host-local\"}},{\"type\":\"x\"}]}",
	    &err);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->name, "n");
	assert_string_equal(c->version, "1.0.0");
	assert_true(c->disable_check);
	assert_false(c->disable_gc);
	assert_int_equal(conf_count(c), 2);
	assert_string_equal(conf_type(c, 1), "x");
	assert_string_equal(conf_ipam(c, 0), "host-local");
	assert_null(conf_ipam(c, 1));
	assert_true(conf_speaks(c, 0, 4));
	assert_false(conf_speaks(c, 1, 1));
	conf_unref(c);
}

static void
test_single(void **state)
{
	struct cerr err;
	struct conf *c = parse("{\"cniVersion\":\"0.3.1\",\"name\":\"n\","
			       "\"type\":\"macvlan\",\"master\":\"eth9\"}",
	    &err);
	char *text;
	size_t len;

	(void)state;
	assert_non_null(c);
	assert_int_equal(conf_count(c), 1);
	text = request_make(c, 0, NULL, NULL, NULL, &len);
	assert_string_equal(text, "{\"cniVersion\":\"0.3.1\",\"name\":\"n\","
				  "\"type\":\"macvlan\",\"master\":\"eth9\"}");
	assert_int_equal(len, strlen(text));
	free(text);
	conf_unref(c);
}

static void
test_bad(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"name\":\"n\",\"plugins\":[{\"type\":\"a\"}]}",
		"{\"cniVersion\":\"0.2.0\",\"name\":\"n\","
		"\"plugins\":[{\"type\":\"a\"}]}",
		"{\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"a\"}]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"../x\","
		"\"plugins\":[{\"type\":\"a\"}]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":{}}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[1]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{}]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"name\":\"m\","
		"\"plugins\":[{\"type\":\"a\"}]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\","
		"\"plugins\":[{\"type\":\"a\",\"capabilities\":{\"x\":1}}]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\","
		"\"plugins\":[{\"type\":\"a\",\"ipam\":{\"type\":\"../b\"}}]}",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"disableGC\":3,"
		"\"plugins\":[{\"type\":\"a\"}]}",
	};
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_null(parse(texts[i], &err));
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_memory_equal(err.text, "test: ", 6);
	}
}

/* security.md row 42: a type is a file name and nothing else. */
static void
test_plugin_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "/bin/sh",
		"../../bin/sh", "a/b", "a b", "a\n", "a\\b", "\xc3\xa9",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aa" };
	char text[256];
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(plugin_name_valid(bad[i]));
		(void)snprintf(text, sizeof(text),
		    "{\"cniVersion\":\"1.0.0\",\"name\":\"n\","
		    "\"plugins\":[{\"type\":\"%s\"}]}",
		    bad[i]);
		assert_null(parse(text, &err));
	}
	assert_true(plugin_name_valid("host-local"));
	assert_true(plugin_name_valid("calico.v3_x"));
	assert_false(plugin_ifname_valid("a-name-too-long0"));
	assert_true(plugin_ifname_valid("eth0"));
	assert_false(plugin_command_valid("add"));
	assert_false(plugin_args_valid("a\x7f"));
}

static void
test_request(void **state)
{
	struct cerr err;
	struct conf *c =
	    parse("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{"
		  "\"type\":\"p\",\"cniVersion\":\"0.1.0\",\"name\":\"other\","
		  "\"capabilities\":{\"portMappings\":true,\"mac\":true,"
		  "\"bandwidth\":false},\"prevResult\":{},\"runtimeConfig\":{},"
		  "\"cni.dev/x\":1,\"k\":[1,2.5,null]}]}",
		&err);
	json_t *caps =
	    json_pack("{s:[i],s:{}}", "portMappings", 1, "bandwidth");
	json_t *prev = json_pack("{s:s}", "a", "b");
	char *text;
	size_t len;

	(void)state;
	text = request_make(c, 0, caps, prev, NULL, &len);
	assert_string_equal(text,
	    "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"p\","
	    "\"k\":[1,2.5,null],\"runtimeConfig\":{\"portMappings\":[1]},"
	    "\"prevResult\":{\"a\":\"b\"}}");
	free(text);
	json_decref(caps);
	json_decref(prev);
	conf_unref(c);
}

static void
test_embedded(void **state)
{
	struct cerr err;
	struct conf *c = embedded_make("10.85.0.0/16", &err);
	struct conf *c6 = embedded_make("fd00:85::/64", &err);
	char *text;
	size_t len;

	(void)state;
	assert_non_null(c);
	assert_int_equal(conf_count(c), 2);
	assert_string_equal(conf_ipam(c, 0), "host-local");
	text = request_make(c6, 0, NULL, NULL, NULL, &len);
	assert_non_null(strstr(text, "\"dst\":\"::/0\""));
	free(text);
	conf_unref(c);
	conf_unref(c6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_plugin_names),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_embedded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
