#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/capability.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/caps.h"
#include "execd/ctr_flags.h"
#include "execd/pod_ns.h"
#include "execd/seccomp_profile.h"
#include "execd/spec.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD  "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Everything that a case may change. */
struct world {
	Criod__BootExecd boot;
	Criod__Lease image;
	Runtime__V1__ContainerConfig ctr;
	Runtime__V1__LinuxContainerConfig linux;
	Runtime__V1__LinuxContainerSecurityContext sc;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__LinuxContainerResources res;
	Runtime__V1__Capability caps;
	Runtime__V1__PodSandboxConfig pod;
	Runtime__V1__LinuxPodSandboxConfig pod_linux;
	struct user user;
	uint32_t groups[2];
	struct spec_in in;
	struct spec_out out;
	struct cerr err;
};

static char *image_env[] = { "PATH=/bin:/usr/bin", "A=image", "B=image" };
static char *image_cmd[] = { "sh" };
static char *image_entry[] = { "/entry" };

static void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	criod__boot_execd__init(&w->boot);
	w->boot.rootfs_directory = "/run/criod/rootfs";
	w->boot.netns_directory = "/run/criod/ns";
	w->boot.pod_directory = "/run/criod/pod";
	w->boot.default_cgroup_parent = "/criod";
	w->boot.cgroup_driver = RUNTIME__V1__CGROUP_DRIVER__CGROUPFS;
	w->boot.bounding_caps = 0x1ffffffffff;
	w->boot.oom_score_adj_min = -500;
	w->boot.cgroup2 = true;
	w->boot.seccomp_default = true;
	criod__lease__init(&w->image);
	w->image.env = image_env;
	w->image.n_env = N(image_env);
	w->image.cmd = image_cmd;
	w->image.n_cmd = N(image_cmd);
	w->image.entrypoint = image_entry;
	w->image.n_entrypoint = N(image_entry);
	runtime__v1__container_config__init(&w->ctr);
	runtime__v1__linux_container_config__init(&w->linux);
	runtime__v1__linux_container_security_context__init(&w->sc);
	runtime__v1__namespace_option__init(&w->ns);
	runtime__v1__linux_container_resources__init(&w->res);
	runtime__v1__capability__init(&w->caps);
	runtime__v1__pod_sandbox_config__init(&w->pod);
	runtime__v1__linux_pod_sandbox_config__init(&w->pod_linux);
	w->ns.pid = RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	w->sc.namespace_options = &w->ns;
	w->sc.capabilities = &w->caps;
	w->linux.security_context = &w->sc;
	w->linux.resources = &w->res;
	w->ctr.linux = &w->linux;
	w->pod.linux = &w->pod_linux;
	w->user.groups = w->groups;
	w->user.ngroups = 1;
	w->in = (struct spec_in){
		.boot = &w->boot,
		.id = ID,
		.pod_id = POD,
		.config = &w->ctr,
		.pod_config = &w->pod,
		.image = &w->image,
		.user = &w->user,
		.pod = { .namespaces = POD_NS_NET | POD_NS_IPC | POD_NS_UTS },
		.hostname = "pod-1",
		.runtime_rro = true,
		.cpus = 2,
	};
}

static void
world_build(struct world *w)
{
	if (spec_build(&w->in, &w->out, &w->err) == -1)
		fail_msg("%s", w->err.text);
}

static void
world_refused(struct world *w, enum cerr_code code)
{
	assert_int_equal(spec_build(&w->in, &w->out, &w->err), -1);
	assert_int_equal(w->err.code, code);
	assert_null(w->out.root);
}

/* With CRIOD_GOLDEN=write the files are made anew, to be read by people. */
static void
golden(struct world *w, const char *name)
{
	char path[256];
	json_t *want;

	(void)snprintf(path, sizeof(path), "regress/unit/execd/golden/%s.json",
	    name);
	world_build(w);
	if (getenv("CRIOD_GOLDEN") != NULL)
		assert_int_equal(json_dump_file(w->out.root, path,
				     JSON_INDENT(1)),
		    0);
	want = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (want == NULL || !json_equal(want, w->out.root))
		fail_msg("%s: not what is expected:\n%s", path,
		    json_dumps(w->out.root, JSON_INDENT(1)));
	json_decref(want);
	spec_clear(&w->out);
}

static void
t_default(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	golden(&w, "default");
	assert_int_equal(w.out.flags, CTR_FLAG_SECCOMP);
	assert_string_equal(w.out.cwd, "/");
	assert_string_equal(w.out.cgroup, "/criod/criod-" ID);
	assert_int_equal(w.out.caps, caps_default());
}

static void
t_nothing_set(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.ctr.linux = NULL;
	w.pod.linux = NULL;
	w.in.pod.namespaces |= POD_NS_PID;
	world_build(&w);
	assert_int_equal(w.out.flags, CTR_FLAG_SECCOMP | CTR_FLAG_POD_PID);
	spec_clear(&w.out);
}

static void
t_privileged(void **state)
{
	static const char line[] = "c 1 3 666 0 0 /dev/null\n"
				   "b 7 0 660 0 6 /dev/loop0\n";
	struct spec_devices all = { 0 };
	struct world w;

	(void)state;
	world_init(&w);
	w.sc.privileged = true;
	w.in.pod.privileged = true;
	w.boot.bounding_caps = caps_default() | CAPS_BIT(CAP_SYS_ADMIN);
	assert_int_equal(devlist_parse(&all.list, strdup(line), strlen(line)),
	    0);
	w.in.devices = &all;
	w.in.ndevices = 1;
	golden(&w, "privileged");
	assert_int_equal(w.out.flags, CTR_FLAG_PRIVILEGED);
	devlist_clear(&all.list);
}

static void
t_host(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.in.pod.namespaces = POD_NS_UTS;
	w.in.pod.host_pid = true;
	w.ns.network = w.ns.ipc = w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__NODE;
	w.boot.cgroup2 = false;
	w.boot.cgroup_driver = RUNTIME__V1__CGROUP_DRIVER__SYSTEMD;
	w.pod_linux.cgroup_parent = "kubepods-burstable.slice";
	golden(&w, "host");
	assert_int_equal(w.out.flags, CTR_FLAG_SECCOMP | CTR_FLAG_HOST_NET |
					  CTR_FLAG_HOST_IPC |
					  CTR_FLAG_HOST_PID);
	assert_string_equal(w.out.cgroup,
	    "/kubepods.slice/kubepods-burstable.slice/criod-" ID ".scope");
}

static void
full_resources(struct world *w)
{
	static Runtime__V1__HugepageLimit h;
	static Runtime__V1__HugepageLimit *hs[] = { &h };
	static Runtime__V1__LinuxContainerResources__UnifiedEntry u;
	static Runtime__V1__LinuxContainerResources__UnifiedEntry *us[] = {
		&u
	};

	runtime__v1__hugepage_limit__init(&h);
	h.page_size = "2MB";
	h.limit = 4194304;
	runtime__v1__linux_container_resources__unified_entry__init(&u);
	u.key = "memory.min";
	u.value = "1048576";
	w->boot.hugetlb = true;
	w->res.cpu_shares = 512;
	w->res.cpu_period = 100000;
	w->res.cpu_quota = 50000;
	w->res.memory_limit_in_bytes = 67108864;
	w->res.memory_swap_limit_in_bytes = 67108864;
	w->res.cpuset_cpus = "0-1";
	w->res.cpuset_mems = "0";
	w->res.oom_score_adj = -998;
	w->res.hugepage_limits = hs;
	w->res.n_hugepage_limits = 1;
	w->res.unified = us;
	w->res.n_unified = 1;
}

static void
full_mounts(struct world *w)
{
	static Runtime__V1__Mount m[4];
	static Runtime__V1__Mount *ms[N(m)];
	static const struct {
		const char *from, *to;
	} paths[] = { { "/srv/a/b", "/data/sub" }, { "/srv/a", "/data" },
		{ "/srv/hosts", "/etc/hosts" }, { "/srv/x", "/data/x/../y" } };

	for (size_t i = 0; i < N(m); i++) {
		runtime__v1__mount__init(&m[i]);
		m[i].host_path = strdup(paths[i].from);
		m[i].container_path = strdup(paths[i].to);
		ms[i] = &m[i];
	}
	m[0].readonly = true;
	m[1].propagation =
	    RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL;
	m[3].readonly = m[3].recursive_read_only = true;
	w->ctr.mounts = ms;
	w->ctr.n_mounts = N(m);
}

static void
full_process(struct world *w)
{
	static uint8_t two[] = "two";
	static Runtime__V1__KeyValue kv[2];
	static Runtime__V1__KeyValue *kvs[] = { &kv[0], &kv[1] };
	static char *command[] = { "/bin/sleep" }, *args[] = { "1", "2" };
	static char *add[] = { "NET_ADMIN", "cap_sys_time" };
	static char *drop[] = { "KILL" };
	static char *ambient[] = { "NET_BIND_SERVICE" };
	static char *masked[] = { "/bin/ls", "/proc/keys" };

	runtime__v1__key_value__init(&kv[0]);
	runtime__v1__key_value__init(&kv[1]);
	kv[0].key = "B";
	kv[0].value = (ProtobufCBinaryData){ 3, two };
	kv[1].key = "EMPTY";
	w->ctr.envs = kvs;
	w->ctr.n_envs = 2;
	w->ctr.command = command;
	w->ctr.n_command = 1;
	w->ctr.args = args;
	w->ctr.n_args = 2;
	w->ctr.working_dir = "/work/./a//b";
	w->ctr.tty = w->ctr.stdin = w->ctr.stdin_once = true;
	w->caps.add_capabilities = add;
	w->caps.n_add_capabilities = 2;
	w->caps.drop_capabilities = drop;
	w->caps.n_drop_capabilities = 1;
	w->caps.add_ambient_capabilities = ambient;
	w->caps.n_add_ambient_capabilities = 1;
	w->sc.masked_paths = masked;
	w->sc.n_masked_paths = 2;
	w->sc.no_new_privs = true;
	w->sc.readonly_rootfs = true;
	w->user.uid = 1000;
	w->user.gid = w->groups[0] = 1000;
	w->groups[1] = 1234;
	w->user.ngroups = 2;
	(void)snprintf(w->user.home, sizeof(w->user.home), "/home/u");
}

/* A pod with its own users and the host's network. */
static void
t_userns(void **state)
{
	static char zero[] = "/dev/zero", card[] = "/dev/card";
	Runtime__V1__Device request = RUNTIME__V1__DEVICE__INIT;
	struct devlist_entry node = { .type = 'c',
		.major = 1,
		.minor = 5,
		.path = zero };
	struct spec_devices devices = { .request = &request,
		.list = { &node, 1, NULL } };
	struct world w;

	(void)state;
	world_init(&w);
	request.host_path = zero;
	request.container_path = card;
	w.in.devices = &devices;
	w.in.ndevices = 1;
	w.in.pod.namespaces = POD_NS_USER | POD_NS_IPC | POD_NS_UTS;
	w.in.pod.uids = (struct policy_ids){ 1048576, 65536 };
	w.in.pod.gids = (struct policy_ids){ 2097152, 65537 };
	golden(&w, "userns");
}

static void
t_full(void **state)
{
	static const char line[] = "c 10 229 666 0 0 /dev/fuse\n";
	static Runtime__V1__Device dev;
	struct spec_devices d = { .request = &dev };
	struct world w;

	(void)state;
	world_init(&w);
	full_resources(&w);
	full_mounts(&w);
	full_process(&w);
	runtime__v1__device__init(&dev);
	dev.host_path = "/dev/fuse";
	dev.container_path = "/dev/myfuse";
	dev.permissions = "rw";
	assert_int_equal(devlist_parse(&d.list, strdup(line), strlen(line)), 0);
	w.in.devices = &d;
	w.in.ndevices = 1;
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__POD;
	w.in.pod.namespaces |= POD_NS_PID;
	w.pod_linux.cgroup_parent = "/kubepods/burstable/pod1";
	golden(&w, "full");
	assert_int_equal(w.out.oom_score_adj, -500);
	assert_string_equal(w.out.cwd, "/work/a/b");
	assert_int_equal(w.out.flags, CTR_FLAG_TTY | CTR_FLAG_STDIN |
					  CTR_FLAG_STDIN_ONCE |
					  CTR_FLAG_READONLY | CTR_FLAG_SECCOMP |
					  CTR_FLAG_NNP | CTR_FLAG_POD_PID);
	devlist_clear(&d.list);
}

/* Row 76: no filter must not become some other filter. */
static void
t_seccomp_off(void **state)
{
	Runtime__V1__SecurityProfile p;
	struct world w;

	(void)state;
	world_init(&w);
	runtime__v1__security_profile__init(&p);
	p.profile_type =
	    RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
	w.sc.seccomp = &p;
	world_build(&w);
	assert_null(
	    json_object_get(json_object_get(w.out.root, "linux"), "seccomp"));
	assert_int_equal(w.out.flags & CTR_FLAG_SECCOMP, 0);
	spec_clear(&w.out);
	/* Nothing said, by the client or the configuration. */
	w.sc.seccomp = NULL;
	w.boot.seccomp_default = false;
	world_build(&w);
	assert_null(
	    json_object_get(json_object_get(w.out.root, "linux"), "seccomp"));
	spec_clear(&w.out);
}

static json_t *
linux_of(const struct world *w, const char *key)
{
	return json_object_get(json_object_get(w->out.root, "linux"), key);
}

/* procMount Unmasked is for user namespaces alone. */
static void
t_unmasked(void **state)
{
	static char *more[] = { "/proc/more" };
	struct world w;

	(void)state;
	world_init(&w);
	world_build(&w);
	assert_true(json_array_size(linux_of(&w, "maskedPaths")) > 10);
	assert_true(json_array_size(linux_of(&w, "readonlyPaths")) > 4);
	spec_clear(&w.out);
	w.in.pod.namespaces |= POD_NS_USER;
	world_build(&w);
	assert_int_equal(json_array_size(linux_of(&w, "maskedPaths")), 0);
	assert_int_equal(json_array_size(linux_of(&w, "readonlyPaths")), 0);
	spec_clear(&w.out);
	w.sc.readonly_paths = more;
	w.sc.n_readonly_paths = 1;
	world_build(&w);
	assert_true(json_array_size(linux_of(&w, "maskedPaths")) > 10);
	assert_true(json_array_size(linux_of(&w, "readonlyPaths")) > 5);
	spec_clear(&w.out);
}

static void
t_shares(void **state)
{
	static const int64_t rows[][2] = { { 1, 2 }, { 2, 2 }, { 1024, 1024 },
		{ INT64_MAX, 262144 } };
	struct world w;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		world_init(&w);
		w.res.cpu_shares = rows[i][0];
		world_build(&w);
		assert_int_equal(json_integer_value(json_object_get(
				     json_object_get(linux_of(&w, "resources"),
					 "cpu"),
				     "shares")),
		    rows[i][1]);
		spec_clear(&w.out);
	}
}

static void
t_ulimits(void **state)
{
	static char *limits[] = { "nofile=1024:4096", "core=0:0" };
	struct world w;
	json_t *list, *want;

	(void)state;
	world_init(&w);
	world_build(&w);
	assert_null(
	    json_object_get(json_object_get(w.out.root, "process"), "rlimits"));
	spec_clear(&w.out);
	w.boot.ulimits = limits;
	w.boot.n_ulimits = 2;
	world_build(&w);
	list =
	    json_object_get(json_object_get(w.out.root, "process"), "rlimits");
	want = json_pack("[{s:s,s:i,s:i},{s:s,s:i,s:i}]", "type",
	    "RLIMIT_NOFILE", "soft", 1024, "hard", 4096, "type", "RLIMIT_CORE",
	    "soft", 0, "hard", 0);
	assert_true(json_equal(list, want));
	json_decref(want);
	spec_clear(&w.out);
}

static const char *
process_label(json_t *root)
{
	return json_string_value(
	    json_object_get(json_object_get(root, "process"), "selinuxLabel"));
}

/* Both labels, and the type of what runs an init system. */
static void
t_selinux(void **state)
{
	static char *init[] = { "/usr/sbin/init" };
	struct world w;
	json_t *sandbox;

	(void)state;
	world_init(&w);
	w.boot.selinux = true;
	w.boot.selinux_process = "u:r:container_t:s0";
	w.boot.selinux_file = "u:object_r:container_file_t:s0";
	w.boot.selinux_init = "u:r:container_init_t:s0";
	w.boot.selinux_kvm = "u:r:container_kvm_t:s0";
	w.in.selinux_level = "s0:c1,c2";
	world_build(&w);
	assert_string_equal(process_label(w.out.root),
	    "u:r:container_t:s0:c1,c2");
	assert_string_equal(json_string_value(
				json_object_get(json_object_get(w.out.root,
						    "linux"),
				    "mountLabel")),
	    "u:object_r:container_file_t:s0:c1,c2");
	spec_clear(&w.out);
	w.ctr.command = init;
	w.ctr.n_command = 1;
	world_build(&w);
	assert_string_equal(w.out.labels.process,
	    "u:r:container_init_t:s0:c1,c2");
	spec_clear(&w.out);
	w.in.own_kernel = true;
	world_build(&w);
	assert_string_equal(w.out.labels.process, "");
	spec_clear(&w.out);
	w.in.shim = true;
	world_build(&w);
	assert_string_equal(w.out.labels.process,
	    "u:r:container_kvm_t:s0:c1,c2");
	spec_clear(&w.out);
	sandbox = spec_sandbox(&w.in, &w.err);
	assert_string_equal(process_label(sandbox),
	    "u:r:container_kvm_t:s0:c1,c2");
	json_decref(sandbox);
	w.in.own_kernel = w.in.shim = false;
	w.sc.privileged = w.in.pod.privileged = true;
	world_build(&w);
	assert_string_equal(w.out.labels.process, "u:r:spc_t:s0");
	spec_clear(&w.out);
}

/* A localhost profile is what its file says, or there is no container. */
static void
t_seccomp_localhost(void **state)
{
	static char *dirs[] = { "/srv/p" };
	Runtime__V1__SecurityProfile p;
	json_t *file = json_pack("{s:s}", "defaultAction", "SCMP_ACT_LOG");
	struct world w;

	(void)state;
	world_init(&w);
	w.boot.seccomp_directories = dirs;
	w.boot.n_seccomp_directories = 1;
	runtime__v1__security_profile__init(&p);
	p.profile_type = RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
	p.localhost_ref = "/srv/p/x.json";
	w.sc.seccomp = &p;
	world_refused(&w, CERR_INVALID_ARGUMENT);
	w.in.seccomp_profile = file;
	world_build(&w);
	assert_int_equal(w.out.flags & CTR_FLAG_SECCOMP, CTR_FLAG_SECCOMP);
	assert_string_equal(json_string_value(json_object_get(
				json_object_get(json_object_get(w.out.root,
						    "linux"),
				    "seccomp"),
				"defaultAction")),
	    "SCMP_ACT_LOG");
	spec_clear(&w.out);
	w.sc.privileged = w.in.pod.privileged = true;
	world_build(&w);
	assert_null(
	    json_object_get(json_object_get(w.out.root, "linux"), "seccomp"));
	spec_clear(&w.out);
	json_decref(file);
}

static void
t_args(void **state)
{
	static char *command[] = { "c" }, *args[] = { "a" };
	const struct {
		size_t command, args;
		const char *want;
	} rows[] = { { 0, 0, "[\"/entry\",\"sh\"]" }, { 1, 0, "[\"c\"]" },
		{ 0, 1, "[\"/entry\",\"a\"]" }, { 1, 1, "[\"c\",\"a\"]" } };
	struct world w;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char *got;

		world_init(&w);
		w.ctr.command = command;
		w.ctr.n_command = rows[i].command;
		w.ctr.args = args;
		w.ctr.n_args = rows[i].args;
		world_build(&w);
		got = json_dumps(json_object_get(json_object_get(w.out.root,
						     "process"),
				     "args"),
		    JSON_COMPACT);
		assert_string_equal(got, rows[i].want);
		free(got);
		spec_clear(&w.out);
	}
	world_init(&w);
	w.image.n_cmd = w.image.n_entrypoint = 0;
	world_refused(&w, CERR_INVALID_ARGUMENT);
}

static void
t_cwd(void **state)
{
	static const char *const bad[] = { "/proc/self/fd/7", "/proc/1/fd/3",
		"/proc/thread-self/cwd", "/dev/fd/3", "/a/../proc/self/fd",
		"/a\n", "//proc//self", "/dev/stdin" };
	static const char *const good[] = { "/proc", "/procx", "/a/b", "a/b" };
	struct world w;

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		world_init(&w);
		w.image.working_dir = strdup(bad[i]);
		world_refused(&w, CERR_INVALID_ARGUMENT);
		free(w.image.working_dir);
	}
	for (size_t i = 0; i < N(good); i++) {
		world_init(&w);
		w.image.working_dir = strdup(good[i]);
		world_build(&w);
		spec_clear(&w.out);
		free(w.image.working_dir);
	}
}

static void
t_bad(void **state)
{
	static char *utf8[] = { "\xff\xfe" };
	static char *nocap[] = { "CAP_FLY" };
	struct world w;

	(void)state;
	world_init(&w);
	w.ctr.command = utf8;
	w.ctr.n_command = 1;
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.caps.add_capabilities = nocap;
	w.caps.n_add_capabilities = 1;
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.res.memory_limit_in_bytes = 1000;
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.res.oom_score_adj = 1001;
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.res.cpuset_cpus = "0;1";
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.pod_linux.cgroup_parent = "/a/../b";
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__POD;
	world_refused(&w, CERR_INVALID_ARGUMENT);
	world_init(&w);
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__TARGET;
	world_refused(&w, CERR_FAILED_PRECONDITION);
}

/* Row 75. */
static void
t_seccomp(void **state)
{
	static const struct {
		const char *file;
		uint64_t caps;
	} rows[] = { { "seccomp-none", 0 }, { "seccomp-all", UINT64_MAX } };

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char path[256];
		json_t *p = seccomp_profile_make(rows[i].caps), *want;

		(void)snprintf(path, sizeof(path),
		    "regress/unit/execd/golden/%s.json", rows[i].file);
		if (getenv("CRIOD_GOLDEN") != NULL)
			(void)json_dump_file(p, path, JSON_INDENT(1));
		want = json_load_file(path, 0, NULL);
		assert_non_null(want);
		assert_true(json_equal(p, want));
		json_decref(p);
		json_decref(want);
	}
}

/* What a profile does with a call that has no argument rule. */
static const char *
seccomp_action(const json_t *p, const char *name)
{
	const json_t *calls = json_object_get(p, "syscalls");
	size_t i, k;
	json_t *rule, *n;

	json_array_foreach(calls, i, rule) {
		if (json_object_get(rule, "args") != NULL)
			continue;
		json_array_foreach(json_object_get(rule, "names"), k, n) {
			if (strcmp(json_string_value(n), name) == 0)
				return json_string_value(
				    json_object_get(rule, "action"));
		}
	}
	return "none";
}

static void
t_seccomp_rows(void **state)
{
	static const char *const never[] = { "io_uring_setup", "keyctl",
		"userfaultfd", "add_key", "request_key", "kexec_load" };
	static const char *const gated[] = { "bpf", "mount", "setns", "fsopen",
		"open_by_handle_at", "perf_event_open", "init_module" };
	json_t *none = seccomp_profile_make(0);
	json_t *all = seccomp_profile_make(UINT64_MAX);

	(void)state;
	for (size_t i = 0; i < N(never); i++) {
		assert_string_equal(seccomp_action(none, never[i]),
		    "SCMP_ACT_ERRNO");
		assert_string_equal(seccomp_action(all, never[i]),
		    "SCMP_ACT_ERRNO");
	}
	for (size_t i = 0; i < N(gated); i++) {
		assert_string_equal(seccomp_action(none, gated[i]),
		    "SCMP_ACT_ERRNO");
		assert_string_equal(seccomp_action(all, gated[i]),
		    "SCMP_ACT_ALLOW");
	}
	assert_string_equal(seccomp_action(none, "clone"), "none");
	assert_string_equal(seccomp_action(none, "unshare"), "none");
	assert_string_equal(seccomp_action(none, "clone3"), "SCMP_ACT_ERRNO");
	assert_string_equal(seccomp_action(none, "openat2"), "SCMP_ACT_ALLOW");
	json_decref(none);
	json_decref(all);
}

static void
t_exec(void **state)
{
	static char *args[] = { "ls", "-l" };
	struct world w;
	json_t *p;

	(void)state;
	world_init(&w);
	w.ctr.tty = true;
	world_build(&w);
	p = json_object_get(w.out.root, "process");
	assert_true(json_is_true(json_object_get(p, "terminal")));
	assert_int_equal(spec_exec_args(p, args, 2, false, &w.err), 0);
	assert_false(json_is_true(json_object_get(p, "terminal")));
	assert_int_equal(json_array_size(json_object_get(p, "args")), 2);
	spec_clear(&w.out);
}

/* What a shim gets: its own root, and the pod it belongs to. */
static void
t_shim(void **state)
{
	struct world w;
	json_t *sandbox;
	char path[256];

	(void)state;
	world_init(&w);
	w.in.own_kernel = w.in.shim = true;
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__TARGET;
	w.in.target_pid = 1234;
	world_refused(&w, CERR_FAILED_PRECONDITION);
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	golden(&w, "shim");
	sandbox = spec_sandbox(&w.in, &w.err);
	assert_non_null(sandbox);
	(void)snprintf(path, sizeof(path),
	    "regress/unit/execd/golden/"
	    "sandbox.json");
	if (getenv("CRIOD_GOLDEN") != NULL)
		assert_int_equal(json_dump_file(sandbox, path, JSON_INDENT(1)),
		    0);
	w.out.root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_equal(sandbox, w.out.root));
	json_decref(sandbox);
	spec_clear(&w.out);
}

static void
t_own_kernel(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_build(&w);
	assert_null(json_object_get(w.out.root, "hostname"));
	spec_clear(&w.out);
	w.in.own_kernel = true;
	world_build(&w);
	assert_string_equal(json_string_value(
				json_object_get(w.out.root, "hostname")),
	    "pod-1");
	spec_clear(&w.out);
	w.ns.pid = RUNTIME__V1__NAMESPACE_MODE__NODE;
	world_refused(&w, CERR_FAILED_PRECONDITION);
}

/* A terminal has TERM, once, and what the container set stays. */
static void
t_exec_tty(void **state)
{
	static char *args[] = { "sh" };
	struct world w;
	json_t *p, *env;
	size_t n;

	(void)state;
	world_init(&w);
	world_build(&w);
	p = json_object_get(w.out.root, "process");
	env = json_object_get(p, "env");
	n = json_array_size(env);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(spec_exec_args(p, args, 1, true, &w.err), 0);
		assert_true(json_is_true(json_object_get(p, "terminal")));
		assert_int_equal(json_array_size(env), n + 1);
	}
	assert_string_equal(json_string_value(json_array_get(env, n)),
	    "TERM=xterm");
	spec_clear(&w.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_default),
		cmocka_unit_test(t_nothing_set),
		cmocka_unit_test(t_privileged),
		cmocka_unit_test(t_host),
		cmocka_unit_test(t_userns),
		cmocka_unit_test(t_full),
		cmocka_unit_test(t_seccomp_off),
		cmocka_unit_test(t_seccomp_localhost),
		cmocka_unit_test(t_selinux),
		cmocka_unit_test(t_unmasked),
		cmocka_unit_test(t_shares),
		cmocka_unit_test(t_ulimits),
		cmocka_unit_test(t_args),
		cmocka_unit_test(t_cwd),
		cmocka_unit_test(t_bad),
		cmocka_unit_test(t_seccomp),
		cmocka_unit_test(t_seccomp_rows),
		cmocka_unit_test(t_exec),
		cmocka_unit_test(t_own_kernel),
		cmocka_unit_test(t_shim),
		cmocka_unit_test(t_exec_tty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
