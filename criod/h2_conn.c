#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criod/h2_int.h"
#include "lib/log.h"

#define H2_FLUSH_ROUNDS 32 /* of H2_OUT_SIZE, then others get their turn */

/*
 * What a peer may spend.  Ordinary traffic earns: each DATA frame sent may
 * well be answered by window updates and a ping.
 */
#define H2_CONTROL_CAP	  4000
#define H2_CONTROL_RATE	  200
#define H2_CONTROL_EARNED 4
#define H2_RESETS_CAP	  1000
#define H2_RESETS_RATE	  50
#define H2_QUIET_MAX	  (8U * 1024 * 1024)
#define H2_INVALID_COST	  20 /* a frame that broke the protocol */

static const char h2_resets[] = "too many resets";

static void
h2_bucket_init(struct h2_bucket *b, int64_t cap, int64_t per_second)
{
	b->tokens = b->cap = cap;
	b->per_second = per_second;
	b->last = mono_now();
}

static void
h2_bucket_earn(struct h2_bucket *b, int64_t n)
{
	b->tokens = b->tokens + n > b->cap ? b->cap : b->tokens + n;
}

static bool
h2_bucket_spend(struct h2_bucket *b, int64_t cost)
{
	int64_t ms;

	if (b->tokens < cost) {
		ms = (mono_now().ns - b->last.ns) / MONO_NS_PER_MS;
		if (ms > 60 * 1000)
			ms = 60 * 1000;
		h2_bucket_earn(b, ms * b->per_second / 1000);
		b->last = mono_now();
	}
	b->tokens -= cost;
	return b->tokens >= 0;
}

void
h2_conn_spend(struct h2_conn *conn, struct h2_bucket *b, int64_t cost,
    const char *what)
{
	if (conn->abuse == NULL && !h2_bucket_spend(b, cost))
		conn->abuse = what;
}

/* Frames that cost us work or memory and carry nothing. */
static int
h2_conn_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd,
    void *arg)
{
	struct h2_conn *conn = arg;

	(void)session;
	conn->block = mono_none();
	conn->news = true;
	if (hd->type == NGHTTP2_RST_STREAM) {
		h2_conn_spend(conn, &conn->resets, 1, h2_resets);
	} else if (hd->type == NGHTTP2_HEADERS) {
		/* Those of a request are earned back. */
		h2_conn_spend(conn, &conn->control, 1,
		    "too many header blocks");
		/* CONTINUATION does not come here. */
		if ((hd->flags & NGHTTP2_FLAG_END_HEADERS) == 0)
			conn->block = mono_now();
	} else if (hd->type != NGHTTP2_DATA ||
		   (hd->length == 0 &&
		       (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)) {
		h2_conn_spend(conn, &conn->control, 1,
		    "too many control frames");
	}
	return 0;
}

static int
h2_conn_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame,
    void *arg)
{
	struct h2_conn *conn = arg;
	struct h2_stream *st;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (conn->abuse != NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	st = h2_stream_new(conn, frame->hd.stream_id);
	if (st == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	(void)nghttp2_session_set_stream_user_data(session, st->id, st);
	return 0;
}

static int
h2_conn_on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t namelen, const uint8_t *value, size_t valuelen,
    uint8_t flags, void *arg)
{
	struct h2_conn *conn = arg;
	struct h2_stream *st =
	    nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags;
	conn->news = true;
	if (st == NULL)
		return 0;
	h2_stream_field(st, (const char *)name, namelen, (const char *)value,
	    valuelen);
	if (st->head_bytes > H2_HEADERS_ABUSE && conn->abuse == NULL)
		conn->abuse = "header block far too large";
	if (conn->abuse != NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

static void
h2_conn_request_done(struct h2_conn *conn, struct h2_stream *st)
{
	if (st == NULL || st->in_done)
		return;
	st->in_done = true;
	st->progress = mono_now();
	if (!st->out_done)
		conn->server->ops->end(conn->server->ctx, st);
}

static void
h2_conn_got_headers(struct h2_conn *conn, const nghttp2_frame *frame,
    struct h2_stream *st)
{
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	conn->block = mono_none();
	if (st == NULL)
		return;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		h2_bucket_earn(&conn->control, 1);
		h2_stream_open(st);
	} else if (!end) {
		/* A second header block can only be trailers. */
		(void)nghttp2_submit_rst_stream(conn->session,
		    NGHTTP2_FLAG_NONE, st->id, NGHTTP2_PROTOCOL_ERROR);
	}
	if (end)
		h2_conn_request_done(conn, st);
}

static void
h2_conn_got_settings(struct h2_conn *conn, const nghttp2_frame *frame)
{
	if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
		conn->acked = true;
	else
		conn->settled = true;
}

static int
h2_conn_on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
    void *arg)
{
	struct h2_conn *conn = arg;
	struct h2_stream *st = NULL;

	if (frame->hd.type == NGHTTP2_SETTINGS) {
		h2_conn_got_settings(conn, frame);
		return 0;
	}
	if (frame->hd.stream_id != 0)
		st = nghttp2_session_get_stream_user_data(session,
		    frame->hd.stream_id);
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2_conn_got_headers(conn, frame, st);
	else if (frame->hd.type == NGHTTP2_DATA &&
		 (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		h2_conn_request_done(conn, st);
	return 0;
}

static int
h2_conn_on_invalid(nghttp2_session *session, const nghttp2_frame *frame,
    int error, void *arg)
{
	struct h2_conn *conn = arg;

	(void)session;
	conn->error = nghttp2_strerror(error);
	log_debug("client %s: frame of type %d for stream %d: %s", conn->peer,
	    frame->hd.type, frame->hd.stream_id, conn->error);
	if (frame->hd.type == NGHTTP2_HEADERS)
		conn->block = mono_none();
	h2_conn_spend(conn, &conn->resets, H2_INVALID_COST,
	    "too many invalid frames");
	return 0;
}

static int
h2_conn_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *data, size_t len, void *arg)
{
	struct h2_conn *conn = arg;
	struct h2_stream *st =
	    nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	conn->news = true;
	if (st == NULL)
		return 0;
	st->progress = mono_now();
	if (!st->out_done)
		conn->server->ops->data(conn->server->ctx, st, data, len);
	return 0;
}

/* Errors that the peer provoked; see security row "MadeYouReset". */
static bool
h2_conn_provoked(uint32_t code)
{
	return code == NGHTTP2_PROTOCOL_ERROR ||
	       code == NGHTTP2_FLOW_CONTROL_ERROR ||
	       code == NGHTTP2_STREAM_CLOSED ||
	       code == NGHTTP2_FRAME_SIZE_ERROR;
}

static int
h2_conn_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame,
    void *arg)
{
	struct h2_conn *conn = arg;
	struct h2_stream *st;

	if (frame->hd.type == NGHTTP2_DATA)
		h2_bucket_earn(&conn->control, H2_CONTROL_EARNED);
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		h2_conn_spend(conn, &conn->resets,
		    h2_conn_provoked(frame->rst_stream.error_code)
			? H2_INVALID_COST
			: 1,
		    "too many streams in error");
	if (frame->hd.type != NGHTTP2_HEADERS ||
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	/* The answer is out: a request still being sent need not go on. */
	st = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (st != NULL && !st->in_done)
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
		    st->id, NGHTTP2_NO_ERROR);
	return 0;
}

static int
h2_conn_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_stream *st =
	    nghttp2_session_get_stream_user_data(session, id);

	(void)code;
	(void)arg;
	if (st == NULL)
		return 0;
	(void)nghttp2_session_set_stream_user_data(session, id, NULL);
	h2_stream_free(st);
	return 0;
}

void
h2_conn_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb,
	    h2_conn_on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb,
	    h2_conn_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, h2_conn_on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb,
	    h2_conn_on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb,
	    h2_conn_on_invalid);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb,
	    h2_conn_on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb,
	    h2_conn_on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb,
	    h2_conn_on_close);
}

/* Moves frames from nghttp2 to the socket's queue.  -1 if it failed. */
static int
h2_conn_fill(struct h2_conn *conn)
{
	const uint8_t *data;
	ssize_t n = 0;

	conn->busy = true;
	while (evbuffer_get_length(conn->out) < H2_OUT_SIZE) {
		n = nghttp2_session_mem_send(conn->session, &data);
		if (n <= 0 || evbuffer_add(conn->out, data, (size_t)n) == -1)
			break;
	}
	conn->busy = false;
	return n < 0 ? -1 : 0;
}

enum h2_sent {
	H2_SENT_ALL,
	H2_SENT_BLOCKED, /* more, when the socket takes it */
	H2_SENT_FAILED,
};

static enum h2_sent
h2_conn_send(struct h2_conn *conn)
{
	for (int i = 0; i < H2_FLUSH_ROUNDS; i++) {
		if (h2_conn_fill(conn) == -1)
			return H2_SENT_FAILED;
		if (evbuffer_get_length(conn->out) == 0)
			return H2_SENT_ALL;
		if (evbuffer_write(conn->out, conn->fd) <= 0)
			return errno == EAGAIN || errno == EINTR
				   ? H2_SENT_BLOCKED
				   : H2_SENT_FAILED;
		conn->progress = mono_now();
	}
	return H2_SENT_BLOCKED;
}

/* Why is for whoever looks for it; abuse was told of. */
static void
h2_conn_close(struct h2_conn *conn, const char *why)
{
	log_debug("client %s: closed: %s", conn->peer, why);
	h2_conn_free(conn);
}

static void
h2_conn_calm(struct h2_conn *conn)
{
	if (conn->abuse == NULL || conn->calmed)
		return;
	conn->calmed = true;
	h2_server_warn(conn->server, conn, conn->abuse);
	(void)nghttp2_session_terminate_session(conn->session,
	    NGHTTP2_ENHANCE_YOUR_CALM);
}

/*
 * A client that does not read is not read from: what it asks for would only
 * pile up.
 */
void
h2_conn_flush(struct h2_conn *conn)
{
	enum h2_sent sent;

	h2_conn_calm(conn);
	sent = h2_conn_send(conn);
	if (conn->abuse != NULL && !conn->calmed) {
		h2_conn_calm(conn);
		sent = h2_conn_send(conn);
	}
	if (conn->abuse != NULL)
		sent = H2_SENT_FAILED;
	switch (sent) {
	case H2_SENT_FAILED:
		h2_conn_close(conn,
		    conn->abuse != NULL ? conn->abuse : strerror(errno));
		return;
	case H2_SENT_BLOCKED:
		(void)event_add(conn->wr, NULL);
		(void)event_del(conn->rd);
		return;
	case H2_SENT_ALL:
		(void)event_add(conn->rd, NULL);
		break;
	}
	if (!nghttp2_session_want_read(conn->session) &&
	    !nghttp2_session_want_write(conn->session))
		h2_conn_close(conn,
		    conn->error != NULL ? conn->error : "all is said");
}

static void
h2_conn_on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	h2_conn_flush(arg);
}

void
h2_conn_wake(struct h2_conn *conn)
{
	if (!conn->busy)
		event_active(conn->wake, EV_TIMEOUT, 0);
}

/*
 * nghttp2 tells nothing of frames of unknown types, nor of DATA for a stream
 * that was answered before its request was complete: of that much may still
 * be on its way from an honest client.
 */
static void
h2_conn_count_quiet(struct h2_conn *conn, size_t n)
{
	conn->quiet = conn->news ? 0 : conn->quiet + n;
	if (conn->quiet > H2_QUIET_MAX)
		h2_conn_spend(conn, &conn->control, (int64_t)n / 16,
		    "nothing but unknown frames");
}

static int
h2_conn_take(void *arg, const uint8_t *buf, size_t len)
{
	struct h2_conn *conn = arg;

	return (int)nghttp2_session_mem_recv(conn->session, buf, len);
}

static int
h2_conn_scan(struct h2_conn *conn, size_t n)
{
	int rc;

	conn->busy = true;
	conn->news = false;
	rc = h2_scan(&conn->scan, conn->server->buf, n, h2_conn_take, conn);
	conn->busy = false;
	if (conn->scan.dropped > 0) {
		conn->news = true;
		h2_conn_spend(conn, &conn->resets, (int64_t)conn->scan.dropped,
		    h2_resets);
		conn->scan.dropped = 0;
	}
	return rc;
}

static void
h2_conn_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct h2_conn *conn = arg;
	ssize_t n;
	int rc;

	(void)what;
	n = read(fd, conn->server->buf, sizeof(conn->server->buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		h2_conn_close(conn, n == 0 ? "by the client" : strerror(errno));
		return;
	}
	rc = h2_conn_scan(conn, (size_t)n);
	if (rc == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
		h2_server_warn(conn->server, conn, "does not speak HTTP/2");
		h2_conn_free(conn);
		return;
	}
	h2_conn_count_quiet(conn, (size_t)n);
	if (rc < 0 && conn->abuse == NULL)
		conn->abuse = nghttp2_strerror(rc);
	h2_conn_flush(conn);
}

static int
h2_conn_greet(struct h2_conn *conn)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADERS_MAX },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	if (nghttp2_session_server_new2(&conn->session, conn->server->callbacks,
		conn, conn->server->option) != 0)
		return -1;
	if (nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
		sizeof(settings) / sizeof(settings[0])) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(conn->session,
	    NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW);
}

static int
h2_conn_events(struct h2_conn *conn)
{
	struct event_base *base = conn->server->base;

	conn->rd = event_new(base, conn->fd, EV_READ | EV_PERSIST,
	    h2_conn_on_read, conn);
	conn->wr = event_new(base, conn->fd, EV_WRITE, h2_conn_on_write, conn);
	conn->wake = event_new(base, -1, 0, h2_conn_on_write, conn);
	conn->out = evbuffer_new();
	if (conn->rd == NULL || conn->wr == NULL || conn->wake == NULL ||
	    conn->out == NULL)
		return -1;
	return event_add(conn->rd, NULL);
}

void
h2_conn_new(struct h2_server *s, int fd, uid_t uid, pid_t pid)
{
	struct h2_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		(void)close(fd);
		return;
	}
	conn->server = s;
	conn->fd = fd;
	conn->uid = uid;
	conn->pid = pid;
	conn->number = ++s->next_number;
	conn->opened = conn->progress = conn->idle = mono_now();
	(void)snprintf(conn->peer, sizeof(conn->peer), "uid %u pid %d", uid,
	    pid);
	TAILQ_INIT(&conn->streams);
	h2_bucket_init(&conn->control, H2_CONTROL_CAP, H2_CONTROL_RATE);
	h2_bucket_init(&conn->resets, H2_RESETS_CAP, H2_RESETS_RATE);
	h2_scan_init(&conn->scan);
	TAILQ_INSERT_TAIL(&s->conns, conn, entry);
	if (s->nconns++ == 0)
		(void)event_add(s->sweep, &(struct timeval){ 1, 0 });
	if (h2_conn_events(conn) == -1 || h2_conn_greet(conn) != 0) {
		h2_conn_free(conn);
		return;
	}
	h2_conn_wake(conn);
}

static void
h2_conn_event_free(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void
h2_conn_free(struct h2_conn *conn)
{
	struct h2_stream *st;

	h2_server_forget(conn->server, conn);
	conn->busy = true; /* nobody may wake it any more */
	while ((st = TAILQ_FIRST(&conn->streams)) != NULL)
		h2_stream_free(st);
	nghttp2_session_del(conn->session);
	h2_conn_event_free(conn->rd);
	h2_conn_event_free(conn->wr);
	h2_conn_event_free(conn->wake);
	if (conn->out != NULL)
		evbuffer_free(conn->out);
	(void)close(conn->fd);
	free(conn);
}

void
h2_conn_goaway(struct h2_conn *conn)
{
	(void)nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(conn->session),
	    NGHTTP2_NO_ERROR, NULL, 0);
	h2_conn_flush(conn);
}

static bool
h2_conn_older(struct mono since, int64_t seconds)
{
	return mono_is_set(since) &&
	       mono_now().ns - since.ns > seconds * MONO_NS_PER_S;
}

/* What is wrong with a connection that does nothing; NULL: nothing. */
static const char *
h2_conn_overdue(const struct h2_conn *conn)
{
	int64_t stall = conn->server->stall_time;

	if (!conn->settled && h2_conn_older(conn->opened, H2_PREFACE_TIME))
		return "no HTTP/2 preface in time";
	if (!conn->acked && h2_conn_older(conn->opened, stall))
		return "settings not acknowledged in time";
	if (h2_conn_older(conn->block, H2_BLOCK_TIME))
		return "header block not finished in time";
	if (evbuffer_get_length(conn->out) > 0 &&
	    h2_conn_older(conn->progress, stall))
		return "reads nothing";
	return NULL;
}

static void
h2_conn_sweep_streams(struct h2_conn *conn)
{
	struct h2_stream *st;

	TAILQ_FOREACH(st, &conn->streams, entry) {
		if (!h2_stream_stalled(st))
			continue;
		(void)nghttp2_submit_rst_stream(conn->session,
		    NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
		h2_conn_wake(conn);
	}
}

void
h2_conn_sweep(struct h2_conn *conn)
{
	const char *overdue = h2_conn_overdue(conn);

	if (overdue != NULL) {
		h2_conn_close(conn, overdue);
		return;
	}
	if (TAILQ_EMPTY(&conn->streams) &&
	    h2_conn_older(conn->idle, conn->server->idle_time)) {
		(void)nghttp2_session_terminate_session(conn->session,
		    NGHTTP2_NO_ERROR);
		h2_conn_flush(conn);
		return;
	}
	h2_conn_sweep_streams(conn);
}
