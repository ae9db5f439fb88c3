#ifndef CRIOD_IMAGED_DUMP_H
#define CRIOD_IMAGED_DUMP_H

/*
 * The catalogue of an additional store as shelf tells imaged of it, in a file:
 *
 *	layers, each: number, bytes, inodes, diff_id
 *	images, each: id, user, config, layers' numbers, names, signatures
 *
 * Numbers are 8 bytes, little-endian; lists and texts have theirs before them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define DUMP_MAX (UINT64_C(128) << 20) /* bytes */

struct dump_out;

struct dump_out *dump_out_new(int fd); /* borrows fd; NULL with errno */
void dump_out_number(struct dump_out *d, uint64_t v);
void dump_out_bytes(struct dump_out *d, const void *p, size_t len);
void dump_out_text(struct dump_out *d, const char *s);
/* Frees d: 0, or -1 with errno if anything could not be written. */
int dump_out_end(struct dump_out *d, uint64_t *len);

/* Reading: everything is checked, the first thing wrong stays. */
struct dump_in {
	int fd;
	uint64_t at, len;
	bool bad;
	uint8_t buf[4096];
	uint64_t buf_at;
	size_t nbuf;
};

void dump_in_begin(struct dump_in *d, int fd, uint64_t len);
uint64_t dump_in_number(struct dump_in *d, uint64_t max);
/* NUL behind it; bad if it is longer or has a NUL within. */
void dump_in_text(struct dump_in *d, char *out, size_t size);
/* Only where it is: the caller may pread it. */
uint64_t dump_in_skip(struct dump_in *d, uint64_t max, uint64_t *at);
/* Whether all was read and nothing was wrong. */
bool dump_in_good(const struct dump_in *d);

#endif
