#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "execd/selinux.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

struct world {
	Criod__BootExecd boot;
	Runtime__V1__SELinuxOption pod, ctr;
	struct selinux_in in;
	struct selinux_labels out;
	struct cerr err;
};

static void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	criod__boot_execd__init(&w->boot);
	w->boot.selinux = true;
	w->boot.selinux_process = "system_u:system_r:container_t:s0";
	w->boot.selinux_file = "system_u:object_r:container_file_t:s0";
	w->boot.selinux_init = "system_u:system_r:container_init_t:s0";
	w->boot.selinux_kvm = "system_u:system_r:container_kvm_t:s0";
	runtime__v1__selinux_option__init(&w->pod);
	runtime__v1__selinux_option__init(&w->ctr);
	w->in = (struct selinux_in){ .boot = &w->boot,
		.level = "s0:c1,c2",
		.pod = &w->pod,
		.ctr = &w->ctr };
}

static void
want(struct world *w, const char *process, const char *mount)
{
	if (selinux_make(&w->in, &w->out, &w->err) == -1)
		fail_msg("%s", w->err.text);
	assert_string_equal(w->out.process, process);
	assert_string_equal(w->out.mount, mount);
}

static void
t_make(void **state)
{
	static const char file[] = "system_u:object_r:container_file_t:";
	char mount[SELINUX_LABEL];
	struct world w;

	(void)state;
	world_init(&w);
	(void)snprintf(mount, sizeof(mount), "%ss0:c1,c2", file);
	want(&w, "system_u:system_r:container_t:s0:c1,c2", mount);
	assert_true(w.out.relabel);
	w.in.init = true;
	want(&w, "system_u:system_r:container_init_t:s0:c1,c2", mount);
	w.in.vm = true; /* what runs in it is of no interest */
	want(&w, "system_u:system_r:container_kvm_t:s0:c1,c2", mount);
	w.in.vm = w.in.init = false;
	w.in.open = true;
	want(&w, "system_u:system_r:spc_t:s0", mount);
	assert_false(w.out.relabel);
	w.pod.type = "container_kvm_t";
	want(&w, "system_u:system_r:container_kvm_t:s0", mount);
	assert_true(w.out.relabel);
	w.in.open = false;
	w.pod.level = w.in.level = "s0:c4,c5";
	w.ctr.type = "svirt_lxc_net_t";
	w.ctr.user = "user_u";
	w.ctr.role = "user_r";
	(void)snprintf(mount, sizeof(mount), "%ss0:c4,c5", file);
	want(&w, "user_u:user_r:svirt_lxc_net_t:s0:c4,c5", mount);
	w.ctr.level = "s0-s0:c0.c1023";
	(void)snprintf(mount, sizeof(mount), "%ss0-s0:c0.c1023", file);
	want(&w, "user_u:user_r:svirt_lxc_net_t:s0-s0:c0.c1023", mount);
	w.in.pod = w.in.ctr = NULL;
	w.boot.selinux = false;
	want(&w, "", "");
}

/* Nothing of a client's reaches a mount's options but a label. */
static void
t_bad(void **state)
{
	char longer[SELINUX_LEVEL + 1];
	struct world w;

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	const char *const bad[] = { "a\"", "a b", "a\n", "a=b", "a/b", "a\\",
		longer };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char **fields[] = { &w.ctr.user, &w.ctr.role, &w.ctr.type,
			&w.ctr.level, &w.pod.user, &w.pod.level };

		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]);
		     k++) {
			world_init(&w);
			*fields[k] = bad[i];
			assert_int_equal(selinux_make(&w.in, &w.out, &w.err),
			    -1);
			assert_int_equal(w.err.code, CERR_INVALID_ARGUMENT);
			assert_non_null(strstr(w.err.text, "selinux_options."));
		}
	}
	world_init(&w);
	w.ctr.type = "a:b"; /* a colon is a level's alone */
	assert_int_equal(selinux_make(&w.in, &w.out, &w.err), -1);
	world_init(&w);
	w.boot.selinux_process = "system_u:system_r";
	assert_int_equal(selinux_make(&w.in, &w.out, &w.err), -1);
}

static void
t_level(void **state)
{
	static const uint32_t randoms[] = { 0, 1, 1023, 1024, 1024 * 1023,
		0x12345678, UINT32_MAX };
	char level[SELINUX_LEVEL];
	unsigned int a, b;
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
		assert_int_equal(selinux_level(&w.boot, NULL, randoms[i], level,
				     &w.err),
		    0);
		assert_int_equal(sscanf(level, "s0:c%u,c%u", &a, &b), 2);
		assert_true(a < b && b < SELINUX_CATEGORIES);
	}
	w.pod.level = "s0:c7";
	assert_int_equal(selinux_level(&w.boot, &w.pod, 5, level, &w.err), 0);
	assert_string_equal(level, "s0:c7");
	w.pod.level = "s0\"";
	assert_int_equal(selinux_level(&w.boot, &w.pod, 5, level, &w.err), -1);
	w.boot.selinux = false;
	assert_int_equal(selinux_level(&w.boot, NULL, 5, level, &w.err), 0);
	assert_string_equal(level, "");
}

static void
t_pod(void **state)
{
	Runtime__V1__PodSandboxConfig c;
	Runtime__V1__LinuxPodSandboxConfig l;
	Runtime__V1__LinuxSandboxSecurityContext sc;
	Runtime__V1__NamespaceOption o;
	struct world w;
	bool open;

	(void)state;
	world_init(&w);
	runtime__v1__pod_sandbox_config__init(&c);
	runtime__v1__linux_pod_sandbox_config__init(&l);
	runtime__v1__linux_sandbox_security_context__init(&sc);
	runtime__v1__namespace_option__init(&o);
	assert_null(selinux_pod(&c, &open));
	assert_false(open);
	c.linux = &l;
	assert_null(selinux_pod(&c, &open));
	l.security_context = &sc;
	sc.selinux_options = &w.pod;
	assert_ptr_equal(selinux_pod(&c, &open), &w.pod);
	assert_false(open);
	sc.namespace_options = &o;
	o.network = RUNTIME__V1__NAMESPACE_MODE__NODE;
	(void)selinux_pod(&c, &open);
	assert_false(open);
	o.ipc = RUNTIME__V1__NAMESPACE_MODE__NODE;
	(void)selinux_pod(&c, &open);
	assert_true(open);
	o.ipc = RUNTIME__V1__NAMESPACE_MODE__POD;
	o.pid = RUNTIME__V1__NAMESPACE_MODE__NODE;
	(void)selinux_pod(&c, &open);
	assert_true(open);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_make),
		cmocka_unit_test(t_bad),
		cmocka_unit_test(t_level),
		cmocka_unit_test(t_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
