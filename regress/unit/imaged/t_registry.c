#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/msg.pb-c.h"

#include "imaged/registry.h"
#include "imaged/url.h"

static char docker[] = "docker.io", lib[] = "docker.io/library",
	    evil[] = "evil.io", m1[] = "127.0.0.1:5000",
	    m2[] = "mirror.io/hub/";

static void
endpoints(const char *text, struct registry_endpoint *e, size_t *n, int want)
{
	static Criod__Mirror a = CRIOD__MIRROR__INIT, b = CRIOD__MIRROR__INIT;
	static Criod__Mirror *mirrors[] = { &a, &b };
	static Criod__Registry r[3] = { CRIOD__REGISTRY__INIT,
		CRIOD__REGISTRY__INIT, CRIOD__REGISTRY__INIT };
	static Criod__Registry *list[] = { &r[0], &r[1], &r[2] };
	static Criod__BootImaged conf = CRIOD__BOOT_IMAGED__INIT;
	struct ref ref;
	struct cerr err;

	a.location = m1;
	a.insecure = true;
	b.location = m2;
	r[0].prefix = docker;
	r[0].mirrors = mirrors;
	r[0].n_mirrors = 1;
	r[1].prefix = lib;
	r[1].mirrors = mirrors;
	r[1].n_mirrors = 2;
	r[2].prefix = evil;
	r[2].blocked = true;
	conf.registries = list;
	conf.n_registries = 3;
	assert_int_equal(ref_parse(text, &ref, &err), 0);
	assert_int_equal(registry_endpoints(&conf, &ref, e, n, &err), want);
	if (want == -1)
		assert_int_equal(err.code, CERR_PERMISSION_DENIED);
}

static void
test_mirrors(void **state)
{
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	size_t n;

	(void)state;
	endpoints("busybox", e, &n, 0);
	assert_int_equal(n, 3);
	assert_string_equal(e[0].host, "127.0.0.1:5000");
	assert_string_equal(e[0].path, "busybox");
	assert_true(e[0].insecure);
	assert_string_equal(e[1].host, "mirror.io");
	assert_string_equal(e[1].path, "hub/busybox");
	assert_string_equal(e[2].host, "registry-1.docker.io");
	assert_string_equal(e[2].path, "library/busybox");
	assert_false(e[2].insecure);
	endpoints("foo/bar", e, &n, 0);
	assert_int_equal(n, 2);
	assert_string_equal(e[0].path, "foo/bar");
	endpoints("quay.io/a/b", e, &n, 0);
	assert_int_equal(n, 1);
	assert_string_equal(e[0].host, "quay.io");
	endpoints("docker.iox/a", e, &n, 0);
	assert_int_equal(n, 1);
	endpoints("evil.io/a", e, &n, -1);
}

static void
test_url(void **state)
{
	static const char *const bad[] = { "", "x", "/a", "file:///etc/passwd",
		"ftp://a/b", "http://", "https://u:p@a/b", "https://u@a/",
		"http://a b/", "http://a/\r\nX: y", "http://a:0x/",
		"http://a:99999/", "https://b\xc3\xbc.example/", "gopher://a",
		"unix:///x", "//a/b" };
	struct url u, v;

	(void)state;
	assert_null(url_parse("https://A.b/c?d", &u));
	assert_true(u.tls);
	assert_int_equal(u.port, 443);
	assert_string_equal(u.host, "a.b");
	assert_null(url_parse("https://a.b:443/x", &v));
	assert_true(url_same_origin(&u, &v));
	assert_null(url_parse("http://a.b:443/x", &v));
	assert_false(url_same_origin(&u, &v));
	assert_null(url_parse("https://a.b:444/x", &v));
	assert_false(url_same_origin(&u, &v));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (url_parse(bad[i], &u) == NULL)
			fail_msg("taken: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
