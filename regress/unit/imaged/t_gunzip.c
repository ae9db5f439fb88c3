/* Gzip as unpack reads it, beside zlib. */
#include <sys/mman.h>
#include <sys/types.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

#include "imaged/unpack_gunzip.h"

/*
 * Against zlib, on sound and on damaged data, in random pieces; buffers end
 * where memory ends, so that a byte too far is the end of the test.
 */
#define ROUNDS	 1500
#define DATA_MAX 200000
#define BLOB_MAX (2 * DATA_MAX + 65536)

static uint8_t data[DATA_MAX], blob[BLOB_MAX], got[DATA_MAX + 65536];
static uint8_t want[DATA_MAX + 65536];
static uint32_t seed = 1;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return below == 0 ? 0 : (seed >> 8) % below;
}

/* len bytes that end at a page that cannot be touched. */
static uint8_t *
guarded(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page;
	uint8_t *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + room, page, PROT_NONE), 0);
	return p + room - len;
}

static size_t
make_data(void)
{
	size_t len = rnd(4) == 0 ? rnd(DATA_MAX) : rnd(2000);
	uint32_t kind = rnd(4);

	for (size_t i = 0; i < len; i++) {
		if (kind == 0)
			data[i] = (uint8_t)rnd(256);
		else if (kind == 1 && i > 50 && rnd(10) != 0)
			data[i] = data[i - 1 - rnd(50)];
		else
			data[i] = (uint8_t)('a' + rnd(kind));
	}
	return len;
}

static void
make_header(gz_header *h)
{
	static Bytef extra[300], name[] = "a name", comment[] = "a comment";

	memset(h, 0, sizeof(*h));
	h->extra = rnd(2) ? extra : NULL;
	h->extra_len = rnd(sizeof(extra));
	h->name = rnd(2) ? name : NULL;
	h->comment = rnd(2) ? comment : NULL;
	h->hcrc = (int)rnd(2);
}

/* data[0..len) as one to four members. */
static size_t
make_blob(size_t len)
{
	size_t at = 0, out = 0, members = 1 + rnd(4);

	for (size_t m = 1; m <= members; m++) {
		size_t n =
		    m == members ? len - at : rnd((uint32_t)(len - at) + 1);
		z_stream z = { 0 };
		gz_header h;

		make_header(&h);
		assert_int_equal(deflateInit2(&z, (int)rnd(10), Z_DEFLATED,
				     15 + 16, 1 + (int)rnd(9), (int)rnd(5)),
		    Z_OK);
		assert_int_equal(deflateSetHeader(&z, &h), Z_OK);
		z.next_in = data + at;
		z.avail_in = (uInt)n;
		z.next_out = blob + out;
		z.avail_out = (uInt)(BLOB_MAX - out);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		out = BLOB_MAX - z.avail_out;
		assert_int_equal(deflateEnd(&z), Z_OK);
		at += n;
	}
	return out;
}

/* zlib's opinion: the count in want, or -1. */
static ssize_t
reference(size_t len)
{
	z_stream z = { .next_in = blob, .avail_in = (uInt)len };
	int rc;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_out = want;
	z.avail_out = sizeof(want);
	do {
		rc = inflate(&z, Z_NO_FLUSH);
		if (rc == Z_STREAM_END && z.avail_in > 0)
			rc = inflateReset(&z);
	} while (rc == Z_OK && (z.avail_in > 0 || z.avail_out == 0));
	(void)inflateEnd(&z);
	return rc == Z_STREAM_END ? (ssize_t)(sizeof(want) - z.avail_out) : -1;
}

/* Ours, in pieces. */
static ssize_t
ours(size_t len, uint8_t *in_end, uint8_t *out_end)
{
	struct gunzip *g = gunzip_new();
	size_t at = 0, total = 0;
	ssize_t rc = -1;

	assert_non_null(g);
	for (;;) {
		size_t give = 1 + rnd(rnd(3) == 0 ? 20 : 3000), left;
		size_t room = 1 + rnd(rnd(3) == 0 ? 20 : 3000), made = room;
		const uint8_t *in;

		if (give > len - at)
			give = len - at;
		in = memcpy(in_end - give, blob + at, give);
		left = give;
		if (gunzip_step(g, &in, &left, out_end - room, &made) == -1)
			break;
		assert_true(made <= room && left <= give);
		assert_ptr_equal(in, in_end - left);
		assert_true(total + made <= sizeof(got));
		memcpy(got + total, out_end - room, made);
		total += made;
		at += give - left;
		if (at == len && made == 0 && left == give) {
			rc = gunzip_at_end(g) ? (ssize_t)total : -1;
			break;
		}
	}
	gunzip_free(g);
	return rc;
}

static void
t_sound(void **state)
{
	uint8_t *in = guarded(4096) + 4096, *out = guarded(4096) + 4096;

	(void)state;
	for (int i = 0; i < ROUNDS / 4; i++) {
		size_t len = make_data(), packed = make_blob(len);

		assert_int_equal(ours(packed, in, out), len);
		assert_memory_equal(got, data, len);
	}
}

/* What zlib takes we take; what only we take has a sound CRC all the same. */
static void
t_damaged(void **state)
{
	uint8_t *in = guarded(4096) + 4096, *out = guarded(4096) + 4096;
	int refused = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		size_t len = make_data(), packed = make_blob(len);
		ssize_t theirs, mine;

		for (uint32_t n = rnd(4); n > 0; n--)
			blob[rnd((uint32_t)packed)] ^= (uint8_t)(1 << rnd(8));
		if (rnd(3) == 0)
			packed = rnd((uint32_t)packed);
		if (packed == 0)
			continue;
		theirs = reference(packed);
		mine = ours(packed, in, out);
		refused += mine == -1;
		if (theirs != -1) {
			assert_int_equal(mine, theirs);
			assert_memory_equal(got, want, (size_t)mine);
		} else if (mine != -1) {
			assert_true((size_t)mine <= len);
			assert_memory_equal(got, data, (size_t)mine);
		}
	}
	assert_true(refused > ROUNDS / 4);
}

static void
t_junk_after(void **state)
{
	uint8_t *in = guarded(4096) + 4096, *out = guarded(4096) + 4096;
	size_t packed;

	(void)state;
	for (size_t extra = 1; extra < 30; extra++) {
		packed = make_blob(make_data());
		memset(blob + packed, 0, extra);
		assert_int_equal(ours(packed + extra, in, out), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_sound),
		cmocka_unit_test(t_damaged),
		cmocka_unit_test(t_junk_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
