#ifndef CRIOD_LIB_FILTER_H
#define CRIOD_LIB_FILTER_H

/*
 * A role's system call filter, compiled at build time from the role's
 * table (FOLDER/ROLE.calls) by lib/mkfilter.  A table is a list of
 *
 *	CALL(name, "why")                     allowed
 *	CALL_IF(name, arg, op, value, "why")  allowed when argument arg (0-5)
 *	                                      compares so: EQ NE LT LE
 *	CALL_BITS(name, arg, mask, value, "why")  when (arg & mask) == value
 *	CALL_ALL(name, (IF(arg, op, value), BITS(arg, mask, value)), "why")
 *					      when all of up to three are so
 *	FAIL(name, errno, "why")              fails with errno, harmlessly
 *	FAIL_IF(name, arg, op, value, errno, "why")  fails so when argument arg
 *	                                      compares so
 *
 * Lines with the same name add up.  What no line names raises SIGSYS: the
 * handler logs the call's name and violates the filter again, whereupon the
 * kernel kills the process with SIGSYS, which the parent counts.  Any system
 *call ABI but the native one kills at once.
 */

#include <linux/filter.h>

#include <stddef.h>

struct filter_name {
	int nr;
	const char *name;
};

struct filter {
	const char *role;
	const struct sock_filter *code;
	unsigned short len;	  /* instructions */
	const char *const *named; /* calls its table names, NULL at the end */
};

/* The name of a native system call; "unknown" if there is none. */
const char *filter_call_name(int nr);

/*
 * Installs the SIGSYS handler, then the filter.  no_new_privs must be set
 * (or CAP_SYS_ADMIN held).  -1 with errno.
 */
int filter_install(const struct filter *f) __attribute__((warn_unused_result));

#endif
