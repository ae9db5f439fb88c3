#ifndef CRIOD_PARENT_CONF_FILE_H
#define CRIOD_PARENT_CONF_FILE_H

/* Files that the administrator wrote, read with the care root needs. */

#include <stddef.h>

#include "lib/cerr.h"

struct conf;

/*
 * Opens a regular file that root (or who runs criod -n) owns and nobody
 * else may write.  The descriptor; NOT_FOUND if there is none.
 */
int conf_file_open(int dirfd, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

/* All of it; *buf is owned by the caller and has a NUL behind *len bytes. */
int conf_file_read(const char *path, size_t max, char **buf, size_t *len,
    struct cerr *err) __attribute__((warn_unused_result));

struct conf_options {
	const char *path;    /* -f, or NULL */
	const char *prefix;  /* -r, or NULL */
	const char *program; /* -x, or NULL */
	const char *const *macros;
};

/*
 * The whole configuration: file, defaults and checks.  Errors are given to
 * report line by line.  NULL if there was one.
 */
struct conf *conf_file_load(const struct conf_options *o,
    void (*report)(void *arg, const char *line), void *arg);

#endif
