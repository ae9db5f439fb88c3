#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "lib/ttrpc.h"
#include "lib/ttrpc_pb.h"

#define TTRPC_GROW 4096 /* bytes allocated at once, at least */

/* Flags of a request. */
#define TTRPC_REMOTE_CLOSED 1
#define TTRPC_REMOTE_OPEN   2

struct ttrpc_pending {
	TAILQ_ENTRY(ttrpc_pending) entry;
	uint32_t stream;
	struct mono deadline;
	ttrpc_reply_fn fn;
	void *arg;
};
TAILQ_HEAD(ttrpc_pendings, ttrpc_pending);

struct ttrpc {
	const struct ttrpc_def *def;
	void *ctx;
	uint8_t head[TTRPC_HEADER];
	size_t nhead;
	uint8_t *data; /* of the message that is coming */
	size_t len, cap;
	struct ttrpc_pendings calls;
	size_t ncalls;
	uint32_t next;			 /* stream of our next call */
	uint32_t asked[TTRPC_CALLS_MAX]; /* the peer's, unanswered */
	size_t nasked;
	bool dead; /* ttrpc_fail was called */
};

struct ttrpc *
ttrpc_new(const struct ttrpc_def *def, void *ctx)
{
	struct ttrpc *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->def = def;
	t->ctx = ctx;
	t->next = 1;
	TAILQ_INIT(&t->calls);
	return t;
}

static void
ttrpc_forget(struct ttrpc *t, struct ttrpc_pending *p)
{
	TAILQ_REMOVE(&t->calls, p, entry);
	t->ncalls--;
	free(p);
}

void
ttrpc_free(struct ttrpc *t)
{
	struct ttrpc_pending *p;

	if (t == NULL)
		return;
	while ((p = TAILQ_FIRST(&t->calls)) != NULL)
		ttrpc_forget(t, p);
	free(t->data);
	free(t);
}

/* ---- sending ---- */

static void
ttrpc_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
ttrpc_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* Room for a message of len bytes, its header written; NULL with err. */
static uint8_t *
ttrpc_message(uint32_t stream, enum ttrpc_type type, size_t len,
    struct cerr *err)
{
	uint8_t *buf;

	if (len > TTRPC_MAX) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "ttrpc: a message of %zu bytes", len);
		return NULL;
	}
	buf = malloc(TTRPC_HEADER + len);
	if (buf == NULL) {
		(void)cerr_errno(err, "ttrpc");
		return NULL;
	}
	ttrpc_put32(buf, (uint32_t)len);
	ttrpc_put32(buf + 4, stream);
	buf[8] = (uint8_t)type;
	buf[9] = 0;
	return buf;
}

static int
ttrpc_send(struct ttrpc *t, uint8_t *buf, size_t len, struct cerr *err)
{
	int rv = t->dead ? -1 : t->def->send(t->ctx, buf, TTRPC_HEADER + len);

	free(buf);
	return rv == 0 ? 0
		       : cerr_set(err, CERR_UNAVAILABLE,
			     "ttrpc: the peer takes nothing");
}

static struct ttrpc_text
ttrpc_text(const void *data, size_t len)
{
	return (struct ttrpc_text){ data, len };
}

static int
ttrpc_send_request(struct ttrpc *t, uint32_t stream,
    const struct ttrpc_pb_request *r, struct cerr *err)
{
	size_t len = ttrpc_pb_request_size(r);
	uint8_t *buf = ttrpc_message(stream, TTRPC_REQUEST, len, err);

	if (buf == NULL)
		return -1;
	ttrpc_pb_put_request(r, buf + TTRPC_HEADER);
	return ttrpc_send(t, buf, len, err);
}

int
ttrpc_call(struct ttrpc *t, const char *service, const char *method,
    const uint8_t *payload, size_t len, int64_t timeout_ms, ttrpc_reply_fn fn,
    void *arg, struct cerr *err)
{
	struct ttrpc_pb_request r = {
		.service = ttrpc_text(service, strlen(service)),
		.method = ttrpc_text(method, strlen(method)),
		.payload = ttrpc_text(payload, len),
		.timeout_ns = timeout_ms * MONO_NS_PER_MS,
	};
	struct ttrpc_pending *p;

	if (t->ncalls == TTRPC_CALLS_MAX || t->next > UINT32_MAX - 2)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "ttrpc: too many calls");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return cerr_errno(err, "ttrpc");
	p->stream = t->next;
	p->deadline = timeout_ms > 0 ? mono_after_ms(timeout_ms) : mono_none();
	p->fn = fn;
	p->arg = arg;
	if (ttrpc_send_request(t, p->stream, &r, err) == -1) {
		free(p);
		return -1;
	}
	t->next += 2;
	TAILQ_INSERT_TAIL(&t->calls, p, entry);
	t->ncalls++;
	return 0;
}

static int
ttrpc_send_response(struct ttrpc *t, uint32_t stream,
    const struct ttrpc_pb_response *r, struct cerr *err)
{
	size_t len = ttrpc_pb_response_size(r);
	uint8_t *buf = ttrpc_message(stream, TTRPC_RESPONSE, len, err);

	if (buf == NULL)
		return -1;
	ttrpc_pb_put_response(r, buf + TTRPC_HEADER);
	return ttrpc_send(t, buf, len, err);
}

static int
ttrpc_refuse(struct ttrpc *t, uint32_t stream, enum cerr_code code,
    const char *text, struct cerr *err)
{
	struct ttrpc_pb_response r = { .code = (uint32_t)code,
		.message = ttrpc_text(text, strlen(text)) };

	return ttrpc_send_response(t, stream, &r, err);
}

int
ttrpc_answer(struct ttrpc *t, uint32_t stream, const uint8_t *payload,
    size_t len, const struct cerr *err)
{
	struct ttrpc_pb_response r = { .payload = ttrpc_text(payload, len) };
	struct cerr why;

	for (size_t i = 0; i < t->nasked; i++) {
		if (t->asked[i] == stream) {
			t->asked[i] = t->asked[--t->nasked];
			break;
		}
	}
	if (err != NULL)
		return ttrpc_refuse(t, stream, err->code, err->text, &why);
	return ttrpc_send_response(t, stream, &r, &why);
}

/* ---- what came ---- */

static int
ttrpc_broken(struct cerr *err, const char *what)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "ttrpc: %s", what);
}

static int
ttrpc_name(char out[TTRPC_NAME_MAX], const struct ttrpc_text *text)
{
	if (text->len >= TTRPC_NAME_MAX ||
	    (text->len > 0 && memchr(text->data, '\0', text->len) != NULL))
		return -1;
	if (text->len > 0)
		memcpy(out, text->data, text->len);
	out[text->len] = '\0';
	return 0;
}

static int
ttrpc_take_request(struct ttrpc *t, uint32_t stream, uint8_t flags,
    struct cerr *err)
{
	struct ttrpc_pb_request pb;
	struct ttrpc_request r = { .stream = stream };

	if ((stream & 1) == 0)
		return ttrpc_broken(err, "a request with an even stream");
	for (size_t i = 0; i < t->nasked; i++) {
		if (t->asked[i] == stream)
			return ttrpc_broken(err, "a stream used twice");
	}
	if (ttrpc_pb_get_request(t->data, t->len, &pb) == -1)
		return ttrpc_broken(err, "a malformed request");
	if (flags & TTRPC_REMOTE_OPEN || t->def->request == NULL ||
	    ttrpc_name(r.service, &pb.service) == -1 ||
	    ttrpc_name(r.method, &pb.method) == -1)
		return ttrpc_refuse(t, stream, CERR_UNIMPLEMENTED,
		    "not implemented", err);
	if (t->nasked == TTRPC_CALLS_MAX)
		return ttrpc_refuse(t, stream, CERR_RESOURCE_EXHAUSTED,
		    "too many calls in flight", err);
	t->asked[t->nasked++] = stream;
	r.payload = pb.payload.data;
	r.len = pb.payload.len;
	t->def->request(t->ctx, &r);
	return 0;
}

static struct ttrpc_pending *
ttrpc_find(struct ttrpc *t, uint32_t stream)
{
	struct ttrpc_pending *p;

	TAILQ_FOREACH(p, &t->calls, entry) {
		if (p->stream == stream)
			return p;
	}
	return NULL;
}

static int
ttrpc_take_response(struct ttrpc *t, uint32_t stream, struct cerr *err)
{
	struct ttrpc_pending *p = ttrpc_find(t, stream);
	struct ttrpc_pb_response r;
	ttrpc_reply_fn fn;
	struct cerr why;
	void *arg;

	if (ttrpc_pb_get_response(t->data, t->len, &r) == -1)
		return ttrpc_broken(err, "a malformed response");
	if (p == NULL) {
		/* Late, after its deadline; or never asked for. */
		return stream < t->next && (stream & 1) != 0
			   ? 0
			   : ttrpc_broken(err, "an answer to no call");
	}
	fn = p->fn;
	arg = p->arg;
	ttrpc_forget(t, p);
	if (r.code == 0) {
		fn(arg, r.payload.data, r.payload.len, NULL, true);
		return 0;
	}
	(void)cerr_set(&why, cerr_code_from(r.code), "%.*s",
	    r.message.len > 512 ? 512 : (int)r.message.len,
	    r.message.len > 0 ? (const char *)r.message.data : "");
	fn(arg, NULL, 0, &why, true);
	return 0;
}

static int
ttrpc_take(struct ttrpc *t, struct cerr *err)
{
	uint32_t stream = ttrpc_get32(t->head + 4);
	int rv;

	switch (t->head[8]) {
	case TTRPC_REQUEST:
		rv = ttrpc_take_request(t, stream, t->head[9], err);
		break;
	case TTRPC_RESPONSE:
		rv = ttrpc_take_response(t, stream, err);
		break;
	default:
		rv = ttrpc_broken(err, "a message that belongs to no call");
		break;
	}
	t->nhead = 0;
	t->len = 0;
	free(t->data);
	t->data = NULL;
	t->cap = 0;
	return rv;
}

/* Memory grows with what came, not with what was announced. */
static int
ttrpc_grow(struct ttrpc *t, size_t want, size_t need, struct cerr *err)
{
	size_t cap = t->cap < TTRPC_GROW ? TTRPC_GROW : t->cap * 2;
	uint8_t *p;

	if (need <= t->cap)
		return 0;
	if (cap < need)
		cap = need;
	if (cap > want)
		cap = want;
	p = realloc(t->data, cap);
	if (p == NULL)
		return cerr_errno(err, "ttrpc");
	t->data = p;
	t->cap = cap;
	return 0;
}

static int
ttrpc_take_header(struct ttrpc *t, const uint8_t **buf, size_t *len,
    struct cerr *err)
{
	size_t max = t->def->max == 0 ? TTRPC_MAX : t->def->max;
	size_t n = TTRPC_HEADER - t->nhead;

	if (n > *len)
		n = *len;
	memcpy(t->head + t->nhead, *buf, n);
	t->nhead += n;
	*buf += n;
	*len -= n;
	if (t->nhead == TTRPC_HEADER && ttrpc_get32(t->head) > max)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "ttrpc: a message of more than %zu bytes", max);
	return 0;
}

int
ttrpc_input(struct ttrpc *t, const uint8_t *buf, size_t len, struct cerr *err)
{
	size_t want, n;

	while (len > 0) {
		if (ttrpc_take_header(t, &buf, &len, err) == -1)
			return -1;
		if (t->nhead < TTRPC_HEADER)
			break;
		want = ttrpc_get32(t->head);
		n = want - t->len < len ? want - t->len : len;
		if (n > 0) {
			if (ttrpc_grow(t, want, t->len + n, err) == -1)
				return -1;
			memcpy(t->data + t->len, buf, n);
			t->len += n;
			buf += n;
			len -= n;
		}
		if (t->len == want && ttrpc_take(t, err) == -1)
			return -1;
	}
	return 0;
}

/* ---- time, and the end ---- */

struct mono
ttrpc_deadline(const struct ttrpc *t)
{
	const struct ttrpc_pending *p;
	struct mono first = mono_none();

	TAILQ_FOREACH(p, &t->calls, entry)
		first = mono_min(first, p->deadline);
	return first;
}

static void
ttrpc_end(struct ttrpc *t, struct ttrpc_pending *p, const struct cerr *err)
{
	ttrpc_reply_fn fn = p->fn;
	void *arg = p->arg;

	ttrpc_forget(t, p);
	fn(arg, NULL, 0, err, false);
}

static struct ttrpc_pending *
ttrpc_late(struct ttrpc *t)
{
	struct ttrpc_pending *p;

	TAILQ_FOREACH(p, &t->calls, entry) {
		if (mono_passed(p->deadline))
			return p;
	}
	return NULL;
}

/* A callback may make and end other calls: each time from the start. */
void
ttrpc_expire(struct ttrpc *t)
{
	struct ttrpc_pending *p;
	struct cerr err;

	(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED, "no answer in time");
	while ((p = ttrpc_late(t)) != NULL)
		ttrpc_end(t, p, &err);
}

void
ttrpc_fail(struct ttrpc *t, const struct cerr *err)
{
	struct ttrpc_pending *p;

	t->dead = true;
	while ((p = TAILQ_FIRST(&t->calls)) != NULL)
		ttrpc_end(t, p, err);
}
