#ifndef CRIOD_CRIOD_GRPC_INT_H
#define CRIOD_CRIOD_GRPC_INT_H

/*
 * What the parts of the gRPC server share: grpc.c (calls and server),
 * grpc_h2.c (calls that come by HTTP/2), grpc_local.c (from criodctl),
 * grpc_answer.c (how calls end).
 */

#include <sys/queue.h>

#include "criod/grpc.h"
#include "proto/pballoc.h"
#include "proto/grpc_frame.h"

struct event;
struct h2_stream;

/* Calls whose handler has not ended them, whether anybody waits or not. */
#define GRPC_WORK_MAX	   1024
#define GRPC_WORK_ROOT	   256 /* of these only for uid 0 */
#define GRPC_WORK_CONN_MAX 128
/* Bytes of requests, encoded or decoded, in all calls. */
#define GRPC_MEMORY_MAX (192U * 1024 * 1024)
/* What decoding may take: this much, and as often the message's size. */
#define GRPC_DECODE_BASE   (1024U * 1024)
#define GRPC_DECODE_FACTOR 8

struct grpc_call {
	TAILQ_ENTRY(grpc_call) entry;
	struct grpc_server *server;
	const struct grpc_method *method;
	struct h2_stream *stream; /* NULL: gone, or never was */
	uint64_t conn;		  /* its connection's number; 0: local */
	char peer[48];
	unsigned int uid;
	int pid;
	bool local; /* criodctl's */
	struct grpc_frame frame;
	struct pballoc arena; /* of request */
	void *request;
	size_t charged; /* to the server's memory */
	struct mono started, deadline;
	struct event *timer; /* deadline; for a local call: its start */
	bool running;	     /* the handler has it */
	bool answering;	     /* response headers are out */
	bool cancelled;
	void (*cancel)(void *arg);
	void *cancel_arg;
	void (*done)(void *arg, const struct cerr *err, const uint8_t *resp,
	    size_t len);
	void *done_arg;
};

struct grpc_server {
	struct event_base *base;
	struct h2_server *h2;
	const struct grpc_method *methods;
	size_t nmethods;
	void *ctx;
	grpc_ended ended; /* may be NULL */
	TAILQ_HEAD(, grpc_call) calls;
	size_t nwork;
	size_t memory;
	bool freed; /* goes with its last call */
};

/* grpc.c */
const struct grpc_method *grpc_method_find(const struct grpc_server *s,
    const char *path, struct cerr *err);
struct grpc_call *grpc_call_new(struct grpc_server *s,
    const struct grpc_method *m);
void grpc_call_free(struct grpc_call *call);
/* Brings what the call holds to the books; -1 if that is too much. */
int grpc_call_charge(struct grpc_call *call, struct cerr *err)
    __attribute__((warn_unused_result));
/* Decodes the request and starts the handler, or fails the call. */
void grpc_call_run(struct grpc_call *call);
/* Nobody waits any more; call may be freed when this returns. */
void grpc_call_cancel(struct grpc_call *call);

/* grpc_answer.c */
/* Trailers-Only, for a stream without a call. */
void grpc_answer_refuse(struct h2_stream *st, const struct cerr *err);
/* A plain HTTP status, for what is not gRPC. */
void grpc_answer_http(struct h2_stream *st, const char *status);
/* The same, for what has no row of the table, or asks wrongly. */
void grpc_answer_unknown(struct grpc_server *s, struct h2_stream *st,
    const char *path, const struct cerr *err);
/* Tells who wants to know how a call ended. */
void grpc_answer_ended(const struct grpc_call *call, const void *response,
    const struct cerr *err);
/* Tells the client, if there is one, and forgets it. */
void grpc_answer_status(struct grpc_call *call, const struct cerr *err);

/* grpc_h2.c */
struct h2_ops;
extern const struct h2_ops grpc_h2_ops;

#endif
