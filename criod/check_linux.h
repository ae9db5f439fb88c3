#ifndef CRIOD_CRIOD_CHECK_LINUX_H
#define CRIOD_CRIOD_CHECK_LINUX_H

/* The parts of a request that pods and containers have in common. */

#include <stdbool.h>

#include "lib/cerr.h"
#include "proto/cri.pb-c.h"

#define CHECK_ID_MAX	 INT64_C(0xfffffffe) /* -1 means "none" to Linux */
#define CHECK_GROUPS_MAX 65536
#define CHECK_CONFIG_MAX (3U * 1024 * 1024) /* a record must hold it */

/* The three that say who runs; name is NULL where there is none. */
struct check_identity {
	const Runtime__V1__Int64Value *user, *group;
	const char *name;
	const int64_t *groups;
	size_t ngroups;
};

int check_identity(const struct check_identity *id, const char *path,
    struct cerr *err) __attribute__((warn_unused_result));
int check_seccomp(const Runtime__V1__SecurityProfile *p, const char *deprecated,
    const char *path, struct cerr *err) __attribute__((warn_unused_result));
int check_apparmor(const Runtime__V1__SecurityProfile *p,
    const char *deprecated, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));
/* pod: of a sandbox, which has no TARGET. */
int check_namespaces(const Runtime__V1__NamespaceOption *o, bool pod,
    const char *path, struct cerr *err) __attribute__((warn_unused_result));
int check_resources(const Runtime__V1__LinuxContainerResources *r,
    const char *path, struct cerr *err) __attribute__((warn_unused_result));
int check_selinux(const Runtime__V1__SELinuxOption *o, const char *path,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
