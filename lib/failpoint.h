#ifndef CRIOD_LIB_FAILPOINT_H
#define CRIOD_LIB_FAILPOINT_H

/*
 * Named places at which a test makes a process fail, be slow or die.  They
 * exist only in a build with CRIOD_FAILPOINTS ("make failpoints"), which
 * names the file that arms them; in any other build this is nothing at all.
 *
 * The file is one struct failpoint_page, shared by all processes and the
 * test.  It is mapped when a process starts, before it is confined, and
 * costs no system call after that.  A point is called "ROLE POINT".
 */

#include <stdint.h>

#define FAILPOINT_NAME	64
#define FAILPOINT_ARMS	8
#define FAILPOINT_TRACE 8192

enum failpoint_action {
	FAILPOINT_NONE,
	FAILPOINT_ERROR, /* what follows does not happen, it failed */
	FAILPOINT_KILL,	 /* at once, as by SIGKILL (SIGILL is what is seen) */
	FAILPOINT_DELAY, /* the whole process is busy for ms */
};

struct failpoint_arm {
	char name[FAILPOINT_NAME];
	uint32_t action;
	uint32_t skip; /* passes before it acts; it acts once */
	uint32_t ms;
	uint32_t hits; /* counted by who passes */
};

struct failpoint_page {
	uint32_t tracing; /* names of passed points are noted if not 0 */
	uint32_t ntrace;
	struct failpoint_arm arms[FAILPOINT_ARMS];
	char trace[FAILPOINT_TRACE][FAILPOINT_NAME];
};

#ifdef CRIOD_FAILPOINTS
void failpoint_init(const char *role);
/* -1 with errno EIO when armed with FAILPOINT_ERROR; what may be NULL. */
int failpoint(const char *point, const char *what);
#else
#define failpoint_init(role)   ((void)(role))
#define failpoint(point, what) ((void)(point), (void)(what), 0)
#endif

#endif
