#include <stdint.h>
#include <stdlib.h>

#include "proto/pballoc.h"

#define PBALLOC_ALIGN 16U
#define PBALLOC_FIRST 1024U	    /* first block */
#define PBALLOC_BLOCK (256U * 1024) /* largest shared block */
#define PBALLOC_LARGE (64U * 1024)  /* from here: a block of its own */

/*
 * Small pieces are cut one after the other from the last shared block; large
 * ones have their own, at the list's head, and can be freed alone.
 */
struct pballoc_block {
	TAILQ_ENTRY(pballoc_block) entry;
	size_t size;
	size_t cut;
	bool large;
	_Alignas(PBALLOC_ALIGN) unsigned char data[];
};

static struct pballoc_block *
pballoc_block_new(struct pballoc *a, size_t size)
{
	struct pballoc_block *b;

	if (size > a->budget - a->used)
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (b == NULL)
		return NULL;
	b->size = size;
	b->cut = 0;
	b->large = false;
	a->used += size;
	return b;
}

static void *
pballoc_large(struct pballoc *a, size_t size)
{
	struct pballoc_block *b = pballoc_block_new(a, size);

	if (b == NULL)
		return NULL;
	b->large = true;
	TAILQ_INSERT_HEAD(&a->blocks, b, entry);
	return b->data;
}

/* The next block is twice the last, and never more than is left. */
static struct pballoc_block *
pballoc_shared(struct pballoc *a, size_t need)
{
	struct pballoc_block *b = TAILQ_LAST(&a->blocks, pballoc_blocks);
	size_t size = PBALLOC_FIRST;

	if (b != NULL && !b->large) {
		if (b->size - b->cut >= need)
			return b;
		size = b->size < PBALLOC_BLOCK ? b->size * 2 : PBALLOC_BLOCK;
	}
	if (size > a->budget - a->used)
		size = a->budget - a->used;
	if (size < need)
		size = need;
	b = pballoc_block_new(a, size);
	if (b != NULL)
		TAILQ_INSERT_TAIL(&a->blocks, b, entry);
	return b;
}

static void *
pballoc_get(void *ctx, size_t size)
{
	struct pballoc *a = ctx;
	struct pballoc_block *b;
	void *p = NULL;

	if (size > SIZE_MAX - PBALLOC_ALIGN)
		return NULL;
	size = (size + PBALLOC_ALIGN - 1) & ~(size_t)(PBALLOC_ALIGN - 1);
	if (size >= PBALLOC_LARGE) {
		p = pballoc_large(a, size);
	} else if ((b = pballoc_shared(a, size)) != NULL) {
		p = b->data + b->cut;
		b->cut += size;
	}
	if (p == NULL)
		a->exhausted = true;
	return p;
}

static void
pballoc_put(void *ctx, void *p)
{
	struct pballoc *a = ctx;
	struct pballoc_block *b;

	TAILQ_FOREACH(b, &a->blocks, entry) {
		if (!b->large)
			return;
		if (p != b->data)
			continue;
		TAILQ_REMOVE(&a->blocks, b, entry);
		a->used -= b->size;
		free(b);
		return;
	}
}

void
pballoc_init(struct pballoc *a, size_t budget)
{
	a->alloc.alloc = pballoc_get;
	a->alloc.free = pballoc_put;
	a->alloc.allocator_data = a;
	TAILQ_INIT(&a->blocks);
	a->used = 0;
	a->budget = budget;
	a->exhausted = false;
}

void
pballoc_clear(struct pballoc *a)
{
	struct pballoc_block *b;

	while ((b = TAILQ_FIRST(&a->blocks)) != NULL) {
		TAILQ_REMOVE(&a->blocks, b, entry);
		free(b);
	}
	a->used = 0;
}
