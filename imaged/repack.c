#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "imaged/recipe.h"
#include "imaged/repack.h"
#include "imaged/unpack_path.h"
#include "lib/fdio.h"

#define REPACK_IN  (128U * 1024)
#define REPACK_BUF (256U * 1024)

/* A file as it was before it was replaced. */
struct repack_spill {
	uint64_t ino, at; /* at: which piece of the recipe */
	uint32_t len;
	uint8_t *data;
};

struct repack {
	int recipe, root;
	ZSTD_DStream *zstd;
	ZSTD_inBuffer zin;
	bool ended;
	uint64_t at; /* the piece being read */
	struct repack_spill *spills;
	size_t nspills, spilled;
	struct repack_facts *facts;
	/* pass 2 */
	repack_put_fn put; /* NULL: pass 1 */
	void *arg;
	int file;
	const struct repack_spill *instead; /* of file */
	char path[RECIPE_PATH_MAX];
	uint8_t in[REPACK_IN];
	uint8_t buf[REPACK_BUF];
};

static int
repack_damaged(struct cerr *err)
{
	return cerr_set(err, CERR_DATA_LOSS, "the layer's recipe is damaged");
}

/* ---- the recipe's bytes ---- */

static int
repack_rewind(struct repack *r, struct cerr *err)
{
	if (lseek(r->recipe, 0, SEEK_SET) == -1)
		return cerr_errno(err, "read a layer's recipe");
	(void)ZSTD_initDStream(r->zstd);
	r->zin = (ZSTD_inBuffer){ r->in, 0, 0 };
	r->ended = false;
	r->at = 0;
	return 0;
}

static int
repack_fill(struct repack *r, struct cerr *err)
{
	ssize_t n = fdio_read_upto(r->recipe, r->in, sizeof(r->in));

	if (n == -1)
		return cerr_errno(err, "read a layer's recipe");
	if (n == 0)
		return repack_damaged(err);
	r->zin = (ZSTD_inBuffer){ r->in, (size_t)n, 0 };
	return 0;
}

static int
repack_read(struct repack *r, void *buf, size_t len, struct cerr *err)
{
	ZSTD_outBuffer out = { buf, len, 0 };

	while (out.pos < out.size) {
		size_t before = out.pos, rc;

		if (r->ended)
			return repack_damaged(err);
		rc = ZSTD_decompressStream(r->zstd, &out, &r->zin);
		if (ZSTD_isError(rc))
			return repack_damaged(err);
		r->ended = rc == 0;
		if (out.pos == before && !r->ended &&
		    r->zin.pos == r->zin.size && repack_fill(r, err) == -1)
			return -1;
	}
	return 0;
}

/* The checksum at the end of the frame, which is also the file's. */
static int
repack_check_end(struct repack *r, struct cerr *err)
{
	uint8_t more;
	ZSTD_outBuffer out = { &more, 1, 0 };

	while (!r->ended) {
		size_t rc = ZSTD_decompressStream(r->zstd, &out, &r->zin);

		if (ZSTD_isError(rc) || out.pos > 0)
			return repack_damaged(err);
		r->ended = rc == 0;
		if (!r->ended && r->zin.pos == r->zin.size &&
		    repack_fill(r, err) == -1)
			return -1;
	}
	return 0;
}

static int
repack_number(struct repack *r, size_t bytes, uint64_t *v, struct cerr *err)
{
	uint8_t buf[8];

	if (repack_read(r, buf, bytes, err) == -1)
		return -1;
	*v = 0;
	for (size_t i = 0; i < bytes; i++)
		*v |= (uint64_t)buf[i] << (8 * i);
	return 0;
}

/* ---- the file that data comes from ---- */

static int
repack_bad_file(struct repack *r, const char *why, struct cerr *err)
{
	char shown[200];

	return cerr_set(err, CERR_DATA_LOSS, "file \"%s\": %s",
	    unpack_path_print(r->path, shown, sizeof(shown)), why);
}

static int
repack_open(struct repack *r, struct cerr *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	struct stat st;

	r->file =
	    (int)syscall(SYS_openat2, r->root, r->path, &how, sizeof(how));
	if (r->file == -1)
		return repack_bad_file(r, strerror(errno), err);
	if (fstat(r->file, &st) == -1 || !S_ISREG(st.st_mode))
		return repack_bad_file(r, "is not a file any more", err);
	return 0;
}

static const struct repack_spill *
repack_find_spill(const struct repack *r, uint64_t ino)
{
	for (size_t i = 0; i < r->nspills; i++) {
		if (r->spills[i].ino == ino && r->spills[i].at > r->at)
			return &r->spills[i];
	}
	return NULL;
}

static int
repack_take_file(struct repack *r, struct cerr *err)
{
	uint64_t ino, len;

	if (repack_number(r, 8, &ino, err) == -1 ||
	    repack_number(r, 2, &len, err) == -1)
		return -1;
	if (len >= sizeof(r->path))
		return repack_damaged(err);
	if (repack_read(r, r->path, len, err) == -1)
		return -1;
	r->path[len] = '\0';
	if (r->put == NULL)
		return 0;
	fdio_close(&r->file);
	r->instead = repack_find_spill(r, ino);
	return r->instead != NULL ? 0 : repack_open(r, err);
}

static int
repack_file_data(struct repack *r, uint64_t offset, uint64_t len,
    struct cerr *err)
{
	while (len > 0) {
		size_t want = len < sizeof(r->buf) ? len : sizeof(r->buf);
		ssize_t n = pread(r->file, r->buf, want, (off_t)offset);

		if (n <= 0)
			return repack_bad_file(r,
			    n == 0 ? "shorter than it was" : strerror(errno),
			    err);
		if (r->put(r->arg, r->buf, (size_t)n, err) == -1)
			return -1;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int
repack_take_data(struct repack *r, struct cerr *err)
{
	uint64_t offset, len;

	if (repack_number(r, 8, &offset, err) == -1 ||
	    repack_number(r, 8, &len, err) == -1)
		return -1;
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return repack_damaged(err);
	if (r->put == NULL)
		return 0;
	if (r->instead == NULL)
		return r->file == -1 ? repack_damaged(err)
				     : repack_file_data(r, offset, len, err);
	if (offset + len > r->instead->len)
		return repack_damaged(err);
	return r->put(r->arg, r->instead->data + offset, (size_t)len, err);
}

/* ---- other pieces ---- */

static int
repack_take_bytes(struct repack *r, struct cerr *err)
{
	uint64_t len;

	if (repack_number(r, 4, &len, err) == -1)
		return -1;
	if (len > RECIPE_BYTES_MAX)
		return repack_damaged(err);
	if (repack_read(r, r->buf, len, err) == -1)
		return -1;
	return r->put == NULL ? 0 : r->put(r->arg, r->buf, len, err);
}

static int
repack_keep_spill(struct repack *r, uint64_t ino, uint64_t len,
    struct cerr *err)
{
	struct repack_spill *s;

	if (r->nspills == RECIPE_SPILLS_MAX ||
	    len > RECIPE_SPILL_MAX - r->spilled)
		return repack_damaged(err);
	if (r->spills == NULL)
		r->spills = calloc(RECIPE_SPILLS_MAX, sizeof(*r->spills));
	if (r->spills == NULL)
		return cerr_errno(err, "replaced files of a layer");
	s = &r->spills[r->nspills];
	*s = (struct repack_spill){ ino, r->at, (uint32_t)len, malloc(len) };
	if (s->data == NULL)
		return cerr_errno(err, "replaced files of a layer");
	r->nspills++;
	r->spilled += len;
	return repack_read(r, s->data, len, err);
}

static int
repack_take_spill(struct repack *r, struct cerr *err)
{
	uint64_t ino, len;

	if (repack_number(r, 8, &ino, err) == -1 ||
	    repack_number(r, 4, &len, err) == -1)
		return -1;
	if (r->put == NULL)
		return repack_keep_spill(r, ino, len, err);
	while (len > 0) {
		size_t n = len < sizeof(r->buf) ? len : sizeof(r->buf);

		if (repack_read(r, r->buf, n, err) == -1)
			return -1;
		len -= n;
	}
	return 0;
}

static int
repack_take_lost(struct repack *r, struct cerr *err)
{
	(void)err;
	r->facts->lost = true;
	return 0;
}

/* 1: there is no more. */
static int
repack_take_end(struct repack *r, struct cerr *err)
{
	uint64_t attributes;

	if (repack_number(r, 8, &r->facts->size, err) == -1 ||
	    repack_read(r, r->facts->tree, DIGEST_LEN, err) == -1 ||
	    repack_number(r, 1, &attributes, err) == -1 ||
	    repack_check_end(r, err) == -1)
		return -1;
	r->facts->tree[DIGEST_LEN] = '\0';
	r->facts->attributes = attributes != 0;
	return digest_is_sha256(r->facts->tree) ? 1 : repack_damaged(err);
}

static const struct repack_piece {
	enum recipe_piece piece;
	int (*take)(struct repack *r, struct cerr *err);
} repack_pieces[] = {
	{ RECIPE_BYTES, repack_take_bytes },
	{ RECIPE_FILE, repack_take_file },
	{ RECIPE_DATA, repack_take_data },
	{ RECIPE_SPILL, repack_take_spill },
	{ RECIPE_LOST, repack_take_lost },
	{ RECIPE_END, repack_take_end },
};

static int
repack_take(struct repack *r, struct cerr *err)
{
	uint64_t piece;

	if (repack_number(r, 1, &piece, err) == -1)
		return -1;
	r->at++;
	for (size_t i = 0; i < sizeof(repack_pieces) / sizeof(*repack_pieces);
	     i++) {
		if ((uint64_t)repack_pieces[i].piece == piece)
			return repack_pieces[i].take(r, err);
	}
	return repack_damaged(err);
}

static int
repack_pass(struct repack *r, struct cerr *err)
{
	char magic[sizeof(RECIPE_MAGIC)];
	size_t len = strlen(RECIPE_MAGIC);
	int rc;

	if (repack_rewind(r, err) == -1 ||
	    repack_read(r, magic, len, err) == -1)
		return -1;
	if (memcmp(magic, RECIPE_MAGIC, len) != 0)
		return repack_damaged(err);
	do
		rc = repack_take(r, err);
	while (rc == 0);
	return rc == 1 ? 0 : -1;
}

struct repack *
repack_new(int recipe, int root, struct repack_facts *facts, struct cerr *err)
{
	struct repack *r = calloc(1, sizeof(*r));

	memset(facts, 0, sizeof(*facts));
	if (r == NULL || (r->zstd = ZSTD_createDStream()) == NULL) {
		free(r);
		(void)cerr_errno(err, "layer's recipe");
		return NULL;
	}
	r->recipe = recipe;
	r->root = root;
	r->file = -1;
	r->facts = facts;
	if (repack_pass(r, err) == -1) {
		repack_free(r);
		return NULL;
	}
	return r;
}

void
repack_free(struct repack *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->nspills; i++)
		free(r->spills[i].data);
	free(r->spills);
	fdio_close(&r->file);
	(void)ZSTD_freeDStream(r->zstd);
	free(r);
}

int
repack_run(struct repack *r, repack_put_fn put, void *arg, struct cerr *err)
{
	r->put = put;
	r->arg = arg;
	return repack_pass(r, err);
}
