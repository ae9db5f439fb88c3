#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "imaged/artifact.h"
#include "imaged/unpack_gunzip.h"
#include "imaged/unpack_stream.h"
#include "lib/fdio.h"

#define STREAM_IN  (128 * 1024)
#define STREAM_OUT (256 * 1024)

/*
 * A window of 8 MiB is what RFC 8878 asks of every decoder, images made with
 * --ultra need up to 128 MiB.
 */
#define STREAM_ZSTD_WINDOW_LOG 27

struct unpack_stream {
	struct unpack_stream_def def;
	const struct stream_codec *codec;
	struct digest *digest;
	uint64_t read;	/* of the blob */
	uint64_t total; /* made so far */
	size_t in_pos, in_len, out_pos, out_len;
	size_t head, tail; /* around a file, not yet made */
	bool whole;	   /* at the end of a member or frame */
	bool ended;
	struct gunzip *gunzip;
	ZSTD_DStream *zstd;
	uint8_t in[STREAM_IN];
	uint8_t out[STREAM_OUT];
};

/*
 * fill makes bytes in out (out_len) from in; it may make none.  whole is then
 * true if the blob may end here.
 */
struct stream_codec {
	int (*open)(struct unpack_stream *s);
	int (*fill)(struct unpack_stream *s, struct cerr *err);
	void (*close)(struct unpack_stream *s);
};

static int
stream_damaged(const char *what, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "layer blob: %s",
	    what != NULL ? what : "damaged");
}

/* ---- none ---- */

static int
stream_plain_open(struct unpack_stream *s)
{
	s->whole = true;
	return 0;
}

static int
stream_plain_fill(struct unpack_stream *s, struct cerr *err)
{
	(void)err;
	s->out_len = s->in_len - s->in_pos;
	memcpy(s->out, s->in + s->in_pos, s->out_len);
	s->in_pos = s->in_len;
	return 0;
}

static void
stream_plain_close(struct unpack_stream *s)
{
	(void)s;
}

/* ---- gzip: one member or several ---- */

static int
stream_gzip_open(struct unpack_stream *s)
{
	s->gunzip = gunzip_new();
	return s->gunzip != NULL ? 0 : -1;
}

static int
stream_gzip_fill(struct unpack_stream *s, struct cerr *err)
{
	const uint8_t *in = s->in + s->in_pos;
	size_t left = s->in_len - s->in_pos;

	s->out_len = sizeof(s->out);
	if (gunzip_step(s->gunzip, &in, &left, s->out, &s->out_len) == -1)
		return stream_damaged("bad gzip data", err);
	s->in_pos = s->in_len - left;
	s->whole = gunzip_at_end(s->gunzip);
	return 0;
}

static void
stream_gzip_close(struct unpack_stream *s)
{
	gunzip_free(s->gunzip);
}

/* ---- zstd: one frame or several ---- */

static int
stream_zstd_open(struct unpack_stream *s)
{
	s->zstd = ZSTD_createDStream();
	if (s->zstd == NULL)
		return -1;
	return ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax,
		   STREAM_ZSTD_WINDOW_LOG))
		   ? -1
		   : 0;
}

static int
stream_zstd_fill(struct unpack_stream *s, struct cerr *err)
{
	ZSTD_inBuffer in = { s->in, s->in_len, s->in_pos };
	ZSTD_outBuffer out = { s->out, sizeof(s->out), 0 };
	size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);

	if (ZSTD_isError(rc))
		return stream_damaged(ZSTD_getErrorName(rc), err);
	s->in_pos = in.pos;
	s->out_len = out.pos;
	s->whole = rc == 0;
	return 0;
}

static void
stream_zstd_close(struct unpack_stream *s)
{
	(void)ZSTD_freeDStream(s->zstd);
}

static const struct stream_codec stream_codecs[] = {
	[UNPACK_PLAIN] = { stream_plain_open, stream_plain_fill,
	    stream_plain_close },
	[UNPACK_GZIP] = { stream_gzip_open, stream_gzip_fill,
	    stream_gzip_close },
	[UNPACK_ZSTD] = { stream_zstd_open, stream_zstd_fill,
	    stream_zstd_close },
	[UNPACK_FILE] = { stream_plain_open, stream_plain_fill,
	    stream_plain_close },
};

#define STREAM_NCODECS (sizeof(stream_codecs) / sizeof(stream_codecs[0]))

struct unpack_stream *
unpack_stream_new(const struct unpack_stream_def *def, struct cerr *err)
{
	struct unpack_stream *s;

	if (def->compression >= STREAM_NCODECS) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "layer compression %u is not known", def->compression);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		(void)cerr_errno(err, "layer buffers");
		return NULL;
	}
	s->def = *def;
	s->codec = &stream_codecs[def->compression];
	if (s->codec->open(s) == -1) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "no memory to decompress a layer");
		free(s);
		return NULL;
	}
	s->digest = digest_new();
	if (def->compression == UNPACK_FILE) {
		s->head = artifact_head(def->name, def->size, s->out);
		s->tail = artifact_tail(def->size);
	}
	return s;
}

void
unpack_stream_free(struct unpack_stream *s)
{
	if (s == NULL)
		return;
	s->codec->close(s);
	digest_free(s->digest);
	free(s);
}

/* How much of the blob can be read now, at least a byte; -1 with err. */
static int
stream_wait(struct unpack_stream *s, size_t *n, struct cerr *err)
{
	uint64_t there;

	if (s->def.have == s->read &&
	    s->def.wait(s->def.arg, &s->def.have, err) == -1)
		return -1;
	if (s->def.have > s->def.size || s->def.have <= s->read)
		return stream_damaged("of another size than was said", err);
	there = s->def.have - s->read;
	*n = there < STREAM_IN ? (size_t)there : STREAM_IN;
	return 0;
}

/* More of the blob into in, which is used up. */
static int
stream_read(struct unpack_stream *s, struct cerr *err)
{
	size_t want = 0, done = 0;

	if (stream_wait(s, &want, err) == -1)
		return -1;
	while (done < want) {
		ssize_t n = pread(s->def.fd, s->in + done, want - done,
		    (off_t)(s->read + done));

		if (n == -1)
			return cerr_errno(err, "read layer blob");
		if (n == 0)
			return stream_damaged("shorter than its size", err);
		done += (size_t)n;
	}
	s->in_pos = 0;
	s->in_len = want;
	s->read += want;
	return 0;
}

/* What ends the tar around a file; then nothing. */
static void
stream_end(struct unpack_stream *s)
{
	memset(s->out, 0, s->tail);
	s->out_len = s->tail;
	s->ended = s->tail == 0;
	s->tail = 0;
}

/* One step towards more output.  ended is set when there is no more. */
static int
stream_step(struct unpack_stream *s, struct cerr *err)
{
	size_t before;

	if (s->head > 0) {
		s->out_len = s->head;
		s->head = 0;
		return 0;
	}
	if (s->in_pos == s->in_len && s->read < s->def.size &&
	    stream_read(s, err) == -1)
		return -1;
	/* Between members, without more input, there is nothing to make. */
	if (s->in_pos == s->in_len && s->whole) {
		stream_end(s);
		return 0;
	}
	before = s->in_pos;
	if (s->codec->fill(s, err) == -1)
		return -1;
	if (s->out_len == 0 && s->in_pos == before && !s->whole)
		return stream_damaged("truncated", err);
	return 0;
}

static int
stream_account(struct unpack_stream *s, struct cerr *err)
{
	s->total += s->out_len;
	if (s->total > s->def.max)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer is larger than %llu bytes",
		    (unsigned long long)s->def.max);
	digest_update(s->digest, s->out, s->out_len);
	return 0;
}

static int
stream_fill(struct unpack_stream *s, struct cerr *err)
{
	s->out_pos = 0;
	s->out_len = 0;
	while (s->out_len == 0 && !s->ended) {
		if (s->def.check != NULL && s->def.check(s->def.arg, err) == -1)
			return -1;
		if (stream_step(s, err) == -1)
			return -1;
	}
	return stream_account(s, err);
}

ssize_t
unpack_stream_get(void *stream, const uint8_t **p, size_t max, struct cerr *err)
{
	struct unpack_stream *s = stream;
	size_t n;

	if (s->out_pos == s->out_len && stream_fill(s, err) == -1) {
		s->out_len = 0;
		s->out_pos = 0;
		return -1;
	}
	n = s->out_len - s->out_pos;
	if (n > max)
		n = max;
	*p = s->out + s->out_pos;
	s->out_pos += n;
	return (ssize_t)n;
}

void
unpack_stream_digest(struct unpack_stream *s, char out[DIGEST_SIZE])
{
	digest_final(s->digest, out);
}
