#ifndef CRIOD_IMAGED_UNPACK_TREE_H
#define CRIOD_IMAGED_UNPACK_TREE_H

/*
 * Entries of a tar become objects beneath one directory, which is meant to be
 * this process's root.  Rules:
 *
 * - Parents are resolved inside the directory as if it were the root: a
 *   symbolic link made by an earlier entry is followed there and never out of
 *   it.  The last component is never followed.  Missing parents are made, root
 *   0755.
 * - A later entry of a path replaces the earlier one; a directory entry keeps
 *   what a directory has.
 * - Owners are numbers; modes, times to the nanosecond, user.* attributes and
 *   security.capability are kept.  user.overlay.* and all others are dropped:
 *   they would speak to the kernel in the image's name.
 * - Whiteouts become overlay's: a character device 0:0, or
 *   user.overlay.opaque on a directory.  They hide lower layers only, never
 *   what this layer has.
 * - Device nodes are not made.  A character device 0:0 is an error: it would be
 *   a whiteout that no reader of the tar can see.
 */

#include <stdint.h>

#include "imaged/unpack_tar.h"
#include "lib/cerr.h"

struct recipe;
struct tree;

struct tree_usage {
	uint64_t bytes; /* on disk, in whole blocks of 4 KiB */
	uint64_t inodes;
};

/*
 * root is a directory (takes it).  The limits are for all entries together:
 * apparent bytes of files, and objects made.  NULL without memory.
 */
struct tree *tree_new(int root, uint64_t max_bytes, uint64_t max_inodes);
void tree_free(struct tree *t);
/* Where it is noted which file the tar's data went to; borrows.  Without one
 * nothing is noted, nor the layer's digest taken. */
void tree_set_recipe(struct tree *t, struct recipe *recipe);

/* The root's own owner and mode, until an entry says otherwise. */
int tree_begin(struct tree *t, struct cerr *err)
    __attribute__((warn_unused_result));
/* Reads the data of e from tar. */
int tree_apply(struct tree *t, const struct tar_entry *e, struct tar *tar,
    struct cerr *err) __attribute__((warn_unused_result));
/*
 * Directory times; the recipe's end; then all that was written is put on disk
 * (syncfs).
 */
int tree_finish(struct tree *t, struct tree_usage *usage, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
