#ifndef CRIOD_CRIOD_PB_H
#define CRIOD_CRIOD_PB_H

/*
 * Small help with protobuf-c.  Every map<string, string> of the CRI has a
 * type of its own with one layout; they are read here through the descriptor
 * and may stand for each other in a message to be packed (PB_MAP).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

/* protobuf-c's fields are not const; packing does not write to them. */
static inline char *
pb_str(const char *s)
{
	return (char *)(uintptr_t)s;
}

#define PB_MAP(type, entries) ((type **)(void *)(entries))

/* A deep copy, owned by the caller; fatal without memory. */
void *pb_copy(const void *message);
/* Frees what pb_copy made; NULL is nothing. */
void pb_free(void *message);

/*
 * The member name of to becomes that of from, another message that has one of
 * the same kind: borrowed, as with PB_MAP.
 */
void pb_share(void *to, const void *from, const char *name);

const char *pb_key(const void *entry);
const char *pb_value(const void *entry);
/* The value of key among n entries, or NULL. */
const char *pb_map_get(void *const *entries, size_t n, const char *key);
/* True if every entry of want is among the n of have. */
bool pb_map_covers(void *const *have, size_t n, void *const *want,
    size_t nwant);

/* Never NULL (fatal). */
void *pb_calloc(size_t n, size_t size);
char *pb_strdup(const char *s);

#endif
