#include <stdlib.h>
#include <string.h>

#include "imaged/unpack_pax.h"
#include "imaged/unpack_sparse.h"

/* GNU's header: 4 pieces in it, 21 in each block that follows. */
#define SPARSE_AT_PIECES   386
#define SPARSE_HEAD_PIECES 4
#define SPARSE_AT_MORE	   482
#define SPARSE_AT_SIZE	   483
#define SPARSE_NEXT_PIECES 21
#define SPARSE_AT_NEXT	   504
#define SPARSE_FIELD	   12

static const char sparse_bad[] = "bad map of a sparse file";
static const char sparse_many[] = "a sparse file of too many pieces";

static int
sparse_fail(const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "layer tar: %s", why);
}

static const char *
sparse_add(struct sparse *sp, uint64_t offset, uint64_t len)
{
	struct tar_segment *more;

	if (sp->n == sp->room) {
		size_t room = sp->room == 0 ? 64 : 2 * sp->room;

		if (room > TAR_SEGMENTS_MAX)
			return sparse_many;
		more = realloc(sp->segments, room * sizeof(*more));
		if (more == NULL)
			return "no memory for the map of a sparse file";
		sp->segments = more;
		sp->room = room;
	}
	sp->segments[sp->n++] = (struct tar_segment){ offset, len };
	return NULL;
}

const char *
sparse_check(const struct sparse *sp, uint64_t stored)
{
	uint64_t at = 0, sum = 0;

	for (size_t i = 0; i < sp->n; i++) {
		const struct tar_segment *s = &sp->segments[i];

		if (s->offset < at || s->len > INT64_MAX ||
		    s->offset > INT64_MAX - s->len)
			return sparse_bad;
		at = s->offset + s->len;
		sum += s->len;
	}
	if (at > sp->real_size || sp->real_size > INT64_MAX || sum != stored)
		return sparse_bad;
	return NULL;
}

static const char *
sparse_gnu_pieces(struct sparse *sp, const uint8_t *p, size_t count)
{
	uint64_t offset, len;
	const char *why = NULL;

	for (size_t i = 0; i < count && why == NULL; i++) {
		if (p[0] == '\0')
			return NULL;
		if (pax_field(p, SPARSE_FIELD, &offset) == -1 ||
		    pax_field(p + SPARSE_FIELD, SPARSE_FIELD, &len) == -1)
			return sparse_bad;
		why = sparse_add(sp, offset, len);
		p += 2 * SPARSE_FIELD;
	}
	return why;
}

/* A whole block from the source. */
static int
sparse_block(const struct sparse_source *src, uint8_t b[TAR_BLOCK],
    struct cerr *err)
{
	size_t done = 0;

	while (done < TAR_BLOCK) {
		const uint8_t *p;
		ssize_t n = src->get(src->source, &p, TAR_BLOCK - done, err);

		if (n == -1)
			return -1;
		if (n == 0)
			return sparse_fail("ends too early", err);
		memcpy(b + done, p, (size_t)n);
		done += (size_t)n;
	}
	return 0;
}

int
sparse_gnu(struct sparse *sp, const struct sparse_source *src, const uint8_t *b,
    struct cerr *err)
{
	uint8_t next[TAR_BLOCK];
	bool more = b[SPARSE_AT_MORE] != 0;
	const char *why;

	if (pax_field(b + SPARSE_AT_SIZE, SPARSE_FIELD, &sp->real_size) == -1)
		return sparse_fail(sparse_bad, err);
	why = sparse_gnu_pieces(sp, b + SPARSE_AT_PIECES, SPARSE_HEAD_PIECES);
	while (why == NULL && more) {
		if (sparse_block(src, next, err) == -1)
			return -1;
		if (next[0] == '\0')
			return sparse_fail(sparse_bad, err);
		why = sparse_gnu_pieces(sp, next, SPARSE_NEXT_PIECES);
		more = next[SPARSE_AT_NEXT] != 0;
	}
	return why == NULL ? 0 : sparse_fail(why, err);
}

/* A decimal number and its newline from blocks of the entry's data. */
struct sparse_reader {
	const struct sparse_source *src;
	uint8_t block[TAR_BLOCK];
	size_t at;
};

static int
sparse_byte(struct sparse_reader *r, uint8_t *byte, struct cerr *err)
{
	if (r->at == TAR_BLOCK) {
		if (*r->src->left < TAR_BLOCK)
			return sparse_fail(sparse_bad, err);
		if (sparse_block(r->src, r->block, err) == -1)
			return -1;
		*r->src->left -= TAR_BLOCK;
		r->at = 0;
	}
	*byte = r->block[r->at++];
	return 0;
}

static int
sparse_line(struct sparse_reader *r, uint64_t *value, struct cerr *err)
{
	char text[24];
	uint8_t byte = 0;

	for (size_t n = 0; n < sizeof(text); n++) {
		if (sparse_byte(r, &byte, err) == -1)
			return -1;
		text[n] = (char)byte;
		if (byte == '\n') {
			text[n] = '\0';
			if (pax_decimal(text, value) == -1)
				break;
			return 0;
		}
	}
	return sparse_fail(sparse_bad, err);
}

int
sparse_pax_data(struct sparse *sp, const struct sparse_source *src,
    uint64_t real_size, struct cerr *err)
{
	struct sparse_reader r = { .src = src, .at = TAR_BLOCK };
	uint64_t count, offset, len;
	const char *why = NULL;

	sp->real_size = real_size;
	if (sparse_line(&r, &count, err) == -1)
		return -1;
	if (count > TAR_SEGMENTS_MAX)
		return sparse_fail(sparse_many, err);
	for (; count > 0 && why == NULL; count--) {
		if (sparse_line(&r, &offset, err) == -1 ||
		    sparse_line(&r, &len, err) == -1)
			return -1;
		why = sparse_add(sp, offset, len);
	}
	return why == NULL ? 0 : sparse_fail(why, err);
}

const char *
sparse_pax_map(struct sparse *sp, const char *map, uint64_t real_size)
{
	uint64_t offset, len;
	const char *why = NULL;

	sp->real_size = real_size;
	while (*map != '\0' && why == NULL) {
		if (pax_number(&map, ',', &offset) == -1 ||
		    pax_number(&map, ',', &len) == -1)
			return sparse_bad;
		why = sparse_add(sp, offset, len);
	}
	return why;
}
