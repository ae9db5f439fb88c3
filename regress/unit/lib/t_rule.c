/* Which rule decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rule.h"

static struct rule
rule(bool allow, enum rule_what what, const char *value)
{
	return (struct rule){ .allow = allow,
		.what = what,
		.namespace = "",
		.value = value,
		.origin = "" };
}

static bool
matches(bool allow, enum rule_what what, const char *value, const char *ask)
{
	struct rule r = rule(allow, what, value);
	struct rule_ask a = { .what = what, .value = ask };

	assert_null(rule_value_wrong(what, value));
	return rule_matches(&r, "ns", &a);
}

static void
t_last(void **state)
{
	struct rule list[] = {
		rule(false, RULE_ANY, ""),
		rule(true, RULE_PRIVILEGED, ""),
		rule(false, RULE_PRIVILEGED, ""),
	};
	struct rule_ask ask = { .what = RULE_PRIVILEGED };
	struct rule_ask other = { .what = RULE_HOST_PID };

	(void)state;
	assert_null(rule_decide(list, 0, "", &ask));
	assert_ptr_equal(rule_decide(list, 1, "", &ask), &list[0]);
	assert_ptr_equal(rule_decide(list, 2, "", &ask), &list[1]);
	assert_ptr_equal(rule_decide(list, 3, "", &ask), &list[2]);
	assert_ptr_equal(rule_decide(list, 3, "", &other), &list[0]);
	list[2].namespace = "ns";
	assert_ptr_equal(rule_decide(list, 3, "", &ask), &list[1]);
	assert_ptr_equal(rule_decide(list, 3, "nsx", &ask), &list[1]);
	assert_ptr_equal(rule_decide(list, 3, "ns", &ask), &list[2]);
}

static void
t_path(void **state)
{
	(void)state;
	assert_true(matches(true, RULE_PATH, "/a", "/a"));
	assert_true(matches(true, RULE_PATH, "/a", "/a/b"));
	assert_false(matches(true, RULE_PATH, "/a", "/ab"));
	assert_false(matches(true, RULE_PATH, "/a/b", "/a"));
	assert_true(matches(false, RULE_PATH, "/a/b", "/a"));
	assert_true(matches(false, RULE_PATH, "/a/b", "/"));
	assert_false(matches(false, RULE_PATH, "/a/b", "/a/c"));
	assert_true(matches(true, RULE_PATH, "/", "/x"));
	assert_false(matches(true, RULE_PATH, "/x", "/"));
}

static void
t_access(void **state)
{
	struct rule r = rule(true, RULE_PATH, "/a");
	struct rule_ask ask = { .what = RULE_PATH, .value = "/a/b" };

	(void)state;
	for (int any = 0; any < 2; any++) {
		r.value = any ? "" : "/a";
		r.access = RULE_ACCESS_RO;
		ask.read_only = false;
		assert_false(rule_matches(&r, "", &ask));
		ask.read_only = true;
		assert_true(rule_matches(&r, "", &ask));
		r.access = RULE_ACCESS_RW;
		assert_false(rule_matches(&r, "", &ask));
	}
}

static void
t_values(void **state)
{
	struct rule r = rule(true, RULE_CAPABILITY, "default");
	struct rule_ask ask = { .what = RULE_CAPABILITY, .value = "CAP_KILL" };

	(void)state;
	assert_false(rule_matches(&r, "", &ask));
	ask.usual = true;
	assert_true(rule_matches(&r, "", &ask));
	assert_true(matches(true, RULE_CAPABILITY, "kill", "CAP_KILL"));
	assert_false(matches(true, RULE_CAPABILITY, "kill", "CAP_CHOWN"));
	assert_true(matches(true, RULE_HOST_PORT, "1-1023", "80"));
	assert_true(matches(true, RULE_HOST_PORT, "80", "80"));
	assert_false(matches(true, RULE_HOST_PORT, "1-1023", "1024"));
	assert_false(matches(true, RULE_HOST_PORT, "1-1023", "-1"));
	assert_true(matches(true, RULE_SYSCTL, "net.*", "net/ipv4/x"));
	assert_true(matches(true, RULE_SYSCTL, "net/*", "net.ipv4.x"));
	assert_false(matches(true, RULE_SYSCTL, "net.*", "netx"));
	assert_true(matches(true, RULE_SYSCTL, "net.a/b.c", "net/a.b/c"));
	assert_false(matches(true, RULE_SYSCTL, "net.a.b", "net.a/b"));
	assert_true(matches(true, RULE_DEVICE, "v.com/c", "v.com/c=x"));
	assert_true(matches(true, RULE_DEVICE, "v.com/c=x", "v.com/c=x"));
	assert_false(matches(true, RULE_DEVICE, "v.com/c", "v.com/cx=x"));
	assert_false(matches(true, RULE_DEVICE, "v.com/c", "/dev/v"));
	assert_true(matches(false, RULE_DEVICE, "/dev/kvm", "/dev"));
	assert_true(matches(true, RULE_REGISTRY, "a.io", "a.io/x/y"));
	assert_false(matches(true, RULE_REGISTRY, "a.io", "a.io.b/x"));
	assert_true(matches(true, RULE_REGISTRY, "a.io/x", "a.io/x"));
	assert_true(matches(true, RULE_RUNTIME, "runc", "runc"));
	assert_false(matches(true, RULE_RUNTIME, "runc", "crun"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_last),
		cmocka_unit_test(t_path),
		cmocka_unit_test(t_access),
		cmocka_unit_test(t_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
