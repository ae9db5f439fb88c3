#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/layerid.h"
#include "lib/log.h"
#include "lib/metric.h"
#include "parent/conf.h"
#include "parent/conf_valid.h"

#define CONF_MODE_DEFAULT	 0600
#define CONF_STATS_AGE		 1 /* seconds */
#define CONF_DOWNLOADS		 6
#define CONF_ADDRESS		 "127.0.0.1"
#define CONF_STREAM_IDLE	 (4 * 60 * 60)
#define CONF_PORT_MIN		 1024 /* the parent may not bind below */
#define CONF_NRI_REGISTRATION_MS 5000
#define CONF_NRI_REQUEST_MS	 2000
#define CONF_NRI_MS_MAX		 60000

static const struct {
	const char *name;
	const char *(*valid)(const char *s);
} conf_texts[] = {
	[CONF_CONTROL] = { "control socket", conf_valid_sockpath },
	[CONF_STATE] = { "state directory", conf_valid_dir },
	[CONF_IMAGE] = { "image directory", conf_valid_dir },
	[CONF_CONTAINER] = { "container directory", conf_valid_dir },
	[CONF_NETWORK] = { "network directory", conf_valid_dir },
	[CONF_RECORD] = { "record directory", conf_valid_dir },
	[CONF_PROGRAM] = { "program directory", conf_valid_dir },
	[CONF_CNI_CONF] = { "cni configuration", conf_valid_dir },
	[CONF_CNI_PLUGINS] = { "cni plugins", conf_valid_dir },
	[CONF_CNI_NETWORK] = { "cni network", conf_valid_name },
	[CONF_CNI_SUBNET] = { "cni bridge subnet", conf_valid_subnet },
	[CONF_SECCOMP] = { "seccomp default", conf_valid_seccomp },
	[CONF_CDI_HOOKS] = { "cdi hooks", conf_valid_yes },
	[CONF_SIG_POLICY] = { "signature policy", conf_valid_dir },
	[CONF_SIG_POLICIES] = { "signature policy directory", conf_valid_dir },
	[CONF_SIG_SOURCES] = { "signature source directory", conf_valid_dir },
	[CONF_SIG_NAMELESS] = { "signature nameless", conf_valid_yes },
	[CONF_CHECKPOINT] = { "checkpoint", conf_valid_checkpoint },
	[CONF_APPARMOR] = { "apparmor default", conf_valid_profile },
	[CONF_SELINUX] = { "selinux", conf_valid_yes },
	[CONF_NRI_SOCKET] = { "socket", conf_valid_sockpath },
	[CONF_NRI_PLUGINS] = { "plugins", conf_valid_dir },
	[CONF_NRI_CONF] = { "configuration", conf_valid_dir },
	[CONF_REGISTRY_FILE] = { "registry file", conf_valid_path_or_none },
	[CONF_AUTH_FILE] = { "auth file", conf_valid_path_or_none },
	[CONF_AUTH_DIR] = { "auth directory", conf_valid_path_or_none },
	[CONF_SHORT_MODE] = { "short name mode", conf_valid_short_mode },
};

static const struct {
	const char *name;
	const char *(*valid)(const char *s);
	size_t max;
} conf_lists[] = {
	[CONF_CDI_DIR] = { "cdi directory", conf_valid_dir, CONF_CDI_MAX },
	[CONF_CNI_PATH] = { "cni path", conf_valid_dir, CONF_WORDS_MAX },
	[CONF_HOOKS] = { "hooks directory", conf_valid_dir, CONF_WORDS_MAX },
	[CONF_PINNED] = { "pinned image", conf_valid_pattern, CONF_WORDS_MAX },
	[CONF_ULIMIT] = { "ulimit", conf_valid_ulimit, 16 },
	[CONF_SECCOMP_DIR] = { "seccomp directory", conf_valid_dir,
	    CONF_PROFILES_MAX },
	[CONF_NRI_REQUIRED] = { "require", conf_valid_name, CONF_WORDS_MAX },
	[CONF_CERT_DIR] = { "certificate directory", conf_valid_path_or_none,
	    CONF_CERTS_MAX },
	[CONF_HOSTS_DIR] = { "hosts directory", conf_valid_path_or_none,
	    CONF_CERTS_MAX },
	[CONF_CERT_FILE] = { "certificate file", conf_valid_path,
	    CONF_WORDS_MAX },
	[CONF_SEARCH] = { "registry search", conf_valid_host_port,
	    CONF_SEARCH_MAX },
	[CONF_SHORT_NAME] = { "short name", conf_valid_short_name,
	    CONF_WORDS_MAX },
	[CONF_STORE] = { "additional store", conf_valid_dir, SHELVES_MAX },
	[CONF_FOREIGN] = { "foreign layers", conf_valid_foreign,
	    CONF_WORDS_MAX },
};

static void *
conf_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static char *
conf_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("strdup");
	return p;
}

static int
conf_invalid(struct cerr *err, const char *what, const char *wrong,
    const char *word)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s %s near \"%s\"", what,
	    wrong, word);
}

struct conf *
conf_new(void)
{
	struct conf *c = conf_alloc(sizeof(*c));

	for (size_t i = 0; i < CONF_NLISTS; i++)
		TAILQ_INIT(&c->words[i]);
	TAILQ_INIT(&c->listens);
	TAILQ_INIT(&c->runtimes);
	TAILQ_INIT(&c->registries);
	TAILQ_INIT(&c->rules);
	c->log_level = LOG_LVL_INFO;
	c->downloads = CONF_DOWNLOADS;
	conf_init_pull(c);
	c->stats_age = CONF_STATS_AGE;
	c->pod_metrics = METRIC_IN_ALL;
	c->nri_registration_ms = CONF_NRI_REGISTRATION_MS;
	c->nri_request_ms = CONF_NRI_REQUEST_MS;
	c->stream_address = conf_strdup(CONF_ADDRESS);
	c->stream_idle = CONF_STREAM_IDLE;
	return c;
}

static void
conf_registry_free(struct conf_registry *r)
{
	struct conf_mirror *m;

	while ((m = TAILQ_FIRST(&r->mirrors)) != NULL) {
		TAILQ_REMOVE(&r->mirrors, m, entry);
		free(m->location);
		free(m);
	}
	free(r->prefix);
	free(r->ca);
	free(r->location);
	free(r->client_cert);
	free(r->key);
	free(r->headers);
	free(r->token_server);
	free(r);
}

static void
conf_words_free(struct conf_words *words)
{
	struct conf_word *w;

	while ((w = TAILQ_FIRST(words)) != NULL) {
		TAILQ_REMOVE(words, w, entry);
		free(w->text);
		free(w);
	}
}

static void
conf_listens_free(struct conf *c)
{
	struct conf_listen *l;

	while ((l = TAILQ_FIRST(&c->listens)) != NULL) {
		TAILQ_REMOVE(&c->listens, l, entry);
		free(l->path);
		free(l->owner);
		free(l->group);
		free(l);
	}
}

static void
conf_runtimes_free(struct conf *c)
{
	struct conf_runtime *r;

	while ((r = TAILQ_FIRST(&c->runtimes)) != NULL) {
		TAILQ_REMOVE(&c->runtimes, r, entry);
		conf_words_free(&r->arguments);
		free(r->name);
		free(r->path);
		free(r);
	}
}

void
conf_free(struct conf *c)
{
	struct conf_registry *r;

	if (c == NULL)
		return;
	conf_listens_free(c);
	conf_runtimes_free(c);
	conf_rules_free(c);
	while ((r = TAILQ_FIRST(&c->registries)) != NULL) {
		TAILQ_REMOVE(&c->registries, r, entry);
		conf_registry_free(r);
	}
	for (size_t i = 0; i < CONF_NLISTS; i++)
		conf_words_free(&c->words[i]);
	for (size_t i = 0; i < CONF_NTEXTS; i++)
		free(c->text[i]);
	for (size_t i = 0; i < CONF_NPROXIES; i++)
		free(c->proxy[i]);
	free(c->log_file);
	free(c->audit_file);
	free(c->stream_address);
	free(c->metrics_address);
	for (size_t i = 0; i < CONF_NTLS; i++)
		free(c->stream_tls[i]);
	free(c);
}

const char *
conf_text_name(enum conf_text which)
{
	return conf_texts[which].name;
}

static void
conf_replace(char **p, const char *value)
{
	free(*p);
	*p = conf_strdup(value);
}

int
conf_set_text(struct conf *c, enum conf_text which, const char *value,
    struct cerr *err)
{
	const char *wrong = conf_texts[which].valid(value);

	if (wrong != NULL)
		return conf_invalid(err, conf_texts[which].name, wrong, value);
	conf_replace(&c->text[which], value);
	return 0;
}

int
conf_add_word(struct conf *c, enum conf_list list, const char *value,
    struct cerr *err)
{
	const char *wrong = conf_lists[list].valid(value);
	struct conf_word *w;

	TAILQ_FOREACH(w, &c->words[list], entry) {
		if (strcmp(w->text, value) == 0)
			wrong = "is given twice";
	}
	if (c->nwords[list] == conf_lists[list].max)
		wrong = "is given too often";
	if (wrong != NULL)
		return conf_invalid(err, conf_lists[list].name, wrong, value);
	w = conf_alloc(sizeof(*w));
	w->text = conf_strdup(value);
	TAILQ_INSERT_TAIL(&c->words[list], w, entry);
	c->nwords[list]++;
	return 0;
}

static const char *
conf_listen_wrong(const struct conf *c, const char *path)
{
	const struct conf_listen *l;

	TAILQ_FOREACH(l, &c->listens, entry) {
		if (strcmp(l->path, path) == 0)
			return "is given twice";
	}
	return c->nlistens == CONF_LISTENS_MAX ? "is given too often"
					       : conf_valid_sockpath(path);
}

static int
conf_listen_check(const struct conf *c, const char *path, const char *owner,
    const char *group, const char *mode, unsigned int *bits, struct cerr *err)
{
	const char *wrong = conf_listen_wrong(c, path);

	if (wrong != NULL)
		return conf_invalid(err, "listen on", wrong, path);
	wrong = conf_valid_account(owner);
	if (wrong != NULL)
		return conf_invalid(err, "owner", wrong, owner);
	wrong = conf_valid_account(group);
	if (wrong != NULL)
		return conf_invalid(err, "group", wrong, group);
	if (mode != NULL && conf_valid_number(mode, 8, 0, 0777, bits) == -1)
		return conf_invalid(err, "mode", "is not octal, 0 to 0777",
		    mode);
	return 0;
}

int
conf_add_listen(struct conf *c, const char *path, const char *owner,
    const char *group, const char *mode, struct cerr *err)
{
	unsigned int bits = CONF_MODE_DEFAULT;
	struct conf_listen *l;

	owner = owner == NULL ? "root" : owner;
	group = group == NULL ? "root" : group;
	if (conf_listen_check(c, path, owner, group, mode, &bits, err) == -1)
		return -1;
	l = conf_alloc(sizeof(*l));
	l->path = conf_strdup(path);
	l->owner = conf_strdup(owner);
	l->group = conf_strdup(group);
	l->mode = bits;
	TAILQ_INSERT_TAIL(&c->listens, l, entry);
	c->nlistens++;
	return 0;
}

static int
conf_runtime_check(const struct conf *c, const char *name, const char *path,
    bool is_default, struct cerr *err)
{
	const struct conf_runtime *r;
	const char *wrong = conf_valid_name(name);

	if (c->nruntimes == CONF_RUNTIMES_MAX)
		wrong = "is given too often";
	TAILQ_FOREACH(r, &c->runtimes, entry) {
		if (strcmp(r->name, name) == 0)
			wrong = "is given twice";
		if (r->is_default && is_default)
			wrong = "is the second default";
	}
	if (wrong != NULL)
		return conf_invalid(err, "runtime", wrong, name);
	wrong = conf_valid_dir(path);
	return wrong == NULL ? 0 : conf_invalid(err, "path", wrong, path);
}

struct conf_runtime *
conf_add_runtime(struct conf *c, const char *name, const char *path,
    bool is_default, struct cerr *err)
{
	struct conf_runtime *r;

	if (conf_runtime_check(c, name, path, is_default, err) == -1)
		return NULL;
	r = conf_alloc(sizeof(*r));
	TAILQ_INIT(&r->arguments);
	r->name = conf_strdup(name);
	r->path = conf_strdup(path);
	r->is_default = is_default;
	TAILQ_INSERT_TAIL(&c->runtimes, r, entry);
	c->nruntimes++;
	return r;
}

/* The same one may be given twice: what it means is the runtime's business. */
int
conf_runtime_argument(struct conf_runtime *r, const char *value,
    struct cerr *err)
{
	const char *wrong = conf_valid_argument(value);
	struct conf_word *w;

	if (r->narguments == CONF_ARGUMENTS_MAX)
		wrong = "is given too often";
	if (wrong != NULL)
		return conf_invalid(err, "argument", wrong, value);
	w = conf_alloc(sizeof(*w));
	w->text = conf_strdup(value);
	TAILQ_INSERT_TAIL(&r->arguments, w, entry);
	r->narguments++;
	return 0;
}

static const char *const conf_runtime_types[] = {
	[CONF_RUNTIME_OCI] = "oci",
	[CONF_RUNTIME_GVISOR] = "gvisor",
	[CONF_RUNTIME_VM] = "vm",
};

#define CONF_NRUNTIME_TYPES                                                    \
	(sizeof(conf_runtime_types) / sizeof(conf_runtime_types[0]))

const char *
conf_runtime_type_name(enum conf_runtime_type type)
{
	return conf_runtime_types[type];
}

int
conf_runtime_type(struct conf_runtime *r, const char *value, struct cerr *err)
{
	for (enum conf_runtime_type i = 0; i < CONF_NRUNTIME_TYPES; i++) {
		if (strcmp(conf_runtime_types[i], value) == 0) {
			r->type = i;
			return 0;
		}
	}
	return conf_invalid(err, "type", "is none of oci, gvisor, vm", value);
}

struct conf_registry *
conf_add_registry(struct conf *c, const char *prefix, struct cerr *err)
{
	const char *wrong = conf_valid_prefix(prefix);
	struct conf_registry *r;

	TAILQ_FOREACH(r, &c->registries, entry) {
		if (strcmp(r->prefix, prefix) == 0)
			wrong = "is given twice";
	}
	if (c->nregistries == CONF_REGISTRIES_MAX)
		wrong = "is given too often";
	if (wrong != NULL) {
		(void)conf_invalid(err, "registry", wrong, prefix);
		return NULL;
	}
	r = conf_alloc(sizeof(*r));
	TAILQ_INIT(&r->mirrors);
	r->prefix = conf_strdup(prefix);
	TAILQ_INSERT_TAIL(&c->registries, r, entry);
	c->nregistries++;
	return r;
}

int
conf_registry_mirror(struct conf_registry *r, const char *location,
    bool insecure, enum conf_when when, struct cerr *err)
{
	const char *wrong = conf_valid_location(location);
	struct conf_mirror *m;

	TAILQ_FOREACH(m, &r->mirrors, entry) {
		if (strcmp(m->location, location) == 0)
			wrong = "is given twice";
	}
	if (r->nmirrors == CONF_MIRRORS_MAX)
		wrong = "is given too often";
	if (wrong != NULL)
		return conf_invalid(err, "mirror", wrong, location);
	m = conf_alloc(sizeof(*m));
	m->location = conf_strdup(location);
	m->insecure = insecure;
	m->when = when;
	TAILQ_INSERT_TAIL(&r->mirrors, m, entry);
	r->nmirrors++;
	return 0;
}

int
conf_registry_ca(struct conf_registry *r, const char *path, struct cerr *err)
{
	const char *wrong = conf_valid_path(path);

	if (wrong != NULL)
		return conf_invalid(err, "ca", wrong, path);
	conf_replace(&r->ca, path);
	return 0;
}

int
conf_registry_location(struct conf_registry *r, const char *location,
    struct cerr *err)
{
	const char *wrong = conf_valid_location(location);

	if (wrong != NULL)
		return conf_invalid(err, "location", wrong, location);
	conf_replace(&r->location, location);
	return 0;
}

int
conf_registry_client(struct conf_registry *r, const char *cert, const char *key,
    struct cerr *err)
{
	const char *wrong = conf_valid_path(cert);

	if (wrong != NULL)
		return conf_invalid(err, "client certificate", wrong, cert);
	wrong = conf_valid_path(key);
	if (wrong != NULL)
		return conf_invalid(err, "key", wrong, key);
	conf_replace(&r->client_cert, cert);
	conf_replace(&r->key, key);
	return 0;
}

int
conf_registry_headers(struct conf_registry *r, const char *path,
    struct cerr *err)
{
	const char *wrong = conf_valid_path(path);

	if (wrong != NULL)
		return conf_invalid(err, "header file", wrong, path);
	conf_replace(&r->headers, path);
	return 0;
}

int
conf_registry_token(struct conf_registry *r, const char *host, struct cerr *err)
{
	const char *wrong = conf_valid_name_of_host(host);

	if (wrong != NULL)
		return conf_invalid(err, "token server", wrong, host);
	conf_replace(&r->token_server, host);
	return 0;
}

int
conf_set_cgroup(struct conf *c, const char *value, struct cerr *err)
{
	if (strcmp(value, "cgroupfs") == 0)
		c->cgroup = CONF_CGROUP_CGROUPFS;
	else if (strcmp(value, "systemd") == 0)
		c->cgroup = CONF_CGROUP_SYSTEMD;
	else
		return conf_invalid(err, "cgroup manager",
		    "is neither cgroupfs nor systemd", value);
	return 0;
}

int
conf_set_downloads(struct conf *c, const char *value, struct cerr *err)
{
	if (conf_valid_number(value, 10, 1, CONF_DOWNLOADS_MAX,
		&c->downloads) == -1)
		return conf_invalid(err, "downloads",
		    "is not a number from 1 to 32", value);
	return 0;
}

int
conf_set_stats_age(struct conf *c, const char *value, struct cerr *err)
{
	if (conf_valid_number(value, 10, 0, CONF_STATS_AGE_MAX,
		&c->stats_age) == -1)
		return conf_invalid(err, "stats age",
		    "is not a number from 0 to 60", value);
	return 0;
}

int
conf_set_nri_ms(unsigned int *ms, const char *value, struct cerr *err)
{
	if (conf_valid_number(value, 10, 10, CONF_NRI_MS_MAX, ms) == -1)
		return conf_invalid(err, "timeout",
		    "is not a number from 10 to 60000", value);
	return 0;
}

int
conf_set_metrics(struct conf *c, const char *value, bool first,
    struct cerr *err)
{
	uint32_t bits = metric_group(value);

	if (bits == 0 && (strcmp(value, "none") != 0 || !first))
		return conf_invalid(err, "pod metrics",
		    "is no group of metrics", value);
	c->pod_metrics = first ? bits : c->pod_metrics | bits;
	return 0;
}

static int
conf_set_tcp(const char *what, const char *address, const char *port,
    char **to_address, unsigned int *to_port, struct cerr *err)
{
	const char *wrong = conf_valid_address(address);
	unsigned int n;

	if (wrong != NULL)
		return conf_invalid(err, what, wrong, address);
	if (conf_valid_number(port, 10, 0, UINT16_MAX, &n) == -1 ||
	    (n != 0 && n < CONF_PORT_MIN))
		return conf_invalid(err, "port",
		    "is neither 0 nor from 1024 to 65535", port);
	conf_replace(to_address, address);
	*to_port = n;
	return 0;
}

int
conf_set_stream(struct conf *c, const char *address, const char *port,
    const char *cert, const char *key, const char *ca, struct cerr *err)
{
	static const char *const names[] = { "certificate", "key", "ca" };
	const char *files[CONF_NTLS] = { cert, key, ca };
	const char *wrong;

	for (size_t i = 0; i < CONF_NTLS; i++) {
		wrong = files[i] == NULL ? NULL : conf_valid_path(files[i]);
		if (wrong != NULL)
			return conf_invalid(err, names[i], wrong, files[i]);
	}
	if (conf_set_tcp("stream listen on", address, port, &c->stream_address,
		&c->stream_port, err) == -1)
		return -1;
	for (size_t i = 0; i < CONF_NTLS; i++) {
		free(c->stream_tls[i]);
		c->stream_tls[i] =
		    files[i] == NULL ? NULL : conf_strdup(files[i]);
	}
	return 0;
}

int
conf_set_stream_idle(struct conf *c, const char *value, struct cerr *err)
{
	if (conf_valid_number(value, 10, 1, CONF_STREAM_IDLE_MAX,
		&c->stream_idle) == -1)
		return conf_invalid(err, "stream idle timeout",
		    "is not a number of seconds from 1 to 604800", value);
	return 0;
}

int
conf_set_metrics_listen(struct conf *c, const char *address, const char *port,
    struct cerr *err)
{
	return conf_set_tcp("metrics listen on", address, port,
	    &c->metrics_address, &c->metrics_port, err);
}

int
conf_set_log_level(struct conf *c, const char *value, struct cerr *err)
{
	static const char *const levels[] = {
		[LOG_LVL_ERROR] = "error",
		[LOG_LVL_WARN] = "warn",
		[LOG_LVL_INFO] = "info",
		[LOG_LVL_DEBUG] = "debug",
	};

	for (unsigned int i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i], value) == 0) {
			c->log_level = i;
			return 0;
		}
	}
	return conf_invalid(err, "log level",
	    "is none of error, warn, info, debug", value);
}

int
conf_set_log(struct conf *c, const char *to, bool json, struct cerr *err)
{
	const char *wrong;

	if (strcmp(to, "stderr") == 0) {
		c->log_to = CONF_LOG_STDERR;
	} else if (strcmp(to, "syslog") == 0) {
		if (json)
			return conf_invalid(err, "log to",
			    "syslog has a format of its own", "json");
		c->log_to = CONF_LOG_SYSLOG;
	} else {
		wrong = conf_valid_path(to);
		if (wrong != NULL)
			return conf_invalid(err, "log to",
			    "is none of stderr, syslog, an absolute path", to);
		c->log_to = CONF_LOG_FILE;
		conf_replace(&c->log_file, to);
	}
	c->log_json = json;
	return 0;
}

int
conf_set_audit(struct conf *c, const char *to, struct cerr *err)
{
	bool none = strcmp(to, "none") == 0;

	if (none || strcmp(to, "stderr") == 0) {
		c->audit_to = CONF_LOG_STDERR;
	} else if (strcmp(to, "syslog") == 0) {
		c->audit_to = CONF_LOG_SYSLOG;
	} else if (conf_valid_path(to) == NULL) {
		c->audit_to = CONF_LOG_FILE;
		conf_replace(&c->audit_file, to);
	} else
		return conf_invalid(err, "audit log",
		    "is none of none, stderr, syslog, an absolute path", to);
	c->audit = !none;
	return 0;
}

const struct conf_runtime *
conf_default_runtime(const struct conf *c)
{
	const struct conf_runtime *r;

	TAILQ_FOREACH(r, &c->runtimes, entry) {
		if (r->is_default)
			return r;
	}
	return NULL;
}
