#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "execd/pod_ns.h"
#include "execd/spec_part.h"

#define SPEC_MEMORY_MIN (512 * 1024)
#define SPEC_SHARES_MIN 2
#define SPEC_SHARES_MAX 262144

/* ---- namespaces ---- */

/* An unset option is POD, its value 0. */
Runtime__V1__NamespaceMode
spec_pid_mode(const struct spec *s)
{
	return s->sc != NULL && s->sc->namespace_options != NULL
		   ? s->sc->namespace_options->pid
		   : RUNTIME__V1__NAMESPACE_MODE__POD;
}

int
spec_namespace(struct spec *s, json_t *list, const char *type, const char *path)
{
	json_t *o = path != NULL
			? json_pack("{s:s, s:s}", "type", type, "path", path)
			: json_pack("{s:s}", "type", type);

	return spec_add(s, list, o);
}

int
spec_namespace_pod(struct spec *s, json_t *list, const char *type,
    const char *name)
{
	char path[POLICY_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/%s",
	    s->in->boot->netns_directory, s->in->pod_id, name);
	return spec_namespace(s, list, type, path);
}

static int
spec_namespace_target(struct spec *s, json_t *list)
{
	char path[64];

	if (s->in->target_pid == 0)
		return cerr_set(s->err, CERR_FAILED_PRECONDITION,
		    "namespace_options.target_id: that container does not "
		    "run");
	(void)snprintf(path, sizeof(path), "/proc/%u/ns/pid",
	    s->in->target_pid);
	return spec_namespace(s, list, "pid", path);
}

/*
 * runsc shares nothing between its containers; a shim may, within a pod.  Of a
 * target only what stands for it is known, which is a process of the host's.
 */
static bool
spec_pid_refused(const struct spec *s)
{
	Runtime__V1__NamespaceMode mode = spec_pid_mode(s);

	if (!s->in->own_kernel)
		return false;
	return mode == RUNTIME__V1__NAMESPACE_MODE__TARGET ||
	       (!s->in->shim && mode != RUNTIME__V1__NAMESPACE_MODE__CONTAINER);
}

static int
spec_namespace_pid(struct spec *s, json_t *list)
{
	if (spec_pid_refused(s))
		return cerr_set(s->err, CERR_FAILED_PRECONDITION,
		    "namespace_options.pid: this runtime handler's containers "
		    "cannot share it: they have a kernel of their own");
	switch (spec_pid_mode(s)) {
	case RUNTIME__V1__NAMESPACE_MODE__POD:
		if ((s->in->pod.namespaces & POD_NS_PID) == 0)
			return cerr_set(s->err, CERR_INVALID_ARGUMENT,
			    "namespace_options.pid: the pod has no PID "
			    "namespace to share");
		return spec_namespace_pod(s, list, "pid", "pid");
	case RUNTIME__V1__NAMESPACE_MODE__CONTAINER:
		return spec_namespace(s, list, "pid", NULL);
	case RUNTIME__V1__NAMESPACE_MODE__NODE:
		return 0;
	case RUNTIME__V1__NAMESPACE_MODE__TARGET:
		return spec_namespace_target(s, list);
	case _RUNTIME__V1__NAMESPACE_MODE_IS_INT_SIZE:
	default:
		return cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "namespace_options.pid: not a mode");
	}
}

json_t *
spec_namespaces(struct spec *s)
{
	const unsigned int pod = s->in->pod.namespaces;
	json_t *l = spec_array(s);

	if (l == NULL)
		return NULL;
	if (((pod & POD_NS_USER) &&
		spec_namespace_pod(s, l, "user", "user") == -1) ||
	    spec_namespace(s, l, "mount", NULL) == -1 ||
	    ((pod & POD_NS_NET) &&
		spec_namespace_pod(s, l, "network", "net") == -1) ||
	    ((pod & POD_NS_IPC) &&
		spec_namespace_pod(s, l, "ipc", "ipc") == -1) ||
	    ((pod & POD_NS_UTS) &&
		spec_namespace_pod(s, l, "uts", "uts") == -1) ||
	    spec_namespace_pid(s, l) == -1 ||
	    (s->in->boot->cgroup2 && !s->privileged &&
		spec_namespace(s, l, "cgroup", NULL) == -1)) {
		json_decref(l);
		return NULL;
	}
	return l;
}

json_t *
spec_id_map(struct spec *s, const struct policy_ids *ids)
{
	json_t *l = spec_array(s);

	if (l == NULL || spec_add(s, l,
			     json_pack("{s:i, s:I, s:I}", "containerID", 0,
				 "hostID", (json_int_t)ids->host, "size",
				 (json_int_t)ids->count)) == 0)
		return l;
	json_decref(l);
	return NULL;
}

/* ---- resources ---- */

static int
spec_set_int(struct spec *s, json_t *o, const char *key, int64_t value)
{
	return value == 0 ? 0 : spec_set(s, o, key, json_integer(value));
}

static int
spec_cpuset(struct spec *s, json_t *o, const char *key, const char *field,
    const char *value)
{
	if (value[0] == '\0')
		return 0;
	if (strlen(value) > 4096 ||
	    strspn(value, "0123456789,-") != strlen(value))
		return cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "%s: not a list of numbers", field);
	return spec_set(s, o, key, json_string(value));
}

/*
 * crun 1.8 writes -1 as a large number, which cgroup v1 refuses.  No limit is
 * what a new cgroup has; spec_update_files writes it to an old one.
 */
static int64_t
spec_quota(const struct spec *s)
{
	return s->res->cpu_quota < 0 && !s->in->boot->cgroup2
		   ? 0
		   : s->res->cpu_quota;
}

/* What the kernel takes; runtimes compute a weight of it on cgroup v2. */
static int64_t
spec_shares(int64_t shares)
{
	if (shares == 0)
		return 0;
	return shares < SPEC_SHARES_MIN	  ? SPEC_SHARES_MIN
	       : shares > SPEC_SHARES_MAX ? SPEC_SHARES_MAX
					  : shares;
}

json_t *
spec_cpu(struct spec *s)
{
	const Runtime__V1__LinuxContainerResources *r = s->res;
	json_t *o = spec_object(s);

	if (o == NULL)
		return NULL;
	if (r->cpu_shares < 0 || r->cpu_period < 0) {
		(void)cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "resources: negative cpu_shares or cpu_period");
	} else if (spec_set_int(s, o, "shares", spec_shares(r->cpu_shares)) ==
		       0 &&
		   spec_set_int(s, o, "quota", spec_quota(s)) == 0 &&
		   spec_set_int(s, o, "period", r->cpu_period) == 0 &&
		   spec_cpuset(s, o, "cpus", "cpuset_cpus", r->cpuset_cpus) ==
		       0 &&
		   spec_cpuset(s, o, "mems", "cpuset_mems", r->cpuset_mems) ==
		       0) {
		return o;
	}
	json_decref(o);
	return NULL;
}

json_t *
spec_memory(struct spec *s)
{
	const int64_t limit = s->res->memory_limit_in_bytes;
	const int64_t swap = s->res->memory_swap_limit_in_bytes;
	json_t *o = spec_object(s);

	if (o == NULL)
		return NULL;
	if (limit > 0 && limit < SPEC_MEMORY_MIN)
		(void)cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "memory_limit_in_bytes: %lld is below the least, %d",
		    (long long)limit, SPEC_MEMORY_MIN);
	else if (limit > 0 && swap > 0 && swap < limit)
		(void)cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "memory_swap_limit_in_bytes is below "
		    "memory_limit_in_bytes");
	else if (spec_set_int(s, o, "limit", limit) == 0 &&
		 spec_set_int(s, o, "swap", limit != 0 ? swap : 0) == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* "2MB", "1GB": as the kernel names its files. */
bool
spec_page_size(const char *p)
{
	size_t digits = strspn(p, "0123456789");

	return digits > 0 && digits < 10 && strchr("KMG", p[digits]) != NULL &&
	       p[digits] != '\0' && strcmp(p + digits + 1, "B") == 0;
}

static json_t *
spec_hugepages(struct spec *s)
{
	const Runtime__V1__LinuxContainerResources *r = s->res;
	json_t *l = spec_array(s);

	for (size_t i = 0; l != NULL && i < r->n_hugepage_limits; i++) {
		const Runtime__V1__HugepageLimit *h = r->hugepage_limits[i];
		int ret = 0;

		if (!spec_page_size(h->page_size) || h->limit > INT64_MAX)
			ret = cerr_set(s->err, CERR_INVALID_ARGUMENT,
			    "hugepage_limits: \"%.32s\"", h->page_size);
		else if (s->in->boot->hugetlb)
			ret = spec_add(s, l,
			    json_pack("{s:s, s:I}", "pageSize", h->page_size,
				"limit", (json_int_t)h->limit));
		if (ret == -1) {
			json_decref(l);
			return NULL;
		}
	}
	return l;
}

/* Keys are file names of the container's own cgroup. */
bool
spec_unified_key(const char *key)
{
	static const char *const controllers[] = { "cpu.", "cpuset.",
		"hugetlb.", "io.", "memory.", "misc.", "pids.", "rdma." };
	size_t len = strlen(key);

	if (len == 0 || len > 64)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)key[i]) && key[i] != '.' &&
		    key[i] != '_')
			return false;
	}
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]);
	     i++) {
		if (strncmp(key, controllers[i], strlen(controllers[i])) == 0)
			return true;
	}
	return false;
}

static int
spec_unified(struct spec *s, json_t *resources)
{
	const Runtime__V1__LinuxContainerResources *r = s->res;
	json_t *o;

	if (r->n_unified == 0)
		return 0;
	if (!s->in->boot->cgroup2)
		return cerr_set(s->err, CERR_FAILED_PRECONDITION,
		    "resources.unified: this host has no cgroup v2");
	o = spec_object(s);
	for (size_t i = 0; o != NULL && i < r->n_unified; i++) {
		if (!spec_unified_key(r->unified[i]->key)) {
			json_decref(o);
			return cerr_set(s->err, CERR_INVALID_ARGUMENT,
			    "resources.unified: \"%.64s\"", r->unified[i]->key);
		}
		if (spec_set(s, o, r->unified[i]->key,
			spec_string(s, "resources.unified",
			    r->unified[i]->value)) == -1) {
			json_decref(o);
			return -1;
		}
	}
	return spec_set(s, resources, "unified", o);
}

/* The device cgroup: all or nothing, then what was asked for. */
static json_t *
spec_device_rules(struct spec *s)
{
	json_t *l = spec_array(s);
	int ret;

	if (l == NULL)
		return NULL;
	ret = spec_add(s, l,
	    json_pack("{s:b, s:s}", "allow", s->privileged, "access", "rwm"));
	for (size_t i = 0; ret == 0 && i < s->in->ndevices; i++) {
		const struct spec_devices *d = &s->in->devices[i];

		if (d->request == NULL)
			continue;
		for (size_t k = 0; ret == 0 && k < d->list.n; k++) {
			char type[2] = { d->list.entries[k].type, '\0' };

			ret = spec_add(s, l,
			    json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1,
				"type", type, "major",
				(json_int_t)d->list.entries[k].major, "minor",
				(json_int_t)d->list.entries[k].minor, "access",
				d->request->permissions[0] != '\0'
				    ? d->request->permissions
				    : "rwm"));
		}
	}
	if (ret == 0)
		return l;
	json_decref(l);
	return NULL;
}

json_t *
spec_resources(struct spec *s)
{
	json_t *o = spec_object(s);

	if (o == NULL)
		return NULL;
	if (spec_set(s, o, "devices", spec_device_rules(s)) == -1)
		goto fail;
	if (s->res != NULL &&
	    (spec_set(s, o, "cpu", spec_cpu(s)) == -1 ||
		spec_set(s, o, "memory", spec_memory(s)) == -1 ||
		spec_set(s, o, "hugepageLimits", spec_hugepages(s)) == -1 ||
		spec_unified(s, o) == -1))
		goto fail;
	return o;
fail:
	json_decref(o);
	return NULL;
}

/* ---- devices ---- */

static int
spec_device(struct spec *s, void *arg, const struct devlist_entry *e,
    const char *path)
{
	char type[2] = { e->type, '\0' };
	json_t *list = arg;
	json_t *p = spec_string(s, "devices", path);

	if (p == NULL)
		return -1;
	return spec_add(s, list,
	    json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:I}", "path", p, "type",
		type, "major", (json_int_t)e->major, "minor",
		(json_int_t)e->minor, "fileMode", (json_int_t)e->mode, "uid",
		(json_int_t)e->uid, "gid", (json_int_t)e->gid));
}

/* Runtimes make these themselves. */
static bool
spec_device_usual(const char *path)
{
	static const char *const usual[] = { "/dev/null", "/dev/zero",
		"/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
		"/dev/console", "/dev/ptmx" };

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (strcmp(path, usual[i]) == 0)
			return true;
	}
	return false;
}

/* host_path may be a directory: what is beneath keeps its relative name. */
static int
spec_device_request(struct spec *s, const struct spec_devices *d,
    spec_device_fn fn, void *arg)
{
	char base[POLICY_PATH_MAX], to[POLICY_PATH_MAX];
	char path[2 * POLICY_PATH_MAX];
	size_t len;

	if (policy_clean_path("devices: host_path", d->request->host_path, base,
		s->err) == -1 ||
	    policy_clean_path("devices: container_path",
		d->request->container_path, to, s->err) == -1)
		return -1;
	len = strlen(base);
	for (size_t i = 0; i < d->list.n; i++) {
		const char *host = d->list.entries[i].path;

		if (strncmp(host, base, len) != 0)
			return cerr_set(s->err, CERR_INTERNAL,
			    "devices: list of something else");
		(void)snprintf(path, sizeof(path), "%s%s", to, host + len);
		if (!spec_device_usual(path) &&
		    fn(s, arg, &d->list.entries[i], path) == -1)
			return -1;
	}
	return 0;
}

static int
spec_device_all(struct spec *s, const struct devlist *all, spec_device_fn fn,
    void *arg)
{
	for (size_t i = 0; i < all->n; i++) {
		const char *path = all->entries[i].path;

		if (!spec_device_usual(path) &&
		    fn(s, arg, &all->entries[i], path) == -1)
			return -1;
	}
	return 0;
}

int
spec_each_device(struct spec *s, spec_device_fn fn, void *arg)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < s->in->ndevices; i++) {
		const struct spec_devices *d = &s->in->devices[i];

		ret = d->request != NULL
			  ? spec_device_request(s, d, fn, arg)
			  : spec_device_all(s, &d->list, fn, arg);
	}
	return ret;
}

/* Nobody makes devices in a user namespace: there, they are bound. */
json_t *
spec_devices(struct spec *s)
{
	json_t *l = spec_array(s);

	if (l == NULL || (s->in->pod.namespaces & POD_NS_USER) != 0 ||
	    spec_each_device(s, spec_device, l) == 0)
		return l;
	json_decref(l);
	return NULL;
}

/* ---- what a container must not see or change ---- */

static const char *const spec_masked_default[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
	NULL,
};

static const char *const spec_readonly_default[] = {
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/sys",
	"/proc/sysrq-trigger",
	NULL,
};

static bool
spec_listed(const json_t *list, const char *path)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) {
		if (strcmp(json_string_value(v), path) == 0)
			return true;
	}
	return false;
}

/*
 * The defaults always, and what the client adds.  Only in a user namespace,
 * where the kernel itself keeps these from a container, may it say "none":
 * that is what kubelets make of procMount Unmasked.
 */
static bool
spec_unmasked(const struct spec *s)
{
	return (s->in->pod.namespaces & POD_NS_USER) != 0 && s->sc != NULL &&
	       s->sc->n_masked_paths == 0 && s->sc->n_readonly_paths == 0;
}

static json_t *
spec_paths(struct spec *s, const char *field, const char *const *def,
    char *const *more, size_t n)
{
	json_t *l = spec_words(s, def);
	char clean[POLICY_PATH_MAX];

	for (size_t i = 0; l != NULL && i < n; i++) {
		if (policy_clean_path(field, more[i], clean, s->err) == -1 ||
		    (!spec_listed(l, clean) &&
			spec_add(s, l, spec_string(s, field, clean)) == -1)) {
			json_decref(l);
			return NULL;
		}
	}
	return l;
}

json_t *
spec_masked(struct spec *s)
{
	json_t *l;
	char path[96];

	if (spec_unmasked(s))
		return spec_array(s);
	l = spec_paths(s, "masked_paths", spec_masked_default,
	    s->sc != NULL ? s->sc->masked_paths : NULL,
	    s->sc != NULL ? s->sc->n_masked_paths : 0);

	/* Heat tells what the neighbours compute. */
	for (unsigned int i = 0; l != NULL && i < s->in->cpus; i++) {
		(void)snprintf(path, sizeof(path),
		    "/sys/devices/system/cpu/cpu%u/thermal_throttle", i);
		if (spec_add(s, l, json_string(path)) == -1) {
			json_decref(l);
			return NULL;
		}
	}
	return l;
}

json_t *
spec_readonly(struct spec *s)
{
	if (spec_unmasked(s))
		return spec_array(s);
	return spec_paths(s, "readonly_paths", spec_readonly_default,
	    s->sc != NULL ? s->sc->readonly_paths : NULL,
	    s->sc != NULL ? s->sc->n_readonly_paths : 0);
}
