#ifndef CRIOD_EXECD_MONITOR_DROP_H
#define CRIOD_EXECD_MONITOR_DROP_H

/*
 * How monitor and pause give up everything: like lib/confine.c, but without
 * libcap-ng, stdio or heap, which a process that exists once a container
 * cannot afford.
 */

#include <sys/types.h>

#include <stdbool.h>

struct filter;

struct drop {
	int rootfd;	   /* the new root; closed */
	bool own_mounts;   /* pivot in a mount namespace of its own */
	const char *label; /* then: into an empty tmpfs with this context */
	uid_t uid;
	gid_t gid;
	const struct filter *filter;
};

/*
 * NULL, or what could not be done, with errno.  Order: root, bounding set,
 * ids, capabilities (all with proof), dumpable, MDWE, no_new_privs, filter.
 */
const char *drop_enter(const struct drop *d);

#endif
