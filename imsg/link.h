#ifndef CRIOD_IMSG_LINK_H
#define CRIOD_IMSG_LINK_H

/*
 * One end of the conversation with one peer role, on libevent.  A link
 * outlives its peer: when the peer dies the link is detached, and the parent
 * attaches a new socket when the peer is back.  Requests on a detached link
 * fail with UNAVAILABLE, as do those in flight when it detaches.
 *
 * All callbacks come from the event loop, never from inside the call that
 * set them up.  A peer that breaks the protocol is cut off (lost is called
 * with a reason); nothing that a peer sends ends this process.
 */

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"
#include "imsg/wire.h"
#include "lib/cerr.h"
#include "lib/mono.h"

struct codec_pb;
struct event_base;
struct link;
struct link_call;

/* What a handler sees.  body is freed after it returns, as is any
 * descriptor that it did not take with link_take_fd. */
struct link_msg {
	enum msg_type type;
	const void *body; /* struct fixed_NAME or protobuf-c message */
	int fds[WIRE_FDS_MAX];
	size_t nfds;
};

/* The descriptor at i, now the caller's; -1 if taken before. */
int link_take_fd(struct link_msg *m, size_t i);

/*
 * Takes a message.  call is NULL for one-way types; otherwise the handler, or
 * whoever it gives call to, must end it by exactly one link_reply or
 * link_refuse.
 */
typedef void (
    *link_handler_fn)(void *ctx, struct link_call *call, struct link_msg *m);

struct link_handler {
	enum msg_type type;
	link_handler_fn fn;
};

/*
 * The link has no socket any more.  breach is NULL at an ordinary end of file,
 * else what the peer did wrong.
 */
typedef void (*link_lost_fn)(void *ctx, struct link *link, const char *breach);

struct link_def {
	enum role self, peer;
	const struct link_handler *handlers;
	size_t nhandlers;
	link_lost_fn lost;	   /* may be NULL */
	const struct codec_pb *pb; /* NULL: fixed messages only */
	/*
	 * The peer may be of another version: messages that are not known
	 * are passed over, fixed ones may be longer or shorter at their end.
	 */
	bool other_version;
};

/* fn is called whenever any link of this process has something to read. */
void link_on_activity(void (*fn)(void));

/* Borrows base and def; the link is detached.  Never NULL (fatal). */
struct link *link_new(struct event_base *base, const struct link_def *def,
    void *ctx);
void link_free(struct link *link); /* pending requests are dropped silently */

/* Takes fd (made non-blocking).  A socket attached before is closed first. */
void link_attach(struct link *link, int fd);
bool link_attached(const struct link *link);
enum role link_peer(const struct link *link);
/* Messages that wait to be written: how far the peer lags behind. */
size_t link_waiting(const struct link *link);
/* What the peer may send by msg_table.h's state column; RUN at first. */
void link_set_state(struct link *link, enum msg_state state);

/*
 * From now on no message gets to a handler: requests are answered with err,
 * the others dropped.
 */
void link_refuse_all(struct link *link, const struct cerr *err);

/*
 * One-way.  Takes the descriptors whatever happens; borrows body.  -1 if
 * detached (errno ENOTCONN), the queue is full (LINK_QUEUE_MAX messages,
 * ENOBUFS) or the message longer than its type allows (EMSGSIZE): it is
 * dropped.
 */
int link_send(struct link *link, enum msg_type type, const void *body,
    const int *fds, size_t nfds);

/*
 * The end of a request, exactly once: m is the reply, or NULL with err set
 * (the peer's own error, UNAVAILABLE, DEADLINE_EXCEEDED).  Not called after
 * link_cancel or link_free.
 */
typedef void (
    *link_reply_fn)(void *arg, struct link_msg *m, const struct cerr *err);

/*
 * Sends a request and calls fn when it ends.  Takes the descriptors, borrows
 * body.  When deadline passes, the peer is sent CANCEL and fn gets
 * DEADLINE_EXCEEDED.  Returns the request's id (never 0).
 */
uint32_t link_request(struct link *link, enum msg_type type, const void *body,
    const int *fds, size_t nfds, struct mono deadline, link_reply_fn fn,
    void *arg);

/* Forgets a request: the peer is sent CANCEL, fn is not called. */
void link_cancel(struct link *link, uint32_t id);
/* The peer is sent CANCEL; fn is called when it has done with the request. */
void link_cancel_wait(struct link *link, uint32_t id);

/*
 * Answers.  Both free call and are no-ops on the wire if the peer is gone.
 * link_reply takes the descriptors and borrows body.
 */
void link_reply(struct link_call *call, enum msg_type type, const void *body,
    const int *fds, size_t nfds);
void link_refuse(struct link_call *call, const struct cerr *err);
/* fn is called once if the peer cancels or goes; call must still be ended. */
void link_call_on_cancel(struct link_call *call, void (*fn)(void *arg),
    void *arg);
bool link_call_cancelled(const struct link_call *call);

#define LINK_QUEUE_MAX 4096 /* messages waiting to be written */
#define LINK_CALLS_MAX 8192 /* requests of one peer in flight */

#endif
