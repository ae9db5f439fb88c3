#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "execd/launch_sysctl.h"
#include "execd/pod_ns.h"

static void
good(const char *name, unsigned int flags, const char *want)
{
	char path[128];

	assert_int_equal(launch_sysctl_path(name, flags, path, sizeof(path)),
	    0);
	assert_string_equal(path, want);
}

static void
bad(const char *name, unsigned int flags)
{
	char path[128];

	assert_int_equal(launch_sysctl_path(name, flags, path, sizeof(path)),
	    -1);
}

static void
test_names(void **state)
{
	(void)state;
	good("net.ipv4.ip_forward", POD_NS_NET, "net/ipv4/ip_forward");
	good("net/ipv4/ip_forward", POD_NS_NET, "net/ipv4/ip_forward");
	good("net.ipv4.conf.eth0/7.x", POD_NS_NET, "net/ipv4/conf/eth0.7/x");
	good("net/ipv4/conf/eth0.7/x", POD_NS_NET, "net/ipv4/conf/eth0.7/x");
	good("kernel.shm_rmid_forced", POD_NS_IPC, "kernel/shm_rmid_forced");
	good("kernel.sem", POD_NS_IPC, "kernel/sem");
	good("fs.mqueue.msg_max", POD_NS_IPC, "fs/mqueue/msg_max");
	bad("net.ipv4.ip_forward", POD_NS_IPC);
	bad("kernel.sem", POD_NS_NET);
	bad("kernel.core_pattern", POD_NS_ALL);
	bad("kernel.hostname", POD_NS_ALL);
	bad("kernel.semx", POD_NS_ALL);
	bad("vm.overcommit_memory", POD_NS_ALL);
	bad("fs.mqueue", POD_NS_ALL);
	bad("net", POD_NS_ALL);
	bad("", POD_NS_ALL);
	bad(".", POD_NS_ALL);
	bad("net.", POD_NS_ALL);
	bad("net..ipv4", POD_NS_ALL);
	bad("net/../kernel/core_pattern", POD_NS_ALL);
	bad("net.ipv4.//.kernel", POD_NS_ALL);
	bad("/net/ipv4/ip_forward", POD_NS_ALL);
	bad("net.ipv4.ip_forward\n", POD_NS_ALL);
	bad("net.ipv4.x y", POD_NS_ALL);
}

static void
ask(struct launch_sysctls *s, char digit, const char *name)
{
	struct fixed_pod_sysctl body;

	memset(&body, 0, sizeof(body));
	memset(body.pod, digit, sizeof(body.pod) - 1);
	(void)snprintf(body.name, sizeof(body.name), "%s", name);
	launch_sysctls_add(s, &body);
}

static void
test_store(void **state)
{
	struct launch_sysctls *s = launch_sysctls_new();
	struct launch_sysctl *list;
	char pod[65];
	size_t n;

	(void)state;
	memset(pod, 'a', 64);
	pod[64] = '\0';
	ask(s, 'a', "one");
	ask(s, 'b', "other");
	ask(s, 'a', "two");
	ask(s, 'x', "no id");
	list = launch_sysctls_take(s, pod, &n);
	assert_int_equal(n, 2);
	assert_string_equal(list[1].name, "two");
	free(list);
	assert_null(launch_sysctls_take(s, pod, &n));
	assert_int_equal(n, 0);
	for (int i = 0; i < 10 * SYSCTL_PER_POD_MAX; i++)
		ask(s, 'c', "many");
	memset(pod, 'c', 64);
	list = launch_sysctls_take(s, pod, &n);
	assert_int_equal(n, SYSCTL_PER_POD_MAX + 1);
	free(list);
	launch_sysctls_clear(s);
	memset(pod, 'b', 64);
	assert_null(launch_sysctls_take(s, pod, &n));
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
