#ifndef CRIOD_IMSG_ROLE_H
#define CRIOD_IMSG_ROLE_H

/* The processes that talk to each other, one bit each. */

enum role {
	ROLE_PARENT = 0x001,
	ROLE_FRONT = 0x002,
	ROLE_STREAMD = 0x004,
	ROLE_IMAGED = 0x008,
	ROLE_UNPACK = 0x010,
	ROLE_NETD = 0x020,
	ROLE_NETLAUNCH = 0x040,
	ROLE_EXECD = 0x080,
	ROLE_EXECLAUNCH = 0x100,
	ROLE_MONITOR = 0x200,
	ROLE_CTL = 0x400, /* criodctl, over the control socket */
	ROLE_NRID = 0x800,
	ROLE_PACK = 0x1000,
	ROLE_SCRIBE = 0x2000,
	ROLE_SIGCHECK = 0x4000,
	ROLE_KEEPER = 0x8000,
	ROLE_SHELF = 0x10000,
};

#define ROLE_HELPERS                                                           \
	(ROLE_FRONT | ROLE_STREAMD | ROLE_IMAGED | ROLE_UNPACK | ROLE_NETD |   \
	    ROLE_NETLAUNCH | ROLE_EXECD | ROLE_EXECLAUNCH | ROLE_NRID |        \
	    ROLE_PACK | ROLE_SCRIBE | ROLE_SIGCHECK | ROLE_KEEPER |            \
	    ROLE_SHELF)

/* "imaged"; "unknown" for what is not exactly one role. */
const char *role_name(enum role role);

#endif
