#ifndef CRIOD_IMAGED_WALK_H
#define CRIOD_IMAGED_WALK_H

/*
 * One digest of all that a tree is, beside the files' data: names, types,
 * owners, modes, sizes, times, links, device numbers; attributes if asked for.
 * Nothing is followed out of it.
 */

#include <stdbool.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

/* Borrows root.  RESOURCE_EXHAUSTED if the directories' names are too many. */
int walk_digest(int root, bool attributes, char out[DIGEST_SIZE],
    struct cerr *err) __attribute__((warn_unused_result));

#endif
