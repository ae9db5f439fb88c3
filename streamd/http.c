#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "streamd/http.h"
#include "streamd/http1.h"

#define HTTP_ACCEPT_BURST 16
#define HTTP_LINGER_BYTES (64 * 1024)

enum http_state {
	HTTP_READING,	/* a request, or waiting for one */
	HTTP_WRITING,	/* its answer */
	HTTP_LINGERING, /* both done; the client shall see the answer */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) entry;
	struct http_server *server;
	unsigned int listener;
	int fd;
	enum http_state state;
	bool last; /* close after this answer */
	struct event *rd, *wr, *timer;
	struct evbuffer *out;
	size_t dropped; /* bytes read while lingering */
	size_t len;
	char buf[HTTP1_HEAD_MAX];
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
	void *ctx;
	TAILQ_HEAD(, http_conn) conns; /* the longest idle first */
	size_t nconns;
	TAILQ_HEAD(, http_listen) listens;
};

struct http_status {
	int code;
	const char *reason;
};

static const struct http_status http_statuses[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 413, "Content Too Large" },
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
http_event_free(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

static void
http_conn_free(struct http_conn *c)
{
	TAILQ_REMOVE(&c->server->conns, c, entry);
	c->server->nconns--;
	http_event_free(c->rd);
	http_event_free(c->wr);
	http_event_free(c->timer);
	if (c->out != NULL)
		evbuffer_free(c->out);
	(void)close(c->fd);
	free(c);
}

static void
http_conn_expect(struct http_conn *c, time_t seconds)
{
	struct timeval tv = { seconds, 0 };

	(void)evtimer_add(c->timer, &tv);
}

static void
http_conn_answer(struct http_conn *c, int code, const char *type,
    struct evbuffer *body, bool last)
{
	c->last = last;
	c->state = HTTP_WRITING;
	(void)evbuffer_add_printf(c->out,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "%sCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Connection: %s\r\n\r\n",
	    code, http_reason(code), type, evbuffer_get_length(body),
	    code == 405 ? "Allow: GET\r\n" : "", last ? "close" : "keep-alive");
	(void)evbuffer_add_buffer(c->out, body);
	http_conn_expect(c, HTTP_WRITE_TIME);
}

static void
http_conn_refuse(struct http_conn *c, int code, bool last)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL) {
		c->last = true;
		c->state = HTTP_WRITING;
		return;
	}
	(void)evbuffer_add_printf(body, "%s\n", http_reason(code));
	http_conn_answer(c, code, "text/plain; charset=utf-8", body, last);
	evbuffer_free(body);
}

static void
http_conn_page(struct http_conn *c, const struct http_route *route, bool last)
{
	struct evbuffer *body = evbuffer_new();
	int code;

	if (body == NULL) {
		http_conn_refuse(c, 503, true);
		return;
	}
	code = route->page(c->server->ctx, body);
	http_conn_answer(c, code, route->type, body, last);
	evbuffer_free(body);
}

static void
http_conn_route(struct http_conn *c, const struct http1_request *r)
{
	const struct http_server *s = c->server;
	bool last = !http1_keep_alive(r), known = false;

	for (size_t i = 0; i < s->nroutes; i++) {
		const struct http_route *route = &s->routes[i];

		if ((route->listeners & c->listener) == 0 ||
		    !http1_slice_is(r->path, route->path))
			continue;
		known = true;
		if (!http1_slice_is(r->method, route->method))
			continue;
		http_conn_page(c, route, last);
		return;
	}
	http_conn_refuse(c, known ? 405 : 404, last);
}

static void
http_conn_linger(struct http_conn *c)
{
	if (shutdown(c->fd, SHUT_WR) == -1) {
		http_conn_free(c);
		return;
	}
	c->state = HTTP_LINGERING;
	http_conn_expect(c, HTTP_LINGER_TIME);
	(void)event_add(c->rd, NULL);
}

/* True when all is out; false: later, or c is gone. */
static bool
http_conn_write(struct http_conn *c)
{
	while (evbuffer_get_length(c->out) > 0) {
		if (evbuffer_write(c->out, c->fd) > 0)
			continue;
		if (errno != EAGAIN && errno != EINTR) {
			http_conn_free(c);
			return false;
		}
		(void)event_del(c->rd);
		(void)event_add(c->wr, NULL);
		return false;
	}
	return true;
}

/* Serves what is in the buffer, one request after the other. */
static void
http_conn_serve(struct http_conn *c)
{
	struct http1_request r;
	enum http1_result res;

	for (;;) {
		if (c->state == HTTP_WRITING) {
			if (!http_conn_write(c))
				return;
			if (c->last) {
				http_conn_linger(c);
				return;
			}
			c->state = HTTP_READING;
			http_conn_expect(c,
			    c->len > 0 ? HTTP_HEAD_TIME : HTTP_IDLE_TIME);
		}
		res = http1_parse(c->buf, c->len, &r);
		if (res == HTTP1_MORE)
			break;
		if (res == HTTP1_OK)
			http_conn_route(c, &r);
		else
			http_conn_refuse(c, http_refusals[res], true);
		if (res == HTTP1_OK) {
			c->len -= r.len;
			memmove(c->buf, c->buf + r.len, c->len);
		}
	}
	(void)event_add(c->rd, NULL);
}

static void
http_conn_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;
	bool first = c->len == 0;
	ssize_t n;

	(void)what;
	if (c->state == HTTP_LINGERING)
		c->len = 0;
	n = read(fd, c->buf + c->len, sizeof(c->buf) - c->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		http_conn_free(c);
		return;
	}
	if (c->state == HTTP_LINGERING) {
		c->dropped += (size_t)n;
		if (c->dropped > HTTP_LINGER_BYTES)
			http_conn_free(c);
		return;
	}
	if (first)
		http_conn_expect(c, HTTP_HEAD_TIME);
	c->len += (size_t)n;
	/* In the order of their last sign of life. */
	TAILQ_REMOVE(&c->server->conns, c, entry);
	TAILQ_INSERT_TAIL(&c->server->conns, c, entry);
	http_conn_serve(c);
}

static void
http_conn_on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_conn_serve(arg);
}

static void
http_conn_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state != HTTP_READING || c->len == 0) {
		http_conn_free(c);
		return;
	}
	http_conn_refuse(c, 408, true);
	http_conn_serve(c);
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

static int
http_conn_events(struct http_conn *c)
{
	struct event_base *base = c->server->base;

	c->rd =
	    event_new(base, c->fd, EV_READ | EV_PERSIST, http_conn_on_read, c);
	c->wr = event_new(base, c->fd, EV_WRITE, http_conn_on_write, c);
	c->timer = evtimer_new(base, http_conn_on_time, c);
	c->out = evbuffer_new();
	if (c->rd == NULL || c->wr == NULL || c->timer == NULL ||
	    c->out == NULL)
		return -1;
	http_conn_expect(c, HTTP_HEAD_TIME);
	return event_add(c->rd, NULL);
}

static void
http_server_take(struct http_server *s, int fd, unsigned int listener)
{
	struct http_conn *c = NULL;

	if (http_server_room(s))
		c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	c->listener = listener;
	TAILQ_INSERT_TAIL(&s->conns, c, entry);
	s->nconns++;
	if (http_conn_events(c) == -1)
		http_conn_free(c);
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
	return s;
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
