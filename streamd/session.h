#ifndef CRIOD_STREAMD_SESSION_H
#define CRIOD_STREAMD_SESSION_H

/*
 * Streams that the front announced, from the token to the last byte, and what
 * streamd says to front and execd about them.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "imsg/link.h"
#include "streamd/token.h"
#include "streamd/upgrade.h"
#include "streamd/want.h"

struct client;
struct event;
struct event_base;
struct http_refusal;
struct session;
struct sock;

#define SESSION_MAX	    512	   /* clients at a time */
#define SESSION_SOCKETS_MAX 512	   /* forwarded connections, of all */
#define SESSION_WAIT_MS	    30000  /* for streams, descriptors, sockets */
#define SESSION_BEGIN_MS    120000 /* for the front's answer */

/* What remote commands and port-forwards do, each in its way. */
struct session_type {
	size_t size; /* of the struct that begins with a struct session */
	/* The client is there; -1 without memory. */
	int (*start)(struct session *s);
	/* The front's answer to STREAM_BEGIN; why is NULL if it is well. */
	void (*begun)(struct session *s, const char *why);
	/* Of remote commands only: execd's messages, and that it died. */
	void (*stdio)(struct session *s, unsigned int kind, struct link_msg *m);
	void (*exited)(struct session *s, int32_t code, const char *text);
	void (*lost)(struct session *s);
	void (*clean)(struct session *s); /* frees all but s and its client */
};

struct sessions {
	struct event_base *base;
	struct link *front, *execd;
	struct token_table *tokens;
	unsigned int idle; /* seconds */
	TAILQ_HEAD(, session) list;
	size_t count;
	uint64_t begun[WANT_NKINDS];
	size_t nsockets;
};

struct session {
	TAILQ_ENTRY(session) entry;
	struct sessions *all;
	const struct session_type *type;
	struct want want;
	const struct upgrade_proto *proto;
	struct client *client;
	struct event *reap;
	uint32_t begin; /* the request, while it runs */
	bool exited;	/* execd has said so */
	bool released;	/* front and execd were told of the end */
};

void sessions_init(struct sessions *all, struct event_base *base,
    struct link *front, struct link *execd);

/* A token for want, as text. */
int sessions_prepare(struct sessions *all, const struct want *want,
    char text[TOKEN_SIZE], struct cerr *err)
    __attribute__((warn_unused_result));
/* A client with a token: takes sock, or -1 with the refusal. */
int sessions_take(struct sessions *all, enum want_kind kind,
    struct http1_slice token, const struct upgrade *u, struct sock *sock,
    struct http_refusal *no) __attribute__((warn_unused_result));
void sessions_stdio(struct sessions *all, uint64_t session, unsigned int kind,
    struct link_msg *m);
void sessions_exited(struct sessions *all, uint64_t session, int32_t code,
    const char *text);
/* The front knows no token any more. */
void sessions_front_lost(struct sessions *all);
void sessions_execd_lost(struct sessions *all);

/* ---- for the types ---- */

/* Asks the front to begin; type->begun is called. */
void session_begin(struct session *s);
/* Tells front and execd that the client needs nothing more. */
void session_release(struct session *s);
/* Releases and, from the loop, frees it. */
void session_end(struct session *s, const char *why);

#endif
