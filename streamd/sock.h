#ifndef CRIOD_STREAMD_SOCK_H
#define CRIOD_STREAMD_SOCK_H

/*
 * One client's connection: bytes in, bytes out, with TLS or without, and how
 * much of both may wait here.  Callbacks come from the event loop, never from
 * inside a call; a callback may free the sock.
 */

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;
struct event_base;
struct sock;
struct tls;

#define SOCK_IN_MAX	 (64U * 1024) /* then nothing more is read */
#define SOCK_PIECE	 (32U * 1024) /* one read */
#define SOCK_WRITE_TIME	 30	      /* seconds for a flush to get on */
#define SOCK_LINGER_TIME 2	      /* for the client to see the end */

struct sock_def {
	/* There is more in sock_in, or the client has ended its side. */
	void (*input)(void *arg);
	/* Some of what waited was written. */
	void (*output)(void *arg);
	/* The connection is of no use any more: sock_free is due. */
	void (*gone)(void *arg);
};

/* Takes fd; borrows base and tls (NULL: none).  NULL without memory. */
struct sock *sock_new(struct event_base *base, int fd, struct tls *tls);
/* Whom to call from now on. */
void sock_set(struct sock *s, const struct sock_def *def, void *arg);
void sock_free(struct sock *s);

struct evbuffer *sock_in(struct sock *s);
/* To be called after something was taken from sock_in. */
void sock_took(struct sock *s);
bool sock_ended(const struct sock *s);
/* While paused nothing is read; that the client hangs up is noticed. */
void sock_pause(struct sock *s, bool paused);

/* Without memory for it the connection is lost, and gone is called. */
void sock_send(struct sock *s, const void *buf, size_t len);
size_t sock_waiting(const struct sock *s);
/*
 * Writes what waits, says that this is the end, and lets the client see it;
 * then gone is called.  What still comes in is dropped.
 */
void sock_finish(struct sock *s);

#endif
