#ifndef CRIOD_EXECD_DEVLIST_H
#define CRIOD_EXECD_DEVLIST_H

/*
 * Device nodes of the host as text, one a line:
 *
 *	TYPE MAJOR MINOR MODE UID GID PATH
 *
 * TYPE is b, c or p; MODE octal permission bits, the others decimal.
 * Written by the launcher (devlist_make.c), read by execd (devlist.c).
 */

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define DEVLIST_MAX	(1024U * 1024) /* bytes */
#define DEVLIST_ENTRIES 4096U

struct devlist_entry {
	char type;
	unsigned int major, minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	char *path;
};

struct devlist {
	struct devlist_entry *entries;
	size_t n;
	char *text; /* paths point into it */
};

/*
 * A sealed memfd that lists path (a device node) or the device nodes beneath
 * it (a directory; pts, shm, mqueue, fd, console and hidden ones are left
 * out).  path is absolute.  -1 with err: NOT_FOUND, INVALID_ARGUMENT if it is
 * neither.  The caller owns the descriptor.
 */
int devlist_make(const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

/* Parses text (takes it; NUL behind len).  -1: malformed. */
int devlist_parse(struct devlist *list, char *text, size_t len)
    __attribute__((warn_unused_result));
/* The same of a launcher's memfd, which it closes. */
int devlist_read(struct devlist *list, int fd, struct cerr *err)
    __attribute__((warn_unused_result));
void devlist_clear(struct devlist *list);

#endif
