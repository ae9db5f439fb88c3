#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/unpack_pax.h"
#include "imaged/unpack_sparse.h"
#include "imaged/unpack_tar.h"

/* Where the fields of a header are (POSIX.1-1988, "ustar"). */
#define TAR_AT_MODE	100
#define TAR_AT_UID	108
#define TAR_AT_GID	116
#define TAR_AT_SIZE	124
#define TAR_AT_MTIME	136
#define TAR_AT_CHKSUM	148
#define TAR_AT_TYPE	156
#define TAR_AT_LINK	157
#define TAR_AT_MAGIC	257
#define TAR_AT_MAJOR	329
#define TAR_AT_MINOR	337
#define TAR_AT_PREFIX	345
#define TAR_NAME_LEN	100
#define TAR_PREFIX_LEN	155
#define TAR_ID_LEN	8
#define TAR_NUMBER_LEN	12
#define TAR_POSIX_MAGIC "ustar" /* then NUL; GNU's has blanks */

struct tar {
	tar_get_fn get;
	void *source;
	uint64_t headers_left;
	uint64_t data_left; /* of the entry, stored and not yet read */
	uint64_t pad;	    /* after it */
	uint8_t *records;   /* of pax, while its entry lives */
	char *long_name, *long_link;
	struct pax pax;
	struct tar_entry e;
	struct tar_segment one;
	struct tar_segment *map; /* of a sparse file */
};

static int
tar_bad(const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "layer tar: %s", why);
}

struct tar *
tar_new(tar_get_fn get, void *source, uint64_t max_headers)
{
	struct tar *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->get = get;
	t->source = source;
	t->headers_left = max_headers;
	return t;
}

/* Forgets the entry and what belonged to it. */
static void
tar_reset(struct tar *t)
{
	free(t->records);
	free(t->long_name);
	free(t->long_link);
	free(t->map);
	t->records = NULL;
	t->long_name = NULL;
	t->long_link = NULL;
	t->map = NULL;
	memset(&t->pax, 0, sizeof(t->pax));
}

void
tar_free(struct tar *t)
{
	if (t == NULL)
		return;
	tar_reset(t);
	free(t);
}

/* Reads len bytes.  The count, less only at the source's end. */
static ssize_t
tar_read(struct tar *t, uint8_t *buf, size_t len, struct cerr *err)
{
	size_t done = 0;

	while (done < len) {
		const uint8_t *p;
		ssize_t n = t->get(t->source, &p, len - done, err);

		if (n == -1)
			return -1;
		if (n == 0)
			break;
		memcpy(buf + done, p, (size_t)n);
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int
tar_read_all(struct tar *t, uint8_t *buf, size_t len, struct cerr *err)
{
	ssize_t n = tar_read(t, buf, len, err);

	if (n == -1)
		return -1;
	return (size_t)n == len ? 0 : tar_bad("ends too early", err);
}

static int
tar_skip(struct tar *t, uint64_t len, struct cerr *err)
{
	while (len > 0) {
		const uint8_t *p;
		size_t want = len < SIZE_MAX ? (size_t)len : SIZE_MAX;
		ssize_t n = t->get(t->source, &p, want, err);

		if (n == -1)
			return -1;
		if (n == 0)
			return tar_bad("ends too early", err);
		len -= (uint64_t)n;
	}
	return 0;
}

int
tar_drain(struct tar *t, struct cerr *err)
{
	const uint8_t *p;
	ssize_t n;

	do
		n = t->get(t->source, &p, SIZE_MAX, err);
	while (n > 0);
	return n == 0 ? 0 : -1;
}

static uint64_t
tar_padding(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/* ---- the header block ---- */

static bool
tar_is_zero(const uint8_t *b)
{
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		if (b[i] != 0)
			return false;
	}
	return true;
}

/* Sums of bytes have been taken signed and unsigned over the years. */
static bool
tar_checksum_ok(const uint8_t *b)
{
	const uint8_t *own = b + TAR_AT_CHKSUM;
	int plain = TAR_ID_LEN * ' ', high = 0;
	uint64_t want;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		plain += b[i];
		high += b[i] >> 7;
	}
	for (size_t i = 0; i < TAR_ID_LEN; i++) {
		plain -= own[i];
		high -= own[i] >> 7;
	}
	if (pax_field(own, TAR_ID_LEN, &want) == -1)
		return false;
	return (int64_t)want == plain || (int64_t)want == plain - 256 * high;
}

/* 1: a header; 0: the end, two blocks of zeros or no more bytes. */
static int
tar_header(struct tar *t, uint8_t b[TAR_BLOCK], struct cerr *err)
{
	ssize_t n = tar_read(t, b, TAR_BLOCK, err);

	if (n == -1)
		return -1;
	if (n == 0)
		return 0;
	if (n != TAR_BLOCK)
		return tar_bad("ends within a header", err);
	if (tar_is_zero(b)) {
		n = tar_read(t, b, TAR_BLOCK, err);
		if (n == -1)
			return -1;
		if (n == 0 || (n == TAR_BLOCK && tar_is_zero(b)))
			return 0;
		return tar_bad("a single block of zeros", err);
	}
	if (!tar_checksum_ok(b))
		return tar_bad("bad header checksum", err);
	if (t->headers_left-- == 0) {
		t->headers_left = 0;
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer has too many entries");
	}
	return 1;
}

/* ---- headers that describe the next one ---- */

static int
tar_meta(struct tar *t, const uint8_t *b, uint8_t **buf, size_t *len,
    struct cerr *err)
{
	uint64_t size;

	if (pax_field(b + TAR_AT_SIZE, TAR_NUMBER_LEN, &size) == -1)
		return tar_bad("bad size of an extended header", err);
	if (size > TAR_META_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer tar: an extended header larger than %u bytes",
		    TAR_META_MAX);
	*len = (size_t)size;
	*buf = malloc(*len + 1);
	if (*buf == NULL)
		return cerr_errno(err, "extended header");
	if (tar_read_all(t, *buf, *len, err) == -1 ||
	    tar_skip(t, tar_padding(size), err) == -1) {
		free(*buf);
		*buf = NULL;
		return -1;
	}
	(*buf)[*len] = '\0';
	return 0;
}

static int
tar_meta_pax(struct tar *t, const uint8_t *b, struct cerr *err)
{
	uint8_t *buf;
	size_t len;
	const char *why;

	if (tar_meta(t, b, &buf, &len, err) == -1)
		return -1;
	free(t->records);
	t->records = buf;
	memset(&t->pax, 0, sizeof(t->pax));
	why = pax_parse(&t->pax, buf, len);
	return why == NULL ? 0 : tar_bad(why, err);
}

static int
tar_meta_name(struct tar *t, const uint8_t *b, char **name, struct cerr *err)
{
	uint8_t *buf;
	size_t len;

	if (tar_meta(t, b, &buf, &len, err) == -1)
		return -1;
	free(*name);
	*name = (char *)buf;
	return 0;
}

/* Defaults for all entries: other layer readers do not apply them. */
static int
tar_meta_global(struct tar *t, const uint8_t *b, struct cerr *err)
{
	uint64_t size;

	if (pax_field(b + TAR_AT_SIZE, TAR_NUMBER_LEN, &size) == -1 ||
	    size > UINT64_MAX - TAR_BLOCK)
		return tar_bad("bad size of a global header", err);
	return tar_skip(t, size + tar_padding(size), err);
}

/* 1 if b was such a header, 0 if it is an entry. */
static int
tar_take_meta(struct tar *t, const uint8_t *b, struct cerr *err)
{
	int rc;

	switch (b[TAR_AT_TYPE]) {
	case 'x':
		rc = tar_meta_pax(t, b, err);
		break;
	case 'L':
		rc = tar_meta_name(t, b, &t->long_name, err);
		break;
	case 'K':
		rc = tar_meta_name(t, b, &t->long_link, err);
		break;
	case 'g':
		rc = tar_meta_global(t, b, err);
		break;
	default:
		return 0;
	}
	return rc == -1 ? -1 : 1;
}

/* ---- the entry ---- */

static int
tar_set_name(char dst[UNPACK_PATH_MAX], const char *src, struct cerr *err)
{
	size_t len = strlen(src);

	if (len >= UNPACK_PATH_MAX)
		return tar_bad("a path longer than 4095 bytes", err);
	memcpy(dst, src, len + 1);
	return 0;
}

/* PREFIX/NAME; buf has room for both. */
static void
tar_short_name(const uint8_t *b, char *buf)
{
	size_t n = 0;

	if (memcmp(b + TAR_AT_MAGIC, TAR_POSIX_MAGIC,
		sizeof(TAR_POSIX_MAGIC)) == 0 &&
	    b[TAR_AT_PREFIX] != '\0') {
		n = strnlen((const char *)b + TAR_AT_PREFIX, TAR_PREFIX_LEN);
		memcpy(buf, b + TAR_AT_PREFIX, n);
		buf[n++] = '/';
	}
	memcpy(buf + n, b, TAR_NAME_LEN);
	buf[n + TAR_NAME_LEN] = '\0';
}

static int
tar_names(struct tar *t, const uint8_t *b, struct cerr *err)
{
	char buf[TAR_PREFIX_LEN + TAR_NAME_LEN + 2];
	const char *name = t->pax.sparse_name, *link = t->pax.link;

	if (name == NULL)
		name = t->pax.path != NULL ? t->pax.path : t->long_name;
	if (name == NULL) {
		tar_short_name(b, buf);
		name = buf;
	}
	if (tar_set_name(t->e.path, name, err) == -1)
		return -1;
	if (link == NULL)
		link = t->long_link;
	if (link == NULL) {
		memcpy(buf, b + TAR_AT_LINK, TAR_NAME_LEN);
		buf[TAR_NAME_LEN] = '\0';
		link = buf;
	}
	return tar_set_name(t->e.link, link, err);
}

static int
tar_id(const uint8_t *field, bool said, uint32_t pax, uint32_t *id)
{
	uint64_t v;

	if (said) {
		*id = pax;
		return 0;
	}
	if (pax_field(field, TAR_ID_LEN, &v) == -1 || v >= UINT32_MAX)
		return -1;
	*id = (uint32_t)v;
	return 0;
}

static int
tar_numbers(struct tar *t, const uint8_t *b, struct cerr *err)
{
	uint64_t mode;

	if (pax_field(b + TAR_AT_MODE, TAR_ID_LEN, &mode) == -1)
		return tar_bad("bad mode", err);
	t->e.mode = (uint32_t)(mode & 07777);
	if (tar_id(b + TAR_AT_UID, t->pax.has_uid, t->pax.uid, &t->e.uid) ==
		-1 ||
	    tar_id(b + TAR_AT_GID, t->pax.has_gid, t->pax.gid, &t->e.gid) == -1)
		return tar_bad("bad uid or gid", err);
	t->e.mtime = t->pax.mtime;
	t->e.mtime_ns = t->pax.mtime_ns;
	if (!t->pax.has_mtime &&
	    pax_field_time(b + TAR_AT_MTIME, TAR_NUMBER_LEN, &t->e.mtime) == -1)
		return tar_bad("bad mtime", err);
	return 0;
}

static int
tar_device(struct tar *t, const uint8_t *b, struct cerr *err)
{
	uint64_t major, minor;

	if (t->e.type != TAR_CHAR && t->e.type != TAR_BLOCKDEV)
		return 0;
	if (pax_field(b + TAR_AT_MAJOR, TAR_ID_LEN, &major) == -1 ||
	    pax_field(b + TAR_AT_MINOR, TAR_ID_LEN, &minor) == -1 ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return tar_bad("bad device number", err);
	t->e.major = (uint32_t)major;
	t->e.minor = (uint32_t)minor;
	return 0;
}

/* '\0' is a file of the oldest tars, or a directory by its slash. */
static int
tar_type(struct tar *t, uint8_t flag, struct cerr *err)
{
	size_t len = strlen(t->e.path);

	if (flag == '\0' && len > 0 && t->e.path[len - 1] == '/')
		flag = TAR_DIR;
	else if (flag == '\0' || flag == '7' || flag == 'S')
		flag = TAR_FILE;
	if (flag < TAR_FILE || flag > TAR_FIFO)
		return tar_bad("an entry of unknown type", err);
	t->e.type = (enum tar_type)flag;
	return 0;
}

static int
tar_map(struct tar *t, const uint8_t *b, struct cerr *err)
{
	struct sparse_source src = { t->get, t->source, &t->data_left };
	struct sparse sp = { 0 };
	const char *why = NULL;
	int rc = 0;

	if (b[TAR_AT_TYPE] == 'S')
		rc = sparse_gnu(&sp, &src, b, err);
	else if (t->pax.sparse_in_data)
		rc = sparse_pax_data(&sp, &src, t->pax.real_size, err);
	else if (t->pax.sparse_map != NULL)
		why = sparse_pax_map(&sp, t->pax.sparse_map, t->pax.real_size);
	else
		return 0;
	t->map = sp.segments;
	if (rc == -1)
		return -1;
	if (why == NULL)
		why = sparse_check(&sp, t->data_left);
	if (why != NULL)
		return tar_bad(why, err);
	t->e.segments = sp.segments;
	t->e.nsegments = sp.n;
	t->e.size = sp.real_size;
	return 0;
}

static int
tar_size(struct tar *t, const uint8_t *b, struct cerr *err)
{
	uint64_t size = t->pax.size;

	if (!t->pax.has_size &&
	    pax_field(b + TAR_AT_SIZE, TAR_NUMBER_LEN, &size) == -1)
		return tar_bad("bad size", err);
	if (t->e.type != TAR_FILE)
		size = 0; /* some writers repeat a link target's */
	if (size > INT64_MAX)
		return tar_bad("bad size", err);
	t->data_left = size;
	t->pad = tar_padding(size);
	t->one = (struct tar_segment){ 0, size };
	t->e.size = size;
	t->e.segments = &t->one;
	t->e.nsegments = size > 0 ? 1 : 0;
	return t->e.type == TAR_FILE ? tar_map(t, b, err) : 0;
}

static int
tar_entry(struct tar *t, const uint8_t *b, struct cerr *err)
{
	if (tar_names(t, b, err) == -1 ||
	    tar_type(t, b[TAR_AT_TYPE], err) == -1 ||
	    tar_numbers(t, b, err) == -1 || tar_device(t, b, err) == -1 ||
	    tar_size(t, b, err) == -1)
		return -1;
	t->e.nxattrs = t->pax.nxattrs;
	memcpy(t->e.xattrs, t->pax.xattrs,
	    t->pax.nxattrs * sizeof(t->e.xattrs[0]));
	return 1;
}

int
tar_next(struct tar *t, const struct tar_entry **e, struct cerr *err)
{
	uint8_t b[TAR_BLOCK];
	int rc;

	if (tar_skip(t, t->data_left, err) == -1 ||
	    tar_skip(t, t->pad, err) == -1)
		return -1;
	t->data_left = 0;
	t->pad = 0;
	tar_reset(t);
	do {
		rc = tar_header(t, b, err);
		if (rc != 1)
			return rc;
		rc = tar_take_meta(t, b, err);
	} while (rc == 1);
	if (rc == -1)
		return -1;
	*e = &t->e;
	return tar_entry(t, b, err);
}

ssize_t
tar_data(struct tar *t, const uint8_t **p, size_t max, struct cerr *err)
{
	ssize_t n;

	if (max > t->data_left)
		max = (size_t)t->data_left;
	n = t->get(t->source, p, max, err);
	if (n == 0)
		return tar_bad("ends within a file", err);
	if (n > 0)
		t->data_left -= (uint64_t)n;
	return n;
}
