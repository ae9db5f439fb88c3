#ifndef CRIOD_IMAGED_SIGATOMIC_H
#define CRIOD_IMAGED_SIGATOMIC_H

/*
 * Signatures of simple signing that a registry keeps itself: those that say
 * X-Registry-Supports-Signatures have a list of them for each manifest.
 */

#include <stddef.h>

#include "lib/cerr.h"

struct sigset;

#define SIGATOMIC_MAX  (6U * 1024 * 1024) /* bytes of a list */
#define SIGATOMIC_ROOT "/extensions/v2"	  /* of its URL, in place of /v2 */

/* Adds those of a list about the manifest digest; other kinds are passed over.
 */
int sigatomic_parse(const void *buf, size_t len, const char *digest,
    struct sigset *set, struct cerr *err) __attribute__((warn_unused_result));

#endif
