#ifndef CRIOD_EXECD_REGEX_COST_H
#define CRIOD_EXECD_REGEX_COST_H

/*
 * What an extended regular expression becomes when regcomp(3) writes its
 * repetitions out: of "((a+)+)+" each '+' doubles what it is for, of "a{9}"
 * there are nine, and a few dozen characters fill any memory.  That is needed
 * for each pair of elements that a text may pass over: 350 MB for the 20,000 of
 * "(a*){6600}", 15 MB for 4000.
 *
 * A back reference costs more than all: no standard has them in such
 * expressions, and with one regexec(3) tries every way to split a text, which
 * may be a client's.
 */

#include <stddef.h>

#define REGEX_COST_MAX 4000

/* About how many elements; more than REGEX_COST_MAX: too many. */
size_t regex_cost(const char *re);

#endif
