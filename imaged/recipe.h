#ifndef CRIOD_IMAGED_RECIPE_H
#define CRIOD_IMAGED_RECIPE_H

/*
 * How the tar of an unpacked layer is put together again, byte by byte: what
 * was no file's data, and from which file the rest comes.  unpack writes it
 * while it reads the tar; pack reads it, for exports, and to see whether a
 * layer is still what it was.  It also holds a digest of the finished tree
 * (imaged/walk.h), for what the tar does not show.
 *
 * The file is one zstd frame with a checksum.  It begins with RECIPE_MAGIC;
 * then come pieces, numbers little-endian:
 *
 *	'b' u32 len, bytes		the tar goes on with these
 *	'f' u64 inode, u16 len, path	what 'd' takes from, from here on
 *	'd' u64 offset, u64 len		the tar goes on with that file's data
 *	's' u64 inode, u32 len, bytes	the file, as it was before an entry of
 *					the same path replaced it
 *	'x'				cannot be put together: an entry
 *					replaced a directory or a link
 *	'e' u64 size, digest, u8	the end: of the tar; of the tree
 *					("sha256:HEX"); whether that digest
 *					is also of attributes
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "imaged/unpack_tar.h"
#include "lib/cerr.h"

#define RECIPE_MAGIC	  "criod recipe 1\n"
#define RECIPE_BYTES_MAX  (64U * 1024)	      /* of one 'b' */
#define RECIPE_SPILL_MAX  (16U * 1024 * 1024) /* of all 's' together */
#define RECIPE_SPILLS_MAX 65536
#define RECIPE_PATH_MAX	  4096

enum recipe_piece {
	RECIPE_BYTES = 'b',
	RECIPE_FILE = 'f',
	RECIPE_DATA = 'd',
	RECIPE_SPILL = 's',
	RECIPE_LOST = 'x',
	RECIPE_END = 'e',
};

/* ---- writing ---- */

struct recipe;

/* Borrows fd.  NULL without memory. */
struct recipe *recipe_new(int fd, tar_get_fn get, void *source);
void recipe_free(struct recipe *r);

/* Gets from the source and notes what came. */
ssize_t recipe_get(void *recipe, const uint8_t **p, size_t max,
    struct cerr *err);
/* Data that comes now is this file's. */
int recipe_file(struct recipe *r, const char *path, int fd, struct cerr *err)
    __attribute__((warn_unused_result));
/* The next len bytes are the file's at offset. */
int recipe_data(struct recipe *r, uint64_t offset, uint64_t len,
    struct cerr *err) __attribute__((warn_unused_result));
/* Whatever name is in dirfd is about to be replaced. */
int recipe_replace(struct recipe *r, int dirfd, const char *name,
    struct cerr *err) __attribute__((warn_unused_result));
/* The last piece; the file is complete then, not yet on disk. */
int recipe_end(struct recipe *r, const char *tree, bool attributes,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
