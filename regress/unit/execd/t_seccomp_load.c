#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/capability.h>

#include <stdio.h>
#include <string.h>

#include "execd/caps.h"
#include "execd/profile.h"
#include "execd/seccomp_load.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#if defined(__x86_64__)
#define HERE "amd64"
#elif defined(__aarch64__)
#define HERE "arm64"
#else
#define HERE "elsewhere"
#endif

static const struct seccomp_host host = { CAPS_BIT(CAP_CHOWN), { 6, 1 } };

static json_t *
load(const char *text, struct cerr *err)
{
	json_t *in = json_loads(text, 0, NULL), *out;

	assert_non_null(in);
	out = seccomp_load(in, &host, err);
	json_decref(in);
	return out;
}

static void
same(const char *text, const char *want)
{
	struct cerr err;
	json_t *out = load(text, &err), *w = json_loads(want, 0, NULL);

	if (out == NULL)
		fail_msg("%s: %s", text, err.text);
	assert_non_null(w);
	if (!json_equal(out, w))
		fail_msg("%s: became %s", text, json_dumps(out, JSON_COMPACT));
	json_decref(out);
	json_decref(w);
}

/* What OCI has is what comes out; what says nothing is left out. */
static void
t_whole(void **state)
{
	static const char full[] =
	    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
	    "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],"
	    "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":["
	    "{\"names\":[\"read\",\"clock_gettime64\"],\"action\":"
	    "\"SCMP_ACT_ALLOW\"},{\"names\":[\"socket\"],\"action\":"
	    "\"SCMP_ACT_ERRNO\",\"errnoRet\":97,\"args\":[{\"index\":0,"
	    "\"value\":16,\"valueTwo\":4294967295,\"op\":"
	    "\"SCMP_CMP_MASKED_EQ\"}]}]}";

	(void)state;
	same(full, full);
	same("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"comment\":\"x\","
	     "\"flags\":[],\"architectures\":null}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}");
	same("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":"
	     "\"chmod\",\"action\":\"SCMP_ACT_ERRNO\",\"args\":null}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":"
	    "[\"chmod\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");
}

/* Docker's and Podman's conditions: does a rule that has one remain? */
static void
t_when(void **state)
{
	static const struct {
		const char *when;
		bool stays;
	} rows[] = {
		{ "\"includes\":{\"caps\":[\"CAP_CHOWN\"]}", true },
		{ "\"includes\":{\"caps\":[\"CAP_CHOWN\",\"CAP_SYS_ADMIN\"]}",
		    false },
		{ "\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", true },
		{ "\"excludes\":{\"caps\":[\"CAP_CHOWN\",\"CAP_SYS_ADMIN\"]}",
		    false },
		{ "\"includes\":{\"arches\":[\"" HERE "\",\"x32\"]}", true },
		{ "\"includes\":{\"arches\":[\"s390\"]}", false },
		{ "\"excludes\":{\"arches\":[\"" HERE "\"]}", false },
		{ "\"includes\":{\"minKernel\":\"6.1\"}", true },
		{ "\"includes\":{\"minKernel\":\"6.2\"}", false },
		{ "\"includes\":{\"minKernel\":\"5.10\"}", true },
		{ "\"excludes\":{\"minKernel\":\"4.8\"}", false },
		{ "\"excludes\":{\"minKernel\":\"7.0\"}", true },
		{ "\"includes\":{},\"excludes\":{},\"comment\":\"\"", true },
	};
	char text[512];
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *out;

		(void)snprintf(text, sizeof(text),
		    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		    "\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_KILL\",%s}]}",
		    rows[i].when);
		out = load(text, &err);
		if (out == NULL)
			fail_msg("%s: %s", text, err.text);
		if (json_array_size(json_object_get(out, "syscalls")) !=
		    (rows[i].stays ? 1 : 0))
			fail_msg("%s: wrong", rows[i].when);
		json_decref(out);
	}
#if defined(__x86_64__)
	same("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"archMap\":[{"
	     "\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":["
	     "\"SCMP_ARCH_ARM\"]},{\"architecture\":\"SCMP_ARCH_X86_64\","
	     "\"subArchitectures\":[\"SCMP_ARCH_X86\"]}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":["
	    "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"syscalls\":[]}");
#endif
}

#define RULE(text)                                                             \
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[" text "]}"
#define TOP(text) "{\"defaultAction\":\"SCMP_ACT_ALLOW\"," text "}"
#define ARG(text)                                                              \
	RULE("{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"args\":"    \
	     "[" text "]}")

/* What is not understood is never passed on, nor passed over. */
static void
t_refused(void **state)
{
	static const char *const rows[] = {
		"[]",
		"{}",
		"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		"{\"defaultAction\":\"allow\"}",
		"{\"defaultAction\":1}",
		TOP("\"listenerPath\":\"/run/s\""),
		TOP("\"listenerMetadata\":\"x\""),
		TOP("\"flags\":[\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]"),
		TOP("\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]"),
		TOP("\"flags\":\"SECCOMP_FILTER_FLAG_LOG\""),
		TOP("\"architectures\":[\"SCMP_ARCH_Z80\"]"),
		TOP("\"architectures\":[1]"),
		TOP("\"defaultErrnoRet\":4096"),
		TOP("\"defaultErrnoRet\":-1"),
		TOP("\"defaultErrno\":\"EPERM\""),
		TOP("\"archMap\":[],\"architectures\":[]"),
		TOP("\"syscalls\":{}"),
		RULE("1"),
		RULE("{}"),
		RULE("{\"names\":[],\"action\":\"SCMP_ACT_KILL\"}"),
		RULE("{\"names\":[\"read\"]}"),
		RULE("{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}"),
		RULE("{\"names\":[\"Read\"],\"action\":\"SCMP_ACT_KILL\"}"),
		RULE("{\"names\":[\"re ad\"],\"action\":\"SCMP_ACT_KILL\"}"),
		RULE("{\"names\":[\"\"],\"action\":\"SCMP_ACT_KILL\"}"),
		RULE("{\"names\":[1],\"action\":\"SCMP_ACT_KILL\"}"),
		RULE(
		    "{\"names\":[\"a\"],\"action\":\"SCMP_ACT_KILL\",\"x\":1}"),
		RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ERRNO\","
		     "\"errno\":\"EPERM\"}"),
		RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_KILL\","
		     "\"includes\":{\"capz\":[]}}"),
		RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_KILL\","
		     "\"includes\":{\"minKernel\":\"new\"}}"),
		ARG("{}"),
		ARG("{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}"),
		ARG("{\"index\":0,\"op\":\"SCMP_CMP_EQ\"}"),
		ARG("{\"index\":0,\"value\":0,\"op\":\"==\"}"),
		ARG("{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}"),
		ARG("{\"index\":0,\"value\":0}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cerr err = { .code = CERR_OK };

		if (load(rows[i], &err) != NULL)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_non_null(strstr(err.text, "seccomp profile: "));
	}
}

static void
t_bounds(void **state)
{
	json_t *p = json_pack("{s:s, s:[]}", "defaultAction", "SCMP_ACT_ALLOW",
	    "syscalls");
	json_t *rules = json_object_get(p, "syscalls");
	struct cerr err;

	(void)state;
	for (int i = 0; i < 4097; i++)
		(void)json_array_append_new(rules,
		    json_pack("{s:[s], s:s}", "names", "read", "action",
			"SCMP_ACT_KILL"));
	assert_null(seccomp_load(p, &host, &err));
	(void)json_array_clear(rules);
	for (int i = 0; i < 2; i++) {
		json_t *names = json_array();

		for (int k = 0; k < 8193; k++)
			(void)json_array_append_new(names, json_string("read"));
		(void)json_array_append_new(rules,
		    json_pack("{s:o, s:s}", "names", names, "action",
			"SCMP_ACT_KILL"));
	}
	assert_null(seccomp_load(p, &host, &err));
	json_decref(p);
}

struct choice {
	Criod__BootExecd boot;
	Runtime__V1__LinuxContainerSecurityContext sc;
	Runtime__V1__SecurityProfile field;
	struct profile out;
	struct cerr err;
};

static char *dirs[] = { "/var/lib/kubelet/seccomp", "/srv/p" };

static int
choose(struct choice *c, const char *old, int field)
{
	criod__boot_execd__init(&c->boot);
	c->boot.seccomp_directories = dirs;
	c->boot.n_seccomp_directories = 2;
	runtime__v1__linux_container_security_context__init(&c->sc);
	runtime__v1__security_profile__init(&c->field);
	c->sc.seccomp_profile_path = old;
	c->field.profile_type = field;
	if (field >= 0)
		c->sc.seccomp = &c->field;
	return profile_seccomp(&c->boot, &c->sc, &c->out, &c->err);
}

static void
t_choice(void **state)
{
	static const struct {
		const char *old;
		int field;
		enum profile_kind kind;
	} rows[] = {
		{ "", -1, PROFILE_UNCONFINED },
		{ "unconfined", -1, PROFILE_UNCONFINED },
		{ "runtime/default", -1, PROFILE_RUNTIME },
		{ "docker/default", -1, PROFILE_RUNTIME },
		{ "localhost//srv/p/a/b.json", -1, PROFILE_LOCALHOST },
		{ "unconfined", 0, PROFILE_RUNTIME },
		{ "nonsense", 1, PROFILE_UNCONFINED },
	};
	static const char *const bad[] = { "runtime", "localhost/p.json",
		"localhost//etc/shadow", "localhost//srv/p",
		"localhost//srv/p/../../etc/x", "localhost//srv/pp/x",
		"localhost//srv/p//x", "localhost/", "/srv/p/a" };
	struct choice c;
	const char *below;
	size_t dir;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(choose(&c, rows[i].old, rows[i].field), 0);
		if (c.out.kind != rows[i].kind)
			fail_msg("%s: %d", rows[i].old, c.out.kind);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (choose(&c, bad[i], -1) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(c.err.code, CERR_INVALID_ARGUMENT);
	}
	assert_int_equal(choose(&c, "", 2), -1);
	assert_int_equal(choose(&c, "localhost//srv/p/a/b", -1), 0);
	assert_int_equal(profile_find(&c.boot, c.out.ref, &dir, &below, NULL),
	    0);
	assert_int_equal(dir, 1);
	assert_string_equal(below, "a/b");
	/* What criod.conf says counts only where the client is silent. */
	assert_int_equal(choose(&c, "", -1), 0);
	c.boot.seccomp_default = true;
	assert_int_equal(profile_seccomp(&c.boot, &c.sc, &c.out, &c.err), 0);
	assert_int_equal(c.out.kind, PROFILE_RUNTIME);
	assert_int_equal(profile_seccomp(&c.boot, NULL, &c.out, &c.err), 0);
	assert_int_equal(c.out.kind, PROFILE_RUNTIME);
	c.sc.privileged = true;
	assert_int_equal(profile_seccomp(&c.boot, &c.sc, &c.out, &c.err), 0);
	assert_int_equal(c.out.kind, PROFILE_UNCONFINED);
}

static const char *
apparmor(struct choice *c, const char *old, int field, const char *ref)
{
	const char *name = "";

	(void)choose(c, "", -1);
	c->boot.apparmor = true;
	c->boot.apparmor_default = "ours";
	c->sc.apparmor_profile = old;
	c->field.profile_type = field;
	c->field.localhost_ref = ref;
	if (field >= 0)
		c->sc.apparmor = &c->field;
	return profile_apparmor(&c->boot, &c->sc, &name, &c->err) == 0 ? name
								       : NULL;
}

static void
t_apparmor(void **state)
{
	static const struct {
		const char *old;
		int field;
		const char *ref, *name;
	} rows[] = {
		{ "", -1, "", "ours" },
		{ "runtime/default", -1, "", "ours" },
		{ "unconfined", -1, "", "" },
		{ "localhost/a", -1, "", "a" },
		{ "localhost//usr/bin/a", -1, "", "/usr/bin/a" },
		{ "localhost/a", 0, "", "ours" },
		{ "localhost/a", 1, "", "" },
		{ "localhost/a", 2, "b", "b" },
		{ "", 2, "localhost/b", "b" },
		{ "nonsense", -1, "", NULL },
		{ "localhost/", -1, "", NULL },
		{ "localhost/:ns:a", -1, "", NULL },
		{ "localhost/a b", -1, "", NULL },
		{ "localhost/a\n", -1, "", NULL },
		{ "", 2, "", NULL },
		{ "", 3, "", NULL },
	};
	struct choice c;
	const char *name;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		name = apparmor(&c, rows[i].old, rows[i].field, rows[i].ref);
		if ((name == NULL) != (rows[i].name == NULL) ||
		    (name != NULL && strcmp(name, rows[i].name) != 0))
			fail_msg("%zu: %s", i, name);
	}
	/* Privileged: only what it names itself. */
	(void)apparmor(&c, "", 0, "");
	c.sc.privileged = true;
	assert_int_equal(profile_apparmor(&c.boot, &c.sc, &name, &c.err), 0);
	assert_string_equal(name, "");
	(void)apparmor(&c, "localhost/a", -1, "");
	c.sc.privileged = true;
	assert_int_equal(profile_apparmor(&c.boot, &c.sc, &name, &c.err), 0);
	assert_string_equal(name, "a");
	/* Without AppArmor a name is a promise that cannot be kept. */
	c.boot.apparmor = false;
	assert_int_equal(profile_apparmor(&c.boot, &c.sc, &name, &c.err), -1);
	assert_int_equal(c.err.code, CERR_FAILED_PRECONDITION);
	assert_int_equal(profile_apparmor(&c.boot, NULL, &name, &c.err), 0);
	assert_string_equal(name, "");
	c.boot.apparmor = true;
	c.boot.apparmor_default = "unconfined";
	assert_int_equal(profile_apparmor(&c.boot, NULL, &name, &c.err), 0);
	assert_string_equal(name, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_whole),
		cmocka_unit_test(t_when),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_choice),
		cmocka_unit_test(t_apparmor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
