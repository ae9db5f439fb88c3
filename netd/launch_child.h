#ifndef CRIOD_NETD_LAUNCH_CHILD_H
#define CRIOD_NETD_LAUNCH_CHILD_H

/* What a plugin's process does between clone and exec. */

#include <sys/types.h>

#include <stdbool.h>

#define LAUNCH_CHILD_ENV 9 /* the final NULL included */

struct launch_child {
	int plugin;	  /* O_PATH */
	const char *path; /* the same, for scripts and argv[0] */
	int group;	  /* cgroup to be born in */
	int netns;	  /* to prepare, or -1 */
	int own_netns;
	int fds[3];
	char *env[LAUNCH_CHILD_ENV];
	bool finish; /* it goes on if the launcher dies */
};

/* What the child writes to its error pipe when it fails. */
struct launch_child_failure {
	int step; /* index for launch_child_step */
	int error;
};

const char *launch_child_step(int step);

/*
 * Starts the plugin.  Borrows c.  *pidfd and *failure (read end of the error
 * pipe, empty if the plugin was executed) are the caller's.  -1 with errno.
 */
pid_t launch_child_start(const struct launch_child *c, int *pidfd, int *failure)
    __attribute__((warn_unused_result));

#endif
