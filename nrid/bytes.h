#ifndef CRIOD_NRID_BYTES_H
#define CRIOD_NRID_BYTES_H

/* Protobuf messages put together from parts that are encoded already. */

#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data;
	size_t len, cap;
};

/* Bytes that a field of len bytes takes, at most. */
#define BYTES_FIELD(len) ((len) + 16)

/* Fatal without memory. */
void bytes_add(struct bytes *b, const void *data, size_t len);
/* A message in two parts; the second may be empty. */
void bytes_add_field(struct bytes *b, unsigned int number, const void *one,
    size_t len_one, const void *two, size_t len_two);
void bytes_add_number(struct bytes *b, unsigned int number, uint64_t value);
void bytes_clear(struct bytes *b);

#endif
