#ifndef CRIOD_EXECD_CAPS_H
#define CRIOD_EXECD_CAPS_H

/* Capability names, and the sets of a container from what a client asks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/* What a container gets unless the client says otherwise. */
uint64_t caps_default(void);

struct caps_in {
	bool privileged;
	uint64_t bounding; /* all that this daemon can give */
	char *const *add, *const *drop, *const *ambient;
	size_t nadd, ndrop, nambient;
};

struct caps {
	uint64_t permitted; /* also effective and bounding */
	uint64_t ambient;   /* also inheritable, which is empty otherwise */
};

/*
 * ALL in drop starts from nothing, ALL in add from everything, otherwise from
 * the defaults; then single additions, then single drops.  -1 with err:
 * INVALID_ARGUMENT for an unknown name, FAILED_PRECONDITION for one that this
 * daemon cannot give.
 */
int caps_resolve(const struct caps_in *in, struct caps *out, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
