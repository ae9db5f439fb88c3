#ifndef CRIOD_IMAGED_SIGBUNDLE_H
#define CRIOD_IMAGED_SIGBUNDLE_H

/*
 * sigstore's bundle, version 0.3: a statement of in-toto in a DSSE envelope,
 * with the signer's certificate and what a transparency log promised.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

struct sigset;

#define SIGBUNDLE_TYPE	  "application/vnd.dev.sigstore.bundle.v0.3+json"
#define SIGBUNDLE_PAYLOAD "application/vnd.in-toto+json"

/*
 * Adds what a bundle found with the manifest digest has, as SIG_DSSE,
 * unverified.  INVALID_ARGUMENT if it is none that is understood here, and
 * nothing was added; RESOURCE_EXHAUSTED if that is too much.
 */
int sigbundle_add(struct sigset *set, const char *digest, const void *buf,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));

/* What a DSSE signature is of; owned by the caller. */
uint8_t *sigbundle_signed(const void *payload, size_t len, size_t *total);

#endif
