#ifndef CRIOD_CRIOD_H2_INT_H
#define CRIOD_CRIOD_H2_INT_H

/* What h2.c (server), h2_conn.c and h2_stream.c share, and nobody else. */

#include <sys/queue.h>
#include <sys/types.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>

#include "criod/h2.h"
#include "criod/h2_scan.h"
#include "lib/mono.h"

#define H2_READ_SIZE	(16U * 1024)
#define H2_OUT_SIZE	(128U * 1024) /* between nghttp2 and the socket */
#define H2_TRAILERS_MAX 2

/* A budget that refills with time. */
struct h2_bucket {
	int64_t tokens;
	int64_t cap, per_second;
	struct mono last;
};

struct h2_stream {
	TAILQ_ENTRY(h2_stream) entry;
	struct h2_conn *conn;
	int32_t id;
	void *user;
	struct h2_head head;
	unsigned int seen; /* bit for each row of h2_stream_fields */
	size_t head_bytes;
	bool regular; /* a field without ':' came */
	bool malformed;
	bool opened;   /* ops.open was called, closed is owed */
	bool in_done;  /* END_STREAM came */
	bool out_done; /* the answer is complete */
	struct evbuffer *out;
	struct h2_field trailers[H2_TRAILERS_MAX]; /* values owned */
	size_t ntrailers;
	struct mono progress; /* of what is under way */
};

struct h2_conn {
	TAILQ_ENTRY(h2_conn) entry;
	struct h2_server *server;
	nghttp2_session *session;
	uint64_t number;
	int fd;
	uid_t uid;
	pid_t pid;
	char peer[48];
	struct event *rd, *wr, *wake;
	struct evbuffer *out;
	TAILQ_HEAD(, h2_stream) streams;
	size_t queued;	   /* unsent body bytes of its streams */
	bool settled;	   /* preface and SETTINGS came */
	bool acked;	   /* ours were acknowledged */
	bool busy;	   /* inside nghttp2 */
	size_t quiet;	   /* bytes read since the last news */
	bool news;	   /* nghttp2 found something in what was read */
	const char *abuse; /* to be closed with ENHANCE_YOUR_CALM */
	const char *error; /* of the last invalid frame; NULL */
	bool calmed;	   /* that is submitted */
	struct mono opened, block, progress, idle;
	struct h2_bucket control, resets;
	struct h2_scan scan;
};

struct h2_listener {
	TAILQ_ENTRY(h2_listener) entry;
	struct h2_server *server;
	int fd;
	struct event *ev;
};

struct h2_server {
	struct event_base *base;
	const struct h2_ops *ops;
	void *ctx;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	TAILQ_HEAD(, h2_listener) listeners;
	TAILQ_HEAD(, h2_conn) conns; /* oldest first */
	size_t nconns;
	size_t queued;
	uint64_t next_number;
	int64_t stall_time, idle_time; /* seconds; tests set shorter ones */
	struct event *sweep;
	struct mono warned;
	uint8_t buf[H2_READ_SIZE];
};

/* h2.c */
void h2_server_forget(struct h2_server *s, struct h2_conn *conn);
/* At most one line a second: a hostile client must not fill the log. */
void h2_server_warn(struct h2_server *s, const struct h2_conn *conn,
    const char *what);

/* h2_conn.c */
void h2_conn_new(struct h2_server *s, int fd, uid_t uid, pid_t pid);
void h2_conn_free(struct h2_conn *conn);
void h2_conn_flush(struct h2_conn *conn); /* may free conn */
void h2_conn_wake(struct h2_conn *conn);  /* flush from the event loop */
void h2_conn_sweep(struct h2_conn *conn); /* may free conn */
void h2_conn_goaway(struct h2_conn *conn);
void h2_conn_callbacks(nghttp2_session_callbacks *cb);
/* Counts against a budget; marks the connection when it is used up. */
void h2_conn_spend(struct h2_conn *conn, struct h2_bucket *b, int64_t cost,
    const char *what);

/* h2_stream.c */
struct h2_stream *h2_stream_new(struct h2_conn *conn, int32_t id);
void h2_stream_free(struct h2_stream *st); /* tells the user */
void h2_stream_field(struct h2_stream *st, const char *name, size_t namelen,
    const char *value, size_t valuelen);
void h2_stream_open(struct h2_stream *st);
/* True if nothing has moved for the stall time although something should. */
bool h2_stream_stalled(const struct h2_stream *st);

#endif
