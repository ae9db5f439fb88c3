#ifndef CRIOD_IMAGED_UNPACKER_H
#define CRIOD_IMAGED_UNPACKER_H

/*
 * One run of the unpack program: asked of the parent, told what to do, waited
 * for.
 */

#include <stdint.h>

#include "imsg/fixed.h"
#include "imaged/store.h"

struct unpacker;

enum unpacker_op {
	UNPACKER_LAYER = 0,
	UNPACKER_REMOVE = 1,
};

struct unpacker_job {
	uint64_t number; /* of the layer */
	enum unpacker_op op;
	/* UNPACKER_LAYER only */
	int blob_fd; /* taken */
	struct fixed_unpack_layer layer;
};

/* done is set, or err. */
typedef void (*unpacker_fn)(void *arg, const struct fixed_unpack_done *done,
    const struct cerr *err);

/*
 * fn is called once, from the loop, and the unpacker is gone then.  Never
 * NULL.
 */
struct unpacker *unpacker_start(const struct store_def *def,
    const struct unpacker_job *job, unpacker_fn fn, void *arg);
/* The program is made to end; fn is not called. */
void unpacker_cancel(struct unpacker *u);

#endif
