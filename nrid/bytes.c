#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "nrid/bytes.h"

#define BYTES_MIN    256
#define BYTES_VARINT 0U
#define BYTES_LENGTH 2U

void
bytes_add(struct bytes *b, const void *data, size_t len)
{
	size_t cap = b->cap == 0 ? BYTES_MIN : b->cap;

	if (len == 0)
		return;
	while (cap < b->len + len)
		cap *= 2;
	if (cap != b->cap) {
		b->data = realloc(b->data, cap);
		if (b->data == NULL)
			fatal("realloc");
		b->cap = cap;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void
bytes_add_varint(struct bytes *b, uint64_t v)
{
	uint8_t out[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	bytes_add(b, out, n);
}

void
bytes_add_field(struct bytes *b, unsigned int number, const void *one,
    size_t len_one, const void *two, size_t len_two)
{
	bytes_add_varint(b, number << 3 | BYTES_LENGTH);
	bytes_add_varint(b, len_one + len_two);
	bytes_add(b, one, len_one);
	bytes_add(b, two, len_two);
}

void
bytes_add_number(struct bytes *b, unsigned int number, uint64_t value)
{
	bytes_add_varint(b, number << 3 | BYTES_VARINT);
	bytes_add_varint(b, value);
}

void
bytes_clear(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}
