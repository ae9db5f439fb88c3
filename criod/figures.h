#ifndef CRIOD_CRIOD_FIGURES_H
#define CRIOD_CRIOD_FIGURES_H

/* What the front has done, counted for streamd's metrics page. */

#include "criod/grpc.h"
#include "lib/cerr.h"

struct figures;
struct front;

/* Never NULL (fatal). */
struct figures *figures_new(struct front *front);
/* A grpc_ended: a call has been answered; err is NULL for OK. */
void figures_call(void *ctx, const struct grpc_method *method,
    const struct cerr *err, int64_t took_ns);
void figures_oom(struct front *front);
/* streamd is there, and knows nothing yet. */
void figures_send(struct front *front);

#endif
