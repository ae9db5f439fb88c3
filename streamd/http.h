#ifndef CRIOD_STREAMD_HTTP_H
#define CRIOD_STREAMD_HTTP_H

/*
 * The HTTP/1.1 server: listeners, connections, routes.  A request has no
 * body; its answer is one page, or an upgrade that takes the connection over.
 * Connections, their input, their time and their number are bounded.
 */

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;
struct event_base;
struct http1_request;
struct http_server;
struct sock;
struct tls;

#define HTTP_CONNS_MAX	128
#define HTTP_HEAD_TIME	10 /* seconds for a request to come in */
#define HTTP_IDLE_TIME	60 /* between two requests */
#define HTTP_WRITE_TIME 20 /* for an answer to go out */

/* So many wrong guesses in that time, then nobody is accepted until it ends. */
#define HTTP_GUESSES_MAX 50
#define HTTP_GUESSES_MS	 250

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

/* Why there was no upgrade. */
struct http_refusal {
	int code;
	const char *text;   /* constant */
	const char *fields; /* header lines more; constant, may be NULL */
	bool guess;	    /* its path may have been a guess */
};

/*
 * Paths below which everything is an upgrade, on HTTP_STREAM.  take gets the
 * connection (with the head taken out of it) and returns 0, or -1 with the
 * refusal.
 */
struct http_upgrade {
	const char *prefix;
	int (*take)(void *ctx, const struct http_upgrade *u,
	    const struct http1_request *r, struct sock *sock,
	    struct http_refusal *no);
	unsigned int what; /* the handler's own */
};

/* Borrows base, routes and ctx (given to pages).  Never NULL (fatal). */
struct http_server *http_server_new(struct event_base *base,
    const struct http_route *routes, size_t nroutes, void *ctx);
void http_server_upgrades(struct http_server *s,
    const struct http_upgrade *upgrades, size_t nupgrades);
/*
 * From now on new connections of HTTP_STREAM speak TLS (takes the context;
 * NULL: none has come yet, connections are closed).  Without a call they do
 * not.
 */
void http_server_tls(struct http_server *s, struct tls *tls);
/* Takes a listening stream socket.  -1 with errno. */
int http_server_listen(struct http_server *s, int fd, enum http_listener which)
    __attribute__((warn_unused_result));

#endif
