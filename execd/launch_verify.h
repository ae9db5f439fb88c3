#ifndef CRIOD_EXECD_LAUNCH_VERIFY_H
#define CRIOD_EXECD_LAUNCH_VERIFY_H

/*
 * What a runtime did is looked up in /proc before anybody relies on it.
 */

#include "execd/launch.h"

struct proc_status;

/* Of a container that was created: ids, capabilities, cgroup, namespaces. */
int verify_created(const struct launch *l, const struct fixed_ctr_create *c,
    pid_t pid, struct cerr *err) __attribute__((warn_unused_result));

/* Of one that runs: what cannot be given back once it is taken. */
int verify_started(const struct launch *l, uint32_t runtime,
    const struct fixed_launch_rec *r, struct cerr *err)
    __attribute__((warn_unused_result));

/* Of its monitor: it holds nothing. */
int verify_monitor(const struct launch *l, pid_t pid, struct cerr *err)
    __attribute__((warn_unused_result));

int verify_cgroup(pid_t pid, const char *cgroup, struct cerr *err)
    __attribute__((warn_unused_result));
/* The pod's, or the host's as c says. */
int verify_namespaces(const struct launch *l, const struct fixed_ctr_create *c,
    pid_t pid, struct cerr *err) __attribute__((warn_unused_result));

/* The parts that take what was read. */
int verify_status(const struct proc_status *s, const struct fixed_ctr_create *c,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
