#ifndef CRIOD_CRIOD_FILTER_MATCH_H
#define CRIOD_CRIOD_FILTER_MATCH_H

/* Whether a pod or container passes a List filter: all parts must hold. */

#include <stdbool.h>

#include "proto/cri.pb-c.h"

struct ctr;
struct pod;

/* f may be NULL: passes. */
bool filter_match_pod(const struct pod *pod,
    const Runtime__V1__PodSandboxFilter *f);
bool filter_match_ctr(const struct ctr *c,
    const Runtime__V1__ContainerFilter *f);

#endif
