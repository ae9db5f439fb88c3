#ifndef CRIOD_IMAGED_LAYER_H
#define CRIOD_IMAGED_LAYER_H

/*
 * The layers' directories: making, holding, removing them.  The store tells
 * how many images have a layer and which are in the catalogue.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "imaged/catalogue.h"
#include "imaged/store.h"

struct layers;
struct unpacker;
union unpacker_done;

enum layer_state {
	LAYER_QUEUED = 0, /* waits for its turn to be unpacked */
	LAYER_AHEAD,	  /* at work before its blob is whole */
	LAYER_WORKING,
	LAYER_READY,  /* complete and synced */
	LAYER_DOOMED, /* waits for its turn to be removed, or is */
};

struct layer {
	TAILQ_ENTRY(layer) entry; /* of all */
	LIST_ENTRY(layer) by_number, by_diff_id;
	struct catalogue_layer row;
	enum layer_state state;
	unsigned int images; /* of the catalogue that have it */
	unsigned int holds;
	unsigned int kept; /* for containers of images that had it */
	bool committed;	   /* it has a row */
	/*
	 * Not here, but in an additional store: its place there
	 * (lib/layerid.h), 0 while that is not known.  Its number is of memory
	 * alone.
	 */
	bool elsewhere;
	uint64_t place;
	/* The rest is layer.c's. */
	int64_t idle_since; /* struct mono's ns */
	struct unpacker *unpacker;
	struct store_blob blob;	     /* fd -1: there is none; owns the name */
	uint64_t have;		     /* LAYER_AHEAD only */
	struct store_unpack *waiter; /* AHEAD, QUEUED and WORKING have one */
	struct layers *all;
	struct layer_removal *removal; /* told when it is gone */
};

/* Told once, when the last of some layers is gone or could not be removed. */
typedef void (*layer_gone_fn)(void *arg);

/*
 * Opens DEF->root/layer, makes it if needed.  freed is called when a layer was
 * removed, so that there may be space again.
 */
struct layers *layers_new(const struct store_def *def, void (*freed)(void *arg),
    void *arg, struct cerr *err) __attribute__((warn_unused_result));
void layers_free(struct layers *ls);

/* A row of the catalogue; false if its directory is not there. */
bool layers_add_row(struct layers *ls, const struct catalogue_layer *row);
/*
 * After all rows: numbers go on after last and the directories there are.
 * Directories without a row are doomed but stay until layers_sweep.
 */
int layers_scan(struct layers *ls, uint64_t last, struct cerr *err)
    __attribute__((warn_unused_result));
/* What was doomed before may be removed from now on. */
void layers_sweep(struct layers *ls);
/* Layers may be unpacked and removed from now on. */
void layers_start(struct layers *ls);

struct layer *layers_find(struct layers *ls, uint64_t number);
/* By what names it to others. */
struct layer *layers_find_place(struct layers *ls, uint64_t place);
uint64_t layer_place(const struct layer *l);
/* place 0: one that an image has, and nobody knows where; it is bad. */
struct layer *layers_add_shelf(struct layers *ls, uint64_t place,
    const struct catalogue_layer *row);
/* It is bad, and forgotten when nobody has it any more. */
void layers_drop_shelf(struct layer *l);
/* One that is ready and not bad. */
struct layer *layers_find_diff_id(struct layers *ls, const char *diff_id);
struct layer *layers_first(struct layers *ls);

/* The functions of store.h that they are named after. */
struct store_unpack *layer_unpack(struct layers *ls,
    const struct store_blob *blob, const char *diff_id, store_layer_fn fn,
    void *arg);
struct store_unpack *layer_unpack_ahead(struct layers *ls,
    const struct store_blob *blob, uint64_t have, const char *diff_id,
    store_layer_fn fn, void *arg);
void layer_unpack_more(struct store_unpack *u, uint64_t have);
void layer_unpack_cancel(struct store_unpack *u);
void layer_hold(struct layer *l);
void layer_drop(struct layer *l);
struct store_read *layer_read(struct layer *l, int out, bool size_only,
    store_read_fn fn, void *arg);

/*
 * Dooms those of n layers that have neither image nor hold; fn is called from
 * the loop, also if there are none.
 */
void layers_remove(struct layers *ls, struct layer *const *layers, size_t n,
    layer_gone_fn fn, void *arg);

/* Sum over the layers that are there. */
void layers_usage(const struct layers *ls, uint64_t *bytes, uint64_t *inodes);

#endif
