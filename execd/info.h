#ifndef CRIOD_EXECD_INFO_H
#define CRIOD_EXECD_INFO_H

/* What verbose answers show: a container's config.json, a pod's namespaces. */

#include "lib/cerr.h"

struct ctr;
struct link_call;
struct link_msg;

/* Its config.json; *text is owned in any case. */
int info_read(struct ctr *c, char **text, struct cerr *err)
    __attribute__((warn_unused_result));

void info_take_ctr(void *ctx, struct link_call *call, struct link_msg *m);
void info_take_pod(void *ctx, struct link_call *call, struct link_msg *m);

#endif
