#ifndef CRIOD_IMAGED_UNPACK_GUNZIP_H
#define CRIOD_IMAGED_UNPACK_GUNZIP_H

/*
 * Gzip, one member or several, in pieces.  Two files make it: one on ISA-L,
 * which takes less than half the time, and one on zlib for machines that
 * Debian has no ISA-L for; unpack.mk chooses.  Both check each member's CRC
 * and length, and what follows a member must be another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gunzip;

struct gunzip *gunzip_new(void); /* NULL without memory */
void gunzip_free(struct gunzip *g);

/*
 * Makes up to *out_len bytes at out, sets *out_len to their count and moves
 * *in on over what was used.  -1 if the data is damaged.  No progress at all
 * means that it wants more input.
 */
int gunzip_step(struct gunzip *g, const uint8_t **in, size_t *in_len,
    uint8_t *out, size_t *out_len) __attribute__((warn_unused_result));

/* Whether the input may end here. */
bool gunzip_at_end(const struct gunzip *g);

#endif
