#include <stdbool.h>
#include <string.h>

#include "imsg/fixed.h"

enum fixed_kind { FIXED_U32, FIXED_U64, FIXED_STR };

struct fixed_field {
	enum fixed_kind kind;
	size_t count; /* numbers, or bytes of a string */
};

struct fixed_desc {
	const struct fixed_field *fields;
	size_t nfields;
	size_t memory;
};

#define FIXED_D_U32(n)	    { FIXED_U32, 1 },
#define FIXED_D_U64(n)	    { FIXED_U64, 1 },
#define FIXED_D_I64(n)	    { FIXED_U64, 1 },
#define FIXED_D_STR(n, s)   { FIXED_STR, s },
#define FIXED_D_ARR64(n, c) { FIXED_U64, c },
#define FIXED(name)                                                            \
	static const struct fixed_field fixed_fields_##name[] = {              \
		FIXED_FIELDS_##name(FIXED_D_U32, FIXED_D_U64, FIXED_D_I64,     \
		    FIXED_D_STR, FIXED_D_ARR64)                                \
	};                                                                     \
	const struct fixed_desc fixed_desc_##name = {                          \
		fixed_fields_##name,                                           \
		sizeof(fixed_fields_##name) / sizeof(fixed_fields_##name[0]),  \
		sizeof(struct fixed_##name),                                   \
	};
FIXED_TABLE(FIXED)
#undef FIXED

/* Both the width on the wire and, as the psABI has it, the alignment. */
static const size_t fixed_widths[] = {
	[FIXED_U32] = 4,
	[FIXED_U64] = 8,
	[FIXED_STR] = 1,
};

/* Where the next field of width w lies in a struct, at or after offset. */
static size_t
fixed_align(size_t offset, size_t w)
{
	return (offset + w - 1) / w * w;
}

size_t
fixed_size(const struct fixed_desc *d)
{
	size_t size = 0;

	for (size_t i = 0; i < d->nfields; i++)
		size += d->fields[i].count * fixed_widths[d->fields[i].kind];
	return size;
}

size_t
fixed_memory(const struct fixed_desc *d)
{
	return d->memory;
}

static uint8_t *
fixed_put(uint8_t *buf, uint64_t value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		*buf++ = (uint8_t)(value >> (8 * i));
	return buf;
}

static uint64_t
fixed_get(const uint8_t *buf, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)buf[i] << (8 * i);
	return value;
}

static uint8_t *
fixed_encode_one(uint8_t *buf, enum fixed_kind kind, const uint8_t *src)
{
	uint32_t u32;
	uint64_t u64;

	switch (kind) {
	case FIXED_U32:
		memcpy(&u32, src, sizeof(u32));
		return fixed_put(buf, u32, sizeof(u32));
	case FIXED_U64:
		memcpy(&u64, src, sizeof(u64));
		return fixed_put(buf, u64, sizeof(u64));
	case FIXED_STR:
	default:
		*buf = *src;
		return buf + 1;
	}
}

void
fixed_encode(const struct fixed_desc *d, const void *in, uint8_t *buf)
{
	size_t offset = 0;

	for (size_t i = 0; i < d->nfields; i++) {
		const struct fixed_field *f = &d->fields[i];
		size_t w = fixed_widths[f->kind];

		offset = fixed_align(offset, w);
		for (size_t j = 0; j < f->count; j++, offset += w)
			buf = fixed_encode_one(buf, f->kind,
			    (const uint8_t *)in + offset);
	}
}

/* Ends inside its field, and nothing hides behind the end. */
static bool
fixed_str_ok(const uint8_t *buf, size_t size)
{
	size_t n = strnlen((const char *)buf, size);

	if (n == size)
		return false;
	for (; n < size; n++) {
		if (buf[n] != 0)
			return false;
	}
	return true;
}

static void
fixed_decode_one(const uint8_t *buf, enum fixed_kind kind, uint8_t *dst)
{
	uint64_t u64 = fixed_get(buf, fixed_widths[kind]);
	uint32_t u32 = (uint32_t)u64;

	switch (kind) {
	case FIXED_U32:
		memcpy(dst, &u32, sizeof(u32));
		break;
	case FIXED_U64:
		memcpy(dst, &u64, sizeof(u64));
		break;
	case FIXED_STR:
	default:
		*dst = *buf;
		break;
	}
}

int
fixed_decode(const struct fixed_desc *d, const uint8_t *buf, size_t len,
    void *out)
{
	size_t offset = 0;

	if (len != fixed_size(d))
		return -1;
	memset(out, 0, d->memory);
	for (size_t i = 0; i < d->nfields; i++) {
		const struct fixed_field *f = &d->fields[i];
		size_t w = fixed_widths[f->kind];

		if (f->kind == FIXED_STR && !fixed_str_ok(buf, f->count))
			return -1;
		offset = fixed_align(offset, w);
		for (size_t j = 0; j < f->count; j++, offset += w, buf += w)
			fixed_decode_one(buf, f->kind, (uint8_t *)out + offset);
	}
	return 0;
}

int
fixed_set_str(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (n >= size)
		return -1;
	memset(dst, 0, size);
	memcpy(dst, src, n);
	return 0;
}

int
fixed_decode_part(const struct fixed_desc *d, const uint8_t *buf, size_t len,
    void *out)
{
	uint8_t whole[FIXED_MAX] = { 0 };
	size_t size = fixed_size(d);

	memcpy(whole, buf, len < size ? len : size);
	return fixed_decode(d, whole, size, out);
}
