/*
 * A container as execd makes it of a request that nobody has looked at: a byte
 * of what the host has, then a CreateContainerRequest.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "execd/spec.h"
#include "lib/json.h"
#include "proto/pballoc.h"
#include "proto/pbcheck.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID	      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BOUNDING_CAPS UINT64_C(0x1ffffffffff)

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_init();
	return 0;
}

static bool
has_namespace(const json_t *linux_, const char *type)
{
	const json_t *list = json_object_get(linux_, "namespaces"), *v;
	size_t i;

	json_array_foreach(list, i, v) {
		const char *s = json_string_value(json_object_get(v, "type"));

		if (s != NULL && strcmp(s, type) == 0)
			return true;
	}
	return false;
}

/* What no request may bring about. */
static void
check(const struct spec_in *in, const struct spec_out *out)
{
	const json_t *linux_ = json_object_get(out->root, "linux"), *v;
	char *text = json_dumps(out->root, JSON_COMPACT);
	size_t i;

	assert(text != NULL);
	free(text);
	assert((out->caps & ~BOUNDING_CAPS) == 0);
	assert(has_namespace(linux_, "mount"));
	assert(in->pod.host_pid || has_namespace(linux_, "pid"));
	assert(json_array_size(
		   json_object_get(json_object_get(out->root, "process"),
		       "args")) > 0);
	json_array_foreach(json_object_get(out->root, "mounts"), i, v) {
		const char *at =
		    json_string_value(json_object_get(v, "destination"));

		assert(
		    at != NULL && at[0] == '/' && strstr(at, "/../") == NULL);
	}
}

static void
build(const Runtime__V1__CreateContainerRequest *r, uint8_t bits)
{
	Criod__BootExecd boot = CRIOD__BOOT_EXECD__INIT;
	Criod__Lease image = CRIOD__LEASE__INIT;
	char *cmd[] = { "sh" };
	uint32_t groups[] = { 1 };
	struct user user = { .uid = 1, .groups = groups, .ngroups = 1 };
	struct spec_in in = { .boot = &boot,
		.id = ID,
		.pod_id = ID,
		.config = r->config,
		.pod_config = r->sandbox_config,
		.image = &image,
		.user = &user,
		.hostname = "h",
		.target_pid = 1,
		.cpus = 2,
		.selinux_level = "" };
	char dir[POLICY_PATH_MAX], name[POLICY_NAME_MAX];
	struct spec_out out;
	struct cerr err;

	boot.rootfs_directory = "/run/criod/rootfs";
	boot.netns_directory = "/run/criod/ns";
	boot.pod_directory = "/run/criod/pod";
	boot.default_cgroup_parent = (bits & 1) != 0 ? "a.slice" : "/criod";
	boot.cgroup_driver = (bits & 1) != 0
				 ? RUNTIME__V1__CGROUP_DRIVER__SYSTEMD
				 : RUNTIME__V1__CGROUP_DRIVER__CGROUPFS;
	boot.bounding_caps = BOUNDING_CAPS;
	boot.oom_score_adj_min = -500;
	boot.cgroup2 = (bits & 2) != 0;
	boot.hugetlb = (bits & 4) != 0;
	boot.seccomp_default = (bits & 8) != 0;
	in.ruled = (bits & 16) != 0;
	in.runtime_rro = (bits & 32) != 0;
	in.rehearsal = (bits & 64) != 0;
	in.shim = (bits & 128) != 0;
	image.cmd = cmd;
	image.n_cmd = 1;
	if (policy_check_pod(in.pod_config, &in.pod, &err) == -1 ||
	    policy_check_ctr(&in.pod, in.config, &err) == -1 ||
	    policy_log_path(in.pod_config, in.config, dir, name, &err) == -1 ||
	    spec_build(&in, &out, &err) == -1) {
		assert(err.code != CERR_OK && err.text[0] != '\0');
		return;
	}
	check(&in, &out);
	spec_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *d =
	    &runtime__v1__create_container_request__descriptor;
	const Runtime__V1__CreateContainerRequest *r;
	struct pballoc mem;
	struct cerr err;

	if (size < 1 || pbcheck(d, data + 1, size - 1, &err) == -1)
		return 0;
	pballoc_init(&mem, 1 << 20);
	r = (const void *)protobuf_c_message_unpack(d, &mem.alloc, size - 1,
	    data + 1);
	if (r != NULL && r->config != NULL && r->sandbox_config != NULL)
		build(r, data[0]);
	pballoc_clear(&mem);
	return 0;
}
