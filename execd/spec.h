#ifndef CRIOD_EXECD_SPEC_H
#define CRIOD_EXECD_SPEC_H

/*
 * Builds the OCI config.json of one container: a pure function of what is
 * given here.  It starts from nothing: every value in the result was put
 * there on purpose.  No annotation of a pod, container or image reaches it.
 */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/devlist.h"
#include "execd/policy.h"
#include "execd/selinux.h"
#include "execd/user.h"
#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

/* The lowest version that covers what is used; crun 1.8 takes 1.0 only. */
#define SPEC_OCI_VERSION "1.0.2"

/* Devices that the host has for one request. */
struct spec_devices {
	const Runtime__V1__Device *request; /* NULL: all, for privileged */
	struct devlist list;
};

struct hooks;

struct spec_in {
	const Criod__BootExecd *boot;
	const char *id, *pod_id;
	const Runtime__V1__ContainerConfig *config;
	const Runtime__V1__PodSandboxConfig *pod_config;
	const Criod__Lease *image;
	const struct user *user;
	struct policy_pod pod;
	const char *hostname;
	uint32_t target_pid; /* TARGET pid namespace: its first process */
	const struct spec_devices *devices;
	size_t ndevices;
	const struct hooks *hooks; /* NULL: none */
	bool shim;	   /* it goes to a shim, which mounts the root */
	bool ruled;	   /* there are rules about paths */
	bool own_kernel;   /* the runtime's containers do not use the host's */
	bool runtime_rro;  /* recursive read-only mounts work */
	unsigned int cpus; /* of the host, for masked paths */
	unsigned int kernel[2];
	const char *selinux_level;     /* the pod's */
	bool rehearsal;		       /* files of the host were not read yet */
	const json_t *seccomp_profile; /* a localhost one, as its file says */
};

struct spec_out {
	json_t *root;
	unsigned int flags; /* CTR_FLAG_* */
	uint64_t caps;	    /* bounding set */
	struct selinux_labels labels;
	int64_t oom_score_adj;
	char cwd[POLICY_PATH_MAX];
	const char *apparmor;	    /* its profile, or ""; borrowed from in */
	char cgroup[POLICY_CGROUP]; /* where the runtime puts it */
};

int spec_build(const struct spec_in *in, struct spec_out *out, struct cerr *err)
    __attribute__((warn_unused_result));
void spec_clear(struct spec_out *out);

/* config.json of a pod's sandbox, for shims; NULL with err. */
json_t *spec_sandbox(const struct spec_in *in, struct cerr *err);

/* The cgroup, from the root of its hierarchy, that cgroup_parent names. */
int spec_cgroup_dir(const Criod__BootExecd *boot, const char *asked,
    char out[POLICY_CGROUP], struct cerr *err)
    __attribute__((warn_unused_result));

/* Makes a container's process object that of an exec in it. */
int spec_exec_args(json_t *process, char *const *args, size_t nargs, bool tty,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The directory a process may start in: absolute, clean, and not one that
 * could name a descriptor of the runtime (/proc/PID, /dev/fd).
 */
int spec_check_cwd(const char *dir, char out[POLICY_PATH_MAX], struct cerr *err)
    __attribute__((warn_unused_result));

#endif
