#ifndef CRIOD_IMAGED_CHECK_H
#define CRIOD_IMAGED_CHECK_H

/*
 * Layers that were written before the host ended in disorder are compared with
 * what they should be, one at a time; those that somebody waits for come first.
 */

#include "imaged/image.h"
#include "imaged/layer.h"
#include "imaged/store.h"

struct catalogue;
struct checks;

struct checks_def {
	struct layers *layers;
	struct catalogue *catalogue;
	struct image_list *images;
	/* l is not what it was. */
	void (*bad)(void *arg, struct layer *l, const char *why);
	void *arg;
};

/* Never NULL (fatal). */
struct checks *checks_new(const struct checks_def *def);
void checks_free(struct checks *ck);
/* After layers_start; goes on by itself. */
void checks_start(struct checks *ck);
/* See store_image_settle. */
void checks_wait(struct checks *ck, const char *id, store_ready_fn fn,
    void *arg);

#endif
