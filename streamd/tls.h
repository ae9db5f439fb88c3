#ifndef CRIOD_STREAMD_TLS_H
#define CRIOD_STREAMD_TLS_H

/*
 * TLS for the listeners, in memory only: what came from the socket goes in,
 * what is to be sent comes out.  Versions 1.2 and 1.3; no tickets, no
 * renegotiation.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

struct evbuffer;
struct tls;
struct tls_conn;

#define TLS_PEM_MAX (256U * 1024)

struct tls_pem {
	char *text; /* NULL: none */
	size_t len;
};

/* Before confinement: OpenSSL must not look for files later. */
void tls_init(void);

/*
 * A certificate (chain), its key, and the authorities that clients must be
 * certified by (none: clients need no certificate).  NULL with err.
 */
struct tls *tls_new(const struct tls_pem *cert, const struct tls_pem *key,
    const struct tls_pem *ca, struct cerr *err);
void tls_free(struct tls *tls); /* its connections live on */

struct tls_conn *tls_conn_new(struct tls *tls); /* NULL without memory */
void tls_conn_free(struct tls_conn *c);

/*
 * Takes bytes of the socket; what they say is added to plain.  -1: the peer
 * broke the protocol or was refused; tls_conn_send may still have an alert.
 */
int tls_conn_receive(struct tls_conn *c, const void *buf, size_t len,
    struct evbuffer *plain) __attribute__((warn_unused_result));
/* True after the peer's close_notify. */
bool tls_conn_ended(const struct tls_conn *c);
/*
 * Moves what can be sent now from plain to raw; plain keeps the rest until the
 * handshake is done.  -1 on failure.
 */
int tls_conn_send(struct tls_conn *c, struct evbuffer *plain,
    struct evbuffer *raw) __attribute__((warn_unused_result));
/* Says close_notify; the next tls_conn_send has it. */
void tls_conn_end(struct tls_conn *c);

#endif
