#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/json.h"
#include "lib/log.h"

#include "imaged/digest.h"
#include "imaged/rekor.h"

#define REKOR_VERSION "0.0.1"
#define REKOR_INT_MAX ((INT64_C(1) << 53) - 1) /* exact as a double */

static int
rekor_fail(const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_PERMISSION_DENIED, "its log entry: %s", why);
}

/* As base64_decode_all. */
static uint8_t *
rekor_decode(const json_t *v, size_t *len)
{
	return json_is_string(v) ? base64_decode_all(json_string_value(v),
				       json_string_length(v), len)
				 : NULL;
}

void
rekor_clear(struct rekor_bundle *b)
{
	free(b->set);
	free(b->canonical);
	free(b->body);
	memset(b, 0, sizeof(*b));
}

static int
rekor_number(const json_t *obj, const char *key, int64_t *v)
{
	const json_t *n = json_object_get(obj, key);

	if (!json_is_integer(n) || json_integer_value(n) < 0 ||
	    json_integer_value(n) > REKOR_INT_MAX)
		return -1;
	*v = json_integer_value(n);
	return 0;
}

/*
 * RFC 8785 for these four members: sorted, no spaces, integers as they are.
 * body is base64 and logID hexadecimal, so nothing in them needs an escape.
 */
static int
rekor_canonical(const json_t *payload, struct rekor_bundle *b)
{
	const char *id = json_string_value(json_object_get(payload, "logID"));
	const json_t *body = json_object_get(payload, "body");
	int64_t at;

	if (json_object_size(payload) != 4 || id == NULL ||
	    strspn(id, "0123456789abcdef") != strlen(id) ||
	    rekor_number(payload, "logIndex", &at) == -1 ||
	    rekor_number(payload, "integratedTime", &b->time) == -1)
		return -1;
	b->body = rekor_decode(body, &b->body_len);
	if (b->body == NULL)
		return -1;
	if (asprintf(&b->canonical,
		"{\"body\":\"%s\",\"integratedTime\":%" PRId64
		",\"logID\":\"%s\",\"logIndex\":%" PRId64 "}",
		json_string_value(body), b->time, id, at) == -1)
		fatal("rekor: asprintf");
	return 0;
}

int
rekor_parse(const void *buf, size_t len, struct rekor_bundle *b,
    struct cerr *err)
{
	json_t *doc =
	    json_read_bounded("its log entry", buf, len, REKOR_BUNDLE_MAX, err);
	int rc;

	memset(b, 0, sizeof(*b));
	if (doc == NULL)
		return -1;
	b->set = rekor_decode(json_object_get(doc, "SignedEntryTimestamp"),
	    &b->set_len);
	rc = rekor_canonical(json_object_get(doc, "Payload"), b);
	if (json_object_size(doc) != 2 || b->set == NULL || rc == -1) {
		rekor_clear(b);
		rc = rekor_fail("not one", err);
	}
	json_decref(doc);
	return rc;
}

/* ---- what was logged ---- */

static bool
rekor_same(const json_t *v, const void *buf, size_t len)
{
	size_t n;
	uint8_t *p = rekor_decode(v, &n);
	bool same = p != NULL && n == len && memcmp(p, buf, n) == 0;

	free(p);
	return same;
}

/* PEM of any label: what is inside counts. */
static bool
rekor_same_key(const json_t *v, const struct rekor_entry *e)
{
	size_t n;
	uint8_t *pem = rekor_decode(v, &n);
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	long len = 0;
	bool same = false;
	BIO *bio;

	if (pem == NULL)
		return false;
	bio = BIO_new_mem_buf(pem, (int)n);
	if (bio == NULL)
		fatalx("rekor: BIO_new_mem_buf");
	if (PEM_read_bio(bio, &name, &header, &der, &len) == 1)
		same = (size_t)len == e->key_len &&
		       memcmp(der, e->key, e->key_len) == 0;
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(bio);
	free(pem);
	ERR_clear_error();
	return same;
}

static bool
rekor_text_is(const json_t *obj, const char *key, const char *want)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s != NULL && strcmp(s, want) == 0;
}

static int
rekor_match_hash(const json_t *hash, const void *buf, size_t len,
    struct cerr *err)
{
	char digest[DIGEST_SIZE];

	digest_of(buf, len, digest);
	if (!rekor_text_is(hash, "algorithm", "sha256") ||
	    !rekor_text_is(hash, "value", digest + DIGEST_PREFIX_LEN))
		return rekor_fail("of other content", err);
	return 0;
}

static int
rekor_match_signer(const json_t *sig, const json_t *key,
    const struct rekor_entry *e, struct cerr *err)
{
	if (!rekor_same(sig, e->sig, e->sig_len))
		return rekor_fail("of another signature", err);
	if (!rekor_same_key(key, e))
		return rekor_fail("of another key", err);
	return 0;
}

static int
rekor_match_hashed(const json_t *spec, const struct rekor_entry *e,
    struct cerr *err)
{
	const json_t *sig = json_object_get(spec, "signature");
	const json_t *key = json_object_get(sig, "publicKey");

	if (rekor_match_signer(json_object_get(sig, "content"),
		json_object_get(key, "content"), e, err) == -1)
		return -1;
	return rekor_match_hash(json_object_get(json_object_get(spec, "data"),
				    "hash"),
	    e->body, e->body_len, err);
}

/* Of an envelope with one signature; its own hash depends on how it was sent.
 */
static int
rekor_match_dsse(const json_t *spec, const struct rekor_entry *e,
    struct cerr *err)
{
	const json_t *sigs = json_object_get(spec, "signatures");
	const json_t *sig = json_array_get(sigs, 0);

	if (e->payload == NULL || json_array_size(sigs) != 1)
		return rekor_fail("of another kind of signature", err);
	if (rekor_match_signer(json_object_get(sig, "signature"),
		json_object_get(sig, "verifier"), e, err) == -1)
		return -1;
	return rekor_match_hash(json_object_get(spec, "payloadHash"),
	    e->payload, e->payload_len, err);
}

static const struct {
	const char *kind;
	int (*match)(const json_t *spec, const struct rekor_entry *e,
	    struct cerr *err);
} rekor_kinds[] = {
	{ "hashedrekord", rekor_match_hashed },
	{ "dsse", rekor_match_dsse },
};

static int
rekor_match_doc(const json_t *doc, const struct rekor_entry *e,
    struct cerr *err)
{
	const json_t *spec = json_object_get(doc, "spec");

	for (size_t i = 0; i < sizeof(rekor_kinds) / sizeof(rekor_kinds[0]);
	     i++) {
		if (rekor_text_is(doc, "kind", rekor_kinds[i].kind) &&
		    rekor_text_is(doc, "apiVersion", REKOR_VERSION))
			return rekor_kinds[i].match(spec, e, err);
	}
	return rekor_fail(
	    "neither a hashedrekord nor a dsse of version " REKOR_VERSION, err);
}

int
rekor_match(const struct rekor_bundle *b, const struct rekor_entry *e,
    struct cerr *err)
{
	json_t *doc = json_read_bounded("its log entry", b->body, b->body_len,
	    REKOR_BUNDLE_MAX, err);
	int rc;

	if (doc == NULL)
		return -1;
	rc = rekor_match_doc(doc, e, err);
	json_decref(doc);
	return rc;
}
