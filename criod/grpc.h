#ifndef CRIOD_CRIOD_GRPC_H
#define CRIOD_CRIOD_GRPC_H

/*
 * gRPC calls: what a handler sees of one, and the server that takes them from
 * unix sockets (HTTP/2, criod/h2.h) or from the control socket.
 *
 * A handler gets a decoded, checked request (bounded memory, valid UTF-8) and
 * must end the call exactly once, now or later: grpc_reply or grpc_fail for
 * a unary method, grpc_end or grpc_fail for a server stream.  Ending frees
 * the call and its request.  What a client no longer waits for is silent
 * but must still be ended.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "lib/cerr.h"
#include "lib/mono.h"

struct event_base;
struct grpc_call;
struct grpc_server;

/* request: a protobuf-c message, borrowed, valid until the call ends. */
typedef void (
    *grpc_handler)(void *ctx, struct grpc_call *call, const void *request);

enum grpc_kind {
	GRPC_UNARY,
	GRPC_SERVER_STREAM,
};

/* One row of the method table (criod/methods.h). */
struct grpc_method {
	const char *path; /* "/runtime.v1.RuntimeService/Version" */
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
	enum grpc_kind kind;
	grpc_handler handler; /* NULL: UNIMPLEMENTED, before decoding */
};

/* Unary: sends and ends.  Borrows response. */
void grpc_reply(struct grpc_call *call, const void *response);
/* Ends either kind with a status that is not OK. */
void grpc_fail(struct grpc_call *call, const struct cerr *err);
/*
 * Server stream: queues one message.  Borrows response.  -1 if the client
 * has left or reads too slowly (more than GRPC_BACKLOG_MAX waits): the
 * caller then ends the call.
 */
int grpc_stream(struct grpc_call *call, const void *response)
    __attribute__((warn_unused_result));
/* Server stream: the client learns now that it is served. */
void grpc_begin(struct grpc_call *call);
/* Bytes of a server stream that the client has not taken. */
size_t grpc_queued(const struct grpc_call *call);
/* Server stream: ends it with OK, after what is queued. */
void grpc_end(struct grpc_call *call);

/* From grpc-timeout; none if the client gave none. */
struct mono grpc_deadline(const struct grpc_call *call);
/*
 * fn is called once, from the event loop, when nobody waits any more: the
 * client reset the stream or went away, or the deadline passed (the client
 * has then already been told DEADLINE_EXCEEDED).  At once (from inside) if
 * that happened before.  A NULL fn forgets the one set before.
 */
void grpc_on_cancel(struct grpc_call *call, void (*fn)(void *arg), void *arg);
bool grpc_cancelled(const struct grpc_call *call);

/* "uid 0 pid 1234", "criodctl": for logs. */
const char *grpc_peer(const struct grpc_call *call);
int grpc_peer_pid(const struct grpc_call *call);
/* The row's path, its kind, and its response. */
const char *grpc_path(const struct grpc_call *call);
enum grpc_kind grpc_kind(const struct grpc_call *call);
const ProtobufCMessageDescriptor *grpc_response(const struct grpc_call *call);

/*
 * Borrows base, methods and ctx (passed to handlers).  Never NULL (fatal).
 * Logs each call at debug level.
 */
struct grpc_server *grpc_server_new(struct event_base *base,
    const struct grpc_method *methods, size_t nmethods, void *ctx);
/* How a call has ended; all is borrowed. */
struct grpc_outcome {
	const struct grpc_method *method; /* NULL: of no row of the table */
	const char *path;		  /* as the client named it */
	const void *request;		  /* NULL: it was not understood */
	const void *response;		  /* NULL: none */
	const struct cerr *err;		  /* NULL for OK */
	int64_t took_ns;
	unsigned int uid;
	int pid;
	bool gone;  /* the client had left before */
	bool local; /* it was criodctl */
};
typedef void (*grpc_ended)(void *ctx, const struct grpc_outcome *o);
/* fn is called, with ctx, for each call. */
void grpc_server_on_end(struct grpc_server *s, grpc_ended fn);
/* Takes a listening unix stream socket (made non-blocking). */
void grpc_server_listen(struct grpc_server *s, int fd);
/*
 * Stop: no new connections or calls (GOAWAY); calls in flight go on.  What
 * is already in the socket buffers is sent as far as that does not block.
 */
void grpc_server_stop(struct grpc_server *s);
/* Closes everything; calls in flight stay valid and silent. */
void grpc_server_free(struct grpc_server *s);

/*
 * For the control socket: one unary call whose end goes to done (from the
 * event loop, never from inside; err is NULL on success, resp is borrowed
 * and only then valid).  Server streams: the messages are not collected;
 * UNIMPLEMENTED.  Borrows req for the time of the call.  Returns the call,
 * valid until done, for grpc_local_cancel (after which done is not called).
 */
struct grpc_call *grpc_call_local(struct grpc_server *s, const char *path,
    const uint8_t *req, size_t len,
    void (*done)(void *arg, const struct cerr *err, const uint8_t *resp,
	size_t len),
    void *arg);
void grpc_local_cancel(struct grpc_call *call);
/* Who criodctl is, for what is recorded of the call. */
void grpc_local_peer(struct grpc_call *call, unsigned int uid, int pid);

#define GRPC_MESSAGE_MAX (16U * 1024 * 1024) /* either way */
#define GRPC_BACKLOG_MAX (16U * 1024 * 1024) /* unsent bytes of a stream */

#endif
