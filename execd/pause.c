/*
 * pause: the first process of a pod that shares one PID namespace.  It reaps
 * what is orphaned there and ends on SIGTERM.  Descriptors: 0 to 2 are
 * /dev/null, 3 is its root to be, an empty directory, 4 a socket on which it
 * says that it is ready, or why not, and hears that it is wanted; argv[1] and
 * argv[2] are the ids to become, argv[3], if any, the SELinux context that its
 * root is to have, in the place of that directory.  Without arguments it is a
 * shim's sandbox, where the shim has given it what it may have.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/monitor_drop.h"

#define PAUSE_FD_EMPTY 3
#define PAUSE_FD_READY 4

extern const struct filter filter_pause;

static void
pause_run(const sigset_t *mask)
{
	for (;;) {
		int sig = sigwaitinfo(mask, NULL);

		if (sig == SIGTERM || sig == SIGINT)
			_exit(0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void
pause_mask(sigset_t *mask)
{
	(void)sigemptyset(mask);
	(void)sigaddset(mask, SIGCHLD);
	(void)sigaddset(mask, SIGTERM);
	(void)sigaddset(mask, SIGINT);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}

static void
pause_alone(void)
{
	sigset_t mask;

	pause_mask(&mask);
	pause_run(&mask);
}

int
main(int argc, char **argv)
{
	struct drop d = {
		.rootfd = PAUSE_FD_EMPTY,
		.own_mounts = true,
		.filter = &filter_pause,
	};
	const char *what;
	sigset_t mask;
	char go;

	if (argc == 1)
		pause_alone();
	if (argc < 3 || argc > 4 ||
	    close_range(PAUSE_FD_READY + 1, ~0U, 0) == -1)
		return 2;
	(void)prctl(PR_SET_NAME, "pause");
	d.uid = (uid_t)strtoul(argv[1], NULL, 10);
	d.gid = (gid_t)strtoul(argv[2], NULL, 10);
	d.label = argv[3];
	/* Blocked before anyone knows the pid, so that none is lost. */
	pause_mask(&mask);
	what = drop_enter(&d);
	if (what != NULL)
		(void)dprintf(PAUSE_FD_READY, "%s: %s", what, strerror(errno));
	if (what != NULL || write(PAUSE_FD_READY, "", 1) != 1 ||
	    read(PAUSE_FD_READY, &go, 1) != 1)
		return 1;
	(void)close(PAUSE_FD_READY);
	pause_run(&mask);
	return 0;
}
