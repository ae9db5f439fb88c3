#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr_flags.h"
#include "execd/pod_ns.h"
#include "execd/spec_part.h"

#define SPEC_PRIVATE RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE
#define SPEC_SLAVE   RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER
#define SPEC_SHARED  RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL

/* One mount, before defaults and requests are merged. */
struct spec_mount {
	char to[POLICY_PATH_MAX];
	size_t depth, seq;
	json_t *json; /* owned */
};

struct spec_mount_list {
	struct spec_mount **items;
	size_t n, max;
};

static json_t *
spec_mount_json(struct spec *s, const char *to, const char *type,
    const char *from, const char *const *options)
{
	json_t *m = spec_object(s);

	if (m == NULL)
		return NULL;
	if (spec_set(s, m, "destination",
		spec_string(s, "mounts: container_path", to)) == -1 ||
	    spec_set(s, m, "type", json_string(type)) == -1 ||
	    spec_set(s, m, "source",
		spec_string(s, "mounts: host_path", from)) == -1 ||
	    spec_set(s, m, "options", spec_words(s, options)) == -1) {
		json_decref(m);
		return NULL;
	}
	return m;
}

/* Takes json; to is a clean path. */
static int
spec_mount_put(struct spec *s, struct spec_mount_list *l, const char *to,
    json_t *json)
{
	struct spec_mount *m;

	if (json == NULL)
		return -1;
	m = l->n < l->max ? calloc(1, sizeof(*m)) : NULL;
	if (m == NULL) {
		json_decref(json);
		return cerr_errno(s->err, "mounts");
	}
	(void)snprintf(m->to, sizeof(m->to), "%s", to);
	for (const char *p = m->to; *p != '\0'; p++)
		m->depth += *p == '/';
	m->seq = l->n;
	m->json = json;
	l->items[l->n++] = m;
	return 0;
}

static int
spec_mount_default(struct spec *s, struct spec_mount_list *l, const char *to,
    const char *type, const char *from, const char *const *options)
{
	return spec_mount_put(s, l, to,
	    spec_mount_json(s, to, type, from, options));
}

/* A file or directory that the pod keeps for all of its containers. */
static int
spec_mount_pod(struct spec *s, struct spec_mount_list *l, const char *to,
    const char *name, bool readonly)
{
	const char *options[] = { "bind", "rprivate", "nosuid", "nodev",
		"noexec", readonly ? "ro" : "rw", NULL };
	char from[POLICY_PATH_MAX];

	(void)snprintf(from, sizeof(from), "%s/%s/%s",
	    s->in->boot->pod_directory, s->in->pod_id, name);
	return spec_mount_default(s, l, to, "bind", from, options);
}

/*
 * A user namespace may mount that of its own network namespace only; with the
 * host's, it gets the host's.
 */
static int
spec_mount_sys(struct spec *s, struct spec_mount_list *l)
{
	static const char *const host[] = { "rbind", "rprivate", "nosuid",
		"noexec", "nodev", "ro", NULL };
	const char *own[] = { "nosuid", "noexec", "nodev",
		s->privileged ? "rw" : "ro", NULL };

	if ((s->in->pod.namespaces & (POD_NS_USER | POD_NS_NET)) == POD_NS_USER)
		return spec_mount_default(s, l, "/sys", "bind", "/sys", host);
	return spec_mount_default(s, l, "/sys", "sysfs", "sysfs", own);
}

static int
spec_mount_kernel(struct spec *s, struct spec_mount_list *l)
{
	static const char *const proc[] = { "nosuid", "noexec", "nodev", NULL };
	static const char *const dev[] = { "nosuid", "strictatime", "mode=755",
		"size=65536k", NULL };
	static const char *const pts[] = { "nosuid", "noexec", "newinstance",
		"ptmxmode=0666", "mode=0620", "gid=5", NULL };
	const char *cgroup[] = { "nosuid", "noexec", "nodev", "relatime",
		s->privileged ? "rw" : "ro", NULL };

	if (spec_mount_default(s, l, "/proc", "proc", "proc", proc) == -1 ||
	    spec_mount_default(s, l, "/dev", "tmpfs", "tmpfs", dev) == -1 ||
	    spec_mount_default(s, l, "/dev/pts", "devpts", "devpts", pts) ==
		-1 ||
	    spec_mount_sys(s, l) == -1)
		return -1;
	return spec_mount_default(s, l, "/sys/fs/cgroup", "cgroup", "cgroup",
	    cgroup);
}

static int
spec_mount_ipc(struct spec *s, struct spec_mount_list *l)
{
	static const char *const mqueue[] = { "nosuid", "noexec", "nodev",
		NULL };
	static const char *const host[] = { "bind", "rprivate", "nosuid",
		"noexec", "nodev", "rw", NULL };

	/* A new mount shows the queues of the namespace that mounts it. */
	if (spec_mount_default(s, l, "/dev/mqueue", "mqueue", "mqueue",
		mqueue) == -1)
		return -1;
	if (s->in->pod.namespaces & POD_NS_IPC)
		return spec_mount_pod(s, l, "/dev/shm", "shm", false);
	return spec_mount_default(s, l, "/dev/shm", "bind", "/dev/shm", host);
}

static int
spec_mount_files(struct spec *s, struct spec_mount_list *l)
{
	bool ro = s->sc != NULL && s->sc->readonly_rootfs;

	if (spec_mount_pod(s, l, "/etc/resolv.conf", "resolv.conf", ro) == -1 ||
	    spec_mount_pod(s, l, "/etc/hostname", "hostname", ro) == -1)
		return -1;
	if (s->in->pod.namespaces & POD_NS_NET)
		return 0; /* a kubelet mounts its own */
	return spec_mount_pod(s, l, "/etc/hosts", "hosts", ro);
}

/* ---- what the client asks for ---- */

static const char *
spec_mount_propagation(const Runtime__V1__Mount *m)
{
	return m->propagation == SPEC_SHARED  ? "rshared"
	       : m->propagation == SPEC_SLAVE ? "rslave"
					      : "rprivate";
}

/*
 * /proc must stay the kernel's own: runtimes and the checks after a start
 * read it.  Single files that show resources may be replaced.
 */
bool
spec_mount_proc_allowed(const char *to, const char *from)
{
	static const char *const files[] = { "/proc/cpuinfo", "/proc/diskstats",
		"/proc/loadavg", "/proc/meminfo", "/proc/slabinfo",
		"/proc/stat", "/proc/swaps", "/proc/uptime" };

	if (strcmp(to, "/proc") == 0)
		return strcmp(from, "/proc") == 0;
	if (strncmp(to, "/proc/", 6) != 0)
		return true;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (strcmp(to, files[i]) == 0)
			return true;
	}
	return false;
}

/* One that the launcher makes is in the container's own directory. */
static int
spec_mount_source(struct spec *s, const Runtime__V1__Mount *m, size_t number,
    char from[POLICY_PATH_MAX])
{
	if (!policy_mount_made(m, s->in->ruled))
		return policy_clean_path("mounts: host_path", m->host_path,
		    from, s->err);
	(void)snprintf(from, POLICY_PATH_MAX, "%s/%s/m%zu",
	    s->in->boot->rootfs_directory, s->in->id, number);
	return 0;
}

static int
spec_mount_request(struct spec *s, struct spec_mount_list *l,
    const Runtime__V1__Mount *m, size_t number)
{
	const char *options[] = { "rbind", spec_mount_propagation(m),
		m->readonly || policy_mount_image(m) ? "ro" : "rw",
		/* These can be locked, and must then be kept. */
		policy_mount_image(m) ? "nosuid" : NULL, "nodev", "noexec",
		NULL };
	char to[POLICY_PATH_MAX], from[POLICY_PATH_MAX];

	if (policy_clean_path("mounts: container_path", m->container_path, to,
		s->err) == -1 ||
	    spec_mount_source(s, m, number, from) == -1)
		return -1;
	if (!spec_mount_proc_allowed(to, from))
		return cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "mounts: nothing may be mounted at %.128s", to);
	if (m->recursive_read_only && !s->in->runtime_rro)
		return cerr_set(s->err, CERR_FAILED_PRECONDITION,
		    "RROUnsupported: the runtime cannot mount recursively "
		    "read-only");
	return spec_mount_put(s, l, to,
	    spec_mount_json(s, to, "bind", from, options));
}

static bool
spec_mount_beneath(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/*
 * A request at a default's place takes it; the host's /dev and /sys come
 * with what is mounted beneath them.
 */
static bool
spec_mount_hidden(const struct spec_mount_list *l, size_t ndefaults,
    const struct spec_mount *m)
{
	for (size_t i = ndefaults; i < l->n; i++) {
		const char *to = l->items[i]->to;

		if (strcmp(m->to, to) == 0)
			return true;
		if ((strcmp(to, "/dev") == 0 || strcmp(to, "/sys") == 0) &&
		    spec_mount_beneath(m->to, to))
			return true;
	}
	return false;
}

/* Parents first; of two requests for one place the later is on top. */
static int
spec_mount_compare(const void *a, const void *b)
{
	const struct spec_mount *x = *(struct spec_mount *const *)a;
	const struct spec_mount *y = *(struct spec_mount *const *)b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static json_t *
spec_mount_merge(struct spec *s, struct spec_mount_list *l, size_t ndefaults)
{
	json_t *all = spec_array(s);
	size_t keep = 0;
	int ret = all != NULL ? 0 : -1;

	for (size_t i = 0; i < l->n; i++) {
		if (i < ndefaults &&
		    spec_mount_hidden(l, ndefaults, l->items[i])) {
			json_decref(l->items[i]->json);
			free(l->items[i]);
			continue;
		}
		l->items[keep++] = l->items[i];
	}
	l->n = keep;
	qsort(l->items, l->n, sizeof(*l->items), spec_mount_compare);
	for (size_t i = 0; ret == 0 && i < l->n; i++)
		ret = spec_add(s, all, json_incref(l->items[i]->json));
	if (ret == 0)
		return all;
	json_decref(all);
	return NULL;
}

static int
spec_mount_device(struct spec *s, void *arg, const struct devlist_entry *e,
    const char *path)
{
	static const char *const options[] = { "bind", "rprivate", "nosuid",
		"noexec", NULL };

	return spec_mount_default(s, arg, path, "bind", e->path, options);
}

static json_t *
spec_mount_collect(struct spec *s, struct spec_mount_list *l)
{
	const Runtime__V1__ContainerConfig *c = s->in->config;
	size_t ndefaults;

	if (spec_mount_kernel(s, l) == -1 || spec_mount_ipc(s, l) == -1 ||
	    spec_mount_files(s, l) == -1)
		return NULL;
	ndefaults = l->n;
	for (size_t i = 0; i < c->n_mounts; i++) {
		if (spec_mount_request(s, l, c->mounts[i], i) == -1)
			return NULL;
	}
	if ((s->in->pod.namespaces & POD_NS_USER) != 0 &&
	    spec_each_device(s, spec_mount_device, l) == -1)
		return NULL;
	return spec_mount_merge(s, l, ndefaults);
}

json_t *
spec_mounts(struct spec *s)
{
	struct spec_mount_list l = { .max = s->in->config->n_mounts + 16 };
	json_t *all;

	for (size_t i = 0; i < s->in->ndevices; i++)
		l.max += s->in->devices[i].list.n;
	l.items = calloc(l.max, sizeof(*l.items));
	if (l.items == NULL) {
		(void)cerr_errno(s->err, "mounts");
		return NULL;
	}
	all = spec_mount_collect(s, &l);
	for (size_t i = 0; i < l.n; i++) {
		json_decref(l.items[i]->json);
		free(l.items[i]);
	}
	free(l.items);
	return all;
}

/* Mounts reach a container, or leave it, only if its root lets them. */
const char *
spec_propagation(const struct spec *s)
{
	const Runtime__V1__ContainerConfig *c = s->in->config;
	const char *most = "";

	for (size_t i = 0; i < c->n_mounts; i++) {
		if (c->mounts[i]->propagation == SPEC_SHARED)
			return "rshared";
		if (c->mounts[i]->propagation == SPEC_SLAVE)
			most = "rslave";
	}
	return most;
}
