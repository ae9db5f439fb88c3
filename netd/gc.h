#ifndef CRIOD_NETD_GC_H
#define CRIOD_NETD_GC_H

struct Criod__NetGc;
struct gc;
struct link_call;
struct netd;

struct gc *gc_new(struct netd *n);
/*
 * Undoes the networks of pods that no longer exist, then has the plugins
 * collect what else they hold (GC, since CNI 1.1).  Ends call.
 */
void gc_start(struct gc *g, struct link_call *call,
    const struct Criod__NetGc *req);

#endif
