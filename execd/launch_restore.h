#ifndef CRIOD_EXECD_LAUNCH_RESTORE_H
#define CRIOD_EXECD_LAUNCH_RESTORE_H

/*
 * A container that is made from a checkpoint.  CRIU makes what its images say,
 * whoever wrote them: mounts, ids, capabilities, limits.  So the container is
 * first created as the request says, looked at and removed again; what CRIU
 * then makes must be like that, and is looked at while nothing of it has run:
 * its cgroup is frozen before CRIU lets it go, until it is started.
 */

#include <limits.h>

#include "execd/launch.h"

enum {
	RESTORE_RO = 1,
	RESTORE_NOSUID = 2,
	RESTORE_NODEV = 4,
	RESTORE_NOEXEC = 8,
	/* These four are MOUNT_ATTR_RDONLY and so on. */
	RESTORE_ATTRIBUTES = 15,
	RESTORE_SHARED = 16, /* with another mount namespace */
	RESTORE_SLAVE = 32,
};

struct restore_mount {
	char dev[24], type[32], super[256]; /* options of the file system */
	char root[PATH_MAX], at[PATH_MAX];
	unsigned int flags;
};

struct restore_like;
struct proc_status;

/* Before the monitor runs the runtime; NULL with err. */
const struct restore_like *restore_begin(const struct launch *l,
    const struct fixed_ctr_create *c, const char *bundle, const char *pidfile,
    struct cerr *err);

/* What was restored, r->pid and all others in its cgroup. */
int restore_verify(const struct launch *l, const struct fixed_ctr_create *c,
    const struct fixed_launch_rec *r, const struct restore_like *like,
    struct cerr *err) __attribute__((warn_unused_result));

/* StartContainer: it goes on where it was. */
int restore_start(const struct launch *l, const struct fixed_launch_rec *r,
    struct cerr *err) __attribute__((warn_unused_result));

/* The parts that take what was read.  have and want: texts of mountinfo. */
int restore_mounts(const char *have, const char *want, struct cerr *err)
    __attribute__((warn_unused_result));
/* The mount in line n, from 0; false if there are not as many. */
bool restore_mount_get(const char *text, int n, struct restore_mount *m);
/* One of a null device. */
bool restore_mount_null(const struct restore_mount *m);
/* Its ids must be the request's: there is no way to change them. */
bool restore_cannot(const struct fixed_ctr_create *c, int cap);
int restore_status(const struct proc_status *s,
    const struct fixed_ctr_create *c, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
