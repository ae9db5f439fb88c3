#include <event2/event.h>

#include <inttypes.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mono.h"
#include "proto/msg.pb-c.h"
#include "streamd/client.h"
#include "streamd/forward.h"
#include "streamd/http.h"
#include "streamd/remote.h"
#include "streamd/session.h"
#include "streamd/sock.h"

static const char *const session_kinds[] = {
	[WANT_EXEC] = "exec",
	[WANT_ATTACH] = "attach",
	[WANT_PORT_FORWARD] = "port-forward",
};

static void
session_tell(struct link *link, enum msg_type type, uint64_t session)
{
	Criod__StreamSession body;

	criod__stream_session__init(&body);
	body.session = session;
	(void)link_send(link, type, &body, NULL, 0);
}

static void
sessions_dropped(void *arg, uint64_t session)
{
	struct sessions *all = arg;

	session_tell(all->front, MSG_STREAM_DROP, session);
}

void
sessions_init(struct sessions *all, struct event_base *base, struct link *front,
    struct link *execd)
{
	all->base = base;
	all->front = front;
	all->execd = execd;
	all->tokens = token_table_new(base, sessions_dropped, all);
	TAILQ_INIT(&all->list);
}

int
sessions_prepare(struct sessions *all, const struct want *want,
    char text[TOKEN_SIZE], struct cerr *err)
{
	return token_add(all->tokens, want, text, err);
}

static struct session *
sessions_find(struct sessions *all, uint64_t session)
{
	struct session *s;

	TAILQ_FOREACH(s, &all->list, entry) {
		if (s->want.session == session)
			return s;
	}
	return NULL;
}

/* ---- one session ---- */

static void
session_free(struct session *s)
{
	session_release(s);
	TAILQ_REMOVE(&s->all->list, s, entry);
	s->all->count--;
	s->type->clean(s);
	client_free(s->client);
	if (s->reap != NULL)
		event_free(s->reap);
	free(s);
}

static void
session_on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	session_free(arg);
}

void
session_release(struct session *s)
{
	if (s->released)
		return;
	s->released = true;
	if (s->begin != 0)
		link_cancel(s->all->front, s->begin);
	s->begin = 0;
	session_tell(s->all->front, MSG_STREAM_END, s->want.session);
	if (s->want.kind != WANT_PORT_FORWARD && !s->exited)
		session_tell(s->all->execd, MSG_STREAM_END, s->want.session);
}

void
session_end(struct session *s, const char *why)
{
	log_debug("%s of %s, session %" PRIu64 ": %s",
	    session_kinds[s->want.kind], s->want.id, s->want.session, why);
	session_release(s);
	if (s->client != NULL)
		client_stop(s->client);
	event_active(s->reap, EV_TIMEOUT, 0);
}

static void
session_begun(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct session *s = arg;

	s->begin = 0;
	s->type->begun(s, m != NULL ? NULL : err->text);
}

void
session_begin(struct session *s)
{
	Criod__StreamSession body;

	criod__stream_session__init(&body);
	body.session = s->want.session;
	s->begin = link_request(s->all->front, MSG_STREAM_BEGIN, &body, NULL, 0,
	    mono_after_ms(SESSION_BEGIN_MS), session_begun, s);
}

static struct session *
session_new(struct sessions *all, const struct want *want,
    const struct upgrade *u)
{
	const struct session_type *type =
	    want->kind == WANT_PORT_FORWARD ? &forward_type : &remote_type;
	struct session *s = calloc(1, type->size);

	if (s == NULL)
		return NULL;
	s->reap = event_new(all->base, -1, 0, session_on_reap, s);
	if (s->reap == NULL) {
		free(s);
		return NULL;
	}
	s->all = all;
	s->type = type;
	s->want = *want;
	s->proto = u->proto;
	TAILQ_INSERT_TAIL(&all->list, s, entry);
	all->count++;
	all->begun[want->kind]++;
	return s;
}

static int
sessions_refuse(struct http_refusal *no, int code, const char *text)
{
	no->code = code;
	no->text = text;
	no->fields = NULL;
	return -1;
}

int
sessions_take(struct sessions *all, enum want_kind kind,
    struct http1_slice token, const struct upgrade *u, struct sock *sock,
    struct http_refusal *no)
{
	struct session *s;
	struct want want;

	if (all->count >= SESSION_MAX)
		return sessions_refuse(no, 503, "too many streams are open");
	if (token_take(all->tokens, kind, token.p, token.len, &want) == -1) {
		no->guess = true;
		return sessions_refuse(no, 404, "no such stream is expected");
	}
	s = session_new(all, &want, u);
	if (s == NULL) {
		session_tell(all->front, MSG_STREAM_DROP, want.session);
		return sessions_refuse(no, 503, "out of memory");
	}
	s->client = client_new(all->base, sock, u, all->idle,
	    kind == WANT_PORT_FORWARD ? &forward_client : &remote_client, s);
	if (s->client == NULL || s->type->start(s) == -1)
		session_end(s, "out of memory");
	return 0;
}

/* ---- messages ---- */

/* One that has gone: what execd has started for it must go too. */
void
sessions_stdio(struct sessions *all, uint64_t session, unsigned int kind,
    struct link_msg *m)
{
	struct session *s = sessions_find(all, session);

	if (s == NULL || s->released || s->type->stdio == NULL)
		session_tell(all->execd, MSG_STREAM_END, session);
	else
		s->type->stdio(s, kind, m);
}

void
sessions_exited(struct sessions *all, uint64_t session, int32_t code,
    const char *text)
{
	struct session *s = sessions_find(all, session);

	if (s == NULL || s->released || s->exited || s->type->exited == NULL)
		return;
	s->exited = true;
	s->type->exited(s, code, text);
}

void
sessions_front_lost(struct sessions *all)
{
	token_clear(all->tokens);
}

void
sessions_execd_lost(struct sessions *all)
{
	struct session *s;

	TAILQ_FOREACH(s, &all->list, entry) {
		if (s->type->lost != NULL && !s->released)
			s->type->lost(s);
	}
}
