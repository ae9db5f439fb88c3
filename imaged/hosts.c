#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/hosts.h"
#include "imaged/ref.h"
#include "imaged/registry.h"
#include "imaged/toml.h"

struct hosts_reader {
	const Criod__RegistryFile *file;
	Criod__RegistryFile *const *files;
	size_t nfiles;
	struct hosts_one *one;
	struct cerr *err;
};

/* ---- files that it names ---- */

/* A path that is not absolute begins in the directory of hosts.toml. */
static const Criod__RegistryFile *
hosts_file(struct hosts_reader *r, const struct toml *t)
{
	const char *dir = r->file->path;
	size_t n = (size_t)(strrchr(dir, '/') - dir);
	const Criod__RegistryFile *f = NULL;
	char *path;

	if (t->type != TOML_STRING) {
		(void)toml_wrong(dir, t, r->err, "not the name of a file");
		return NULL;
	}
	if (asprintf(&path, "%.*s%s%s", t->text[0] == '/' ? 0 : (int)n, dir,
		t->text[0] == '/' ? "" : "/", t->text) == -1)
		fatal("asprintf");
	for (size_t i = 0; f == NULL && i < r->nfiles; i++) {
		if (strcmp(r->files[i]->path, path) == 0)
			f = r->files[i];
	}
	if (f == NULL)
		(void)toml_wrong(dir, t, r->err,
		    "%s is not among the files of certificates that criod has",
		    path);
	else if (f->wrong[0] != '\0')
		(void)toml_wrong(dir, t, r->err, "%s", f->wrong);
	free(path);
	return f != NULL && f->wrong[0] == '\0' ? f : NULL;
}

static int
hosts_ca(struct hosts_reader *r, const struct toml *t)
{
	const Criod__RegistryFile *f = hosts_file(r, t);

	if (f == NULL)
		return -1;
	return trust_add_ca(&r->one->trust, f->path, f->text.data, f->text.len,
	    r->err);
}

/* One file with both, or an array of the two. */
static int
hosts_client(struct hosts_reader *r, const struct toml *t)
{
	const struct toml *c = t, *k = t;
	const Criod__RegistryFile *cert, *key;

	if (t->type == TOML_ARRAY) {
		if (t->count != 2)
			return toml_wrong(r->file->path, t, r->err,
			    "client must be pairs of certificate and key");
		c = t->first;
		k = t->last;
	}
	cert = hosts_file(r, c);
	key = cert == NULL ? NULL : hosts_file(r, k);
	if (key == NULL)
		return -1;
	return trust_add_client(&r->one->trust, cert->path, cert->text.data,
	    cert->text.len, key->text.data, key->text.len, r->err);
}

/* Calls take for a value, or for each of an array of them. */
static int
hosts_each(struct hosts_reader *r, const struct toml *t,
    int (*take)(struct hosts_reader *r, const struct toml *t))
{
	if (t->type != TOML_ARRAY)
		return take(r, t);
	for (const struct toml *m = t->first; m != NULL; m = m->next) {
		if (take(r, m) == -1)
			return -1;
	}
	return 0;
}

static int
hosts_take_ca(struct hosts_reader *r, const struct toml *t)
{
	return hosts_each(r, t, hosts_ca);
}

static int
hosts_take_client(struct hosts_reader *r, const struct toml *t)
{
	return hosts_each(r, t, hosts_client);
}

/* ---- the other members ---- */

static int
hosts_capability(struct hosts_reader *r, const struct toml *t)
{
	if (t->type == TOML_STRING && strcasecmp(t->text, "pull") == 0)
		r->one->pull = true;
	else if (t->type == TOML_STRING && strcasecmp(t->text, "resolve") == 0)
		r->one->resolve = true;
	else if (t->type != TOML_STRING || strcasecmp(t->text, "push") != 0)
		return toml_wrong(r->file->path, t, r->err,
		    "a capability other than pull, resolve and push");
	return 0;
}

static int
hosts_take_capabilities(struct hosts_reader *r, const struct toml *t)
{
	if (t->type != TOML_ARRAY)
		return toml_wrong(r->file->path, t, r->err,
		    "capabilities must be an array");
	if (t->count == 0)
		return 0;
	r->one->pull = r->one->resolve = false;
	return hosts_each(r, t, hosts_capability);
}

static int
hosts_take_verify(struct hosts_reader *r, const struct toml *t)
{
	if (t->type != TOML_BOOLEAN)
		return toml_wrong(r->file->path, t, r->err,
		    "skip_verify must be true or false");
	r->one->unverified = t->boolean;
	return 0;
}

static int
hosts_header(struct hosts_reader *r, const char *field, const struct toml *t)
{
	struct cerr why;

	if (t->type != TOML_STRING)
		return toml_wrong(r->file->path, t, r->err,
		    "header %s must be a string", field);
	if (trust_add_header(&r->one->trust, field, field, t->text, &why) == -1)
		return toml_wrong(r->file->path, t, r->err, "%s", why.text);
	return 0;
}

static int
hosts_take_headers(struct hosts_reader *r, const struct toml *t)
{
	if (t->type != TOML_TABLE)
		return toml_wrong(r->file->path, t, r->err,
		    "header must be a table");
	for (const struct toml *m = t->first; m != NULL; m = m->next) {
		const struct toml *v = m->type == TOML_ARRAY ? m->first : m;

		for (; v != NULL; v = v == m ? NULL : v->next) {
			if (hosts_header(r, m->key, v) == -1)
				return -1;
		}
	}
	return 0;
}

/* Read before, or by somebody else. */
static int
hosts_take_nothing(struct hosts_reader *r, const struct toml *t)
{
	(void)r;
	(void)t;
	return 0;
}

static const struct {
	const char *key;
	int (*take)(struct hosts_reader *r, const struct toml *t);
	bool root; /* of the file's own table only */
} hosts_members[] = {
	{ "ca", hosts_take_ca, false },
	{ "capabilities", hosts_take_capabilities, false },
	{ "client", hosts_take_client, false },
	{ "header", hosts_take_headers, false },
	{ "host", hosts_take_nothing, true },
	{ "override_path", hosts_take_nothing, false },
	{ "server", hosts_take_nothing, true },
	{ "skip_verify", hosts_take_verify, false },
};

static int
hosts_member(struct hosts_reader *r, const struct toml *t, bool root)
{
	for (size_t i = 0; i < sizeof(hosts_members) / sizeof(hosts_members[0]);
	     i++) {
		if (strcmp(hosts_members[i].key, t->key) == 0 &&
		    (root || !hosts_members[i].root))
			return hosts_members[i].take(r, t);
	}
	log_warn("%s:%u: %s is not known, and ignored", r->file->path, t->line,
	    t->key);
	return 0;
}

/* ---- places ---- */

static char *
hosts_strndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (p == NULL)
		fatal("strndup");
	return p;
}

static bool
hosts_path_valid(const char *s)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "/._~-";

	return strspn(s, set) == strlen(s) && strstr(s, "//") == NULL &&
	       strstr(s, "/.") == NULL && strlen(s) + 3 <= REGISTRY_ROOT_MAX;
}

/* [SCHEME://]HOST[:PORT][/PATH] */
static int
hosts_place(struct hosts_reader *r, const char *url, const struct toml *at,
    bool override)
{
	struct hosts_one *one = r->one;
	const char *s = url;
	size_t host, len;
	bool v2;

	one->plain = strncmp(url, "http://", 7) == 0;
	if (one->plain || strncmp(url, "https://", 8) == 0)
		s = strstr(url, "://") + 3;
	host = strcspn(s, "/");
	for (len = strlen(s + host); len > 0 && s[host + len - 1] == '/';)
		len--;
	one->host = hosts_strndup(s, host);
	one->root = hosts_strndup(s + host, len);
	if (!ref_domain_valid(one->host) || !hosts_path_valid(one->root))
		return toml_wrong(r->file->path, at, r->err,
		    "\"%s\" is not http[s]://HOST[:PORT][/PATH]", url);
	v2 = len >= 3 && strcmp(one->root + len - 3, "/v2") == 0;
	if (!override && !v2) {
		free(one->root);
		if (asprintf(&one->root, "%.*s/v2", (int)len, s + host) == -1)
			fatal("asprintf");
	}
	return 0;
}

/* url is NULL for the registry itself. */
static int
hosts_add(struct hosts_reader *r, struct hosts *h, const struct toml *table,
    const char *url)
{
	bool override;

	if (h->n == HOSTS_MAX)
		return toml_wrong(r->file->path, table, r->err,
		    "more than %d hosts", HOSTS_MAX - 1);
	r->one = &h->list[h->n++];
	r->one->pull = r->one->resolve = true;
	if (toml_want_flag(r->file->path, table, "override_path", &override,
		r->err) == -1)
		return -1;
	if (url != NULL && hosts_place(r, url, table, override) == -1)
		return -1;
	for (const struct toml *m = table->first; m != NULL; m = m->next) {
		if (hosts_member(r, m, table->key == NULL) == -1)
			return -1;
	}
	return 0;
}

static int
hosts_read(struct hosts_reader *r, const struct toml *doc, struct hosts *h)
{
	const char *name = r->file->path, *server;
	const struct toml *table;

	if (toml_want(name, doc, "host", TOML_TABLE, &table, r->err) == -1 ||
	    toml_want_text(name, doc, "server", &server, r->err) == -1)
		return -1;
	for (const struct toml *m = table == NULL ? NULL : table->first;
	     m != NULL; m = m->next) {
		if (m->type != TOML_TABLE)
			return toml_wrong(name, m, r->err,
			    "host \"%s\" must be a table", m->key);
		if (hosts_add(r, h, m, m->key) == -1)
			return -1;
	}
	return hosts_add(r, h, doc, server);
}

int
hosts_parse(const Criod__RegistryFile *file, Criod__RegistryFile *const *files,
    size_t nfiles, struct hosts *h, struct cerr *err)
{
	struct hosts_reader r = { .file = file,
		.files = files,
		.nfiles = nfiles,
		.err = err };
	struct toml *doc = toml_parse(file->path, (const char *)file->text.data,
	    file->text.len, err);
	int rc;

	memset(h, 0, sizeof(*h));
	if (doc == NULL)
		return -1;
	rc = hosts_read(&r, doc, h);
	toml_free(doc);
	if (rc == -1)
		hosts_clear(h);
	return rc;
}

void
hosts_clear(struct hosts *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->list[i].host);
		free(h->list[i].root);
		trust_clear(&h->list[i].trust);
	}
	memset(h, 0, sizeof(*h));
}
