#ifndef CRIOD_EXECD_ROOTFILE_H
#define CRIOD_EXECD_ROOTFILE_H

/*
 * File work inside a container's root file system, whose every name and byte
 * is an image's.  The process that does it gives up all else first and for
 * good: it is a job, which ends with its answer.  It executes and loads
 * nothing from there.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"

#define ROOTFILE_MAX (1024U * 1024)

enum rootfile_work {
	ROOTFILE_READ,	  /* as nobody, without capabilities */
	ROOTFILE_MAKE,	  /* for root, with DAC_OVERRIDE alone */
	ROOTFILE_PROFILE, /* as root, without capabilities */
	ROOTFILE_COUNT,	  /* as nobody, with DAC_READ_SEARCH alone */
	ROOTFILE_ARCHIVE, /* likewise; keeps the two descriptors below */
};

#define ROOTFILE_OUT_FD 4 /* the archive */
#define ROOTFILE_SAY_FD 5 /* why it could not be written */

/*
 * The directory name of dirfd, which may be ".." or "/"; follows no link and
 * crosses no mount.  -1 with errno.
 */
int rootfile_open_dir(int dirfd, const char *name);

/*
 * Makes rootfd the root, and drops what the work does not need.  uid and gid
 * are those of what is made.
 */
int rootfile_enter(int rootfd, enum rootfile_work work, uid_t uid, gid_t gid,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The contents of path in a sealed memfd, empty if there is no such file or
 * nobody may read it.  -1 with err if it is no regular file, or larger than
 * ROOTFILE_MAX.
 */
int rootfile_read(const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * The same of a file that must be there, be root's and be writable by nobody
 * else; no symbolic link on the way to it is followed.
 */
int rootfile_read_profile(const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Makes the directory path (absolute, clean), 0755, with its parents.
 * Symbolic links on the way are followed inside the root.
 */
int rootfile_make_dir(const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
