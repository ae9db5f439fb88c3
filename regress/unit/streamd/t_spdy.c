#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "streamd/spdy.h"
#include "streamd/spdy_dict.h"

/* What the server's side said and was told, as one text. */
struct peer {
	struct spdy *spdy;
	char log[1024];
	uint8_t out[4096];
	size_t nout;
	bool full;
	z_stream z;
	int names[64];
	size_t nnames;
};

static void
note(struct peer *p, const char *what, const void *stream, const char *text,
    size_t len)
{
	size_t n = strlen(p->log);

	(void)snprintf(p->log + n, sizeof(p->log) - n, "%s%ld:%.*s ", what,
	    stream == NULL ? -1L : (long)((const int *)stream - p->names),
	    (int)len, text);
}

static void
on_send(void *arg, const void *buf, size_t len)
{
	struct peer *p = arg;

	assert_true(p->nout + len <= sizeof(p->out));
	memcpy(p->out + p->nout, buf, len);
	p->nout += len;
}

static void *
on_open(void *arg, uint32_t id, const struct spdy_headers *h)
{
	struct peer *p = arg;
	struct spdy_text t = spdy_header_get(h, "streamtype");

	(void)id;
	if (t.len == 2 && memcmp(t.p, "no", 2) == 0)
		return NULL;
	note(p, "open", &p->names[p->nnames], t.p, t.len);
	return &p->names[p->nnames++];
}

static void
on_data(void *arg, void *stream, const uint8_t *buf, size_t len)
{
	note(arg, "data", stream, (const char *)buf, len);
}

static void
on_fin(void *arg, void *stream)
{
	note(arg, "fin", stream, "", 0);
}

static void
on_reset(void *arg, void *stream)
{
	note(arg, "reset", stream, "", 0);
}

static bool
on_full(void *arg)
{
	struct peer *p = arg;

	return p->full;
}

static const struct spdy_def def = {
	.send = on_send,
	.open = on_open,
	.data = on_data,
	.fin = on_fin,
	.reset = on_reset,
	.full = on_full,
};

static int
begin(void **state)
{
	struct peer *p = calloc(1, sizeof(*p));

	p->spdy = spdy_new(&def, p);
	assert_non_null(p->spdy);
	assert_int_equal(deflateInit(&p->z, 9), Z_OK);
	assert_int_equal(deflateSetDictionary(&p->z, (const uint8_t *)spdy_dict,
			     SPDY_DICT_LEN),
	    Z_OK);
	*state = p;
	return 0;
}

static int
end(void **state)
{
	struct peer *p = *state;

	spdy_free(p->spdy);
	(void)deflateEnd(&p->z);
	free(p);
	return 0;
}

/* A SYN_STREAM with one header; its length. */
static size_t
syn(struct peer *p, uint8_t id, uint8_t flags, const char *type, uint8_t *buf)
{
	uint8_t block[64] = { 0, 0, 0, 1, 0, 0, 0, 10, 's', 't', 'r', 'e', 'a',
		'm', 't', 'y', 'p', 'e', 0, 0, 0 };
	size_t n = strlen(type);

	block[21] = (uint8_t)n;
	memcpy(block + 22, type, n);
	p->z.next_in = block;
	p->z.avail_in = (unsigned int)(22 + n);
	p->z.next_out = buf + 18;
	p->z.avail_out = 200;
	assert_int_equal(deflate(&p->z, Z_SYNC_FLUSH), Z_OK);
	n = 200 - p->z.avail_out + 10;
	memcpy(buf,
	    (uint8_t[]){ 0x80, 3, 0, 1, flags, 0, 0, (uint8_t)n, 0, 0, 0, id, 0,
		0, 0, 0, 0, 0 },
	    18);
	return n + 8;
}

static void
take(struct peer *p, const void *buf, size_t len)
{
	assert_int_equal(spdy_input(p->spdy, buf, len), len);
}

static void
expect_out(struct peer *p, const void *want, size_t len)
{
	assert_int_equal(p->nout, len);
	assert_memory_equal(p->out, want, len);
	p->nout = 0;
}

/* The reply: no headers, in a block of the dictionary. */
static void
expect_reply(struct peer *p, z_stream *z, uint8_t id)
{
	uint8_t none[16];
	int r;

	assert_true(p->nout > 12);
	assert_memory_equal(p->out,
	    ((uint8_t[]){ 0x80, 3, 0, 2, 0, 0, 0, (uint8_t)(p->nout - 8), 0, 0,
		0, id }),
	    12);
	z->next_in = p->out + 12;
	z->avail_in = (unsigned int)(p->nout - 12);
	z->next_out = none;
	z->avail_out = sizeof(none);
	r = inflate(z, Z_SYNC_FLUSH);
	if (r == Z_NEED_DICT) {
		assert_int_equal(inflateSetDictionary(z,
				     (const uint8_t *)spdy_dict, SPDY_DICT_LEN),
		    Z_OK);
		r = inflate(z, Z_SYNC_FLUSH);
	}
	assert_int_equal(r, Z_OK);
	assert_int_equal(z->avail_out, sizeof(none) - 4);
	assert_memory_equal(none, "\0\0\0\0", 4);
	p->nout = 0;
}

static void
t_stream(void **state)
{
	struct peer *p = *state;
	uint8_t buf[256];
	z_stream z = { 0 };

	assert_int_equal(inflateInit(&z), Z_OK);
	take(p, buf, syn(p, 1, 0, "stdin", buf));
	expect_reply(p, &z, 1);
	take(p, buf, syn(p, 3, 1, "error", buf));
	expect_reply(p, &z, 3);
	(void)inflateEnd(&z);
	take(p, "\0\0\0\1\0\0\0\2hi\0\0\0\1\1\0\0\1!\0\0\0\1\0\0\0\4late", 31);
	assert_string_equal(p->log,
	    "open0:stdin open1:error fin1: data0:hi data0:! fin0: ");
	spdy_send(p->spdy, 1, "out", 3);
	expect_out(p, "\0\0\0\1\0\0\0\3out", 11);
	spdy_fin(p->spdy, 1);
	expect_out(p, "\0\0\0\1\1\0\0\0", 8);
	/* Both have ended it: nothing more is said. */
	spdy_send(p->spdy, 1, "out", 3);
	spdy_fin(p->spdy, 1);
	spdy_drop(p->spdy, 1, SPDY_RESET_CANCEL);
	expect_out(p, "", 0);
	spdy_drop(p->spdy, 3, SPDY_RESET_CANCEL);
	expect_out(p, "\x80\3\0\3\0\0\0\10\0\0\0\3\0\0\0\5", 16);
}

static void
t_byte_by_byte(void **state)
{
	struct peer *p = *state;
	uint8_t buf[256];
	size_t n = syn(p, 1, 0, "data", buf);

	memcpy(buf + n, "\0\0\0\1\1\0\0\3abc", 11);
	for (size_t i = 0; i < n + 11; i++)
		take(p, buf + i, 1);
	assert_string_equal(p->log,
	    "open0:data data0:a data0:b data0:c fin0: ");
}

static void
t_refused_and_reset(void **state)
{
	struct peer *p = *state;
	uint8_t buf[256];

	take(p, buf, syn(p, 1, 0, "no", buf));
	expect_out(p, "\x80\3\0\3\0\0\0\10\0\0\0\1\0\0\0\3", 16);
	take(p, buf, syn(p, 3, 0, "yes", buf));
	p->nout = 0;
	take(p, "\x80\3\0\3\0\0\0\10\0\0\0\3\0\0\0\5", 16);
	take(p, "\x80\3\0\3\0\0\0\10\0\0\0\3\0\0\0\5", 16);
	spdy_send(p->spdy, 3, "x", 1);
	assert_string_equal(p->log, "open0:yes reset0: ");
	expect_out(p, "", 0);
}

static void
t_ping_and_updates(void **state)
{
	struct peer *p = *state;
	uint8_t buf[256];

	take(p, "\x80\3\0\6\0\0\0\4\0\0\0\1\x80\3\0\6\0\0\0\4\0\0\0\2", 24);
	expect_out(p, "\x80\3\0\6\0\0\0\4\0\0\0\1", 12);
	take(p, buf, syn(p, 1, 0, "stdin", buf));
	p->nout = 0;
	spdy_used(p->spdy, 1, 32767);
	expect_out(p, "", 0);
	spdy_used(p->spdy, 1, 1);
	expect_out(p,
	    "\x80\3\0\11\0\0\0\10\0\0\0\1\0\0\x80\0"
	    "\x80\3\0\11\0\0\0\10\0\0\0\0\0\0\x80\0",
	    32);
}

static void
t_full(void **state)
{
	struct peer *p = *state;

	p->full = true;
	assert_int_equal(spdy_input(p->spdy, (const uint8_t *)"x", 1), 0);
}

static void
t_breach(void **state)
{
	struct peer *p = *state;

	assert_int_equal(spdy_input(p->spdy,
			     (const uint8_t *)"\0\0\0\0\0\0\0\0", 8),
	    -1);
	assert_non_null(spdy_why(p->spdy));
	expect_out(p, "\x80\3\0\7\0\0\0\10\0\0\0\0\0\0\0\1", 16);
	assert_int_equal(spdy_input(p->spdy, (const uint8_t *)"x", 1), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(t_stream, begin, end),
		cmocka_unit_test_setup_teardown(t_byte_by_byte, begin, end),
		cmocka_unit_test_setup_teardown(t_refused_and_reset, begin,
		    end),
		cmocka_unit_test_setup_teardown(t_ping_and_updates, begin, end),
		cmocka_unit_test_setup_teardown(t_full, begin, end),
		cmocka_unit_test_setup_teardown(t_breach, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
