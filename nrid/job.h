#ifndef CRIOD_NRID_JOB_H
#define CRIOD_NRID_JOB_H

/*
 * What plugins are asked for one step of a pod's or container's life: each
 * that wants the event, one after the other.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imsg/link.h"
#include "nrid/nrid.h"

struct job;
struct plugin;

/* The front's and execd's messages. */
void job_take_event(void *ctx, struct link_call *call, struct link_msg *m);
void job_take_create(void *ctx, struct link_call *call, struct link_msg *m);

/* Those that were held while a plugin was synchronized. */
void job_release(struct nrid *n);
/* The plugin they waited for is idle, or gone. */
void job_turn(struct plugin *p);
void job_plugin_gone(struct plugin *p);

#endif
