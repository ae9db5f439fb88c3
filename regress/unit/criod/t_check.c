#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/check_tab.h"
#include "criod/check_value.h"
#include "criod/pb.h"

/* ---- single values ---- */

struct value_row {
	check_value_fn fn;
	const char *good[9], *bad[12];
};

static const struct value_row value_rows[] = {
	{ check_value_name, { "a", "web-0", "A_b.c", "1234-5678" },
	    { "", ".", "..", "a/b", "../x", "a..b", "a b", "a\n", "a;b=c",
		"\xc3\xa9", "a\x7f" } },
	{ check_value_path, { "/", "/a", "/a/b.c/", "/a//b", "/a/...", "/a b" },
	    { "", "a", "..", "/..", "/a/../b", "/a/..", "/a\nb", "/a\x01" } },
	{ check_value_opt_relative,
	    { "", "a", "a/0.log", "a/b/c", "..a", "a.." },
	    { "/a", "..", "../a", "a/../b", "a/", "a\n", "a/.." } },
	{ check_value_opt_hostname, { "", "a", "host-1", "a.b.c", "A1" },
	    { "-a", "a-", "a..b", ".a", "a.", "a_b", "a b", "a\n", "a-.b" } },
	{ check_value_ip, { "10.0.0.1", "::1", "fe80::1%eth0", "fd00::10" },
	    { "", "10.0.0", "10.0.0.256", "x", "10.0.0.1 ", "::g",
		"1.1.1.1\noptions x", "fe80::1%a b" } },
	{ check_value_word, { "ndots:5", "svc.cluster.local", "a" },
	    { "", "a b", "a\tb", "a\nnameserver 1.1.1.1" } },
	{ check_value_opt_cgroup,
	    { "", "/kubepods/pod1", "/kubepods.slice/a.slice", "a.slice" },
	    { "a", "../a", "/a/../b", "/..", ".slice", "a/b.slice", "/a\n",
		"a b.slice" } },
	{ check_value_sysctl_name,
	    { "kernel.shmmax", "kernel.shm_rmid_forced", "kernel.msgmax",
		"kernel.sem", "fs.mqueue.msg_max", "net.core.somaxconn" },
	    { "", "kernel.core_pattern", "kernel.semx", "kernel/shmmax",
		"net.../x", "vm.swappiness", "kernel.shmmax ",
		"net.x=1\nkernel.core_pattern" } },
	{ check_value_sysctl_value,
	    { "", "1", "-1", "1024 65000", "250\t32000", "bbr", "1,2" },
	    { "1+kernel.core_pattern=|/x", "1\n", "a=b", "|/x", "1\r", "1;2",
		"/x" } },
	{ check_value_env_name, { "A", "a.b-c", "x y" }, { "", "A=B", "=" } },
	{ check_value_opt_permissions, { "", "r", "rwm" },
	    { "x", "rwmr", "RW" } },
	{ check_value_reference,
	    { "busybox", "reg:5000/a/b:tag", "[::1]:5000/a",
		"sha256:1111111111111111111111111111111111111111111111111111"
		"111111111111",
		"a@sha256:1111111111111111111111111111111111111111111111111"
		"111111111111111" },
	    { "", "a b", "a\n", "a@", "a@sha256:", "a@sha256:../..",
		"a@sha256:"
		"A111111111111111111111111111111111111111111111111111111111"
		"11111",
		"a@md5:00000000000000000000000000000000", "a;b", "a%b" } },
	{ check_value_unified_key,
	    { "memory.high", "io.max", "hugetlb.2MB.max" },
	    { "", "../x", "a/b", ".a", "a\n" } },
	{ check_value_capability, { "ALL", "CAP_SYS_ADMIN", "net_raw" },
	    { "", "CAP SYS", "a-b", "a\n" } },
	{ check_value_opt_cpuset, { "", "0", "0-3,5" }, { "a", "0 1", "0\n" } },
	{ check_value_opt_user, { "", "root", "1000", "DOM\\x" },
	    { "a:b", "a b", "a\n" } },
	{ check_value_label_key, { "a", "a/b.c", "\xc3\xa9" }, { "", "a\n" } },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < CHECK_COUNT(value_rows); i++) {
		const struct value_row *r = &value_rows[i];

		for (size_t j = 0; j < 9 && r->good[j] != NULL; j++) {
			if (r->fn(r->good[j]) != NULL)
				fail_msg("row %zu: refused %s: %s", i,
				    r->good[j], r->fn(r->good[j]));
		}
		for (size_t j = 0; j < 12 && r->bad[j] != NULL; j++) {
			if (r->fn(r->bad[j]) == NULL)
				fail_msg("row %zu: took %s", i, r->bad[j]);
		}
	}
}

static void
test_lengths(void **state)
{
	static const struct {
		check_value_fn fn;
		size_t max;
		const char *head;
	} rows[] = {
		{ check_value_name, 253, "" },
		{ check_value_path, 256, "/" }, /* one part */
		{ check_value_opt_relative, 255, "" },
		{ check_value_opt_hostname, 63, "" },
		{ check_value_word, 255, "" },
		{ check_value_sysctl_name, 127, "net." },
		{ check_value_sysctl_value, 1023, "" },
		{ check_value_label_key, 1024, "" },
		{ check_value_reference, 4096, "" },
	};
	char s[8192];

	(void)state;
	for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
		memset(s, 'a', sizeof(s));
		memcpy(s, rows[i].head, strlen(rows[i].head));
		s[rows[i].max] = '\0';
		assert_null(rows[i].fn(s));
		s[rows[i].max] = 'a';
		s[rows[i].max + 1] = '\0';
		assert_non_null(rows[i].fn(s));
	}
}

/* ---- whole requests: one thing wrong at a time ---- */

struct pod {
	Runtime__V1__RunPodSandboxRequest r;
	Runtime__V1__PodSandboxConfig config;
	Runtime__V1__PodSandboxMetadata metadata;
	Runtime__V1__LinuxPodSandboxConfig lin;
	Runtime__V1__LinuxSandboxSecurityContext sec;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__UserNamespace userns;
	Runtime__V1__Int64Value user, group;
	Runtime__V1__SecurityProfile profile;
	Runtime__V1__PortMapping port;
	Runtime__V1__PortMapping *ports[1];
	Runtime__V1__DNSConfig dns;
	char *server[1];
	Runtime__V1__LinuxPodSandboxConfig__SysctlsEntry sysctl;
	Runtime__V1__LinuxPodSandboxConfig__SysctlsEntry *sysctls[1];
};

static Criod__BootRuntime crun;
static Criod__BootRuntime *runtimes[] = { &crun };
static Criod__BootFront boot;

static void
pod_good(struct pod *p)
{
	criod__boot_front__init(&boot);
	criod__boot_runtime__init(&crun);
	crun.name = pb_str("crun");
	boot.n_runtimes = 1;
	boot.runtimes = runtimes;
	memset(p, 0, sizeof(*p));
	runtime__v1__run_pod_sandbox_request__init(&p->r);
	runtime__v1__pod_sandbox_config__init(&p->config);
	runtime__v1__pod_sandbox_metadata__init(&p->metadata);
	runtime__v1__linux_pod_sandbox_config__init(&p->lin);
	runtime__v1__linux_sandbox_security_context__init(&p->sec);
	runtime__v1__namespace_option__init(&p->ns);
	runtime__v1__user_namespace__init(&p->userns);
	runtime__v1__int64_value__init(&p->user);
	runtime__v1__int64_value__init(&p->group);
	runtime__v1__security_profile__init(&p->profile);
	runtime__v1__port_mapping__init(&p->port);
	runtime__v1__dnsconfig__init(&p->dns);
	runtime__v1__linux_pod_sandbox_config__sysctls_entry__init(&p->sysctl);
	p->r.config = &p->config;
	p->config.metadata = &p->metadata;
	p->metadata.name = pb_str("pod");
	p->metadata.uid = pb_str("uid");
	p->metadata.namespace_ = pb_str("ns");
	p->config.linux = &p->lin;
	p->lin.security_context = &p->sec;
	p->sec.namespace_options = &p->ns;
	p->ports[0] = &p->port;
	p->config.n_port_mappings = 1;
	p->config.port_mappings = p->ports;
	p->config.dns_config = &p->dns;
	p->server[0] = pb_str("10.0.0.1");
	p->dns.n_servers = 1;
	p->dns.servers = p->server;
	p->sysctls[0] = &p->sysctl;
	p->lin.n_sysctls = 1;
	p->lin.sysctls = p->sysctls;
	p->sysctl.key = pb_str("net.x");
	p->sysctl.value = pb_str("1");
}

static void
pod_refused(const struct pod *p, const char *path)
{
	struct cerr err;

	if (check_run_pod(&p->r, &boot, &err) == 0)
		fail_msg("%s: taken", path);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	if (strncmp(err.text, path, strlen(path)) != 0 ||
	    err.text[strlen(path)] != ':')
		fail_msg("wanted %s, got %s", path, err.text);
}

#define POD_BAD(path, change)                                                  \
	do {                                                                   \
		struct pod p_;                                                 \
		struct pod *p = &p_;                                           \
		pod_good(p);                                                   \
		change;                                                        \
		pod_refused(p, path);                                          \
	} while (0)

static void
test_pod_good(void **state)
{
	struct pod p;
	struct cerr err;

	(void)state;
	pod_good(&p);
	assert_int_equal(check_run_pod(&p.r, &boot, &err), 0);
	p.r.runtime_handler = pb_str("crun");
	p.sec.run_as_user = &p.user;
	p.user.value = 4294967294;
	p.sec.seccomp_profile_path = pb_str("localhost//x");
	assert_int_equal(check_run_pod(&p.r, &boot, &err), 0);
	p.sec.seccomp = &p.profile;
	p.port.host_port = p.port.container_port = 65535;
	p.port.host_ip = pb_str("::1");
	p.ns.userns_options = &p.userns;
	p.userns.mode = RUNTIME__V1__NAMESPACE_MODE__NODE;
	assert_int_equal(check_run_pod(&p.r, &boot, &err), 0);
}

static void
test_pod_bad(void **state)
{
	int64_t group = -1;

	(void)state;
	POD_BAD("config", p->r.config = NULL);
	POD_BAD("config.metadata", p->config.metadata = NULL);
	POD_BAD("config.metadata.name", p->metadata.name = pb_str("../x"));
	POD_BAD("config.metadata.uid", p->metadata.uid = pb_str(""));
	POD_BAD("config.metadata.namespace",
	    p->metadata.namespace_ = pb_str("a/b"));
	POD_BAD("config.hostname", p->config.hostname = pb_str("a_b"));
	POD_BAD("config.log_directory",
	    p->config.log_directory = pb_str("var/log"));
	POD_BAD("config.log_directory",
	    p->config.log_directory = pb_str("/var/log/../x"));
	POD_BAD("config.dns_config.servers[0]",
	    p->server[0] = pb_str("1.1.1.1\nx"));
	POD_BAD("config.port_mappings[0].container_port",
	    p->port.container_port = 65536);
	POD_BAD("config.port_mappings[0].container_port",
	    p->port.host_port = 80);
	POD_BAD("config.port_mappings[0].host_port", p->port.host_port = -1);
	POD_BAD("config.port_mappings[0].host_ip",
	    p->port.host_ip = pb_str("localhost"));
	POD_BAD("config.port_mappings.protocol",
	    p->port.protocol = (Runtime__V1__Protocol)3);
	POD_BAD("config.linux.cgroup_parent",
	    p->lin.cgroup_parent = pb_str("/a/../b"));
	POD_BAD("config.linux.sysctls[kernel.core_pattern]",
	    p->sysctl.key = pb_str("kernel.core_pattern"));
	POD_BAD("config.linux.sysctls[net.x]",
	    p->sysctl.value = pb_str("1+kernel.core_pattern=|/x"));
	POD_BAD("config.linux.sysctls[net.x]",
	    p->ns.network = RUNTIME__V1__NAMESPACE_MODE__NODE);
	POD_BAD("config.linux.sysctls[kernel.shmmax]",
		p->sysctl.key = pb_str("kernel.shmmax");
		p->ns.ipc = RUNTIME__V1__NAMESPACE_MODE__NODE);
	POD_BAD("config.linux.security_context.namespace_options.network",
	    p->ns.network = RUNTIME__V1__NAMESPACE_MODE__CONTAINER);
	POD_BAD("config.linux.security_context.namespace_options.pid",
	    p->ns.pid = RUNTIME__V1__NAMESPACE_MODE__TARGET);
	POD_BAD("config.linux.security_context.namespace_options.ipc",
	    p->ns.ipc = (Runtime__V1__NamespaceMode)9);
	POD_BAD("config.linux.security_context.namespace_options."
		"userns_options.uids",
	    p->ns.userns_options = &p->userns);
	POD_BAD("config.linux.security_context.run_as_user",
		p->sec.run_as_user = &p->user;
		p->user.value = 4294967295);
	POD_BAD("config.linux.security_context.run_as_user",
		p->sec.run_as_user = &p->user;
		p->user.value = -1);
	POD_BAD("config.linux.security_context.run_as_group",
	    p->sec.run_as_group = &p->group);
	POD_BAD("config.linux.security_context.supplemental_groups[0]",
		p->sec.supplemental_groups = &group;
		p->sec.n_supplemental_groups = 1);
	POD_BAD("config.linux.security_context.seccomp.localhost_ref",
		p->sec.seccomp = &p->profile;
		p->profile.profile_type =
		    RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost);
	POD_BAD("config.linux.security_context.seccomp_profile_path",
	    p->sec.seccomp_profile_path = pb_str("default"));
	POD_BAD("config.linux.security_context.seccomp_profile_path",
	    p->sec.seccomp_profile_path = pb_str("localhost/x"));
	POD_BAD("config.linux.security_context.apparmor.localhost_ref",
		p->sec.apparmor = &p->profile;
		p->profile.profile_type =
		    RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost);
	POD_BAD("runtime_handler", p->r.runtime_handler = pb_str("kata"));
}

static void
test_pod_too_large(void **state)
{
	struct pod p;
	Runtime__V1__PodSandboxConfig__LabelsEntry e =
	    RUNTIME__V1__POD_SANDBOX_CONFIG__LABELS_ENTRY__INIT;
	Runtime__V1__PodSandboxConfig__LabelsEntry *labels[5000];
	char *big = malloc(4000001);

	(void)state;
	pod_good(&p);
	p.config.labels = labels;
	labels[0] = &e;
	p.config.n_labels = 1;
	pod_refused(&p, "config.labels[]");
	e.key = pb_str("k");
	memset(big, 'x', 4000000);
	big[4000000] = '\0';
	e.value = big;
	pod_refused(&p, "config");
	e.value = pb_str("");
	for (size_t i = 0; i < 5000; i++)
		labels[i] = &e;
	p.config.n_labels = 5000;
	pod_refused(&p, "config.labels");
	free(big);
}

struct ctr {
	Runtime__V1__CreateContainerRequest r;
	Runtime__V1__ContainerConfig config;
	Runtime__V1__ContainerMetadata metadata;
	Runtime__V1__ImageSpec image;
	Runtime__V1__LinuxContainerConfig lin;
	Runtime__V1__LinuxContainerSecurityContext sec;
	Runtime__V1__LinuxContainerResources res;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__Mount mount;
	Runtime__V1__Mount *mounts[1];
	Runtime__V1__Device device;
	Runtime__V1__Device *devices[1];
	Runtime__V1__CDIDevice cdi;
	Runtime__V1__CDIDevice *cdis[1];
	Runtime__V1__KeyValue env;
	Runtime__V1__KeyValue *envs[1];
	Runtime__V1__ImageSpec volume;
	struct pod pod;
};

static void
ctr_good(struct ctr *c)
{
	memset(c, 0, sizeof(*c));
	pod_good(&c->pod);
	runtime__v1__create_container_request__init(&c->r);
	runtime__v1__container_config__init(&c->config);
	runtime__v1__container_metadata__init(&c->metadata);
	runtime__v1__image_spec__init(&c->image);
	runtime__v1__linux_container_config__init(&c->lin);
	runtime__v1__linux_container_security_context__init(&c->sec);
	runtime__v1__linux_container_resources__init(&c->res);
	runtime__v1__namespace_option__init(&c->ns);
	runtime__v1__mount__init(&c->mount);
	runtime__v1__device__init(&c->device);
	runtime__v1__cdidevice__init(&c->cdi);
	runtime__v1__key_value__init(&c->env);
	runtime__v1__image_spec__init(&c->volume);
	c->r.pod_sandbox_id = pb_str("abc");
	c->r.config = &c->config;
	c->r.sandbox_config = &c->pod.config;
	c->config.metadata = &c->metadata;
	c->metadata.name = pb_str("ctr");
	c->config.image = &c->image;
	c->image.image = pb_str("busybox");
	c->config.linux = &c->lin;
	c->lin.security_context = &c->sec;
	c->lin.resources = &c->res;
	c->sec.namespace_options = &c->ns;
	c->mounts[0] = &c->mount;
	c->config.mounts = c->mounts;
	c->config.n_mounts = 1;
	c->mount.container_path = pb_str("/x");
	c->mount.host_path = pb_str("/y");
	c->devices[0] = &c->device;
	c->config.devices = c->devices;
	c->config.n_devices = 1;
	c->device.container_path = c->device.host_path = pb_str("/dev/null");
	c->envs[0] = &c->env;
	c->config.envs = c->envs;
	c->config.n_envs = 1;
	c->env.key = pb_str("A");
	c->cdis[0] = &c->cdi;
	c->config.cdi_devices = c->cdis;
}

static void
ctr_refused(const struct ctr *c, const char *path)
{
	struct cerr err;

	if (check_create_container(&c->r, &err) == 0 &&
	    check_ctr_fits_pod(&c->config, &c->pod.config, &err) == 0)
		fail_msg("%s: taken", path);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	if (strncmp(err.text, path, strlen(path)) != 0 ||
	    err.text[strlen(path)] != ':')
		fail_msg("wanted %s, got %s", path, err.text);
}

#define CTR_BAD(path, change)                                                  \
	do {                                                                   \
		struct ctr c_;                                                 \
		struct ctr *c = &c_;                                           \
		ctr_good(c);                                                   \
		change;                                                        \
		ctr_refused(c, path);                                          \
	} while (0)
#define SEC "config.linux.security_context."

static void
test_ctr_good(void **state)
{
	struct ctr c;
	struct cerr err;

	(void)state;
	ctr_good(&c);
	assert_int_equal(check_create_container(&c.r, &err), 0);
	assert_int_equal(check_ctr_fits_pod(&c.config, &c.pod.config, &err), 0);
	c.sec.privileged = c.pod.sec.privileged = true;
	c.ns.network = c.pod.ns.network = RUNTIME__V1__NAMESPACE_MODE__NODE;
	c.ns.pid = RUNTIME__V1__NAMESPACE_MODE__TARGET;
	c.ns.target_id = pb_str("abc");
	c.mount.readonly = c.mount.recursive_read_only = true;
	c.env.value.data = (uint8_t *)(uintptr_t) "a=b\n";
	c.env.value.len = 4;
	c.res.cpu_quota = -1;
	c.res.oom_score_adj = -1000;
	assert_int_equal(check_create_container(&c.r, &err), 0);
	assert_int_equal(check_ctr_fits_pod(&c.config, &c.pod.config, &err), 0);
}

static void
test_ctr_bad(void **state)
{
	(void)state;
	CTR_BAD("pod_sandbox_id", c->r.pod_sandbox_id = pb_str(""));
	CTR_BAD("config", c->r.config = NULL);
	CTR_BAD("sandbox_config", c->r.sandbox_config = NULL);
	CTR_BAD("sandbox_config.metadata", c->pod.config.metadata = NULL);
	CTR_BAD("config.metadata", c->config.metadata = NULL);
	CTR_BAD("config.metadata.name", c->metadata.name = pb_str(".."));
	CTR_BAD("config.image", c->config.image = NULL);
	CTR_BAD("config.image.image", c->image.image = pb_str(""));
	CTR_BAD("config.log_path", c->config.log_path = pb_str("/x"));
	CTR_BAD("config.log_path", c->config.log_path = pb_str("../x"));
	CTR_BAD("config.working_dir", c->config.working_dir = pb_str("x"));
	CTR_BAD("config.mounts[0].container_path",
	    c->mount.container_path = pb_str("x"));
	CTR_BAD("config.mounts[0].host_path", c->mount.host_path = pb_str(""));
	CTR_BAD("config.mounts[0].host_path",
	    c->mount.host_path = pb_str("/a/../etc"));
	CTR_BAD("config.mounts[0].recursive_read_only",
	    c->mount.recursive_read_only = true);
	CTR_BAD("config.mounts[0].host_path",
		c->volume.image = pb_str("busybox");
		c->mount.image = &c->volume);
	CTR_BAD("config.mounts[0].image_sub_path",
	    c->mount.image_sub_path = pb_str("a"));
	CTR_BAD("config.mounts[0].image_sub_path",
		c->volume.image = pb_str("busybox");
		c->mount.image = &c->volume; c->mount.host_path = pb_str("");
		c->mount.image_sub_path = pb_str("a/../b"));
	CTR_BAD("config.mounts.propagation",
	    c->mount.propagation = (Runtime__V1__MountPropagation)7);
	CTR_BAD("config.devices[0].permissions",
	    c->device.permissions = pb_str("rx"));
	CTR_BAD("config.devices[0].host_path",
	    c->device.host_path = pb_str("dev/null"));
	CTR_BAD("config.envs[0].key", c->env.key = pb_str("A=B"));
	CTR_BAD("config.envs[0].value",
		c->env.value.data = (uint8_t *)(uintptr_t) "a\0b";
		c->env.value.len = 3);
	CTR_BAD("config.stop_signal",
	    c->config.stop_signal = (Runtime__V1__Signal)66);
	CTR_BAD("config.linux.resources.oom_score_adj",
	    c->res.oom_score_adj = 1001);
	CTR_BAD("config.linux.resources.cpu_period", c->res.cpu_period = -1);
	CTR_BAD("config.linux.resources.cpuset_cpus",
	    c->res.cpuset_cpus = pb_str("all"));
	CTR_BAD("config.linux.resources.memory_swap_limit_in_bytes",
		c->res.memory_limit_in_bytes = 2;
		c->res.memory_swap_limit_in_bytes = 1);
	CTR_BAD(SEC "run_as_username", c->sec.run_as_username = pb_str("a:b"));
	CTR_BAD(SEC "run_as_group", c->sec.run_as_group = &c->pod.group);
	CTR_BAD(SEC "apparmor_profile",
	    c->sec.apparmor_profile = pb_str("localhost/"));
	CTR_BAD(SEC "apparmor_profile",
	    c->sec.apparmor_profile = pb_str("localhost/a b"));
	CTR_BAD(SEC "apparmor_profile", c->sec.apparmor_profile = pb_str("x"));
	CTR_BAD(SEC "namespace_options.target_id",
	    c->ns.pid = RUNTIME__V1__NAMESPACE_MODE__TARGET);
	CTR_BAD(SEC "namespace_options.target_id",
	    c->ns.target_id = pb_str("a"));
	CTR_BAD(SEC "namespace_options.userns_options.uids",
	    c->ns.userns_options = &c->pod.userns);
}

static void
test_ctr_wants_more_than_its_pod(void **state)
{
	(void)state;
	CTR_BAD(SEC "privileged", c->sec.privileged = true);
	CTR_BAD(SEC "namespace_options.network",
	    c->ns.network = RUNTIME__V1__NAMESPACE_MODE__NODE);
	CTR_BAD(SEC "namespace_options.pid",
	    c->ns.pid = RUNTIME__V1__NAMESPACE_MODE__NODE);
	CTR_BAD(SEC "namespace_options.ipc",
	    c->ns.ipc = RUNTIME__V1__NAMESPACE_MODE__NODE);
	CTR_BAD(SEC "privileged", c->sec.privileged = true;
		c->pod.config.linux = NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_pod_good),
		cmocka_unit_test(test_pod_bad),
		cmocka_unit_test(test_pod_too_large),
		cmocka_unit_test(test_ctr_good),
		cmocka_unit_test(test_ctr_bad),
		cmocka_unit_test(test_ctr_wants_more_than_its_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
