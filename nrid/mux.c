#include <string.h>

#include "lib/ttrpc.h"
#include "nrid/mux.h"

static uint32_t
mux_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void
mux_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

void
mux_header(uint8_t out[MUX_HEADER], uint32_t conn, size_t len)
{
	mux_put32(out, conn);
	mux_put32(out + 4, (uint32_t)len);
}

static size_t
mux_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int
mux_take_header(struct mux *m, const uint8_t **buf, size_t *len,
    struct cerr *err)
{
	size_t n = mux_min(MUX_HEADER - m->nhead, *len);

	memcpy(m->head + m->nhead, *buf, n);
	m->nhead += n;
	*buf += n;
	*len -= n;
	if (m->nhead < MUX_HEADER)
		return 0;
	m->left = mux_get32(m->head + 4);
	if (m->left > TTRPC_HEADER + TTRPC_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "a frame of %zu bytes", m->left);
	return 0;
}

int
mux_input(struct mux *m, const uint8_t *buf, size_t len, mux_fn fn, void *ctx,
    struct cerr *err)
{
	while (len > 0) {
		size_t n;

		if (m->nhead < MUX_HEADER &&
		    mux_take_header(m, &buf, &len, err) == -1)
			return -1;
		if (m->nhead < MUX_HEADER)
			break;
		n = mux_min(m->left, len);
		if (n > 0 && fn(ctx, mux_get32(m->head), buf, n, err) == -1)
			return -1;
		buf += n;
		len -= n;
		m->left -= n;
		if (m->left == 0)
			m->nhead = 0;
	}
	return 0;
}
