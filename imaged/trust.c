#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/registry.h"
#include "imaged/trust.h"

static void *
trust_grow(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (p == NULL)
		fatal("trust: reallocarray");
	return p;
}

static uint8_t *
trust_copy(const void *buf, size_t len)
{
	uint8_t *p = trust_grow(NULL, len + 1, 1);

	if (len > 0)
		memcpy(p, buf, len);
	p[len] = '\0';
	return p;
}

static int
trust_wrong(struct cerr *err, const char *name, const char *why)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s: %s", name, why);
}

static bool
trust_has(const void *pem, size_t len, const char *what)
{
	return memmem(pem, len, what, strlen(what)) != NULL;
}

int
trust_add_ca(struct trust *t, const char *name, const void *pem, size_t len,
    struct cerr *err)
{
	if (!trust_has(pem, len, "-----BEGIN CERTIFICATE-----"))
		return trust_wrong(err, name, "has no certificate (PEM)");
	t->ca = trust_grow(t->ca, t->ca_len + len + 1, 1);
	memcpy(t->ca + t->ca_len, pem, len);
	t->ca_len += len;
	t->ca[t->ca_len++] = '\n';
	return 0;
}

int
trust_add_client(struct trust *t, const char *name, const void *cert,
    size_t cert_len, const void *key, size_t key_len, struct cerr *err)
{
	struct registry_client *c;

	if (!trust_has(cert, cert_len, "-----BEGIN CERTIFICATE-----"))
		return trust_wrong(err, name, "has no certificate (PEM)");
	if (!trust_has(key, key_len, "PRIVATE KEY-----"))
		return trust_wrong(err, name, "has no private key (PEM)");
	if (t->nclients == TRUST_CLIENTS_MAX)
		return trust_wrong(err, name, "too many client certificates");
	t->clients =
	    trust_grow(t->clients, t->nclients + 1, sizeof(*t->clients));
	c = &t->clients[t->nclients++];
	*c = (struct registry_client){
		.cert = trust_copy(cert, cert_len),
		.cert_len = cert_len,
		.key = trust_copy(key, key_len),
		.key_len = key_len,
	};
	return 0;
}

/* Fields that are libcurl's to say. */
static bool
trust_is_reserved(const char *field)
{
	static const char *const reserved[] = { "host", "connection",
		"content-length", "transfer-encoding", "range" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (strcasecmp(field, reserved[i]) == 0)
			return true;
	}
	return false;
}

static bool
trust_value_valid(const char *s)
{
	if (strlen(s) > TRUST_HEADER_MAX)
		return false;
	for (; *s != '\0'; s++) {
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	}
	return true;
}

int
trust_add_header(struct trust *t, const char *name, const char *field,
    const char *value, struct cerr *err)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "!#$%&'*+-.^_`|~";
	size_t n = strlen(field);
	struct registry_header *h;

	if (n == 0 || n > TRUST_HEADER_MAX || strspn(field, set) != n ||
	    trust_is_reserved(field))
		return trust_wrong(err, name, "a header that cannot be set");
	if (!trust_value_valid(value))
		return trust_wrong(err, name, "a header's value is not valid");
	if (t->nheaders == TRUST_HEADERS_MAX)
		return trust_wrong(err, name, "too many headers");
	t->headers =
	    trust_grow(t->headers, t->nheaders + 1, sizeof(*t->headers));
	h = &t->headers[t->nheaders++];
	h->name = (char *)trust_copy(field, n);
	h->value = (char *)trust_copy(value, strlen(value));
	return 0;
}

/* line is without its end, and cut up. */
static int
trust_add_header_line(struct trust *t, const char *name, char *line,
    struct cerr *err)
{
	char *value = strchr(line, ':');

	if (*line == '\0' || *line == '#')
		return 0;
	if (value == NULL)
		return trust_wrong(err, name, "a header without a colon");
	*value++ = '\0';
	value += strspn(value, " \t");
	return trust_add_header(t, name, line, value, err);
}

int
trust_add_header_lines(struct trust *t, const char *name, const char *text,
    size_t len, struct cerr *err)
{
	char *copy = (char *)trust_copy(text, len), *next = copy, *line;
	int rc = 0;

	while (rc == 0 && (line = strsep(&next, "\n")) != NULL) {
		size_t n = strlen(line);

		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = '\0';
		rc = trust_add_header_line(t, name, line, err);
	}
	explicit_bzero(copy, len);
	free(copy);
	return rc;
}

/* ---- directories of files ---- */

/* The base name if f is in dir and of kind, and ends so; else NULL. */
static const char *
trust_in_dir(const Criod__RegistryFile *f, unsigned int kind, const char *dir,
    const char *end)
{
	size_t d = strlen(dir), n = strlen(f->path), e = strlen(end);

	if ((unsigned int)f->kind != kind || n < d + 1 + e ||
	    strncmp(f->path, dir, d) != 0 || f->path[d] != '/' ||
	    strchr(f->path + d + 1, '/') != NULL ||
	    strcmp(f->path + n - e, end) != 0)
		return NULL;
	return f->path + d + 1;
}

/* The file beside f whose name is f's with another end. */
static const Criod__RegistryFile *
trust_pair(Criod__RegistryFile *const *files, size_t nfiles,
    const Criod__RegistryFile *f, const char *end, const char *other)
{
	size_t stem = strlen(f->path) - strlen(end);

	for (size_t i = 0; i < nfiles; i++) {
		if (files[i]->kind == f->kind &&
		    strncmp(files[i]->path, f->path, stem) == 0 &&
		    strcmp(files[i]->path + stem, other) == 0)
			return files[i];
	}
	return NULL;
}

static int
trust_add_file(struct trust *t, Criod__RegistryFile *const *files,
    size_t nfiles, size_t i, const char *dir, struct cerr *err)
{
	const Criod__RegistryFile *f = files[i], *key;

	if (trust_in_dir(f, f->kind, dir, ".crt") != NULL)
		return trust_add_ca(t, f->path, f->text.data, f->text.len, err);
	if (trust_in_dir(f, f->kind, dir, ".key") != NULL &&
	    trust_pair(files, nfiles, f, ".key", ".cert") == NULL)
		return trust_wrong(err, f->path,
		    "a key without its certificate, *.cert");
	if (trust_in_dir(f, f->kind, dir, ".cert") == NULL)
		return 0;
	key = trust_pair(files, nfiles, f, ".cert", ".key");
	if (key == NULL)
		return trust_wrong(err, f->path,
		    "a client's certificate without its key, *.key");
	return trust_add_client(t, f->path, f->text.data, f->text.len,
	    key->text.data, key->text.len, err);
}

int
trust_add_dir(struct trust *t, Criod__RegistryFile *const *files, size_t nfiles,
    unsigned int kind, const char *dir, struct cerr *err)
{
	for (size_t i = 0; i < nfiles; i++) {
		if (trust_in_dir(files[i], kind, dir, "") != NULL &&
		    trust_add_file(t, files, nfiles, i, dir, err) == -1)
			return -1;
	}
	return 0;
}

bool
trust_any(const struct trust *t)
{
	return t->ca != NULL || t->nclients > 0;
}

static void
trust_wipe(const void *p, size_t len)
{
	void *q;

	memcpy(&q, &p, sizeof(q));
	if (q != NULL)
		explicit_bzero(q, len);
	free(q);
}

void
trust_clear(struct trust *t)
{
	for (size_t i = 0; i < t->nclients; i++) {
		trust_wipe(t->clients[i].cert, t->clients[i].cert_len);
		trust_wipe(t->clients[i].key, t->clients[i].key_len);
	}
	for (size_t i = 0; i < t->nheaders; i++) {
		trust_wipe(t->headers[i].name, strlen(t->headers[i].name));
		trust_wipe(t->headers[i].value, strlen(t->headers[i].value));
	}
	free(t->clients);
	free(t->headers);
	free(t->ca);
	memset(t, 0, sizeof(*t));
}
