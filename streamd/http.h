#ifndef CRIOD_STREAMD_HTTP_H
#define CRIOD_STREAMD_HTTP_H

/*
 * The HTTP/1.1 server: listeners, connections, routes.  A request has no
 * body; its answer is one page.  Connections, their input, their time and
 * their number are bounded.
 */

#include <stddef.h>

struct evbuffer;
struct event_base;
struct http_server;

#define HTTP_CONNS_MAX	 128
#define HTTP_HEAD_TIME	 10 /* seconds for a request to come in */
#define HTTP_IDLE_TIME	 60 /* between two requests */
#define HTTP_WRITE_TIME	 20 /* for an answer to go out */
#define HTTP_LINGER_TIME 2  /* for the client to take notice of the end */

/* Which listeners serve a route, one bit each. */
enum http_listener {
	HTTP_STREAM = 0x1,
	HTTP_METRICS = 0x2,
};

struct http_route {
	const char *method;
	const char *path;
	unsigned int listeners;
	const char *type; /* Content-Type */
	/* Writes the page; returns the status. */
	int (*page)(void *ctx, struct evbuffer *body);
};

/* Borrows base, routes and ctx (given to pages).  Never NULL (fatal). */
struct http_server *http_server_new(struct event_base *base,
    const struct http_route *routes, size_t nroutes, void *ctx);
/* Takes a listening stream socket.  -1 with errno. */
int http_server_listen(struct http_server *s, int fd, enum http_listener which)
    __attribute__((warn_unused_result));

#endif
