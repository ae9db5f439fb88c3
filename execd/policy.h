#ifndef CRIOD_EXECD_POLICY_H
#define CRIOD_EXECD_POLICY_H

/*
 * What execd accepts from a front that may be compromised: grammar of every
 * name and path, and that a container asks for no more than its pod was made
 * with.  All checks run before anything is made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

#define POLICY_PATH_MAX 4096 /* with its NUL */
#define POLICY_NAME_MAX 256
#define POLICY_HOSTNAME 65
#define POLICY_SYSCTL	128
#define POLICY_CGROUP	1024

/*
 * The host's ids that a pod's user namespace may have begin here: those below
 * are the host's own accounts.  It must have this many, as images do.
 */
#define POLICY_USERNS_FIRST 1000U
#define POLICY_USERNS_COUNT 65536U

/* Ids 0 to count - 1 of a pod are the host's from host on. */
struct policy_ids {
	uint32_t host, count;
};

/* What a pod was made with. */
struct policy_pod {
	unsigned int namespaces;      /* POD_NS_* */
	struct policy_ids uids, gids; /* with POD_NS_USER */
	bool host_pid;
	bool privileged;
};

/* The pod's facts from its configuration.  -1: it must not be made. */
int policy_check_pod(const Runtime__V1__PodSandboxConfig *c,
    struct policy_pod *out, struct cerr *err)
    __attribute__((warn_unused_result));
int policy_check_ctr(const struct policy_pod *pod,
    const Runtime__V1__ContainerConfig *c, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * The launcher makes it, before the runtime binds it: mount_flags.h.  ruled:
 * there are rules about paths, which hold for what is mounted, not for what
 * had that name a moment before.  What is shared cannot be a copy.
 */
bool policy_mount_made(const Runtime__V1__Mount *m, bool ruled);
bool policy_mount_image(const Runtime__V1__Mount *m);

/* policy_userns.c: the user namespace that a pod asks for. */
int policy_pod_userns(const Runtime__V1__PodSandboxConfig *c,
    struct policy_pod *out, struct cerr *err)
    __attribute__((warn_unused_result));
/* That of a container is its pod's; NULL: not said. */
int policy_ctr_userns(const struct policy_pod *pod,
    const Runtime__V1__UserNamespace *u, struct cerr *err)
    __attribute__((warn_unused_result));
/* The ids of a mount are the host's, or the pod's. */
int policy_mount_userns(const struct policy_pod *pod,
    const Runtime__V1__Mount *m, struct cerr *err)
    __attribute__((warn_unused_result));
/* The host's id for one of the pod's; -1 with err if it is not mapped. */
int policy_host_id(const struct policy_pod *pod, const struct policy_ids *ids,
    const char *field, uint32_t id, uint32_t *host, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * name becomes its path below /proc/sys ("net/ipv4/ip_forward").  Only those
 * that a namespace of the pod's own keeps apart are allowed.
 */
int policy_check_sysctl(const char *name, const char *value,
    unsigned int namespaces, char path[POLICY_SYSCTL], struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * An absolute path without control bytes, "." and "..", empty components;
 * what the client sent is made so lexically.  field names it in errors.
 */
int policy_clean_path(const char *field, const char *path,
    char out[POLICY_PATH_MAX], struct cerr *err)
    __attribute__((warn_unused_result));
/* The same, but a path that would change is refused. */
int policy_check_path(const char *field, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

/* Where the log goes; both empty if nowhere. */
int policy_log_path(const Runtime__V1__PodSandboxConfig *pod,
    const Runtime__V1__ContainerConfig *c, char dir[POLICY_PATH_MAX],
    char name[POLICY_NAME_MAX], struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * cgroup_parent of the request: "/a/b" for cgroupfs, "a-b.slice" for systemd
 * (its last component counts).  def is used if it is empty.
 */
int policy_cgroup_parent(const char *parent, const char *def, bool systemd,
    char out[POLICY_CGROUP], struct cerr *err)
    __attribute__((warn_unused_result));

bool policy_hostname_valid(const char *s);

#endif
