#ifndef CRIOD_LIB_LAYERID_H
#define CRIOD_LIB_LAYERID_H

/*
 * What names a layer between processes: its number in the image store, or,
 * with the number of an additional store in the upper bits, in that one.  A
 * store's number is made of its path, so that it is the same for all, however
 * many there are and whatever order they are in.
 */

#include <stdint.h>

#define LAYERID_BITS   48 /* of the layer's number */
#define LAYERID_STORES 32767
#define SHELVES_MAX    16 /* additional stores */

/* From 1 to LAYERID_STORES. */
uint64_t layerid_of_path(const char *path);

static inline uint64_t
layerid_make(uint64_t store, uint64_t number)
{
	return store << LAYERID_BITS | number;
}

/* 0: criod's own */
static inline uint64_t
layerid_store(uint64_t id)
{
	return id >> LAYERID_BITS;
}

static inline uint64_t
layerid_number(uint64_t id)
{
	return id & ((UINT64_C(1) << LAYERID_BITS) - 1);
}

#endif
