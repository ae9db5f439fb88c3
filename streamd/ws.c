#include <event2/buffer.h>

#include <openssl/evp.h>

#include <wslay/wslay.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "streamd/ws.h"

#define WS_CLOSE_CHANNEL 255 /* of v5: the next byte's channel ends */
#define WS_ANSWERS_MAX	 16  /* pongs that wait inside wslay */

struct ws {
	const struct ws_def *def;
	void *arg;
	enum ws_mode mode;
	bool closes;
	wslay_event_context_ptr ctx;
	struct evbuffer *in; /* while ws_input runs */
	/* The message at hand. */
	bool control; /* its frame is a ping, pong or close */
	bool named;   /* its channel was seen */
	unsigned int channel;
	bool ended; /* a close of v5 was seen */
	struct base64 b64;
};

static ssize_t
ws_on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct ws *w = arg;
	int n = 0;

	(void)flags;
	if (!w->def->full(w->arg) &&
	    wslay_event_get_queued_msg_count(ctx) < WS_ANSWERS_MAX)
		n = evbuffer_remove(w->in, buf, len);
	if (n > 0)
		return n;
	wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static ssize_t
ws_on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len,
    int flags, void *arg)
{
	struct ws *w = arg;

	(void)ctx;
	(void)flags;
	w->def->send(w->arg, data, len);
	return (ssize_t)len;
}

static void
ws_refuse(struct ws *w, uint16_t code)
{
	(void)wslay_event_queue_close(w->ctx, code, NULL, 0);
	wslay_event_shutdown_read(w->ctx);
}

static void
ws_on_start(wslay_event_context_ptr ctx,
    const struct wslay_event_on_frame_recv_start_arg *a, void *arg)
{
	struct ws *w = arg;

	(void)ctx;
	w->control = wslay_is_ctrl_frame(a->opcode);
	if (a->opcode == WSLAY_TEXT_FRAME || a->opcode == WSLAY_BINARY_FRAME) {
		w->named = w->mode == WS_BYTES;
		w->channel = 0;
		w->ended = false;
	}
}

static void
ws_take_decoded(struct ws *w, const uint8_t *p, size_t len)
{
	uint8_t out[1024];
	ssize_t n;

	while (len > 0) {
		size_t piece = len < sizeof(out) ? len : sizeof(out);

		n = base64_decode(&w->b64, p, piece, out);
		if (n == -1) {
			ws_refuse(w, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA);
			return;
		}
		if (n > 0)
			w->def->data(w->arg, w->channel, out, (size_t)n);
		p += piece;
		len -= piece;
	}
}

/* One byte says which channel ends. */
static void
ws_take_end(struct ws *w, const uint8_t *p, size_t len)
{
	if (len != 1 || w->ended) {
		ws_refuse(w, WSLAY_CODE_PROTOCOL_ERROR);
		return;
	}
	w->ended = true;
	w->def->fin(w->arg, p[0]);
}

static void
ws_on_chunk(wslay_event_context_ptr ctx,
    const struct wslay_event_on_frame_recv_chunk_arg *a, void *arg)
{
	struct ws *w = arg;
	const uint8_t *p = a->data;
	size_t len = a->data_length;

	if (w->control || len == 0 || !wslay_event_get_read_enabled(ctx))
		return;
	if (!w->named) {
		w->channel = w->mode == WS_BASE64 ? (uint8_t)(*p - '0') : *p;
		w->named = true;
		p++;
		len--;
	}
	if (len == 0)
		return;
	if (w->closes && w->channel == WS_CLOSE_CHANNEL)
		ws_take_end(w, p, len);
	else if (w->mode == WS_BASE64)
		ws_take_decoded(w, p, len);
	else
		w->def->data(w->arg, w->channel, p, len);
}

static void
ws_on_msg(wslay_event_context_ptr ctx,
    const struct wslay_event_on_msg_recv_arg *a, void *arg)
{
	struct ws *w = arg;

	(void)ctx;
	if (!wslay_is_ctrl_frame(a->opcode) && base64_end(&w->b64) == -1)
		ws_refuse(w, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA);
}

static const struct wslay_event_callbacks ws_callbacks = {
	.recv_callback = ws_on_recv,
	.send_callback = ws_on_send,
	.on_frame_recv_start_callback = ws_on_start,
	.on_frame_recv_chunk_callback = ws_on_chunk,
	.on_msg_recv_callback = ws_on_msg,
};

struct ws *
ws_new(const struct ws_def *def, void *arg, enum ws_mode mode, bool closes)
{
	struct ws *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->def = def;
	w->arg = arg;
	w->mode = mode;
	w->closes = closes;
	if (wslay_event_context_server_init(&w->ctx, &ws_callbacks, w) != 0) {
		free(w);
		return NULL;
	}
	wslay_event_config_set_no_buffering(w->ctx, 1);
	return w;
}

void
ws_free(struct ws *w)
{
	if (w == NULL)
		return;
	wslay_event_context_free(w->ctx);
	free(w);
}

/* Until nothing is left, or nothing may be taken now. */
static int
ws_pass(struct ws *w)
{
	size_t before;

	do {
		before = evbuffer_get_length(w->in);
		if (wslay_event_recv(w->ctx) != 0 ||
		    wslay_event_send(w->ctx) != 0)
			return -1;
	} while (evbuffer_get_length(w->in) < before &&
		 wslay_event_get_read_enabled(w->ctx));
	return 0;
}

enum ws_result
ws_input(struct ws *w, struct evbuffer *in)
{
	int result;

	if (!wslay_event_get_read_enabled(w->ctx))
		return WS_BROKEN;
	w->in = in;
	result = ws_pass(w);
	w->in = NULL;
	if (wslay_event_get_close_received(w->ctx))
		return WS_CLOSED;
	if (result == -1 || !wslay_event_get_read_enabled(w->ctx))
		return WS_BROKEN;
	return WS_OPEN;
}

static int
ws_queue(struct ws *w, uint8_t opcode, const uint8_t *msg, size_t len)
{
	struct wslay_event_msg m = { opcode, msg, len };

	if (wslay_event_queue_msg(w->ctx, &m) != 0)
		return -1;
	return wslay_event_send(w->ctx) == 0 ? 0 : -1;
}

static int
ws_send_base64(struct ws *w, unsigned int channel, const void *buf, size_t len)
{
	uint8_t out[1 + (WS_DATA_MAX + 2) / 3 * 4 + 1];
	int n;

	out[0] = (uint8_t)('0' + channel);
	n = EVP_EncodeBlock(out + 1, buf, (int)len);
	return ws_queue(w, WSLAY_TEXT_FRAME, out, 1 + (size_t)n);
}

int
ws_send(struct ws *w, unsigned int channel, const void *buf, size_t len)
{
	uint8_t out[1 + WS_DATA_MAX];

	if (w->mode == WS_BYTES)
		return ws_queue(w, WSLAY_BINARY_FRAME, buf, len);
	if (w->mode == WS_BASE64)
		return ws_send_base64(w, channel, buf, len);
	out[0] = (uint8_t)channel;
	if (len > 0)
		memcpy(out + 1, buf, len);
	return ws_queue(w, WSLAY_BINARY_FRAME, out, 1 + len);
}

void
ws_beat(struct ws *w)
{
	(void)ws_queue(w, WSLAY_PONG, NULL, 0);
}

void
ws_close(struct ws *w)
{
	(void)wslay_event_queue_close(w->ctx, WSLAY_CODE_NORMAL_CLOSURE, NULL,
	    0);
	(void)wslay_event_send(w->ctx);
}
