#include <stdio.h>
#include <string.h>

#include "imaged/authfile.h"
#include "imaged/regconf.h"
#include "imaged/registry.h"

/* docker.io is a name; this is where its registry is. */
#define REGISTRY_DOCKER	     "docker.io"
#define REGISTRY_DOCKER_HOST "registry-1.docker.io"

/* What is being put together. */
struct registry_list {
	const struct regconf *conf;
	struct authfile *const *auths;
	struct registry_endpoint *out;
	size_t n;
	struct cerr *err;
};

static int
registry_too_long(struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "the reference is too long");
}

/* ---- which statement ---- */

/* "*.example.com" and the name's own domain: the length of the latter. */
static size_t
registry_fits_domain(const char *text, const char *prefix)
{
	size_t domain = strcspn(text, "/:@"), suffix = strlen(prefix + 1);

	if (domain <= suffix ||
	    strncmp(text + domain - suffix, prefix + 1, suffix) != 0)
		return 0;
	return domain;
}

/* How much of text, DOMAIN/PATH:TAG@DIGEST, prefix covers; 0 if it does not. */
static size_t
registry_fits(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(prefix, "*.", 2) == 0)
		return registry_fits_domain(text, prefix);
	if (strncmp(text, prefix, n) != 0 || n == 0)
		return 0;
	return text[n] == '\0' || strchr(":/@", text[n]) != NULL ? n : 0;
}

static const struct regconf_registry *
registry_match(const struct regconf *conf, const char *text, size_t *covered)
{
	const struct regconf_registry *best = NULL;

	for (size_t i = 0; i < conf->nregistries; i++) {
		const struct regconf_registry *r = &conf->registries[i];
		size_t n = registry_fits(text, r->prefix);

		if (n > 0 && (best == NULL ||
				 strlen(r->prefix) > strlen(best->prefix))) {
			best = r;
			*covered = n;
		}
	}
	return best;
}

/* The statement of criod.conf about a host as such. */
static const struct regconf_registry *
registry_of_host(const struct regconf *conf, const char *host)
{
	for (size_t i = 0; i < conf->nregistries; i++) {
		if (strcmp(conf->registries[i].prefix, host) == 0)
			return &conf->registries[i];
	}
	return NULL;
}

/* ---- one endpoint ---- */

/* Where references with this domain are looked up. */
static const char *
registry_domain(const char *host)
{
	return strcmp(host, REGISTRY_DOCKER_HOST) == 0 ? REGISTRY_DOCKER : host;
}

static void
registry_use_trust(struct registry_endpoint *e, const struct trust *t)
{
	e->ca = t->ca;
	e->ca_len = t->ca_len;
	e->clients = t->clients;
	e->nclients = t->nclients;
}

/*
 * By what a host is known: criod.conf, then the directory of its name.
 * Credentials are those of files for what is read there, not for what was
 * asked for.
 */
static int
registry_know(struct registry_list *l, struct registry_endpoint *e)
{
	const char *domain = registry_domain(e->host);
	const struct regconf_registry *own = registry_of_host(l->conf, domain);
	const struct regconf_certs *certs;
	char name[sizeof(e->host) + sizeof(e->path) + 1];

	(void)snprintf(name, sizeof(name), "%s/%s", domain, e->path);
	for (size_t i = 0; i < REGISTRY_AUTHS && e->creds == NULL; i++)
		e->creds = authfile_find(l->auths[i], name);
	if (own != NULL)
		e->token_server = own->token_server;
	if (own != NULL && own->trust.nheaders > 0 && e->nheaders == 0) {
		e->headers = own->trust.headers;
		e->nheaders = own->trust.nheaders;
	}
	if (e->ca != NULL || e->clients != NULL)
		return 0;
	if (own != NULL && trust_any(&own->trust)) {
		registry_use_trust(e, &own->trust);
		return 0;
	}
	certs = regconf_find_certs(l->conf, domain);
	if (certs == NULL)
		certs = regconf_find_certs(l->conf, e->host);
	if (certs != NULL && certs->wrong != NULL)
		return cerr_set(l->err, CERR_FAILED_PRECONDITION, "%s",
		    certs->wrong);
	if (certs != NULL)
		registry_use_trust(e, &certs->trust);
	return 0;
}

/* location is HOST[:PORT][/PATH]; rest follows it as it is. */
static int
registry_place(struct registry_list *l, const char *location, const char *rest,
    struct registry_endpoint *e)
{
	char text[sizeof(e->host) + sizeof(e->path)];
	int n = snprintf(text, sizeof(text), "%s%s", location, rest);
	char *slash = strchr(text, '/');

	if (n < 0 || (size_t)n >= sizeof(text) || slash == NULL ||
	    slash[1] == '\0')
		return registry_too_long(l->err);
	*slash = '\0';
	if (strcmp(text, REGISTRY_DOCKER) == 0)
		n = snprintf(e->host, sizeof(e->host), "%s",
		    REGISTRY_DOCKER_HOST);
	else
		n = snprintf(e->host, sizeof(e->host), "%s", text);
	if ((size_t)n >= sizeof(e->host))
		return registry_too_long(l->err);
	n = snprintf(e->path, sizeof(e->path), "%s", slash + 1);
	return (size_t)n < sizeof(e->path) ? 0 : registry_too_long(l->err);
}

/* The next free one; the registry itself always has its place. */
static struct registry_endpoint *
registry_new(struct registry_list *l)
{
	struct registry_endpoint *e = &l->out[l->n];

	memset(e, 0, sizeof(*e));
	(void)snprintf(e->root, sizeof(e->root), "/v2");
	e->resolve = e->pull = true;
	return e;
}

/* ---- by registries.conf and criod.conf ---- */

/* A statement's authorities go for its mirrors, too; the rest does not. */
static int
registry_add(struct registry_list *l, const struct regconf_registry *r,
    const char *location, const char *rest, bool insecure)
{
	struct registry_endpoint *e = registry_new(l);

	e->insecure = insecure;
	if (registry_place(l, location, rest, e) == -1)
		return -1;
	if (r != NULL && r->trust.ca != NULL) {
		e->ca = r->trust.ca;
		e->ca_len = r->trust.ca_len;
	}
	if (registry_know(l, e) == -1)
		return -1;
	l->n++;
	return 0;
}

/* The registry itself, or what stands for it. */
static int
registry_add_own(struct registry_list *l, const struct regconf_registry *r,
    const char *name, const char *rest)
{
	struct registry_endpoint *e = &l->out[l->n];
	bool moved = r != NULL && r->location != NULL;

	if (registry_add(l, r, moved ? r->location : name, moved ? rest : "",
		r != NULL && r->insecure) == -1)
		return -1;
	if (r != NULL && r->token_server != NULL)
		e->token_server = r->token_server;
	if (r != NULL && r->trust.nclients > 0) {
		e->clients = r->trust.clients;
		e->nclients = r->trust.nclients;
	}
	if (r != NULL && r->trust.nheaders > 0) {
		e->headers = r->trust.headers;
		e->nheaders = r->trust.nheaders;
	}
	return 0;
}

static bool
registry_wanted(const struct regconf_mirror *m, const struct ref *ref)
{
	bool digest = ref->digest[0] != '\0';

	return m->when == REGCONF_ALL || (m->when == REGCONF_DIGEST) == digest;
}

static int
registry_by_conf(struct registry_list *l, const struct regconf_registry *r,
    const struct ref *ref, size_t covered)
{
	char name[REF_TEXT_SIZE];
	const char *rest;

	ref_name(ref, name);
	/* A prefix may cover the tag, too, which is not the place's. */
	rest = covered < strlen(name) ? name + covered : "";
	for (size_t i = 0; r != NULL && i < r->nmirrors; i++) {
		const struct regconf_mirror *m = &r->mirrors[i];

		if (registry_wanted(m, ref) &&
		    registry_add(l, r, m->location, rest, m->insecure) == -1)
			return -1;
	}
	return registry_add_own(l, r, name, rest);
}

/* ---- by hosts.toml ---- */

static int
registry_add_host(struct registry_list *l, const struct hosts_one *h,
    const struct ref *ref)
{
	struct registry_endpoint *e = registry_new(l);
	char rest[REF_TEXT_SIZE];

	if (!h->resolve && !h->pull)
		return 0; /* there to push to */
	(void)snprintf(rest, sizeof(rest), "/%s", ref->path);
	e->plain = h->plain;
	e->unverified = h->unverified;
	e->resolve = h->resolve;
	e->pull = h->pull;
	e->headers = h->trust.headers;
	e->nheaders = h->trust.nheaders;
	if (h->root != NULL)
		(void)snprintf(e->root, sizeof(e->root), "%s", h->root);
	registry_use_trust(e, &h->trust);
	if (registry_place(l, h->host == NULL ? ref->domain : h->host, rest,
		e) == -1 ||
	    registry_know(l, e) == -1)
		return -1;
	if (!registry_is_own(e, ref))
		(void)snprintf(e->ns, sizeof(e->ns), "%s", ref->domain);
	l->n++;
	return 0;
}

static int
registry_by_hosts(struct registry_list *l, const struct regconf_hosts *h,
    const struct ref *ref)
{
	if (h->wrong != NULL)
		return cerr_set(l->err, CERR_FAILED_PRECONDITION, "%s",
		    h->wrong);
	for (size_t i = 0; i < h->hosts.n; i++) {
		if (registry_add_host(l, &h->hosts.list[i], ref) == -1)
			return -1;
	}
	return 0;
}

int
registry_endpoints(struct regconf *conf, const struct ref *ref,
    struct authfile *const auths[REGISTRY_AUTHS],
    struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX], size_t *n,
    struct cerr *err)
{
	struct registry_list l = { .conf = conf,
		.auths = auths,
		.out = out,
		.err = err };
	const struct regconf_hosts *hosts;
	const struct regconf_registry *r;
	char text[REF_TEXT_SIZE];
	size_t covered = 0;
	int rc;

	*n = 0;
	if (conf->wrong != NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION, "%s",
		    conf->wrong);
	ref_text(ref, text);
	r = registry_match(conf, text, &covered);
	if (r != NULL && r->blocked)
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "registry %s is blocked by %s", r->prefix, r->origin);
	hosts = r == NULL ? regconf_find_hosts(conf, ref->domain) : NULL;
	if (hosts != NULL)
		rc = registry_by_hosts(&l, hosts, ref);
	else
		rc = registry_by_conf(&l, r, ref, covered);
	*n = rc == 0 ? l.n : 0;
	for (size_t i = 0; i < *n; i++)
		out[i].conf = conf;
	return rc;
}

bool
registry_is_own(const struct registry_endpoint *e, const struct ref *ref)
{
	return strcmp(registry_domain(e->host), ref->domain) == 0 &&
	       strcmp(e->path, ref->path) == 0;
}

/* ---- short names ---- */

/* TEXT's name without tag and digest, and what was behind it. */
static const struct regconf_alias *
registry_alias(const struct regconf *conf, const char *text, size_t *name)
{
	*name = strcspn(text, ":@");
	for (size_t i = 0; i < conf->naliases; i++) {
		const struct regconf_alias *a = &conf->aliases[i];

		if (strlen(a->name) == *name &&
		    strncmp(a->name, text, *name) == 0)
			return a->image[0] == '\0' ? NULL : a;
	}
	return NULL;
}

static int
registry_candidate(const char *before, const char *between, const char *text,
    struct ref *out, size_t *n, struct cerr *err)
{
	char full[REF_TEXT_SIZE];
	int len = snprintf(full, sizeof(full), "%s%s%s", before, between, text);

	if (len < 0 || (size_t)len >= sizeof(full))
		return registry_too_long(err);
	if (ref_parse(full, &out[*n], err) == -1)
		return -1;
	(*n)++;
	return 0;
}

/* Without search registries there is docker.io, unless none was said. */
static int
registry_searched(const struct regconf *conf, const char *text, struct ref *out,
    size_t *n, struct cerr *err)
{
	if (!conf->search_said)
		return registry_candidate("", "", text, out, n, err);
	for (size_t i = 0; i < conf->nsearch && *n < REGISTRY_CANDIDATES_MAX;
	     i++) {
		if (registry_candidate(conf->search[i], "/", text, out, n,
			err) == -1)
			return -1;
	}
	return 0;
}

/* What a pull may not guess. */
static int
registry_unambiguous(const struct regconf *conf, const char *text, size_t n,
    struct cerr *err)
{
	if (n == 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "short name \"%s\": it is no alias, and %s has no "
		    "registry to search",
		    text, conf->search_origin);
	if (n > 1 && conf->mode == REGCONF_ENFORCING)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "short name \"%s\": it is no alias, and %s has several "
		    "registries to search, which is ambiguous "
		    "(short-name-mode enforcing)",
		    text, conf->search_origin);
	return 0;
}

int
registry_candidates(const struct regconf *conf, const char *text, bool pull,
    struct ref out[REGISTRY_CANDIDATES_MAX], size_t *n, struct cerr *err)
{
	const struct regconf_alias *a;
	struct ref plain;
	size_t name;

	*n = 0;
	if (ref_parse(text, &plain, err) == -1)
		return -1;
	if (!ref_is_short(text)) {
		out[(*n)++] = plain;
		return 0;
	}
	if (pull && conf->wrong != NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION, "%s",
		    conf->wrong);
	a = registry_alias(conf, text, &name);
	if (a != NULL &&
	    registry_candidate(a->image, "", text + name, out, n, err) == -1)
		return -1;
	if (a != NULL && pull)
		return 0;
	if (registry_searched(conf, text, out, n, err) == -1)
		return -1;
	return pull ? registry_unambiguous(conf, text, *n, err) : 0;
}
