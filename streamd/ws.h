#ifndef CRIOD_STREAMD_WS_H
#define CRIOD_STREAMD_WS_H

/*
 * The server's side of a WebSocket after the handshake: messages whose first
 * byte is a channel, or that are pieces of one stream of bytes.  Messages are
 * passed on as they come, never held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct ws;

#define WS_DATA_MAX 32768 /* of a message that is sent */

enum ws_mode {
	WS_CHANNELS,
	WS_BASE64, /* text: a digit, then base64 */
	WS_BYTES,  /* no channels */
};

enum ws_result {
	WS_OPEN,
	WS_CLOSED, /* the client said so */
	WS_BROKEN, /* it broke the protocol, and was told */
};

struct ws_def {
	void (*send)(void *arg, const void *buf, size_t len);
	void (*data)(void *arg, unsigned int channel, const uint8_t *buf,
	    size_t len);
	/* The client sends no more there: only if ws_new's closes. */
	void (*fin)(void *arg, unsigned int channel);
	bool (*full)(void *arg); /* no input now */
};

/* Borrows def.  NULL without memory. */
struct ws *ws_new(const struct ws_def *def, void *arg, enum ws_mode mode,
    bool closes);
void ws_free(struct ws *w);

/* Takes from in what it can. */
enum ws_result ws_input(struct ws *w, struct evbuffer *in);
/* At most WS_DATA_MAX bytes.  -1 without memory. */
int ws_send(struct ws *w, unsigned int channel, const void *buf, size_t len)
    __attribute__((warn_unused_result));
/*
 * A pong that nobody asked for: a client whose pings are not read, because it
 * is held back, shall not give up.
 */
void ws_beat(struct ws *w);
/* The last message: status 1000. */
void ws_close(struct ws *w);

#endif
