#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"

#include "imaged/auth.h"
#include "imaged/authfile.h"
#include "imaged/digest.h"

#define AUTHFILE_DOCKER "docker.io"

struct authfile_entry {
	char *key; /* HOST[:PORT][/PATH], in one spelling */
	struct auth_creds *creds;
};

struct authfile {
	struct authfile_entry *entries;
	size_t n;
	bool helpers;
	char id[DIGEST_SIZE];
};

static void *
authfile_alloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	if (p == NULL)
		fatal("authfile: calloc");
	return p;
}

void
authfile_free(struct authfile *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->entries[i].key);
		auth_creds_unref(f->entries[i].creds);
	}
	free(f->entries);
	free(f);
}

bool
authfile_helpers(const struct authfile *f)
{
	return f->helpers;
}

const char *
authfile_key(const struct authfile *f)
{
	return f == NULL ? "" : f->id;
}

/*
 * Keys may be URLs ("https://index.docker.io/v1/"), whose path says nothing.
 * The host is in small letters, and Docker's has one name of its three.
 */
static char *
authfile_key_of(const char *key)
{
	static const char *const docker[] = { "index.docker.io",
		"registry-1.docker.io" };
	const char *scheme = strstr(key, "://");
	const char *s = scheme == NULL ? key : scheme + 3;
	size_t host = strcspn(s, "/");
	size_t len = scheme == NULL ? strlen(s) : host;
	char *out = authfile_alloc(len + sizeof(AUTHFILE_DOCKER), 1);

	for (size_t i = 0; i < 2; i++) {
		if (strlen(docker[i]) != host ||
		    strncasecmp(s, docker[i], host) != 0)
			continue;
		(void)snprintf(out, len + sizeof(AUTHFILE_DOCKER), "%s%.*s",
		    AUTHFILE_DOCKER, (int)(len - host), s + host);
		return out;
	}
	for (size_t i = 0; i < len; i++)
		out[i] = i < host ? (char)tolower((unsigned char)s[i]) : s[i];
	while (len > host && out[len - 1] == '/')
		out[--len] = '\0';
	return out;
}

static int
authfile_given(const json_t *value, struct auth_given *g, struct cerr *err)
{
	const struct {
		const char *key, **to;
	} members[] = {
		{ "auth", &g->auth },
		{ "username", &g->username },
		{ "password", &g->password },
		{ "identitytoken", &g->identity_token },
		{ "registrytoken", &g->registry_token },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (json_want_str(value, members[i].key, false, members[i].to,
			err) == -1)
			return -1;
	}
	return 0;
}

/* An entry without credentials stands for a helper's, and is passed over. */
static int
authfile_add(struct authfile *f, const char *key, const json_t *value,
    struct cerr *err)
{
	struct authfile_entry *e = &f->entries[f->n];
	struct auth_given g = { 0 };

	if (authfile_given(value, &g, err) == -1)
		return -1;
	e->key = authfile_key_of(key);
	g.server_address = e->key;
	if (auth_creds_new(&g, &e->creds, err) == -1) {
		free(e->key);
		return -1;
	}
	if (auth_creds_any(e->creds)) {
		f->n++;
		return 0;
	}
	free(e->key);
	auth_creds_unref(e->creds);
	return 0;
}

/* Keys are quoted in errors, values are not. */
static int
authfile_take(struct authfile *f, const json_t *doc, struct cerr *err)
{
	json_t *auths, *value, *helpers, *store;
	const char *key;
	struct cerr why;

	if (json_want(doc, "auths", JSON_OBJECT, false, &auths, err) == -1 ||
	    json_want(doc, "credHelpers", JSON_OBJECT, false, &helpers, err) ==
		-1 ||
	    json_want(doc, "credsStore", JSON_STRING, false, &store, err) == -1)
		return -1;
	f->helpers = json_object_size(helpers) > 0 || store != NULL;
	if (json_object_size(auths) > AUTHFILE_ENTRIES)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %u entries", AUTHFILE_ENTRIES);
	f->entries =
	    authfile_alloc(json_object_size(auths), sizeof(*f->entries));
	json_object_foreach(auths, key, value) {
		if (authfile_add(f, key, value, &why) == -1)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "auths of \"%s\": %s", key, why.text);
	}
	return 0;
}

static void
authfile_identify(struct authfile *f)
{
	struct digest *d = digest_new();

	for (size_t i = 0; i < f->n; i++) {
		const struct authfile_entry *e = &f->entries[i];

		digest_update(d, e->key, strlen(e->key) + 1);
		digest_update(d, e->creds->key, strlen(e->creds->key) + 1);
	}
	digest_final(d, f->id);
	digest_free(d);
}

struct authfile *
authfile_parse(const char *name, const void *buf, size_t len, struct cerr *err)
{
	struct authfile *f = authfile_alloc(1, sizeof(*f));
	struct cerr why;
	json_t *doc = json_read_bounded(name, buf, len, AUTHFILE_MAX, err);
	int rc = -1;

	if (doc != NULL)
		rc = authfile_take(f, doc, &why);
	if (doc != NULL && rc == -1)
		(void)cerr_set(err, CERR_INVALID_ARGUMENT, "%s: %s", name,
		    why.text);
	json_decref(doc);
	if (rc == 0) {
		authfile_identify(f);
		return f;
	}
	authfile_free(f);
	return NULL;
}

struct auth_creds *
authfile_find(const struct authfile *f, const char *name)
{
	struct auth_creds *found = NULL;
	char *key = authfile_key_of(name);
	char *end = key + strlen(key);

	while (f != NULL && found == NULL && end != NULL) {
		*end = '\0';
		for (size_t i = 0; i < f->n && found == NULL; i++) {
			if (strcmp(f->entries[i].key, key) == 0)
				found = f->entries[i].creds;
		}
		end = strrchr(key, '/');
	}
	free(key);
	return found;
}
