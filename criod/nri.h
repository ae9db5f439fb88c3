#ifndef CRIOD_CRIOD_NRI_H
#define CRIOD_CRIOD_NRI_H

/*
 * NRI plugins are told of every step in the life of pods and containers, by
 * nrid.  Nothing happens here unless criod.conf has an nri statement; with
 * one, and nrid away, pods and containers are not made or started, but are
 * stopped and removed.
 */

#include "imsg/link.h"
#include "proto/cri.pb-c.h"
#include "proto/nri.pb-c.h"

struct ctr;
struct front;
struct op;
struct pod;

/* Steps of an op; the first fails if a plugin does. */
void nri_pod_must(struct pod *pod, struct op *op, Nri__Event event);
void nri_pod_may(struct pod *pod, struct op *op, Nri__Event event);
void nri_ctr_may(struct ctr *c, struct op *op, Nri__Event event);

/* A request of its own; false if there is nobody to ask. */
bool nri_ctr_ask(struct ctr *c, Nri__Event event, link_reply_fn fn, void *arg);
/* Nobody waits for the end. */
void nri_ctr_tell(struct ctr *c, Nri__Event event);

/* A change of limits, before it is made; fn as nri_ctr_ask's. */
bool nri_ctr_update(struct ctr *c,
    const Runtime__V1__LinuxContainerResources *change, link_reply_fn fn,
    void *arg);
bool nri_pod_update(struct pod *pod,
    const Runtime__V1__LinuxContainerResources *overhead,
    const Runtime__V1__LinuxContainerResources *resources, link_reply_fn fn,
    void *arg);
void nri_pod_tell(struct pod *pod, Nri__Event event);

/* nrid is there, or back: all that there is. */
void nri_attached(struct front *front);

/* nrid's messages. */
void nri_handle_evict(void *ctx, struct link_call *call, struct link_msg *m);

#endif
