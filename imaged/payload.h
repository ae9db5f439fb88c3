#ifndef CRIOD_IMAGED_PAYLOAD_H
#define CRIOD_IMAGED_PAYLOAD_H

/*
 * What a signature says, in its JSON payload: of which manifest, under which
 * name.  Parsed only once the signature over it was verified.
 */

#include <stddef.h>

#include "imaged/digest.h"
#include "imaged/ref.h"
#include "lib/cerr.h"

#define PAYLOAD_MAX (64U * 1024)

/* The two values of critical.type. */
#define PAYLOAD_SIMPLE	 "atomic container signature"
#define PAYLOAD_SIGSTORE "cosign container image signature"

struct payload {
	char digest[DIGEST_SIZE];
	char reference[REF_TEXT_SIZE];
};

/* INVALID_ARGUMENT if anything in it is not as it should be. */
int payload_parse(const void *buf, size_t len, const char *type,
    struct payload *p, struct cerr *err) __attribute__((warn_unused_result));

/*
 * The same of a statement of in-toto, as cosign 3 signs them: what it says of
 * the subject with that digest, or of its first.  It need have no name, which
 * is "" then.
 */
#define PAYLOAD_STATEMENT "https://in-toto.io/Statement/v1"
#define PAYLOAD_PREDICATE "https://sigstore.dev/cosign/sign/v1"

int payload_statement(const void *buf, size_t len, const char *digest,
    struct payload *p, struct cerr *err) __attribute__((warn_unused_result));

#endif
