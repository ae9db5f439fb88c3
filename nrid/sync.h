#ifndef CRIOD_NRID_SYNC_H
#define CRIOD_NRID_SYNC_H

/* Telling a new plugin of all there is. */

struct nrid;
struct plugin;
struct sync;

/* Begins what can begin: something changed that a synchronization needs. */
void sync_review(struct nrid *n);
/* The plugin is gone. */
void sync_forget(struct plugin *p);

#endif
