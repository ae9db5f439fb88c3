#ifndef CRIOD_EXECD_PROFILE_H
#define CRIOD_EXECD_PROFILE_H

/*
 * Which seccomp and AppArmor profile a container asks for: the field of
 * today's clients or, where that is absent, the string of older ones.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

enum profile_kind {
	PROFILE_UNSET,
	PROFILE_RUNTIME,
	PROFILE_UNCONFINED,
	PROFILE_LOCALHOST,
};

struct profile {
	enum profile_kind kind;
	const char *ref; /* of PROFILE_LOCALHOST; borrowed from the request */
};

/*
 * sc may be NULL.  Never PROFILE_UNSET: a privileged container has none, one
 * that says nothing what the configuration says.
 */
int profile_seccomp(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerSecurityContext *sc, struct profile *out,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The AppArmor profile by name, "" for none: a privileged container has one
 * only if it asks for it.  The name points into boot or sc.
 */
int profile_apparmor(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerSecurityContext *sc, const char **name,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * Where a localhost profile of seccomp is: a directory of the configuration,
 * and the path below it, which points into path.  -1: in none of them.
 */
int profile_find(const Criod__BootExecd *boot, const char *path, size_t *dir,
    const char **below, struct cerr *err) __attribute__((warn_unused_result));

#endif
