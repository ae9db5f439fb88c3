#ifndef CRIOD_CRIOD_SESSION_H
#define CRIOD_CRIOD_SESSION_H

/*
 * Streaming sessions: a request that was answered with a URL, kept until
 * streamd says that a client came to it, or that none did.
 */

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

struct front;
struct grpc_call;
struct link_call;
struct link_msg;
struct session;

#define SESSION_MAX	  4096
#define SESSION_BYTES_MAX (32U * 1024 * 1024) /* of all their requests */
#define SESSION_DIALS_MAX 256		      /* under way at once */
#define SESSION_PORTS_MAX 1024		      /* that one request names */

struct session_table {
	LIST_HEAD(, session) list;
	size_t n, bytes, ndials;
	uint64_t next; /* number; begins anywhere, never used again */
};

void session_init(struct session_table *t);

/*
 * Takes call: it is answered with the URL that streamd makes for r, whose
 * session is set here.  request is a protobuf message to be kept, copied.
 */
void session_prepare(struct front *front, struct grpc_call *call,
    Criod__StreamPrepare *r, const void *request);

/* Messages of streamd. */
void session_handle_drop(void *ctx, struct link_call *call, struct link_msg *m);
void session_handle_begin(void *ctx, struct link_call *call,
    struct link_msg *m);
void session_handle_dial(void *ctx, struct link_call *call, struct link_msg *m);
void session_handle_end(void *ctx, struct link_call *call, struct link_msg *m);
/* streamd's tokens are gone, and with them all sessions. */
void session_streamd_lost(struct front *front);

#endif
