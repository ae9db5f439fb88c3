#ifndef CRIOD_IMAGED_UNPACK_STREAM_H
#define CRIOD_IMAGED_UNPACK_STREAM_H

/*
 * A layer's blob as a stream of the tar's bytes: decompressed, counted against
 * a limit and hashed, each byte once.  Memory is bounded: fixed buffers, the
 * decompressor's window of at most 128 MiB.
 */

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

struct unpack_stream;

enum unpack_compression {
	UNPACK_PLAIN = 0,
	UNPACK_GZIP = 1,
	UNPACK_ZSTD = 2,
	UNPACK_FILE = 3, /* no tar: the stream makes one around it */
};

struct unpack_stream_def {
	int fd; /* borrowed; a file, read from its beginning */
	uint32_t compression;
	const char *name; /* UNPACK_FILE: valid; borrowed for the call */
	uint64_t size;	  /* bytes of the blob */
	uint64_t have;	  /* of these, there now */
	uint64_t max;	  /* bytes it may become */
	/* Sets *have to more than it was, not above size; -1 with err. */
	int (*wait)(void *arg, uint64_t *have, struct cerr *err);
	/* Asked at least once per 256 KiB made or 128 KiB read; -1 with err
	 * ends the stream. */
	int (*check)(void *arg, struct cerr *err);
	void *arg;
};

/* NULL with INVALID_ARGUMENT for a compression that is not known. */
struct unpack_stream *unpack_stream_new(const struct unpack_stream_def *def,
    struct cerr *err) __attribute__((warn_unused_result));
void unpack_stream_free(struct unpack_stream *s);

/*
 * The next bytes, at most max, valid until the next call.  Their count; 0 at
 * the end; -1 if the blob is damaged, truncated, or becomes too large.
 */
ssize_t unpack_stream_get(void *stream, const uint8_t **p, size_t max,
    struct cerr *err) __attribute__((warn_unused_result));

/* "sha256:HEX" of all that was got; once, after the end. */
void unpack_stream_digest(struct unpack_stream *s, char out[DIGEST_SIZE]);

#endif
