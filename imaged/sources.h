#ifndef CRIOD_IMAGED_SOURCES_H
#define CRIOD_IMAGED_SOURCES_H

/* One file of registries.d, as containers-registries.d(5) describes it. */

#include <stddef.h>

#include "lib/cerr.h"

#define SOURCES_MAX	 (1024U * 1024) /* bytes of one file */
#define SOURCES_TEXT_MAX 1023		/* bytes of a scope or URL */

enum sources_use {
	SOURCES_UNSET = 0,
	SOURCES_YES,
	SOURCES_NO,
};

struct sources_section {
	const char *scope;     /* "": default-docker */
	const char *lookaside; /* http, https or file URL; "" */
	enum sources_use attachments;
};

/*
 * Calls fn for each section; strings are borrowed.  INVALID_ARGUMENT for what
 * is not right; members that nobody here reads may be there.
 */
int sources_read(const char *text, size_t len,
    void (*fn)(void *arg, const struct sources_section *s), void *arg,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
