#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_run.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/roexec.h"
#include "lib/sigreset.h"

#define RUN_FDS_MAX 16

char **
run_environ(void)
{
	static char path[] =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char *env[] = { path, NULL };

	return env;
}

int
run_null(const struct launch *l)
{
	int dir = l->dirs[LAUNCH_DIR_NULL], fd = -1;
	char name[ID_SIZE];

	/* Not by its pid: in PID namespaces of their own many are process 1. */
	id_new(name);
	if (mknodat(dir, name, S_IFCHR | 0600, makedev(1, 3)) == 0)
		fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	(void)unlinkat(dir, name, 0);
	if (fd != -1 && fchmod(fd, 0666) == -1)
		fdio_close(&fd);
	return fd;
}

int
run_runtime_check(const struct launch *l, uint32_t runtime, struct cerr *err)
{
	struct stat st;
	const char *path;

	if (runtime >= l->nruntimes)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "runtime %u is not configured", runtime);
	path = l->runtimes[runtime].program;
	if (stat(path, &st) == -1)
		return cerr_errno(err, "runtime %s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
	    (st.st_mode & S_IXUSR) == 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "runtime %s must be a program that only root can write",
		    path);
	return 0;
}

int
run_begin(struct run *r, const struct launch *l, uint32_t runtime, char *root,
    size_t size, struct cerr *err)
{
	const struct launch_runtime *own;

	memset(r, 0, sizeof(*r));
	r->l = l;
	r->in = r->out = r->err = -1;
	if (run_runtime_check(l, runtime, err) == -1)
		return -1;
	own = &l->runtimes[runtime];
	if (launch_state_path(l, root, size, "runtime", own->name) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	run_add(r, own->path);
	run_add(r, "--root");
	run_add(r, root);
	if (l->systemd)
		run_add(r, "--systemd-cgroup");
	for (size_t i = 0; i < own->narguments; i++)
		run_add(r, own->arguments[i]);
	return 0;
}

void
run_add(struct run *r, const char *arg)
{
	if (r->argc + 1 < RUN_ARGS_MAX)
		r->argv[r->argc++] = arg;
}

/*
 * Numbers below n may be among fds: all are moved up first.  Then everything
 * else is closed on exec.
 */
void
run_settle(const int *fds, size_t n)
{
	int high[RUN_FDS_MAX];

	if (sigreset() == -1)
		_exit(127);
	(void)umask(022);
	for (size_t i = 0; i < n; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, RUN_FDS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (high[i] == -1 || dup2(high[i], (int)i) == -1)
			_exit(127);
	}
	if (close_range((unsigned int)n, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
		_exit(127);
}

static void
run_child(const struct run *r, int said)
{
	char *argv[RUN_ARGS_MAX];
	int fds[3], null = run_null(r->l);

	/* A runtime whose job is gone answers nobody. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fds[0] = r->in != -1 ? r->in : null;
	fds[1] = r->out != -1 ? r->out : said;
	fds[2] = r->err != -1 ? r->err : said;
	if (null == -1 || chdir("/") == -1)
		_exit(127);
	run_settle(fds, 3);
	/* execve takes pointers to non-const but does not write. */
	memcpy(argv, r->argv, sizeof(argv));
	roexec(argv[0], argv, run_environ());
	_exit(127);
}

static void
run_hear(struct run *r, int fd)
{
	size_t size = sizeof(r->text) - 1, keep = r->text_len / 2;
	ssize_t n;

	if (r->text_len == size) {
		memmove(r->text, r->text + r->text_len - keep, keep);
		r->text_len = keep;
	}
	n = read(fd, r->text + r->text_len, size - r->text_len);
	if (n > 0)
		r->text_len += (size_t)n;
	r->text[r->text_len] = '\0';
}

static int
run_left_ms(const struct run *r)
{
	return mono_is_set(r->until) ? (int)mono_left_ms(r->until) : -1;
}

static void
run_kill(struct run *r, int pidfd)
{
	static const char late[] = "took too long";

	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	r->until = mono_none();
	r->wanted = false;
	r->killed = true;
	memcpy(r->text, late, sizeof(late));
	r->text_len = sizeof(late) - 1;
}

/* Until it ends, not until the pipe ends: what it started may hold that. */
static void
run_listen(struct run *r, int said, int pidfd)
{
	struct pollfd p[3] = { { pidfd, POLLIN, 0 }, { said, POLLIN, 0 },
		{ LAUNCH_JOB_FD, 0, 0 } };
	size_t before;
	int n;

	while ((p[0].revents & POLLIN) == 0) {
		p[2].fd = r->wanted ? LAUNCH_JOB_FD : -1;
		n = poll(p, 3, run_left_ms(r));
		if (n == -1 && errno != EINTR)
			return;
		if (n == 0 || (p[2].fd != -1 && p[2].revents != 0))
			run_kill(r, pidfd);
		if (p[1].revents & POLLIN)
			run_hear(r, said);
		else if (p[1].revents != 0)
			p[1].fd = -1;
	}
	do {
		before = r->text_len;
		run_hear(r, said);
	} while (r->text_len > before && r->text_len < sizeof(r->text) - 1);
}

int
run_wait(struct run *r, struct cerr *err)
{
	CLEANUP_FD int said = -1;
	CLEANUP_FD int pidfd = -1;
	int p[2], status = 0;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) == -1)
		return cerr_errno(err, "pipe");
	said = p[0];
	(void)fcntl(said, F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0)
		run_child(r, p[1]);
	fdio_close(&p[1]);
	if (pid == -1)
		return cerr_errno(err, "fork");
	pidfd = pidfd_open(pid, 0);
	if (pidfd != -1)
		run_listen(r, said, pidfd);
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(err, "wait for %s", r->argv[0]);
	}
	launch_clean_text(r->text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A runtime tells of its errors in words alone, each in its own case. */
enum cerr_code
run_code(const char *text)
{
	static const int scarce[] = { ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM,
		EAGAIN };

	for (size_t i = 0; i < sizeof(scarce) / sizeof(scarce[0]); i++) {
		if (strcasestr(text, strerror(scarce[i])) != NULL)
			return CERR_RESOURCE_EXHAUSTED;
	}
	return CERR_INTERNAL;
}

int
run_failed(const struct run *r, const char *what, int code, struct cerr *err)
{
	const char *text = r->text;
	size_t n = strlen(text);

	/* The cause is at the end. */
	if (n > CERR_TEXT_MAX / 2)
		text += n - CERR_TEXT_MAX / 2;
	return cerr_set(err, run_code(r->text), "%s: %s (exit code %d)", what,
	    n == 0 ? "the runtime failed and did not say why" : text, code);
}
