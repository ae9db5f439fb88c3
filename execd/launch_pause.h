#ifndef CRIOD_EXECD_LAUNCH_PAUSE_H
#define CRIOD_EXECD_LAUNCH_PAUSE_H

#include "execd/launch.h"

/* Where a pod's pause process is counted: CGROUP/criod-pause-POD. */
int launch_pause_cgroup(const char *cgroup, const char *pod, char *buf,
    size_t size) __attribute__((warn_unused_result));

/*
 * Starts pause as the first process of a new PID namespace, in this
 * process's other namespaces and in cgroup ("": where it is), with a root of
 * that SELinux label ("": none).  This process's
 * next children would be in there too.  Returns its pid as seen from here.
 * It ends unless launch_pause_go is called on *go: pause that nobody has a
 * record of does not stay.
 */
pid_t launch_pause_start(const struct launch *l, const char *cgroup,
    const char *label, int *go, struct cerr *err)
    __attribute__((warn_unused_result));
int launch_pause_go(int go, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * The steps of it, for a process that is in its namespaces already.  null:
 * run_null's.
 */
void launch_pause_exec(const struct launch *l, const char *label, int null,
    int sock) __attribute__((noreturn));
/* What it says on go: pid, or -1 with err and pid killed. */
pid_t launch_pause_hear(pid_t pid, int go, struct cerr *err)
    __attribute__((warn_unused_result));
/* Kills it and waits; -1. */
pid_t launch_pause_end(pid_t pid);

#endif
