#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/address.h"
#include "imaged/holds.h"
#include "imaged/proxy.h"
#include "imaged/url.h"

static const char *
by(const struct proxy_conf *conf, const char *text)
{
	struct url u;

	assert_null(url_parse(text, &u));
	return proxy_for(conf, &u);
}

static void
test_schemes(void **state)
{
	struct proxy_conf conf = { .http = "http://p:1",
		.https = "http://u:pw@q:2" };

	(void)state;
	assert_string_equal(by(&conf, "http://a.example/x"), "http://p:1");
	assert_string_equal(by(&conf, "https://a.example/x"),
	    "http://u:pw@q:2");
	conf.http = "";
	conf.https = NULL;
	assert_null(by(&conf, "http://a.example/x"));
	assert_null(by(&conf, "https://a.example/x"));
}

static void
test_except(void **state)
{
	static const struct {
		const char *except, *url;
		bool direct;
	} cases[] = {
		{ "", "http://a.example", false },
		{ "*", "http://a.example", true },
		{ "a.example", "http://a.example", true },
		{ "A.Example", "http://x.a.EXAMPLE", true },
		{ "a.example", "http://xa.example", false },
		{ ".a.example", "http://a.example", false },
		{ ".a.example", "http://x.a.example", true },
		{ "*.a.example", "http://x.a.example", true },
		{ "*.a.example", "http://a.example", false },
		{ "b,  a.example ,c", "http://a.example", true },
		{ ",, ,", "http://a.example", false },
		{ "a.example:5000", "http://a.example:5000", true },
		{ "a.example:5000", "http://a.example", false },
		{ "a.example:443", "https://a.example", true },
		{ "10.1.2.3", "http://10.1.2.3", true },
		{ "10.1.2.3", "http://10.1.2.33", false },
		{ "10.0.0.0/8", "http://10.1.2.3:5000", true },
		{ "10.0.0.0/8", "http://11.1.2.3", false },
		{ "10.0.0.0/33", "http://10.0.0.0", false },
		{ "10.0.0.0/8", "http://10.example", false },
		{ "fd00::/8", "http://[fd12::1]:5000", true },
		{ "fd00::/8", "http://[fe12::1]", false },
		{ "fd12::1", "http://[fd12::1]", true },
		{ "[fd12::1]:80", "http://[fd12::1]", true },
		{ "[fd12::1]:81", "http://[fd12::1]", false },
		{ "", "http://localhost:5000", true },
		{ "", "http://127.8.0.1", true },
		{ "", "http://[::1]:5000", true },
		{ "", "http://[::ffff:127.0.0.1]", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proxy_conf conf = { .http = "http://p",
			.https = "http://p",
			.except = cases[i].except };
		bool direct = by(&conf, cases[i].url) == NULL;

		if (direct != cases[i].direct)
			fail_msg("%s: %s", cases[i].except, cases[i].url);
	}
}

static void
test_name(void **state)
{
	char name[64];

	(void)state;
	proxy_name("http://u:p%40@h.example:3128/", name, sizeof(name));
	assert_string_equal(name, "h.example:3128");
	proxy_name("u:p@x@h", name, sizeof(name));
	assert_string_equal(name, "h");
	proxy_name("socks5h://[::1]:1080", name, sizeof(name));
	assert_string_equal(name, "[::1]:1080");
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *host;
		enum address_near near;
	} cases[] = {
		{ "a.example", ADDRESS_ELSEWHERE },
		{ "10.0.0.1", ADDRESS_ELSEWHERE },
		{ "169.253.1.1", ADDRESS_ELSEWHERE },
		{ "169.254.169.254", ADDRESS_LINK },
		{ "168.63.129.16", ADDRESS_LINK },
		{ "100.100.100.200", ADDRESS_LINK },
		{ "127.0.0.1", ADDRESS_SELF },
		{ "0.0.0.0", ADDRESS_SELF },
		{ "224.0.0.1", ADDRESS_NONE },
		{ "239.1.1.1", ADDRESS_NONE },
		{ "255.255.255.255", ADDRESS_NONE },
		{ "[::1]", ADDRESS_SELF },
		{ "::", ADDRESS_SELF },
		{ "[fe80::1]", ADDRESS_LINK },
		{ "[febf::1]", ADDRESS_LINK },
		{ "[fec0::1]", ADDRESS_ELSEWHERE },
		{ "[fd00:ec2::254]", ADDRESS_LINK },
		{ "[ff02::1]", ADDRESS_NONE },
		{ "[2001:db8::1]", ADDRESS_ELSEWHERE },
		{ "[::ffff:169.254.1.1]", ADDRESS_LINK },
		{ "[64:ff9b::7f00:1]", ADDRESS_SELF },
	};
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (address_of_host(cases[i].host) != cases[i].near)
			fail_msg("%s", cases[i].host);
	}
	in.sin_addr.s_addr = htonl(0xa9fea9fe);
	assert_int_equal(address_of_sockaddr((struct sockaddr *)&in),
	    ADDRESS_LINK);
	in6.sin6_addr = in6addr_loopback;
	assert_int_equal(address_of_sockaddr((struct sockaddr *)&in6),
	    ADDRESS_SELF);
	in.sin_family = AF_UNIX;
	assert_int_equal(address_of_sockaddr((struct sockaddr *)&in),
	    ADDRESS_NONE);
}

static void
test_holds(void **state)
{
	struct holds *hs = holds_new();
	char host[16];

	(void)state;
	assert_int_equal(holds_left(hs, "a"), 0);
	holds_add(hs, "a", 0);
	holds_add(hs, "a", -1000);
	assert_int_equal(holds_left(hs, "a"), 0);
	holds_add(hs, "a", 100000);
	assert_in_range(holds_left(hs, "a"), 90000, 100000);
	holds_add(hs, "a", 10); /* a shorter one does not end it */
	assert_in_range(holds_left(hs, "a"), 90000, 100000);
	holds_add(hs, "a", INT64_MAX);
	assert_in_range(holds_left(hs, "a"), HOLDS_MAX_MS - 10000,
	    HOLDS_MAX_MS);
	assert_int_equal(holds_left(hs, "b"), 0);
	/* However many there are, the longest stay. */
	for (int i = 0; i < 4 * HOLDS_MAX; i++) {
		(void)snprintf(host, sizeof(host), "h%d", i);
		holds_add(hs, host, 5000);
	}
	assert_in_range(holds_left(hs, "a"), 1, HOLDS_MAX_MS);
	free(hs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_except),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
