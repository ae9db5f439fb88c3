#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netd/result.h"

static json_t *
parse(const char *text, struct cerr *err)
{
	memset(err, 0, sizeof(*err));
	return result_parse("p", "1.0.0", text, strlen(text), err);
}

static void
test_good(void **state)
{
	struct result_ips ips;
	struct cerr err;
	json_t *r = parse(
	    "{\"cniVersion\":\"1.0.0\",\"interfaces\":["
	    "{\"name\":\"br\"},{\"name\":\"eth0\",\"sandbox\":\"/n\"},"
	    "{\"name\":\"eth0\",\"sandbox\":\"\"},"
	    "{\"name\":\"net1\",\"sandbox\":\"/n\"}],\"ips\":["
	    "{\"address\":\"10.0.0.9/8\",\"interface\":0},"
	    "{\"address\":\"10.0.0.8/8\",\"interface\":2},"
	    "{\"address\":\"10.0.0.7/8\",\"interface\":3},"
	    "{\"address\":\"10.1.2.3/16\",\"interface\":1},"
	    "{\"address\":\"FD00::0:1/64\",\"interface\":1},"
	    "{\"address\":\"10.1.2.3/24\",\"interface\":1}],\"extra\":{}}",
	    &err);

	(void)state;
	assert_non_null(r);
	assert_int_equal(result_ips_get(r, "eth0", &ips, &err), 0);
	assert_int_equal(ips.n, 2);
	assert_string_equal(ips.ip[0], "10.1.2.3");
	assert_string_equal(ips.ip[1], "fd00::1");
	json_decref(r);
}

static void
test_no_interfaces(void **state)
{
	struct result_ips ips;
	struct cerr err;
	json_t *r = parse("{\"cniVersion\":\"1.0.0\","
			  "\"ips\":[{\"address\":\"1.2.3.4/32\"}]}",
	    &err);

	(void)state;
	assert_non_null(r);
	assert_int_equal(result_ips_get(r, "eth0", &ips, &err), 0);
	assert_int_equal(ips.n, 1);
	json_decref(r);
}

static void
test_bad(void **state)
{
	static const char *const bodies[] = {
		"\"ips\":{}",
		"\"ips\":[1]",
		"\"ips\":[{}]",
		"\"ips\":[{\"address\":1}]",
		"\"ips\":[{\"address\":\"\"}]",
		"\"ips\":[{\"address\":\"/8\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4/\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4/33\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4/-1\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4/ 1\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4/1x\"}]",
		"\"ips\":[{\"address\":\"::1/129\"}]",
		"\"ips\":[{\"address\":\"fe80::1%eth0/64\"}]",
		"\"ips\":[{\"address\":\"1.2.3.4/8\",\"interface\":0}]",
		"\"ips\":[{\"address\":\"1.2.3.4/8\",\"interface\":-1}]",
		"\"ips\":[{\"address\":\"1.2.3.4/8\",\"interface\":\"0\"}]",
		"\"interfaces\":[{}]",
		"\"interfaces\":[{\"name\":1}]",
		"\"interfaces\":[{\"name\":\"a\",\"sandbox\":1}]",
	};
	char text[256];
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "{\"cniVersion\":\"1.0.0\",%s}", bodies[i]);
		assert_null(parse(text, &err));
		assert_int_equal(err.code, CERR_INTERNAL);
	}
	assert_null(parse("{\"cniVersion\":\"0.4.0\",\"ips\":[]}", &err));
	assert_null(parse("{\"ips\":[]}", &err));
	assert_null(parse("{\"cniVersion\":\"1.0.0\"} x", &err));
}

static void
test_errors(void **state)
{
	static const char text[] = "{\"cniVersion\":\"1.0.0\",\"code\":11,"
				   "\"msg\":\"wait\",\"details\":\"more\"}";
	struct cerr err;

	(void)state;
	result_error("p", "ADD", 1, text, strlen(text), "noise", &err);
	assert_string_equal(err.text, "plugin p: ADD: wait: more (code 11)");
	assert_int_equal(err.code, CERR_UNAVAILABLE);
	result_error("p", "DEL", 1, "", 0, "first\nsecond", &err);
	assert_string_equal(err.text, "plugin p: DEL: exit code 1: first");
	result_error("p", "DEL", 137, "{\"code\":\"x\"}", 12, "", &err);
	assert_string_equal(err.text, "plugin p: DEL: killed by signal 9");
	assert_int_equal(err.code, CERR_INTERNAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_no_interfaces),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
