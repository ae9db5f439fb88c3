#include <stdio.h>
#include <string.h>

#include "proto/msg.pb-c.h"

#include "imaged/registry.h"

/* docker.io is a name; this is where its registry is. */
#define REGISTRY_DOCKER_HOST "registry-1.docker.io"

/* What follows prefix in name, without the slash; NULL if it does not fit. */
static const char *
registry_rest(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n == 0 || strncmp(name, prefix, n) != 0)
		return NULL;
	if (name[n] == '/')
		return name + n + 1;
	return name[n] == '\0' ? name + n : NULL;
}

static const Criod__Registry *
registry_match(const Criod__BootImaged *conf, const char *name)
{
	const Criod__Registry *best = NULL;

	for (size_t i = 0; i < conf->n_registries; i++) {
		const Criod__Registry *r = conf->registries[i];

		if (registry_rest(name, r->prefix) != NULL &&
		    (best == NULL || strlen(r->prefix) > strlen(best->prefix)))
			best = r;
	}
	return best;
}

/* location is HOST[:PORT][/PREFIX]; rest is added to its path. */
static int
registry_place(const char *location, const char *rest,
    struct registry_endpoint *e)
{
	size_t host = strcspn(location, "/");
	const char *prefix = location + host;
	size_t len;
	int n;

	while (*prefix == '/')
		prefix++;
	len = strlen(prefix);
	while (len > 0 && prefix[len - 1] == '/')
		len--;
	if (host >= sizeof(e->host))
		return -1;
	memcpy(e->host, location, host);
	e->host[host] = '\0';
	n = snprintf(e->path, sizeof(e->path), "%.*s%s%s", (int)len, prefix,
	    len > 0 && *rest != '\0' ? "/" : "", rest);
	return n > 0 && (size_t)n < sizeof(e->path) ? 0 : -1;
}

static void
registry_trust(const Criod__Registry *r, bool insecure,
    struct registry_endpoint *e)
{
	(void)snprintf(e->root, sizeof(e->root), "/v2");
	e->resolve = e->pull = true;
	e->insecure = insecure;
	if (r != NULL && r->ca.len > 0) {
		e->ca = r->ca.data;
		e->ca_len = r->ca.len;
	}
}

static int
registry_itself(const Criod__Registry *r, const struct ref *ref,
    struct registry_endpoint *e)
{
	const char *host = strcmp(ref->domain, "docker.io") == 0
			       ? REGISTRY_DOCKER_HOST
			       : ref->domain;

	registry_trust(r, r != NULL && r->insecure, e);
	return registry_place(host, ref->path, e);
}

int
registry_endpoints(const Criod__BootImaged *conf, const struct ref *ref,
    struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX], size_t *n,
    struct cerr *err)
{
	char name[REF_TEXT_SIZE];
	const Criod__Registry *r;

	ref_name(ref, name);
	r = registry_match(conf, name);
	*n = 0;
	memset(out, 0, sizeof(*out) * REGISTRY_ENDPOINTS_MAX);
	if (r != NULL && r->blocked)
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "registry %s is blocked by criod.conf", r->prefix);
	for (size_t i = 0;
	     r != NULL && i < r->n_mirrors && *n + 1 < REGISTRY_ENDPOINTS_MAX;
	     i++) {
		const Criod__Mirror *m = r->mirrors[i];

		registry_trust(r, m->insecure, &out[*n]);
		if (registry_place(m->location, registry_rest(name, r->prefix),
			&out[*n]) == 0)
			(*n)++;
	}
	if (registry_itself(r, ref, &out[*n]) == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "the reference is too long");
	(*n)++;
	return 0;
}
