/*
 * What is made of librnp's answers, whatever they are: accepted is one good
 * signature by one good key, and nothing that was taken is left.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

#include "imaged/openpgp.h"
#include "lib/log.h"
#include "regress/fuzz/feed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a key: what is good is a bit that is not set. */
enum { KEY_INVALID = 1, KEY_REVOKED = 2, KEY_EXPIRED = 4 };

struct rnp_key_handle_st {
	uint8_t bad;
	bool sub, signs;
};

static struct {
	struct rnp_key_handle_st signer, primary;
	bool no_primary, long_name;
	size_t signatures;
	uint32_t status, executed;
	const char *mode;
	uint8_t *text;
	size_t ntext;
	unsigned int calls, fails; /* that one has no answer */
	int taken;		   /* handles not given back */
} rnp;

static char rnp_thing; /* what the other handles point to */

static rnp_result_t
rnp_answer(void)
{
	return ++rnp.calls == rnp.fails ? RNP_ERROR_GENERIC : RNP_SUCCESS;
}

static rnp_result_t
rnp_give(void *handle, void *thing)
{
	memcpy(handle, &thing, sizeof(thing));
	rnp.taken++;
	return RNP_SUCCESS;
}

static rnp_result_t
rnp_take(void)
{
	rnp.taken--;
	return RNP_SUCCESS;
}

rnp_result_t
rnp_ffi_create(rnp_ffi_t *ffi, const char *pub, const char *sec)
{
	(void)pub;
	(void)sec;
	return rnp_give(ffi, &rnp_thing);
}

rnp_result_t
rnp_ffi_destroy(rnp_ffi_t ffi)
{
	(void)ffi;
	return rnp_take();
}

rnp_result_t
rnp_input_from_memory(rnp_input_t *input, const uint8_t buf[], size_t len,
    bool copy)
{
	volatile uint8_t sum = 0;

	(void)copy;
	for (size_t i = 0; i < len; i++)
		sum ^= buf[i];
	return rnp_give(input, &rnp_thing);
}

rnp_result_t
rnp_input_destroy(rnp_input_t input)
{
	(void)input;
	return rnp_take();
}

rnp_result_t
rnp_import_keys(rnp_ffi_t ffi, rnp_input_t input, uint32_t flags,
    char **results)
{
	(void)ffi;
	(void)input;
	(void)flags;
	(void)results;
	return rnp_answer();
}

rnp_result_t
rnp_key_is_valid(rnp_key_handle_t key, bool *result)
{
	*result = (key->bad & KEY_INVALID) == 0;
	return rnp_answer();
}

rnp_result_t
rnp_key_is_revoked(rnp_key_handle_t key, bool *result)
{
	*result = (key->bad & KEY_REVOKED) != 0;
	return rnp_answer();
}

rnp_result_t
rnp_key_is_expired(rnp_key_handle_t key, bool *result)
{
	*result = (key->bad & KEY_EXPIRED) != 0;
	return rnp_answer();
}

rnp_result_t
rnp_key_is_sub(rnp_key_handle_t key, bool *result)
{
	*result = key->sub;
	return rnp_answer();
}

rnp_result_t
rnp_key_allows_usage(rnp_key_handle_t key, const char *usage, bool *result)
{
	*result = key->signs && strcmp(usage, "sign") == 0;
	return rnp_answer();
}

static rnp_result_t
rnp_name(char **fprint)
{
	char name[100] = "0123456789abcdef";

	if (rnp_answer() != RNP_SUCCESS)
		return RNP_ERROR_GENERIC;
	if (rnp.long_name)
		memset(name, 'a', sizeof(name) - 1);
	*fprint = strdup(name);
	return RNP_SUCCESS;
}

rnp_result_t
rnp_key_get_primary_fprint(rnp_key_handle_t key, char **fprint)
{
	assert(key->sub);
	return rnp_name(fprint);
}

rnp_result_t
rnp_key_get_fprint(rnp_key_handle_t key, char **fprint)
{
	(void)key;
	return rnp_name(fprint);
}

rnp_result_t
rnp_locate_key(rnp_ffi_t ffi, const char *type, const char *name,
    rnp_key_handle_t *key)
{
	(void)ffi;
	assert(strcmp(type, "fingerprint") == 0 && name != NULL);
	*key = NULL;
	if (rnp_answer() != RNP_SUCCESS)
		return RNP_ERROR_GENERIC;
	return rnp.no_primary ? RNP_SUCCESS : rnp_give(key, &rnp.primary);
}

rnp_result_t
rnp_key_handle_destroy(rnp_key_handle_t key)
{
	assert(key != NULL);
	return rnp_take();
}

void
rnp_buffer_destroy(void *ptr)
{
	free(ptr);
}

rnp_result_t
rnp_output_to_memory(rnp_output_t *output, size_t max)
{
	assert(max == OPENPGP_TEXT_MAX);
	return rnp_give(output, &rnp_thing);
}

rnp_result_t
rnp_output_memory_get_buf(rnp_output_t output, uint8_t **buf, size_t *len,
    bool copy)
{
	(void)output;
	assert(!copy);
	*buf = rnp.text;
	*len = rnp.ntext;
	return rnp_answer();
}

rnp_result_t
rnp_output_destroy(rnp_output_t output)
{
	(void)output;
	return rnp_take();
}

rnp_result_t
rnp_op_verify_create(rnp_op_verify_t *op, rnp_ffi_t ffi, rnp_input_t input,
    rnp_output_t output)
{
	(void)ffi;
	(void)input;
	(void)output;
	return rnp_give(op, &rnp_thing);
}

rnp_result_t
rnp_op_verify_execute(rnp_op_verify_t op)
{
	(void)op;
	return rnp.executed;
}

rnp_result_t
rnp_op_verify_destroy(rnp_op_verify_t op)
{
	(void)op;
	return rnp_take();
}

rnp_result_t
rnp_op_verify_get_signature_count(rnp_op_verify_t op, size_t *count)
{
	(void)op;
	*count = rnp.signatures;
	return rnp_answer();
}

rnp_result_t
rnp_op_verify_get_signature_at(rnp_op_verify_t op, size_t i,
    rnp_op_verify_signature_t *sig)
{
	void *thing = &rnp_thing;

	(void)op;
	assert(i < rnp.signatures);
	memcpy(sig, &thing, sizeof(thing));
	return rnp_answer();
}

rnp_result_t
rnp_op_verify_signature_get_status(rnp_op_verify_signature_t sig)
{
	(void)sig;
	return rnp.status;
}

rnp_result_t
rnp_op_verify_signature_get_key(rnp_op_verify_signature_t sig,
    rnp_key_handle_t *key)
{
	(void)sig;
	if (rnp_answer() != RNP_SUCCESS)
		return RNP_ERROR_KEY_NOT_FOUND;
	return rnp_give(key, &rnp.signer);
}

rnp_result_t
rnp_op_verify_get_protection_info(rnp_op_verify_t op, char **mode,
    char **cipher, bool *valid)
{
	(void)op;
	assert(cipher == NULL && valid == NULL);
	if (rnp_answer() != RNP_SUCCESS)
		return RNP_ERROR_GENERIC;
	*mode = strdup(rnp.mode);
	return RNP_SUCCESS;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	return 0;
}

static void
choose(struct feed *f)
{
	static const uint32_t results[] = { RNP_SUCCESS,
		RNP_ERROR_SIGNATURE_EXPIRED, RNP_ERROR_KEY_NOT_FOUND,
		RNP_ERROR_SIGNATURE_INVALID };
	static const char *const modes[] = { "none", "cfb-mdc", "", "aead" };
	uint8_t bits = feed_byte(f);

	memset(&rnp, 0, sizeof(rnp));
	rnp.signer.bad = bits & 7;
	rnp.primary.bad = bits >> 3 & 7;
	rnp.signer.sub = (bits & 64) != 0;
	rnp.signer.signs = (bits & 128) == 0;
	bits = feed_byte(f);
	rnp.status = results[bits & 3];
	rnp.executed = results[bits >> 2 & 3];
	rnp.mode = modes[bits >> 4 & 3];
	rnp.no_primary = (bits & 64) != 0;
	rnp.long_name = (bits & 128) != 0;
	rnp.signatures = feed_byte(f) % 4;
	rnp.fails = feed_byte(f) % 32; /* 0: none */
	rnp.ntext = feed_u16(f) + (size_t)2;
}

static bool
good(void)
{
	const struct rnp_key_handle_st *s = &rnp.signer;

	return rnp.signatures == 1 && rnp.status == RNP_SUCCESS &&
	       rnp.executed == RNP_SUCCESS && strcmp(rnp.mode, "none") == 0 &&
	       s->signs && s->bad == 0 && !rnp.long_name &&
	       (!s->sub || (!rnp.no_primary && rnp.primary.bad == 0)) &&
	       rnp.ntext <= OPENPGP_TEXT_MAX &&
	       (rnp.fails == 0 || rnp.calls < rnp.fails);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	struct openpgp_message m;
	struct openpgp *pgp;
	const uint8_t *keys;
	struct cerr err;
	size_t nkeys;

	choose(&f);
	rnp.text = calloc(1, rnp.ntext);
	nkeys = feed_bytes(&f, feed_byte(&f), &keys);
	pgp = openpgp_new();
	if (openpgp_verify(pgp, keys, nkeys, f.p, f.n, &m, &err) == 0) {
		assert(good() && m.len == rnp.ntext);
		openpgp_message_clear(&m);
	} else {
		assert(err.code == CERR_PERMISSION_DENIED && m.text == NULL);
	}
	openpgp_free(pgp);
	assert(rnp.taken == 0);
	free(rnp.text);
	return 0;
}
