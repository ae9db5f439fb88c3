#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/monitor_drop.h"
#include "execd/shim.h"

extern const struct filter filter_shimrun;

int
shim_drop(const struct shim_args *a, struct cerr *err)
{
	struct drop d = { .uid = a->uid,
		.gid = a->gid,
		.filter = &filter_shimrun,
		.rootfd = open(a->empty, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	const char *what;

	if (d.rootfd == -1)
		return cerr_errno(err, "%s", a->empty);
	(void)signal(SIGPIPE, SIG_IGN);
	what = drop_enter(&d);
	return what == NULL ? 0 : cerr_errno(err, "%s", what);
}

static void
apart_child(const struct shim_args *a, int sock, shim_fn fn)
{
	struct cerr err;

	if (dup2(sock, 3) == -1 || close_range(4, ~0U, 0) == -1)
		_exit(127);
	if (shim_drop(a, &err) == 0 && fn(a, shim_open(3, -1), &err) == 0)
		_exit(0);
	(void)fprintf(stderr, "%s\n", err.text);
	_exit(1);
}

int
shim_apart(const struct shim_args *a, int sock, shim_fn fn)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		apart_child(a, sock, fn);
	if (pid == -1)
		return -1;
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
