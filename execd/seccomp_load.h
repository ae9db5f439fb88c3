#ifndef CRIOD_EXECD_SECCOMP_LOAD_H
#define CRIOD_EXECD_SECCOMP_LOAD_H

/*
 * A seccomp profile of the host's ("Localhost"), as OCI or as Docker and
 * Podman write them, made into OCI JSON.  Every value of the result was
 * understood and checked here; what is not understood is refused.
 */

#include <jansson.h>

#include <stdint.h>

#include "lib/cerr.h"

#define SECCOMP_LOAD_MAX (1024 * 1024) /* bytes of a profile */

/* What a profile's conditions ask about. */
struct seccomp_host {
	uint64_t caps; /* the container's, bits 1 << CAP_* */
	unsigned int kernel[2];
};

/* New, or NULL with err. */
json_t *seccomp_load(const json_t *profile, const struct seccomp_host *host,
    struct cerr *err);

#endif
