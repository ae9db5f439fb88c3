#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/openpgp.h"

#define OPENPGP_BAD_KEY "its key is expired, revoked or not for signing"

struct openpgp {
	rnp_ffi_t ffi;
};

static int
openpgp_refuse(const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_PERMISSION_DENIED, "%s", why);
}

struct openpgp *
openpgp_new(void)
{
	struct openpgp *pgp = calloc(1, sizeof(*pgp));

	/* Else it writes to standard error, lines that are nobody's. */
	if (pgp == NULL || setenv("RNP_LOG_CONSOLE", "0", 1) == -1 ||
	    rnp_ffi_create(&pgp->ffi, RNP_KEYSTORE_GPG, RNP_KEYSTORE_GPG) !=
		RNP_SUCCESS)
		fatalx("librnp cannot be used");
	return pgp;
}

void
openpgp_free(struct openpgp *pgp)
{
	(void)rnp_ffi_destroy(pgp->ffi);
	free(pgp);
}

void
openpgp_message_clear(struct openpgp_message *m)
{
	free(m->text);
	memset(m, 0, sizeof(*m));
}

/* ---- keys ---- */

/* What librnp cannot read of a keyring is passed over: it may be newer. */
static int
openpgp_import(struct openpgp *pgp, const uint8_t *buf, size_t len)
{
	rnp_input_t in;
	rnp_result_t rc;

	if (rnp_input_from_memory(&in, buf, len, false) != RNP_SUCCESS)
		return -1;
	rc = rnp_import_keys(pgp->ffi, in,
	    RNP_LOAD_SAVE_PUBLIC_KEYS | RNP_LOAD_SAVE_PERMISSIVE, NULL);
	(void)rnp_input_destroy(in);
	return rc == RNP_SUCCESS ? 0 : -1;
}

static int
openpgp_keys(struct openpgp *pgp, const uint8_t *p, size_t n, struct cerr *err)
{
	size_t len;

	while (n >= 4) {
		len = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
		      (size_t)p[3] << 24;
		p += 4;
		n -= 4;
		if (len > n)
			break;
		if (openpgp_import(pgp, p, len) == -1)
			return openpgp_refuse("a key of the policy is not an "
					      "OpenPGP keyring",
			    err);
		p += len;
		n -= len;
	}
	return n == 0 ? 0 : openpgp_refuse("malformed keys", err);
}

static bool
openpgp_key_good(rnp_key_handle_t key)
{
	bool valid = false, revoked = true, expired = true;

	return rnp_key_is_valid(key, &valid) == RNP_SUCCESS && valid &&
	       rnp_key_is_revoked(key, &revoked) == RNP_SUCCESS && !revoked &&
	       rnp_key_is_expired(key, &expired) == RNP_SUCCESS && !expired;
}

/* True for a primary key, too. */
static bool
openpgp_primary_good(struct openpgp *pgp, rnp_key_handle_t key)
{
	rnp_key_handle_t primary = NULL;
	char *fp = NULL;
	bool sub = true, good;

	if (rnp_key_is_sub(key, &sub) != RNP_SUCCESS)
		return false;
	if (!sub)
		return true;
	good = rnp_key_get_primary_fprint(key, &fp) == RNP_SUCCESS &&
	       rnp_locate_key(pgp->ffi, "fingerprint", fp, &primary) ==
		   RNP_SUCCESS &&
	       primary != NULL && openpgp_key_good(primary);
	rnp_buffer_destroy(fp);
	if (primary != NULL)
		(void)rnp_key_handle_destroy(primary);
	return good;
}

static int
openpgp_signer(struct openpgp *pgp, rnp_key_handle_t key,
    struct openpgp_message *out, struct cerr *err)
{
	bool signs = false;
	char *fp = NULL;
	int n;

	if (rnp_key_allows_usage(key, "sign", &signs) != RNP_SUCCESS ||
	    !signs || !openpgp_key_good(key) || !openpgp_primary_good(pgp, key))
		return openpgp_refuse(OPENPGP_BAD_KEY, err);
	if (rnp_key_get_fprint(key, &fp) != RNP_SUCCESS)
		return openpgp_refuse("its key has no fingerprint", err);
	n = snprintf(out->fingerprint, sizeof(out->fingerprint), "%s", fp);
	rnp_buffer_destroy(fp);
	return n > 0 && (size_t)n < sizeof(out->fingerprint)
		   ? 0
		   : openpgp_refuse("its key's fingerprint", err);
}

/* ---- the message ---- */

/* A binary packet that a signed message may begin with. */
static bool
openpgp_is_message(const uint8_t *p, size_t n)
{
	unsigned int tag;

	if (n < 2 || (p[0] & 0x80) == 0)
		return false;
	tag = (p[0] & 0x40) != 0 ? p[0] & 0x3f : (p[0] & 0x3c) >> 2;
	return tag == 2 || tag == 4 || tag == 8; /* ..., compressed */
}

static const char *
openpgp_status(rnp_result_t status)
{
	switch (status) {
	case RNP_ERROR_SIGNATURE_EXPIRED:
		return "it is expired";
	case RNP_ERROR_KEY_NOT_FOUND:
		return "it is not by a key of the policy";
	default:
		return "it is not a good signature";
	}
}

/* librnp calls such a signature invalid, without saying why. */
static bool
openpgp_by_bad_key(struct openpgp *pgp, rnp_op_verify_signature_t sig)
{
	rnp_key_handle_t key = NULL;
	bool bad;

	if (rnp_op_verify_signature_get_key(sig, &key) != RNP_SUCCESS)
		return false;
	bad = !openpgp_key_good(key) || !openpgp_primary_good(pgp, key);
	(void)rnp_key_handle_destroy(key);
	return bad;
}

static int
openpgp_result(struct openpgp *pgp, rnp_op_verify_t op,
    struct openpgp_message *out, struct cerr *err)
{
	rnp_op_verify_signature_t sig;
	rnp_key_handle_t key = NULL;
	rnp_result_t status;
	char *mode = NULL;
	size_t n = 0;
	int rc;

	if (rnp_op_verify_get_signature_count(op, &n) != RNP_SUCCESS ||
	    n != 1 ||
	    rnp_op_verify_get_signature_at(op, 0, &sig) != RNP_SUCCESS)
		return openpgp_refuse("it is not one signature", err);
	status = rnp_op_verify_signature_get_status(sig);
	if (status != RNP_SUCCESS && openpgp_by_bad_key(pgp, sig))
		return openpgp_refuse(OPENPGP_BAD_KEY, err);
	if (status != RNP_SUCCESS)
		return openpgp_refuse(openpgp_status(status), err);
	if (rnp_op_verify_get_protection_info(op, &mode, NULL, NULL) !=
		RNP_SUCCESS ||
	    strcmp(mode, "none") != 0) {
		rnp_buffer_destroy(mode);
		return openpgp_refuse("it is encrypted", err);
	}
	rnp_buffer_destroy(mode);
	if (rnp_op_verify_signature_get_key(sig, &key) != RNP_SUCCESS)
		return openpgp_refuse("its key is not there", err);
	rc = openpgp_signer(pgp, key, out, err);
	(void)rnp_key_handle_destroy(key);
	return rc;
}

static int
openpgp_text(rnp_output_t to, struct openpgp_message *out, struct cerr *err)
{
	uint8_t *buf = NULL;
	size_t len = 0;

	if (rnp_output_memory_get_buf(to, &buf, &len, false) != RNP_SUCCESS ||
	    len == 0 || len > OPENPGP_TEXT_MAX)
		return openpgp_refuse("it signs nothing, or too much", err);
	out->text = malloc(len);
	if (out->text == NULL)
		fatal("malloc");
	memcpy(out->text, buf, len);
	out->len = len;
	return 0;
}

static int
openpgp_execute(struct openpgp *pgp, rnp_input_t in, rnp_output_t to,
    struct openpgp_message *out, struct cerr *err)
{
	rnp_op_verify_t op;
	rnp_result_t done;
	int rc;

	if (rnp_op_verify_create(&op, pgp->ffi, in, to) != RNP_SUCCESS)
		fatalx("rnp_op_verify_create");
	/* A signature that is not good fails here, and says why below. */
	done = rnp_op_verify_execute(op);
	rc = openpgp_result(pgp, op, out, err);
	if (rc == 0 && done != RNP_SUCCESS)
		rc = openpgp_refuse("it is not a signed message", err);
	(void)rnp_op_verify_destroy(op);
	return rc == 0 ? openpgp_text(to, out, err) : -1;
}

int
openpgp_verify(struct openpgp *pgp, const uint8_t *keys, size_t nkeys,
    const uint8_t *msg, size_t nmsg, struct openpgp_message *out,
    struct cerr *err)
{
	rnp_output_t to;
	rnp_input_t in;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!openpgp_is_message(msg, nmsg))
		return openpgp_refuse("it is not a signed OpenPGP message",
		    err);
	if (openpgp_keys(pgp, keys, nkeys, err) == -1)
		return -1;
	if (rnp_input_from_memory(&in, msg, nmsg, false) != RNP_SUCCESS ||
	    rnp_output_to_memory(&to, OPENPGP_TEXT_MAX) != RNP_SUCCESS)
		fatalx("librnp has no memory");
	rc = openpgp_execute(pgp, in, to, out, err);
	(void)rnp_input_destroy(in);
	(void)rnp_output_destroy(to);
	if (rc == -1)
		openpgp_message_clear(out);
	return rc;
}
