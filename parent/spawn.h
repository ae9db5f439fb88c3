#ifndef CRIOD_PARENT_SPAWN_H
#define CRIOD_PARENT_SPAWN_H

/*
 * fork and exec.  The child starts as from a bare shell: the descriptors it
 * is given and no other, the environment it is given, no signal blocked or
 * ignored, a session of its own, directory /.
 */

#include <sys/types.h>

#include <stddef.h>

#include "lib/cerr.h"

#define SPAWN_FDS_MAX 8

struct spawn_def {
	const char *path;
	char *const *argv;
	char *const *envp;
	int fds[SPAWN_FDS_MAX]; /* fds[i] becomes descriptor i; borrowed */
	size_t nfds;
	mode_t umask;
};

/* The child's pid once exec has worked; -1 with err. */
pid_t spawn_run(const struct spawn_def *def, struct cerr *err);

#endif
