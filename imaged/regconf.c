#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/ref.h"
#include "imaged/regconf.h"

static void *
regconf_grow(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (p == NULL)
		fatal("regconf: reallocarray");
	return p;
}

static char *
regconf_strndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (p == NULL)
		fatal("regconf: strndup");
	return p;
}

static int
regconf_fail(struct cerr *err, const char *what, const char *value,
    const char *why)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s \"%.255s\" %s", what,
	    value, why);
}

/* ---- filling ---- */

static void
regconf_registry_clear(struct regconf_registry *r)
{
	for (size_t i = 0; i < r->nmirrors; i++)
		free(r->mirrors[i].location);
	free(r->prefix);
	free(r->location);
	trust_clear(&r->trust);
	memset(r, 0, sizeof(*r));
}

static bool
regconf_prefix_valid(const char *s)
{
	if (strncmp(s, "*.", 2) == 0)
		return strpbrk(s, "/@:") == NULL && ref_domain_valid(s + 2);
	return ref_location_valid(s, true);
}

struct regconf_registry *
regconf_registry(struct regconf *rc, const char *prefix, const char *origin,
    struct cerr *err)
{
	struct regconf_registry *r = NULL;

	if (!regconf_prefix_valid(prefix)) {
		(void)regconf_fail(err, "prefix", prefix,
		    "is not HOST[:PORT][/PATH] or *.DOMAIN");
		return NULL;
	}
	for (size_t i = 0; r == NULL && i < rc->nregistries; i++) {
		if (strcmp(rc->registries[i].prefix, prefix) == 0)
			r = &rc->registries[i];
	}
	if (r == NULL && rc->nregistries == REGCONF_REGISTRIES_MAX) {
		(void)regconf_fail(err, "registry", prefix,
		    "is one too many (2048)");
		return NULL;
	}
	if (r == NULL) {
		rc->registries = regconf_grow(rc->registries,
		    rc->nregistries + 1, sizeof(*rc->registries));
		r = &rc->registries[rc->nregistries++];
		memset(r, 0, sizeof(*r));
	}
	regconf_registry_clear(r);
	r->prefix = regconf_strndup(prefix, strlen(prefix));
	r->origin = origin;
	return r;
}

int
regconf_location(struct regconf_registry *r, const char *location,
    struct cerr *err)
{
	if (location == NULL)
		return 0;
	if (!ref_location_valid(location, false))
		return regconf_fail(err, "location", location,
		    "is not HOST[:PORT][/PATH]");
	free(r->location);
	r->location = regconf_strndup(location, strlen(location));
	return 0;
}

int
regconf_mirror(struct regconf_registry *r, const char *location, bool insecure,
    enum regconf_when when, struct cerr *err)
{
	struct regconf_mirror *m = &r->mirrors[r->nmirrors];

	if (!ref_location_valid(location, false))
		return regconf_fail(err, "location", location,
		    "is not HOST[:PORT][/PATH]");
	if (r->nmirrors == REGCONF_MIRRORS_MAX)
		return regconf_fail(err, "mirror", location,
		    "is one too many (16)");
	m->location = regconf_strndup(location, strlen(location));
	m->insecure = insecure;
	m->when = when;
	r->nmirrors++;
	return 0;
}

static bool
regconf_is_name(const char *s)
{
	const char *last = strrchr(s, '/');

	return strchr(s, '@') == NULL &&
	       strchr(last == NULL ? s : last, ':') == NULL;
}

int
regconf_alias(struct regconf *rc, const char *name, const char *image,
    struct cerr *err)
{
	struct regconf_alias *a = NULL;
	struct ref ref;

	if (!ref_is_short(name) || !regconf_is_name(name) ||
	    ref_parse(name, &ref, NULL) == -1)
		return regconf_fail(err, "alias", name,
		    "is not a name without registry, tag and digest");
	if (*image != '\0' && (ref_is_short(image) || !regconf_is_name(image) ||
				  ref_parse(image, &ref, NULL) == -1))
		return regconf_fail(err, "image", image,
		    "is not a name with a registry, without tag and digest");
	for (size_t i = 0; a == NULL && i < rc->naliases; i++) {
		if (strcmp(rc->aliases[i].name, name) == 0)
			a = &rc->aliases[i];
	}
	if (a == NULL && rc->naliases == REGCONF_ALIASES_MAX)
		return regconf_fail(err, "alias", name,
		    "is one too many (4096)");
	if (a == NULL) {
		rc->aliases = regconf_grow(rc->aliases, rc->naliases + 1,
		    sizeof(*rc->aliases));
		a = &rc->aliases[rc->naliases++];
		a->name = regconf_strndup(name, strlen(name));
		a->image = NULL;
	}
	free(a->image);
	a->image = regconf_strndup(image, strlen(image));
	return 0;
}

void
regconf_search_clear(struct regconf *rc, const char *origin)
{
	while (rc->nsearch > 0)
		free(rc->search[--rc->nsearch]);
	rc->search_said = true;
	rc->search_origin = origin;
}

int
regconf_search(struct regconf *rc, const char *host, struct cerr *err)
{
	if (!ref_domain_valid(host))
		return regconf_fail(err, "search registry", host,
		    "is not HOST[:PORT]");
	if (rc->nsearch == REGCONF_SEARCH_MAX)
		return regconf_fail(err, "search registry", host,
		    "is one too many (16)");
	rc->search[rc->nsearch++] = regconf_strndup(host, strlen(host));
	return 0;
}

/* ---- criod.conf ---- */

static int
regconf_own_trust(struct trust *t, const Criod__Registry *b, struct cerr *err)
{
	if (b->ca.len > 0 &&
	    trust_add_ca(t, b->prefix, b->ca.data, b->ca.len, err) == -1)
		return -1;
	if (b->client_cert.len > 0 &&
	    trust_add_client(t, b->prefix, b->client_cert.data,
		b->client_cert.len, b->client_key.data, b->client_key.len,
		err) == -1)
		return -1;
	return trust_add_header_lines(t, b->prefix,
	    (const char *)b->headers.data, b->headers.len, err);
}

static int
regconf_own_registry(struct regconf *rc, const Criod__Registry *b,
    struct cerr *err)
{
	struct regconf_registry *r =
	    regconf_registry(rc, b->prefix, "criod.conf", err);

	if (r == NULL)
		return -1;
	r->insecure = b->insecure;
	r->blocked = b->blocked;
	if (b->token_server[0] != '\0')
		r->token_server = b->token_server;
	if (b->location[0] != '\0' &&
	    regconf_location(r, b->location, err) == -1)
		return -1;
	for (size_t i = 0; i < b->n_mirrors; i++) {
		const Criod__Mirror *m = b->mirrors[i];

		if (regconf_mirror(r, m->location, m->insecure,
			(enum regconf_when)m->when, err) == -1)
			return -1;
	}
	return regconf_own_trust(&r->trust, b, err);
}

static void
regconf_own_mode(struct regconf *rc, const Criod__BootImaged *b)
{
	if (b->short_name_mode == CRIOD__BOOT_IMAGED__SHORT_NAMES__ENFORCING)
		rc->mode = REGCONF_ENFORCING;
	if (b->short_name_mode == CRIOD__BOOT_IMAGED__SHORT_NAMES__PERMISSIVE)
		rc->mode = REGCONF_PERMISSIVE;
	if (b->short_name_mode == CRIOD__BOOT_IMAGED__SHORT_NAMES__DISABLED)
		rc->mode = REGCONF_DISABLED;
}

/* The last word: what it has replaces what files have. */
static int
regconf_own(struct regconf *rc, const Criod__BootImaged *b, struct cerr *err)
{
	for (size_t i = 0; i < b->n_registries; i++) {
		if (regconf_own_registry(rc, b->registries[i], err) == -1)
			return -1;
	}
	if (b->n_search > 0)
		regconf_search_clear(rc, "criod.conf");
	for (size_t i = 0; i < b->n_search; i++) {
		if (regconf_search(rc, b->search[i], err) == -1)
			return -1;
	}
	for (size_t i = 0; i < b->n_short_names; i++) {
		if (regconf_alias(rc, b->short_names[i]->name,
			b->short_names[i]->image, err) == -1)
			return -1;
	}
	regconf_own_mode(rc, b);
	return 0;
}

/* ---- directories: ROOT/HOST/FILE ---- */

struct regconf_path {
	size_t host, host_len, file; /* where HOST and FILE begin */
};

static bool
regconf_split(const char *path, struct regconf_path *p)
{
	const char *file = strrchr(path, '/');
	const char *host = file;

	while (host != NULL && host > path && host[-1] != '/')
		host--;
	if (host == NULL || host - path < 2)
		return false;
	p->host = (size_t)(host - path);
	p->host_len = (size_t)(file - host);
	p->file = p->host + p->host_len + 1;
	return true;
}

/* containerd spells HOST:PORT as HOST_PORT_, too. */
static char *
regconf_host_of(const char *path, const struct regconf_path *p)
{
	char *host = regconf_strndup(path + p->host, p->host_len);
	size_t n = p->host_len;
	char *port;

	if (n < 3 || host[n - 1] != '_' || host[0] == '_')
		return host;
	host[n - 1] = '\0';
	port = strrchr(host, '_');
	if (port != NULL && strspn(port + 1, "0123456789") == strlen(port + 1))
		*port = ':';
	else
		host[n - 1] = '_';
	return host;
}

const struct regconf_certs *
regconf_find_certs(const struct regconf *rc, const char *host)
{
	for (size_t i = 0; i < rc->ncerts; i++) {
		if (strcasecmp(rc->certs[i].host, host) == 0)
			return &rc->certs[i];
	}
	return NULL;
}

static const struct regconf_hosts *
regconf_hosts_named(const struct regconf *rc, const char *host)
{
	for (size_t i = 0; i < rc->nhosts; i++) {
		if (strcasecmp(rc->hosts[i].host, host) == 0)
			return &rc->hosts[i];
	}
	return NULL;
}

const struct regconf_hosts *
regconf_find_hosts(const struct regconf *rc, const char *host)
{
	const struct regconf_hosts *h = regconf_hosts_named(rc, host);

	return h != NULL ? h : regconf_hosts_named(rc, "_default");
}

static char *
regconf_wrong(const struct cerr *err)
{
	return regconf_strndup(err->text, strlen(err->text));
}

/* The parent could not read the directory. */
static int
regconf_unread(const Criod__RegistryFile *f, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s", f->wrong);
}

/* The first directory that has a host says all of it. */
static void
regconf_take_certs(struct regconf *rc, const Criod__BootImaged *b,
    const Criod__RegistryFile *f)
{
	struct regconf_path p;
	struct regconf_certs *c;
	struct cerr err;
	char *host, *dir;

	if (!regconf_split(f->path, &p))
		return;
	host = regconf_host_of(f->path, &p);
	if (regconf_find_certs(rc, host) != NULL) {
		free(host);
		return;
	}
	rc->certs = regconf_grow(rc->certs, rc->ncerts + 1, sizeof(*rc->certs));
	c = &rc->certs[rc->ncerts++];
	*c = (struct regconf_certs){ .host = host };
	dir = regconf_strndup(f->path, p.file - 1);
	if ((f->wrong[0] != '\0' && regconf_unread(f, &err) == -1) ||
	    trust_add_dir(&c->trust, b->files, b->n_files,
		(unsigned int)f->kind, dir, &err) == -1)
		c->wrong = regconf_wrong(&err);
	free(dir);
}

static void
regconf_take_hosts(struct regconf *rc, const Criod__BootImaged *b,
    const Criod__RegistryFile *f)
{
	struct regconf_path p;
	struct regconf_hosts *h;
	struct cerr err;
	char *host;

	if (!regconf_split(f->path, &p) ||
	    (f->wrong[0] == '\0' &&
		strcmp(f->path + p.file, "hosts.toml") != 0))
		return;
	host = regconf_host_of(f->path, &p);
	if (regconf_hosts_named(rc, host) != NULL) {
		free(host);
		return;
	}
	rc->hosts = regconf_grow(rc->hosts, rc->nhosts + 1, sizeof(*rc->hosts));
	h = &rc->hosts[rc->nhosts++];
	*h = (struct regconf_hosts){ .host = host };
	if ((f->wrong[0] != '\0' && regconf_unread(f, &err) == -1) ||
	    hosts_parse(f, b->files, b->n_files, &h->hosts, &err) == -1)
		h->wrong = regconf_wrong(&err);
}

/* Beside a hosts.toml nothing counts but what that names. */
static bool
regconf_has_toml(const Criod__BootImaged *b, const Criod__RegistryFile *f)
{
	size_t dir = (size_t)(strrchr(f->path, '/') - f->path) + 1;

	for (size_t i = 0; i < b->n_files; i++) {
		const Criod__RegistryFile *g = b->files[i];

		if (g->kind == f->kind && strncmp(g->path, f->path, dir) == 0 &&
		    strcmp(g->path + dir, "hosts.toml") == 0)
			return true;
	}
	return false;
}

/* ---- all ---- */

static int
regconf_take(struct regconf *rc, const Criod__BootImaged *b,
    const Criod__RegistryFile *f, struct cerr *err)
{
	if (f->kind == CRIOD__REGISTRY_FILE__KIND__REGISTRIES)
		return regconf_read(rc, f->path, (const char *)f->text.data,
		    f->text.len, err);
	if (f->kind == CRIOD__REGISTRY_FILE__KIND__HOSTS &&
	    (f->wrong[0] != '\0' || regconf_has_toml(b, f)))
		regconf_take_hosts(rc, b, f);
	else if (f->kind == CRIOD__REGISTRY_FILE__KIND__HOSTS ||
		 f->kind == CRIOD__REGISTRY_FILE__KIND__CERTS)
		regconf_take_certs(rc, b, f);
	return 0;
}

void
regconf_each_wrong(const struct regconf *rc,
    void (*fn)(void *arg, const char *why), void *arg)
{
	for (size_t i = 0; i < rc->ncerts; i++) {
		if (rc->certs[i].wrong != NULL)
			fn(arg, rc->certs[i].wrong);
	}
	for (size_t i = 0; i < rc->nhosts; i++) {
		if (rc->hosts[i].wrong != NULL)
			fn(arg, rc->hosts[i].wrong);
	}
}

struct regconf *
regconf_new(const Criod__BootImaged *b)
{
	struct regconf *rc = regconf_grow(NULL, 1, sizeof(*rc));
	struct cerr err;
	int rc_all = 0;

	memset(rc, 0, sizeof(*rc));
	rc->refs = 1;
	for (size_t i = 0; rc_all == 0 && i < b->n_files; i++)
		rc_all = regconf_take(rc, b, b->files[i], &err);
	if (rc_all == 0)
		rc_all = regconf_own(rc, b, &err);
	if (rc_all == -1)
		rc->wrong = regconf_wrong(&err);
	return rc;
}

struct regconf *
regconf_ref(struct regconf *rc)
{
	if (rc != NULL)
		rc->refs++;
	return rc;
}

void
regconf_unref(struct regconf *rc)
{
	if (rc == NULL || --rc->refs > 0)
		return;
	for (size_t i = 0; i < rc->nregistries; i++)
		regconf_registry_clear(&rc->registries[i]);
	regconf_search_clear(rc, NULL);
	for (size_t i = 0; i < rc->naliases; i++) {
		free(rc->aliases[i].name);
		free(rc->aliases[i].image);
	}
	for (size_t i = 0; i < rc->ncerts; i++) {
		free(rc->certs[i].host);
		free(rc->certs[i].wrong);
		trust_clear(&rc->certs[i].trust);
	}
	for (size_t i = 0; i < rc->nhosts; i++) {
		free(rc->hosts[i].host);
		free(rc->hosts[i].wrong);
		hosts_clear(&rc->hosts[i].hosts);
	}
	free(rc->registries);
	free(rc->aliases);
	free(rc->certs);
	free(rc->hosts);
	free(rc->wrong);
	free(rc);
}
