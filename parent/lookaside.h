#ifndef CRIOD_PARENT_LOOKASIDE_H
#define CRIOD_PARENT_LOOKASIDE_H

/* Directories of signatures, which imaged cannot reach. */

#include "lib/cerr.h"

struct Criod__BootTrust;
struct fixed_sig_file;

/* Used where no source names another; need not be there. */
#define LOOKASIDE_USUAL "file:///var/lib/containers/sigstore"

/*
 * Opens one signature of a directory of boot's sources.  The descriptor;
 * NOT_FOUND if it is not there, INVALID_ARGUMENT for what imaged may not ask.
 */
int lookaside_open(const struct Criod__BootTrust *boot,
    const struct fixed_sig_file *f, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
