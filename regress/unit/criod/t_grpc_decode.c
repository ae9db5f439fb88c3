#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/pballoc.h"
#include "proto/pbcheck.h"
#include "proto/cri.pb-c.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static const ProtobufCMessageDescriptor *const status_desc =
    &runtime__v1__image_status_request__descriptor;

static void
t_text_good(void **state)
{
	struct cerr err;

	(void)state;
	assert_int_equal(pbcheck(status_desc, NULL, 0, &err), 0);
	assert_int_equal(pbcheck(status_desc, BYTES("\x0a\0"), &err), 0);
	assert_int_equal(pbcheck(status_desc,
			     BYTES("\x0a\x0c\x0a\x0a"
				   "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
			     &err),
	    0);
}

static void
t_text_bad(void **state)
{
	static const char *const bad[] = { "\xc0\x80", "\xc1\xbf",
		"\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xc3",
		"\xe2\x82", "\xc3(", "\xe2\x82(", "\xff" };
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t in[16] = { 0x0a, 0, 0x0a };
		size_t n = strlen(bad[i]);

		in[1] = (uint8_t)(n + 2);
		in[3] = (uint8_t)n;
		memcpy(in + 4, bad[i], n);
		assert_int_equal(pbcheck(status_desc, in, n + 4, &err), -1);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_string_equal(err.text, "image.image: not valid UTF-8");
	}
}

static void
t_text_nul(void **state)
{
	struct cerr err;

	(void)state;
	assert_int_equal(pbcheck(status_desc, BYTES("\x0a\5\x0a\3a\0b"), &err),
	    -1);
	assert_string_equal(err.text, "image.image: contains a NUL byte");
	/* map<string, string> annotations: the value */
	assert_int_equal(pbcheck(status_desc,
			     BYTES("\x0a\x08\x12\6\x0a\1k\x12\1\xff"), &err),
	    -1);
	assert_string_equal(err.text,
	    "image.annotations.value: not valid UTF-8");
}

static void
t_malformed(void **state)
{
	static const struct {
		const char *in;
		size_t len;
	} bad[] = {
		{ "\x0a", 1 }, { "\x0a\5abc", 5 },
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10 },
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 },
		{ "\x0b", 1 },			 /* a group */
		{ "\x0c", 1 },			 /* its end */
		{ "\x0e", 1 },			 /* wire type 6 */
		{ "\x02\0", 2 },		 /* field 0 */
		{ "\x15\1\2\3", 4 },		 /* short fixed32 */
		{ "\x11\1\2\3", 4 },		 /* short fixed64 */
		{ "\x10\xff", 2 },		 /* short varint */
		{ "\xff\xff\xff\xff\x1f\0", 6 }, /* tag over 32 bits */
		{ "\x0a\2\x0a\5abcde", 9 },	 /* inner past outer's end */
	};
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(pbcheck(status_desc,
				     (const uint8_t *)bad[i].in, bad[i].len,
				     &err),
		    -1);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		assert_non_null(strstr(err.text, "malformed protobuf"));
	}
}

static void
t_alloc_pieces(void **state)
{
	struct pballoc a;
	unsigned char *p[1000];

	(void)state;
	pballoc_init(&a, 1 << 20);
	for (size_t i = 0; i < 1000; i++) {
		p[i] = a.alloc.alloc(&a, i % 300 + 1);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)(i & 0xff), i % 300 + 1);
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(p[i][i % 300], i & 0xff);
	pballoc_clear(&a);
	assert_int_equal(a.used, 0);
}

static void
t_alloc_budget(void **state)
{
	struct pballoc a;
	size_t n = 0;

	(void)state;
	pballoc_init(&a, 100000);
	while (a.alloc.alloc(&a, 48) != NULL)
		n++;
	assert_true(a.exhausted);
	assert_true(a.used <= 100000);
	assert_true(n > 2000 && n <= 100000 / 48);
	pballoc_clear(&a);

	pballoc_init(&a, 0);
	assert_null(a.alloc.alloc(&a, 1));
	assert_null(a.alloc.alloc(&a, SIZE_MAX));
	assert_null(a.alloc.alloc(&a, SIZE_MAX - 16));
	pballoc_clear(&a);
}

static void
t_alloc_large_is_given_back(void **state)
{
	struct pballoc a;
	void *small, *large;

	(void)state;
	pballoc_init(&a, 1 << 20);
	small = a.alloc.alloc(&a, 10);
	for (int i = 0; i < 100; i++) {
		large = a.alloc.alloc(&a, 500000);
		assert_non_null(large);
		a.alloc.free(&a, large);
	}
	memset(small, 1, 10);
	a.alloc.free(&a, small);
	memset(small, 1, 10);
	pballoc_clear(&a);
}

/* A shared block that is exactly full is not taken for a large one. */
static void
t_alloc_full_block(void **state)
{
	struct pballoc a;
	void *p[40];

	(void)state;
	pballoc_init(&a, 1 << 24);
	for (size_t size = 1024; size <= 256 * 1024; size *= 2) {
		size_t piece = size < 32768 ? size : 32768;

		for (size_t i = 0; i < size / piece; i++)
			p[i] = a.alloc.alloc(&a, piece);
		a.alloc.free(&a, p[0]);
		memset(p[0], 1, piece);
	}
	pballoc_clear(&a);
}

/* Every budget from nothing to enough: decoding fails cleanly or succeeds. */
static void
t_decode_any_budget(void **state)
{
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__ImageSpec__AnnotationsEntry e[40], *pe[40];
	Runtime__V1__ImageStatusRequest r =
	    RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
	size_t len, ok = 0;
	uint8_t *buf;
	char text[] = "some text";

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		runtime__v1__image_spec__annotations_entry__init(&e[i]);
		e[i].key = e[i].value = text;
		pe[i] = &e[i];
	}
	spec.image = text;
	spec.n_annotations = 40;
	spec.annotations = pe;
	r.image = &spec;
	len = protobuf_c_message_get_packed_size(&r.base);
	buf = malloc(len);
	(void)protobuf_c_message_pack(&r.base, buf);
	for (size_t budget = 0; budget < 16384; budget += 8) {
		struct pballoc a;

		pballoc_init(&a, budget);
		if (protobuf_c_message_unpack(status_desc, &a.alloc, len,
			buf) != NULL)
			ok++;
		else
			assert_true(a.exhausted);
		pballoc_clear(&a);
	}
	assert_true(ok > 100 && ok < 2000);
	free(buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_text_good),
		cmocka_unit_test(t_text_bad),
		cmocka_unit_test(t_text_nul),
		cmocka_unit_test(t_malformed),
		cmocka_unit_test(t_alloc_pieces),
		cmocka_unit_test(t_alloc_budget),
		cmocka_unit_test(t_alloc_large_is_given_back),
		cmocka_unit_test(t_alloc_full_block),
		cmocka_unit_test(t_decode_any_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
