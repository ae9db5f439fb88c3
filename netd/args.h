#ifndef CRIOD_NETD_ARGS_H
#define CRIOD_NETD_ARGS_H

/* What a pod's request becomes for its plugins. */

#include <jansson.h>

#include "lib/cerr.h"
#include "netd/plugin.h"

struct Criod__NetPod;

/* CNI_ARGS.  INVALID_ARGUMENT for a value that would be read as more keys. */
int args_make(const struct Criod__NetPod *pod, char buf[PLUGIN_ARGS_MAX + 1],
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The capability arguments: an object with portMappings, bandwidth and
 * cgroupPath as far as the pod has them; owned by the caller.  NULL with
 * INVALID_ARGUMENT.
 */
json_t *args_capabilities(const struct Criod__NetPod *pod, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
