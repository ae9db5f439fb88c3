#ifndef CRIOD_EXECD_SELINUX_H
#define CRIOD_EXECD_SELINUX_H

/*
 * SELinux labels of containers: "USER:ROLE:TYPE:LEVEL", put together from the
 * host's contexts for containers and from what clients ask for.  Whether the
 * host's policy has such a label is for the launcher to find out.
 */

#include <stdbool.h>

#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

#define SELINUX_LABEL	   512
#define SELINUX_LEVEL	   128
#define SELINUX_CATEGORIES 1024

struct selinux_in {
	const Criod__BootExecd *boot;
	const char *level;			     /* the pod's */
	const Runtime__V1__SELinuxOption *pod, *ctr; /* may be NULL */
	bool open; /* not kept apart from the host: spc_t */
	bool init; /* runs an init system */
	bool vm;   /* a virtual machine */
};

struct selinux_labels {
	char process[SELINUX_LABEL]; /* both empty without SELinux */
	char mount[SELINUX_LABEL];   /* of its files */
	bool relabel; /* volumes get it, too, if the client says so */
};

/* The container's options go before the pod's. */
int selinux_make(const struct selinux_in *in, struct selinux_labels *out,
    struct cerr *err) __attribute__((warn_unused_result));

/* The options of a pod, or NULL; and is it open? */
const Runtime__V1__SELinuxOption *
selinux_pod(const Runtime__V1__PodSandboxConfig *c, bool *open);

/*
 * The level of a pod: what it asks for, or one with two categories that are
 * taken from random.
 */
int selinux_level(const Criod__BootExecd *boot,
    const Runtime__V1__SELinuxOption *pod, uint32_t random,
    char out[SELINUX_LEVEL], struct cerr *err)
    __attribute__((warn_unused_result));

#endif
