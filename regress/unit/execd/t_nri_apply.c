#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "execd/nri_apply.h"
#include "execd/nri_json.h"
#include "execd/pod_ns.h"

static const char base[] =
    "{\"process\":{\"args\":[\"a\"],\"env\":[\"A=1\",\"B=2\"],"
    "\"oomScoreAdj\":0,\"user\":{\"uid\":5,\"gid\":6,"
    "\"additionalGids\":[7,8]}},"
    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"},"
    "{\"destination\":\"/a\",\"type\":\"bind\",\"options\":[\"ro\"]},"
    "{\"destination\":\"/a/b/c\",\"type\":\"bind\"}],"
    "\"linux\":{\"cgroupsPath\":\"/pod/criod-x\",\"resources\":{"
    "\"memory\":{\"limit\":100,\"swap\":150}}}}";

static Criod__BootExecd boot;
static struct policy_pod pod;
static struct nri_rules rules = { .boot = &boot, .pod = &pod };
static struct spec_out spec;
static Nri__ContainerAdjustment adjust;
static Nri__LinuxContainerAdjustment l;
static struct cerr err;

static int
setup(void **state)
{
	(void)state;
	criod__boot_execd__init(&boot);
	boot.oom_score_adj_min = -500;
	pod.namespaces = POD_NS_NET | POD_NS_IPC;
	rules.privileged = false;
	spec = (struct spec_out){ .root = json_loads(base, 0, NULL) };
	assert_non_null(spec.root);
	nri__container_adjustment__init(&adjust);
	nri__linux_container_adjustment__init(&l);
	adjust.linux = &l;
	memset(&err, 0, sizeof(err));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	json_decref(spec.root);
	return 0;
}

static int
apply(void)
{
	return nri_apply(&rules, &adjust, &spec, &err);
}

static void
refused(enum cerr_code code)
{
	assert_int_equal(apply(), -1);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, "NRI"));
}

/* The result as text, with the keys in order. */
static void
is(const char *path, const char *key, const char *want)
{
	json_t *o =
	    path[0] != '\0' ? json_object_get(spec.root, path) : spec.root;
	char *text = json_dumps(json_object_get(o, key),
	    JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void
test_nothing(void **state)
{
	(void)state;
	assert_int_equal(apply(), 0);
	is("process", "args", "[\"a\"]");
	is("process", "env", "[\"A=1\",\"B=2\"]");
}

static void
test_environment(void **state)
{
	Nri__KeyValue kv[] = { NRI__KEY_VALUE__INIT, NRI__KEY_VALUE__INIT };
	Nri__KeyValue *list[] = { &kv[0], &kv[1] };

	(void)state;
	kv[0].key = (char[]){ "-A" };
	kv[1].key = (char[]){ "B" };
	kv[1].value = (char[]){ "3" };
	adjust.env = list;
	adjust.n_env = 2;
	assert_int_equal(apply(), 0);
	is("process", "env", "[\"B=3\"]");
	kv[0].key = (char[]){ "A=B" };
	refused(CERR_INVALID_ARGUMENT);
	kv[0].key = (char[]){ "C" };
	kv[0].value = (char[]){ "\xff" };
	refused(CERR_RESOURCE_EXHAUSTED);
}

static Nri__Mount mnt;
static Nri__Mount *mounts[] = { &mnt };

static void
test_mounts(void **state)
{
	char *options[] = { (char[]){ "rbind" }, (char[]){ "rslave" } };

	(void)state;
	nri__mount__init(&mnt);
	mnt.destination = (char[]){ "/x/y//" };
	mnt.source = (char[]){ "/src" };
	mnt.options = options;
	mnt.n_options = 2;
	adjust.mounts = mounts;
	adjust.n_mounts = 1;
	assert_int_equal(apply(), 0);
	is("", "mounts",
	    "[{\"destination\":\"/proc\",\"type\":\"proc\"},"
	    "{\"destination\":\"/a\",\"options\":[\"ro\"],\"type\":\"bind\"},"
	    "{\"destination\":\"/x/y\",\"options\":[\"rbind\",\"rslave\"],"
	    "\"source\":\"/src\",\"type\":\"bind\"},"
	    "{\"destination\":\"/a/b/c\",\"type\":\"bind\"}]");
	is("linux", "rootfsPropagation", "\"rslave\"");
	mnt.destination = (char[]){ "-/a" };
	assert_int_equal(apply(), 0);
	assert_int_equal(json_array_size(json_object_get(spec.root, "mounts")),
	    3);
}

static void
test_mounts_refused(void **state)
{
	static const struct {
		const char *to, *type, *from, *option;
		enum cerr_code code;
	} rows[] = {
		{ "/", "bind", "/s", "bind", CERR_INVALID_ARGUMENT },
		{ "x", "bind", "/s", "bind", CERR_INVALID_ARGUMENT },
		{ "/x/../..", "bind", "/s", "bind", CERR_INVALID_ARGUMENT },
		{ "/proc", "tmpfs", "tmpfs", "ro", CERR_INVALID_ARGUMENT },
		{ "/proc/sys", "bind", "/s", "bind", CERR_INVALID_ARGUMENT },
		{ "/x", "bind", "s", "bind", CERR_INVALID_ARGUMENT },
		{ "/x", "none", "../s", "rbind", CERR_INVALID_ARGUMENT },
		{ "/x", "ext4", "/dev/sda", "ro", CERR_INVALID_ARGUMENT },
		{ "/x", "overlay", "o", "ro", CERR_INVALID_ARGUMENT },
		{ "/x", "tmpfs", "t", "a,b", CERR_INVALID_ARGUMENT },
		{ "/x", "tmpfs", "t", "", CERR_INVALID_ARGUMENT },
		{ "/x", "bind", "/s", "rshared", CERR_PERMISSION_DENIED },
	};
	char *options[1];

	(void)state;
	adjust.mounts = mounts;
	adjust.n_mounts = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		nri__mount__init(&mnt);
		mnt.destination = (char *)(uintptr_t)rows[i].to;
		mnt.type = (char *)(uintptr_t)rows[i].type;
		mnt.source = (char *)(uintptr_t)rows[i].from;
		options[0] = (char *)(uintptr_t)rows[i].option;
		mnt.options = options;
		mnt.n_options = 1;
		assert_int_equal(apply(), -1);
		assert_int_equal(err.code, rows[i].code);
	}
	rules.privileged = true; /* the last one */
	assert_int_equal(apply(), 0);
}

static void
test_allowed_only(void **state)
{
	Nri__Hook hook = NRI__HOOK__INIT;
	Nri__Hook *hooklist[] = { &hook };
	Nri__Hooks hooks = NRI__HOOKS__INIT;
	Nri__LinuxSeccomp policy = NRI__LINUX_SECCOMP__INIT;
	Nri__LinuxNamespace ns = NRI__LINUX_NAMESPACE__INIT;
	Nri__LinuxNamespace *nslist[] = { &ns };

	(void)state;
	hook.path = (char[]){ "/bin/h" };
	hooks.create_runtime = hooklist;
	hooks.n_create_runtime = 1;
	adjust.hooks = &hooks;
	refused(CERR_PERMISSION_DENIED);
	boot.nri_hooks = 1;
	assert_int_equal(apply(), 0);
	is("", "hooks", "{\"createRuntime\":[{\"path\":\"/bin/h\"}]}");
	hook.path = (char[]){ "h" };
	refused(CERR_INVALID_ARGUMENT);
	adjust.hooks = NULL;
	policy.default_action = (char[]){ "SCMP_ACT_ALLOW" };
	l.seccomp_policy = &policy;
	refused(CERR_PERMISSION_DENIED);
	boot.nri_seccomp = 1;
	assert_int_equal(apply(), 0);
	is("linux", "seccomp", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	policy.listener_path = (char[]){ "/run/x" };
	refused(CERR_PERMISSION_DENIED);
	l.seccomp_policy = NULL;
	ns.type = (char[]){ "-network" };
	l.namespaces = nslist;
	l.n_namespaces = 1;
	refused(CERR_PERMISSION_DENIED);
	l.n_namespaces = 0;
	l.cgroups_path = (char[]){ "/pod/criod-x" };
	assert_int_equal(apply(), 0);
	l.cgroups_path = (char[]){ "/elsewhere" };
	refused(CERR_PERMISSION_DENIED);
}

static void
test_resources(void **state)
{
	Nri__OptionalInt64 limit = NRI__OPTIONAL_INT64__INIT;
	Nri__LinuxMemory memory = NRI__LINUX_MEMORY__INIT;
	Nri__LinuxResources r = NRI__LINUX_RESOURCES__INIT;
	Nri__LinuxResources__UnifiedEntry u =
	    NRI__LINUX_RESOURCES__UNIFIED_ENTRY__INIT;
	Nri__LinuxResources__UnifiedEntry *unified[] = { &u };
	Nri__OptionalInt oom = NRI__OPTIONAL_INT__INIT;

	(void)state;
	limit.value = 200;
	memory.limit = &limit;
	r.memory = &memory;
	l.resources = &r;
	oom.value = -900;
	l.oom_score_adj = &oom;
	assert_int_equal(apply(), 0);
	is("linux", "resources", "{\"memory\":{\"limit\":200,\"swap\":200}}");
	is("process", "oomScoreAdj", "-500");
	assert_int_equal(spec.oom_score_adj, -500);
	oom.value = 1001;
	refused(CERR_INVALID_ARGUMENT);
	l.oom_score_adj = NULL;
	u.key = (char[]){ "../memory.max" };
	u.value = (char[]){ "1" };
	r.unified = unified;
	r.n_unified = 1;
	refused(CERR_FAILED_PRECONDITION);
	boot.cgroup2 = 1;
	refused(CERR_INVALID_ARGUMENT);
	u.key = (char[]){ "memory.high" };
	assert_int_equal(apply(), 0);
}

/* A configuration as a plugin sees it, and back. */
static void
test_json(void **state)
{
	json_t *process = json_object_get(spec.root, "process"), *back;
	struct pballoc mem;
	Nri__Container *c;

	(void)state;
	pballoc_init(&mem, 1 << 16);
	c = nri_json_into(&mem, &nri__container__descriptor, process);
	assert_non_null(c);
	assert_int_equal(c->n_env, 2);
	assert_string_equal(c->env[1], "B=2");
	assert_int_equal(c->user->uid, 5);
	assert_int_equal(c->user->n_additional_gids, 2);
	assert_int_equal(c->user->additional_gids[1], 8);
	back = nri_json_from(c->user);
	assert_true(json_equal(back, json_object_get(process, "user")));
	json_decref(back);
	pballoc_clear(&mem);
	pballoc_init(&mem, 64);
	assert_null(nri_json_into(&mem, &nri__container__descriptor, process));
	pballoc_clear(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_environment, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_mounts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mounts_refused, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_allowed_only, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_resources, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
