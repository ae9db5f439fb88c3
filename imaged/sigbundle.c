#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/json.h"
#include "lib/log.h"

#include "imaged/sigbundle.h"
#include "imaged/sigset.h"

#define SIGBUNDLE_LOGS_MAX 16 /* entries that are looked at */
#define SIGBUNDLE_ID_MAX   64 /* bytes of a log's name */

/* As the older form of signatures has them. */
struct sigbundle {
	uint8_t *payload;
	size_t payload_len;
	const char *sig; /* base64; the document's */
	char *pem;	 /* NULL: none */
	char *log;	 /* JSON; NULL: none */
};

static int
sigbundle_fail(const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "a sigstore bundle: %s",
	    why);
}

/* As base64_decode_all. */
static uint8_t *
sigbundle_decode(const json_t *v, size_t *len)
{
	return json_is_string(v) ? base64_decode_all(json_string_value(v),
				       json_string_length(v), len)
				 : NULL;
}

static bool
sigbundle_text_is(const json_t *obj, const char *key, const char *want)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s != NULL && strcmp(s, want) == 0;
}

/* ---- the envelope ---- */

static int
sigbundle_envelope(const json_t *doc, struct sigbundle *b, struct cerr *err)
{
	const json_t *e = json_object_get(doc, "dsseEnvelope");
	const json_t *sigs = json_object_get(e, "signatures");

	if (!sigbundle_text_is(e, "payloadType", SIGBUNDLE_PAYLOAD))
		return sigbundle_fail("it is not of a statement of in-toto",
		    err);
	b->payload =
	    sigbundle_decode(json_object_get(e, "payload"), &b->payload_len);
	b->sig =
	    json_string_value(json_object_get(json_array_get(sigs, 0), "sig"));
	if (b->payload == NULL || json_array_size(sigs) != 1 || b->sig == NULL)
		return sigbundle_fail("it has no payload, or not exactly one "
				      "signature",
		    err);
	return 0;
}

uint8_t *
sigbundle_signed(const void *payload, size_t len, size_t *total)
{
	char head[128];
	int n = snprintf(head, sizeof(head), "DSSEv1 %zu %s %zu ",
	    strlen(SIGBUNDLE_PAYLOAD), SIGBUNDLE_PAYLOAD, len);
	uint8_t *p = malloc((size_t)n + len + 1);

	if (p == NULL)
		fatal("sigbundle: malloc");
	memcpy(p, head, (size_t)n);
	memcpy(p + n, payload, len);
	*total = (size_t)n + len;
	return p;
}

/* ---- who signed it ---- */

static char *
sigbundle_pem(const uint8_t *der, size_t len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *pem;
	long n;

	if (bio == NULL ||
	    PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)len) <= 0)
		fatalx("sigbundle: PEM_write_bio");
	n = BIO_get_mem_data(bio, &text);
	pem = strndup(text, (size_t)n);
	if (pem == NULL)
		fatal("sigbundle: strndup");
	BIO_free(bio);
	return pem;
}

/* A key is not in it: the policy has those. */
static int
sigbundle_certificate(const json_t *material, struct sigbundle *b,
    struct cerr *err)
{
	const json_t *c = json_object_get(material, "certificate");
	uint8_t *der;
	size_t len;

	if (c == NULL && json_object_get(material, "publicKey") != NULL)
		return 0;
	der = sigbundle_decode(json_object_get(c, "rawBytes"), &len);
	if (der == NULL)
		return sigbundle_fail("it names neither a key nor a "
				      "certificate",
		    err);
	b->pem = sigbundle_pem(der, len);
	free(der);
	return 0;
}

/* ---- the log ---- */

/* Numbers of 64 bits are text in there. */
static json_t *
sigbundle_number(const json_t *v)
{
	const char *s = json_string_value(v);

	if (json_is_integer(v))
		return json_integer(json_integer_value(v));
	if (s == NULL || *s == '\0' || strlen(s) > 16 ||
	    strspn(s, "0123456789") != strlen(s))
		return NULL;
	return json_integer(strtoll(s, NULL, 10));
}

static json_t *
sigbundle_log_id(const json_t *entry)
{
	char hex[2 * SIGBUNDLE_ID_MAX + 1];
	uint8_t *id;
	size_t len;

	id = sigbundle_decode(json_object_get(json_object_get(entry, "logId"),
				  "keyId"),
	    &len);
	if (id == NULL || len > SIGBUNDLE_ID_MAX) {
		free(id);
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", id[i]);
	free(id);
	return json_string(hex);
}

/* The same as older signatures carry (rekor.h); NULL without a promise. */
static char *
sigbundle_entry(const json_t *entry)
{
	const json_t *set =
	    json_object_get(json_object_get(entry, "inclusionPromise"),
		"signedEntryTimestamp");
	const json_t *body = json_object_get(entry, "canonicalizedBody");
	json_t *doc;
	char *text;

	if (!json_is_string(set) || !json_is_string(body))
		return NULL;
	doc = json_pack("{s:s, s:{s:s, s:o, s:o, s:o}}", "SignedEntryTimestamp",
	    json_string_value(set), "Payload", "body", json_string_value(body),
	    "integratedTime",
	    sigbundle_number(json_object_get(entry, "integratedTime")),
	    "logIndex", sigbundle_number(json_object_get(entry, "logIndex")),
	    "logID", sigbundle_log_id(entry));
	text = doc == NULL ? NULL : json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	return text;
}

static void
sigbundle_log(const json_t *material, struct sigbundle *b)
{
	const json_t *list = json_object_get(material, "tlogEntries");

	for (size_t i = 0; i < json_array_size(list) &&
			   i < SIGBUNDLE_LOGS_MAX && b->log == NULL;
	     i++)
		b->log = sigbundle_entry(json_array_get(list, i));
}

/* ---- all ---- */

static int
sigbundle_parse(const json_t *doc, struct sigbundle *b, struct cerr *err)
{
	const json_t *material = json_object_get(doc, "verificationMaterial");

	if (!sigbundle_text_is(doc, "mediaType", SIGBUNDLE_TYPE))
		return sigbundle_fail("it is not of version 0.3", err);
	if (sigbundle_envelope(doc, b, err) == -1 ||
	    sigbundle_certificate(material, b, err) == -1)
		return -1;
	sigbundle_log(material, b);
	return 0;
}

static int
sigbundle_put(struct sigset *set, struct sig *sig, enum sig_part part,
    const char *text, struct cerr *err)
{
	return text == NULL
		   ? 0
		   : sigset_put(set, sig, part, text, strlen(text), err);
}

static int
sigbundle_store(const struct sigbundle *b, struct sigset *set,
    const char *digest, struct cerr *err)
{
	struct sig *sig = sigset_add(set, SIG_DSSE, digest, err);

	if (sig == NULL || sigset_put(set, sig, SIG_BODY, b->payload,
			       b->payload_len, err) == -1)
		return -1;
	if (sigbundle_put(set, sig, SIG_SIGNATURE, b->sig, err) == -1 ||
	    sigbundle_put(set, sig, SIG_CERTIFICATE, b->pem, err) == -1)
		return -1;
	return sigbundle_put(set, sig, SIG_BUNDLE, b->log, err);
}

int
sigbundle_add(struct sigset *set, const char *digest, const void *buf,
    size_t len, struct cerr *err)
{
	json_t *doc = json_read_bounded("a sigstore bundle", buf, len,
	    SIGSET_PART_MAX, err);
	struct sigbundle b = { 0 };
	int rc;

	if (doc == NULL)
		return -1;
	rc = sigbundle_parse(doc, &b, err);
	if (rc == 0)
		rc = sigbundle_store(&b, set, digest, err);
	free(b.payload);
	free(b.pem);
	free(b.log);
	json_decref(doc);
	return rc;
}
