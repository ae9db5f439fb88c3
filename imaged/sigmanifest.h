#ifndef CRIOD_IMAGED_SIGMANIFEST_H
#define CRIOD_IMAGED_SIGMANIFEST_H

/*
 * How cosign attaches signatures to an image: a manifest, tagged
 * sha256-HEX.sig, whose layers are payloads with the rest as annotations.
 */

#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "imaged/sigset.h"
#include "lib/cerr.h"

#define SIGMANIFEST_MAX (4U * 1024 * 1024)

extern const char *const sigmanifest_accept; /* for the Accept header */

/* A payload that is to be read. */
struct sigmanifest_blob {
	char digest[DIGEST_SIZE];
	size_t size;
	size_t sig; /* of the set: SIG_BODY is missing */
};

struct sigmanifest {
	struct sigmanifest_blob blobs[SIGSET_MAX];
	size_t n;
};

/*
 * Adds a signature to set, but for its body, for each layer that is one;
 * digest is the image's.  Other layers are passed over.
 */
int sigmanifest_parse(const void *buf, size_t len, const char *digest,
    struct sigset *set, struct sigmanifest *m, struct cerr *err)
    __attribute__((warn_unused_result));

/* "sha256-HEX.sig" */
#define SIGMANIFEST_TAG_SIZE (DIGEST_SIZE + 4)
void sigmanifest_tag(const char *digest, char tag[SIGMANIFEST_TAG_SIZE]);

#endif
