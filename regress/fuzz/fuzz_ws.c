/* An upgrade's request, then the messages that follow it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "streamd/http.h"
#include "streamd/http1.h"
#include "streamd/upgrade.h"
#include "streamd/ws.h"

struct peer {
	struct ws *ws;
	size_t out;
};

static void
on_send(void *arg, const void *buf, size_t len)
{
	struct peer *p = arg;

	(void)memchr(buf, '\0', len);
	p->out += len;
}

static void
on_data(void *arg, unsigned int channel, const uint8_t *buf, size_t len)
{
	struct peer *p = arg;

	assert(channel <= 255 && len > 0);
	(void)memchr(buf, '\0', len);
	if (buf[0] == 's' &&
	    ws_send(p->ws, channel, buf, len % WS_DATA_MAX) == -1)
		p->out++;
	if (buf[0] == 'c')
		ws_close(p->ws);
}

static void
on_fin(void *arg, unsigned int channel)
{
	(void)arg;
	assert(channel <= 255);
}

static bool
on_full(void *arg)
{
	(void)arg;
	return false;
}

static const struct ws_def def = {
	.send = on_send,
	.data = on_data,
	.fin = on_fin,
	.full = on_full,
};

static void
fuzz_messages(const struct upgrade_proto *proto, const uint8_t *data,
    size_t size)
{
	enum ws_mode mode = proto->transport == UPGRADE_TUNNEL ? WS_BYTES
			    : proto->base64		       ? WS_BASE64
							       : WS_CHANNELS;
	struct evbuffer *in = evbuffer_new();
	struct peer p = { 0 };
	enum ws_result r = WS_OPEN;

	p.ws = ws_new(&def, &p, mode, proto->version >= 5);
	for (size_t i = 0; i < size && r == WS_OPEN; i += 100) {
		(void)evbuffer_add(in, data + i,
		    size - i < 100 ? size - i : 100);
		r = ws_input(p.ws, in);
		assert(r != WS_OPEN || evbuffer_get_length(in) == 0);
	}
	ws_free(p.ws);
	evbuffer_free(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_refusal no = { 0 };
	struct http1_request r;
	struct upgrade u;
	char *buf;

	if (size == 0)
		return 0;
	buf = malloc(size);
	memcpy(buf, data + 1, size - 1);
	if (http1_parse(buf, size - 1, &r) == HTTP1_OK) {
		if (upgrade_parse(&r, data[0] % 2 == 1, &u, &no) == -1) {
			assert(no.code >= 400 && no.text != NULL);
		} else {
			assert(strncmp(u.head, "HTTP/1.1 101 ", 13) == 0);
			assert(strstr(u.head, "\r\n\r\n") ==
			       u.head + strlen(u.head) - 4);
			if (u.proto->transport != UPGRADE_SPDY)
				fuzz_messages(u.proto, data + 1 + r.len,
				    size - 1 - r.len);
		}
	}
	free(buf);
	return 0;
}
