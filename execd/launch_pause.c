#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_label.h"
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

void
launch_pause_exec(const struct launch *l, const char *label, int null, int sock)
{
	static char name[] = "pause", id[] = PAUSE_ID;
	char context[LABEL_MAX], *env[] = { NULL };
	char *argv[] = { name, id, id, label[0] != '\0' ? context : NULL,
		NULL };
	int exe = fcntl(l->exe_pause, F_DUPFD_CLOEXEC, PAUSE_EXE_FD_LOW);
	int fds[] = { null, null, null, l->dirs[LAUNCH_DIR_EMPTY], sock };

	(void)snprintf(context, sizeof(context), "%s", label);
	run_settle(fds, sizeof(fds) / sizeof(fds[0]));
	(void)execveat(exe, "", argv, env, AT_EMPTY_PATH);
	_exit(1);
}

/*
 * Why it did not work goes through the socket, a byte 0 if it did.  The death
 * signal lasts until pause changes its ids; then the socket's end does it.
 */
static void
pause_child(const struct launch *l, const char *cgroup, const char *label,
    int sock)
{
	struct cerr err = { .code = CERR_INTERNAL };
	struct pollfd p = { sock, 0, 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&p, 1, 0) != 0)
		_exit(1);
	(void)setsid();
	if (cgroup[0] != '\0' &&
	    cgroup_join(&l->cgroups, cgroup, 0, true, &err) == -1) {
		(void)send(sock, err.text, strlen(err.text), MSG_NOSIGNAL);
		_exit(1);
	}
	launch_pause_exec(l, label, run_null(l), sock);
}

pid_t
launch_pause_end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return -1;
}

/* What ended without a word. */
static pid_t
pause_silent(pid_t pid, struct cerr *err)
{
	int status = 0;

	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return cerr_set(err, CERR_INTERNAL, "pause ended with %s %d",
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

pid_t
launch_pause_hear(pid_t pid, int go, struct cerr *err)
{
	char text[256];
	ssize_t n;

	do
		n = read(go, text, sizeof(text) - 1);
	while (n == -1 && errno == EINTR);
	text[n < 0 ? 0 : n] = '\0';
	if (n == 1 && text[0] == '\0')
		return pid;
	if (n <= 0)
		return pause_silent(pid, err);
	(void)launch_pause_end(pid);
	return cerr_set(err, CERR_INTERNAL, "pause: %s", text);
}

pid_t
launch_pause_start(const struct launch *l, const char *cgroup,
    const char *label, int *go, struct cerr *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return cerr_errno(err, "PID namespace");
	*go = pair[0];
	if (unshare(CLONE_NEWPID) == -1 || (pid = fork()) == -1) {
		fdio_close(&pair[1]);
		return cerr_errno(err, "PID namespace");
	}
	if (pid == 0) {
		/* Or it would never see the end of its own. */
		fdio_close(&pair[0]);
		pause_child(l, cgroup, label, pair[1]);
	}
	fdio_close(&pair[1]);
	return launch_pause_hear(pid, *go, err);
}

int
launch_pause_go(int go, struct cerr *err)
{
	return send(go, "", 1, MSG_NOSIGNAL) == -1 ? cerr_errno(err, "pause")
						   : 0;
}
