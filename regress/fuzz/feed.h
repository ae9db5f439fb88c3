#ifndef CRIOD_REGRESS_FUZZ_FEED_H
#define CRIOD_REGRESS_FUZZ_FEED_H

/* A fuzzer's input, taken piece by piece; zeros and "" after its end. */

#include <stddef.h>
#include <stdint.h>

struct feed {
	const uint8_t *p;
	size_t n;
};

uint8_t feed_byte(struct feed *f);
uint16_t feed_u16(struct feed *f); /* little-endian */
/* At most n bytes; how many. */
size_t feed_bytes(struct feed *f, size_t n, const uint8_t **p);
/* As far as a NUL, which is taken too; out has one whatever comes. */
void feed_text(struct feed *f, char *out, size_t size);

#endif
