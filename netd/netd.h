#ifndef CRIOD_NETD_NETD_H
#define CRIOD_NETD_NETD_H

/* What the parts of netd share; the one instance is main.c's. */

struct confdir;
struct gc;
struct guard;
struct helper;
struct ops;
struct runner;
struct scan;
struct status;

struct netd {
	struct helper *helper; /* first: see helper_link_lost */
	struct confdir *confdir;
	struct scan *scan;
	struct runner *runner;
	struct ops *ops;
	struct gc *gc;
	struct status *status;
	struct guard *guard;
	int cache; /* directory of the records */
};

#endif
