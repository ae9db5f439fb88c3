#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/close_range.h>
#include <linux/sched.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/sigreset.h"
#include "netd/launch_child.h"
#include "netd/launch_netns.h"

enum {
	STEP_SIGNALS,
	STEP_NETNS,
	STEP_FDS,
	STEP_EXEC,
};

static const char *const launch_child_steps[] = {
	[STEP_SIGNALS] = "reset signals",
	[STEP_NETNS] = "prepare the pod's network namespace",
	[STEP_FDS] = "pass descriptors",
	[STEP_EXEC] = "execute",
};

const char *
launch_child_step(int step)
{
	if (step < 0 || step > STEP_EXEC)
		return "start";
	return launch_child_steps[step];
}

static int
launch_child_signals(const struct launch_child *c)
{
	if (sigreset() == -1 || c->finish)
		return c->finish ? 0 : -1;
	/* Nobody would wait for the plugin of a launcher that died. */
	return prctl(PR_SET_PDEATHSIG, (long)SIGKILL);
}

/* Received descriptors are above 3: dup2 cannot overwrite one of them. */
static int
launch_child_fds(const int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] <= 3 || dup2(fds[i], i) == -1)
			return -1;
	}
	return (int)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
}

/*
 * By descriptor, so that what was checked is what runs.  A script cannot be
 * run that way once its descriptor closes at exec (ENOENT); then by path,
 * which only root can change and which is read-only here.
 */
static void
launch_child_exec(const struct launch_child *c)
{
	char *argv[2];

	memcpy(argv, (const void *[]){ c->path, NULL }, sizeof(argv));
	(void)umask(022);
	(void)setsid();
	if (chdir("/") == -1)
		return;
	(void)syscall(SYS_execveat, c->plugin, "", argv, c->env, AT_EMPTY_PATH);
	if (errno == ENOENT)
		(void)execve(c->path, argv, c->env);
}

static void __attribute__((noreturn))
launch_child_run(const struct launch_child *c, int failure)
{
	struct launch_child_failure f = { STEP_SIGNALS, 0 };

	if (launch_child_signals(c) == -1)
		goto fail;
	f.step = STEP_NETNS;
	if (c->netns != -1 &&
	    launch_netns_prepare(c->netns, c->own_netns) == -1)
		goto fail;
	f.step = STEP_FDS;
	if (launch_child_fds(c->fds) == -1)
		goto fail;
	f.step = STEP_EXEC;
	launch_child_exec(c);
fail:
	f.error = errno;
	_exit(write(failure, &f, sizeof(f)) == sizeof(f) ? 127 : 126);
}

pid_t
launch_child_start(const struct launch_child *c, int *pidfd, int *failure)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned int)c->group,
	};
	int pipefd[2];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		launch_child_run(c, pipefd[1]);
	fdio_close(&pipefd[1]);
	if (pid == -1)
		fdio_close(&pipefd[0]);
	*failure = pipefd[0];
	return pid;
}
