#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/close_range.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/sigreset.h"
#include "parent/spawn.h"

/* From here to exec only calls that signal-safety(7) or the kernel allow. */

/* First out of the way of 0 to nfds, then into place. */
static int
spawn_child_fds(const struct spawn_def *def)
{
	int high[SPAWN_FDS_MAX];

	for (size_t i = 0; i < def->nfds; i++) {
		high[i] = fcntl(def->fds[i], F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
		if (high[i] == -1)
			return -1;
	}
	for (size_t i = 0; i < def->nfds; i++) {
		if (dup2(high[i], (int)i) == -1)
			return -1;
	}
	return close_range((unsigned int)def->nfds, UINT_MAX,
	    CLOSE_RANGE_CLOEXEC);
}

static void __attribute__((noreturn))
spawn_child(const struct spawn_def *def, int pipe_fd)
{
	/* Above all that is given: it must survive spawn_child_fds. */
	int tell = fcntl(pipe_fd, F_DUPFD_CLOEXEC, 2 * SPAWN_FDS_MAX);
	int num;

	/* A terminal's interrupt is for the parent, not for pods. */
	(void)setsid();
	(void)umask(def->umask);
	if (tell != -1 && spawn_child_fds(def) == 0 && sigreset() == 0 &&
	    chdir("/") == 0)
		(void)execve(def->path, def->argv, def->envp);
	num = errno;
	if (write(tell, &num, sizeof(num)) == -1)
		_exit(126);
	_exit(127);
}

/* End of file on the pipe: exec closed it. */
static int
spawn_wait_exec(pid_t pid, int fd, const char *path, struct cerr *err)
{
	int num;

	if (fdio_read_upto(fd, &num, sizeof(num)) != (ssize_t)sizeof(num))
		return 0;
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	errno = num;
	return cerr_errno(err, "cannot start %s", path);
}

pid_t
spawn_run(const struct spawn_def *def, struct cerr *err)
{
	CLEANUP_FD int rd = -1;
	CLEANUP_FD int wr = -1;
	int fds[2];
	sigset_t all, old;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return cerr_errno(err, "pipe");
	rd = fds[0];
	wr = fds[1];
	/* No handler of the parent's may run in the child. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		spawn_child(def, wr);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid == -1)
		return cerr_errno(err, "fork");
	fdio_close(&wr);
	return spawn_wait_exec(pid, rd, def->path, err) == -1 ? -1 : pid;
}
