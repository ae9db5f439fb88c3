#ifndef CRIOD_STREAMD_SPDY_H
#define CRIOD_STREAMD_SPDY_H

/*
 * The server's side of SPDY/3.1, as much as Kubernetes' clients use: the
 * client opens streams, the server answers.  Bytes in, events out; it owns no
 * socket and no data.
 *
 * Flow control: those clients (moby/spdystream) neither send WINDOW_UPDATE nor
 * heed it.  So the windows of the server's side are not enforced: TCP holds
 * the sender back, and full() the reader.  Updates are sent for a client that
 * does wait for them.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPDY_STREAMS_MAX 256  /* open at a time */
#define SPDY_CONTROL_MAX 4096 /* bytes of a control frame */
#define SPDY_BLOCK_MAX	 8192 /* of a header block, decompressed */
#define SPDY_HEADERS_MAX 32
#define SPDY_DATA_MAX	 32768 /* of a data frame that is sent */

enum spdy_reset {
	SPDY_RESET_PROTOCOL_ERROR = 1,
	SPDY_RESET_REFUSED_STREAM = 3,
	SPDY_RESET_CANCEL = 5,
	SPDY_RESET_INTERNAL_ERROR = 6,
};

struct spdy_text {
	const char *p;
	size_t len;
};

struct spdy_header {
	struct spdy_text name, value;
};

struct spdy_headers {
	struct spdy_header list[SPDY_HEADERS_MAX];
	size_t n;
};

/* The value, or an empty text at NULL. */
struct spdy_text spdy_header_get(const struct spdy_headers *h,
    const char *name);

struct spdy_def {
	void (*send)(void *arg, const void *buf, size_t len);
	/* A new stream; the caller's name for it, or NULL: refused. */
	void *(*open)(void *arg, uint32_t id, const struct spdy_headers *h);
	/* After open, and after these calls no more than fin or reset: */
	void (*data)(void *arg, void *stream, const uint8_t *buf, size_t len);
	void (*fin)(void *arg, void *stream);
	void (*reset)(void *arg, void *stream);
	/* No input now: spdy_input returns early. */
	bool (*full)(void *arg);
};

struct spdy;

/* Borrows def.  NULL without memory. */
struct spdy *spdy_new(const struct spdy_def *def, void *arg);
void spdy_free(struct spdy *s);

/* How much of buf was taken; -1: the client broke the protocol, see why. */
ssize_t spdy_input(struct spdy *s, const uint8_t *buf, size_t len);
const char *spdy_why(const struct spdy *s);

/*
 * Both are no-ops for a stream that the server has ended, or that is gone.
 * len is at most SPDY_DATA_MAX.
 */
void spdy_send(struct spdy *s, uint32_t id, const void *buf, size_t len);
void spdy_fin(struct spdy *s, uint32_t id);
/* Forgets the stream, and tells the client if it does not know yet. */
void spdy_drop(struct spdy *s, uint32_t id, enum spdy_reset status);
/* len bytes of the stream were used up. */
void spdy_used(struct spdy *s, uint32_t id, size_t len);

#endif
