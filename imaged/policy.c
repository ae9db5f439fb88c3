#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/json.h"
#include "lib/log.h"

#include "imaged/policy.h"

struct policy {
	struct policy_scope fallback; /* "default" */
	struct policy_scope *scopes;  /* of the docker transport */
	size_t nscopes;
};

static void *
policy_alloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size);

	if (p == NULL)
		fatal("policy: calloc");
	return p;
}

static int
policy_fail(struct cerr *err, const char *why)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s", why);
}

/* ---- the end of it ---- */

static void
policy_keys_free(struct policy_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		free(keys->list[i].path);
		free(keys->list[i].data);
	}
}

static void
policy_req_free(struct policy_req *r)
{
	policy_keys_free(&r->keys);
	policy_keys_free(&r->roots);
	policy_keys_free(&r->intermediates);
	policy_keys_free(&r->rekor);
	free(r->identity.name);
	free(r->identity.signed_name);
	free(r->issuer);
	free(r->email);
	free(r->host);
	free(r);
}

static void
policy_scope_clear(struct policy_scope *s)
{
	for (size_t i = 0; i < s->nreqs; i++)
		policy_req_free(s->reqs[i]);
	free(s->name);
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	policy_scope_clear(&p->fallback);
	for (size_t i = 0; i < p->nscopes; i++)
		policy_scope_clear(&p->scopes[i]);
	free(p->scopes);
	free(p);
}

/* ---- members ---- */

/* Members that are not in names (NULL ends it) make a policy unusable. */
static int
policy_known(json_t *obj, const char *const *names, struct cerr *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(obj, key, value) {
		size_t i = 0;

		while (names[i] != NULL && strcmp(names[i], key) != 0)
			i++;
		if (names[i] == NULL)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "unknown member \"%.64s\"", key);
	}
	return 0;
}

/* A text with something in it, on one line; NULL if absent. */
static int
policy_take_text(json_t *obj, const char *key, char **out, struct cerr *err)
{
	json_t *v;
	const char *s;

	*out = NULL;
	if (json_object_get(obj, key) == NULL)
		return 0;
	if (json_want(obj, key, JSON_STRING, true, &v, err) == -1)
		return -1;
	s = json_string_value(v);
	if (*s == '\0' || strlen(s) > POLICY_TEXT_MAX ||
	    strpbrk(s, "\r\n\t") != NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%s\" is empty, too long or not one line", key);
	*out = strdup(s);
	if (*out == NULL)
		fatal("policy: strdup");
	return 0;
}

static int
policy_need_text(json_t *obj, const char *key, char **out, struct cerr *err)
{
	if (policy_take_text(obj, key, out, err) == -1)
		return -1;
	if (*out == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "\"%s\" is missing",
		    key);
	return 0;
}

static int
policy_decode(const json_t *v, struct policy_key *key)
{
	struct base64 b = { 0 };
	size_t len = json_string_length(v);
	ssize_t n;

	key->data = policy_alloc(len + 1, 1);
	memcpy(key->data, json_string_value(v), len);
	n = base64_decode(&b, key->data, len, key->data);
	if (n <= 0 || base64_end(&b) == -1 || n > POLICY_KEY_MAX)
		return -1;
	key->len = (size_t)n;
	return 0;
}

static int
policy_add_key(struct policy_keys *keys, const char *name, const json_t *v,
    bool data, struct cerr *err)
{
	struct policy_key *key = &keys->list[keys->n];

	if (keys->n == POLICY_KEYS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%s\" has more than %d", name, POLICY_KEYS_MAX);
	if (!json_is_string(v))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%s\" is not text", name);
	keys->n++;
	if (data) {
		if (policy_decode(v, key) == -1)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "\"%s\" is not base64 of at most %u bytes", name,
			    POLICY_KEY_MAX);
		return 0;
	}
	if (*json_string_value(v) != '/' ||
	    json_string_length(v) > POLICY_TEXT_MAX ||
	    strpbrk(json_string_value(v), "\r\n\t") != NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%s\" is not an absolute path", name);
	key->path = strdup(json_string_value(v));
	if (key->path == NULL)
		fatal("policy: strdup");
	return 0;
}

/* The four ways to give keys: BASEPath, BASEPaths, BASEData, BASEDatas. */
static int
policy_take_keys(json_t *obj, const char *base, struct policy_keys *keys,
    struct cerr *err)
{
	static const char *const ends[] = { "Path", "Paths", "Data", "Datas" };
	char name[64];
	json_t *v, *one;
	size_t i, ways = 0;

	for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
		(void)snprintf(name, sizeof(name), "%s%s", base, ends[k]);
		v = json_object_get(obj, name);
		if (v == NULL)
			continue;
		ways++;
		if (k % 2 == 0) {
			if (policy_add_key(keys, name, v, k >= 2, err) == -1)
				return -1;
			continue;
		}
		if (!json_is_array(v) || json_array_size(v) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "\"%s\" is not a list with something in it", name);
		json_array_foreach(v, i, one) {
			if (policy_add_key(keys, name, one, k >= 2, err) == -1)
				return -1;
		}
	}
	if (ways > 1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "only one of \"%s...\" may be there", base);
	return 0;
}

/* ---- signedIdentity ---- */

bool
policy_ref_precise(const char *text)
{
	const char *last = strrchr(text, '/');

	return strpbrk(last != NULL ? last : text, ":@") != NULL;
}

static int
policy_identity_none(json_t *obj, struct policy_identity *id, struct cerr *err)
{
	static const char *const names[] = { "type", NULL };

	(void)id;
	return policy_known(obj, names, err);
}

static int
policy_identity_reference(json_t *obj, struct policy_identity *id,
    struct cerr *err)
{
	static const char *const names[] = { "type", "dockerReference", NULL };
	struct ref ref;

	if (policy_known(obj, names, err) == -1 ||
	    policy_need_text(obj, names[1], &id->name, err) == -1)
		return -1;
	if (ref_parse(id->name, &ref, err) == -1)
		return -1;
	if (!policy_ref_precise(id->name))
		return policy_fail(err,
		    "\"dockerReference\" has neither tag nor digest");
	return 0;
}

static int
policy_identity_repository(json_t *obj, struct policy_identity *id,
    struct cerr *err)
{
	static const char *const names[] = { "type", "dockerRepository", NULL };
	struct ref ref;

	if (policy_known(obj, names, err) == -1 ||
	    policy_need_text(obj, names[1], &id->name, err) == -1)
		return -1;
	return ref_parse(id->name, &ref, err);
}

static int
policy_identity_remap(json_t *obj, struct policy_identity *id, struct cerr *err)
{
	static const char *const names[] = { "type", "prefix", "signedPrefix",
		NULL };

	if (policy_known(obj, names, err) == -1 ||
	    policy_need_text(obj, names[1], &id->name, err) == -1)
		return -1;
	return policy_need_text(obj, names[2], &id->signed_name, err);
}

static const struct {
	const char *name;
	enum policy_match match;
	int (*parse)(json_t *obj, struct policy_identity *id, struct cerr *err);
} policy_matches[] = {
	{ "matchExact", POLICY_MATCH_EXACT, policy_identity_none },
	{ "matchRepoDigestOrExact", POLICY_MATCH_REPO_DIGEST_OR_EXACT,
	    policy_identity_none },
	{ "matchRepository", POLICY_MATCH_REPOSITORY, policy_identity_none },
	{ "exactReference", POLICY_MATCH_EXACT_REFERENCE,
	    policy_identity_reference },
	{ "exactRepository", POLICY_MATCH_EXACT_REPOSITORY,
	    policy_identity_repository },
	{ "remapIdentity", POLICY_MATCH_REMAP, policy_identity_remap },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
policy_take_identity(json_t *obj, struct policy_identity *id, struct cerr *err)
{
	json_t *v = json_object_get(obj, "signedIdentity");
	const char *type;

	if (v == NULL)
		return 0;
	if (json_want_str(v, "type", true, &type, err) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(policy_matches); i++) {
		if (strcmp(policy_matches[i].name, type) != 0)
			continue;
		id->match = policy_matches[i].match;
		return policy_matches[i].parse(v, id, err);
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "\"signedIdentity\" of the unknown type \"%.64s\"", type);
}

/* ---- requirements ---- */

static int
policy_req_plain(json_t *obj, struct policy_req *r, struct cerr *err)
{
	static const char *const names[] = { "type", NULL };

	(void)r;
	return policy_known(obj, names, err);
}

static int
policy_req_signed_by(json_t *obj, struct policy_req *r, struct cerr *err)
{
	static const char *const names[] = { "type", "keyType", "keyPath",
		"keyPaths", "keyData", "signedIdentity", NULL };
	const char *type;

	if (policy_known(obj, names, err) == -1 ||
	    json_want_str(obj, "keyType", true, &type, err) == -1)
		return -1;
	if (strcmp(type, "GPGKeys") != 0)
		return policy_fail(err, "\"keyType\" is not GPGKeys");
	if (policy_take_keys(obj, "key", &r->keys, err) == -1)
		return -1;
	if (r->keys.n == 0)
		return policy_fail(err, "signedBy has no key");
	return policy_take_identity(obj, &r->identity, err);
}

static int
policy_req_fulcio(json_t *obj, struct policy_req *r, struct cerr *err)
{
	static const char *const names[] = { "caPath", "caData", "oidcIssuer",
		"subjectEmail", NULL };

	if (!json_is_object(obj))
		return policy_fail(err, "\"fulcio\" is not an object");
	r->fulcio = true;
	if (policy_known(obj, names, err) == -1 ||
	    policy_take_keys(obj, "ca", &r->roots, err) == -1 ||
	    policy_need_text(obj, "oidcIssuer", &r->issuer, err) == -1)
		return -1;
	return policy_need_text(obj, "subjectEmail", &r->email, err);
}

static int
policy_req_pki(json_t *obj, struct policy_req *r, struct cerr *err)
{
	static const char *const names[] = { "caRootsPath", "caRootsData",
		"caIntermediatesPath", "caIntermediatesData", "subjectEmail",
		"subjectHostname", NULL };

	if (!json_is_object(obj))
		return policy_fail(err, "\"pki\" is not an object");
	if (policy_known(obj, names, err) == -1 ||
	    policy_take_keys(obj, "caRoots", &r->roots, err) == -1 ||
	    policy_take_keys(obj, "caIntermediates", &r->intermediates, err) ==
		-1 ||
	    policy_take_text(obj, "subjectEmail", &r->email, err) == -1 ||
	    policy_take_text(obj, "subjectHostname", &r->host, err) == -1)
		return -1;
	if (r->email == NULL && r->host == NULL)
		return policy_fail(err, "\"pki\" has no subject");
	return 0;
}

static int
policy_sigstore_whole(const struct policy_req *r, size_t ways, struct cerr *err)
{
	if (ways != 1)
		return policy_fail(err,
		    "sigstoreSigned wants one of \"key...\", \"fulcio\" and "
		    "\"pki\"");
	if (r->keys.n == 0 && r->roots.n == 0)
		return policy_fail(err, "sigstoreSigned has no certificates");
	if (r->fulcio && r->rekor.n == 0)
		return policy_fail(err,
		    "\"fulcio\" is nothing without \"rekorPublicKey...\"");
	if (r->roots.n > 0 && !r->fulcio && r->rekor.n > 0)
		return policy_fail(err,
		    "\"pki\" and \"rekorPublicKey...\" exclude each other");
	return 0;
}

static int
policy_req_sigstore(json_t *obj, struct policy_req *r, struct cerr *err)
{
	static const char *const names[] = { "type", "keyPath", "keyPaths",
		"keyData", "keyDatas", "fulcio", "pki", "rekorPublicKeyPath",
		"rekorPublicKeyPaths", "rekorPublicKeyData",
		"rekorPublicKeyDatas", "signedIdentity", NULL };
	json_t *fulcio = json_object_get(obj, "fulcio");
	json_t *pki = json_object_get(obj, "pki");
	size_t ways = 0;

	if (fulcio != NULL && pki != NULL)
		return policy_fail(err, "both \"fulcio\" and \"pki\"");
	if (policy_known(obj, names, err) == -1 ||
	    policy_take_keys(obj, "key", &r->keys, err) == -1 ||
	    policy_take_keys(obj, "rekorPublicKey", &r->rekor, err) == -1 ||
	    (fulcio != NULL && policy_req_fulcio(fulcio, r, err) == -1) ||
	    (pki != NULL && policy_req_pki(pki, r, err) == -1))
		return -1;
	ways += r->keys.n > 0 ? 1 : 0;
	ways += fulcio != NULL ? 1 : 0;
	ways += pki != NULL ? 1 : 0;
	if (policy_sigstore_whole(r, ways, err) == -1)
		return -1;
	return policy_take_identity(obj, &r->identity, err);
}

static const struct {
	const char *name;
	enum policy_type type;
	int (*parse)(json_t *obj, struct policy_req *r, struct cerr *err);
} policy_types[] = {
	{ "insecureAcceptAnything", POLICY_ACCEPT, policy_req_plain },
	{ "reject", POLICY_REJECT, policy_req_plain },
	{ "signedBy", POLICY_SIGNED_BY, policy_req_signed_by },
	{ "sigstoreSigned", POLICY_SIGSTORE, policy_req_sigstore },
};

static int
policy_take_req(json_t *obj, struct policy_req *r, struct cerr *err)
{
	const char *type;

	if (json_want_str(obj, "type", true, &type, err) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(policy_types); i++) {
		if (strcmp(policy_types[i].name, type) != 0)
			continue;
		r->type = policy_types[i].type;
		return policy_types[i].parse(obj, r, err);
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "a requirement of the unknown type \"%.64s\"", type);
}

/* ---- scopes ---- */

static int
policy_take_scope(const char *name, json_t *list, struct policy_scope *s,
    struct cerr *err)
{
	size_t i;
	json_t *one;

	s->name = strdup(name);
	if (s->name == NULL)
		fatal("policy: strdup");
	if (!json_is_array(list) || json_array_size(list) == 0)
		return policy_fail(err,
		    "requirements are not a list with something in it");
	if (json_array_size(list) > POLICY_REQS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %d requirements", POLICY_REQS_MAX);
	json_array_foreach(list, i, one) {
		s->reqs[i] = policy_alloc(1, sizeof(struct policy_req));
		s->nreqs++;
		if (policy_take_req(one, s->reqs[i], err) == -1)
			return -1;
	}
	return 0;
}

static void
policy_where(struct cerr *err, const char *transport, const char *scope)
{
	struct cerr why = *err;

	(void)cerr_set(err, why.code, "%.32s \"%.256s\": %s", transport, scope,
	    why.text);
}

/* Other transports' scopes must be right too, but are not kept. */
static int
policy_take_transport(struct policy *p, const char *transport, json_t *obj,
    struct cerr *err)
{
	bool keep = strcmp(transport, "docker") == 0;
	const char *name;
	json_t *list;

	if (!json_is_object(obj) || json_object_size(obj) > POLICY_SCOPES_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "transport \"%.64s\" is not an object of at most %d scopes",
		    transport, POLICY_SCOPES_MAX);
	if (keep)
		p->scopes =
		    policy_alloc(json_object_size(obj), sizeof(*p->scopes));
	json_object_foreach(obj, name, list) {
		struct policy_scope other = { 0 };
		struct policy_scope *s =
		    keep ? &p->scopes[p->nscopes++] : &other;
		int rc = policy_take_scope(name, list, s, err);

		policy_scope_clear(&other);
		if (rc == -1) {
			policy_where(err, transport, name);
			return -1;
		}
	}
	return 0;
}

static int
policy_take(struct policy *p, json_t *doc, struct cerr *err)
{
	static const char *const names[] = { "default", "transports", NULL };
	json_t *transports, *obj;
	const char *name;

	if (policy_known(doc, names, err) == -1)
		return -1;
	if (policy_take_scope("", json_object_get(doc, "default"), &p->fallback,
		err) == -1) {
		policy_where(err, "default", "");
		return -1;
	}
	transports = json_object_get(doc, "transports");
	if (transports == NULL)
		return 0;
	if (!json_is_object(transports))
		return policy_fail(err, "\"transports\" is not an object");
	json_object_foreach(transports, name, obj) {
		if (policy_take_transport(p, name, obj, err) == -1)
			return -1;
	}
	return 0;
}

struct policy *
policy_parse(const char *what, const void *buf, size_t len, struct cerr *err)
{
	struct policy *p;
	struct cerr why;
	json_t *doc = json_read_bounded(what, buf, len, POLICY_MAX, err);

	if (doc == NULL)
		return NULL;
	p = policy_alloc(1, sizeof(*p));
	if (!json_is_object(doc) || policy_take(p, doc, &why) == -1) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT, "%s: %s", what,
		    json_is_object(doc) ? why.text : "not an object");
		policy_free(p);
		p = NULL;
	}
	json_decref(doc);
	return p;
}

/* ---- files ---- */

static void
policy_each_key(struct policy_keys *keys,
    void (*fn)(void *arg, struct policy_key *key), void *arg)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->list[i].path != NULL)
			fn(arg, &keys->list[i]);
	}
}

static void
policy_scope_files(struct policy_scope *s,
    void (*fn)(void *arg, struct policy_key *key), void *arg)
{
	for (size_t i = 0; i < s->nreqs; i++) {
		policy_each_key(&s->reqs[i]->keys, fn, arg);
		policy_each_key(&s->reqs[i]->roots, fn, arg);
		policy_each_key(&s->reqs[i]->intermediates, fn, arg);
		policy_each_key(&s->reqs[i]->rekor, fn, arg);
	}
}

void
policy_each_file(struct policy *p,
    void (*fn)(void *arg, struct policy_key *key), void *arg)
{
	policy_scope_files(&p->fallback, fn, arg);
	for (size_t i = 0; i < p->nscopes; i++)
		policy_scope_files(&p->scopes[i], fn, arg);
}

/* ---- finding ---- */

static const struct policy_scope *
policy_scope_named(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->nscopes; i++) {
		if (strcmp(p->scopes[i].name, name) == 0)
			return &p->scopes[i];
	}
	return NULL;
}

/* name and what is above it, by its slashes; name is cut down to the host. */
static const struct policy_scope *
policy_find_above(const struct policy *p, char *name)
{
	const struct policy_scope *s = policy_scope_named(p, name);
	char *slash;

	while (s == NULL && (slash = strrchr(name, '/')) != NULL) {
		*slash = '\0';
		s = policy_scope_named(p, name);
	}
	return s;
}

static const struct policy_scope *
policy_find_domain(const struct policy *p, char *host)
{
	const struct policy_scope *s = NULL;
	char *dot;

	host[strcspn(host, ":")] = '\0';
	while (s == NULL && (dot = strchr(host, '.')) != NULL) {
		char wild[REF_TEXT_SIZE + 2];

		(void)snprintf(wild, sizeof(wild), "*%s", dot);
		s = policy_scope_named(p, wild);
		host = dot + 1;
	}
	return s;
}

static const struct policy_scope *
policy_find_ref(const struct policy *p, const struct ref *ref)
{
	const struct policy_scope *s;
	char name[REF_TEXT_SIZE];

	if (ref->digest[0] != '\0')
		ref_at_digest(ref, ref->digest, name);
	else
		ref_tagged(ref, name);
	s = policy_scope_named(p, name);
	if (s != NULL)
		return s;
	ref_name(ref, name);
	s = policy_find_above(p, name);
	return s != NULL ? s : policy_find_domain(p, name);
}

const struct policy_scope *
policy_find(const struct policy *p, const struct ref *ref)
{
	const struct policy_scope *s = NULL;

	if (ref != NULL)
		s = policy_find_ref(p, ref);
	if (s == NULL)
		s = policy_scope_named(p, "");
	return s != NULL ? s : &p->fallback;
}

bool
policy_accepts_all(const struct policy_scope *s)
{
	for (size_t i = 0; i < s->nreqs; i++) {
		if (s->reqs[i]->type != POLICY_ACCEPT)
			return false;
	}
	return true;
}
