#ifndef CRIOD_IMAGED_IDENTITY_H
#define CRIOD_IMAGED_IDENTITY_H

/* signedIdentity: whether a signature speaks of the image that is wanted. */

#include <stdbool.h>

struct policy_identity;
struct ref;

/*
 * wanted is what the image was asked for by (NULL: without a name); claimed is
 * the docker-reference of a verified signature.
 */
bool identity_match(const struct policy_identity *id, const struct ref *wanted,
    const char *claimed);

#endif
