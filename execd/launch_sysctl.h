#ifndef CRIOD_EXECD_LAUNCH_SYSCTL_H
#define CRIOD_EXECD_LAUNCH_SYSCTL_H

/*
 * A pod's sysctls: they come one a message before L_POD_MAKE and are kept,
 * bounded, until it comes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/launch.h"

#define SYSCTL_PODS_MAX	   256
#define SYSCTL_PER_POD_MAX 256

struct launch_sysctls *launch_sysctls_new(void);
void launch_sysctls_clear(struct launch_sysctls *s);
/* What is over the bounds, or malformed, makes L_POD_MAKE fail. */
void launch_sysctls_add(struct launch_sysctls *s,
    const struct fixed_pod_sysctl *body);
/* Owned by the caller; NULL if there are none. */
struct launch_sysctl *launch_sysctls_take(struct launch_sysctls *s,
    const char *pod, size_t *n);

/*
 * The file below /proc/sys of a sysctl that belongs to one of the namespaces
 * in flags (POD_NS_NET, POD_NS_IPC).  -1 if it is malformed, or belongs to
 * the host.  Both "net.ipv4.conf.eth0/1.x" and "net/ipv4/..." are taken: the
 * first separator says which of the two it is, as for sysctl(8).
 */
int launch_sysctl_path(const char *name, unsigned int flags, char *path,
    size_t size) __attribute__((warn_unused_result));

/* In a job that is in the pod's namespaces. */
int launch_sysctl_apply(int sysdir, const struct launch_sysctl *s,
    unsigned int flags, struct cerr *err) __attribute__((warn_unused_result));

#endif
