#ifndef CRIOD_CRIOD_VIEW_H
#define CRIOD_CRIOD_VIEW_H

/*
 * Pods and containers as the CRI shows them.  A view borrows all it points
 * to from the pod or container and is good until the next change.
 */

#include "proto/cri.pb-c.h"

struct ctr;
struct pod;

Runtime__V1__PodSandboxState view_pod_state(const struct pod *pod);
Runtime__V1__ContainerState view_ctr_state(const struct ctr *c);

/* What configurations, lists and status call alike: metadata, labels... */
void view_describe(void *message, const void *config);

void view_pod_item(const struct pod *pod, Runtime__V1__PodSandbox *item);

struct view_ctr_item {
	Runtime__V1__Container item;
	Runtime__V1__ImageSpec image;
};
void view_ctr_item(const struct ctr *c, struct view_ctr_item *v);

#define VIEW_IPS_MAX 16

struct view_pod_status {
	Runtime__V1__PodSandboxStatus status;
	Runtime__V1__PodSandboxNetworkStatus network;
	Runtime__V1__LinuxPodSandboxStatus linux_status;
	Runtime__V1__Namespace namespaces;
	Runtime__V1__NamespaceOption no_options;
	Runtime__V1__PodIP more[VIEW_IPS_MAX];
	Runtime__V1__PodIP *more_list[VIEW_IPS_MAX];
};
void view_pod_status(const struct pod *pod, struct view_pod_status *v);

struct view_ctr_status {
	Runtime__V1__ContainerStatus status;
	Runtime__V1__ImageSpec image;
	Runtime__V1__ContainerResources resources;
	Runtime__V1__LinuxContainerResources no_resources;
	Runtime__V1__ContainerUser user;
};
void view_ctr_status(const struct ctr *c, struct view_ctr_status *v);

/* The containers of a pod that clients see, oldest first. */
struct view_pod_ctrs {
	struct view_ctr_status *items;
	Runtime__V1__ContainerStatus **list;
	size_t n;
};
/* without: one to leave out, or NULL. */
void view_pod_ctrs(const struct pod *pod, const struct ctr *without,
    struct view_pod_ctrs *v);
void view_pod_ctrs_clear(struct view_pod_ctrs *v);

#endif
