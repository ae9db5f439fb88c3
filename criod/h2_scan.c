#include <nghttp2/nghttp2.h>

#include <stdbool.h>
#include <string.h>

#include "criod/h2_scan.h"

void
h2_scan_init(struct h2_scan *s)
{
	memset(s, 0, sizeof(*s));
	s->body = NGHTTP2_CLIENT_MAGIC_LEN;
}

static uint32_t
h2_scan_stream(const struct h2_scan *s)
{
	const uint8_t *p = s->head + 5;

	return (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static size_t
h2_scan_length(const struct h2_scan *s)
{
	return (size_t)s->head[0] << 16 | (size_t)s->head[1] << 8 | s->head[2];
}

/* Clients have odd streams; a reset has four bytes. */
static bool
h2_scan_unopened(const struct h2_scan *s)
{
	uint32_t stream = h2_scan_stream(s);

	return s->head[3] == NGHTTP2_RST_STREAM && h2_scan_length(s) == 4 &&
	       stream % 2 == 1 && stream > s->last;
}

/* One more byte of a head; what fn returned, or 0. */
static int
h2_scan_head(struct h2_scan *s, uint8_t byte, h2_scan_fn fn, void *arg)
{
	uint32_t stream;

	s->head[s->have++] = byte;
	if (s->have < H2_SCAN_HEAD)
		return 0;
	if (h2_scan_unopened(s)) {
		if (s->have == H2_SCAN_MAX) {
			s->have = 0;
			s->dropped++;
		}
		return 0;
	}
	stream = h2_scan_stream(s);
	if (s->head[3] == NGHTTP2_HEADERS && stream > s->last)
		s->last = stream;
	s->body = h2_scan_length(s);
	s->have = 0;
	return fn(arg, s->head, H2_SCAN_HEAD);
}

int
h2_scan(struct h2_scan *s, const uint8_t *buf, size_t len, h2_scan_fn fn,
    void *arg)
{
	int rc = 0;

	while (len > 0 && rc >= 0) {
		size_t n = s->body < len ? s->body : len;

		if (n > 0) {
			rc = fn(arg, buf, n);
			s->body -= n;
		} else {
			n = 1;
			rc = h2_scan_head(s, *buf, fn, arg);
		}
		buf += n;
		len -= n;
	}
	return rc < 0 ? rc : 0;
}
