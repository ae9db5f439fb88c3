#ifndef CRIOD_IMAGED_UNPACK_REMOVE_H
#define CRIOD_IMAGED_UNPACK_REMOVE_H

/*
 * Removes what a layer made, however deep: a constant number of descriptors,
 * no recursion, no path strings.  Only for trees nobody else changes.
 */

#include "lib/cerr.h"

/* Asked now and then; -1 with err ends the work. */
typedef int (*unpack_check_fn)(void *arg, struct cerr *err);

/* All beneath the directory dirfd, not itself.  check may be NULL. */
int unpack_remove_contents(int dirfd, unpack_check_fn check, void *arg,
    struct cerr *err) __attribute__((warn_unused_result));

/* dirfd/name, whatever it is; absent is fine. */
int unpack_remove_at(int dirfd, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
