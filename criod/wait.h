#ifndef CRIOD_CRIOD_WAIT_H
#define CRIOD_CRIOD_WAIT_H

/*
 * Those who wait for one piece of work: gRPC calls, and other work inside
 * the front.  A call whose client leaves drops out; the work goes on.
 */

#include <sys/queue.h>

#include <stddef.h>

#include "lib/cerr.h"

struct grpc_call;
struct wait;
TAILQ_HEAD(wait_list, wait);

typedef void (*wait_fn)(void *arg, const struct cerr *err);

void wait_init(struct wait_list *l);
/* Takes the call. */
void wait_add_call(struct wait_list *l, struct grpc_call *call);
void wait_add_fn(struct wait_list *l, wait_fn fn, void *arg);
/* All of from's go to the empty list to: from's owner may then go. */
void wait_move(struct wait_list *to, struct wait_list *from);
/*
 * Ends all who wait now: with err, or with response (borrowed) if err is
 * NULL.  Returns how many gRPC calls were there.
 */
size_t wait_end(struct wait_list *l, const struct cerr *err,
    const void *response);

#endif
