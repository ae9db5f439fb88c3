#include <sys/queue.h>

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define LINK_READ_BURST 64 /* messages per wake-up, so that none starves */
#define LINK_AGAIN_MS	100

/* Processes that take no protobuf get their refusals as FAIL. */
#define LINK_FIXED_ROLES                                                       \
	(ROLE_PARENT | ROLE_UNPACK | ROLE_PACK | ROLE_SIGCHECK | ROLE_SHELF |  \
	    ROLE_NETLAUNCH | ROLE_EXECLAUNCH | ROLE_MONITOR)

struct link_out {
	TAILQ_ENTRY(link_out) entry;
	struct wire_msg m;
};

struct link_request {
	TAILQ_ENTRY(link_request) entry;
	struct link *link;
	uint32_t id;
	enum msg_type type;
	link_reply_fn fn;
	void *arg;
	struct event *timer;
	bool failed; /* fail holds how, to be told from the loop */
	struct cerr fail;
};

struct link_call {
	LIST_ENTRY(link_call) entry;
	struct link *link; /* NULL once the peer is gone */
	uint32_t id;
	enum msg_type type;
	void (*on_cancel)(void *);
	void *on_cancel_arg;
	bool cancelled;
};

struct link {
	struct event_base *base;
	const struct link_def *def;
	void *ctx;
	int fd;
	struct event *rd, *wr;
	struct event *again; /* what could not be sent is tried again */
	enum msg_state state;
	uint32_t next_id;
	size_t nout, ncalls;
	TAILQ_HEAD(, link_out) out;
	TAILQ_HEAD(, link_request) requests;
	LIST_HEAD(, link_call) calls;
	unsigned int generation; /* of the socket */
	bool refusing;
	struct cerr refusal;
};

static void (*link_activity)(void);

static void link_detach(struct link *link, const char *breach);

static void *
link_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static void
link_close_fds(const int *fds, size_t nfds)
{
	for (size_t i = 0; i < nfds; i++) {
		int fd = fds[i];

		fdio_close(&fd);
	}
}

int
link_take_fd(struct link_msg *m, size_t i)
{
	int fd = i < m->nfds ? m->fds[i] : -1;

	if (i < m->nfds)
		m->fds[i] = -1;
	return fd;
}

/* ---- requests we made ---- */

static struct link_request *
link_find_request(struct link *link, uint32_t id)
{
	struct link_request *r;

	TAILQ_FOREACH(r, &link->requests, entry) {
		if (r->id == id && !r->failed)
			return r;
	}
	return NULL;
}

static void
link_request_free(struct link_request *r)
{
	TAILQ_REMOVE(&r->link->requests, r, entry);
	event_free(r->timer);
	free(r);
}

static void
link_request_end(struct link_request *r, struct link_msg *m,
    const struct cerr *err)
{
	link_reply_fn fn = r->fn;
	void *arg = r->arg;

	link_request_free(r);
	fn(arg, m, err);
}

static void
link_send_cancel(struct link *link, uint32_t id)
{
	struct fixed_cancel body = { id };

	(void)link_send(link, MSG_CANCEL, &body, NULL, 0);
}

/* The deadline passed, or a failure noted before is due to be told. */
static void
link_request_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link_request *r = arg;
	struct cerr err;

	(void)fd;
	(void)what;
	if (r->failed) {
		err = r->fail;
	} else {
		(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED,
		    "%s did not answer %s in time",
		    role_name(r->link->def->peer), msg_info(r->type)->name);
		link_send_cancel(r->link, r->id);
	}
	link_request_end(r, NULL, &err);
}

/* What link_enqueue says in errno, for who asked. */
static const struct link_failure {
	int error;
	enum cerr_code code;
	const char *why;
} link_failures[] = {
	{ ENOTCONN, CERR_UNAVAILABLE, "is not running" },
	{ ENOBUFS, CERR_RESOURCE_EXHAUSTED, "has too many messages waiting" },
	{ EMSGSIZE, CERR_RESOURCE_EXHAUSTED,
	    "does not take so long a request" },
	{ 0, CERR_RESOURCE_EXHAUSTED, "cannot be asked" },
};

/* The peer would take a longer message for a breach. */
static int
link_pack(struct link *link, struct link_out *o, enum msg_type type,
    const void *body)
{
	if (codec_pack(link->def->pb, type, body, &o->m.data, &o->m.len) ==
	    -1) {
		errno = ENOMEM;
		return -1;
	}
	if (o->m.len > msg_info(type)->max) {
		errno = EMSGSIZE;
		return -1;
	}
	return 0;
}

static int
link_enqueue(struct link *link, enum msg_type type, uint32_t id,
    const void *body, const int *fds, size_t nfds)
{
	struct link_out *o;

	if (link->fd == -1 || link->nout >= LINK_QUEUE_MAX) {
		link_close_fds(fds, nfds);
		errno = link->fd == -1 ? ENOTCONN : ENOBUFS;
		return -1;
	}
	o = link_alloc(sizeof(*o));
	o->m.type = type;
	o->m.id = id;
	o->m.nfds = nfds;
	if (nfds > 0)
		memcpy(o->m.fds, fds, nfds * sizeof(int));
	if (link_pack(link, o, type, body) == -1) {
		int error = errno;

		wire_clear(&o->m);
		free(o);
		errno = error;
		return -1;
	}
	TAILQ_INSERT_TAIL(&link->out, o, entry);
	link->nout++;
	(void)event_add(link->wr, NULL);
	return 0;
}

static void
link_request_fail(struct link_request *r, enum cerr_code code, const char *why)
{
	struct timeval now = { 0, 0 };

	r->failed = true;
	(void)cerr_set(&r->fail, code, "%s %s", role_name(r->link->def->peer),
	    why);
	(void)evtimer_add(r->timer, &now);
}

static void
link_request_unsent(struct link_request *r, int error)
{
	const struct link_failure *f = link_failures;

	while (f->error != 0 && f->error != error)
		f++;
	link_request_fail(r, f->code, f->why);
}

int
link_send(struct link *link, enum msg_type type, const void *body,
    const int *fds, size_t nfds)
{
	return link_enqueue(link, type, 0, body, fds, nfds);
}

uint32_t
link_request(struct link *link, enum msg_type type, const void *body,
    const int *fds, size_t nfds, struct mono deadline, link_reply_fn fn,
    void *arg)
{
	struct link_request *r = link_alloc(sizeof(*r));
	struct timeval tv;

	if (++link->next_id == 0)
		link->next_id = 1;
	r->link = link;
	r->id = link->next_id;
	r->type = type;
	r->fn = fn;
	r->arg = arg;
	r->timer = evtimer_new(link->base, link_request_timer, r);
	if (r->timer == NULL)
		fatalx("evtimer_new");
	TAILQ_INSERT_TAIL(&link->requests, r, entry);
	if (link_enqueue(link, type, r->id, body, fds, nfds) == -1) {
		link_request_unsent(r, errno);
	} else if (mono_is_set(deadline)) {
		tv = mono_timeval(deadline);
		(void)evtimer_add(r->timer, &tv);
	}
	return r->id;
}

static struct link_request *
link_send_off(struct link *link, uint32_t id)
{
	struct link_request *r;

	TAILQ_FOREACH(r, &link->requests, entry) {
		if (r->id == id)
			break;
	}
	if (r != NULL && !r->failed)
		link_send_cancel(link, id);
	return r;
}

void
link_cancel(struct link *link, uint32_t id)
{
	struct link_request *r = link_send_off(link, id);

	if (r != NULL)
		link_request_free(r);
}

void
link_cancel_wait(struct link *link, uint32_t id)
{
	(void)link_send_off(link, id);
}

static const char *
link_take_answer(struct link *link, struct wire_msg *w, struct link_msg *m)
{
	struct link_request *r = link_find_request(link, w->id);
	struct cerr err;

	if (r == NULL)
		return NULL; /* cancelled or timed out meanwhile */
	if (!msg_answers(r->type, m->type))
		return "not an answer to the request";
	if (m->type == MSG_ERROR) {
		link->def->pb->error_get(m->body, &err);
	} else if (m->type == MSG_FAIL) {
		const struct fixed_fail *f = m->body;

		(void)cerr_set(&err, cerr_code_from(f->code), "%s", f->text);
	} else {
		link_request_end(r, m, NULL);
		return NULL;
	}
	if (err.code == CERR_OK)
		return "an error with code OK";
	link_request_end(r, NULL, &err);
	return NULL;
}

/* ---- calls that the peer made ---- */

static void
link_call_cancel(struct link_call *call)
{
	if (call->cancelled)
		return;
	call->cancelled = true;
	if (call->on_cancel != NULL)
		call->on_cancel(call->on_cancel_arg);
}

static void
link_call_free(struct link_call *call)
{
	if (call->link != NULL) {
		LIST_REMOVE(call, entry);
		call->link->ncalls--;
	}
	free(call);
}

static void
link_reply_too_long(struct link_call *call, enum msg_type type)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED,
	    "the answer %s would be longer than %zu bytes",
	    msg_info(type)->name, msg_info(type)->max);
	link_refuse(call, &err);
}

static void
link_refuse_errno(struct link_call *call)
{
	struct cerr err;

	(void)cerr_errno(&err, "%s", msg_info(call->type)->name);
	link_refuse(call, &err);
}

void
link_reply(struct link_call *call, enum msg_type type, const void *body,
    const int *fds, size_t nfds)
{
	if (type != MSG_FAIL && type != MSG_ERROR &&
	    failpoint(msg_info(call->type)->name, "answer") == -1) {
		link_close_fds(fds, nfds);
		link_refuse_errno(call);
		return;
	}
	if (call->link == NULL) {
		link_close_fds(fds, nfds);
	} else if (link_enqueue(call->link, type, call->id, body, fds, nfds) ==
		   -1) {
		if (errno == EMSGSIZE) {
			link_reply_too_long(call, type);
			return;
		}
		log_warn("reply %s to %s lost", msg_info(type)->name,
		    role_name(call->link->def->peer));
	}
	link_call_free(call);
}

void
link_refuse(struct link_call *call, const struct cerr *err)
{
	struct fixed_fail f = { .code = err->code };
	struct link *link = call->link;

	if (FIXED_SET_STR(f.text, err->text) == -1)
		f.text[0] = '\0';
	if (link != NULL &&
	    ((link->def->self | link->def->peer) & LINK_FIXED_ROLES) == 0)
		link->def->pb->error_send(call, err);
	else
		link_reply(call, MSG_FAIL, &f, NULL, 0);
}

void
link_call_on_cancel(struct link_call *call, void (*fn)(void *arg), void *arg)
{
	call->on_cancel = fn;
	call->on_cancel_arg = arg;
}

bool
link_call_cancelled(const struct link_call *call)
{
	return call->cancelled;
}

static const char *
link_take_cancel(struct link *link, const struct fixed_cancel *c)
{
	struct link_call *call;

	LIST_FOREACH(call, &link->calls, entry) {
		if (call->id == c->request) {
			link_call_cancel(call);
			return NULL;
		}
	}
	return NULL; /* answered meanwhile */
}

static const struct link_handler *
link_find_handler(const struct link *link, enum msg_type type)
{
	for (size_t i = 0; i < link->def->nhandlers; i++) {
		if (link->def->handlers[i].type == type)
			return &link->def->handlers[i];
	}
	return NULL;
}

/* *call stays NULL for a one-way message. */
static const char *
link_new_call(struct link *link, const struct wire_msg *w,
    struct link_call **call)
{
	struct link_call *c = NULL;
	bool request = msg_info(w->type)->reply != MSG_NONE;

	if (request != (w->id != 0))
		return "request id missing or not wanted";
	if (!request)
		return NULL;
	LIST_FOREACH(c, &link->calls, entry) {
		if (c->id == w->id)
			return "request id in use";
	}
	if (link->ncalls >= LINK_CALLS_MAX)
		return "too many requests in flight";
	c = link_alloc(sizeof(*c));
	c->link = link;
	c->id = w->id;
	c->type = (enum msg_type)w->type;
	LIST_INSERT_HEAD(&link->calls, c, entry);
	link->ncalls++;
	*call = c;
	return NULL;
}

static const char *
link_take_call(struct link *link, struct wire_msg *w, struct link_msg *m)
{
	const struct link_handler *h = link_find_handler(link, m->type);
	struct link_call *call = NULL;
	const char *breach;

	if (h == NULL)
		return "not taken here";
	breach = link_new_call(link, w, &call);
	if (breach != NULL)
		return breach;
	if (failpoint(msg_info(m->type)->name, NULL) == -1 && call != NULL)
		link_refuse_errno(call);
	else if (link->refusing && call != NULL)
		link_refuse(call, &link->refusal);
	else if (!link->refusing)
		h->fn(link->ctx, call, m);
	return NULL;
}

/* ---- the socket ---- */

static bool
link_is_answer(enum msg_type type)
{
	if (type == MSG_ERROR || type == MSG_FAIL)
		return true;
	for (unsigned int t = 1; t < MSG_COUNT; t++) {
		if (msg_info(t)->reply == type)
			return true;
	}
	return false;
}

/* A message that this version does not know, from a peer of another. */
static bool
link_unknown(const struct link *link, const struct wire_msg *w)
{
	const struct msg_info *info = msg_info(w->type);

	return link->def->other_version &&
	       (info == NULL || (info->from & link->def->peer) == 0 ||
		   (info->to & link->def->self) == 0);
}

/* Makes a fixed body as long as it is here. */
static int
link_fit(const struct link *link, struct wire_msg *w)
{
	const struct msg_info *info = msg_info(w->type);
	size_t size;
	uint8_t *fit;

	if (!link->def->other_version || info == NULL || info->fixed == NULL)
		return 0;
	size = fixed_size(info->fixed);
	if (w->len >= size) {
		w->len = size;
		return 0;
	}
	fit = realloc(w->data, size);
	if (fit == NULL)
		return -1;
	memset(fit + w->len, 0, size - w->len);
	w->data = fit;
	w->len = size;
	return 0;
}

/* Returns what was wrong with the message, or NULL. */
static const char *
link_take(struct link *link, struct wire_msg *w)
{
	const struct link_def *d = link->def;
	struct link_msg m = { 0 };
	const char *breach;
	void *body;

	if (link_unknown(link, w)) {
		log_debug("%s: message %u is not known here",
		    role_name(d->peer), w->type);
		return NULL;
	}
	if (link_fit(link, w) == -1)
		return "payload malformed";
	breach = msg_check(w, d->peer, d->self, link->state);
	if (breach != NULL)
		return breach;
	m.type = (enum msg_type)w->type;
	body = codec_unpack(d->pb, m.type, w->data, w->len);
	if (body == NULL)
		return "payload malformed";
	m.body = body;
	m.nfds = w->nfds;
	memcpy(m.fds, w->fds, sizeof(m.fds));
	w->nfds = 0; /* now m's */
	if (m.type == MSG_CANCEL)
		breach = w->id != 0 ? "request id not wanted"
				    : link_take_cancel(link, body);
	else if (link_is_answer(m.type))
		breach = link_take_answer(link, w, &m);
	else
		breach = link_take_call(link, w, &m);
	codec_free(d->pb, m.type, body);
	link_close_fds(m.fds, m.nfds);
	return breach;
}

/* Which of its messages bring a descriptor, be it for the payload? */
static bool
link_brings_fds(const struct link *link, const struct msg_info *info)
{
	return info != NULL && (info->from & link->def->peer) != 0 &&
	       (info->to & link->def->self) != 0 &&
	       (info->fds_max > 0 || info->max > WIRE_INLINE_MAX);
}

/*
 * A message came for which there was no descriptor or memory here.  That is
 * not the peer's fault: whoever waits hears it.  A message that nobody waits
 * for must not be lost without a word: this process starts anew.
 */
static const char *
link_starved(struct link *link, const struct wire_msg *w, int error)
{
	const struct msg_info *info = msg_info(w->type);
	struct link_request *r = link_find_request(link, w->id);
	struct link_call *call = NULL;
	const char *breach = NULL;
	struct cerr err;

	if (!link_brings_fds(link, info))
		return "malformed message";
	(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED, "%s takes no %s: %s",
	    role_name(link->def->self), info->name, strerror(error));
	log_warn("%s", err.text);
	if (link_is_answer((enum msg_type)w->type)) {
		if (r != NULL && !msg_answers(r->type, (enum msg_type)w->type))
			return "not an answer to the request";
		if (r != NULL)
			link_request_end(r, NULL, &err);
		return NULL;
	}
	breach = link_new_call(link, w, &call);
	if (breach == NULL && call == NULL)
		fatalx("%s", err.text);
	if (call != NULL)
		link_refuse(call, &err);
	return breach;
}

static size_t
link_recv_max(void)
{
	size_t max = 0;

	for (unsigned int t = 1; t < MSG_COUNT; t++) {
		if (msg_info(t)->max > max)
			max = msg_info(t)->max;
	}
	return max;
}

static void
link_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	unsigned int generation = link->generation;
	const char *breach;
	struct wire_msg w;

	(void)what;
	if (link_activity != NULL)
		link_activity();
	for (int i = 0; i < LINK_READ_BURST; i++) {
		int got = wire_recv(fd, &w, link_recv_max());
		bool starved =
		    got == -1 && (errno == EMFILE || errno == ENOMEM);

		if (got == -1 && errno == EAGAIN)
			return;
		if (got != 1 && !starved) {
			link_detach(link, got == -1 && errno == EBADMSG
					      ? "malformed message"
					      : NULL);
			return;
		}
		breach = starved ? link_starved(link, &w, errno)
				 : link_take(link, &w);
		if (breach != NULL)
			log_warn("breach by %s: %s: %s",
			    role_name(link->def->peer),
			    msg_info(w.type) != NULL ? msg_info(w.type)->name
						     : "?",
			    breach);
		wire_clear(&w);
		if (generation != link->generation || link->fd == -1)
			return;
		if (breach != NULL) {
			link_detach(link, breach);
			return;
		}
	}
}

static void
link_pop(struct link *link)
{
	struct link_out *o = TAILQ_FIRST(&link->out);

	TAILQ_REMOVE(&link->out, o, entry);
	link->nout--;
	wire_clear(&o->m);
	free(o);
}

static void
link_send_again(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	(void)event_add(link->wr, NULL);
}

/* A socket that is full says when it is not; this process's lack is timed. */
static void
link_unsent(struct link *link, int error)
{
	static const int wants[] = { EMFILE, ENFILE, ENOMEM, ETOOMANYREFS };
	struct timeval tv = { 0, LINK_AGAIN_MS * 1000 };

	if (error == EAGAIN || error == ENOBUFS) {
		(void)event_add(link->wr, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (error == wants[i]) {
			(void)event_add(link->again, &tv);
			return;
		}
	}
	link_detach(link, NULL);
}

static void
link_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)what;
	while (!TAILQ_EMPTY(&link->out)) {
		if (wire_send(fd, &TAILQ_FIRST(&link->out)->m) == -1) {
			link_unsent(link, errno);
			return;
		}
		link_pop(link);
	}
}

void
link_on_activity(void (*fn)(void))
{
	link_activity = fn;
}

struct link *
link_new(struct event_base *base, const struct link_def *def, void *ctx)
{
	struct link *link = link_alloc(sizeof(*link));

	link->base = base;
	link->def = def;
	link->ctx = ctx;
	link->fd = -1;
	link->state = MSG_STATE_RUN;
	TAILQ_INIT(&link->out);
	TAILQ_INIT(&link->requests);
	LIST_INIT(&link->calls);
	return link;
}

/* Closes the socket and drops what waited to be written. */
static void
link_close(struct link *link)
{
	if (link->fd == -1)
		return;
	event_free(link->rd);
	event_free(link->wr);
	event_free(link->again);
	link->rd = link->wr = link->again = NULL;
	fdio_close(&link->fd);
	link->generation++;
	while (!TAILQ_EMPTY(&link->out))
		link_pop(link);
}

static void
link_drop_calls(struct link *link)
{
	struct link_call *call;

	while ((call = LIST_FIRST(&link->calls)) != NULL) {
		LIST_REMOVE(call, entry);
		call->link = NULL;
		link->ncalls--;
		link_call_cancel(call);
	}
}

static void
link_detach(struct link *link, const char *breach)
{
	struct link_request *r;

	link_close(link);
	link_drop_calls(link);
	TAILQ_FOREACH(r, &link->requests, entry) {
		if (!r->failed)
			link_request_fail(r, CERR_UNAVAILABLE, "went away");
	}
	if (link->def->lost != NULL)
		link->def->lost(link->ctx, link, breach);
}

void
link_attach(struct link *link, int fd)
{
	if (link->fd != -1)
		link_detach(link, NULL);
	if (evutil_make_socket_nonblocking(fd) == -1)
		fatal("non-blocking");
	link->fd = fd;
	link->rd = event_new(link->base, fd, EV_READ | EV_PERSIST,
	    link_readable, link);
	link->wr = event_new(link->base, fd, EV_WRITE, link_writable, link);
	link->again = evtimer_new(link->base, link_send_again, link);
	if (link->rd == NULL || link->wr == NULL || link->again == NULL ||
	    event_add(link->rd, NULL) == -1)
		fatalx("event_new");
}

bool
link_attached(const struct link *link)
{
	return link->fd != -1;
}

enum role
link_peer(const struct link *link)
{
	return link->def->peer;
}

size_t
link_waiting(const struct link *link)
{
	return link->nout;
}

void
link_refuse_all(struct link *link, const struct cerr *err)
{
	link->refusing = true;
	link->refusal = *err;
}

void
link_set_state(struct link *link, enum msg_state state)
{
	link->state = state;
}

void
link_free(struct link *link)
{
	struct link_request *r;

	if (link == NULL)
		return;
	link_close(link);
	link_drop_calls(link);
	while ((r = TAILQ_FIRST(&link->requests)) != NULL)
		link_request_free(r);
	free(link);
}
