/*
 * The process that stands for a container, or for a command in one.  Its
 * first half is root's: everything that will be open is opened here.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "execd/shim.h"
#include "execd/shim_pump.h"
#include "lib/fdio.h"

#define PROXY_FDS_ABOVE 32

static const char *const proxy_names[3] = { "in", "out", "err" };

struct proxy {
	struct shim_proxy *asked;
	const struct shim_args *a;
	char pod[ID_SIZE], bundle[SHIM_PATH_MAX];
	char path[3][SHIM_PATH_MAX]; /* of its FIFOs */
	int fifo[3], dir, sock, slave, ready[2];
	struct shim_io io;
};

/* ---- root ---- */

static const char *
proxy_name(const struct proxy *x, int i, char buf[ID_SIZE + 8])
{
	const char *exec = x->asked->exec;

	(void)snprintf(buf, ID_SIZE + 8, "%s%s%s", exec != NULL ? exec : "",
	    exec != NULL ? "." : "", proxy_names[i]);
	return buf;
}

static bool
proxy_is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(1, 3);
}

/*
 * Standard input is opened for both: then it opens without a reader, and no
 * reader's coming and going matters.
 */
static int
proxy_fifo(struct proxy *x, int i, struct cerr *err)
{
	int mode = i == 0 ? O_RDWR : O_RDONLY;
	char name[ID_SIZE + 8];

	(void)proxy_name(x, i, name);
	if (shim_path(x->a, x->a->id, name, x->path[i]) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	(void)unlinkat(x->dir, name, 0);
	if (mkfifoat(x->dir, name, 0600) == -1)
		return cerr_errno(err, "%s", name);
	x->fifo[i] =
	    openat(x->dir, name, mode | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	return x->fifo[i] == -1 ? cerr_errno(err, "%s", name) : 0;
}

static int
proxy_fifos(struct proxy *x, struct cerr *err)
{
	bool terminal = x->a->console != NULL;
	bool in = terminal || !proxy_is_null(STDIN_FILENO);

	x->io = (struct shim_io){ terminal, "", "", "" };
	if ((in && proxy_fifo(x, 0, err) == -1) ||
	    proxy_fifo(x, 1, err) == -1 ||
	    (!terminal && proxy_fifo(x, 2, err) == -1))
		return -1;
	x->io.in = in ? x->path[0] : "";
	x->io.out = x->path[1];
	x->io.err = terminal ? "" : x->path[2];
	return 0;
}

/* Once the shim has opened them nobody needs a command's by name. */
static void
proxy_unlink(const struct proxy *x)
{
	char name[ID_SIZE + 8];

	for (int i = 0; i < 3 && x->asked->exec != NULL; i++)
		(void)unlinkat(x->dir, proxy_name(x, i, name), 0);
}

static int
proxy_send_master(const char *path, int master, struct cerr *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .buf = { 0 } };
	char name[] = "terminal";
	struct iovec iov = { name, sizeof(name) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &master, sizeof(int));
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd == -1 ||
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    sendmsg(fd, &mh, MSG_NOSIGNAL) == -1)
		return cerr_errno(err, "console socket");
	return 0;
}

/* The container's own terminal is the shim's: ours changes nothing. */
static int
proxy_terminal(struct proxy *x, struct cerr *err)
{
	CLEANUP_FD int master = -1;
	struct termios t;
	int zero = 0;

	if (x->a->console == NULL)
		return 0;
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master == -1 || ioctl(master, TIOCSPTLCK, &zero) == -1)
		return cerr_errno(err, "terminal");
	x->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (x->slave == -1 || tcgetattr(x->slave, &t) == -1)
		return cerr_errno(err, "terminal");
	cfmakeraw(&t);
	if (tcsetattr(x->slave, TCSANOW, &t) == -1)
		return cerr_errno(err, "terminal");
	return proxy_send_master(x->a->console, master, err);
}

static int
proxy_open(struct proxy *x, struct cerr *err)
{
	const struct shim_args *a = x->a;

	x->dir = shim_dir(a, a->id, err);
	if (x->dir == -1 || shim_pod_of(a, a->id, x->pod, err) == -1)
		return -1;
	if (shim_path(a, a->id, NULL, x->bundle) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	x->sock = shim_connect(a, x->pod, err);
	if (x->sock == -1 || proxy_fifos(x, err) == -1 ||
	    proxy_terminal(x, err) == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->ready) == -1)
		return cerr_errno(err, "socketpair");
	return 0;
}

/* ---- the child ---- */

/* Descriptors 0 to 2 as they are or the terminal, then PUMP_FD_*. */
static int
proxy_settle(struct proxy *x)
{
	int fds[PUMP_FD_COUNT] = {
		x->slave != -1 ? x->slave : STDIN_FILENO,
		x->slave != -1 ? x->slave : STDOUT_FILENO,
		STDERR_FILENO,
		[PUMP_FD_SHIM] = x->sock,
		[PUMP_FD_READY] = x->ready[1],
		[PUMP_FD_IN] = x->fifo[0],
		[PUMP_FD_OUT] = x->fifo[1],
		[PUMP_FD_ERR] = x->fifo[2],
	};

	for (size_t i = 0; i < PUMP_FD_COUNT; i++) {
		if (fds[i] != -1)
			fds[i] = fcntl(fds[i], F_DUPFD, PROXY_FDS_ABOVE);
	}
	for (size_t i = 0; i < PUMP_FD_COUNT; i++) {
		if (fds[i] == -1)
			(void)close((int)i);
		else if (dup2(fds[i], (int)i) == -1)
			return -1;
	}
	return close_range(PUMP_FD_COUNT, ~0U, 0);
}

/*
 * What is read and written here without waiting.  Each of them is the only
 * user of its open file, but for a moment the process that left us behind.
 */
static int
proxy_nonblock(const struct proxy *x, struct cerr *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (fd == 0 && x->fifo[0] == -1)
			continue;
		if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
			return cerr_errno(err, "standard input or output");
	}
	return 0;
}

static int
proxy_ask(const struct proxy *x, struct shim *s, struct cerr *err)
{
	const struct shim_proxy *p = x->asked;

	if (p->exec == NULL)
		return shim_task_create(s, x->a, x->a->id, x->bundle,
		    x->a->rootfs, &x->io, err);
	if (shim_task_exec(s, x->a->id, p->exec, &x->io, p->process,
		p->process_len, err) == -1)
		return -1;
	return shim_task_start(s, x->a->id, p->exec, err);
}

static void
proxy_fail(const struct cerr *err)
{
	_exit(fdio_write_all(PUMP_FD_READY, err->text, strlen(err->text)) == 0
		  ? 1
		  : 2);
}

static void
proxy_child(struct proxy *x)
{
	struct cerr err;
	struct shim *s;

	if (proxy_settle(x) == -1 || setsid() == -1 ||
	    (x->slave != -1 && ioctl(STDIN_FILENO, TIOCSCTTY, 0) == -1))
		_exit(127);
	pump_signals();
	if (proxy_nonblock(x, &err) == -1 || shim_drop(x->a, &err) == -1)
		proxy_fail(&err);
	s = shim_open(PUMP_FD_SHIM, PUMP_FD_READY);
	if (proxy_ask(x, s, &err) == -1)
		proxy_fail(&err);
	pump_run(s, x->a->id, x->asked->exec, &x->io);
}

/* ---- and the parent ---- */

static int
proxy_hear(struct proxy *x, struct cerr *err)
{
	char text[CERR_TEXT_MAX];
	ssize_t n;

	(void)close(x->ready[1]);
	n = fdio_read_upto(x->ready[0], text, sizeof(text) - 1);
	if (n == 1 && text[0] == PUMP_READY)
		return 0;
	text[n < 0 ? 0 : n] = '\0';
	return cerr_set(err, CERR_INTERNAL, "%s",
	    n > 0 ? text : "it ended before the shim had answered");
}

static int
proxy_write_pid(const char *path, pid_t pid, struct cerr *err)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", pid);
	return shim_write(AT_FDCWD, path, text, err);
}

int
shim_proxy(struct shim_proxy *p, struct cerr *err)
{
	struct proxy x = { .asked = p,
		.a = p->args,
		.fifo = { -1, -1, -1 },
		.dir = -1,
		.sock = -1,
		.slave = -1 };
	int ret = proxy_open(&x, err);
	pid_t pid;

	if (ret == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		proxy_child(&x);
	ret = pid == -1 ? cerr_errno(err, "fork") : proxy_hear(&x, err);
	proxy_unlink(&x);
	if (ret == -1 || proxy_write_pid(p->args->pidfile, pid, err) == -1) {
		if (pid > 0)
			(void)kill(pid, SIGKILL);
		return -1;
	}
	return 0;
}
