#ifndef CRIOD_NETD_LAUNCH_ROOT_H
#define CRIOD_NETD_LAUNCH_ROOT_H

/*
 * The private mount namespace in which the launcher and its plugins live:
 * a read-only tmpfs with the plugins, what they need of the host to run,
 * their state, and the pods' pinned namespaces.
 */

#include <stddef.h>

#include "lib/cerr.h"

#define LAUNCH_ROOT_EXTRA_MAX 32

struct launch_root {
	const char *state;	/* STATE; STATE/ns and STATE/empty exist */
	const char *plugin_dir; /* absolute */
	const char *extra[LAUNCH_ROOT_EXTRA_MAX]; /* -b, shown writable */
	size_t nextra;
};

/*
 * Unshares and pivots; *cgroup is an open directory of the cgroup v2
 * hierarchy's root, which has no path in the new root.  Needs CAP_SYS_ADMIN.
 */
int launch_root_enter(const struct launch_root *spec, int *cgroup,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
