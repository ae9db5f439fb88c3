#ifndef CRIOD_LIB_BASE64_H
#define CRIOD_LIB_BASE64_H

/* Base64 that comes in pieces; the encoder is OpenSSL's. */

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

struct base64 {
	uint32_t bits;
	unsigned int n;	  /* characters in bits, 0 to 3 */
	unsigned int pad; /* '=' seen: the end */
};

/*
 * Decodes len characters into out, which has room for len; how many bytes, or
 * -1.  in and out may be the same.
 */
ssize_t base64_decode(struct base64 *b, const uint8_t *in, size_t len,
    uint8_t *out) __attribute__((warn_unused_result));
/* At the end: -1 if a group is not complete.  Ready for the next text. */
int base64_end(struct base64 *b) __attribute__((warn_unused_result));
/*
 * All of a text.  The caller's to free, with a NUL behind it; NULL if it is not
 * base64 of something, or without memory.
 */
uint8_t *base64_decode_all(const char *text, size_t len, size_t *n)
    __attribute__((warn_unused_result));

#endif
