#include <stdlib.h>
#include <string.h>

#include "criod/h2_int.h"

/* Which fields are kept, and where. */
struct h2_stream_row {
	const char *name;
	size_t offset;
	size_t size;
	bool required;
};

#define H2_ROW(name, member, required)                                         \
	{                                                                      \
		name, offsetof(struct h2_head, member),                        \
		    sizeof(((struct h2_head *)NULL)->member), required         \
	}

static const struct h2_stream_row h2_stream_fields[] = {
	H2_ROW(":method", method, true),
	H2_ROW(":scheme", scheme, true),
	H2_ROW(":path", path, true),
	H2_ROW(":authority", authority, false),
	H2_ROW("content-type", content_type, false),
	H2_ROW("grpc-timeout", timeout, false),
	H2_ROW("grpc-encoding", encoding, false),
};

#define H2_NFIELDS (sizeof(h2_stream_fields) / sizeof(h2_stream_fields[0]))

struct h2_stream *
h2_stream_new(struct h2_conn *conn, int32_t id)
{
	struct h2_stream *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	st->conn = conn;
	st->id = id;
	st->progress = mono_now();
	TAILQ_INSERT_TAIL(&conn->streams, st, entry);
	return st;
}

static void
h2_stream_sent(struct h2_stream *st, size_t n)
{
	st->conn->queued -= n;
	st->conn->server->queued -= n;
	st->progress = mono_now();
}

void
h2_stream_free(struct h2_stream *st)
{
	struct h2_conn *conn = st->conn;

	TAILQ_REMOVE(&conn->streams, st, entry);
	if (TAILQ_EMPTY(&conn->streams))
		conn->idle = mono_now();
	if (st->out != NULL) {
		h2_stream_sent(st, evbuffer_get_length(st->out));
		evbuffer_free(st->out);
	}
	if (st->opened && !st->out_done)
		conn->server->ops->closed(conn->server->ctx, st);
	for (size_t i = 0; i < st->ntrailers; i++)
		free((void *)(uintptr_t)st->trailers[i].value);
	free(st);
}

static void
h2_stream_keep(struct h2_stream *st, size_t i, const char *value, size_t len)
{
	char *dst = (char *)&st->head + h2_stream_fields[i].offset;

	if ((st->seen & 1U << i) != 0)
		st->malformed = true;
	st->seen |= 1U << i;
	if (len >= h2_stream_fields[i].size || memchr(value, 0, len) != NULL) {
		value = "?"; /* equals nothing that is accepted */
		len = 1;
	}
	memcpy(dst, value, len);
	dst[len] = '\0';
}

void
h2_stream_field(struct h2_stream *st, const char *name, size_t namelen,
    const char *value, size_t valuelen)
{
	bool pseudo = namelen > 0 && name[0] == ':';

	st->head_bytes += namelen + valuelen + 32;
	if (st->opened || st->head_bytes > H2_HEADERS_MAX)
		return;
	if (pseudo && st->regular)
		st->malformed = true;
	st->regular = st->regular || !pseudo;
	for (size_t i = 0; i < H2_NFIELDS; i++) {
		const char *known = h2_stream_fields[i].name;

		if (strlen(known) != namelen ||
		    memcmp(known, name, namelen) != 0)
			continue;
		h2_stream_keep(st, i, value, valuelen);
		return;
	}
	if (pseudo || namelen == 0)
		st->malformed = true;
}

static enum h2_fault
h2_stream_fault(const struct h2_stream *st)
{
	if (st->head_bytes > H2_HEADERS_MAX)
		return H2_FAULT_TOO_LARGE;
	if (st->malformed)
		return H2_FAULT_MALFORMED;
	for (size_t i = 0; i < H2_NFIELDS; i++) {
		if (h2_stream_fields[i].required && (st->seen & 1U << i) == 0)
			return H2_FAULT_MALFORMED;
	}
	return H2_FAULT_NONE;
}

void
h2_stream_open(struct h2_stream *st)
{
	struct h2_server *s = st->conn->server;

	st->opened = true;
	s->ops->open(s->ctx, st, &st->head, h2_stream_fault(st));
}

bool
h2_stream_stalled(const struct h2_stream *st)
{
	int64_t limit = st->conn->server->stall_time;
	bool owed = st->out != NULL && evbuffer_get_length(st->out) > 0;

	if (st->in_done && !owed && !st->out_done)
		return false; /* the work goes on */
	return mono_now().ns - st->progress.ns > limit * MONO_NS_PER_S;
}

void
h2_stream_set_user(struct h2_stream *st, void *user)
{
	st->user = user;
}

void *
h2_stream_user(const struct h2_stream *st)
{
	return st->user;
}

const char *
h2_stream_peer(const struct h2_stream *st)
{
	return st->conn->peer;
}

unsigned int
h2_stream_uid(const struct h2_stream *st)
{
	return st->conn->uid;
}

int
h2_stream_pid(const struct h2_stream *st)
{
	return st->conn->pid;
}

uint64_t
h2_stream_conn(const struct h2_stream *st)
{
	return st->conn->number;
}

size_t
h2_stream_queued(const struct h2_stream *st)
{
	return st->out == NULL ? 0 : evbuffer_get_length(st->out);
}

static size_t
h2_stream_pairs(nghttp2_nv *nv, const struct h2_field *fields, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (fields[i].value == NULL)
			continue;
		nv[count].name = (uint8_t *)(uintptr_t)fields[i].name;
		nv[count].namelen = strlen(fields[i].name);
		nv[count].value = (uint8_t *)(uintptr_t)fields[i].value;
		nv[count].valuelen = strlen(fields[i].value);
		nv[count++].flags = NGHTTP2_NV_FLAG_NONE;
	}
	return count;
}

/* nghttp2 asks for the next bytes of body; behind the last, trailers. */
static ssize_t
h2_stream_read(nghttp2_session *session, int32_t id, uint8_t *buf,
    size_t length, uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct h2_stream *st = source->ptr;
	nghttp2_nv nv[H2_TRAILERS_MAX];
	int n = evbuffer_remove(st->out, buf, length);

	(void)ctx;
	if (n < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (n > 0)
		h2_stream_sent(st, (size_t)n);
	if (evbuffer_get_length(st->out) > 0)
		return n;
	if (!st->out_done)
		return n > 0 ? n : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	if (nghttp2_submit_trailer(session, id, nv,
		h2_stream_pairs(nv, st->trailers, st->ntrailers)) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return n;
}

#define H2_RESPONSE_MAX 8

void
h2_stream_headers(struct h2_stream *st, const struct h2_field *fields, size_t n,
    bool end)
{
	nghttp2_data_provider body = { { .ptr = st }, h2_stream_read };
	nghttp2_nv nv[H2_RESPONSE_MAX];

	if (!end)
		st->out = evbuffer_new();
	if (end)
		st->out_done = true;
	st->progress = mono_now();
	if ((!end && st->out == NULL) || n > H2_RESPONSE_MAX ||
	    nghttp2_submit_response(st->conn->session, st->id, nv,
		h2_stream_pairs(nv, fields, n), end ? NULL : &body) != 0)
		(void)nghttp2_submit_rst_stream(st->conn->session,
		    NGHTTP2_FLAG_NONE, st->id, NGHTTP2_INTERNAL_ERROR);
	h2_conn_wake(st->conn);
}

static void
h2_stream_unref(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	free(arg);
}

int
h2_stream_body(struct h2_stream *st, uint8_t *buf, size_t len)
{
	struct h2_conn *conn = st->conn;

	if (st->out == NULL || len > H2_QUEUED_CONN_MAX - conn->queued ||
	    len > H2_QUEUED_MAX - conn->server->queued ||
	    evbuffer_add_reference(st->out, buf, len, h2_stream_unref, buf) ==
		-1) {
		free(buf);
		return -1;
	}
	if (evbuffer_get_length(st->out) == len)
		st->progress = mono_now();
	conn->queued += len;
	conn->server->queued += len;
	(void)nghttp2_session_resume_data(conn->session, st->id);
	h2_conn_wake(conn);
	return 0;
}

void
h2_stream_trailers(struct h2_stream *st, const struct h2_field *fields,
    size_t n)
{
	for (size_t i = 0; i < n && i < H2_TRAILERS_MAX; i++) {
		st->trailers[i].name = fields[i].name;
		st->trailers[i].value =
		    fields[i].value == NULL ? NULL : strdup(fields[i].value);
		st->ntrailers++;
	}
	st->out_done = true;
	(void)nghttp2_session_resume_data(st->conn->session, st->id);
	h2_conn_wake(st->conn);
}
