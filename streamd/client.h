#ifndef CRIOD_STREAMD_CLIENT_H
#define CRIOD_STREAMD_CLIENT_H

/*
 * A client's connection after the upgrade, as a set of flows: streams of SPDY
 * or channels of a WebSocket, which look the same from here.  What waits in
 * both directions is bounded for the connection as a whole, because neither
 * protocol's clients can be held back one flow at a time.
 *
 * Callbacks come from the event loop.  They must not free the client.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct event_base;
struct evbuffer;
struct sock;
struct spdy_headers;
struct upgrade;

#define CLIENT_IN_MAX  (128U * 1024) /* then nothing more is read */
#define CLIENT_OUT_MAX (128U * 1024) /* then client_room is 0 */
#define CLIENT_PIECE   32768	     /* most that flow_send takes */

struct flow {
	struct client *client;
	struct flow *next;
	uint32_t id;
	struct evbuffer *in; /* what the client sent */
	bool in_eof;	     /* it sends no more */
	bool gone;	     /* it reset the stream */
	/* in, in_eof or gone changed.  NULL: input is dropped. */
	void (*event)(void *arg, struct flow *f);
	void *arg;
};

struct client_def {
	/* SPDY: a new stream.  Sets event and arg; -1 refuses it. */
	int (*open)(void *arg, struct flow *f, const struct spdy_headers *h);
	/* There is room for output again. */
	void (*room)(void *arg);
	/* The connection is over; why is for the log. */
	void (*gone)(void *arg, const char *why);
};

/*
 * Takes sock in any case, and says the upgrade's head.  idle: seconds after
 * which a connection that carried nothing is over.  NULL without memory.
 */
struct client *client_new(struct event_base *base, struct sock *sock,
    const struct upgrade *u, unsigned int idle, const struct client_def *def,
    void *arg);
void client_free(struct client *c); /* and its flows */

/* WebSocket: the flow of a channel.  NULL without memory. */
struct flow *client_channel(struct client *c, uint32_t id);
/* How much may be sent now.  After a 0, room is called once there is more. */
size_t client_room(struct client *c);
/*
 * All is said: writes what waits and closes the connection, then calls gone.
 * No other callback comes any more.
 */
void client_finish(struct client *c);
/* No callback comes any more. */
void client_stop(struct client *c);

/* At most CLIENT_PIECE bytes; no more than client_room if it is much. */
void flow_send(struct flow *f, const void *buf, size_t len);
/* Nothing more will be sent there. */
void flow_finish(struct flow *f);
/* n bytes were taken from in. */
void flow_took(struct flow *f, size_t n);
/* Drops what is in it and what comes. */
void flow_ignore(struct flow *f);
/* Ends it in both directions, and frees it. */
void flow_free(struct flow *f);

#endif
