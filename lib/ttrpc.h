#ifndef CRIOD_LIB_TTRPC_H
#define CRIOD_LIB_TTRPC_H

/*
 * ttrpc, both sides of it, without any input or output of its own: bytes
 * that came are given to ttrpc_input, bytes to send are given to def->send,
 * and time passes when ttrpc_expire is called.  Only calls of one request and
 * one answer; streams are refused.
 *
 * A message is a header (length and stream, four bytes each, big-endian;
 * type; flags), then a protobuf Request or Response, which are read and
 * written here by hand: they are five fields and two.
 *
 * Nothing of the peer's ends this process.  What it announces is not
 * allocated before it comes, and bounded by def->max.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "lib/mono.h"

#define TTRPC_HEADER	10
#define TTRPC_MAX	(4U * 1024 * 1024) /* of one message, by the protocol */
#define TTRPC_NAME_MAX	128		   /* of a service or method */
#define TTRPC_CALLS_MAX 64		   /* in flight, each way */

enum ttrpc_type {
	TTRPC_REQUEST = 1,
	TTRPC_RESPONSE = 2,
	TTRPC_DATA = 3,
};

struct ttrpc;

/* The peer calls.  Everything is borrowed.  stream is for ttrpc_answer. */
struct ttrpc_request {
	uint32_t stream;
	char service[TTRPC_NAME_MAX];
	char method[TTRPC_NAME_MAX];
	const uint8_t *payload;
	size_t len;
};

struct ttrpc_def {
	/* One message, whole; borrowed.  -1: it cannot be sent, ever. */
	int (*send)(void *ctx, const uint8_t *buf, size_t len);
	/* NULL: every call of the peer's is UNIMPLEMENTED. */
	void (*request)(void *ctx, const struct ttrpc_request *r);
	size_t max; /* bytes of one message that is taken; 0: TTRPC_MAX */
};

/*
 * The end of a call, exactly once unless ttrpc_free comes first.  err is NULL
 * if it went well.  answered: the peer itself sent this.
 */
typedef void (*ttrpc_reply_fn)(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered);

/* Borrows def and ctx.  NULL without memory. */
struct ttrpc *ttrpc_new(const struct ttrpc_def *def, void *ctx);
/* Calls in flight are dropped silently.  Not from inside a callback. */
void ttrpc_free(struct ttrpc *t);

/*
 * Takes bytes of the peer's.  -1 with err if it broke the protocol: then only
 * ttrpc_fail and ttrpc_free may follow.
 */
int ttrpc_input(struct ttrpc *t, const uint8_t *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * Calls the peer.  timeout is told to it and kept by ttrpc_expire.  -1 with
 * err if it cannot be sent; fn is then not called.
 */
int ttrpc_call(struct ttrpc *t, const char *service, const char *method,
    const uint8_t *payload, size_t len, int64_t timeout_ms, ttrpc_reply_fn fn,
    void *arg, struct cerr *err) __attribute__((warn_unused_result));

/* Answers a request, once.  err NULL: with payload.  -1: cannot be sent. */
int ttrpc_answer(struct ttrpc *t, uint32_t stream, const uint8_t *payload,
    size_t len, const struct cerr *err) __attribute__((warn_unused_result));

/* The earliest deadline of a call in flight; none if there is none. */
struct mono ttrpc_deadline(const struct ttrpc *t);
/* Ends those whose deadline passed, with DEADLINE_EXCEEDED. */
void ttrpc_expire(struct ttrpc *t);
/* The connection is gone: ends all with err. */
void ttrpc_fail(struct ttrpc *t, const struct cerr *err);

#endif
