#ifndef CRIOD_CRIOD_CHECKPOINT_H
#define CRIOD_CRIOD_CHECKPOINT_H

/* Where checkpoints of a pod's containers are: DIR/NAME.tar each. */

#include "lib/cerr.h"

#define CHECKPOINT_NAME_MAX  250
#define CHECKPOINT_EXTENSION ".tar"

/* A name that may be a file's; field is for the error. */
int checkpoint_file(const char *field, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));
/* An absolute path. */
int checkpoint_path(const char *field, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
