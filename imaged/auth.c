#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/json.h"
#include "lib/log.h"

#include "imaged/auth.h"

void
auth_wipe(char *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}

static void *
auth_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("auth: calloc");
	return p;
}

static char *
auth_copy(const char *s, size_t len)
{
	char *p = auth_alloc(len + 1);

	if (len > 0)
		memcpy(p, s, len);
	return p;
}

/* ---- credentials ---- */

struct auth_creds *
auth_creds_ref(struct auth_creds *c)
{
	c->refs++;
	return c;
}

void
auth_creds_unref(struct auth_creds *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	auth_wipe(c->username);
	auth_wipe(c->password);
	auth_wipe(c->identity_token);
	auth_wipe(c->registry_token);
	explicit_bzero(c, sizeof(*c));
	free(c);
}

bool
auth_creds_any(const struct auth_creds *c)
{
	return c->username[0] != '\0' || c->password[0] != '\0' ||
	       c->identity_token[0] != '\0' || c->registry_token[0] != '\0';
}

static const char *
auth_text(const char *s)
{
	return s == NULL ? "" : s;
}

/* base64 of NAME:PASSWORD, as container tools store it. */
static const char *
auth_take_encoded(struct auth_creds *c, const char *encoded)
{
	size_t len = strlen(encoded), pad = 0, end = 0;
	unsigned char *raw;
	char *colon = NULL;
	int n;

	if (len == 0 || len % 4 != 0 || len > AUTH_FIELD_MAX)
		return "auth.auth is not base64";
	while (pad < 2 && encoded[len - 1 - pad] == '=')
		pad++;
	raw = auth_alloc(len);
	n = EVP_DecodeBlock(raw, (const unsigned char *)encoded, (int)len);
	if (n >= (int)pad) {
		end = (size_t)n - pad;
		raw[end] = '\0';
		if (strlen((char *)raw) == end)
			colon = strchr((char *)raw, ':');
	}
	if (colon != NULL) {
		auth_wipe(c->username);
		auth_wipe(c->password);
		c->username =
		    auth_copy((char *)raw, (size_t)(colon - (char *)raw));
		c->password = auth_copy(colon + 1, strlen(colon + 1));
	}
	explicit_bzero(raw, len);
	free(raw);
	return colon != NULL ? NULL
			     : "auth.auth is not base64 of NAME:PASSWORD";
}

/* HOST[:PORT] of "https://HOST[:PORT]/v1/" or of itself. */
static int
auth_take_server(struct auth_creds *c, const char *address)
{
	const char *host = strstr(address, "://");
	size_t n;

	host = host == NULL ? address : host + 3;
	n = strcspn(host, "/");
	if (n >= sizeof(c->server))
		return -1;
	for (size_t i = 0; i < n; i++)
		c->server[i] = (char)tolower((unsigned char)host[i]);
	return 0;
}

/* One number for credentials: parts with their lengths, hashed. */
static void
auth_key(struct auth_creds *c)
{
	const char *const parts[] = { c->username, c->password,
		c->identity_token, c->registry_token, c->server };
	struct digest *d = digest_new();

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		digest_update(d, parts[i], strlen(parts[i]) + 1);
	digest_final(d, c->key);
	digest_free(d);
}

/* Tokens become header fields as they are. */
static bool
auth_token_valid(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f)
			return false;
	}
	return n <= AUTH_TOKEN_MAX;
}

static const char *
auth_creds_check(const struct auth_creds *c)
{
	if (strlen(c->username) > AUTH_FIELD_MAX ||
	    strlen(c->password) > AUTH_FIELD_MAX)
		return "auth: a part is over 16 KiB";
	if (strchr(c->username, ':') != NULL)
		return "auth.username has a colon";
	if (!auth_token_valid(c->identity_token))
		return "auth.identity_token has characters no token has";
	if (!auth_token_valid(c->registry_token))
		return "auth.registry_token has characters no token has";
	return NULL;
}

int
auth_creds_new(const struct auth_given *g, struct auth_creds **creds,
    struct cerr *err)
{
	struct auth_creds *c = auth_alloc(sizeof(*c));
	const char *auth = auth_text(g->auth), *why = NULL;

	c->refs = 1;
	c->username = auth_copy(g->username, strlen(auth_text(g->username)));
	c->password = auth_copy(g->password, strlen(auth_text(g->password)));
	c->identity_token =
	    auth_copy(g->identity_token, strlen(auth_text(g->identity_token)));
	c->registry_token =
	    auth_copy(g->registry_token, strlen(auth_text(g->registry_token)));
	if (c->username[0] == '\0' && auth[0] != '\0')
		why = auth_take_encoded(c, auth);
	if (why == NULL &&
	    auth_take_server(c, auth_text(g->server_address)) == -1)
		why = "auth.server_address is too long";
	if (why == NULL)
		why = auth_creds_check(c);
	if (why != NULL) {
		auth_creds_unref(c);
		return cerr_set(err, CERR_INVALID_ARGUMENT, "%s", why);
	}
	auth_key(c);
	*creds = c;
	return 0;
}

struct auth_creds *
auth_creds_none(void)
{
	static const struct auth_given none;
	struct auth_creds *c;

	if (auth_creds_new(&none, &c, NULL) == -1)
		fatalx("auth: no credentials");
	return c;
}

static bool
auth_is_docker(const char *host)
{
	return strcmp(host, "docker.io") == 0 ||
	       strcmp(host, "index.docker.io") == 0 ||
	       strcmp(host, "registry-1.docker.io") == 0;
}

bool
auth_creds_for(const struct auth_creds *c, const char *host)
{
	return c->server[0] == '\0' || strcasecmp(c->server, host) == 0 ||
	       (auth_is_docker(c->server) && auth_is_docker(host));
}

/* ---- challenges ---- */

struct auth_scan {
	const char *p, *end;
};

static bool
auth_is_tchar(char ch)
{
	return isalnum((unsigned char)ch) ||
	       (ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL);
}

static void
auth_skip(struct auth_scan *s, const char *set)
{
	while (s->p < s->end && *s->p != '\0' && strchr(set, *s->p) != NULL)
		s->p++;
}

/* A token of RFC 9110 into out; -1 if there is none or it is too long. */
static int
auth_scan_token(struct auth_scan *s, char *out, size_t size)
{
	size_t n = 0;

	while (s->p < s->end && auth_is_tchar(*s->p)) {
		if (n + 1 >= size)
			return -1;
		out[n++] = *s->p++;
	}
	out[n] = '\0';
	return n > 0 ? 0 : -1;
}

static int
auth_scan_quoted(struct auth_scan *s, char *out, size_t size)
{
	size_t n = 0;

	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && ++s->p == s->end)
			return -1;
		if (*s->p < ' ' || *s->p >= 0x7f || n + 1 >= size)
			return -1;
		out[n++] = *s->p;
	}
	out[n] = '\0';
	if (s->p == s->end)
		return -1;
	s->p++; /* the closing quote */
	return 0;
}

#define AUTH_NAME_MAX 64

/* Where a parameter goes; what is not known goes to scratch. */
static int
auth_scan_value(struct auth_scan *s, const char *name, struct auth_challenge *c)
{
	char scratch[2048];
	char *out = scratch;
	size_t size = sizeof(scratch);

	if (strcasecmp(name, "realm") == 0) {
		out = c->realm;
		size = sizeof(c->realm);
	} else if (strcasecmp(name, "service") == 0) {
		out = c->service;
		size = sizeof(c->service);
	} else if (strcasecmp(name, "scope") == 0) {
		out = c->scope;
		size = sizeof(c->scope);
	}
	if (out != scratch && out[0] != '\0')
		return -1; /* said twice */
	if (s->p < s->end && *s->p == '"')
		return auth_scan_quoted(s, out, size);
	return auth_scan_token(s, out, size);
}

/*
 * The parameters after a scheme, up to the end of the line or the next scheme,
 * whose name is left in next.
 */
static int
auth_scan_params(struct auth_scan *s, struct auth_challenge *c,
    char next[AUTH_NAME_MAX])
{
	next[0] = '\0';
	for (;;) {
		char name[AUTH_NAME_MAX];

		auth_skip(s, " \t,");
		if (s->p == s->end)
			return 0;
		if (auth_scan_token(s, name, sizeof(name)) == -1)
			return -1;
		if (s->p == s->end || *s->p != '=') {
			memcpy(next, name, sizeof(name));
			return s->p == s->end || *s->p == ' ' || *s->p == ','
				   ? 0
				   : -1;
		}
		s->p++;
		if (auth_scan_value(s, name, c) == -1)
			return -1;
		if (s->p < s->end && strchr(" \t,", *s->p) == NULL)
			return -1;
	}
}

static enum auth_scheme
auth_scheme_of(const char *name)
{
	if (strcasecmp(name, "bearer") == 0)
		return AUTH_BEARER;
	return strcasecmp(name, "basic") == 0 ? AUTH_BASIC : AUTH_NONE;
}

static int
auth_challenge_line(struct auth_scan *s, struct auth_challenge *best)
{
	char name[AUTH_NAME_MAX];

	auth_skip(s, " \t,");
	if (s->p == s->end)
		return 0;
	if (auth_scan_token(s, name, sizeof(name)) == -1)
		return -1;
	while (name[0] != '\0') {
		struct auth_challenge c = { .scheme = auth_scheme_of(name) };

		if (auth_scan_params(s, &c, name) == -1)
			return -1;
		if (c.scheme > best->scheme)
			*best = c;
	}
	return 0;
}

int
auth_challenge_parse(const char *text, size_t len, struct auth_challenge *c)
{
	memset(c, 0, sizeof(*c));
	if (len > AUTH_CHALLENGE_MAX || memchr(text, '\0', len) != NULL)
		return -1;
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - text);
		struct auth_scan s = { text, text + n };

		if (auth_challenge_line(&s, c) == -1)
			return -1;
		n += nl != NULL;
		text += n;
		len -= n;
	}
	if (c->scheme == AUTH_BEARER && c->realm[0] == '\0')
		return -1;
	return c->scheme == AUTH_NONE ? -1 : 0;
}

/* ---- token servers ---- */

static bool
auth_is_address(const char *host)
{
	return strchr(host, ':') != NULL ||
	       strspn(host, "0123456789.") == strlen(host);
}

/* The last count labels of host; NULL if it has fewer. */
static const char *
auth_last_labels(const char *host, int count)
{
	const char *p = host + strlen(host);

	while (p > host && count > 0) {
		p--;
		if (*p == '.' && --count == 0)
			return p + 1;
	}
	return count == 1 && p == host ? host : NULL;
}

/* "co.uk" and its like, under which unrelated sites live. */
static bool
auth_is_broad(const char *two_labels)
{
	const char *dot = strchr(two_labels, '.');

	return dot - two_labels <= 3 && strlen(dot + 1) == 2;
}

bool
auth_same_site(const char *registry, const char *realm_host)
{
	const char *a, *b;

	if (strcasecmp(registry, realm_host) == 0)
		return true;
	if (auth_is_address(registry) || auth_is_address(realm_host))
		return false;
	a = auth_last_labels(registry, 2);
	b = auth_last_labels(realm_host, 2);
	if (a == NULL || b == NULL)
		return false;
	if (auth_is_broad(a)) {
		a = auth_last_labels(registry, 3);
		b = auth_last_labels(realm_host, 3);
	}
	return a != NULL && b != NULL && strcasecmp(a, b) == 0;
}

/* Appends s percent-encoded; false if it does not fit. */
static bool
auth_append(char *out, size_t size, const char *s, bool encode)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = strlen(out);

	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (n + 4 > size)
			return false;
		if (!encode || isalnum(ch) || strchr("-._~:/,", ch) != NULL) {
			out[n++] = (char)ch;
		} else {
			out[n++] = '%';
			out[n++] = hex[ch >> 4];
			out[n++] = hex[ch & 15];
		}
		out[n] = '\0';
	}
	return true;
}

int
auth_token_url(const struct auth_challenge *c, const char *scope,
    char url[AUTH_URL_SIZE])
{
	const char *key = strchr(c->realm, '?') == NULL ? "?scope=" : "&scope=";
	bool ok;

	if (c->scope[0] != '\0')
		scope = c->scope;
	url[0] = '\0';
	ok = auth_append(url, AUTH_URL_SIZE, c->realm, false) &&
	     auth_append(url, AUTH_URL_SIZE, key, false) &&
	     auth_append(url, AUTH_URL_SIZE, scope, true);
	if (ok && c->service[0] != '\0')
		ok = auth_append(url, AUTH_URL_SIZE, "&service=", false) &&
		     auth_append(url, AUTH_URL_SIZE, c->service, true);
	return ok ? 0 : -1;
}

char *
auth_token_form(const struct auth_challenge *c, const char *scope,
    const struct auth_creds *creds)
{
	const char *const parts[][2] = {
		{ "grant_type=", "refresh_token" },
		{ "&client_id=", "criod" },
		{ "&service=", c->service },
		{ "&scope=", c->scope[0] != '\0' ? c->scope : scope },
		{ "&refresh_token=", creds->identity_token },
	};
	size_t text = strlen(c->service) + strlen(c->scope) + strlen(scope) +
		      strlen(creds->identity_token);
	size_t size = 3 * text + 192; /* each byte may become %XX */
	char *form = auth_alloc(size);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		(void)auth_append(form, size, parts[i][0], false);
		(void)auth_append(form, size, parts[i][1], true);
	}
	return form;
}

int
auth_token_parse(const void *buf, size_t len, char **token, struct cerr *err)
{
	struct cerr why;
	const char *s = "";
	json_t *doc =
	    json_read_bounded("token", buf, len, AUTH_REPLY_MAX, &why);
	int rc =
	    doc == NULL ? -1 : json_want_str(doc, "token", false, &s, &why);

	if (rc == 0 && s[0] == '\0')
		rc = json_want_str(doc, "access_token", true, &s, &why);
	if (rc == 0 && (s[0] == '\0' || !auth_token_valid(s))) {
		(void)cerr_set(&why, CERR_DATA_LOSS, "not a valid token");
		rc = -1;
	}
	if (rc == 0)
		*token = auth_copy(s, strlen(s));
	else
		(void)cerr_set(err, CERR_DATA_LOSS, "token server's reply: %s",
		    why.text);
	json_decref(doc);
	return rc;
}

char *
auth_basic(const struct auth_creds *c)
{
	size_t n = strlen(c->username) + 1 + strlen(c->password);
	char *raw = auth_alloc(n + 1);
	char *out = auth_alloc(6 + 4 * ((n + 2) / 3) + 1);

	(void)snprintf(raw, n + 1, "%s:%s", c->username, c->password);
	memcpy(out, "Basic ", 6);
	(void)EVP_EncodeBlock((unsigned char *)out + 6, (unsigned char *)raw,
	    (int)n);
	auth_wipe(raw);
	return out;
}

char *
auth_bearer(const char *token)
{
	size_t n = strlen(token) + sizeof("Bearer ");
	char *out = auth_alloc(n);

	(void)snprintf(out, n, "Bearer %s", token);
	return out;
}
