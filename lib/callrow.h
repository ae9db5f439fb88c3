#ifndef CRIOD_LIB_CALLROW_H
#define CRIOD_LIB_CALLROW_H

/*
 * A role's table of system calls (see lib/filter.h) as data, for what compiles
 * it and for the twins that try what came of that: callrows, made of CALLS_FILE
 * (given with -D).  No program contains it.
 */

/* Whose constants the tables name. */
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>
#include <unistd.h>

#define CALLROW_CONDS 3

enum callrow_cmp {
	CALLROW_END = 0,
	CALLROW_EQ,
	CALLROW_NE,
	CALLROW_LT,
	CALLROW_LE,
	CALLROW_BITS, /* (argument & mask) == value */
};

struct callrow_cond {
	enum callrow_cmp cmp; /* CALLROW_END: no more */
	unsigned int arg;
	uint64_t mask, value;
};

struct callrow {
	const char *name;
	int error; /* fails with it; 0: is made */
	struct callrow_cond conds[CALLROW_CONDS + 1];
};

#define IF(a, c, v)                                                            \
	{                                                                      \
		CALLROW_##c, a, 0, (uint64_t)(v)                               \
	}
#define BITS(a, m, v)                                                          \
	{                                                                      \
		CALLROW_BITS, a, (uint64_t)(m), (uint64_t)(v)                  \
	}
#define CALLROW_LIST(...) __VA_ARGS__

#define CALL(n, why)		     { #n, 0, { { 0 } } },
#define CALL_IF(n, a, c, v, why)     { #n, 0, { IF(a, c, v) } },
#define CALL_BITS(n, a, m, v, why)   { #n, 0, { BITS(a, m, v) } },
#define CALL_ALL(n, conditions, why) { #n, 0, { CALLROW_LIST conditions } },
#define FAIL(n, e, why)		     { #n, e, { { 0 } } },
#define FAIL_IF(n, a, c, v, e, why)  { #n, e, { IF(a, c, v) } },

static const struct callrow callrows[] = {
#include CALLS_FILE
};

#define NCALLROWS (sizeof(callrows) / sizeof(callrows[0]))

#endif
