#ifndef CRIOD_PARENT_DROP_H
#define CRIOD_PARENT_DROP_H

#include "lib/cerr.h"

/*
 * Leaves the parent the capabilities that supervising needs, and proves it.
 * What it must do with more (the mount of STATE/ns, oom_score_adj) comes
 * before.
 */
int drop_capabilities(struct cerr *err) __attribute__((warn_unused_result));

#endif
