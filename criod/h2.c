#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "criod/h2_int.h"
#include "lib/log.h"

#define H2_ACCEPT_BURST 16

/* Not a limit of ours (see h2_conn_spend): only never nghttp2's own. */
#define H2_LIBRARY_RESETS 1000000

static size_t
h2_server_count(const struct h2_server *s, uid_t uid)
{
	const struct h2_conn *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &s->conns, entry)
		n += c->uid == uid;
	return n;
}

static bool
h2_server_evictable(const struct h2_conn *c)
{
	if (!c->settled)
		return true;
	return TAILQ_EMPTY(&c->streams) && mono_is_set(c->idle) &&
	       mono_now().ns - c->idle.ns > H2_EVICT_TIME * MONO_NS_PER_S;
}

/* Closes the oldest connection of uid that is of no use to anyone. */
static bool
h2_server_evict(struct h2_server *s, uid_t uid)
{
	struct h2_conn *c;

	TAILQ_FOREACH(c, &s->conns, entry) {
		if (c->uid != uid || !h2_server_evictable(c))
			continue;
		h2_conn_free(c);
		return true;
	}
	return false;
}

static bool
h2_server_admit(struct h2_server *s, uid_t uid)
{
	size_t all = uid == 0 ? H2_CONNS_MAX : H2_CONNS_MAX - H2_CONNS_ROOT;

	if (s->nconns < all && h2_server_count(s, uid) < H2_CONNS_UID_MAX)
		return true;
	return h2_server_evict(s, uid);
}

void
h2_server_warn(struct h2_server *s, const struct h2_conn *conn,
    const char *what)
{
	if (mono_is_set(s->warned) && !mono_passed(s->warned))
		return;
	s->warned = mono_after_ms(1000);
	if (conn != NULL)
		log_warn("client %s: %s", conn->peer, what);
	else
		log_warn("%s", what);
}

static void
h2_server_take(struct h2_server *s, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
		(void)close(fd);
		return;
	}
	if (!h2_server_admit(s, cred.uid)) {
		h2_server_warn(s, NULL, "too many CRI connections: refused");
		(void)close(fd);
		return;
	}
	h2_conn_new(s, fd, cred.uid, cred.pid);
}

static void
h2_server_accept(evutil_socket_t fd, short what, void *arg)
{
	struct h2_listener *l = arg;
	int sock;

	(void)what;
	for (int i = 0; i < H2_ACCEPT_BURST; i++) {
		sock = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (sock == -1)
			break;
		h2_server_take(l->server, sock);
	}
	if (sock == -1 && (errno == EMFILE || errno == ENFILE)) {
		/* The sweep turns it on again. */
		h2_server_warn(l->server, NULL, "no descriptor to accept with");
		(void)event_del(l->ev);
	}
}

static void
h2_server_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct h2_server *s = arg;
	struct h2_listener *l;
	struct h2_conn *c, *next;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(l, &s->listeners, entry)
		(void)event_add(l->ev, NULL);
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		h2_conn_sweep(c);
	}
	/* Nobody there: no timer, no wake-ups. */
	if (s->nconns > 0)
		(void)event_add(s->sweep, &(struct timeval){ 1, 0 });
}

void
h2_server_forget(struct h2_server *s, struct h2_conn *conn)
{
	TAILQ_REMOVE(&s->conns, conn, entry);
	s->nconns--;
}

static void
h2_server_library(struct h2_server *s)
{
	if (nghttp2_session_callbacks_new(&s->callbacks) != 0 ||
	    nghttp2_option_new(&s->option) != 0)
		fatalx("nghttp2: out of memory");
	h2_conn_callbacks(s->callbacks);
	/* Requests are checked in h2_stream.c, so that every one is answered.
	 */
	nghttp2_option_set_no_http_messaging(s->option, 1);
	nghttp2_option_set_max_outbound_ack(s->option, 200);
	nghttp2_option_set_max_settings(s->option, 16);
	nghttp2_option_set_max_continuations(s->option, 8);
	nghttp2_option_set_stream_reset_rate_limit(s->option, H2_LIBRARY_RESETS,
	    H2_LIBRARY_RESETS);
	nghttp2_option_set_no_closed_streams(s->option, 1);
}

struct h2_server *
h2_server_new(struct event_base *base, const struct h2_ops *ops, void *ctx)
{
	struct h2_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatalx("h2_server_new: out of memory");
	s->base = base;
	s->ops = ops;
	s->ctx = ctx;
	s->stall_time = H2_STALL_TIME;
	s->idle_time = H2_IDLE_TIME;
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->conns);
	h2_server_library(s);
	s->sweep = evtimer_new(base, h2_server_sweep, s);
	if (s->sweep == NULL)
		fatalx("h2_server_new: out of memory");
	return s;
}

void
h2_server_listen(struct h2_server *s, int fd)
{
	struct h2_listener *l = calloc(1, sizeof(*l));

	if (l == NULL || evutil_make_socket_nonblocking(fd) == -1)
		fatal("CRI listener");
	l->server = s;
	l->fd = fd;
	l->ev =
	    event_new(s->base, fd, EV_READ | EV_PERSIST, h2_server_accept, l);
	if (l->ev == NULL || event_add(l->ev, NULL) == -1)
		fatalx("CRI listener: event");
	TAILQ_INSERT_TAIL(&s->listeners, l, entry);
}

static void
h2_server_deaf(struct h2_server *s)
{
	struct h2_listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)) != NULL) {
		TAILQ_REMOVE(&s->listeners, l, entry);
		event_free(l->ev);
		(void)close(l->fd);
		free(l);
	}
}

void
h2_server_stop(struct h2_server *s)
{
	struct h2_conn *c, *next;

	h2_server_deaf(s);
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		h2_conn_goaway(c);
	}
}

void
h2_server_free(struct h2_server *s)
{
	struct h2_conn *c;

	if (s == NULL)
		return;
	h2_server_deaf(s);
	while ((c = TAILQ_FIRST(&s->conns)) != NULL)
		h2_conn_free(c);
	event_free(s->sweep);
	nghttp2_session_callbacks_del(s->callbacks);
	nghttp2_option_del(s->option);
	free(s);
}
