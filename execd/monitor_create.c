/* The runtime's create, run as a child of the monitor. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/monitor.h"
#include "lib/roexec.h"

#define CREATE_PATH_MAX 160
#define CREATE_ARGS_MAX (24 + MONITOR_MORE_MAX)

static size_t
create_append(char *buf, size_t size, const char *s)
{
	size_t n = strlen(buf), add = strlen(s);

	if (n + add >= size)
		return n;
	memcpy(buf + n, s, add + 1);
	return n + add;
}

void
monitor_console_name(const struct monitor *m, char *buf, size_t size,
    const char *before)
{
	buf[0] = '\0';
	(void)create_append(buf, size, before);
	(void)create_append(buf, size, m->argv[MONITOR_ARG_CTR]);
	(void)create_append(buf, size, ".con");
}

/*
 * The runtime connects and sends the terminal's master.  Its path is short
 * because it leads through a descriptor: sun_path has 108 bytes.
 */
static int
create_console(struct monitor *m)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	monitor_console_name(m, sun.sun_path, sizeof(sun.sun_path),
	    "/proc/self/fd/7/");
	m->console_listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (m->console_listen == -1 ||
	    bind(m->console_listen, (struct sockaddr *)&sun, sizeof(sun)) ==
		-1 ||
	    listen(m->console_listen, 1) == -1)
		return monitor_fail(m, "console socket");
	return 0;
}

static int
create_pipe(struct monitor *m, int *ours, int *theirs, bool read_end)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) == -1)
		return monitor_fail(m, "pipe");
	*ours = p[read_end ? 0 : 1];
	*theirs = p[read_end ? 1 : 0];
	/* Ours alone: the other end is another open file. */
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) == -1)
		return monitor_fail(m, "pipe");
	return 0;
}

/*
 * With a terminal these two pipes carry only what the runtime itself says;
 * without, the container gets them.
 */
int
monitor_stdio(struct monitor *m)
{
	if (create_pipe(m, &m->out.fd, &m->runtime_out[0], true) == -1 ||
	    create_pipe(m, &m->err.fd, &m->runtime_out[1], true) == -1)
		return -1;
	if (m->flags & CTR_FLAG_TTY)
		return create_console(m);
	if (m->flags & CTR_FLAG_STDIN)
		return create_pipe(m, &m->stdin_fd, &m->runtime_in, false);
	return 0;
}

static size_t
create_word(char *argv[], size_t n, const char *word)
{
	/* execve takes pointers to non-const but does not write. */
	memcpy(&argv[n], &word, sizeof(word));
	return n + 1;
}

/* "restore" and how, in the place of "create". */
static size_t
create_restore(const struct monitor *m, char *argv[], size_t n)
{
	const char *images = m->argv[MONITOR_ARG_IMAGES];
	const char *words[] = { "restore", "--detach", "--file-locks",
		"--image-path", images, "--work-path", images };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		n = create_word(argv, n, words[i]);
	return n;
}

static void
create_argv(const struct monitor *m, char *console, char *argv[])
{
	static char s_root[] = "--root", s_systemd[] = "--systemd-cgroup",
		    s_bundle[] = "--bundle", s_pid[] = "--pid-file",
		    s_console[] = "--console-socket";
	size_t n = 0;

	argv[n++] = m->argv[MONITOR_ARG_RUNTIME];
	argv[n++] = s_root;
	argv[n++] = m->argv[MONITOR_ARG_ROOT];
	if (m->argv[MONITOR_ARG_SYSTEMD][0] == '1')
		argv[n++] = s_systemd;
	for (size_t i = MONITOR_ARG_COUNT; m->argv[i] != NULL; i++)
		argv[n++] = m->argv[i];
	n = m->argv[MONITOR_ARG_IMAGES][0] == '\0'
		? create_word(argv, n, "create")
		: create_restore(m, argv, n);
	argv[n++] = s_bundle;
	argv[n++] = m->argv[MONITOR_ARG_BUNDLE];
	argv[n++] = s_pid;
	argv[n++] = m->argv[MONITOR_ARG_PIDFILE];
	if (m->flags & CTR_FLAG_TTY) {
		argv[n++] = s_console;
		argv[n++] = console;
	}
	argv[n++] = m->argv[MONITOR_ARG_CTR];
	argv[n] = NULL;
}

/*
 * Between fork and exec.  Nothing is restricted yet in this process, so the
 * container inherits what the daemon was started with.  setpgid: so that a
 * runtime that hangs can be killed with its helpers.
 */
static void
create_exec(const struct monitor *m, char *argv[])
{
	static const char failed[] = "cannot execute the runtime";
	/* Ours is a null device of this container alone. */
	int in = m->runtime_in == -1 ? STDIN_FILENO : m->runtime_in;

	(void)setpgid(0, 0);
	/* What it makes nobody would know of once its monitor is gone. */
	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL);
	if (dup2(in, STDIN_FILENO) != -1 &&
	    dup2(m->runtime_out[0], STDOUT_FILENO) != -1 &&
	    dup2(m->runtime_out[1], STDERR_FILENO) != -1 &&
	    fchdir(MONITOR_FD_BUNDLE) != -1)
		roexec(argv[0], argv, environ);
	if (write(STDERR_FILENO, failed, sizeof(failed) - 1) == -1)
		_exit(127);
	_exit(127);
}

static pid_t
create_spawn(struct monitor *m, int *pidfd)
{
	char console[CREATE_PATH_MAX], number[12], before[40] = "/proc/";
	char *argv[CREATE_ARGS_MAX];
	pid_t pid;

	(void)create_append(before, sizeof(before),
	    monitor_number(number, (uint32_t)getpid()));
	(void)create_append(before, sizeof(before), "/fd/7/");
	monitor_console_name(m, console, sizeof(console), before);
	create_argv(m, console, argv);
	pid = fork();
	if (pid == 0)
		create_exec(m, argv);
	if (pid == -1)
		return -1;
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	(void)close(m->runtime_out[0]);
	(void)close(m->runtime_out[1]);
	if (m->runtime_in != -1)
		(void)close(m->runtime_in);
	return pid;
}

/* Keeps the end of what the runtime says, where it names the cause. */
static void
create_hear(struct monitor *m, int fd)
{
	size_t size = sizeof(m->text) - 1, keep = m->text_len / 2;
	ssize_t n;

	if (m->text_len == size) {
		memmove(m->text, m->text + m->text_len - keep, keep);
		m->text_len = keep;
	}
	n = read(fd, m->text + m->text_len, size - m->text_len);
	if (n > 0)
		m->text_len += (size_t)n;
	m->text[m->text_len] = '\0';
}

static void
create_accept(struct monitor *m)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	char name[256];
	struct iovec iov = { name, sizeof(name) };
	struct msghdr mh;
	struct cmsghdr *cm;
	int sock = accept4(m->console_listen, NULL, NULL, SOCK_CLOEXEC);

	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = control.buf;
	mh.msg_controllen = sizeof(control.buf);
	if (sock == -1 || recvmsg(sock, &mh, MSG_CMSG_CLOEXEC) == -1)
		return;
	cm = CMSG_FIRSTHDR(&mh);
	if (cm != NULL && cm->cmsg_type == SCM_RIGHTS &&
	    cm->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&m->stdin_fd, CMSG_DATA(cm), sizeof(int));
	(void)close(sock);
}

/* Whether the launcher still wants it. */
static bool
create_wanted(const struct pollfd *report)
{
	return (report->revents & (POLLIN | POLLHUP | POLLERR)) == 0;
}

/* Until the runtime ends; drains what it says, however much that is. */
static int
create_wait(struct monitor *m, pid_t pid, int pidfd)
{
	enum { REPORT, END, SAID, ERRORS, CONSOLE, COUNT };
	struct pollfd p[COUNT] = {
		[REPORT] = { MONITOR_FD_REPORT, POLLIN, 0 },
		[END] = { pidfd, POLLIN, 0 },
		[SAID] = { m->out.fd, POLLIN, 0 },
		[ERRORS] = { m->err.fd, POLLIN, 0 },
		[CONSOLE] = { m->console_listen, POLLIN, 0 },
	};
	int status = 0;

	while ((p[END].revents & POLLIN) == 0) {
		if (poll(p, COUNT, -1) == -1 && errno != EINTR)
			break;
		for (int i = SAID; i <= ERRORS; i++) {
			if (p[i].revents & POLLIN)
				create_hear(m, p[i].fd);
			else if (p[i].revents != 0)
				p[i].fd = -1;
		}
		if (p[CONSOLE].revents & POLLIN)
			create_accept(m);
		if (!create_wanted(&p[REPORT])) {
			(void)kill(-pid, SIGKILL);
			p[REPORT].fd = -1;
			p[REPORT].revents = 0;
		}
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* What was said after the last poll, or is no error and must not be logged. */
static void
create_drain(struct monitor *m)
{
	size_t before;

	do {
		before = m->text_len;
		create_hear(m, m->err.fd);
	} while (m->text_len > before && m->text_len < sizeof(m->text) - 1);
}

/*
 * What is killed if anything goes wrong must be the container: once the runtime
 * has ended, that is a child of this process, and nothing else is.
 */
static int
create_adopt(struct monitor *m, pid_t pid)
{
	siginfo_t si;

	m->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (m->pidfd == -1)
		return monitor_fail(m, "container's process");
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == -1) {
		(void)close(m->pidfd);
		m->pidfd = -1;
		monitor_text(m, "the runtime named a process that is not the "
				"container's");
		return -1;
	}
	m->pid = pid;
	return 0;
}

static int
create_read_pid(struct monitor *m)
{
	int fd = open(m->argv[MONITOR_ARG_PIDFILE],
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = 0;
	char buf[16];
	ssize_t n = fd == -1 ? -1 : read(fd, buf, sizeof(buf));

	(void)close(fd);
	(void)unlink(m->argv[MONITOR_ARG_PIDFILE]);
	for (ssize_t i = 0; i < n && buf[i] >= '0' && buf[i] <= '9' && i < 9;
	     i++)
		pid = pid * 10 + (buf[i] - '0');
	if (pid <= 1) {
		monitor_text(m, "the runtime wrote no pid");
		return -1;
	}
	return create_adopt(m, pid);
}

/* The terminal's master takes the place of the pipe. */
static int
create_terminal(struct monitor *m)
{
	if (m->stdin_fd == -1) {
		monitor_text(m, "the runtime sent no terminal");
		return -1;
	}
	(void)close(m->out.fd);
	(void)close(m->err.fd);
	m->err.fd = -1;
	m->out.fd = m->stdin_fd;
	m->stdin_fd = -1;
	/* Input has a descriptor of its own, to be closed by itself. */
	if (m->flags & CTR_FLAG_STDIN)
		m->stdin_fd = fcntl(m->out.fd, F_DUPFD_CLOEXEC, 0);
	if (fcntl(m->out.fd, F_SETFL, O_NONBLOCK) == -1)
		return monitor_fail(m, "terminal");
	return 0;
}

int
monitor_create(struct monitor *m)
{
	char name[CREATE_PATH_MAX];
	int pidfd = -1, result;
	pid_t pid = create_spawn(m, &pidfd);

	if (pid == -1 || pidfd == -1)
		return monitor_fail(m, "start the runtime");
	result = create_wait(m, pid, pidfd);
	(void)close(pidfd);
	create_drain(m);
	if (m->console_listen != -1) {
		monitor_console_name(m, name, sizeof(name), "");
		(void)unlinkat(MONITOR_FD_SCRATCH, name, 0);
		(void)close(m->console_listen);
	}
	if (result == -1) {
		if (m->text_len == 0)
			monitor_text(m,
			    "the runtime failed and did not say why");
		return -1;
	}
	m->text_len = 0;
	if (create_read_pid(m) == -1)
		return -1;
	return m->flags & CTR_FLAG_TTY ? create_terminal(m) : 0;
}
