#ifndef CRIOD_CRIOD_STREAM_H
#define CRIOD_CRIOD_STREAM_H

/*
 * A list sent in pieces, one each turn of the event loop, no faster than the
 * client reads.
 */

#include <stdint.h>

struct front;
struct grpc_call;

#define STREAM_CHUNK 64 /* items of a piece */

/*
 * Sends the piece after the item numbered *after, and moves *after.  1 if
 * there may be more, 0 if none was left, -1 if it could not be queued now.
 */
typedef int (*stream_fn)(struct front *front, struct grpc_call *call,
    const void *request, uint64_t *after);

/* Takes call; request is that of the call. */
void stream_begin(struct front *front, struct grpc_call *call,
    const void *request, stream_fn fn);

#endif
