#ifndef CRIOD_NETD_LAUNCH_PLUGIN_H
#define CRIOD_NETD_LAUNCH_PLUGIN_H

#include "lib/cerr.h"

/*
 * Opens plugin NAME of the plugin directory (O_PATH): a regular executable
 * file of root's that nobody else may write.  NOT_FOUND or
 * FAILED_PRECONDITION otherwise.
 */
int launch_plugin_open(const char *dir, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
