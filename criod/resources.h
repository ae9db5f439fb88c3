#ifndef CRIOD_CRIOD_RESOURCES_H
#define CRIOD_CRIOD_RESOURCES_H

/* New limits beside those in force. */

#include "proto/cri.pb-c.h"

/*
 * What is in force after a change: old (may be NULL) where change says 0 or
 * nothing.  The OOM score of a running container is not changed.  Owned by
 * the caller (pb_free).
 */
Runtime__V1__LinuxContainerResources *
resources_merge(const Runtime__V1__LinuxContainerResources *old,
    const Runtime__V1__LinuxContainerResources *change);

/*
 * What a runtime is to be told: change, and of what the kernel takes only
 * together (quota and period, memory and swap) also the part in force.
 * Borrows from both; list and map are change's own.
 */
void resources_step(Runtime__V1__LinuxContainerResources *step,
    const Runtime__V1__LinuxContainerResources *merged,
    const Runtime__V1__LinuxContainerResources *change);

#endif
