#ifndef CRIOD_EXECD_ASK_H
#define CRIOD_EXECD_ASK_H

/*
 * The administrator's policy (criod.conf), asked about all that a request
 * would have of the host.  What counts is what the container would end up
 * with, not in which words it is asked for: a privileged one has every
 * capability and device, and no filter.
 */

#include <stdbool.h>

#include "execd/caps.h"
#include "execd/policy.h"
#include "imsg/guard.h"
#include "proto/nri.pb-c.h"

struct ask {
	const struct guard *guard;
	struct guard_for who;
	const char *runtime; /* the handler's name */
	const struct policy_pod *pod;
};

/* All return -1 with err: PERMISSION_DENIED. */

/* The pod itself; again for each container, as rules may have changed. */
int ask_pod(const struct ask *a, struct cerr *err)
    __attribute__((warn_unused_result));
/* What only its request says: sysctls, an SELinux type. */
int ask_request(const struct ask *a, const Runtime__V1__PodSandboxConfig *c,
    struct cerr *err) __attribute__((warn_unused_result));

struct ask_ctr {
	const Runtime__V1__ContainerConfig *config;
	uint64_t caps;		      /* all that it could get hold of */
	bool no_seccomp, no_apparmor; /* without a profile */
	bool unmasked;		      /* all of /proc can be seen */
};

int ask_ctr(const struct ask *a, const struct ask_ctr *c, struct cerr *err)
    __attribute__((warn_unused_result));
/* A volume, by what it is once links are followed. */
int ask_path(const struct ask *a, const char *path, bool read_only,
    struct cerr *err) __attribute__((warn_unused_result));
/* A path, or a CDI device by name. */
int ask_device(const struct ask *a, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));
/* What NRI plugins want. */
int ask_adjustment(const struct ask *a, const Nri__ContainerAdjustment *adjust,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
