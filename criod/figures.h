#ifndef CRIOD_CRIOD_FIGURES_H
#define CRIOD_CRIOD_FIGURES_H

/* What the front has done, counted for streamd's metrics page. */

#include "criod/grpc.h"
#include "lib/cerr.h"

struct figures;
struct front;

/* Never NULL (fatal). */
struct figures *figures_new(struct front *front);
void figures_call(struct front *front, const struct grpc_outcome *o);
void figures_oom(struct front *front);
/* streamd is there, and knows nothing yet. */
void figures_send(struct front *front);

#endif
