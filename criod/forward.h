#ifndef CRIOD_CRIOD_FORWARD_H
#define CRIOD_CRIOD_FORWARD_H

/*
 * A call that is one request to a peer.  If the client leaves, the peer is
 * told so.
 */

#include <stdint.h>

#include "imsg/msg.h"

struct grpc_call;
struct link;

/* Ends call with what body, the peer's answer, says; may answer otherwise. */
typedef void (*forward_fn)(struct grpc_call *call, const void *body);

/* ms 0: no deadline.  Borrows body.  Takes call. */
void forward_call(struct grpc_call *call, struct link *link, enum msg_type type,
    const void *body, int64_t ms, forward_fn answer);
/* A forward_fn: the peer's body is the response. */
void forward_same(struct grpc_call *call, const void *body);

#endif
