#ifndef CRIOD_IMAGED_IMAGE_H
#define CRIOD_IMAGED_IMAGE_H

/* The images of the catalogue in memory, so that no List reads the disk. */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "imaged/layer.h"
#include "imaged/store.h"

struct image {
	TAILQ_ENTRY(image) entry;
	struct store_image pub; /* points into the rest */
	char id[DIGEST_SIZE];
	char *user;
	uint64_t config_bytes;
	char **tags, **digests;
	size_t tags_room, digests_room;
	/* All positions, lowest first; a layer may stand there twice. */
	struct layer *layers[STORE_LAYERS_MAX];
	size_t nlayers;
	uint64_t numbers[STORE_LAYERS_MAX]; /* for pub: each layer once */
	bool broken;			    /* a layer of it is missing */
	bool news;			    /* not told yet: store_news */
	/* Of an additional store; the rest is in its file (shelves.h). */
	struct shelf *shelf;
	bool hidden;  /* another store has the image, too */
	char **known; /* all names, those that others took too */
	size_t nknown;
	uint64_t config_at;
	struct image_part {
		uint64_t at, len;
	} * sigs;
	size_t nsigs;
};

TAILQ_HEAD(image_list, image);
struct shelf;

/* In its place in the list, which is in order of id. */
struct image *image_new(struct image_list *list, const char *id,
    const char *user, uint64_t config_bytes);
void image_free(struct image_list *list, struct image *im);

/* Counts the image in the layer.  NULL: missing, the image is broken. */
void image_add_layer(struct image *im, struct layer *l);
/*
 * Puts another layer in a place; the one that was there, no longer counted, or
 * NULL if it is the same.
 */
struct layer *image_set_layer(struct image *im, size_t i, struct layer *l);
/* Takes the name from whichever image has it. */
void image_add_name(struct image_list *list, struct image *im,
    const char *name);
/* The same, from nobody, and without names. */
void image_put_name(struct image *im, const char *name);
void image_clear_names(struct image *im);
/* What image_put_name may be given. */
void image_add_known(struct image *im, const char *name);
bool image_is_known(const struct image *im, const char *name);
void image_set_user(struct image *im, const char *user);
/* Brings im->pub up to date after the above. */
void image_publish(struct image *im, const struct store_def *def);

struct image *image_find_id(struct image_list *list, const char *id);
struct image *image_find_name(struct image_list *list, const char *name);
/* By the beginning of its id, without the algorithm; NULL if not by it alone.
 */
struct image *image_find_prefix(struct image_list *list, const char *hex);
/* What follows the algorithm of an id, if what has one. */
const char *image_hex(const char *what);

#endif
