#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "execd/pod_ns.h"
#include "execd/policy.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
t_sysctl(void **state)
{
	static const struct {
		const char *name, *value;
		unsigned int ns;
		const char *want; /* NULL: refused */
	} rows[] = {
		{ "net.ipv4.ip_forward", "1", POD_NS_NET,
		    "net/ipv4/ip_forward" },
		{ "net/ipv4/ip_forward", "1", POD_NS_NET,
		    "net/ipv4/ip_forward" },
		{ "net.ipv4.conf.eth0/100.rp_filter", "0", POD_NS_NET,
		    "net/ipv4/conf/eth0.100/rp_filter" },
		{ "net.ipv4.ip_local_port_range", "1024 65000", POD_NS_NET,
		    "net/ipv4/ip_local_port_range" },
		{ "kernel.shm_rmid_forced", "1", POD_NS_IPC,
		    "kernel/shm_rmid_forced" },
		{ "kernel.sem", "250\t32000 100 128", POD_NS_IPC,
		    "kernel/sem" },
		{ "fs.mqueue.msg_max", "10", POD_NS_IPC, "fs/mqueue/msg_max" },
		/* Row 36: the host's, and values that smuggle another. */
		{ "kernel.core_pattern", "x", POD_NS_ALL, NULL },
		{ "kernel.semx", "1", POD_NS_ALL, NULL },
		{ "vm.swappiness", "1", POD_NS_ALL, NULL },
		{ "kernel.shmmax", "1+kernel.core_pattern=|/x", POD_NS_IPC,
		    NULL },
		{ "kernel.shmmax", "1\n2", POD_NS_IPC, NULL },
		{ "kernel.shmmax", "a=b", POD_NS_IPC, NULL },
		{ "net/../kernel/core_pattern", "1", POD_NS_ALL, NULL },
		{ "net..kernel", "1", POD_NS_ALL, NULL },
		{ "net./../kernel", "1", POD_NS_ALL, NULL },
		{ "/net/x", "1", POD_NS_ALL, NULL },
		{ "net.", "1", POD_NS_ALL, NULL },
		{ "", "1", POD_NS_ALL, NULL },
		{ "net.ipv4.x=1", "1", POD_NS_ALL, NULL },
		/* Row 37: with the host's namespace. */
		{ "net.ipv4.ip_forward", "1", POD_NS_IPC, NULL },
		{ "kernel.shmmax", "1", POD_NS_NET, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char path[POLICY_SYSCTL];
		struct cerr err;
		int ret = policy_check_sysctl(rows[i].name, rows[i].value,
		    rows[i].ns, path, &err);

		if ((ret == 0) != (rows[i].want != NULL))
			fail_msg("row %zu", i);
		if (ret == 0)
			assert_string_equal(path, rows[i].want);
		else
			assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	}
}

static void
t_paths(void **state)
{
	static const char *const bad[] = { "", "a", "../a", "/a/../b", "/a/./b",
		"//a", "/a//b", "/a\nb", "/..", "/a/.." };
	static const char *const good[] = { "/", "/a", "/a/b", "/a/b/",
		"/a/..b", "/.a" };
	struct cerr err;
	char out[POLICY_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		if (policy_check_path("p", bad[i], &err) == 0)
			fail_msg("%s", bad[i]);
	}
	for (size_t i = 0; i < N(good); i++) {
		if (policy_check_path("p", good[i], &err) == -1)
			fail_msg("%s: %s", good[i], err.text);
	}
	assert_int_equal(policy_clean_path("p", "/../../a/./b//../c/", out,
			     &err),
	    0);
	assert_string_equal(out, "/a/c");
	assert_int_equal(policy_clean_path("p", "/a/../..", out, &err), 0);
	assert_string_equal(out, "/");
}

/* Row 12. */
static void
t_log_path(void **state)
{
	static const struct {
		const char *dir, *path, *want_dir, *want_name;
	} rows[] = {
		{ "/var/log/pods/x", "c/0.log", "/var/log/pods/x/c", "0.log" },
		{ "/var/log/pods/x/", "0.log", "/var/log/pods/x", "0.log" },
		{ "", "c/0.log", "", "" },
		{ "/var/log/pods/x", "", "", "" },
		{ "/var/log/pods/x", "../0.log", NULL, NULL },
		{ "/var/log/pods/x", "c/../../0.log", NULL, NULL },
		{ "/var/log/pods/../x", "0.log", NULL, NULL },
		{ "var/log", "0.log", NULL, NULL },
		{ "/var/log/pods/x", "/etc/passwd", NULL, NULL },
		{ "/var/log/pods/x", "c/", NULL, NULL },
		{ "/var/log/pods/x", "a\nb", NULL, NULL },
		{ "/var/log/pods/x", "..", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		Runtime__V1__PodSandboxConfig pod;
		Runtime__V1__ContainerConfig c;
		char dir[POLICY_PATH_MAX], name[POLICY_NAME_MAX];
		char d[64], p[64];
		struct cerr err;
		int ret;

		runtime__v1__pod_sandbox_config__init(&pod);
		runtime__v1__container_config__init(&c);
		(void)snprintf(d, sizeof(d), "%s", rows[i].dir);
		(void)snprintf(p, sizeof(p), "%s", rows[i].path);
		pod.log_directory = d;
		c.log_path = p;
		ret = policy_log_path(&pod, &c, dir, name, &err);
		if ((ret == 0) != (rows[i].want_dir != NULL))
			fail_msg("row %zu", i);
		if (ret == -1)
			continue;
		assert_string_equal(dir, rows[i].want_dir);
		assert_string_equal(name, rows[i].want_name);
	}
}

static void
t_cgroup_parent(void **state)
{
	static const struct {
		const char *in;
		bool systemd;
		const char *want;
	} rows[] = {
		{ "", false, "/criod" },
		{ "/kubepods/burstable", false, "/kubepods/burstable" },
		{ "/", false, "" },
		{ "kubepods", false, NULL },
		{ "/a/../b", false, NULL },
		{ "kubepods-x.slice", true, "kubepods-x.slice" },
		{ "/kubepods.slice/kubepods-x.slice", true,
		    "kubepods-x.slice" },
		{ "kubepods", true, NULL },
		{ ".slice", true, NULL },
		{ "a--b.slice", true, NULL },
		{ "a-.slice", true, NULL },
		{ "a:b.slice", true, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char out[POLICY_CGROUP];
		struct cerr err;
		int ret = policy_cgroup_parent(rows[i].in, "/criod",
		    rows[i].systemd, out, &err);

		if ((ret == 0) != (rows[i].want != NULL))
			fail_msg("row %zu", i);
		if (ret == 0)
			assert_string_equal(out, rows[i].want);
	}
}

struct pod_world {
	Runtime__V1__PodSandboxConfig pod;
	Runtime__V1__LinuxPodSandboxConfig linux;
	Runtime__V1__LinuxSandboxSecurityContext sc;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__DNSConfig dns;
	struct policy_pod facts;
	struct cerr err;
};

static void
pod_init(struct pod_world *w)
{
	runtime__v1__pod_sandbox_config__init(&w->pod);
	runtime__v1__linux_pod_sandbox_config__init(&w->linux);
	runtime__v1__linux_sandbox_security_context__init(&w->sc);
	runtime__v1__namespace_option__init(&w->ns);
	runtime__v1__dnsconfig__init(&w->dns);
	w->pod.linux = &w->linux;
	w->linux.security_context = &w->sc;
	w->sc.namespace_options = &w->ns;
	w->pod.dns_config = &w->dns;
}

static int
pod_check(struct pod_world *w)
{
	return policy_check_pod(&w->pod, &w->facts, &w->err);
}

static void
t_pod(void **state)
{
	static char *dns[] = { "10.0.0.1\nnameserver 1.2.3.4" };
	struct pod_world w;

	(void)state;
	pod_init(&w);
	assert_int_equal(pod_check(&w), 0);
	assert_int_equal(w.facts.namespaces,
	    POD_NS_NET | POD_NS_IPC | POD_NS_UTS | POD_NS_PID);
	w.ns.network = w.ns.ipc = w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__NODE;
	assert_int_equal(pod_check(&w), 0);
	assert_int_equal(w.facts.namespaces, POD_NS_UTS);
	assert_true(w.facts.host_pid);
	w.ns.network = RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	assert_int_equal(pod_check(&w), -1);
	pod_init(&w);
	w.pod.hostname = "a b";
	assert_int_equal(pod_check(&w), -1);
	pod_init(&w);
	w.dns.servers = dns;
	w.dns.n_servers = 1;
	assert_int_equal(pod_check(&w), -1);
}

struct ctr_world {
	Runtime__V1__ContainerConfig c;
	Runtime__V1__LinuxContainerConfig linux;
	Runtime__V1__LinuxContainerSecurityContext sc;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__SecurityProfile profile;
	struct policy_pod pod;
	struct cerr err;
};

static void
ctr_init(struct ctr_world *w)
{
	*w = (struct ctr_world){ .pod.namespaces = POD_NS_ALL };
	runtime__v1__container_config__init(&w->c);
	runtime__v1__linux_container_config__init(&w->linux);
	runtime__v1__linux_container_security_context__init(&w->sc);
	runtime__v1__namespace_option__init(&w->ns);
	runtime__v1__security_profile__init(&w->profile);
	w->c.linux = &w->linux;
	w->linux.security_context = &w->sc;
	w->sc.namespace_options = &w->ns;
}

static int
ctr_check(struct ctr_world *w)
{
	return policy_check_ctr(&w->pod, &w->c, &w->err);
}

/* A container never gets what its pod was not made with. */
static void
t_ctr(void **state)
{
	struct ctr_world w;

	(void)state;
	ctr_init(&w);
	assert_int_equal(ctr_check(&w), 0);
	w.sc.privileged = true;
	assert_int_equal(ctr_check(&w), -1);
	w.pod.privileged = true;
	assert_int_equal(ctr_check(&w), 0);
	ctr_init(&w);
	w.ns.network = RUNTIME__V1__NAMESPACE_MODE__NODE;
	assert_int_equal(ctr_check(&w), -1);
	ctr_init(&w);
	w.ns.ipc = RUNTIME__V1__NAMESPACE_MODE__NODE;
	assert_int_equal(ctr_check(&w), -1);
	ctr_init(&w);
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__NODE;
	assert_int_equal(ctr_check(&w), -1);
	w.pod.host_pid = true;
	assert_int_equal(ctr_check(&w), 0);
}

/* What a kubelet sends is accepted; each row spoils one thing of it. */
static const struct {
	Runtime__V1__NamespaceMode mode, pid, ipc;
	bool privileged;
	size_t n;
	uint32_t host, first, count;
	bool good;
} userns_rows[] = {
	{ 0, 1, 0, false, 1, 65536, 0, 65536, true },
	{ 0, 1, 0, false, 1, 1000, 0, 100000, true },
	{ 0, 1, 0, false, 0, 65536, 0, 65536, false },
	{ 0, 1, 0, false, 2, 65536, 0, 65536, false },
	{ 0, 1, 0, false, 1, 65536, 1, 65536, false },
	{ 0, 1, 0, false, 1, 65536, 0, 65535, false },
	{ 0, 1, 0, false, 1, 65536, 0, 0, false },
	{ 0, 1, 0, false, 1, 0, 0, 65536, false },
	{ 0, 1, 0, false, 1, 999, 0, 65536, false },
	{ 0, 1, 0, false, 1, 4294901760, 0, 65536, false },
	{ 0, 1, 0, false, 1, 65536, 0, UINT32_MAX, false },
	{ 0, 2, 0, false, 1, 65536, 0, 65536, false },
	{ 0, 1, 2, false, 1, 65536, 0, 65536, false },
	{ 0, 1, 0, true, 1, 65536, 0, 65536, false },
	{ 1, 1, 0, false, 1, 65536, 0, 65536, false },
	{ 3, 1, 0, false, 0, 65536, 0, 65536, false },
	{ 2, 1, 0, false, 1, 65536, 0, 65536, false },
	{ 2, 2, 2, true, 0, 65536, 0, 65536, true },
};

struct userns_world {
	Runtime__V1__PodSandboxConfig config;
	Runtime__V1__LinuxPodSandboxConfig linux;
	Runtime__V1__LinuxSandboxSecurityContext sc;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__UserNamespace u;
	Runtime__V1__IDMapping map, *maps[2];
};

static void
userns_init(struct userns_world *w, size_t row)
{
	runtime__v1__pod_sandbox_config__init(&w->config);
	runtime__v1__linux_pod_sandbox_config__init(&w->linux);
	runtime__v1__linux_sandbox_security_context__init(&w->sc);
	runtime__v1__namespace_option__init(&w->ns);
	runtime__v1__user_namespace__init(&w->u);
	runtime__v1__idmapping__init(&w->map);
	w->config.linux = &w->linux;
	w->linux.security_context = &w->sc;
	w->sc.namespace_options = &w->ns;
	w->sc.privileged = userns_rows[row].privileged;
	w->ns.userns_options = &w->u;
	w->ns.pid = userns_rows[row].pid;
	w->ns.ipc = userns_rows[row].ipc;
	w->maps[0] = w->maps[1] = &w->map;
	w->map.host_id = userns_rows[row].host;
	w->map.container_id = userns_rows[row].first;
	w->map.length = userns_rows[row].count;
	w->u.mode = userns_rows[row].mode;
	w->u.uids = w->u.gids = w->maps;
	w->u.n_uids = w->u.n_gids = userns_rows[row].n;
}

static void
t_userns(void **state)
{
	struct userns_world w;
	struct policy_pod pod;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < N(userns_rows); i++) {
		int ret;

		userns_init(&w, i);
		ret = policy_check_pod(&w.config, &pod, &err);
		if ((ret == 0) != userns_rows[i].good)
			fail_msg("row %zu: %s", i, ret == 0 ? "" : err.text);
		if (ret == 0 && w.u.n_uids > 0) {
			assert_true(pod.namespaces & POD_NS_USER);
			assert_int_equal(pod.uids.host, w.map.host_id);
			assert_int_equal(pod.gids.count, w.map.length);
		}
	}
}

/* Containers and mounts have the pod's, or the host's. */
static void
t_userns_same(void **state)
{
	Runtime__V1__Mount m = RUNTIME__V1__MOUNT__INIT;
	struct policy_pod pod, none = { 0 };
	struct userns_world w;
	struct cerr err;
	uint32_t host;

	(void)state;
	userns_init(&w, 0);
	assert_int_equal(policy_check_pod(&w.config, &pod, &err), 0);
	m.uidmappings = m.gidmappings = w.maps;
	m.n_uidmappings = m.n_gidmappings = 1;
	assert_int_equal(policy_ctr_userns(&pod, &w.u, &err), 0);
	assert_int_equal(policy_ctr_userns(&pod, NULL, &err), 0);
	assert_int_equal(policy_ctr_userns(&none, &w.u, &err), -1);
	assert_int_equal(policy_mount_userns(&pod, &m, &err), 0);
	assert_int_equal(policy_mount_userns(&none, &m, &err), -1);
	assert_int_equal(policy_host_id(&pod, &pod.uids, "user", 65535, &host,
			     &err),
	    0);
	assert_int_equal(host, 131071);
	assert_int_equal(policy_host_id(&pod, &pod.uids, "user", 65536, &host,
			     &err),
	    -1);
	m.propagation =
	    RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL;
	assert_int_equal(policy_mount_userns(&pod, &m, &err), -1);
	m.propagation = 0;
	w.map.host_id++;
	assert_int_equal(policy_ctr_userns(&pod, &w.u, &err), -1);
	assert_int_equal(policy_mount_userns(&pod, &m, &err), -1);
	w.u.mode = RUNTIME__V1__NAMESPACE_MODE__NODE;
	w.u.n_uids = w.u.n_gids = 0;
	assert_int_equal(policy_ctr_userns(&pod, &w.u, &err), -1);
	assert_int_equal(policy_ctr_userns(&none, &w.u, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_sysctl),
		cmocka_unit_test(t_paths),
		cmocka_unit_test(t_log_path),
		cmocka_unit_test(t_cgroup_parent),
		cmocka_unit_test(t_pod),
		cmocka_unit_test(t_ctr),
		cmocka_unit_test(t_userns),
		cmocka_unit_test(t_userns_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
