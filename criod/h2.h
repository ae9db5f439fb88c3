#ifndef CRIOD_CRIOD_H2_H
#define CRIOD_CRIOD_H2_H

/*
 * HTTP/2 server connections on unix sockets, prior knowledge only.  All of
 * nghttp2 is behind this header.  A stream is one request: its header block,
 * pieces of body, then whatever the user answers.
 *
 * Everything a peer can make this process hold is bounded here: connections
 * (also for each uid), streams, header bytes, control frames, resets, unsent
 * bytes, and the time it may take over any of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct h2_server;
struct h2_stream;

#define H2_CONNS_MAX	   256 /* connections in all ... */
#define H2_CONNS_ROOT	   64  /* ... of which only uid 0 gets the last */
#define H2_CONNS_UID_MAX   64  /* of one uid */
#define H2_STREAMS_MAX	   128 /* at once, of a connection */
#define H2_HEADERS_MAX	   (16U * 1024) /* decoded, with 32 a field */
#define H2_HEADERS_ABUSE   (64U * 1024) /* the connection goes */
#define H2_STREAM_WINDOW   (1024 * 1024)
#define H2_CONN_WINDOW	   (4 * 1024 * 1024)
#define H2_QUEUED_CONN_MAX (48U * 1024 * 1024)	/* unsent body bytes */
#define H2_QUEUED_MAX	   (128U * 1024 * 1024) /* of all connections */
/* Seconds. */
#define H2_PREFACE_TIME 5    /* until the client's SETTINGS */
#define H2_BLOCK_TIME	5    /* for one header block */
#define H2_STALL_TIME	60   /* without a byte of what is under way */
#define H2_IDLE_TIME	3600 /* without a stream */
#define H2_EVICT_TIME	1    /* idle that long: may make room */

/* The header fields that matter; "" if absent, "?" if impossible. */
struct h2_head {
	char method[8];
	char scheme[8];
	char path[96];
	char authority[256];
	char content_type[64];
	char timeout[16];
	char encoding[16];
};

enum h2_fault {
	H2_FAULT_NONE,
	H2_FAULT_MALFORMED, /* pseudo fields missing, repeated, misplaced */
	H2_FAULT_TOO_LARGE, /* more than H2_HEADERS_MAX */
};

struct h2_ops {
	/* A request came. */
	void (*open)(void *ctx, struct h2_stream *st,
	    const struct h2_head *head, enum h2_fault fault);
	void (*data)(void *ctx, struct h2_stream *st, const uint8_t *buf,
	    size_t len);
	/* The request is complete. */
	void (*end)(void *ctx, struct h2_stream *st);
	/* The stream is gone: the last callback for st. */
	void (*closed)(void *ctx, struct h2_stream *st);
};

struct h2_field {
	const char *name; /* static */
	const char *value;
};

/* Borrows all three.  Never NULL (fatal). */
struct h2_server *h2_server_new(struct event_base *base,
    const struct h2_ops *ops, void *ctx);
/* Takes a listening unix stream socket. */
void h2_server_listen(struct h2_server *s, int fd);
/* Closes the listeners; tells every client to go (GOAWAY), without waiting. */
void h2_server_stop(struct h2_server *s);
void h2_server_free(struct h2_server *s);

/* A pointer for the user; the peer for logs ("uid 0 pid 7"). */
void h2_stream_set_user(struct h2_stream *st, void *user);
void *h2_stream_user(const struct h2_stream *st);
const char *h2_stream_peer(const struct h2_stream *st);
unsigned int h2_stream_uid(const struct h2_stream *st);
int h2_stream_pid(const struct h2_stream *st);
/* Identifies the connection for as long as the process lives. */
uint64_t h2_stream_conn(const struct h2_stream *st);

/*
 * The answer: headers once, then any number of bodies, then trailers; or
 * headers alone with end.  After trailers or end no callback comes any more
 * for st, and it must not be used.
 */
void h2_stream_headers(struct h2_stream *st, const struct h2_field *fields,
    size_t n, bool end);
/* Takes buf (from malloc).  -1 if a bound on unsent bytes would be passed. */
int h2_stream_body(struct h2_stream *st, uint8_t *buf, size_t len)
    __attribute__((warn_unused_result));
size_t h2_stream_queued(const struct h2_stream *st);
void h2_stream_trailers(struct h2_stream *st, const struct h2_field *fields,
    size_t n);

#endif
