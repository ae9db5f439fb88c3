#ifndef CRIOD_CRIOD_STATS_H
#define CRIOD_CRIOD_STATS_H

/*
 * Numbers of pods and containers: execd has them, the front knows whose they
 * are.  Each call is one question to execd, or, for a stream, one for each
 * piece, no faster than the client reads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg.pb-c.h"

struct ctr;
struct front;
struct grpc_call;
struct pod;

struct stats_kind {
	/*
	 * Puts at most max pods or containers made after the one numbered
	 * *after into get, with stats_want_*, and moves *after.  How many.
	 */
	size_t (*gather)(struct front *front, const void *request,
	    uint64_t *after, size_t max, Criod__StatsGet *get);
	/*
	 * Sends what execd answered: ends a unary call; adds a piece to a
	 * stream, or returns -1 if that cannot be queued now.
	 */
	int (*answer)(struct front *front, struct grpc_call *call,
	    const Criod__Stats *body);
};

/* Takes call; request is that of the call. */
void stats_ask(struct front *front, struct grpc_call *call, const void *request,
    const struct stats_kind *kind);

/* For gather: the lists grow as necessary and borrow the ids. */
void stats_want_ctr(Criod__StatsGet *get, const struct ctr *c);
/* Its cgroup if that is its own; its network; its running containers. */
void stats_want_pod(Criod__StatsGet *get, const struct pod *pod);

#endif
