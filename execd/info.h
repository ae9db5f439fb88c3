#ifndef CRIOD_EXECD_INFO_H
#define CRIOD_EXECD_INFO_H

/* What verbose answers show: a container's config.json, a pod's namespaces. */

struct link_call;
struct link_msg;

void info_take_ctr(void *ctx, struct link_call *call, struct link_msg *m);
void info_take_pod(void *ctx, struct link_call *call, struct link_msg *m);

#endif
