#ifndef CRIOD_CRIOD_NRI_MSG_H
#define CRIOD_CRIOD_NRI_MSG_H

/* Pods and containers as NRI's messages: they point into what they are of. */

#include "lib/cerr.h"
#include "proto/cri.pb-c.h"
#include "proto/nri.pb-c.h"

struct ctr;
struct pod;

struct nri_resources_msg {
	Nri__LinuxResources res;
	Nri__LinuxMemory memory;
	Nri__LinuxCPU cpu;
	Nri__OptionalInt64 limit, swap, quota;
	Nri__OptionalUInt64 shares, period;
};

#define NRI_MSG_NS   4
#define NRI_MSG_PATH 320

struct nri_pod_msg {
	Nri__PodSandbox pod;
	Nri__LinuxPodSandbox linux;
	struct nri_resources_msg overhead, resources;
	Nri__LinuxNamespace ns[NRI_MSG_NS], *nslist[NRI_MSG_NS];
	char paths[NRI_MSG_NS][NRI_MSG_PATH];
};

struct nri_ctr_msg {
	Nri__Container ctr;
	Nri__Image image;
};

/* NULL for NULL. */
Nri__LinuxResources *nri_msg_resources(struct nri_resources_msg *m,
    const Runtime__V1__LinuxContainerResources *r);
/*
 * The other way: owned by the caller (pb_free).  NULL with err if r has what
 * the CRI's resources do not.
 */
Runtime__V1__LinuxContainerResources *
nri_msg_change(const Nri__LinuxResources *r, struct cerr *err);
void nri_msg_pod(struct nri_pod_msg *m, const struct pod *pod);
/* What the front knows of it; nrid has the rest. */
void nri_msg_ctr(struct nri_ctr_msg *m, const struct ctr *c);

#endif
