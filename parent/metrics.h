#ifndef CRIOD_PARENT_METRICS_H
#define CRIOD_PARENT_METRICS_H

/* How often helpers had to be restarted, for streamd's pages. */

#include <stdint.h>

struct parent;

void metrics_send(struct parent *parent, const char *role, uint64_t restarts,
    uint64_t violations);
/* For a streamd that has just started. */
void metrics_send_all(struct parent *parent);

#endif
