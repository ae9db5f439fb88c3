#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "streamd/sock.h"
#include "streamd/tls.h"

#define SOCK_LINGER_BYTES (1024U * 1024)

enum sock_state {
	SOCK_OPEN,
	SOCK_FLUSHING,	/* sock_finish was called, something waits */
	SOCK_LINGERING, /* our side is shut */
	SOCK_BROKEN,
};

struct sock {
	int fd;
	enum sock_state state;
	bool ended, paused;
	const struct sock_def *def;
	void *arg;
	struct tls_conn *tls;
	struct event *rd, *wr, *check, *timer;
	struct evbuffer *in, *plain, *out; /* plain: not yet encrypted */
	size_t dropped;
};

static void
sock_break(struct sock *s)
{
	struct timeval now = { 0, 0 };

	s->state = SOCK_BROKEN;
	(void)event_del(s->rd);
	(void)event_del(s->wr);
	(void)evtimer_del(s->check);
	(void)evtimer_add(s->timer, &now);
}

static void
sock_expect(struct sock *s, time_t seconds)
{
	struct timeval tv = { seconds, 0 };

	(void)evtimer_add(s->timer, &tv);
}

/* Reads if there is room, else looks now and then if the client is there. */
static void
sock_watch(struct sock *s)
{
	static const struct timeval second = { 1, 0 };
	bool full = s->paused || evbuffer_get_length(s->in) >= SOCK_IN_MAX;
	bool over = s->state == SOCK_BROKEN || s->ended;

	if (!over && full && s->state == SOCK_OPEN) {
		(void)event_del(s->rd);
		if (!evtimer_pending(s->check, NULL))
			(void)evtimer_add(s->check, &second);
		return;
	}
	(void)evtimer_del(s->check);
	if (over)
		(void)event_del(s->rd);
	else
		(void)event_add(s->rd, NULL);
}

static void
sock_shut(struct sock *s)
{
	if (shutdown(s->fd, SHUT_WR) == -1 || s->ended) {
		sock_break(s);
		return;
	}
	s->state = SOCK_LINGERING;
	sock_expect(s, SOCK_LINGER_TIME);
	sock_watch(s);
}

/* Encrypts, and writes when the socket takes it. */
static void
sock_push(struct sock *s)
{
	if (s->state == SOCK_BROKEN)
		return;
	if (s->tls != NULL && tls_conn_send(s->tls, s->plain, s->out) == -1) {
		sock_break(s);
		return;
	}
	if (evbuffer_get_length(s->out) > 0)
		(void)event_add(s->wr, NULL);
	else if (s->state == SOCK_FLUSHING &&
		 evbuffer_get_length(s->plain) == 0)
		sock_shut(s);
}

static int
sock_take(struct sock *s, const uint8_t *buf, size_t len)
{
	int result;

	if (s->tls == NULL)
		return evbuffer_add(s->in, buf, len);
	result = tls_conn_receive(s->tls, buf, len, s->in);
	s->ended = tls_conn_ended(s->tls);
	sock_push(s);
	return result;
}

static void
sock_linger_read(struct sock *s, ssize_t n)
{
	s->dropped += n > 0 ? (size_t)n : 0;
	if (n == 0 && s->state == SOCK_FLUSHING) {
		s->ended = true;
		sock_watch(s);
	} else if (n <= 0 || s->dropped > SOCK_LINGER_BYTES)
		sock_break(s);
}

static void
sock_on_read(evutil_socket_t fd, short what, void *arg)
{
	uint8_t buf[SOCK_PIECE];
	struct sock *s = arg;
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (s->state != SOCK_OPEN) {
		sock_linger_read(s, n);
		return;
	}
	if (n == -1 || (n > 0 && sock_take(s, buf, (size_t)n) == -1)) {
		sock_break(s);
		return;
	}
	if (n == 0)
		s->ended = true;
	sock_watch(s);
	if (s->def != NULL)
		s->def->input(s->arg);
}

static void
sock_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;
	int n = evbuffer_write(s->out, fd);

	(void)what;
	if (n <= 0) {
		if (errno == EAGAIN || errno == EINTR)
			(void)event_add(s->wr, NULL);
		else
			sock_break(s);
		return;
	}
	if (s->state == SOCK_FLUSHING)
		sock_expect(s, SOCK_WRITE_TIME);
	sock_push(s);
	if (s->state == SOCK_OPEN && s->def != NULL)
		s->def->output(s->arg);
}

/*
 * While nothing is read, epoll could tell of an orderly end but spins on a
 * reset, which libevent takes for input; so the socket is asked.
 */
static void
sock_on_check(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	(void)fd;
	(void)what;
	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1 ||
	    info.tcpi_state != TCP_ESTABLISHED)
		sock_break(s);
}

static void
sock_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	(void)fd;
	(void)what;
	if (s->state != SOCK_BROKEN)
		sock_break(s);
	else if (s->def != NULL)
		s->def->gone(s->arg);
}

static int
sock_events(struct sock *s, struct event_base *base)
{
	s->rd = event_new(base, s->fd, EV_READ | EV_PERSIST, sock_on_read, s);
	s->wr = event_new(base, s->fd, EV_WRITE, sock_on_write, s);
	s->check = event_new(base, -1, EV_PERSIST, sock_on_check, s);
	s->timer = evtimer_new(base, sock_on_time, s);
	s->in = evbuffer_new();
	s->plain = evbuffer_new();
	s->out = evbuffer_new();
	if (s->rd == NULL || s->wr == NULL || s->check == NULL ||
	    s->timer == NULL || s->in == NULL || s->plain == NULL ||
	    s->out == NULL)
		return -1;
	return event_add(s->rd, NULL);
}

struct sock *
sock_new(struct event_base *base, int fd, struct tls *tls)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		(void)close(fd);
		return NULL;
	}
	s->fd = fd;
	if (tls != NULL)
		s->tls = tls_conn_new(tls);
	if ((tls != NULL && s->tls == NULL) || sock_events(s, base) == -1) {
		sock_free(s);
		return NULL;
	}
	return s;
}

void
sock_set(struct sock *s, const struct sock_def *def, void *arg)
{
	s->def = def;
	s->arg = arg;
}

static void
sock_event_free(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

static void
sock_buffer_free(struct evbuffer *b)
{
	if (b != NULL)
		evbuffer_free(b);
}

void
sock_free(struct sock *s)
{
	if (s == NULL)
		return;
	/* Last words, if the socket takes them. */
	if (s->state == SOCK_OPEN && s->out != NULL &&
	    evbuffer_get_length(s->out) > 0)
		(void)evbuffer_write(s->out, s->fd);
	sock_event_free(s->rd);
	sock_event_free(s->wr);
	sock_event_free(s->check);
	sock_event_free(s->timer);
	sock_buffer_free(s->in);
	sock_buffer_free(s->plain);
	sock_buffer_free(s->out);
	tls_conn_free(s->tls);
	(void)close(s->fd);
	free(s);
}

struct evbuffer *
sock_in(struct sock *s)
{
	return s->in;
}

void
sock_took(struct sock *s)
{
	sock_watch(s);
}

bool
sock_ended(const struct sock *s)
{
	return s->ended;
}

void
sock_pause(struct sock *s, bool paused)
{
	s->paused = paused;
	sock_watch(s);
}

void
sock_send(struct sock *s, const void *buf, size_t len)
{
	if (s->state != SOCK_OPEN)
		return;
	if (evbuffer_add(s->tls != NULL ? s->plain : s->out, buf, len) == -1) {
		sock_break(s);
		return;
	}
	sock_push(s);
}

size_t
sock_waiting(const struct sock *s)
{
	return evbuffer_get_length(s->plain) + evbuffer_get_length(s->out);
}

void
sock_finish(struct sock *s)
{
	if (s->state != SOCK_OPEN)
		return;
	s->state = SOCK_FLUSHING;
	(void)evbuffer_drain(s->in, evbuffer_get_length(s->in));
	sock_pause(s, false);
	sock_expect(s, SOCK_WRITE_TIME);
	if (s->tls != NULL)
		tls_conn_end(s->tls);
	sock_push(s);
}
