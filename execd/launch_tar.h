#ifndef CRIOD_EXECD_LAUNCH_TAR_H
#define CRIOD_EXECD_LAUNCH_TAR_H

/*
 * Writes a tar (ustar with pax headers) of what a process sees that has
 * entered with ROOTFILE_ARCHIVE: names and bytes are a container's.
 */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

struct tarout {
	int fd;		/* a regular file, empty at first */
	uint64_t at;	/* bytes written */
	uint64_t bytes; /* of files, as they say */
	uint64_t disk;	/* and as they take */
	size_t len;	/* of path */
	char path[PATH_MAX];
};

int tarout_bytes(struct tarout *t, const char *name, const void *data,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));

/*
 * The regular files of the directory dir (no link is followed), as
 * PREFIX/NAME, or as NAME if it is one of the count in top.
 */
int tarout_files(struct tarout *t, int dir, const char *prefix,
    const char *const *top, size_t count, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * A tar in the tar: all that is below dir, an overlay's upper directory, as
 * an image's layer, whiteouts included.  Sockets, devices and names that begin
 * like whiteouts cannot be kept; a file of several names comes several times.
 */
int tarout_layer(struct tarout *t, const char *name, int dir, struct cerr *err)
    __attribute__((warn_unused_result));

int tarout_end(struct tarout *t, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
