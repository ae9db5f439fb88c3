#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "streamd/spdy.h"
#include "streamd/spdy_dict.h"

#define SPDY_VERSION	3
#define SPDY_HEAD	8
#define SPDY_CONTROL	0x80000000U
#define SPDY_ID_MASK	0x7fffffffU
#define SPDY_LEN_MASK	0x00ffffffU
#define SPDY_FLAG_FIN	0x1U
#define SPDY_WINDOW_MAX 0x7fffffffU
#define SPDY_WINDOW_LOW 32768 /* bytes used up before an update is sent */
#define SPDY_OUT_BITS	11    /* of the compressor's window: small answers */

#define SPDY_SETTINGS_WINDOW	   7
#define SPDY_GOAWAY_PROTOCOL_ERROR 1

enum spdy_type {
	SPDY_SYN_STREAM = 1,
	SPDY_SYN_REPLY = 2,
	SPDY_RST_STREAM = 3,
	SPDY_SETTINGS = 4,
	SPDY_PING = 6,
	SPDY_GOAWAY = 7,
	SPDY_HEADERS = 8,
	SPDY_WINDOW_UPDATE = 9,
};

struct spdy_stream {
	uint32_t id;
	void *name; /* the caller's */
	bool fin_in, fin_out;
	size_t used;
};

struct spdy {
	const struct spdy_def *def;
	void *arg;
	const char *why;
	z_stream in, out;
	/* The frame at hand. */
	uint8_t head[SPDY_HEAD];
	size_t nhead;
	size_t left; /* of its payload */
	uint8_t control[SPDY_CONTROL_MAX];
	size_t ncontrol;
	uint32_t last_id;
	size_t used; /* of the whole connection */
	struct spdy_stream streams[SPDY_STREAMS_MAX];
	size_t nstreams;
};

struct spdy_frame {
	enum spdy_type type;
	int (
	    *take)(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags);
	size_t min, max; /* of the payload */
};

static uint32_t
spdy_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static void
spdy_put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

/* ---- what is sent ---- */

static void
spdy_put_control(uint8_t *p, enum spdy_type type, size_t len)
{
	spdy_put32(p, SPDY_CONTROL | SPDY_VERSION << 16 | type);
	spdy_put32(p + 4, (uint32_t)len);
}

/* A control frame of one or two words. */
static void
spdy_send_words(struct spdy *s, enum spdy_type type, size_t n, uint32_t a,
    uint32_t b)
{
	uint8_t buf[SPDY_HEAD + 8];

	spdy_put_control(buf, type, 4 * n);
	spdy_put32(buf + SPDY_HEAD, a);
	spdy_put32(buf + SPDY_HEAD + 4, b);
	s->def->send(s->arg, buf, SPDY_HEAD + 4 * n);
}

/* Nothing is taken after it. */
static int
spdy_fail(struct spdy *s, const char *why)
{
	s->why = why;
	spdy_send_words(s, SPDY_GOAWAY, 2, s->last_id,
	    SPDY_GOAWAY_PROTOCOL_ERROR);
	return -1;
}

static void
spdy_send_data(struct spdy *s, uint32_t id, uint8_t flags, const void *buf,
    size_t len)
{
	uint8_t head[SPDY_HEAD];

	spdy_put32(head, id);
	spdy_put32(head + 4, (uint32_t)flags << 24 | (uint32_t)len);
	s->def->send(s->arg, head, sizeof(head));
	if (len > 0)
		s->def->send(s->arg, buf, len);
}

/* No headers, but they are compressed all the same. */
static int
spdy_send_reply(struct spdy *s, uint32_t id)
{
	uint8_t none[4] = { 0 }, buf[SPDY_HEAD + 4 + 64];

	s->out.next_in = none;
	s->out.avail_in = sizeof(none);
	s->out.next_out = buf + SPDY_HEAD + 4;
	s->out.avail_out = sizeof(buf) - SPDY_HEAD - 4;
	if (deflate(&s->out, Z_SYNC_FLUSH) != Z_OK || s->out.avail_in > 0 ||
	    s->out.avail_out == 0)
		return spdy_fail(s, "compression failed");
	spdy_put_control(buf, SPDY_SYN_REPLY,
	    sizeof(buf) - SPDY_HEAD - s->out.avail_out);
	spdy_put32(buf + SPDY_HEAD, id);
	s->def->send(s->arg, buf, sizeof(buf) - s->out.avail_out);
	return 0;
}

/* ---- streams ---- */

static struct spdy_stream *
spdy_find(struct spdy *s, uint32_t id)
{
	for (size_t i = 0; i < s->nstreams; i++) {
		if (s->streams[i].id == id)
			return &s->streams[i];
	}
	return NULL;
}

static void
spdy_forget(struct spdy *s, struct spdy_stream *st)
{
	*st = s->streams[--s->nstreams];
}

static void
spdy_forget_ended(struct spdy *s, struct spdy_stream *st)
{
	if (st->fin_in && st->fin_out)
		spdy_forget(s, st);
}

static void
spdy_reset(struct spdy *s, uint32_t id, enum spdy_reset status)
{
	spdy_send_words(s, SPDY_RST_STREAM, 2, id, status);
}

void
spdy_send(struct spdy *s, uint32_t id, const void *buf, size_t len)
{
	const struct spdy_stream *st = spdy_find(s, id);

	if (st != NULL && !st->fin_out)
		spdy_send_data(s, id, 0, buf, len);
}

void
spdy_fin(struct spdy *s, uint32_t id)
{
	struct spdy_stream *st = spdy_find(s, id);

	if (st == NULL || st->fin_out)
		return;
	spdy_send_data(s, id, SPDY_FLAG_FIN, NULL, 0);
	st->fin_out = true;
	spdy_forget_ended(s, st);
}

void
spdy_drop(struct spdy *s, uint32_t id, enum spdy_reset status)
{
	struct spdy_stream *st = spdy_find(s, id);

	if (st == NULL)
		return;
	spdy_reset(s, id, status);
	spdy_forget(s, st);
}

/* Stream 0 is the connection. */
static void
spdy_update(struct spdy *s, uint32_t id, size_t *used, size_t len)
{
	*used += len;
	if (*used < SPDY_WINDOW_LOW)
		return;
	spdy_send_words(s, SPDY_WINDOW_UPDATE, 2, id, (uint32_t)*used);
	*used = 0;
}

void
spdy_used(struct spdy *s, uint32_t id, size_t len)
{
	struct spdy_stream *st = spdy_find(s, id);

	if (st != NULL && !st->fin_in)
		spdy_update(s, id, &st->used, len);
	spdy_update(s, 0, &s->used, len);
}

/* ---- headers ---- */

/* Decompresses a whole block; its length, or -1. */
static ssize_t
spdy_inflate(struct spdy *s, const uint8_t *p, size_t len,
    uint8_t out[SPDY_BLOCK_MAX])
{
	z_stream *z = &s->in;
	int r;

	/* zlib does not write there; its type is older than const. */
	z->next_in = (uint8_t *)(uintptr_t)p;
	z->avail_in = (unsigned int)len;
	z->next_out = out;
	z->avail_out = SPDY_BLOCK_MAX;
	r = inflate(z, Z_SYNC_FLUSH);
	if (r == Z_NEED_DICT &&
	    inflateSetDictionary(z, (const uint8_t *)spdy_dict,
		SPDY_DICT_LEN) == Z_OK)
		r = inflate(z, Z_SYNC_FLUSH);
	/* All of it, and the end of the buffer was not reached. */
	if ((r != Z_OK && r != Z_BUF_ERROR) || z->avail_in > 0 ||
	    z->avail_out == 0)
		return -1;
	return SPDY_BLOCK_MAX - (ssize_t)z->avail_out;
}

/* A text with its length before it, cut from *p. */
static int
spdy_cut(const uint8_t **p, size_t *len, struct spdy_text *t)
{
	if (*len < 4)
		return -1;
	t->len = spdy_get32(*p);
	t->p = (const char *)*p + 4;
	if (t->len > *len - 4)
		return -1;
	*p += 4 + t->len;
	*len -= 4 + t->len;
	return 0;
}

static int
spdy_parse_block(const uint8_t *p, size_t len, struct spdy_headers *h)
{
	uint32_t n;

	h->n = 0;
	if (len < 4 || (n = spdy_get32(p)) > SPDY_HEADERS_MAX)
		return -1;
	p += 4;
	len -= 4;
	for (uint32_t i = 0; i < n; i++) {
		if (spdy_cut(&p, &len, &h->list[i].name) == -1 ||
		    h->list[i].name.len == 0 ||
		    spdy_cut(&p, &len, &h->list[i].value) == -1)
			return -1;
	}
	h->n = n;
	return len == 0 ? 0 : -1;
}

struct spdy_text
spdy_header_get(const struct spdy_headers *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->list[i].name.len == strlen(name) &&
		    memcmp(h->list[i].name.p, name, strlen(name)) == 0)
			return h->list[i].value;
	}
	return (struct spdy_text){ NULL, 0 };
}

/* ---- what comes ---- */

static int
spdy_open(struct spdy *s, uint32_t id, const struct spdy_headers *h,
    uint8_t flags)
{
	struct spdy_stream *st;
	void *name = NULL;

	if (s->nstreams < SPDY_STREAMS_MAX)
		name = s->def->open(s->arg, id, h);
	if (name == NULL) {
		spdy_reset(s, id, SPDY_RESET_REFUSED_STREAM);
		return 0;
	}
	st = &s->streams[s->nstreams++];
	*st = (struct spdy_stream){ .id = id, .name = name };
	if (spdy_send_reply(s, id) == -1)
		return -1;
	if ((flags & SPDY_FLAG_FIN) != 0) {
		st->fin_in = true;
		s->def->fin(s->arg, name);
	}
	return 0;
}

static int
spdy_take_syn(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	uint32_t id = spdy_get32(p) & SPDY_ID_MASK;
	uint8_t block[SPDY_BLOCK_MAX];
	struct spdy_headers h;
	ssize_t n = spdy_inflate(s, p + 10, len - 10, block);

	if (n == -1 || spdy_parse_block(block, (size_t)n, &h) == -1)
		return spdy_fail(s, "a header block is not valid");
	if (id % 2 == 0 || id <= s->last_id)
		return spdy_fail(s, "a stream number is not valid");
	s->last_id = id;
	return spdy_open(s, id, &h, flags);
}

/* More headers say nothing, but the decompressor must see them. */
static int
spdy_take_headers(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	struct spdy_stream *st = spdy_find(s, spdy_get32(p) & SPDY_ID_MASK);
	uint8_t block[SPDY_BLOCK_MAX];

	if (spdy_inflate(s, p + 4, len - 4, block) == -1)
		return spdy_fail(s, "a header block is not valid");
	if (st != NULL && !st->fin_in && (flags & SPDY_FLAG_FIN) != 0) {
		st->fin_in = true;
		s->def->fin(s->arg, st->name);
	}
	return 0;
}

static int
spdy_take_reset(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	struct spdy_stream *st = spdy_find(s, spdy_get32(p) & SPDY_ID_MASK);
	void *name;

	(void)len;
	(void)flags;
	if (st == NULL)
		return 0;
	name = st->name;
	spdy_forget(s, st);
	s->def->reset(s->arg, name);
	return 0;
}

static int
spdy_take_settings(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	uint32_t n = spdy_get32(p);

	(void)flags;
	if (n > SPDY_CONTROL_MAX / 8 || len != 4 + 8 * (size_t)n)
		return spdy_fail(s, "SETTINGS is not valid");
	for (uint32_t i = 0; i < n; i++) {
		if ((spdy_get32(p + 4 + 8 * i) & SPDY_LEN_MASK) ==
			SPDY_SETTINGS_WINDOW &&
		    spdy_get32(p + 8 + 8 * i) > SPDY_WINDOW_MAX)
			return spdy_fail(s, "a window is too large");
	}
	return 0;
}

static int
spdy_take_ping(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	uint32_t id = spdy_get32(p);

	(void)len;
	(void)flags;
	if (id % 2 == 1)
		spdy_send_words(s, SPDY_PING, 1, id, 0);
	return 0;
}

/* The client opens no more streams; it is free to. */
static int
spdy_take_goaway(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	(void)s;
	(void)p;
	(void)len;
	(void)flags;
	return 0;
}

static int
spdy_take_window(struct spdy *s, const uint8_t *p, size_t len, uint8_t flags)
{
	uint32_t delta = spdy_get32(p + 4);

	(void)len;
	(void)flags;
	if (delta == 0 || delta > SPDY_WINDOW_MAX)
		return spdy_fail(s, "WINDOW_UPDATE is not valid");
	return 0;
}

/* SYN_REPLY is not among them: the server opens no stream. */
static const struct spdy_frame spdy_frames[] = {
	{ SPDY_SYN_STREAM, spdy_take_syn, 10, SPDY_CONTROL_MAX },
	{ SPDY_RST_STREAM, spdy_take_reset, 8, 8 },
	{ SPDY_SETTINGS, spdy_take_settings, 4, SPDY_CONTROL_MAX },
	{ SPDY_PING, spdy_take_ping, 4, 4 },
	{ SPDY_GOAWAY, spdy_take_goaway, 8, 8 },
	{ SPDY_HEADERS, spdy_take_headers, 4, SPDY_CONTROL_MAX },
	{ SPDY_WINDOW_UPDATE, spdy_take_window, 8, 8 },
};

#define SPDY_NFRAMES (sizeof(spdy_frames) / sizeof(spdy_frames[0]))

static int
spdy_take_control(struct spdy *s)
{
	uint32_t type = spdy_get32(s->head) & 0xffff;

	for (size_t i = 0; i < SPDY_NFRAMES; i++) {
		const struct spdy_frame *f = &spdy_frames[i];

		if (f->type != type)
			continue;
		if (s->ncontrol < f->min || s->ncontrol > f->max)
			return spdy_fail(s, "a frame has a wrong length");
		return f->take(s, s->control, s->ncontrol, s->head[4]);
	}
	return spdy_fail(s, "a frame of a type that no client sends");
}

static bool
spdy_is_control(const struct spdy *s)
{
	return (s->head[0] & 0x80) != 0;
}

/* The eight bytes before a frame are complete. */
static int
spdy_begin(struct spdy *s)
{
	uint32_t first = spdy_get32(s->head);

	s->left = spdy_get32(s->head + 4) & SPDY_LEN_MASK;
	s->ncontrol = 0;
	if (!spdy_is_control(s)) {
		if (first == 0 || first > s->last_id)
			return spdy_fail(s, "data for no stream");
		return 0;
	}
	if ((first & ~SPDY_CONTROL) >> 16 != SPDY_VERSION)
		return spdy_fail(s, "a frame of another version");
	if (s->left > SPDY_CONTROL_MAX)
		return spdy_fail(s, "a control frame is too long");
	return 0;
}

/* Data for a stream that has ended is late, not wrong. */
static void
spdy_take_data(struct spdy *s, const uint8_t *buf, size_t len)
{
	const struct spdy_stream *st = spdy_find(s, spdy_get32(s->head));

	if (st != NULL && !st->fin_in && len > 0)
		s->def->data(s->arg, st->name, buf, len);
	else if (len > 0)
		spdy_update(s, 0, &s->used, len);
}

static int
spdy_end(struct spdy *s)
{
	struct spdy_stream *st;
	void *name;

	s->nhead = 0;
	if (spdy_is_control(s))
		return spdy_take_control(s);
	st = spdy_find(s, spdy_get32(s->head));
	if (st == NULL || st->fin_in || (s->head[4] & SPDY_FLAG_FIN) == 0)
		return 0;
	name = st->name;
	st->fin_in = true;
	spdy_forget_ended(s, st);
	s->def->fin(s->arg, name);
	return 0;
}

/* Takes some bytes of one frame: its head, or its payload. */
static ssize_t
spdy_step(struct spdy *s, const uint8_t *buf, size_t len)
{
	size_t n = len;

	if (s->nhead < SPDY_HEAD) {
		if (n > SPDY_HEAD - s->nhead)
			n = SPDY_HEAD - s->nhead;
		memcpy(s->head + s->nhead, buf, n);
		s->nhead += n;
		if (s->nhead == SPDY_HEAD && spdy_begin(s) == -1)
			return -1;
	} else {
		if (n > s->left)
			n = s->left;
		if (spdy_is_control(s)) {
			memcpy(s->control + s->ncontrol, buf, n);
			s->ncontrol += n;
		} else
			spdy_take_data(s, buf, n);
		s->left -= n;
	}
	if (s->nhead == SPDY_HEAD && s->left == 0 && spdy_end(s) == -1)
		return -1;
	return (ssize_t)n;
}

ssize_t
spdy_input(struct spdy *s, const uint8_t *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	if (s->why != NULL)
		return -1;
	while (done < len && !s->def->full(s->arg)) {
		n = spdy_step(s, buf + done, len - done);
		if (n == -1)
			return -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

const char *
spdy_why(const struct spdy *s)
{
	return s->why;
}

struct spdy *
spdy_new(const struct spdy_def *def, void *arg)
{
	struct spdy *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->def = def;
	s->arg = arg;
	if (inflateInit(&s->in) != Z_OK) {
		free(s);
		return NULL;
	}
	if (deflateInit2(&s->out, Z_NO_COMPRESSION, Z_DEFLATED, SPDY_OUT_BITS,
		1, Z_DEFAULT_STRATEGY) != Z_OK) {
		(void)inflateEnd(&s->in);
		free(s);
		return NULL;
	}
	if (deflateSetDictionary(&s->out, (const uint8_t *)spdy_dict,
		SPDY_DICT_LEN) != Z_OK) {
		spdy_free(s);
		return NULL;
	}
	return s;
}

void
spdy_free(struct spdy *s)
{
	if (s == NULL)
		return;
	(void)inflateEnd(&s->in);
	(void)deflateEnd(&s->out);
	free(s);
}
