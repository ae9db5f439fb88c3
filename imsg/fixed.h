#ifndef CRIOD_IMSG_FIXED_H
#define CRIOD_IMSG_FIXED_H

/*
 * Fixed-size messages: structs fixed_NAME made from imsg/fixed_table.h, and
 * their field-by-field codec.  The encoded size is a constant of the type, so
 * a reader never meets a length that it did not fix itself.
 */

#include <stddef.h>
#include <stdint.h>

#include "imsg/fixed_table.h"

#define FIXED_S_U32(n)	    uint32_t n;
#define FIXED_S_U64(n)	    uint64_t n;
#define FIXED_S_I64(n)	    int64_t n;
#define FIXED_S_STR(n, s)   char n[s];
#define FIXED_S_ARR64(n, c) uint64_t n[c];
#define FIXED(name)                                                            \
	struct fixed_##name {                                                  \
		FIXED_FIELDS_##name(FIXED_S_U32, FIXED_S_U64, FIXED_S_I64,     \
		    FIXED_S_STR, FIXED_S_ARR64)                                \
	};
FIXED_TABLE(FIXED)
#undef FIXED

struct fixed_desc;
#define FIXED(name) extern const struct fixed_desc fixed_desc_##name;
FIXED_TABLE(FIXED)
#undef FIXED

/* Largest encoded size of any fixed message. */
#define FIXED_MAX 10240

size_t fixed_size(const struct fixed_desc *d);	 /* encoded bytes */
size_t fixed_memory(const struct fixed_desc *d); /* sizeof its struct */

/* buf has fixed_size(d) bytes; in points to its struct. */
void fixed_encode(const struct fixed_desc *d, const void *in, uint8_t *buf);

/*
 * The reverse.  -1 if len is not fixed_size(d), or a string is not ended
 * inside its field, or has anything but NUL after its end.
 */
int fixed_decode(const struct fixed_desc *d, const uint8_t *buf, size_t len,
    void *out) __attribute__((warn_unused_result));

/*
 * The same of what another version wrote, where fields were added at the end:
 * those that are missing are 0, those that are not known are left out.
 */
int fixed_decode_part(const struct fixed_desc *d, const uint8_t *buf,
    size_t len, void *out) __attribute__((warn_unused_result));

/*
 * Copies src into a STR field and fills it with NULs; -1 if it does not fit
 * whole.  Use FIXED_SET_STR(field, src).
 */
int fixed_set_str(char *dst, size_t size, const char *src)
    __attribute__((warn_unused_result));
#define FIXED_SET_STR(field, src) fixed_set_str((field), sizeof(field), (src))

#endif
