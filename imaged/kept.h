#ifndef CRIOD_IMAGED_KEPT_H
#define CRIOD_IMAGED_KEPT_H

/*
 * Damaged layers whose images have good ones in their places: they stay as long
 * as a container of such an image may be standing on them.
 */

#include "imaged/layer.h"

struct catalogue;
struct kept;
struct leases;

struct kept *kept_new(void); /* never NULL (fatal) */
void kept_free(struct kept *k);
void kept_add(struct kept *k, struct layer *l, const char *id);
/*
 * Forgets those whose images no container holds.  Layers that are nobody's
 * then go, from the catalogue too.
 */
void kept_review(struct kept *k, struct catalogue *c, struct layers *layers,
    const struct leases *leases);

#endif
