#ifndef CRIOD_EXECD_LAUNCH_USERNS_H
#define CRIOD_EXECD_LAUNCH_USERNS_H

/* User namespaces of pods, and mounts that show files with their ids. */

#include "execd/launch.h"

/* A pod's: its pin, and what its root is on the host. */
struct userns {
	int fd; /* -1: the host's own */
	uid_t uid;
	gid_t gid;
};

/*
 * Starts a process in new namespaces of the pod, all of which belong to a new
 * user namespace.  It applies what op asks for in there, then becomes
 * pause, counted in cgroup, or (without POD_NS_PID) waits for the end of *go,
 * which is also its own.  Returns its pid.
 */
pid_t launch_userns_start(const struct launch *l, const struct launch_op *op,
    const char *cgroup, int *go, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * The pod's user namespace; pod "": none, with the host's ids.  The
 * descriptor is the caller's.
 */
int launch_userns_open(const struct launch *l, const char *pod,
    struct userns *out, struct cerr *err) __attribute__((warn_unused_result));

/*
 * A detached copy of the mount at dirfd/path (and of those below it), whose
 * files have the ids that they have in userns; -1: as they are.
 * -1 with errno.
 */
int launch_userns_clone(int dirfd, const char *path, int userns)
    __attribute__((warn_unused_result));

/* Can the image store be shown in this way? */
bool launch_userns_usable(const struct launch *l);

#endif
