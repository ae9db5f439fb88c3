#include <stdio.h>
#include <string.h>

#include "execd/ctr_flags.h"
#include "execd/hooks.h"
#include "execd/pod_ns.h"
#include "execd/profile.h"
#include "execd/seccomp_load.h"
#include "execd/seccomp_profile.h"
#include "execd/spec_part.h"

static int
spec_no_memory(struct spec *s)
{
	/* Do not hide what a value could not be made for. */
	if (s->err != NULL && s->err->code != CERR_OK)
		return -1;
	return cerr_set(s->err, CERR_RESOURCE_EXHAUSTED,
	    "no memory for the container's specification");
}

json_t *
spec_string(struct spec *s, const char *field, const char *value)
{
	json_t *v = json_string(value);

	if (v == NULL)
		(void)cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "%s: not valid UTF-8", field);
	return v;
}

int
spec_set(struct spec *s, json_t *object, const char *key, json_t *value)
{
	/* Both take value even if they fail; NULL makes them fail. */
	if (json_object_set_new(object, key, value) == -1)
		return spec_no_memory(s);
	return 0;
}

int
spec_add(struct spec *s, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == -1)
		return spec_no_memory(s);
	return 0;
}

json_t *
spec_object(struct spec *s)
{
	json_t *o = json_object();

	if (o == NULL)
		(void)spec_no_memory(s);
	return o;
}

json_t *
spec_array(struct spec *s)
{
	json_t *a = json_array();

	if (a == NULL)
		(void)spec_no_memory(s);
	return a;
}

json_t *
spec_words(struct spec *s, const char *const *words)
{
	json_t *a = spec_array(s);

	for (; a != NULL && *words != NULL; words++) {
		if (spec_add(s, a, json_string(*words)) == -1) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *
spec_root(struct spec *s)
{
	bool readonly = s->sc != NULL && s->sc->readonly_rootfs;
	char path[POLICY_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/fs",
	    s->in->boot->rootfs_directory, s->in->id);
	if (readonly)
		s->out->flags |= CTR_FLAG_READONLY;
	return json_pack("{s:s, s:b}", "path", s->in->shim ? "rootfs" : path,
	    "readonly", readonly);
}

/*
 * "a-b-c.slice" is /a.slice/a-b.slice/a-b-c.slice for systemd.  out has at
 * least 64 times a slice name's room.
 */
static int
spec_expand_slice(const char *slice, char *out, size_t size)
{
	size_t len = 0;
	const char *dash = slice;
	int n;

	if (strcmp(slice, "-.slice") == 0) {
		out[0] = '\0';
		return 0;
	}
	while ((dash = strchr(dash, '-')) != NULL) {
		n = snprintf(out + len, size - len, "/%.*s.slice",
		    (int)(dash - slice), slice);
		if (n < 0 || (size_t)n >= size - len)
			return -1;
		len += (size_t)n;
		dash++;
	}
	n = snprintf(out + len, size - len, "/%s", slice);
	return n < 0 || (size_t)n >= size - len ? -1 : 0;
}

/* Where a parent is below the root of the cgroup hierarchy. */
static int
spec_cgroup_place(bool systemd, const char *parent, char out[POLICY_CGROUP],
    struct cerr *err)
{
	int n = 0;

	if (systemd)
		n = spec_expand_slice(parent, out, POLICY_CGROUP);
	else
		(void)snprintf(out, POLICY_CGROUP, "%s", parent);
	/* Room for "/criod-ID.scope". */
	if (n == -1 || strlen(out) >= POLICY_CGROUP - 96)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cgroup_parent: too long");
	return 0;
}

static bool
spec_systemd(const Criod__BootExecd *boot)
{
	return boot->cgroup_driver == RUNTIME__V1__CGROUP_DRIVER__SYSTEMD;
}

int
spec_cgroup_dir(const Criod__BootExecd *boot, const char *asked,
    char out[POLICY_CGROUP], struct cerr *err)
{
	char parent[POLICY_CGROUP];

	if (policy_cgroup_parent(asked, boot->default_cgroup_parent,
		spec_systemd(boot), parent, err) == -1)
		return -1;
	return spec_cgroup_place(spec_systemd(boot), parent, out, err);
}

/* Sets linux.cgroupsPath, and out->cgroup to what it comes to. */
json_t *
spec_cgroup(struct spec *s, const char *id)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = s->in->pod_config->linux;
	bool systemd = spec_systemd(s->in->boot);
	char parent[POLICY_CGROUP], path[POLICY_CGROUP + 128];
	size_t len;

	if (policy_cgroup_parent(l != NULL ? l->cgroup_parent : "",
		s->in->boot->default_cgroup_parent, systemd, parent,
		s->err) == -1 ||
	    spec_cgroup_place(systemd, parent, s->out->cgroup, s->err) == -1)
		return NULL;
	len = strlen(s->out->cgroup);
	(void)snprintf(s->out->cgroup + len, sizeof(s->out->cgroup) - len,
	    systemd ? "/criod-%s.scope" : "/criod-%s", id);
	(void)snprintf(path, sizeof(path),
	    systemd ? "%s:criod:%s" : "%s/criod-%s", parent, id);
	return spec_string(s, "cgroup_parent", path);
}

/*
 * What is wanted or nothing at all: a privileged or unconfined container has
 * no filter, not even an empty one.
 */
static int
spec_set_seccomp(struct spec *s, json_t *linux)
{
	struct seccomp_host host = { s->out->caps,
		{ s->in->kernel[0], s->in->kernel[1] } };
	struct profile want;
	json_t *filter;

	if (profile_seccomp(s->in->boot, s->sc, &want, s->err) == -1)
		return -1;
	if (want.kind == PROFILE_UNCONFINED)
		return 0;
	s->out->flags |= CTR_FLAG_SECCOMP;
	if (want.kind == PROFILE_LOCALHOST && s->in->rehearsal)
		return 0;
	filter = want.kind == PROFILE_LOCALHOST
		     ? seccomp_load(s->in->seccomp_profile, &host, s->err)
		     : seccomp_profile_make(s->out->caps);
	return spec_set(s, linux, "seccomp", filter);
}

static json_t *
spec_linux(struct spec *s)
{
	json_t *l = spec_object(s);
	const char *propagation = spec_propagation(s);

	if (l == NULL)
		return NULL;
	if (spec_set(s, l, "cgroupsPath", spec_cgroup(s, s->in->id)) == -1 ||
	    spec_set(s, l, "namespaces", spec_namespaces(s)) == -1 ||
	    spec_set(s, l, "resources", spec_resources(s)) == -1 ||
	    spec_set(s, l, "devices", spec_devices(s)) == -1 ||
	    spec_set_seccomp(s, l) == -1)
		goto fail;
	if (s->out->labels.mount[0] != '\0' &&
	    spec_set(s, l, "mountLabel", json_string(s->out->labels.mount)) ==
		-1)
		goto fail;
	if ((s->in->pod.namespaces & POD_NS_USER) != 0 &&
	    (spec_set(s, l, "uidMappings", spec_id_map(s, &s->in->pod.uids)) ==
		    -1 ||
		spec_set(s, l, "gidMappings",
		    spec_id_map(s, &s->in->pod.gids)) == -1))
		goto fail;
	if (!s->privileged &&
	    (spec_set(s, l, "maskedPaths", spec_masked(s)) == -1 ||
		spec_set(s, l, "readonlyPaths", spec_readonly(s)) == -1))
		goto fail;
	if (propagation[0] != '\0' &&
	    spec_set(s, l, "rootfsPropagation", json_string(propagation)) == -1)
		goto fail;
	return l;
fail:
	json_decref(l);
	return NULL;
}

static void
spec_set_flags(struct spec *s)
{
	const Runtime__V1__ContainerConfig *c = s->in->config;
	const struct {
		bool on;
		unsigned int flag;
	} rows[] = {
		{ c->tty, CTR_FLAG_TTY },
		{ c->stdin, CTR_FLAG_STDIN },
		{ c->stdin && c->stdin_once, CTR_FLAG_STDIN_ONCE },
		{ s->privileged, CTR_FLAG_PRIVILEGED },
		{ (s->in->pod.namespaces & POD_NS_NET) == 0,
		    CTR_FLAG_HOST_NET },
		{ (s->in->pod.namespaces & POD_NS_IPC) == 0,
		    CTR_FLAG_HOST_IPC },
		{ spec_pid_mode(s) == RUNTIME__V1__NAMESPACE_MODE__NODE,
		    CTR_FLAG_HOST_PID },
		{ spec_pid_mode(s) == RUNTIME__V1__NAMESPACE_MODE__POD,
		    CTR_FLAG_POD_PID },
		{ spec_pid_mode(s) == RUNTIME__V1__NAMESPACE_MODE__TARGET,
		    CTR_FLAG_TARGET_PID },
		{ s->sc != NULL && s->sc->no_new_privs, CTR_FLAG_NNP },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].on)
			s->out->flags |= rows[i].flag;
	}
}

/* The pod's UTS namespace has it, for all that look there. */
static int
spec_set_hostname(struct spec *s)
{
	if (!s->in->own_kernel)
		return 0;
	return spec_set(s, s->out->root, "hostname",
	    spec_string(s, "hostname", s->in->hostname));
}

static int
spec_set_hooks(struct spec *s)
{
	const struct hooks_about about = {
		.pod = s->in->pod_config,
		.ctr = s->in->config,
		.args =
		    json_object_get(json_object_get(s->out->root, "process"),
			"args"),
	};
	json_t *hooks = NULL;

	if (s->in->hooks == NULL ||
	    hooks_make(s->in->hooks, &about, &hooks, s->err) == -1)
		return s->in->hooks == NULL ? 0 : -1;
	return hooks == NULL ? 0 : spec_set(s, s->out->root, "hooks", hooks);
}

int
spec_build(const struct spec_in *in, struct spec_out *out, struct cerr *err)
{
	const Runtime__V1__LinuxContainerConfig *l = in->config->linux;
	struct spec s = {
		.in = in,
		.out = out,
		.sc = l != NULL ? l->security_context : NULL,
		.res = l != NULL ? l->resources : NULL,
		.err = err,
	};

	*out = (struct spec_out){ 0 };
	err->code = CERR_OK;
	s.privileged = s.sc != NULL && s.sc->privileged;
	spec_set_flags(&s);
	out->root = spec_object(&s);
	if (out->root == NULL)
		return -1;
	/* process first: the filter depends on its capabilities. */
	if (spec_set(&s, out->root, "ociVersion",
		json_string(SPEC_OCI_VERSION)) == -1 ||
	    spec_set(&s, out->root, "process", spec_process(&s)) == -1 ||
	    spec_set(&s, out->root, "root", spec_root(&s)) == -1 ||
	    spec_set(&s, out->root, "mounts", spec_mounts(&s)) == -1 ||
	    spec_set(&s, out->root, "linux", spec_linux(&s)) == -1 ||
	    spec_set_hostname(&s) == -1 || spec_set_hooks(&s) == -1 ||
	    (in->shim && spec_set_annotations(&s) == -1)) {
		spec_clear(out);
		return -1;
	}
	return 0;
}

void
spec_clear(struct spec_out *out)
{
	json_decref(out->root);
	out->root = NULL;
}
