#ifndef CRIOD_PARENT_READER_H
#define CRIOD_PARENT_READER_H

/*
 * Asks the program policyread, which has no privilege, about a file that the
 * parent does not parse itself.
 */

#include <stddef.h>

#include "lib/cerr.h"

struct plan_facts;

/*
 * kind is one of policyread's.  *lines begins the answer's lines, for
 * reader_line; they are in *answer, which the caller frees even on -1.
 * INVALID_ARGUMENT: what is wrong with text.
 */
int reader_ask(const struct plan_facts *f, const char *kind, const char *text,
    size_t len, char **answer, char **lines, struct cerr *err)
    __attribute__((warn_unused_result));

/* The next line, cut off; NULL after the last. */
char *reader_line(char **lines);

#endif
