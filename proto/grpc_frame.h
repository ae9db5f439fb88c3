#ifndef CRIOD_PROTO_GRPC_FRAME_H
#define CRIOD_PROTO_GRPC_FRAME_H

/*
 * gRPC's message framing: one byte "compressed", four of length, big-endian,
 * then the message.  A request of ours is exactly one message, put together
 * here from whatever pieces HTTP/2 brings.  Memory grows with what came, not
 * with what the length announces.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define GRPC_FRAME_HEADER 5

struct grpc_frame {
	uint8_t head[GRPC_FRAME_HEADER];
	size_t nhead;
	uint8_t *data; /* the message so far */
	size_t len;    /* bytes of it */
	size_t want;   /* bytes announced, once nhead is complete */
	size_t cap;    /* bytes allocated */
};

/*
 * Takes more bytes.  max bounds the message.  *err: UNIMPLEMENTED for a
 * compressed one, RESOURCE_EXHAUSTED for one too large, INVALID_ARGUMENT for
 * a bad flag or bytes behind the message.  After -1 only clear it.
 */
int grpc_frame_feed(struct grpc_frame *f, const uint8_t *buf, size_t len,
    size_t max, struct cerr *err) __attribute__((warn_unused_result));
/* True when the message is whole. */
bool grpc_frame_whole(const struct grpc_frame *f);
void grpc_frame_clear(struct grpc_frame *f);

/* Writes the header of an uncompressed message. */
void grpc_frame_header(uint8_t out[GRPC_FRAME_HEADER], uint32_t len);

#endif
