#ifndef CRIOD_CRIOD_STREAM_LIST_H
#define CRIOD_CRIOD_STREAM_LIST_H

/*
 * The Stream* calls: a list sent in pieces, none of them empty; of nothing
 * at all comes none.  A list in memory is sent one piece each turn of the
 * event loop, no faster than the client reads; what came as one answer from
 * a peer is sent from that.
 */

#include <stddef.h>
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
void stream_list_begin(struct front *front, struct grpc_call *call,
    const void *request, stream_fn fn);

/*
 * These borrow the items; the call's response is a message of one repeated
 * field, the items.  Unary: replies with all.  Server stream: one piece, or
 * none of no items; -1 if it could not be queued now.
 */
int stream_list_send(struct grpc_call *call, void *const *items, size_t n)
    __attribute__((warn_unused_result));
/* Server stream: takes call; all of it in pieces. */
void stream_list_items(struct grpc_call *call, void *const *items, size_t n);

#endif
