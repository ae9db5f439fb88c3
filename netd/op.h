#ifndef CRIOD_NETD_OP_H
#define CRIOD_NETD_OP_H

/*
 * What is asked for pods.  The operations of one pod run one after the other,
 * in the order in which they came; those of different pods do not wait for
 * each other.
 */

#include <stdbool.h>

#include "lib/cerr.h"

struct Criod__NetPod;
struct link_call;
struct netd;
struct ops;

struct ops *ops_new(struct netd *n);

/* Each ends call.  ids are not checked before. */
void ops_add(struct ops *o, struct link_call *call,
    const struct Criod__NetPod *pod);
void ops_del(struct ops *o, struct link_call *call, const char *pod);
void ops_check(struct ops *o, struct link_call *call, const char *pod);

/* DEL for netd's own reasons; fn is called with NULL on success. */
void ops_del_quietly(struct ops *o, const char *pod,
    void (*fn)(void *arg, const struct cerr *err), void *arg);

/* True if something is under way for the pod. */
bool ops_busy(const struct ops *o, const char *pod);
/* While held no ADD begins.  Nests not. */
void ops_hold(struct ops *o);
void ops_release(struct ops *o);

#endif
