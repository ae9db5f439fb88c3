#ifndef CRIOD_EXECD_LAUNCH_KEEP_H
#define CRIOD_EXECD_LAUNCH_KEEP_H

/* What a restored container must not change of its pod. */

#include "execd/launch.h"

/* As it is now; one pod a job. */
int keep_pod(const struct launch *l, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));
/* As it was then; nothing without the other. */
int keep_pod_back(const struct launch *l, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
