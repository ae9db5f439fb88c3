#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mono.h"
#include "streamd/http.h"
#include "streamd/http1.h"
#include "streamd/sock.h"
#include "streamd/tls.h"

#define HTTP_ACCEPT_BURST 16

enum http_state {
	HTTP_READING, /* a request, or waiting for one */
	HTTP_WRITING, /* its answer */
	HTTP_ENDING,  /* both done; the client shall see the answer */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) entry;
	struct http_server *server;
	unsigned int listener;
	enum http_state state;
	bool last;   /* close after this answer */
	bool begins; /* some of a request is there */
	struct sock *sock;
	struct event *timer;
	char head[HTTP1_HEAD_MAX]; /* of the request at hand */
};

struct http_listen {
	TAILQ_ENTRY(http_listen) entry;
	struct http_server *server;
	unsigned int which;
	struct event *ev;
};

struct http_server {
	struct event_base *base;
	const struct http_route *routes;
	size_t nroutes;
	const struct http_upgrade *upgrades;
	size_t nupgrades;
	void *ctx;
	bool wants_tls;
	struct tls *tls;
	TAILQ_HEAD(, http_conn) conns; /* the longest idle first */
	size_t nconns;
	TAILQ_HEAD(, http_listen) listens;
	unsigned int guesses; /* since the timer was set */
	struct event *guesses_end;
	struct mono warned;
};

struct http_status {
	int code;
	const char *reason;
};

static const struct http_status http_statuses[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 413, "Content Too Large" },
	{ 426, "Upgrade Required" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

#define HTTP_NSTATUSES (sizeof(http_statuses) / sizeof(http_statuses[0]))

/* By enum http1_result; 0: none. */
static const int http_refusals[] = {
	[HTTP1_OK] = 0,
	[HTTP1_MORE] = 0,
	[HTTP1_BAD] = 400,
	[HTTP1_TOO_LARGE] = 431,
	[HTTP1_VERSION] = 505,
	[HTTP1_BODY] = 413,
};

static const char *
http_reason(int code)
{
	for (size_t i = 0; i < HTTP_NSTATUSES; i++) {
		if (http_statuses[i].code == code)
			return http_statuses[i].reason;
	}
	return "Unknown";
}

static void
http_conn_drop(struct http_conn *c)
{
	TAILQ_REMOVE(&c->server->conns, c, entry);
	c->server->nconns--;
	if (c->timer != NULL)
		event_free(c->timer);
	free(c);
}

static void
http_conn_free(struct http_conn *c)
{
	sock_free(c->sock);
	http_conn_drop(c);
}

static void
http_conn_expect(struct http_conn *c, time_t seconds)
{
	struct timeval tv = { seconds, 0 };

	(void)evtimer_add(c->timer, &tv);
}

static void
http_conn_answer(struct http_conn *c, int code, const char *type,
    const char *fields, struct evbuffer *body)
{
	struct evbuffer *out = evbuffer_new();
	size_t len;

	if (out == NULL) {
		c->last = true;
		return;
	}
	(void)evbuffer_add_printf(out,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "%s%sCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Connection: %s\r\n\r\n",
	    code, http_reason(code), type, evbuffer_get_length(body),
	    code == 405 ? "Allow: GET\r\n" : "", fields,
	    c->last ? "close" : "keep-alive");
	(void)evbuffer_add_buffer(out, body);
	len = evbuffer_get_length(out);
	sock_send(c->sock, evbuffer_pullup(out, (ssize_t)len), len);
	evbuffer_free(out);
}

static void
http_conn_reply(struct http_conn *c, int code, const char *text,
    const char *fields)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL) {
		c->last = true;
		return;
	}
	(void)evbuffer_add_printf(body, "%s\n", text);
	http_conn_answer(c, code, "text/plain; charset=utf-8", fields, body);
	evbuffer_free(body);
}

static void
http_conn_refuse(struct http_conn *c, int code)
{
	c->last = true;
	http_conn_reply(c, code, http_reason(code), "");
}

static void
http_conn_page(struct http_conn *c, const struct http_route *route)
{
	struct evbuffer *body = evbuffer_new();
	int code;

	if (body == NULL) {
		http_conn_refuse(c, 503);
		return;
	}
	code = route->page(c->server->ctx, body);
	http_conn_answer(c, code, route->type, "", body);
	evbuffer_free(body);
}

static void
http_server_warn(struct http_server *s)
{
	if (mono_is_set(s->warned) && !mono_passed(s->warned))
		return;
	s->warned = mono_after_ms(60 * 1000);
	log_warn("streams: somebody guesses URLs");
}

/*
 * A guess is never right (there are 2^160), but it costs.  Who was told his URL
 * waits in the listeners' queue meanwhile, and is served.
 */
static void
http_server_guessed(struct http_server *s)
{
	static const struct timeval tv = { 0, HTTP_GUESSES_MS * 1000 };
	struct http_listen *l;

	if (s->guesses++ == 0)
		(void)evtimer_add(s->guesses_end, &tv);
	if (s->guesses != HTTP_GUESSES_MAX)
		return;
	http_server_warn(s);
	TAILQ_FOREACH(l, &s->listens, entry) {
		if (l->which == HTTP_STREAM)
			(void)event_del(l->ev);
	}
}

static void
http_server_on_guesses_end(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	struct http_listen *l;

	(void)fd;
	(void)what;
	s->guesses = 0;
	TAILQ_FOREACH(l, &s->listens, entry)
		(void)event_add(l->ev, NULL);
}

static const struct http_upgrade *
http_server_upgrade(const struct http_server *s, const struct http1_request *r)
{
	for (size_t i = 0; i < s->nupgrades; i++) {
		size_t n = strlen(s->upgrades[i].prefix);

		if (r->path.len > n &&
		    memcmp(r->path.p, s->upgrades[i].prefix, n) == 0)
			return &s->upgrades[i];
	}
	return NULL;
}

/* True if the connection is another's now, and c gone. */
static bool
http_conn_upgrade(struct http_conn *c, const struct http_upgrade *u,
    const struct http1_request *r)
{
	struct http_refusal no = { .code = 500, .text = "failed" };

	if (u->take(c->server->ctx, u, r, c->sock, &no) == 0) {
		http_conn_drop(c);
		return true;
	}
	if (no.guess)
		http_server_guessed(c->server);
	c->last = true;
	http_conn_reply(c, no.code, no.text,
	    no.fields == NULL ? "" : no.fields);
	return false;
}

static bool
http_conn_route(struct http_conn *c, const struct http1_request *r)
{
	const struct http_server *s = c->server;
	const struct http_upgrade *u = http_server_upgrade(s, r);
	bool known = false;

	c->last = !http1_keep_alive(r);
	if (u != NULL && c->listener == HTTP_STREAM)
		return http_conn_upgrade(c, u, r);
	for (size_t i = 0; i < s->nroutes; i++) {
		const struct http_route *route = &s->routes[i];

		if ((route->listeners & c->listener) == 0 ||
		    !http1_slice_is(r->path, route->path))
			continue;
		known = true;
		if (!http1_slice_is(r->method, route->method))
			continue;
		http_conn_page(c, route);
		return false;
	}
	http_conn_reply(c, known ? 405 : 404, http_reason(known ? 405 : 404),
	    "");
	return false;
}

static enum http1_result
http_conn_parse(struct http_conn *c, struct http1_request *r)
{
	struct evbuffer *in = sock_in(c->sock);
	ssize_t n = evbuffer_copyout(in, c->head, sizeof(c->head));
	enum http1_result res = http1_parse(c->head, n < 0 ? 0 : (size_t)n, r);

	if (res == HTTP1_OK) {
		(void)evbuffer_drain(in, r->len);
		sock_took(c->sock);
	}
	return res;
}

/* Some of a request is there, or nothing. */
static void
http_conn_wait(struct http_conn *c)
{
	bool some = evbuffer_get_length(sock_in(c->sock)) > 0;

	if (sock_ended(c->sock)) {
		http_conn_free(c);
		return;
	}
	if (some && !c->begins)
		http_conn_expect(c, HTTP_HEAD_TIME);
	c->begins = some;
}

/* Takes one request; the next has to wait until its answer is out. */
static void
http_conn_take(struct http_conn *c)
{
	struct http1_request r;
	enum http1_result res = http_conn_parse(c, &r);

	if (res == HTTP1_MORE) {
		http_conn_wait(c);
		return;
	}
	c->begins = false;
	if (res == HTTP1_OK && http_conn_route(c, &r))
		return;
	if (res != HTTP1_OK)
		http_conn_refuse(c, http_refusals[res]);
	c->state = c->last ? HTTP_ENDING : HTTP_WRITING;
	if (c->last)
		sock_finish(c->sock);
	else
		http_conn_expect(c, HTTP_WRITE_TIME);
}

static void
http_conn_on_input(void *arg)
{
	struct http_conn *c = arg;
	struct http_server *s = c->server;

	/* In the order of their last sign of life. */
	TAILQ_REMOVE(&s->conns, c, entry);
	TAILQ_INSERT_TAIL(&s->conns, c, entry);
	if (c->state == HTTP_READING)
		http_conn_take(c);
}

/* An answer went out, or some of it. */
static void
http_conn_on_output(void *arg)
{
	struct http_conn *c = arg;

	if (c->state != HTTP_WRITING || sock_waiting(c->sock) > 0)
		return;
	c->state = HTTP_READING;
	http_conn_expect(c, HTTP_IDLE_TIME);
	http_conn_on_input(c);
}

static void
http_conn_on_gone(void *arg)
{
	http_conn_free(arg);
}

static const struct sock_def http_conn_def = {
	.input = http_conn_on_input,
	.output = http_conn_on_output,
	.gone = http_conn_on_gone,
};

static void
http_conn_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == HTTP_ENDING)
		return; /* the socket has its own time */
	if (c->state != HTTP_READING || !c->begins) {
		http_conn_free(c);
		return;
	}
	http_conn_refuse(c, 408);
	c->state = HTTP_ENDING;
	sock_finish(c->sock);
}

/*
 * Makes room by closing the connection that has waited longest for its next
 * request; one that sends or is sent something stays.
 */
static bool
http_server_room(struct http_server *s)
{
	struct http_conn *c;

	if (s->nconns < HTTP_CONNS_MAX)
		return true;
	TAILQ_FOREACH(c, &s->conns, entry) {
		if (c->state == HTTP_WRITING)
			continue;
		http_conn_free(c);
		return true;
	}
	return false;
}

static struct http_conn *
http_conn_new(struct http_server *s, int fd, unsigned int listener)
{
	struct http_conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)close(fd);
		return NULL;
	}
	c->server = s;
	c->listener = listener;
	TAILQ_INSERT_TAIL(&s->conns, c, entry);
	s->nconns++;
	c->sock =
	    sock_new(s->base, fd, listener == HTTP_STREAM ? s->tls : NULL);
	c->timer = evtimer_new(s->base, http_conn_on_time, c);
	if (c->sock == NULL || c->timer == NULL) {
		http_conn_free(c);
		return NULL;
	}
	return c;
}

static void
http_server_take(struct http_server *s, int fd, unsigned int listener)
{
	struct http_conn *c;

	bool unsafe = listener == HTTP_STREAM && s->wants_tls && s->tls == NULL;

	if (unsafe || !http_server_room(s)) {
		(void)close(fd);
		return;
	}
	c = http_conn_new(s, fd, listener);
	if (c == NULL)
		return;
	sock_set(c->sock, &http_conn_def, c);
	http_conn_expect(c, HTTP_HEAD_TIME);
}

static void
http_server_on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct http_listen *l = arg;
	int sock;

	(void)what;
	for (int i = 0; i < HTTP_ACCEPT_BURST; i++) {
		sock = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (sock == -1)
			return;
		http_server_take(l->server, sock, l->which);
	}
}

struct http_server *
http_server_new(struct event_base *base, const struct http_route *routes,
    size_t nroutes, void *ctx)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatalx("http_server_new: out of memory");
	s->base = base;
	s->routes = routes;
	s->nroutes = nroutes;
	s->ctx = ctx;
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->listens);
	s->guesses_end = evtimer_new(base, http_server_on_guesses_end, s);
	if (s->guesses_end == NULL)
		fatalx("http_server_new: out of memory");
	return s;
}

void
http_server_upgrades(struct http_server *s, const struct http_upgrade *upgrades,
    size_t nupgrades)
{
	s->upgrades = upgrades;
	s->nupgrades = nupgrades;
}

void
http_server_tls(struct http_server *s, struct tls *tls)
{
	s->wants_tls = true;
	tls_free(s->tls);
	s->tls = tls;
}

int
http_server_listen(struct http_server *s, int fd, enum http_listener which)
{
	struct http_listen *l = calloc(1, sizeof(*l));

	if (l == NULL || evutil_make_socket_nonblocking(fd) == -1) {
		free(l);
		(void)close(fd);
		return -1;
	}
	l->server = s;
	l->which = which;
	l->ev = event_new(s->base, fd, EV_READ | EV_PERSIST,
	    http_server_on_accept, l);
	if (l->ev == NULL || event_add(l->ev, NULL) == -1)
		fatalx("http_server_listen: event");
	TAILQ_INSERT_TAIL(&s->listens, l, entry);
	return 0;
}
