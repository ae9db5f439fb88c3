#ifndef CRIOD_IMAGED_UNPACK_TAR_H
#define CRIOD_IMAGED_UNPACK_TAR_H

/*
 * Reads a tar: ustar, pax extended headers, GNU long names, base-256 numbers
 * and sparse files.
 *
 * It is criod's own and not libarchive, because a layer's names are bytes that
 * must come out as they went in.  libarchive passes pax names through iconv to
 * the locale's character set: in the C locale that loses what is not ASCII, and
 * glibc then looks for converters below the current root, which is the image.
 * It also brings a dozen formats and libraries that no layer may use.
 *
 * Bounds: an extended header holds at most 1 MiB, an entry 256 attributes and
 * TAR_SEGMENTS_MAX pieces of data; max_headers bounds the 512-byte headers.
 */

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "imaged/unpack_path.h"
#include "lib/cerr.h"

#define TAR_BLOCK	 512
#define TAR_META_MAX	 (1024U * 1024)
#define TAR_XATTRS_MAX	 256
#define TAR_SEGMENTS_MAX 65536

struct tar;

/* Where the tar's bytes come from; like unpack_stream_get. */
typedef ssize_t (
    *tar_get_fn)(void *source, const uint8_t **p, size_t max, struct cerr *err);

enum tar_type {
	TAR_FILE = '0',
	TAR_LINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCKDEV = '4',
	TAR_DIR = '5',
	TAR_FIFO = '6',
};

struct tar_xattr {
	const char *name; /* without SCHILY.xattr. */
	const uint8_t *value;
	size_t len;
};

struct tar_segment {
	uint64_t offset, len;
};

/* Valid until the next tar_next. */
struct tar_entry {
	enum tar_type type;
	char path[UNPACK_PATH_MAX];
	char link[UNPACK_PATH_MAX];
	uint32_t mode; /* 07777 */
	uint32_t uid, gid;
	uint32_t major, minor;
	uint64_t size; /* of a file, holes included; 0 for all else */
	int64_t mtime;
	uint32_t mtime_ns;
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
	size_t nxattrs;
	/* Where the data goes: in order, not overlapping, below size. */
	struct tar_segment *segments;
	size_t nsegments;
};

struct tar *tar_new(tar_get_fn get, void *source, uint64_t max_headers);
void tar_free(struct tar *t);

/* 1: an entry, borrowed; 0: the tar's end; -1: INVALID_ARGUMENT and such. */
int tar_next(struct tar *t, const struct tar_entry **e, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * More of the data of the current entry's segments, at most max bytes: the
 * count, -1 on error or early end.  Asking for more than the entry has is the
 * caller's mistake.
 */
ssize_t tar_data(struct tar *t, const uint8_t **p, size_t max, struct cerr *err)
    __attribute__((warn_unused_result));

/* The rest of the source, after the tar's end, is read and ignored. */
int tar_drain(struct tar *t, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
