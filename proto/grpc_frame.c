#include <stdlib.h>
#include <string.h>

#include "proto/grpc_frame.h"

#define GRPC_FRAME_FIRST 512 /* first allocation */

static int
grpc_frame_check(struct grpc_frame *f, size_t max, struct cerr *err)
{
	f->want = (size_t)f->head[1] << 24 | (size_t)f->head[2] << 16 |
		  (size_t)f->head[3] << 8 | (size_t)f->head[4];
	if (f->head[0] == 1)
		return cerr_set(err, CERR_UNIMPLEMENTED,
		    "compressed messages are not supported");
	if (f->head[0] != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "malformed gRPC message header");
	if (f->want > max)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "message of %zu bytes is larger than the %zu allowed",
		    f->want, max);
	return 0;
}

static size_t
grpc_frame_take_head(struct grpc_frame *f, const uint8_t *buf, size_t len)
{
	size_t n = GRPC_FRAME_HEADER - f->nhead;

	if (n > len)
		n = len;
	memcpy(f->head + f->nhead, buf, n);
	f->nhead += n;
	return n;
}

static int
grpc_frame_grow(struct grpc_frame *f, size_t need, struct cerr *err)
{
	size_t cap = f->cap == 0 ? GRPC_FRAME_FIRST : f->cap;
	uint8_t *p;

	if (need <= f->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	if (cap > f->want)
		cap = f->want;
	p = realloc(f->data, cap);
	if (p == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "out of memory for the request");
	f->data = p;
	f->cap = cap;
	return 0;
}

int
grpc_frame_feed(struct grpc_frame *f, const uint8_t *buf, size_t len,
    size_t max, struct cerr *err)
{
	size_t n;

	if (len > 0 && f->nhead < GRPC_FRAME_HEADER) {
		n = grpc_frame_take_head(f, buf, len);
		buf += n;
		len -= n;
		if (f->nhead == GRPC_FRAME_HEADER &&
		    grpc_frame_check(f, max, err) == -1)
			return -1;
	}
	if (len == 0)
		return 0;
	if (len > f->want - f->len)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "data behind the request message");
	if (grpc_frame_grow(f, f->len + len, err) == -1)
		return -1;
	memcpy(f->data + f->len, buf, len);
	f->len += len;
	return 0;
}

bool
grpc_frame_whole(const struct grpc_frame *f)
{
	return f->nhead == GRPC_FRAME_HEADER && f->len == f->want;
}

void
grpc_frame_clear(struct grpc_frame *f)
{
	free(f->data);
	memset(f, 0, sizeof(*f));
}

void
grpc_frame_header(uint8_t out[GRPC_FRAME_HEADER], uint32_t len)
{
	out[0] = 0;
	out[1] = (uint8_t)(len >> 24);
	out[2] = (uint8_t)(len >> 16);
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
}
