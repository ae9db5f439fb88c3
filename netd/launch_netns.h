#ifndef CRIOD_NETD_LAUNCH_NETNS_H
#define CRIOD_NETD_LAUNCH_NETNS_H

#include "lib/cerr.h"

/*
 * Opens the namespace pinned at path.  NOT_FOUND if there is none (no file,
 * or one that is not a network namespace), FAILED_PRECONDITION if it is the
 * launcher's own.
 */
int launch_netns_open(const char *path, int own, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * In the child, before the plugin: enters the namespace, refuses router
 * advertisements, brings lo up, and goes back to own.  Makes system calls
 * only.  -1 with errno.
 */
int launch_netns_prepare(int netns, int own)
    __attribute__((warn_unused_result));

#endif
