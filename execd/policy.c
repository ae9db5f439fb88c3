#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "execd/pod_ns.h"
#include "execd/policy.h"

/* Characters that no path, name or value may hold. */
static bool
policy_has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	}
	return false;
}

static int
policy_check_text(const char *field, const char *s, size_t max,
    struct cerr *err)
{
	if (strlen(s) >= max)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "%s: too long",
		    field);
	if (policy_has_control(s))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: control character", field);
	return 0;
}

int
policy_clean_path(const char *field, const char *path,
    char out[POLICY_PATH_MAX], struct cerr *err)
{
	size_t len = 0, n;

	if (policy_check_text(field, path, POLICY_PATH_MAX, err) == -1)
		return -1;
	if (path[0] != '/')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: \"%.128s\" is not an absolute path", field, path);
	for (const char *p = path; *p != '\0'; p += n) {
		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.'))
			continue;
		if (n == 2 && memcmp(p, "..", 2) == 0) {
			while (len > 0 && out[--len] != '/')
				;
			continue;
		}
		out[len++] = '/';
		memcpy(out + len, p, n);
		len += n;
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	return 0;
}

int
policy_check_path(const char *field, const char *path, struct cerr *err)
{
	char clean[POLICY_PATH_MAX];
	size_t len;

	if (policy_clean_path(field, path, clean, err) == -1)
		return -1;
	len = strlen(clean);
	/* Slashes at the end say nothing. */
	if (strncmp(clean, path, len) != 0 ||
	    strspn(path + len, "/") != strlen(path + len))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: \"%.128s\" has empty, \".\" or \"..\" components",
		    field, path);
	return 0;
}

bool
policy_hostname_valid(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len >= POLICY_HOSTNAME || s[0] == '-' || s[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' &&
		    s[i] != '.' && s[i] != '_')
			return false;
	}
	return true;
}

/* ---- sysctls ---- */

static const struct {
	const char *path;
	bool prefix;
	unsigned int namespace;
} policy_sysctls[] = {
	{ "kernel/shm_rmid_forced", false, POD_NS_IPC },
	{ "kernel/shmall", false, POD_NS_IPC },
	{ "kernel/shmmax", false, POD_NS_IPC },
	{ "kernel/shmmni", false, POD_NS_IPC },
	{ "kernel/shm_next_id", false, POD_NS_IPC },
	{ "kernel/msgmax", false, POD_NS_IPC },
	{ "kernel/msgmnb", false, POD_NS_IPC },
	{ "kernel/msgmni", false, POD_NS_IPC },
	{ "kernel/msg_next_id", false, POD_NS_IPC },
	{ "kernel/sem", false, POD_NS_IPC },
	{ "kernel/sem_next_id", false, POD_NS_IPC },
	{ "fs/mqueue/", true, POD_NS_IPC },
	{ "net/", true, POD_NS_NET },
};

/*
 * As sysctl(8) reads names: whichever of '.' and '/' comes first separates,
 * the other stands for itself ("net.ipv4.conf.eth0/100.rp_filter").
 */
static int
policy_sysctl_path(const char *name, char path[POLICY_SYSCTL])
{
	size_t len = strlen(name);
	bool dots = name[strcspn(name, "./")] == '.';

	if (len == 0 || len >= POLICY_SYSCTL)
		return -1;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!isalnum((unsigned char)c) && strchr("_-./:@", c) == NULL)
			return -1;
		if (dots && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		path[i] = c;
	}
	path[len] = '\0';
	if (path[0] == '/' || path[len - 1] == '/' ||
	    strstr(path, "//") != NULL || strstr(path, "..") != NULL ||
	    strstr(path, "/.") != NULL)
		return -1;
	return 0;
}

static unsigned int
policy_sysctl_namespace(const char *path)
{
	for (size_t i = 0;
	     i < sizeof(policy_sysctls) / sizeof(policy_sysctls[0]); i++) {
		const char *p = policy_sysctls[i].path;

		if (policy_sysctls[i].prefix ? strncmp(p, path, strlen(p)) == 0
					     : strcmp(p, path) == 0)
			return policy_sysctls[i].namespace;
	}
	return 0;
}

static bool
policy_sysctl_value(const char *v)
{
	size_t len = strlen(v);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)v[i]) &&
		    strchr(" \t_-.,:/", v[i]) == NULL)
			return false;
	}
	return len < 1024;
}

int
policy_check_sysctl(const char *name, const char *value,
    unsigned int namespaces, char path[POLICY_SYSCTL], struct cerr *err)
{
	unsigned int ns;

	if (policy_sysctl_path(name, path) == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "sysctls: \"%.128s\" is not a name", name);
	ns = policy_sysctl_namespace(path);
	if (ns == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "sysctls: %s belongs to the whole host", name);
	if ((namespaces & ns) == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "sysctls: %s would be the host's: the pod uses the host's "
		    "%s namespace",
		    name, ns == POD_NS_NET ? "network" : "IPC");
	if (!policy_sysctl_value(value))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "sysctls: %s: not a value", name);
	return 0;
}

/* ---- pods ---- */

static int
policy_pod_namespaces(const Runtime__V1__NamespaceOption *o,
    struct policy_pod *out, struct cerr *err)
{
	Runtime__V1__NamespaceMode net = o != NULL ? o->network : 0;
	Runtime__V1__NamespaceMode pid = o != NULL ? o->pid : 0;
	Runtime__V1__NamespaceMode ipc = o != NULL ? o->ipc : 0;

	if ((net != RUNTIME__V1__NAMESPACE_MODE__POD &&
		net != RUNTIME__V1__NAMESPACE_MODE__NODE) ||
	    (ipc != RUNTIME__V1__NAMESPACE_MODE__POD &&
		ipc != RUNTIME__V1__NAMESPACE_MODE__NODE))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options: network and ipc are POD or NODE");
	if (pid != RUNTIME__V1__NAMESPACE_MODE__POD &&
	    pid != RUNTIME__V1__NAMESPACE_MODE__CONTAINER &&
	    pid != RUNTIME__V1__NAMESPACE_MODE__NODE)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options: a pod's pid is POD, CONTAINER or "
		    "NODE");
	out->namespaces = POD_NS_UTS;
	if (net == RUNTIME__V1__NAMESPACE_MODE__POD)
		out->namespaces |= POD_NS_NET;
	if (ipc == RUNTIME__V1__NAMESPACE_MODE__POD)
		out->namespaces |= POD_NS_IPC;
	if (pid == RUNTIME__V1__NAMESPACE_MODE__POD)
		out->namespaces |= POD_NS_PID;
	out->host_pid = pid == RUNTIME__V1__NAMESPACE_MODE__NODE;
	return 0;
}

static int
policy_check_dns(const Runtime__V1__DNSConfig *d, struct cerr *err)
{
	const struct {
		char *const *items;
		size_t n;
		const char *field;
		const char *also; /* allowed beside letters and digits */
	} lists[] = {
		{ d->servers, d->n_servers, "dns_config.servers", ".:%-_" },
		{ d->searches, d->n_searches, "dns_config.searches", ".-_" },
		{ d->options, d->n_options, "dns_config.options", ".:-_" },
	};

	for (size_t l = 0; l < 3; l++) {
		if (lists[l].n > 64)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "%s: too many", lists[l].field);
		for (size_t i = 0; i < lists[l].n; i++) {
			const char *s = lists[l].items[i];
			size_t len = strlen(s), k = 0;

			while (
			    k < len && (isalnum((unsigned char)s[k]) ||
					   strchr(lists[l].also, s[k]) != NULL))
				k++;
			if (len == 0 || len > 255 || k < len)
				return cerr_set(err, CERR_INVALID_ARGUMENT,
				    "%s: \"%.64s\"", lists[l].field, s);
		}
	}
	return 0;
}

int
policy_check_pod(const Runtime__V1__PodSandboxConfig *c, struct policy_pod *out,
    struct cerr *err)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = c->linux;
	const Runtime__V1__LinuxSandboxSecurityContext *sc =
	    l != NULL ? l->security_context : NULL;
	char path[POLICY_SYSCTL];

	*out = (struct policy_pod){ 0 };
	if (policy_pod_namespaces(sc != NULL ? sc->namespace_options : NULL,
		out, err) == -1)
		return -1;
	out->privileged = sc != NULL && sc->privileged;
	if (policy_pod_userns(c, out, err) == -1)
		return -1;
	if (c->hostname[0] != '\0' && !policy_hostname_valid(c->hostname))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "hostname: \"%.64s\" is not a host name", c->hostname);
	if (c->dns_config != NULL && policy_check_dns(c->dns_config, err) == -1)
		return -1;
	for (size_t i = 0; l != NULL && i < l->n_sysctls; i++) {
		if (policy_check_sysctl(l->sysctls[i]->key,
			l->sysctls[i]->value, out->namespaces, path, err) == -1)
			return -1;
	}
	return 0;
}

int
policy_cgroup_parent(const char *parent, const char *def, bool systemd,
    char out[POLICY_CGROUP], struct cerr *err)
{
	char clean[POLICY_PATH_MAX];
	const char *base;
	size_t len;

	if (parent[0] == '\0')
		parent = def;
	if (!systemd) {
		if (policy_check_path("cgroup_parent", parent, err) == -1 ||
		    policy_clean_path("cgroup_parent", parent, clean, err) ==
			-1)
			return -1;
		if (strlen(clean) >= POLICY_CGROUP - 128)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "cgroup_parent: too long");
		memcpy(out, clean[1] == '\0' ? "" : clean,
		    strlen(clean[1] == '\0' ? "" : clean) + 1);
		return 0;
	}
	base = strrchr(parent, '/') != NULL ? strrchr(parent, '/') + 1 : parent;
	len = strlen(base);
	if (len < 7 || len > 240 || strcmp(base + len - 6, ".slice") != 0 ||
	    base[0] == '-' || strstr(base, "--") != NULL || base[0] == '.' ||
	    base[len - 7] == '-' || strpbrk(base, ": ") != NULL ||
	    policy_has_control(base))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cgroup_parent: \"%.128s\" is not a slice", parent);
	memcpy(out, base, len + 1);
	return 0;
}

/* ---- containers ---- */

static int
policy_ctr_namespaces(const struct policy_pod *pod,
    const Runtime__V1__NamespaceOption *o, struct cerr *err)
{
	if (policy_ctr_userns(pod, o->userns_options, err) == -1)
		return -1;
	if (o->network == RUNTIME__V1__NAMESPACE_MODE__NODE &&
	    (pod->namespaces & POD_NS_NET))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options.network: the pod does not use the "
		    "host's");
	if (o->ipc == RUNTIME__V1__NAMESPACE_MODE__NODE &&
	    (pod->namespaces & POD_NS_IPC))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options.ipc: the pod does not use the host's");
	if (o->pid == RUNTIME__V1__NAMESPACE_MODE__NODE && !pod->host_pid)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options.pid: the pod does not use the host's");
	return 0;
}

bool
policy_mount_image(const Runtime__V1__Mount *m)
{
	return m->image != NULL && m->image->image[0] != '\0';
}

bool
policy_mount_made(const Runtime__V1__Mount *m, bool ruled)
{
	bool shared = m->propagation ==
		      RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL;

	return policy_mount_image(m) || m->recursive_read_only ||
	       m->n_uidmappings > 0 || (ruled && !shared);
}

/* A path of the host, or an image and a path in it. */
static int
policy_check_mount_source(const Runtime__V1__Mount *m, struct cerr *err)
{
	char rooted[POLICY_PATH_MAX + 1];

	if (!policy_mount_image(m)) {
		if (m->image_sub_path[0] != '\0')
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "mounts: image_sub_path without image");
		return policy_check_path("mounts: host_path", m->host_path,
		    err);
	}
	if (m->host_path[0] != '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: both host_path and image");
	if (m->propagation !=
	    RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: an image's propagation is private");
	if (strlen(m->image->image) > POLICY_PATH_MAX ||
	    m->image_sub_path[0] == '/' ||
	    snprintf(rooted, sizeof(rooted), "/%s", m->image_sub_path) >=
		POLICY_PATH_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: image or image_sub_path");
	return policy_check_path("mounts: image_sub_path", rooted, err);
}

static int
policy_check_mount(const struct policy_pod *pod, const Runtime__V1__Mount *m,
    struct cerr *err)
{
	char to[POLICY_PATH_MAX];

	if (policy_mount_userns(pod, m, err) == -1)
		return -1;
	if (m->n_mount_options > 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: mount_options are not supported");
	if (policy_clean_path("mounts: container_path", m->container_path, to,
		err) == -1 ||
	    policy_check_mount_source(m, err) == -1)
		return -1;
	if (to[1] == '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: container_path is the root");
	if (m->recursive_read_only &&
	    (!m->readonly ||
		m->propagation !=
		    RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: recursive_read_only needs readonly and private "
		    "propagation");
	return 0;
}

static int
policy_check_device(const Runtime__V1__Device *d, struct cerr *err)
{
	if (policy_check_path("devices: container_path", d->container_path,
		err) == -1 ||
	    policy_check_path("devices: host_path", d->host_path, err) == -1)
		return -1;
	if (strlen(d->permissions) > 3 ||
	    strspn(d->permissions, "rwm") != strlen(d->permissions))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "devices: permissions \"%.16s\"", d->permissions);
	return 0;
}

static int
policy_check_lists(const struct policy_pod *pod,
    const Runtime__V1__ContainerConfig *c, struct cerr *err)
{
	if (c->n_mounts > 1024 || c->n_devices > 256 || c->n_envs > 65536)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "too many mounts, devices or envs");
	if (c->n_command + c->n_args > 4096)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "too many words in command and args");
	for (size_t i = 0; i < c->n_mounts; i++) {
		if (policy_check_mount(pod, c->mounts[i], err) == -1)
			return -1;
	}
	for (size_t i = 0; i < c->n_devices; i++) {
		if (policy_check_device(c->devices[i], err) == -1)
			return -1;
	}
	return 0;
}

static int
policy_check_proc_paths(char *const *paths, size_t n, const char *field,
    struct cerr *err)
{
	if (n > 1024)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "%s: too many",
		    field);
	for (size_t i = 0; i < n; i++) {
		if (policy_check_path(field, paths[i], err) == -1)
			return -1;
	}
	return 0;
}

int
policy_check_ctr(const struct policy_pod *pod,
    const Runtime__V1__ContainerConfig *c, struct cerr *err)
{
	const Runtime__V1__LinuxContainerSecurityContext *sc =
	    c->linux != NULL ? c->linux->security_context : NULL;

	if (policy_check_lists(pod, c, err) == -1)
		return -1;
	if (sc == NULL)
		return 0;
	if (sc->privileged && !pod->privileged)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "privileged: the pod is not");
	if (sc->namespace_options != NULL &&
	    policy_ctr_namespaces(pod, sc->namespace_options, err) == -1)
		return -1;
	if (policy_check_proc_paths(sc->masked_paths, sc->n_masked_paths,
		"masked_paths", err) == -1)
		return -1;
	return policy_check_proc_paths(sc->readonly_paths, sc->n_readonly_paths,
	    "readonly_paths", err);
}

int
policy_log_path(const Runtime__V1__PodSandboxConfig *pod,
    const Runtime__V1__ContainerConfig *c, char dir[POLICY_PATH_MAX],
    char name[POLICY_NAME_MAX], struct cerr *err)
{
	char path[2 * POLICY_PATH_MAX];
	char *slash;

	dir[0] = name[0] = '\0';
	if (pod->log_directory[0] == '\0' || c->log_path[0] == '\0')
		return 0;
	if (policy_check_path("log_directory", pod->log_directory, err) == -1 ||
	    policy_check_text("log_path", c->log_path, POLICY_PATH_MAX, err) ==
		-1)
		return -1;
	(void)snprintf(path, sizeof(path), "/%s", c->log_path);
	if (c->log_path[0] == '/' ||
	    policy_check_path("log_path", path, err) == -1 ||
	    path[strlen(path) - 1] == '/')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "log_path: \"%.128s\" is not a file below log_directory",
		    c->log_path);
	(void)snprintf(path, sizeof(path), "%s/%s", pod->log_directory,
	    c->log_path);
	slash = strrchr(path, '/');
	if (strlen(slash + 1) >= POLICY_NAME_MAX || slash == path ||
	    (size_t)(slash - path) >= POLICY_PATH_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "log_path: too long");
	memcpy(name, slash + 1, strlen(slash + 1) + 1);
	*slash = '\0';
	return policy_clean_path("log_path", path, dir, err);
}
