#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_pause.h"
#include "execd/launch_run.h"
#include "lib/fdio.h"

#define PAUSE_ID	 "65535"
#define PAUSE_EXE_FD_LOW 16

int
launch_pause_cgroup(const char *cgroup, const char *pod, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s%s%s", cgroup,
	    cgroup[0] == '\0' ? "" : "/criod-pause-",
	    cgroup[0] == '\0' ? "" : pod);

	return n < 0 || (size_t)n >= size ? -1 : 0;
}

/* Why it did not work goes through the pipe, a byte 0 if it did. */
static void
pause_child(const struct launch *l, const char *cgroup, int ready)
{
	static char name[] = "pause", id[] = PAUSE_ID;
	char *argv[] = { name, id, id, NULL }, *env[] = { NULL };
	struct cerr err = { .code = CERR_INTERNAL };
	int null = run_null(l);
	int exe = fcntl(l->exe_pause, F_DUPFD_CLOEXEC, PAUSE_EXE_FD_LOW);
	int fds[] = { null, null, null, l->dirs[LAUNCH_DIR_EMPTY], ready };
	int say = fcntl(ready, F_DUPFD_CLOEXEC, PAUSE_EXE_FD_LOW);

	(void)setsid();
	if (cgroup[0] != '\0' &&
	    cgroup_join(&l->cgroups, cgroup, 0, true, &err) == -1) {
		if (write(say, err.text, strlen(err.text)) == -1)
			_exit(1);
		_exit(1);
	}
	run_settle(fds, sizeof(fds) / sizeof(fds[0]));
	(void)execveat(exe, "", argv, env, AT_EMPTY_PATH);
	_exit(1);
}

pid_t
launch_pause_start(const struct launch *l, const char *cgroup, struct cerr *err)
{
	CLEANUP_FD int ready = -1;
	char text[256];
	int p[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) == -1 || unshare(CLONE_NEWPID) == -1)
		return cerr_errno(err, "PID namespace");
	ready = p[0];
	pid = fork();
	if (pid == 0)
		pause_child(l, cgroup, p[1]);
	fdio_close(&p[1]);
	if (pid == -1)
		return cerr_errno(err, "PID namespace");
	n = fdio_read_upto(ready, text, sizeof(text) - 1);
	if (n == 1 && text[0] == '\0')
		return pid;
	text[n < 0 ? 0 : n] = '\0';
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return cerr_set(err, CERR_INTERNAL, "pause: %s",
	    n > 0 ? text : "could not confine itself");
}
