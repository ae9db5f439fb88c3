#ifndef CRIOD_IMAGED_REPACK_H
#define CRIOD_IMAGED_REPACK_H

/*
 * The tar of a layer from its recipe and its files.  Neither is trusted: they
 * may have been damaged on disk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

struct repack;

/* What the recipe says of the whole. */
struct repack_facts {
	uint64_t size;		/* of the tar */
	bool lost;		/* it cannot be put together */
	bool attributes;	/* tree is also of these */
	char tree[DIGEST_SIZE]; /* see imaged/walk.h */
};

/*
 * Reads all of the recipe; borrows both descriptors.  DATA_LOSS if it is
 * damaged.
 */
struct repack *repack_new(int recipe, int root, struct repack_facts *facts,
    struct cerr *err) __attribute__((warn_unused_result));
void repack_free(struct repack *r);

/* Gives the tar to put, which may end it with -1. */
typedef int (
    *repack_put_fn)(void *arg, const void *buf, size_t len, struct cerr *err);
int repack_run(struct repack *r, repack_put_fn put, void *arg, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
