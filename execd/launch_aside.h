#ifndef CRIOD_EXECD_LAUNCH_ASIDE_H
#define CRIOD_EXECD_LAUNCH_ASIDE_H

/* Mounts that are put together where nobody sees them. */

#include <stdbool.h>

#include "lib/cerr.h"

struct aside {
	int home; /* the mount namespace to go back to */
};

/* Into a private copy of this mount namespace, which ends with the job. */
int launch_aside_enter(struct aside *a, struct cerr *err)
    __attribute__((warn_unused_result));
int launch_aside_leave(struct aside *a, struct cerr *err)
    __attribute__((warn_unused_result));

/* Mounts the detached tree at path; follows no link there. */
int launch_aside_attach(int tree, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));
/* A detached copy of the mount at path, for use after leaving; -1 with err. */
int launch_aside_take(const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

/* Is there a mount at path itself? */
bool launch_mounted(const char *path);

#endif
