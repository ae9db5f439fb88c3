#ifndef CRIOD_CRIOD_CHECK_H
#define CRIOD_CRIOD_CHECK_H

/*
 * Whether a request makes sense, before anything is done for it.  All return
 * 0, or -1 with a code (mostly INVALID_ARGUMENT) and a text that begins with
 * the field's path.  What criod cannot do yet is refused here, never
 * ignored, where ignoring it would weaken or break the pod.
 */

#include <stdbool.h>

#include "lib/cerr.h"
#include "proto/cri.pb-c.h"
#include "proto/msg.pb-c.h"

int check_run_pod(const Runtime__V1__RunPodSandboxRequest *r,
    const Criod__BootFront *boot, struct cerr *err)
    __attribute__((warn_unused_result));
int check_create_container(const Runtime__V1__CreateContainerRequest *r,
    struct cerr *err) __attribute__((warn_unused_result));
int
check_update_container(const Runtime__V1__UpdateContainerResourcesRequest *r,
    struct cerr *err) __attribute__((warn_unused_result));
int check_update_pod(const Runtime__V1__UpdatePodSandboxResourcesRequest *r,
    struct cerr *err) __attribute__((warn_unused_result));
/* A container may not ask for what its pod was not given. */
int check_ctr_fits_pod(const Runtime__V1__ContainerConfig *config,
    const Runtime__V1__PodSandboxConfig *pod, struct cerr *err)
    __attribute__((warn_unused_result));
/* The container's own options; NULL if it gives none. */
const Runtime__V1__NamespaceOption *check_ctr_namespaces(
    const Runtime__V1__ContainerConfig *config);

/* path: where the image is in the request. */
int check_image(const Runtime__V1__ImageSpec *image, const char *path,
    struct cerr *err) __attribute__((warn_unused_result));
int check_image_filter(const Runtime__V1__ImageFilter *f, struct cerr *err)
    __attribute__((warn_unused_result));
int check_pull(const Runtime__V1__PullImageRequest *r, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
