#ifndef CRIOD_IMAGED_SHELVES_H
#define CRIOD_IMAGED_SHELVES_H

/*
 * Additional stores: images that are elsewhere, in directories that another
 * criod made and nobody here writes to.  What they hold is known from what the
 * shelf program said; imaged itself never touches them, so that one that hangs
 * holds up nobody but who needs it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/image.h"
#include "imaged/layer.h"
#include "imaged/store.h"

struct shelves;
struct shelf;

struct shelves_def {
	const struct store_def *store;
	struct layers *layers;
	/* There are other images, or it is known now which there are. */
	void (*changed)(void *arg);
	void (*gone)(void *arg, const char *id); /* before that */
	void *arg;
};

/* Never NULL (fatal).  Copies def. */
struct shelves *shelves_new(const struct shelves_def *def);
void shelves_free(struct shelves *sh);
/* Links work from now on. */
void shelves_start(struct shelves *sh);
/* Whether each has said what it holds, or does not seem to. */
bool shelves_settled(const struct shelves *sh);

/* The first shelf that has it counts; NULL. */
struct image *shelves_find_id(struct shelves *sh, const char *id);
struct image *shelves_find_name(struct shelves *sh, const char *name);
/* By the beginning of an id; NULL if several have it, too. */
struct image *shelves_find_prefix(struct shelves *sh, const char *hex);
/* Those that neither own nor an earlier shelf has; NULL after the last. */
struct image *shelves_at(struct shelves *sh, size_t index);
/* One that others were not told of, as store_news has it. */
struct image *shelves_news(struct shelves *sh);
/* Names that own or an earlier shelf has are not theirs. */
void shelves_publish(struct shelves *sh, struct image_list *own);
/* The path of its shelf; "" if it has none. */
const char *shelves_path(const struct image *im);

/* As with store_image_config and store_image_signatures. */
int shelves_config(const struct image *im, uint8_t **config, size_t *len,
    struct cerr *err) __attribute__((warn_unused_result));
int shelves_signatures(const struct image *im,
    int (*fn)(void *arg, const uint8_t *buf, size_t len, struct cerr *err),
    void *arg, struct cerr *err) __attribute__((warn_unused_result));

/*
 * Looks whether the shelves that have layers of im are as they were, and reads
 * them anew if not: im may be gone then.  err: one does not answer.
 */
void shelves_check(struct shelves *sh, const struct image *im,
    store_ready_fn fn, void *arg);

#endif
