#ifndef CRIOD_IMAGED_REKOR_H
#define CRIOD_IMAGED_REKOR_H

/*
 * What a transparency log (Rekor) promised: the bundle that a signature
 * carries, "signed entry timestamp" and all.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define REKOR_BUNDLE_MAX (256U * 1024)

struct rekor_bundle {
	uint8_t *set; /* the log's signature of canonical */
	size_t set_len;
	char *canonical; /* the entry, as canonical JSON */
	uint8_t *body;	 /* what was logged, JSON; NUL behind it */
	size_t body_len;
	int64_t time; /* when, seconds */
};

/* What should have been logged. */
struct rekor_entry {
	const uint8_t *sig, *body; /* body: all that is signed */
	size_t sig_len, body_len;
	const uint8_t *payload; /* of an envelope; NULL: it is none */
	size_t payload_len;
	uint8_t *key; /* DER of the public key or certificate */
	size_t key_len;
};

/* The log's signature is not verified here.  On -1 there is nothing to clear.
 */
int rekor_parse(const void *buf, size_t len, struct rekor_bundle *b,
    struct cerr *err) __attribute__((warn_unused_result));
void rekor_clear(struct rekor_bundle *b);

/* Whether a verified entry is of e and of nothing else. */
int rekor_match(const struct rekor_bundle *b, const struct rekor_entry *e,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
