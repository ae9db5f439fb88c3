/*
 * What a shim needs to know of a pod: the annotations by which it puts
 * containers together, and the sandbox that comes before the first of them.
 * Annotations of the pod's own reach neither.
 */
#include <stdio.h>
#include <string.h>

#include "execd/pod_ns.h"
#include "execd/seccomp_profile.h"
#include "execd/spec_part.h"

#define SANDBOX_PREFIX "io.kubernetes.cri."
#define SANDBOX_ID     65535 /* whose pause is */

static json_t *
sandbox_annotations(struct spec *s, const char *type)
{
	const Runtime__V1__PodSandboxMetadata *pod =
	    s->in->pod_config->metadata;
	const Runtime__V1__ContainerMetadata *ctr = s->in->config->metadata;
	const struct {
		const char *key, *value;
	} rows[] = {
		{ SANDBOX_PREFIX "container-type", type },
		{ SANDBOX_PREFIX "sandbox-id", s->in->pod_id },
		{ SANDBOX_PREFIX "sandbox-name", pod != NULL ? pod->name : "" },
		{ SANDBOX_PREFIX "sandbox-namespace",
		    pod != NULL ? pod->namespace_ : "" },
		{ SANDBOX_PREFIX "sandbox-uid", pod != NULL ? pod->uid : "" },
		/* The last is not the sandbox's. */
		{ SANDBOX_PREFIX "container-name",
		    ctr != NULL ? ctr->name : "" },
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);
	json_t *o = spec_object(s);

	if (strcmp(type, "sandbox") == 0)
		n--;
	for (size_t i = 0; o != NULL && i < n; i++) {
		if (spec_set(s, o, rows[i].key,
			spec_string(s, "metadata", rows[i].value)) == -1) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

int
spec_set_annotations(struct spec *s)
{
	return spec_set(s, s->out->root, "annotations",
	    sandbox_annotations(s, "container"));
}

static json_t *
sandbox_process(struct spec *s)
{
	json_t *p = json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[s], s:s, s:b,"
			      " s:{s:[], s:[], s:[], s:[]}}",
	    "terminal", 0, "user", "uid", SANDBOX_ID, "gid", SANDBOX_ID, "args",
	    "/pause", "env", "PATH=/", "cwd", "/", "noNewPrivileges", 1,
	    "capabilities", "bounding", "effective", "permitted",
	    "inheritable");

	if (p == NULL)
		(void)cerr_set(s->err, CERR_RESOURCE_EXHAUSTED,
		    "no memory for the pod's sandbox");
	else if (spec_selinux(s, p) == -1) {
		json_decref(p);
		return NULL;
	}
	return p;
}

static json_t *
sandbox_mounts(void)
{
	return json_pack("[{s:s, s:s, s:s, s:[s, s, s]},"
			 " {s:s, s:s, s:s, s:[s, s, s]},"
			 " {s:s, s:s, s:s, s:[s, s, s, s]}]",
	    "destination", "/proc", "type", "proc", "source", "proc", "options",
	    "nosuid", "noexec", "nodev", "destination", "/dev", "type", "tmpfs",
	    "source", "tmpfs", "options", "nosuid", "mode=755", "size=64k",
	    "destination", "/sys", "type", "sysfs", "source", "sysfs",
	    "options", "nosuid", "noexec", "nodev", "ro");
}

/* The pod's, but with processes and mounts of its own. */
static int
sandbox_namespaces(struct spec *s, json_t *list)
{
	static const struct {
		unsigned int flag;
		const char *type, *name;
	} rows[] = {
		{ POD_NS_NET, "network", "net" },
		{ POD_NS_IPC, "ipc", "ipc" },
		{ POD_NS_UTS, "uts", "uts" },
	};

	if (spec_namespace(s, list, "mount", NULL) == -1 ||
	    spec_namespace(s, list, "pid", NULL) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((s->in->pod.namespaces & rows[i].flag) != 0 &&
		    spec_namespace_pod(s, list, rows[i].type, rows[i].name) ==
			-1)
			return -1;
	}
	return 0;
}

static json_t *
sandbox_linux(struct spec *s)
{
	json_t *l = json_pack("{s:{s:[{s:b, s:s}]}, s:[]}", "resources",
	    "devices", "allow", 0, "access", "rwm", "namespaces");

	if (l == NULL ||
	    sandbox_namespaces(s, json_object_get(l, "namespaces")) == -1 ||
	    spec_set(s, l, "cgroupsPath", spec_cgroup(s, s->in->pod_id)) ==
		-1 ||
	    spec_set(s, l, "seccomp", seccomp_profile_make(0)) == -1 ||
	    spec_set(s, l, "maskedPaths", spec_masked(s)) == -1 ||
	    spec_set(s, l, "readonlyPaths", spec_readonly(s)) == -1) {
		json_decref(l);
		return NULL;
	}
	return l;
}

json_t *
spec_sandbox(const struct spec_in *in, struct cerr *err)
{
	struct spec_out out = { 0 };
	struct spec s = { .in = in,
		.out = &out,
		.privileged = in->pod.privileged,
		.err = err };
	json_t *o = spec_object(&s);

	err->code = CERR_OK;
	if (o == NULL)
		return NULL;
	if (spec_set(&s, o, "ociVersion", json_string(SPEC_OCI_VERSION)) ==
		-1 ||
	    spec_set(&s, o, "process", sandbox_process(&s)) == -1 ||
	    spec_set(&s, o, "root",
		json_pack("{s:s, s:b}", "path", "rootfs", "readonly", 1)) ==
		-1 ||
	    spec_set(&s, o, "mounts", sandbox_mounts()) == -1 ||
	    spec_set(&s, o, "hostname",
		spec_string(&s, "hostname", in->hostname)) == -1 ||
	    spec_set(&s, o, "annotations",
		sandbox_annotations(&s, "sandbox")) == -1 ||
	    spec_set(&s, o, "linux", sandbox_linux(&s)) == -1) {
		json_decref(o);
		return NULL;
	}
	return o;
}
