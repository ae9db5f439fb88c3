#ifndef CRIOD_NRID_ASK_H
#define CRIOD_NRID_ASK_H

/* What plugins ask of the runtime: registration, updates of containers. */

#include "lib/ttrpc.h"

struct plugin;

/* ttrpc_def's request; ctx is the plugin. */
void ask_take(void *ctx, const struct ttrpc_request *r);
/* The plugin is gone: what it asked is answered to nobody. */
void ask_forget(struct plugin *p);

#endif
