#include <stdio.h>
#include <string.h>

#include "lib/layerid.h"
#include "parent/conf.h"

#ifndef CRIOD_PREFIX
#define CRIOD_PREFIX "/usr"
#endif

/* Where kubelets look for seccomp profiles. */
#define CONF_PROFILES "/var/lib/kubelet/seccomp"
/* The Container Device Interface's own: fixed and changing devices. */
#define CONF_CDI_ETC "/etc/cdi"
#define CONF_CDI_RUN "/var/run/cdi"

/* prefixed is used below criod -r's directory, usual without it. */
static const struct {
	enum conf_text which;
	const char *usual, *prefixed;
} conf_defaults[] = {
	{ CONF_STATE, "/run/criod", "/run" },
	{ CONF_IMAGE, "/var/lib/criod/image", "/lib/image" },
	{ CONF_CONTAINER, "/var/lib/criod/container", "/lib/container" },
	{ CONF_NETWORK, "/var/lib/criod/network", "/lib/network" },
	{ CONF_RECORD, "/var/lib/criod/record", "/lib/record" },
	{ CONF_PROGRAM, CRIOD_PREFIX "/libexec/criod", NULL },
	{ CONF_CNI_CONF, "/etc/cni/net.d", NULL },
	{ CONF_CNI_SUBNET, "10.88.0.0/16", NULL },
	{ CONF_SECCOMP, "unconfined", NULL },
	{ CONF_APPARMOR, CONF_APPARMOR_OWN, NULL },
	{ CONF_SELINUX, "yes", NULL },
	{ CONF_NRI_SOCKET, "/run/nri/nri.sock", "/nri.sock" },
	{ CONF_NRI_PLUGINS, "/opt/nri/plugins", NULL },
	{ CONF_NRI_CONF, "/etc/nri/conf.d", NULL },
	{ CONF_CDI_HOOKS, "no", NULL },
	{ CONF_REGISTRY_FILE, "/etc/containers/registries.conf",
	    "/etc/containers/registries.conf" },
	{ CONF_AUTH_FILE, "none", NULL },
	{ CONF_AUTH_DIR, "/etc/crio/auth", "/etc/crio/auth" },
	{ CONF_SHORT_MODE, "files", NULL },
	{ CONF_SIG_POLICY, CONF_SIG_POLICY_USUAL, NULL },
	{ CONF_SIG_POLICIES, CONF_SIG_POLICIES_USUAL, NULL },
	{ CONF_SIG_SOURCES, CONF_SIG_SOURCES_USUAL, NULL },
	{ CONF_SIG_NAMELESS, "no", NULL },
	{ CONF_CHECKPOINT, "no", NULL },
};

#define CONF_NDEFAULTS (sizeof(conf_defaults) / sizeof(conf_defaults[0]))

static int
conf_fill_texts(struct conf *c, const char *prefix, struct cerr *err)
{
	char path[4096];

	for (size_t i = 0; i < CONF_NDEFAULTS; i++) {
		enum conf_text which = conf_defaults[i].which;
		const char *below = conf_defaults[i].prefixed;
		bool under = prefix != NULL && below != NULL;

		if (c->text[which] != NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", under ? prefix : "",
		    under ? below : conf_defaults[i].usual);
		if (conf_set_text(c, which, path, err) == -1)
			return -1;
	}
	return 0;
}

/* Sockets lie in DIR with criod -r DIR, else in the state directory. */
static int
conf_fill_sockets(struct conf *c, const char *prefix, struct cerr *err)
{
	const char *dir = prefix != NULL ? prefix : c->text[CONF_STATE];
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/criod.sock", dir);
	if (TAILQ_EMPTY(&c->listens) &&
	    conf_add_listen(c, path, NULL, NULL, NULL, err) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/control.sock", dir);
	if (c->text[CONF_CONTROL] == NULL &&
	    conf_set_text(c, CONF_CONTROL, path, err) == -1)
		return -1;
	return 0;
}

static int
conf_fill_runtimes(struct conf *c, const struct conf_host *host,
    struct cerr *err)
{
	const struct conf_runtime *r;

	if (TAILQ_EMPTY(&c->runtimes)) {
		TAILQ_FOREACH(r, &host->runtimes, entry) {
			if (conf_add_runtime(c, r->name, r->path, false, err) ==
			    NULL)
				return -1;
		}
	}
	if (TAILQ_EMPTY(&c->runtimes))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "no OCI runtime: install crun or runc, or name one "
		    "with \"runtime\"");
	if (conf_default_runtime(c) == NULL)
		TAILQ_FIRST(&c->runtimes)->is_default = true;
	return 0;
}

/* True if one is the other or lies below it. */
static bool
conf_nested(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t min = la < lb ? la : lb;

	return strncmp(a, b, min) == 0 &&
	       (la == lb || (la < lb ? b : a)[min] == '/');
}

static int
conf_check_dirs(const struct conf *c, struct cerr *err)
{
	static const enum conf_text dirs[] = { CONF_STATE, CONF_IMAGE,
		CONF_CONTAINER, CONF_NETWORK, CONF_RECORD };
	size_t n = sizeof(dirs) / sizeof(dirs[0]);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			if (conf_nested(c->text[dirs[i]], c->text[dirs[j]]))
				return cerr_set(err, CERR_INVALID_ARGUMENT,
				    "%s and %s must not be one inside the "
				    "other",
				    conf_text_name(dirs[i]),
				    conf_text_name(dirs[j]));
		}
	}
	return 0;
}

static int
conf_check_sockets(const struct conf *c, struct cerr *err)
{
	const struct conf_listen *l;

	TAILQ_FOREACH(l, &c->listens, entry) {
		if (strcmp(l->path, c->text[CONF_CONTROL]) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "listen on and control socket are both \"%s\"",
			    l->path);
		if (strcmp(l->path, c->text[CONF_NRI_SOCKET]) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "listen on and the socket of nri are both \"%s\"",
			    l->path);
	}
	if (strcmp(c->text[CONF_NRI_SOCKET], c->text[CONF_CONTROL]) == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "control socket and the socket of nri are both \"%s\"",
		    c->text[CONF_CONTROL]);
	return 0;
}

/* Each is known by a number that its path is made into. */
static int
conf_check_stores(const struct conf *c, struct cerr *err)
{
	const struct conf_word *a, *b;

	TAILQ_FOREACH(a, &c->words[CONF_STORE], entry) {
		for (b = TAILQ_NEXT(a, entry); b != NULL;
		     b = TAILQ_NEXT(b, entry)) {
			if (layerid_of_path(a->text) ==
			    layerid_of_path(b->text))
				return cerr_set(err, CERR_INVALID_ARGUMENT,
				    "additional store \"%s\" is named twice, "
				    "or like \"%s\": use another path",
				    b->text, a->text);
		}
		if (strcmp(a->text, c->text[CONF_IMAGE]) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "additional store \"%s\" is the image directory",
			    a->text);
	}
	return 0;
}

/* Where other tools have them. */
static int
conf_fill_registries(struct conf *c, const char *prefix, struct cerr *err)
{
	static const struct {
		enum conf_list list;
		const char *path;
	} dirs[] = {
		{ CONF_CERT_DIR, "/etc/containers/certs.d" },
		{ CONF_CERT_DIR, "/etc/docker/certs.d" },
		{ CONF_HOSTS_DIR, "/etc/containerd/certs.d" },
	};
	bool empty[CONF_NLISTS];
	char path[4096];

	for (size_t i = 0; i < CONF_NLISTS; i++)
		empty[i] = c->nwords[i] == 0;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s",
		    prefix == NULL ? "" : prefix, dirs[i].path);
		if (empty[dirs[i].list] &&
		    conf_add_word(c, dirs[i].list, path, err) == -1)
			return -1;
	}
	return 0;
}

int
conf_fill(struct conf *c, const struct conf_host *host, struct cerr *err)
{
	if (conf_fill_texts(c, host->prefix, err) == -1 ||
	    conf_fill_sockets(c, host->prefix, err) == -1 ||
	    conf_fill_runtimes(c, host, err) == -1)
		return -1;
	if (c->text[CONF_CNI_PLUGINS] == NULL &&
	    conf_set_text(c, CONF_CNI_PLUGINS, host->cni_plugins, err) == -1)
		return -1;
	if (c->nwords[CONF_SECCOMP_DIR] == 0 &&
	    conf_add_word(c, CONF_SECCOMP_DIR, CONF_PROFILES, err) == -1)
		return -1;
	if (c->nwords[CONF_CDI_DIR] == 0 &&
	    (conf_add_word(c, CONF_CDI_DIR, CONF_CDI_ETC, err) == -1 ||
		conf_add_word(c, CONF_CDI_DIR, CONF_CDI_RUN, err) == -1))
		return -1;
	if (conf_fill_registries(c, host->prefix, err) == -1)
		return -1;
	if (c->cgroup == CONF_CGROUP_UNSET)
		c->cgroup = host->cgroup;
	if (conf_check_dirs(c, err) == -1 || conf_check_stores(c, err) == -1)
		return -1;
	return conf_check_sockets(c, err);
}
