#ifndef CRIOD_STREAMD_RESIZE_H
#define CRIOD_STREAMD_RESIZE_H

/* Terminal sizes, as clients send them: {"Width":80,"Height":24} ... */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESIZE_TEXT_MAX 256

struct resize {
	char text[RESIZE_TEXT_MAX]; /* of one that is not complete */
	size_t len;
	bool bad; /* nothing is taken any more */
};

struct resize_size {
	uint16_t columns, rows;
};

/* Takes some text; true if it completed one or more: the last is in *size. */
bool resize_take(struct resize *r, const char *text, size_t len,
    struct resize_size *size) __attribute__((warn_unused_result));

#endif
