/* Names, numbers, pax records and tar headers of a layer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "imaged/unpack_path.h"
#include "imaged/unpack_pax.h"
#include "imaged/unpack_tar.h"

static void
t_paths(void **state)
{
	static const struct {
		const char *name, *full, *base;
		enum unpack_name kind;
	} rows[] = {
		{ "a", "a", "a", UNPACK_NAME_PLAIN },
		{ "/a/b", "a/b", "b", UNPACK_NAME_PLAIN },
		{ ".//a/./b//", "a/b", "b", UNPACK_NAME_PLAIN },
		{ "", "", "", UNPACK_NAME_PLAIN },
		{ "./", "", "", UNPACK_NAME_PLAIN },
		{ "...", "...", "...", UNPACK_NAME_PLAIN },
		{ "..a/b..", "..a/b..", "b..", UNPACK_NAME_PLAIN },
		{ ".wh", ".wh", ".wh", UNPACK_NAME_PLAIN },
		{ "a/.wh.b", "a/.wh.b", ".wh.b", UNPACK_NAME_WHITEOUT },
		{ "a/.wh..wh..opq", "a/.wh..wh..opq", ".wh..wh..opq",
		    UNPACK_NAME_OPAQUE },
		{ ".wh..wh.aufs", ".wh..wh.aufs", ".wh..wh.aufs",
		    UNPACK_NAME_IGNORED },
		{ ".wh..wh.plnk/7.1", ".wh..wh.plnk/7.1", "7.1",
		    UNPACK_NAME_IGNORED },
	};
	struct unpack_path p;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(unpack_path_parse(rows[i].name, &p, &err), 0);
		assert_string_equal(p.full, rows[i].full);
		assert_string_equal(p.base, rows[i].base);
		assert_int_equal(p.kind, rows[i].kind);
	}
	assert_int_equal(unpack_path_parse("x/y/.wh.zz", &p, &err), 0);
	assert_string_equal(p.target, "zz");
	assert_int_equal(p.parent_len, 3);
}

static void
t_paths_bad(void **state)
{
	static const char *const names[] = { "..", "../a", "a/..", "a/../b",
		"/..", ".wh.", ".wh..", ".wh...", "a/.wh.b/c" };
	char longest[UNPACK_PATH_MAX + 8];
	struct unpack_path p;
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		err.code = CERR_OK;
		assert_int_equal(unpack_path_parse(names[i], &p, &err), -1);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	}
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(unpack_path_parse(longest, &p, &err), -1);
	longest[255] = '\0';
	assert_int_equal(unpack_path_parse(longest, &p, &err), 0);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '/' : 'd';
	longest[UNPACK_PATH_MAX + 1] = '\0';
	assert_int_equal(unpack_path_parse(longest, &p, &err), -1);
	longest[UNPACK_PATH_MAX - 1] = '\0';
	assert_int_equal(unpack_path_parse(longest, &p, &err), 0);
}

static void
t_prints(void **state)
{
	char buf[8];

	(void)state;
	assert_string_equal(unpack_path_print("a\n\xc3\xa9z", buf, sizeof(buf)),
	    "a???z");
	assert_string_equal(unpack_path_print("123456789", buf, sizeof(buf)),
	    "1234567");
}

static void
t_fields(void **state)
{
	static const struct {
		const char *field; /* of 12 bytes */
		int rc;
		uint64_t value;
	} rows[] = {
		{ "00000000644\0", 0, 0644 },
		{ "   644 \0\0\0\0\0", 0, 0644 },
		{ "\0\0\0\0\0\0\0\0\0\0\0\0", 0, 0 },
		{ "777777777777", 0, 0777777777777 },
		{ "8\0\0\0\0\0\0\0\0\0\0\0", -1, 0 },
		{ "64 4\0\0\0\0\0\0\0\0", -1, 0 },
		{ "-1\0\0\0\0\0\0\0\0\0\0", -1, 0 },
		{ "\x80\0\0\0\0\0\0\0\0\0\1\2", 0, 258 },
		{ "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 0, INT64_MAX },
		{ "\x80\0\0\0\x80\0\0\0\0\0\0\0", -1, 0 },
		{ "\x80\0\0\1\0\0\0\0\0\0\0\0", -1, 0 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", -1, 0 },
	};
	int64_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 0;

		assert_int_equal(pax_field((const uint8_t *)rows[i].field, 12,
				     &v),
		    rows[i].rc);
		assert_int_equal(v, rows[i].value);
	}
	assert_int_equal(pax_field_time((const uint8_t *)rows[11].field, 12,
			     &t),
	    0);
	assert_int_equal(t, -1);
}

static const char *
t_parse(struct pax *p, const char *records, size_t len)
{
	static uint8_t buf[512];

	memset(p, 0, sizeof(*p));
	memcpy(buf, records, len);
	return pax_parse(p, buf, len);
}
#define T_PARSE(p, s) t_parse(p, s, sizeof(s) - 1)

static void
t_records(void **state)
{
	struct pax p;

	(void)state;
	assert_null(T_PARSE(&p, "12 path=a/b\n18 uid=4000000000\n11 size=18\n"
				"28 SCHILY.xattr.user.a=x\0y\n\n"));
	assert_int_equal(p.nxattrs, 1);
	assert_string_equal(p.xattrs[0].name, "user.a");
	assert_int_equal(p.xattrs[0].len, 4);
	assert_string_equal(p.path, "a/b");
	assert_true(p.has_uid && p.uid == 4000000000U);
	assert_true(p.has_size && p.size == 18);
	assert_false(p.has_gid);
	assert_null(T_PARSE(&p, "8 path=\n"));
	assert_null(p.path);
	assert_null(T_PARSE(&p, ""));
	assert_null(T_PARSE(&p, "11 path=aa\n11 path=bb\n"));
	assert_string_equal(p.path, "bb");
}

static void
t_times(void **state)
{
	static const struct {
		const char *value;
		int64_t s;
		uint32_t ns;
	} rows[] = {
		{ "0", 0, 0 },
		{ "1.5", 1, 500000000 },
		{ "1.", 1, 0 },
		{ ".25", 0, 250000000 },
		{ "1234567890.123456789", 1234567890, 123456789 },
		{ "7.0000000019", 7, 1 },
		{ "-1.5", -2, 500000000 },
		{ "-3", -3, 0 },
	};
	struct pax p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char record[64];
		int n = snprintf(record, sizeof(record), "%02zu mtime=%s\n",
		    strlen(rows[i].value) + 10, rows[i].value);

		assert_null(t_parse(&p, record, (size_t)n));
		assert_int_equal(p.mtime, rows[i].s);
		assert_int_equal(p.mtime_ns, rows[i].ns);
	}
}

static void
t_records_bad(void **state)
{
	struct pax p;

	(void)state;
	assert_non_null(T_PARSE(&p, "6 a=b"));
	assert_non_null(T_PARSE(&p, "7 a=b\n"));
	assert_non_null(T_PARSE(&p, "5 a=b\n"));
	assert_non_null(T_PARSE(&p, "x a=b\n"));
	assert_non_null(T_PARSE(&p, "5 ab\n"));
	assert_non_null(T_PARSE(&p, "2 \n"));
	assert_non_null(T_PARSE(&p, "18446744073709551616 a=b\n"));
	assert_non_null(T_PARSE(&p, "12 path=a\0b\n"));
	assert_non_null(T_PARSE(&p, "18 uid=4294967295\n"));
	assert_non_null(T_PARSE(&p, "9 uid=-1\n"));
	assert_non_null(T_PARSE(&p, "12 mtime=1x\n"));
	assert_non_null(T_PARSE(&p, "17 SCHILY.xattr.\n"));
}

/* ---- a tar from memory ---- */

struct t_source {
	const uint8_t *p;
	size_t left;
};

static ssize_t
t_get(void *source, const uint8_t **p, size_t max, struct cerr *err)
{
	struct t_source *s = source;
	size_t n = s->left < max ? s->left : max;

	(void)err;
	n = n > 7 ? 7 : n; /* odd pieces */
	*p = s->p;
	s->p += n;
	s->left -= n;
	return (ssize_t)n;
}

static void
t_header(uint8_t b[TAR_BLOCK], const char *name, char type, unsigned int size)
{
	unsigned int sum = 0;

	memset(b, 0, TAR_BLOCK);
	(void)snprintf((char *)b, 100, "%s", name);
	(void)snprintf((char *)b + 100, 8, "0000640");
	(void)snprintf((char *)b + 108, 8, "0000005");
	(void)snprintf((char *)b + 116, 8, "0000006");
	(void)snprintf((char *)b + 124, 12, "%011o", size);
	(void)snprintf((char *)b + 136, 12, "00000000007");
	memset(b + 148, ' ', 8);
	b[156] = (uint8_t)type;
	memcpy(b + 257, "ustar", 6);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += b[i];
	(void)snprintf((char *)b + 148, 8, "%06o", sum);
}

static void
t_reads(void **state)
{
	static uint8_t blob[TAR_BLOCK * 6];
	struct t_source s = { blob, sizeof(blob) };
	struct tar *t = tar_new(t_get, &s, 10);
	const struct tar_entry *e;
	const uint8_t *p;
	struct cerr err;

	(void)state;
	t_header(blob, "d/f", '0', 10);
	memcpy(blob + TAR_BLOCK, "0123456789", 10);
	t_header(blob + 2 * TAR_BLOCK, "old/", '\0', 0);
	t_header(blob + 3 * TAR_BLOCK, "l", '2', 99);
	assert_int_equal(tar_next(t, &e, &err), 1);
	assert_string_equal(e->path, "d/f");
	assert_int_equal(e->type, TAR_FILE);
	assert_int_equal(e->mode, 0640);
	assert_true(e->uid == 5 && e->gid == 6 && e->mtime == 7);
	assert_int_equal(e->size, 10);
	assert_int_equal(tar_data(t, &p, 4, &err), 4);
	assert_memory_equal(p, "0123", 4);
	assert_int_equal(tar_next(t, &e, &err), 1); /* the rest is skipped */
	assert_int_equal(e->type, TAR_DIR);
	assert_int_equal(tar_next(t, &e, &err), 1);
	assert_int_equal(e->type, TAR_SYMLINK);
	assert_int_equal(e->size, 0);
	assert_int_equal(tar_next(t, &e, &err), 0);
	assert_int_equal(tar_drain(t, &err), 0);
	tar_free(t);
}

static void
t_cut(void **state)
{
	static uint8_t blob[TAR_BLOCK * 2];
	const struct tar_entry *e;
	struct cerr err;

	(void)state;
	t_header(blob, "f", '0', 700);
	for (size_t len = 1; len < sizeof(blob); len += 100) {
		struct t_source s = { blob, len };
		struct tar *t = tar_new(t_get, &s, 10);
		int rc = tar_next(t, &e, &err);

		if (rc == 1)
			rc = tar_next(t, &e, &err);
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
		tar_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_paths),
		cmocka_unit_test(t_paths_bad),
		cmocka_unit_test(t_prints),
		cmocka_unit_test(t_fields),
		cmocka_unit_test(t_records),
		cmocka_unit_test(t_times),
		cmocka_unit_test(t_records_bad),
		cmocka_unit_test(t_reads),
		cmocka_unit_test(t_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
