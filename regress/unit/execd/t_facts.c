#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/devlist.h"
#include "execd/pod_file.h"
#include "execd/runtime_facts.h"
#include "lib/fdio.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
t_runtime(void **state)
{
	static const char crun[] = "crun version 1.8.1\ncommit: x\n\0";
	static const char runc[] = "runc version 1.3.6\n\0"
				   "{\"mountOptions\": [\"ro\", \"rro\"]}";
	static const char newer[] = "crun version 1.28\n\0{not json";
	static const char odd[] = "runsc version release-2026\n";
	struct runtime_facts f;

	(void)state;
	runtime_facts_parse(crun, sizeof(crun) - 1, &f);
	assert_string_equal(f.name, "crun");
	assert_true(f.outdated);
	assert_false(f.rro);
	runtime_facts_parse(runc, sizeof(runc) - 1, &f);
	assert_int_equal(f.version[1], 3);
	assert_false(f.outdated);
	assert_true(f.rro);
	runtime_facts_parse(newer, sizeof(newer) - 1, &f);
	assert_false(f.outdated);
	assert_false(f.rro);
	runtime_facts_parse(odd, sizeof(odd) - 1, &f);
	assert_string_equal(f.name, "unknown");
	assert_false(f.outdated);
}

static void
t_devlist(void **state)
{
	static const char *const bad[] = { "x 1 3 666 0 0 /dev/null\n",
		"c 1 3 666 0 0 dev/null\n", "c 1 3\n", "\nc",
		"c -1 3 666 0 0\n" };
	struct devlist l;
	struct cerr err;
	uint8_t *text;
	size_t len;
	int fd = devlist_make("/dev/null", &err);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(fdio_memfd_read(fd, DEVLIST_MAX, &text, &len), 0);
	fdio_close(&fd);
	assert_int_equal(devlist_parse(&l, (char *)text, len), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.entries[0].type, 'c');
	assert_int_equal(l.entries[0].minor, 3);
	assert_string_equal(l.entries[0].path, "/dev/null");
	devlist_clear(&l);
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(devlist_parse(&l, strdup(bad[i]),
				     strlen(bad[i])),
		    -1);
	assert_int_equal(devlist_make("/nowhere", &err), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_int_equal(devlist_make("/etc/passwd", &err), -1);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
}

static void
t_resolv_conf(void **state)
{
	static char *servers[] = { "10.0.0.1", "fe80::1%eth0" };
	static char *searches[] = { "a.local", "b.local" };
	static char *options[] = { "ndots:5" };
	Runtime__V1__DNSConfig d;
	char *text;

	(void)state;
	text = pod_file_resolv_conf(NULL);
	assert_string_equal(text, "");
	free(text);
	runtime__v1__dnsconfig__init(&d);
	text = pod_file_resolv_conf(&d);
	assert_string_equal(text, "");
	free(text);
	d.servers = servers;
	d.n_servers = 2;
	d.searches = searches;
	d.n_searches = 2;
	d.options = options;
	d.n_options = 1;
	text = pod_file_resolv_conf(&d);
	assert_string_equal(text,
	    "search a.local b.local\n"
	    "nameserver 10.0.0.1\nnameserver fe80::1%eth0\n"
	    "options ndots:5\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_runtime),
		cmocka_unit_test(t_devlist),
		cmocka_unit_test(t_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
