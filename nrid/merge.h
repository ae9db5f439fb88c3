#ifndef CRIOD_NRID_MERGE_H
#define CRIOD_NRID_MERGE_H

/*
 * What several plugins ask for, put together.  Each key of each field has at
 * most one owner: a second plugin that sets it is a conflict, unless it asks
 * for its removal first.  Every later plugin is shown the container as the
 * earlier ones left it.
 *
 * Everything is made in one arena and is gone with it; messages given here
 * must live as long.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "proto/nri.pb-c.h"
#include "proto/pballoc.h"

#define MERGE_UPDATES_MAX 256 /* other containers, of one request */

struct merge_claim {
	const char *ctr, *key; /* key NULL: the field itself */
	Nri__Field field;
	const char *plugin;
};

struct merge {
	struct pballoc *mem;
	const char *id;	      /* of the container that it is about */
	Nri__Container *view; /* as the next plugin is to see it; or NULL */
	Nri__LinuxResources *asked; /* of an update of it; or NULL */
	Nri__ContainerAdjustment *adjust;
	Nri__ContainerUpdate **updates; /* of others; MERGE_UPDATES_MAX */
	size_t nupdates;
	struct merge_claim *claims;
	size_t nclaims, maxclaims;
};

/* -1 without memory. */
int merge_init(struct merge *m, struct pballoc *mem, const char *id)
    __attribute__((warn_unused_result));

/* plugin is its name, which must live as long as m. */
int merge_adjust(struct merge *m, const char *plugin,
    const Nri__ContainerAdjustment *from, struct cerr *err)
    __attribute__((warn_unused_result));
int merge_updates(struct merge *m, const char *plugin,
    Nri__ContainerUpdate *const *from, size_t n, struct cerr *err)
    __attribute__((warn_unused_result));

/* Who owns what of the container, for validators. */
Nri__OwningPlugins *merge_owners(struct merge *m);

/* From the arena, zeroed; NULL when it is exhausted. */
void *merge_alloc(struct pballoc *mem, size_t n, size_t size);

#endif
