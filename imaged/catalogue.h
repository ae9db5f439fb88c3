#ifndef CRIOD_IMAGED_CATALOGUE_H
#define CRIOD_IMAGED_CATALOGUE_H

/*
 * What is durable of the image store: one SQLite file.  Every change is one
 * transaction, on disk when the call returns 0.
 *
 * A file beside it, "reserve", holds space that is given back when an image
 * must be removed from a full disk: the log of that transaction then fits.
 *
 * "spare.db" is a second catalogue with the same content, in case the first is
 * lost or damaged.  It may lag behind by what was done just before a power cut.
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
	bool bad;	/* its files are not what they were */
	bool elsewhere; /* in an additional store; no number */
	bool suspect;	/* written before an end that was not orderly */
};

/* Called for each row, in a fixed order; strings are borrowed. */
struct catalogue_reader {
	void (*layer)(void *arg, const struct catalogue_layer *l);
	void (*image)(void *arg, const char *id, const char *user,
	    uint64_t config_bytes);
	/* diff_id: of one that is elsewhere; else NULL */
	void (*image_layer)(void *arg, const char *id, uint64_t layer,
	    const char *diff_id);
	/* A bad layer that containers of the image may still use. */
	void (*kept)(void *arg, const char *id, uint64_t layer);
	void (*name)(void *arg, const char *name, const char *id);
	void *arg;
};

/*
 * DIRECTORY/catalogue.db.  A damaged one is renamed to catalogue.db.bad*; then,
 * or if there is none, the spare takes its place, and without a spare it is
 * made.  FAILED_PRECONDITION if it is of a newer version.
 */
struct catalogue *catalogue_open(const char *directory, struct cerr *err)
    __attribute__((warn_unused_result));
void catalogue_close(struct catalogue *c);

/*
 * boot identifies the host's boot.  If the boot before ended without
 * catalogue_clean, layers that were added since the last time are suspect.
 */
int catalogue_begin_boot(struct catalogue *c, const char *boot,
    struct cerr *err) __attribute__((warn_unused_result));
/* An orderly end: everything is on disk. */
int catalogue_clean(struct catalogue *c, struct cerr *err)
    __attribute__((warn_unused_result));

/* Everything: layers, images, their layers (lowest first), names. */
int catalogue_read(struct catalogue *c, const struct catalogue_reader *r,
    struct cerr *err) __attribute__((warn_unused_result));
/* The greatest layer number that ever was in it; 0 if none. */
int catalogue_last_layer(struct catalogue *c, uint64_t *number,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The image, its names, manifest and layers' rows.  layers are all of the
 * image's, lowest first; rows already there are left alone.  If the image had
 * others in their places, those are kept for its containers.
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

int catalogue_set_bad(struct catalogue *c, uint64_t layer, struct cerr *err)
    __attribute__((warn_unused_result));
int catalogue_set_checked(struct catalogue *c, uint64_t layer, struct cerr *err)
    __attribute__((warn_unused_result));
/* The image's containers use none of its old layers any more. */
int catalogue_forget_kept(struct catalogue *c, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));

/* *config is owned by the caller and has a NUL behind it. */
int catalogue_config(struct catalogue *c, const char *id, uint8_t **config,
    size_t *len, struct cerr *err) __attribute__((warn_unused_result));

/* Each packed set of the image's signatures; fn's -1 ends it. */
typedef int (*catalogue_blob_fn)(void *arg, const uint8_t *buf, size_t len,
    struct cerr *err);
int catalogue_signatures(struct catalogue *c, const char *id,
    catalogue_blob_fn fn, void *arg, struct cerr *err)
    __attribute__((warn_unused_result));

/* Fills the reserve if it is not full; call it when there may be space. */
void catalogue_reserve(struct catalogue *c);

#endif
