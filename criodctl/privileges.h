#ifndef CRIOD_CRIODCTL_PRIVILEGES_H
#define CRIOD_CRIODCTL_PRIVILEGES_H

/* What one process may do, from /proc and the compiled tables. */

#include <sys/types.h>

#include <jansson.h>

#include <stddef.h>

struct filter;

/* A program of criod's, and what /proc does not show of its confinement. */
struct privileges_program {
	const char *name;
	const struct filter *filter; /* NULL: it never has one */
	const char *landlock;
};

extern const struct privileges_program privileges_programs[];
extern const size_t privileges_nprograms;

/*
 * Everything about pid, which runs program, as an object; namespaces are those
 * that differ from parent's.  NULL if it has ended.
 */
json_t *privileges_of(pid_t pid, pid_t parent,
    const struct privileges_program *program);

/* The tables, short or with everything. */
void privileges_print(const json_t *list, int verbose);

/* /proc/PID/NAME: owned text, NUL-terminated, *len bytes; NULL if gone. */
char *privileges_read(pid_t pid, const char *name, size_t *len);

#endif
