#ifndef CRIOD_IMAGED_UNPACKER_H
#define CRIOD_IMAGED_UNPACKER_H

/*
 * One run of the unpack or pack program: asked of the parent, told what to do,
 * waited for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "imsg/fixed.h"
#include "imaged/store.h"

struct unpacker;

enum unpacker_op {
	UNPACKER_LAYER = 0,
	UNPACKER_REMOVE = 1,
	UNPACKER_READ = 2,
	UNPACKER_SIGCHECK = 3, /* for sigchecker.h; no layer */
	UNPACKER_SHELF = 4,    /* for shelfread.h; a store */
	UNPACKER_READ_SHELF = 5,
};

struct unpacker_job {
	uint64_t number; /* of the layer */
	enum unpacker_op op;
	/* With the request; taken.  Those that are not -1 come first. */
	int fds[2];
	struct fixed_unpack_layer layer; /* UNPACKER_LAYER */
	bool size_only;			 /* the READs: no more than that */
	struct fixed_pack_layer read;	 /* the READs */
};

union unpacker_done {
	struct fixed_unpack_done unpack;
	struct fixed_pack_done pack; /* UNPACKER_READ */
};

/* done is set, or err. */
typedef void (*unpacker_fn)(void *arg, const union unpacker_done *done,
    const struct cerr *err);

/*
 * fn is called once, from the loop, and the unpacker is gone then.  Never
 * NULL.
 */
struct unpacker *unpacker_start(const struct store_def *def,
    const struct unpacker_job *job, unpacker_fn fn, void *arg);
/* UNPACKER_LAYER: have bytes of its blob are there. */
void unpacker_more(struct unpacker *u, uint64_t have);
/* The program is made to end; fn is not called. */
void unpacker_cancel(struct unpacker *u);

#endif
