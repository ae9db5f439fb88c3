#ifndef CRIOD_NETD_STATUS_H
#define CRIOD_NETD_STATUS_H

struct link_call;
struct netd;
struct status;

struct status *status_new(struct netd *n);
/* Ends call with whether a pod could get a network now, and why not. */
void status_take(struct status *s, struct link_call *call);

#endif
