#ifndef CRIOD_LIB_CONFINE_H
#define CRIOD_LIB_CONFINE_H

/*
 * How a role gives up what its work does not need.  Each role has one const
 * struct confine; confine_enter carries it out in a fixed order, proves the
 * drop, and installs the filter last.  Any step that fails is an error and
 * the role must exit.
 */

#include <sys/resource.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/cerr.h"

struct filter;

struct confine_limit {
	int resource; /* RLIMIT_*; both limits are set */
	rlim_t value;
};

enum confine_landlock {
	CONFINE_LANDLOCK_NONE = 0, /* inherited by what the role starts */
	CONFINE_LANDLOCK_NO_FILES, /* no file access at all */
	CONFINE_LANDLOCK_ROOT,	   /* anything beneath the role's own root */
};

struct confine {
	const char *role;
	uint64_t caps;	    /* kept, as bits 1 << CAP_*; 0: none */
	int unshare;	    /* CLONE_NEW* flags; CLONE_NEWNS is implied by
			       own_root */
	bool own_root;	    /* pivot into the directory passed as rootfd */
	uint64_t root_attr; /* MOUNT_ATTR_* of that root */
	enum confine_landlock landlock;
	bool keep_ids; /* stay root (the launchers) */
	bool inherit;  /* starts other programs: no NNP, no filter, no
			  dumpable or MDWE change beyond what exec resets */
	const struct confine_limit *limits; /* ends with resource -1 */
	const struct filter *filter;	    /* NULL only with inherit */
};

/*
 * Confines this process.  rootfd is the new root (O_PATH or O_RDONLY
 * directory) if own_root, else -1; it is closed.  uid and gid are the role's
 * account; both must be non-zero unless keep_ids.
 *
 * Order: limits, namespaces, root, bounding set, groups and ids, capability
 * sets (with proof), dumpable, MDWE, no_new_privs, Landlock, filter.  MDWE
 * and Landlock are skipped where the kernel lacks them (ENOSYS, EINVAL,
 * EOPNOTSUPP); nothing else is.
 *
 * With CRIOD_SANDBOX=off compiled in (sanitizer builds) the filter, Landlock
 * and address-space limit are left out and that is logged.
 */
int confine_enter(const struct confine *c, int rootfd, uid_t uid, gid_t gid,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
