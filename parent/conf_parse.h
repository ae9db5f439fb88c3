#ifndef CRIOD_PARENT_CONF_PARSE_H
#define CRIOD_PARENT_CONF_PARSE_H

/* criod.conf's text to a struct conf. */

#include <stddef.h>

#include "lib/cerr.h"

struct conf;

#define CONF_FILE_MAX	(1024 * 1024) /* bytes of one file */
#define CONF_FILES_MAX	64	      /* a file and all that it includes */
#define CONF_DEPTH_MAX	8
#define CONF_WORD_MAX	4096
#define CONF_MACROS_MAX 256

struct conf_source {
	/* An included file: *buf is owned by the caller.  NULL: refused. */
	int (
	    *read)(const char *path, char **buf, size_t *len, struct cerr *err);
	/* Takes each error: "FILE:LINE: message near "word"". */
	void (*report)(void *arg, const char *line);
	void *arg;
	/* "NAME=VALUE" of criod -D; NULL at the end, or NULL. */
	const char *const *macros;
};

/*
 * Adds what buf says to c; name is for the errors and for relative includes.
 * All errors are reported; -1 if there was one, and c is then only good for
 * conf_free.
 */
int conf_parse(struct conf *c, const char *name, const char *buf, size_t len,
    const struct conf_source *src) __attribute__((warn_unused_result));

#endif
