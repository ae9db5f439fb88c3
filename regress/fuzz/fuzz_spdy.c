/* Whatever a client sends, the streams are told of in order, and all that is
 * sent back consists of whole frames. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "streamd/spdy.h"

struct stream {
	uint32_t id;
	bool open, ended;
};

struct peer {
	struct spdy *spdy;
	struct stream streams[4096];
	size_t n;
	uint8_t head[8];
	size_t nhead, left;
};

static void
on_send(void *arg, const void *buf, size_t len)
{
	struct peer *p = arg;
	const uint8_t *b = buf;

	for (size_t i = 0; i < len; i++) {
		if (p->nhead == 8 && p->left > 0) {
			p->left--;
			continue;
		}
		p->nhead = p->nhead == 8 ? 0 : p->nhead;
		p->head[p->nhead++] = b[i];
		if (p->nhead == 8)
			p->left = (size_t)p->head[5] << 16 |
				  (size_t)p->head[6] << 8 | p->head[7];
		assert(p->nhead < 8 || p->left <= SPDY_DATA_MAX);
	}
}

static void *
on_open(void *arg, uint32_t id, const struct spdy_headers *h)
{
	struct peer *p = arg;
	struct spdy_text t = spdy_header_get(h, "streamtype");
	struct stream *s = &p->streams[p->n];

	assert(h->n <= SPDY_HEADERS_MAX);
	assert(id % 2 == 1 && (p->n == 0 || id > s[-1].id));
	if (t.len == 0 || p->n == 4095)
		return NULL;
	/* reading it is the test */
	(void)memchr(t.p, '\0', t.len);
	*s = (struct stream){ id, true, false };
	p->n++;
	return s;
}

static void
on_data(void *arg, void *stream, const uint8_t *buf, size_t len)
{
	struct peer *p = arg;
	struct stream *s = stream;

	assert(s->open && !s->ended && len > 0);
	(void)memchr(buf, '\0', len);
	spdy_used(p->spdy, s->id, len);
	spdy_send(p->spdy, s->id, buf, len < 64 ? len : 64);
	if (buf[0] == 'f')
		spdy_fin(p->spdy, s->id);
	else if (buf[0] == 'd') {
		s->open = false;
		spdy_drop(p->spdy, s->id, SPDY_RESET_CANCEL);
	}
}

static void
on_fin(void *arg, void *stream)
{
	struct stream *s = stream;

	(void)arg;
	assert(s->open && !s->ended);
	s->ended = true;
}

static void
on_reset(void *arg, void *stream)
{
	struct stream *s = stream;

	(void)arg;
	assert(s->open);
	s->open = false;
}

static bool
on_full(void *arg)
{
	(void)arg;
	return false;
}

static const struct spdy_def def = {
	.send = on_send,
	.open = on_open,
	.data = on_data,
	.fin = on_fin,
	.reset = on_reset,
	.full = on_full,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer *p = calloc(1, sizeof(*p));
	/* In pieces, of the length that the first byte says. */
	size_t piece = size > 0 ? 1 + data[0] : 1;
	ssize_t n = 0;

	p->spdy = spdy_new(&def, p);
	for (size_t i = 1; i < size && n != -1; i += piece) {
		size_t len = size - i < piece ? size - i : piece;
		uint8_t *copy = malloc(len);

		memcpy(copy, data + i, len);
		n = spdy_input(p->spdy, copy, len);
		assert(n == (ssize_t)len || (n == -1 && spdy_why(p->spdy)));
		free(copy);
	}
	assert(p->left == 0);
	spdy_free(p->spdy);
	free(p);
	return 0;
}
