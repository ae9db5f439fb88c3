#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "imaged/recipe.h"
#include "lib/fdio.h"

#define RECIPE_IN    (128U * 1024)
#define RECIPE_OUT   (128U * 1024)
#define RECIPE_LEVEL 1

struct recipe {
	int fd;
	tar_get_fn get;
	void *source;
	ZSTD_CCtx *zstd;
	uint64_t size;	    /* of the tar so far */
	uint64_t data_left; /* of it, the current file's */
	size_t spilled, nspills;
	bool lost;
	size_t pending; /* bytes of a 'b' that is still growing */
	size_t in_len;
	uint8_t bytes[RECIPE_BYTES_MAX];
	uint8_t in[RECIPE_IN];
	uint8_t out[RECIPE_OUT];
};

struct recipe *
recipe_new(int fd, tar_get_fn get, void *source)
{
	struct recipe *r = calloc(1, sizeof(*r));

	if (r == NULL || (r->zstd = ZSTD_createCCtx()) == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(r->zstd,
		ZSTD_c_compressionLevel, RECIPE_LEVEL)) ||
	    ZSTD_isError(
		ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_checksumFlag, 1))) {
		recipe_free(r);
		return NULL;
	}
	r->fd = fd;
	r->get = get;
	r->source = source;
	r->in_len = strlen(RECIPE_MAGIC);
	memcpy(r->in, RECIPE_MAGIC, r->in_len);
	return r;
}

void
recipe_free(struct recipe *r)
{
	if (r == NULL)
		return;
	(void)ZSTD_freeCCtx(r->zstd);
	free(r);
}

/* ---- the file ---- */

static int
recipe_write(struct recipe *r, ZSTD_EndDirective mode, struct cerr *err)
{
	ZSTD_inBuffer in = { r->in, r->in_len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { r->out, sizeof(r->out), 0 };

		left = ZSTD_compressStream2(r->zstd, &out, &in, mode);
		if (ZSTD_isError(left))
			return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
			    "layer's recipe: %s", ZSTD_getErrorName(left));
		if (fdio_write_all(r->fd, r->out, out.pos) == -1)
			return cerr_errno(err, "write a layer's recipe");
	} while (in.pos < in.size || (mode == ZSTD_e_end && left > 0));
	r->in_len = 0;
	return 0;
}

static int
recipe_put(struct recipe *r, const void *buf, size_t len, struct cerr *err)
{
	const uint8_t *p = buf;

	while (len > 0) {
		size_t n = sizeof(r->in) - r->in_len;

		if (n > len)
			n = len;
		memcpy(r->in + r->in_len, p, n);
		r->in_len += n;
		p += n;
		len -= n;
		if (r->in_len == sizeof(r->in) &&
		    recipe_write(r, ZSTD_e_continue, err) == -1)
			return -1;
	}
	return 0;
}

static int
recipe_number(struct recipe *r, uint64_t v, size_t bytes, struct cerr *err)
{
	uint8_t buf[8];

	for (size_t i = 0; i < bytes; i++)
		buf[i] = (uint8_t)(v >> (8 * i));
	return recipe_put(r, buf, bytes, err);
}

static int
recipe_flush_bytes(struct recipe *r, struct cerr *err)
{
	size_t n = r->pending;

	r->pending = 0;
	if (n == 0)
		return 0;
	if (recipe_number(r, RECIPE_BYTES, 1, err) == -1 ||
	    recipe_number(r, n, 4, err) == -1)
		return -1;
	return recipe_put(r, r->bytes, n, err);
}

/* Begins any other piece. */
static int
recipe_piece(struct recipe *r, enum recipe_piece piece, struct cerr *err)
{
	if (recipe_flush_bytes(r, err) == -1)
		return -1;
	return recipe_number(r, (uint64_t)piece, 1, err);
}

/* ---- pieces ---- */

static int
recipe_note(struct recipe *r, const uint8_t *p, size_t len, struct cerr *err)
{
	while (len > 0) {
		size_t n = sizeof(r->bytes) - r->pending;

		if (n > len)
			n = len;
		memcpy(r->bytes + r->pending, p, n);
		r->pending += n;
		p += n;
		len -= n;
		if (r->pending == sizeof(r->bytes) &&
		    recipe_flush_bytes(r, err) == -1)
			return -1;
	}
	return 0;
}

ssize_t
recipe_get(void *recipe, const uint8_t **p, size_t max, struct cerr *err)
{
	struct recipe *r = recipe;
	ssize_t n;

	if (r->data_left > 0 && max > r->data_left)
		max = (size_t)r->data_left;
	n = r->get(r->source, p, max, err);
	if (n <= 0)
		return n;
	r->size += (uint64_t)n;
	if (r->data_left > 0)
		r->data_left -= (uint64_t)n;
	else if (recipe_note(r, *p, (size_t)n, err) == -1)
		return -1;
	return n;
}

int
recipe_file(struct recipe *r, const char *path, int fd, struct cerr *err)
{
	size_t len = strlen(path);
	struct stat st;

	if (fstat(fd, &st) == -1)
		return cerr_errno(err, "file of a layer");
	if (recipe_piece(r, RECIPE_FILE, err) == -1 ||
	    recipe_number(r, st.st_ino, 8, err) == -1 ||
	    recipe_number(r, len, 2, err) == -1)
		return -1;
	return recipe_put(r, path, len, err);
}

int
recipe_data(struct recipe *r, uint64_t offset, uint64_t len, struct cerr *err)
{
	if (len == 0)
		return 0;
	r->data_left = len;
	if (recipe_piece(r, RECIPE_DATA, err) == -1 ||
	    recipe_number(r, offset, 8, err) == -1)
		return -1;
	return recipe_number(r, len, 8, err);
}

static int
recipe_lose(struct recipe *r, struct cerr *err)
{
	if (r->lost)
		return 0;
	r->lost = true;
	return recipe_piece(r, RECIPE_LOST, err);
}

/* All of a file, as 's'. */
static int
recipe_spill(struct recipe *r, int fd, const struct stat *st, struct cerr *err)
{
	size_t left = (size_t)st->st_size;
	uint8_t buf[16 * 1024];

	if (recipe_piece(r, RECIPE_SPILL, err) == -1 ||
	    recipe_number(r, st->st_ino, 8, err) == -1 ||
	    recipe_number(r, left, 4, err) == -1)
		return -1;
	while (left > 0) {
		ssize_t n = fdio_read_upto(fd, buf,
		    left < sizeof(buf) ? left : sizeof(buf));

		if (n <= 0)
			return cerr_errno(err, "read a file of the layer");
		if (recipe_put(r, buf, (size_t)n, err) == -1)
			return -1;
		left -= (size_t)n;
	}
	return 0;
}

int
recipe_replace(struct recipe *r, int dirfd, const char *name, struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (r->lost || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		return recipe_lose(r, err);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	if ((uint64_t)st.st_size > RECIPE_SPILL_MAX - r->spilled ||
	    r->nspills++ == RECIPE_SPILLS_MAX)
		return recipe_lose(r, err);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return cerr_errno(err, "read a file of the layer");
	r->spilled += (size_t)st.st_size;
	return recipe_spill(r, fd, &st, err);
}

int
recipe_end(struct recipe *r, const char *tree, bool attributes,
    struct cerr *err)
{
	if (recipe_piece(r, RECIPE_END, err) == -1 ||
	    recipe_number(r, r->size, 8, err) == -1 ||
	    recipe_put(r, tree, DIGEST_LEN, err) == -1 ||
	    recipe_number(r, attributes, 1, err) == -1)
		return -1;
	return recipe_write(r, ZSTD_e_end, err);
}
