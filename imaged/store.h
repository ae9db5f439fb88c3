#ifndef CRIOD_IMAGED_STORE_H
#define CRIOD_IMAGED_STORE_H

/*
 * The image store: the catalogue (SQLite), the layers' directories and who
 * holds them.  Everything in one process and one thread; what takes time (a
 * layer being unpacked or removed by the unpack program) ends in a callback
 * from the event loop.
 *
 * A layer is found by its diff_id, the sha256 of its uncompressed tar, 64
 * lower-case hexadecimal digits without a prefix.  Its number names its
 * directory, layer/N/fs, and is never given to another layer that was part of
 * an image.
 *
 * A layer lives as long as an image of the catalogue has it or somebody
 * holds it.  store_layer_find and store_layer_unpack give one hold each;
 * store_layer_drop gives it back.  A layer without an image and without a hold
 * stays for STORE_IDLE_MS, for a pull that is tried again, or until space is
 * needed.
 *
 * An image is its config's digest, "sha256:HEX".  Its names are canonical
 * references, "HOST[:PORT]/PATH:TAG" or "HOST[:PORT]/PATH@sha256:HEX", as
 * imaged's reference module prints them.  A name belongs to one image.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

struct event_base;
struct link;
struct store;
struct store_unpack;

struct catalogue_layer;
struct store_read;

#define STORE_LAYERS_MAX 128 /* of an image; what execd's message carries */
#define STORE_CONFIG_MAX (4U * 1024 * 1024)
#define STORE_NAMES_MAX	 64 /* at one commit */
#define STORE_IDLE_MS	 (10 * 60 * 1000)
#define STORE_HEX_SIZE	 65 /* a sha256 in hexadecimal and NUL */
#define STORE_ID_SIZE	 72 /* "sha256:HEX" and NUL */

struct store_def {
	struct event_base *base;
	struct link *parent;	     /* for UNPACK_SPAWN */
	const char *root;	     /* "" in imaged, whose root the store is */
	const char *image_directory; /* host path, for ImageFsInfo */
	const char *const *pinned;   /* patterns: exact, "x*", "*x*" */
	size_t npinned;
	unsigned int unpack_max; /* at once; 0: STORE_UNPACK_MAX */
	const char *boot;	 /* of the host; "" if that is not known */
	/* Images or usage changed: see store_news.  May be NULL. */
	void (*changed)(void *arg);
	void *changed_arg;
	const char *const *stores; /* additional ones, host paths */
	size_t nstores;
};
#define STORE_UNPACK_MAX 2 /* whole blobs */
#define STORE_AHEAD_MAX	 2 /* more, blobs that are still being fetched */

/*
 * Opens or makes the catalogue and compares it with layer/: images whose
 * layers are missing are dropped, directories without a row are removed once
 * store_start was called and it is known what containers hold.  Layers that
 * were written before the host ended in disorder are compared with what they
 * should be, one after the other.
 * Copies *def and borrows what it points to, for the life of the store.
 */
struct store *store_open(const struct store_def *def, struct cerr *err)
    __attribute__((warn_unused_result));
/* Links work from now on (helper_def.start). */
void store_start(struct store *s);
void store_free(struct store *s); /* callbacks are not called any more */
/* An orderly end comes now. */
void store_clean(struct store *s);

/* ---- layers ---- */

enum store_compression {
	STORE_PLAIN = 0,
	STORE_GZIP = 1,
	STORE_ZSTD = 2,
	STORE_FILE = 3, /* a file of an artifact: imaged/artifact.h */
};

/* What becomes a layer. */
struct store_blob {
	int fd; /* taken in every case; read from its beginning */
	enum store_compression compression;
	uint64_t size;
	const char *name; /* STORE_FILE only */
};

/* The layer's number with one hold, or 0 if it is not there. */
uint64_t store_layer_find(struct store *s, const char *diff_id);
/* The same for a layer of an image that is there; 0 if it is not sound. */
uint64_t store_layer_hold(struct store *s, uint64_t layer);
/* Gives one hold back. */
void store_layer_drop(struct store *s, uint64_t layer);

/*
 * The end: layer is complete, synced and held once for the caller; or err
 * is set and layer is 0.
 */
typedef void (
    *store_layer_fn)(void *arg, const struct cerr *err, uint64_t layer);

/*
 * Unpacks a verified blob, unless the layer is there.  Others that become the
 * same layer are not waited for: the first that is ready is the one, so that
 * nobody is delayed by a blob that is not what its image says.  fn is called
 * once, from the loop, unless cancelled.  At most unpack_max are at work at a
 * time, the others wait.  Never NULL.
 */
struct store_unpack *store_layer_unpack(struct store *s,
    const struct store_blob *blob, const char *diff_id, store_layer_fn fn,
    void *arg);
/*
 * Begins to unpack a blob of which only have bytes are there and none is
 * verified.  NULL if the layer is there, or too many blobs are unpacked like
 * this already.  When fn brings an error the blob may still turn out well:
 * unpack it whole.
 */
struct store_unpack *store_layer_ahead(struct store *s,
    const struct store_blob *blob, uint64_t have, const char *diff_id,
    store_layer_fn fn, void *arg);
/* All of its size only when the blob was verified; never less than before. */
void store_unpack_more(struct store_unpack *u, uint64_t have);
/* fn is not called, and the work ends. */
void store_unpack_cancel(struct store_unpack *u);

/*
 * Reads a layer back: its tar goes to out (taken in every case; -1: nobody
 * wants it), and everything is compared with what it was.  With size_only it
 * is only told how long the tar is.  DATA_LOSS: the layer is damaged, and by
 * the time fn is called so are the images that have it.  lost: the tar cannot
 * be put together (imaged/recipe.h).
 */
struct store_read_done {
	uint64_t size;
	bool lost;
};
typedef void (*store_read_fn)(void *arg, const struct store_read_done *done,
    const struct cerr *err);
/* NOT_FOUND if there is no such layer; else fn is called, from the loop. */
int store_layer_read(struct store *s, uint64_t layer, int out, bool size_only,
    store_read_fn fn, void *arg, struct cerr *err)
    __attribute__((warn_unused_result));

/* ---- images ---- */

/* A new image, or new names for one that is there; all borrowed. */
struct store_new_image {
	const char *id; /* "sha256:HEX" of config */
	const uint8_t *config;
	size_t config_len;
	const char *manifest_digest; /* "sha256:HEX" of manifest */
	const uint8_t *manifest;
	size_t manifest_len;
	const char *const *names; /* tags and digests, canonical */
	size_t nnames;
	const uint64_t *layers; /* held by the caller, lowest first */
	size_t nlayers;
	/* Of the repository it came from; NULL: those known stay. */
	const char *source;
	const uint8_t *signatures; /* packed by sigset_pack */
	size_t signatures_len;
};

/*
 * One transaction, durable when it returns 0.  Names that another image had
 * move to this one.  The caller keeps its holds and drops them after.
 * INVALID_ARGUMENT for what no image may be (no layers, too many, a config
 * that is not one), RESOURCE_EXHAUSTED when the disk is full.
 */
int store_image_commit(struct store *s, const struct store_new_image *image,
    struct cerr *err) __attribute__((warn_unused_result));

/* What is known of an image.  Owned by the store; valid until its next change.
 */
struct store_image {
	const char *id;
	const char *const *tags; /* canonical names with a tag */
	size_t ntags;
	const char *const *digests; /* canonical names with a digest */
	size_t ndigests;
	const uint64_t *layers; /* lowest first, each once */
	size_t nlayers;
	uint64_t size;	  /* bytes; never 0 */
	const char *user; /* of the config, as it is; may be empty */
	bool pinned;
	bool damaged; /* a layer is not what it was: pull it again */
};

/*
 * By id ("sha256:HEX", HEX, or the beginning of HEX that only one has) or by
 * name, canonical.  NULL if there is none.
 */
const struct store_image *store_image_find(struct store *s, const char *what);
/* criod's own in order of id, then others; NULL after the last. */
const struct store_image *store_image_at(struct store *s, size_t index);

/*
 * What changed, each image once: one that is new or not what it was, or NULL
 * after the last; the id of one that is gone, or false.  An id that is gone
 * may be there again.
 */
const struct store_image *store_news(struct store *s);
bool store_gone(struct store *s, char id[STORE_ID_SIZE]);

/*
 * All its layers, lowest first, one as often as the image has it: how many.
 * places are what store_layer_read takes.
 */
size_t store_image_layers(struct store *s, const char *id,
    const struct catalogue_layer *rows[STORE_LAYERS_MAX],
    uint64_t places[STORE_LAYERS_MAX]);

/* The additional store it is in; "" if it is criod's own. */
const char *store_image_where(struct store *s, const char *id);

/*
 * Calls fn, at once or from the loop, when nothing of the image waits to be
 * compared any more, and what it has in additional stores is there; err: such
 * a store fails, or does not answer.  The image may be gone then.
 */
typedef void (*store_ready_fn)(void *arg, const struct cerr *err);
void store_image_settle(struct store *s, const char *id, store_ready_fn fn,
    void *arg);

/*
 * Calls fn, at once or from the loop, when it is known what additional stores
 * hold, or not worth waiting for.  The handle, NULL if fn was called, is for
 * store_settled_cancel.
 */
struct store_settled;
struct store_settled *store_when_settled(struct store *s, void (*fn)(void *arg),
    void *arg);
void store_settled_cancel(struct store_settled *w); /* NULL is fine */

/*
 * *config is owned by the caller and has a NUL behind it.  NOT_FOUND if the
 * image is gone.
 */
int store_image_config(struct store *s, const char *id, uint8_t **config,
    size_t *len, struct cerr *err) __attribute__((warn_unused_result));

/*
 * The packed signatures of the image, from each repository; fn's -1 ends it.
 */
int store_image_signatures(struct store *s, const char *id,
    int (*fn)(void *arg, const uint8_t *buf, size_t len, struct cerr *err),
    void *arg, struct cerr *err) __attribute__((warn_unused_result));

/*
 * Removes an image with all its names, by id; layers that no other image
 * has are removed too.  OK if there is none.  FAILED_PRECONDITION if only an
 * additional store has it.  FAILED_PRECONDITION, naming the
 * container, while one holds a lease.  fn is called once, from the loop, when
 * the image is out of the catalogue and its space was given back or will be.
 * While it is not known what containers hold (see store_lease_begin) it
 * waits.
 */
typedef void (*store_done_fn)(void *arg, const struct cerr *err);
void store_image_remove(struct store *s, const char *id, store_done_fn fn,
    void *arg);

/* ---- leases: containers that use an image ---- */

/* DATA_LOSS if the image is damaged. */
int store_lease_get(struct store *s, const char *container, const char *id,
    struct cerr *err) __attribute__((warn_unused_result));
void store_lease_put(struct store *s, const char *container);
/* A container that holds the image, or NULL. */
const char *store_lease_holder(struct store *s, const char *id);
/*
 * execd (re)connected: it tells with LEASE_HAVE what its containers hold, and
 * ends with a LEASE_HAVE without container (store_lease_end).  Leases not told
 * by then are dropped.  Without that end, removals go on after
 * STORE_SETTLE_MS and nothing is dropped.
 */
void store_lease_begin(struct store *s);
void store_lease_have(struct store *s, const char *container, const char *id);
void store_lease_end(struct store *s);
#define STORE_SETTLE_MS 3000

/* ---- usage ---- */

struct store_usage {
	const char *directory; /* host path */
	uint64_t bytes, inodes;
};

void store_usage(struct store *s, struct store_usage *u);

#endif
