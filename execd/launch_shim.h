#ifndef CRIOD_EXECD_LAUNCH_SHIM_H
#define CRIOD_EXECD_LAUNCH_SHIM_H

/*
 * Shims of pods (runtimes of type vm).  Whatever one forks and forgets can be
 * found: shims are started in a cgroup of their pod's, which is not the
 * pod's own, because its limits are for containers.
 */

#include "execd/launch.h"

bool launch_shim_is(const struct launch *l, uint32_t runtime);

/* This process, and with it the shim that is started from it. */
int launch_shim_join(const struct launch *l, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));

/* A create failed: a shim without a sandbox ends. */
void launch_shim_failed(const struct launch *l, uint32_t runtime,
    const char *pod);

/* All shims of the pod end, and with them the containers that are left. */
int launch_shim_stop(const struct launch *l, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
