#ifndef CRIOD_IMAGED_CATALOGUE_H
#define CRIOD_IMAGED_CATALOGUE_H

/*
 * What is durable of the image store: one SQLite file.  Every change is one
 * transaction, on disk when the call returns 0.
 *
 * A file beside it, "reserve", holds space that is given back when an image
 * must be removed from a full disk: the log of that transaction then fits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/store.h"

struct catalogue;

struct catalogue_layer {
	uint64_t number;
	char diff_id[STORE_HEX_SIZE];
	uint64_t bytes, inodes;
};

/* Called for each row, in a fixed order; strings are borrowed. */
struct catalogue_reader {
	void (*layer)(void *arg, const struct catalogue_layer *l);
	void (*image)(void *arg, const char *id, const char *user,
	    uint64_t config_bytes);
	void (*image_layer)(void *arg, const char *id, uint64_t layer);
	void (*name)(void *arg, const char *name, const char *id);
	void *arg;
};

/*
 * DIRECTORY/catalogue.db, made if it is not there.  DATA_LOSS if it is damaged
 * (catalogue_set_aside and open again), FAILED_PRECONDITION if of a newer
 * version.
 */
struct catalogue *catalogue_open(const char *directory, struct cerr *err)
    __attribute__((warn_unused_result));
void catalogue_close(struct catalogue *c);
/* Renames the files of a damaged one to catalogue.db.bad*. */
int catalogue_set_aside(const char *directory, struct cerr *err)
    __attribute__((warn_unused_result));

/* Everything: layers, images, their layers (lowest first), names. */
int catalogue_read(struct catalogue *c, const struct catalogue_reader *r,
    struct cerr *err) __attribute__((warn_unused_result));
/* The greatest layer number that ever was in it; 0 if none. */
int catalogue_last_layer(struct catalogue *c, uint64_t *number,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The image, its names, manifest and layers' rows.  layers are all of the
 * image's, lowest first; those already there are left alone.
 */
int catalogue_add(struct catalogue *c, const struct store_new_image *image,
    const char *user, const struct catalogue_layer *layers, size_t nlayers,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * Removes the image (NULL: none) and these layers, which no other image may
 * have.  Works on a full disk.
 */
int catalogue_remove(struct catalogue *c, const char *id,
    const uint64_t *layers, size_t nlayers, struct cerr *err)
    __attribute__((warn_unused_result));

/* *config is owned by the caller and has a NUL behind it. */
int catalogue_config(struct catalogue *c, const char *id, uint8_t **config,
    size_t *len, struct cerr *err) __attribute__((warn_unused_result));

/* Fills the reserve if it is not full; call it when there may be space. */
void catalogue_reserve(struct catalogue *c);

#endif
