#ifndef CRIOD_NETD_LAUNCH_GROUP_H
#define CRIOD_NETD_LAUNCH_GROUP_H

/*
 * One cgroup (v2) per running plugin, so that everything it started can be
 * found and killed.  They are below the launcher's own cgroup and hold no
 * controller: on hosts with v1 controllers the v2 hierarchy serves as well.
 */

#include <stdbool.h>

#include "lib/cerr.h"

/* What a group's name begins with whose plugin should not be interrupted. */
#define GROUP_DEL "del-"

/*
 * Makes this launcher's directory, named after STATE, and ends what a killed
 * predecessor left in it; a DEL may come to its own end, for a moment.  cgroup
 * is the hierarchy's root.  Returns the directory, or -1.
 */
int launch_group_open(int cgroup, const char *state, struct cerr *err)
    __attribute__((warn_unused_result));
/* Removes the directory if nothing runs in it. */
void launch_group_close(int cgroup, const char *state);

/* A new group's directory, or -1 with errno. */
int launch_group_new(int base, const char *name)
    __attribute__((warn_unused_result));
/* SIGKILL to all members, also those being forked. */
void launch_group_kill(int group);
/* True if the group is gone; false while it has members. */
bool launch_group_remove(int base, const char *name);

#endif
