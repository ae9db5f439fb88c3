#ifndef CRIOD_EXECD_SPEC_UPDATE_H
#define CRIOD_EXECD_SPEC_UPDATE_H

/* Pure functions of a request for new limits, which was checked in form. */

#include <jansson.h>

#include <stddef.h>

#include "execd/update_file.h"
#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

/*
 * What a runtime's update reads: "cpu" and "memory" of OCI's resources, as far
 * as something is asked for.  Owned by the caller; NULL with err.
 */
json_t *spec_update(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerResources *res, struct cerr *err);

/* The rest: huge pages and "unified", which not every runtime updates. */
int spec_update_files(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerResources *res,
    struct update_file list[UPDATE_FILES_MAX], size_t *n, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
