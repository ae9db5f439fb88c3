#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/log.h"

#include "imaged/policy.h"
#include "imaged/rekor.h"
#include "imaged/sigbundle.h"
#include "imaged/sigset.h"
#include "imaged/sigstore.h"

#define SIGSTORE_AUTH_LEVEL 2 /* 112 bits: no SHA-1, no RSA below 2048 */

/* Fulcio's extensions: who vouched for the subject. */
#define SIGSTORE_ISSUER	   "1.3.6.1.4.1.57264.1.1" /* the text itself */
#define SIGSTORE_ISSUER_V2 "1.3.6.1.4.1.57264.1.8" /* a UTF8String */

static int
sigstore_fail(const char *why, struct cerr *err)
{
	ERR_clear_error();
	return cerr_set(err, CERR_PERMISSION_DENIED, "%s", why);
}

/* Else libcrypto would ask on a terminal. */
static int
sigstore_no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static BIO *
sigstore_bio(const void *buf, size_t len)
{
	BIO *bio = BIO_new_mem_buf(buf, (int)len);

	if (bio == NULL)
		fatalx("sigstore: BIO_new_mem_buf");
	return bio;
}

/* ---- signatures ---- */

static bool
sigstore_key_fits(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return bits >= SIGSTORE_RSA_MIN && bits <= SIGSTORE_RSA_MAX;
	case EVP_PKEY_EC:
		return bits >= 256 && bits <= 521;
	case EVP_PKEY_ED25519:
		return true;
	default:
		return false;
	}
}

/* SHA-256, but Ed25519 is of the text itself. */
static bool
sigstore_signed(EVP_PKEY *key, const void *sig, size_t siglen, const void *text,
    size_t len)
{
	bool plain = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	if (ctx == NULL)
		fatalx("sigstore: EVP_MD_CTX_new");
	good = sigstore_key_fits(key) &&
	       EVP_DigestVerifyInit(ctx, NULL, plain ? NULL : EVP_sha256(),
		   NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, sig, siglen, text, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static EVP_PKEY *
sigstore_read_key(const struct policy_key *k, struct cerr *err)
{
	EVP_PKEY *key;
	BIO *bio;

	if (k->data == NULL) {
		(void)cerr_set(err, CERR_PERMISSION_DENIED,
		    "key file %s could not be read", k->path);
		return NULL;
	}
	bio = sigstore_bio(k->data, k->len);
	key = PEM_read_bio_PUBKEY(bio, NULL, sigstore_no_password, NULL);
	BIO_free(bio);
	if (key == NULL)
		(void)sigstore_fail("a key of the policy is not a public key "
				    "(PEM)",
		    err);
	return key;
}

/* DER of the key, for the comparison with a log's. */
static int
sigstore_der(EVP_PKEY *key, struct rekor_entry *e)
{
	int n = i2d_PUBKEY(key, &e->key);

	e->key_len = n > 0 ? (size_t)n : 0;
	return n > 0 ? 0 : -1;
}

/* ---- the log ---- */

/* By any of the policy's logs. */
static int
sigstore_log(const struct policy_req *req, const struct rekor_entry *e,
    const struct sig *sig, time_t *when, struct cerr *err)
{
	struct rekor_bundle b;
	bool good = false;

	if (sig->part[SIG_BUNDLE].data == NULL)
		return sigstore_fail("it was not entered in a log", err);
	if (rekor_parse(sig->part[SIG_BUNDLE].data, sig->part[SIG_BUNDLE].len,
		&b, err) == -1)
		return -1;
	for (size_t i = 0; i < req->rekor.n && !good; i++) {
		EVP_PKEY *key = sigstore_read_key(&req->rekor.list[i], err);

		if (key == NULL) {
			rekor_clear(&b);
			return -1;
		}
		good = sigstore_signed(key, b.set, b.set_len, b.canonical,
		    strlen(b.canonical));
		EVP_PKEY_free(key);
	}
	*when = (time_t)b.time;
	if (!good)
		(void)sigstore_fail("no log of the policy signed its entry",
		    err);
	else if (rekor_match(&b, e, err) == -1)
		good = false;
	rekor_clear(&b);
	return good ? 0 : -1;
}

/* ---- public keys ---- */

static int
sigstore_try_key(const struct policy_req *req, const struct policy_key *k,
    struct rekor_entry *e, const struct sig *sig, struct cerr *err)
{
	EVP_PKEY *key = sigstore_read_key(k, err);
	time_t when;
	int rc = -1;

	if (key == NULL)
		return -1;
	if (!sigstore_signed(key, e->sig, e->sig_len, e->body, e->body_len))
		(void)sigstore_fail("it is not by a key of the policy", err);
	else if (req->rekor.n == 0)
		rc = 0;
	else if (sigstore_der(key, e) == -1)
		(void)sigstore_fail("a key of the policy", err);
	else
		rc = sigstore_log(req, e, sig, &when, err);
	OPENSSL_free(e->key);
	e->key = NULL;
	EVP_PKEY_free(key);
	return rc;
}

static int
sigstore_by_keys(const struct policy_req *req, struct rekor_entry *e,
    const struct sig *sig, struct cerr *err)
{
	for (size_t i = 0; i < req->keys.n; i++) {
		if (sigstore_try_key(req, &req->keys.list[i], e, sig, err) == 0)
			return 0;
	}
	return -1;
}

/* ---- certificates ---- */

/* Appends those of PEM text; how many, or -1. */
static int
sigstore_certs(STACK_OF(X509) * list, const void *buf, size_t len,
    struct cerr *err)
{
	BIO *bio = sigstore_bio(buf, len);
	int n = 0;
	X509 *x;

	while (n <= SIGSTORE_CERTS_MAX &&
	       (x = PEM_read_bio_X509(bio, NULL, sigstore_no_password, NULL)) !=
		   NULL) {
		if (sk_X509_push(list, x) == 0)
			fatalx("sigstore: sk_X509_push");
		n++;
	}
	BIO_free(bio);
	ERR_clear_error();
	if (n > SIGSTORE_CERTS_MAX)
		return sigstore_fail("too many certificates", err);
	return n;
}

static int
sigstore_policy_certs(STACK_OF(X509) * list, const struct policy_keys *keys,
    struct cerr *err)
{
	for (size_t i = 0; i < keys->n; i++) {
		const struct policy_key *k = &keys->list[i];
		int n;

		if (k->data == NULL)
			return cerr_set(err, CERR_PERMISSION_DENIED,
			    "certificate file %s could not be read", k->path);
		n = sigstore_certs(list, k->data, k->len, err);
		if (n == -1)
			return -1;
		if (n == 0)
			return sigstore_fail("the policy's certificates are "
					     "none (PEM)",
			    err);
	}
	return 0;
}

/* A leaf for signing code, below what may certify such. */
static bool
sigstore_purpose(const STACK_OF(X509) * chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *x = sk_X509_value(chain, i);
		uint32_t use = X509_get_extended_key_usage(x);

		if (use == UINT32_MAX && i > 0) /* says nothing */
			continue;
		if (use == UINT32_MAX ||
		    (use & (XKU_CODE_SIGN | XKU_ANYEKU)) == 0)
			return false;
	}
	return (X509_get_key_usage(sk_X509_value(chain, 0)) &
		   KU_DIGITAL_SIGNATURE) != 0;
}

/* Any certificate of the policy is an end of the chain, self-signed or not. */
static int
sigstore_chain(X509 *leaf, STACK_OF(X509) * roots, STACK_OF(X509) * between,
    time_t when, struct cerr *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int rc = -1;

	if (ctx == NULL || X509_STORE_CTX_init(ctx, NULL, leaf, between) != 1)
		fatalx("sigstore: X509_STORE_CTX");
	X509_STORE_CTX_set0_trusted_stack(ctx, roots);
	param = X509_STORE_CTX_get0_param(ctx);
	(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_time(param, when);
	X509_VERIFY_PARAM_set_depth(param, SIGSTORE_CERTS_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, SIGSTORE_AUTH_LEVEL);
	if (X509_verify_cert(ctx) != 1)
		(void)cerr_set(err, CERR_PERMISSION_DENIED,
		    "its certificate is not trusted: %s",
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
	else if (!sigstore_purpose(X509_STORE_CTX_get0_chain(ctx)))
		(void)sigstore_fail("its certificate is not for signing", err);
	else
		rc = 0;
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

/* ---- who the certificate is for ---- */

static bool
sigstore_has_email(const X509 *leaf, const char *email)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	size_t len = strlen(email);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type != GEN_EMAIL)
			continue;
		found = (size_t)ASN1_STRING_length(g->d.rfc822Name) == len &&
			memcmp(ASN1_STRING_get0_data(g->d.rfc822Name), email,
			    len) == 0;
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return found;
}

/* The one extension of that name; NULL if none, *twice if there are more. */
static const ASN1_OCTET_STRING *
sigstore_extension(const X509 *leaf, const char *name, bool *twice)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(name, 1);
	int at;

	if (oid == NULL)
		fatalx("sigstore: OBJ_txt2obj");
	at = X509_get_ext_by_OBJ(leaf, oid, -1);
	if (at != -1 && X509_get_ext_by_OBJ(leaf, oid, at) != -1)
		*twice = true;
	ASN1_OBJECT_free(oid);
	return at == -1 ? NULL
			: X509_EXTENSION_get_data(X509_get_ext(leaf, at));
}

static bool
sigstore_text_is(const ASN1_STRING *s, const char *text)
{
	return s != NULL && (size_t)ASN1_STRING_length(s) == strlen(text) &&
	       memcmp(ASN1_STRING_get0_data(s), text, strlen(text)) == 0;
}

static bool
sigstore_utf8_is(const ASN1_OCTET_STRING *value, const char *text)
{
	const unsigned char *p = ASN1_STRING_get0_data(value);
	const unsigned char *end = p + ASN1_STRING_length(value);
	ASN1_UTF8STRING *s =
	    d2i_ASN1_UTF8STRING(NULL, &p, ASN1_STRING_length(value));
	bool same = p == end && sigstore_text_is(s, text);

	ASN1_UTF8STRING_free(s);
	ERR_clear_error();
	return same;
}

/* Both forms must agree if both are there. */
static bool
sigstore_has_issuer(const X509 *leaf, const char *issuer)
{
	bool twice = false;
	const ASN1_OCTET_STRING *old =
	    sigstore_extension(leaf, SIGSTORE_ISSUER, &twice);
	const ASN1_OCTET_STRING *new =
	    sigstore_extension(leaf, SIGSTORE_ISSUER_V2, &twice);

	if (twice || (old == NULL && new == NULL))
		return false;
	return (old == NULL || sigstore_text_is(old, issuer)) &&
	       (new == NULL || sigstore_utf8_is(new, issuer));
}

static int
sigstore_subject(const struct policy_req *req, X509 *leaf, struct cerr *err)
{
	if (req->fulcio && !sigstore_has_issuer(leaf, req->issuer))
		return sigstore_fail("its signer was not authenticated by the "
				     "policy's oidcIssuer",
		    err);
	if (req->email != NULL && !sigstore_has_email(leaf, req->email))
		return sigstore_fail("its signer is not the policy's "
				     "subjectEmail",
		    err);
	if (req->host != NULL &&
	    X509_check_host(leaf, req->host, strlen(req->host),
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
		return sigstore_fail("its signer is not the policy's "
				     "subjectHostname",
		    err);
	return 0;
}

/* roots and between get the certificates; *when is the time that counts. */
static int
sigstore_trust(const struct policy_req *req, struct rekor_entry *e,
    const struct sig *sig, X509 *leaf, STACK_OF(X509) * roots,
    STACK_OF(X509) * between, struct cerr *err)
{
	time_t when = time(NULL);
	int n = i2d_X509(leaf, &e->key);

	if (n <= 0)
		return sigstore_fail("its certificate", err);
	e->key_len = (size_t)n;
	if (req->rekor.n > 0 && sigstore_log(req, e, sig, &when, err) == -1)
		return -1;
	if (sigstore_policy_certs(roots, &req->roots, err) == -1 ||
	    sigstore_policy_certs(between, &req->intermediates, err) == -1)
		return -1;
	if (sig->part[SIG_CHAIN].data != NULL &&
	    sigstore_certs(between, sig->part[SIG_CHAIN].data,
		sig->part[SIG_CHAIN].len, err) == -1)
		return -1;
	if (sigstore_chain(leaf, roots, between, when, err) == -1)
		return -1;
	return sigstore_subject(req, leaf, err);
}

static int
sigstore_by_leaf(const struct policy_req *req, struct rekor_entry *e,
    const struct sig *sig, X509 *leaf, struct cerr *err)
{
	STACK_OF(X509) *roots = sk_X509_new_null();
	STACK_OF(X509) *between = sk_X509_new_null();
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	int rc;

	if (roots == NULL || between == NULL)
		fatalx("sigstore: sk_X509_new_null");
	if (key == NULL ||
	    !sigstore_signed(key, e->sig, e->sig_len, e->body, e->body_len))
		rc = sigstore_fail("it is not by its certificate's key", err);
	else
		rc = sigstore_trust(req, e, sig, leaf, roots, between, err);
	sk_X509_pop_free(roots, X509_free);
	sk_X509_pop_free(between, X509_free);
	OPENSSL_free(e->key);
	e->key = NULL;
	return rc;
}

static int
sigstore_by_certificate(const struct policy_req *req, struct rekor_entry *e,
    const struct sig *sig, struct cerr *err)
{
	STACK_OF(X509) *leaf = sk_X509_new_null();
	int n, rc;

	if (leaf == NULL)
		fatalx("sigstore: sk_X509_new_null");
	if (sig->part[SIG_CERTIFICATE].data == NULL) {
		sk_X509_free(leaf);
		return sigstore_fail("it has no certificate", err);
	}
	n = sigstore_certs(leaf, sig->part[SIG_CERTIFICATE].data,
	    sig->part[SIG_CERTIFICATE].len, err);
	if (n == 1)
		rc = sigstore_by_leaf(req, e, sig, sk_X509_value(leaf, 0), err);
	else
		rc = sigstore_fail("its certificate is not exactly one (PEM)",
		    err);
	sk_X509_pop_free(leaf, X509_free);
	return rc;
}

/* The signature, decoded, in place of e's. */
static int
sigstore_with_signature(const struct policy_req *req, struct rekor_entry *e,
    const struct sig *sig, struct cerr *err)
{
	struct base64 b = { 0 };
	uint8_t *raw = malloc(sig->part[SIG_SIGNATURE].len + 1);
	ssize_t n;
	int rc;

	if (raw == NULL)
		fatal("sigstore: malloc");
	n = base64_decode(&b, sig->part[SIG_SIGNATURE].data,
	    sig->part[SIG_SIGNATURE].len, raw);
	e->sig = raw;
	e->sig_len = n > 0 ? (size_t)n : 0;
	if (n <= 0 || base64_end(&b) == -1)
		rc = sigstore_fail("it is not base64", err);
	else if (req->keys.n > 0)
		rc = sigstore_by_keys(req, e, sig, err);
	else
		rc = sigstore_by_certificate(req, e, sig, err);
	free(raw);
	return rc;
}

int
sigstore_verify(const struct policy_req *req, const struct sig *sig,
    struct cerr *err)
{
	struct rekor_entry e = { .body = sig->part[SIG_BODY].data,
		.body_len = sig->part[SIG_BODY].len };
	uint8_t *text = NULL;
	int rc;

	if (e.body == NULL || sig->part[SIG_SIGNATURE].data == NULL)
		return sigstore_fail("it is not whole", err);
	if (sig->kind == SIG_DSSE) {
		e.payload = e.body;
		e.payload_len = e.body_len;
		text = sigbundle_signed(e.payload, e.payload_len, &e.body_len);
		e.body = text;
	}
	rc = sigstore_with_signature(req, &e, sig, err);
	free(text);
	return rc;
}
