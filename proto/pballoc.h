#ifndef CRIOD_PROTO_PBALLOC_H
#define CRIOD_PROTO_PBALLOC_H

/*
 * An allocator for one decoded protobuf message, with a budget.  Everything
 * is released at once by pballoc_clear; a message in it needs no
 * free_unpacked.  What protobuf-c frees while decoding gives its memory back
 * only where that matters (large blocks).
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct pballoc_block;

struct pballoc {
	ProtobufCAllocator alloc; /* what protobuf-c gets */
	TAILQ_HEAD(pballoc_blocks, pballoc_block) blocks;
	size_t used;   /* bytes held */
	size_t budget; /* most that may be */
	bool exhausted;
};

/* a must not move afterwards. */
void pballoc_init(struct pballoc *a, size_t budget);
void pballoc_clear(struct pballoc *a);

#endif
