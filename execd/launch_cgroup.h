#ifndef CRIOD_EXECD_LAUNCH_CGROUP_H
#define CRIOD_EXECD_LAUNCH_CGROUP_H

/*
 * The host's cgroup hierarchies, by their files: v2, v1 or v1 beside an empty
 * v2.  A cgroup is named by its path from a hierarchy's root and is the same
 * in all of them.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define CGROUPS_MAX	 16
#define CGROUP_MOUNT_MAX 64
#define CGROUP_PATH_MAX	 1024

struct cgroup_tree {
	char mount[CGROUP_MOUNT_MAX];
	char names[CGROUP_MOUNT_MAX]; /* v1: its controllers, ",a,b," */
	bool v2;
};

struct cgroups {
	struct cgroup_tree trees[CGROUPS_MAX];
	size_t n;
};

/* From the text of /proc/self/mountinfo. */
void cgroup_parse(struct cgroups *cg, const char *mountinfo);

/* A v1 hierarchy that has the controller. */
bool cgroup_has(const struct cgroup_tree *t, const char *controller);

/* Absolute, clean, and short enough. */
bool cgroup_path_valid(const char *path);

/* The file that counts OOM kills; empty if there is no memory controller. */
void cgroup_oom_file(const struct cgroups *cg, const char *path, char *buf,
    size_t size);

/*
 * Puts pid (0: this process) into path, made as necessary; one that has ended
 * needs none.  critical: everywhere; otherwise only where systemd or the memory
 * and pids controllers count.
 */
int cgroup_join(const struct cgroups *cg, const char *path, pid_t pid,
    bool critical, struct cerr *err) __attribute__((warn_unused_result));

/*
 * Whether the text of /proc/PID/cgroup puts the process into path or below,
 * in each hierarchy that has a controller which limits (v2: the one).
 */
bool cgroup_text_within(const char *text, const char *path);

/* SIGKILL to all in path and below. */
void cgroup_kill(const struct cgroups *cg, const char *path);
/* That, until no process is left; false if one still is after ms. */
bool cgroup_end(const struct cgroups *cg, const char *path, int64_t ms);
/* Calls fn for each process in path and below, in the main hierarchy. */
void cgroup_each(const struct cgroups *cg, const char *path,
    void (*fn)(pid_t pid, void *arg), void *arg);
/*
 * Stops all in path and below where it stands, or lets it go on.  -1 with errno
 * if that did not happen within ms.
 */
int cgroup_freeze(const struct cgroups *cg, const char *path, bool frozen,
    int64_t ms) __attribute__((warn_unused_result));
bool cgroup_frozen(const struct cgroups *cg, const char *path);
/* Removes the empty cgroup and those below it. */
void cgroup_remove(const struct cgroups *cg, const char *path);
/* Removes it alone, if it is empty. */
void cgroup_remove_one(const struct cgroups *cg, const char *path);

#endif
