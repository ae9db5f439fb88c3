#ifndef CRIOD_EXECD_RUNTIME_H
#define CRIOD_EXECD_RUNTIME_H

/* The OCI runtimes of this node: what they say of themselves. */

#include "execd/execd.h"

void runtime_init(struct execd *x);
/* Asks the launcher about each; at start and whenever it is back. */
void runtime_probe(struct execd *x);
/* The launcher may have gone: the front is told, and when it is back. */
void runtime_review(struct execd *x);
/* RUNTIMES: answered once all are known. */
void runtime_take_list(void *ctx, struct link_call *call, struct link_msg *m);

/* Its number for "NAME" ("": the default); -1 with err if it is not usable. */
int runtime_find(struct execd *x, const char *name, uint32_t *number,
    struct cerr *err) __attribute__((warn_unused_result));
const char *runtime_name(const struct execd *x, uint32_t number);
/* It is a shim, and config.json is for that. */
bool runtime_is_shim(const struct execd *x, uint32_t number);
/* Its containers run on a kernel of their own, not on the host's. */
bool runtime_own_kernel(const struct execd *x, uint32_t number);
/* Pods with user namespaces work with it. */
bool runtime_userns(const struct execd *x, uint32_t number);
bool runtime_rro(const struct execd *x, uint32_t number);
/* Why its containers cannot be checkpointed; NULL: they can. */
const char *runtime_no_checkpoint(const struct execd *x, uint32_t number);

#endif
