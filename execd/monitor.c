/*
 * monitor: see monitor.h.  main is the list of its steps; each must succeed
 * before the launcher hears that the container exists.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/monitor.h"
#include "execd/monitor_drop.h"
#include "lib/failpoint.h"

extern const struct filter filter_monitor;

/* Not on the stack or heap: pages that are not touched cost nothing. */
static struct monitor monitor;

void
monitor_text(struct monitor *m, const char *s)
{
	size_t n = strlen(s), room = sizeof(m->text) - 1 - m->text_len;

	n = n < room ? n : room;
	memcpy(m->text + m->text_len, s, n);
	m->text_len += n;
	m->text[m->text_len] = '\0';
}

const char *
monitor_number(char buf[12], uint32_t value)
{
	char *p = buf + 11;

	*p = '\0';
	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	return p;
}

int
monitor_fail(struct monitor *m, const char *what)
{
	const char *name = strerrordesc_np(errno);

	monitor_text(m, what);
	monitor_text(m, ": ");
	monitor_text(m, name != NULL ? name : "unknown error");
	return -1;
}

static uint32_t
monitor_arg_number(const struct monitor *m, enum monitor_arg arg)
{
	return (uint32_t)strtoul(m->argv[arg], NULL, 10);
}

static void
monitor_args(struct monitor *m, char **argv)
{
	m->argv = argv;
	m->flags = monitor_arg_number(m, MONITOR_ARG_FLAGS);
	m->uid = monitor_arg_number(m, MONITOR_ARG_UID);
	m->gid = monitor_arg_number(m, MONITOR_ARG_GID);
	m->exec_uid = monitor_arg_number(m, MONITOR_ARG_EXEC_UID);
	m->exec_gid = monitor_arg_number(m, MONITOR_ARG_EXEC_GID);
	m->pidfd = m->oom_fd = m->exit_fd = m->listen_fd = -1;
	m->stdin_fd = m->runtime_in = m->console_listen = -1;
	m->out.fd = m->err.fd = -1;
	m->out.name = "stdout";
	m->err.name = "stderr";
	m->log_fd = MONITOR_FD_LOG;
	for (size_t i = 0; i < MONITOR_CLIENTS_MAX; i++)
		m->clients[i] = -1;
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++)
		m->attach[i].fd = -1;
}

static int
monitor_session(struct monitor *m)
{
	(void)prctl(PR_SET_NAME, "monitor");
	if (close_range(MONITOR_FD_LAST + 1, ~0U, 0) == -1 ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
		return monitor_fail(m, "close_range");
	if (setsid() == -1)
		return monitor_fail(m, "setsid");
	/* The runtime ends after create: the container is then our child. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L) == -1)
		return monitor_fail(m, "PR_SET_CHILD_SUBREAPER");
	return 0;
}

/* After create, because the container would inherit it. */
static int
monitor_score(struct monitor *m)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	(void)m;
	if (fd == -1)
		return 0;
	/* Refused without CAP_SYS_RESOURCE: then it stays the daemon's. */
	if (write(fd, "-998", 4) == -1)
		errno = 0;
	(void)close(fd);
	return 0;
}

static int
monitor_say(char kind, const char *text, size_t len)
{
	struct iovec iov[2] = { { &kind, 1 } };
	struct msghdr mh;

	memset(&mh, 0, sizeof(mh));
	memcpy(&iov[1].iov_base, &text, sizeof(text));
	iov[1].iov_len = len;
	mh.msg_iov = iov;
	mh.msg_iovlen = 2;
	return sendmsg(MONITOR_FD_REPORT, &mh, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

static int
monitor_offer(struct monitor *m)
{
	char number[12], go;
	const char *pid = monitor_number(number, (uint32_t)m->pid);

	if (monitor_say(MONITOR_REPORT_PID, pid, strlen(pid)) == -1)
		return monitor_fail(m, "report");
	if (recv(MONITOR_FD_REPORT, &go, 1, 0) != 1 ||
	    go != MONITOR_REPORT_GO) {
		monitor_text(m, "not wanted");
		return -1;
	}
	return 0;
}

static void
monitor_on_child(int sig)
{
	(void)sig; /* only to end ppoll */
}

/* After create: ignored signals and the mask are inherited across exec. */
static int
monitor_signals(struct monitor *m)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
		SIGPIPE, SIGTTOU, SIGTTIN };
	struct sigaction sa;
	sigset_t mask;

	(void)m;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = monitor_on_child;
	(void)sigaction(SIGCHLD, &sa, NULL);
	return 0;
}

static int
monitor_confine(struct monitor *m)
{
	struct drop d = {
		.rootfd = MONITOR_FD_EMPTY,
		.uid = m->uid,
		.gid = m->gid,
		.filter = &filter_monitor,
	};
	const char *what;

	/* What is said from here on must not keep the daemon's log open. */
	if (dup2(MONITOR_FD_STDERR, STDERR_FILENO) == -1)
		return monitor_fail(m, "descriptor 2");
	(void)close(MONITOR_FD_STDERR);
	(void)close(MONITOR_FD_SCRATCH);
	(void)close(MONITOR_FD_BUNDLE);
	what = drop_enter(&d);
	if (what != NULL)
		return monitor_fail(m, what);
	return monitor_say(MONITOR_REPORT_CONFINED, "", 0) == -1
		   ? monitor_fail(m, "report")
		   : 0;
}

static const struct {
	const char *name;
	int (*fn)(struct monitor *);
} monitor_steps[] = {
	{ "session", monitor_session },
	{ "standard output", monitor_stdio },
	{ "runtime", monitor_create },
	{ "signals", monitor_signals },
	{ "OOM score", monitor_score },
	{ "OOM events", monitor_watch_oom },
	{ "exit record", monitor_exit_file },
	{ "socket", monitor_listen },
	{ "offer", monitor_offer },
	{ "confinement", monitor_confine },
};

/*
 * The launcher removes what is left of a container; but if it is gone, this
 * is the last who knows its pid.
 */
static void
monitor_abort(struct monitor *m)
{
	if (m->pidfd != -1)
		(void)syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL,
		    0);
	(void)monitor_say(MONITOR_REPORT_ERROR, m->text, m->text_len);
	_exit(1);
}

int
main(int argc, char **argv)
{
	struct monitor *m = &monitor;

	if (argc < MONITOR_ARG_COUNT ||
	    argc > MONITOR_ARG_COUNT + MONITOR_MORE_MAX)
		return 2;
	failpoint_init("monitor");
	monitor_args(m, argv);
	for (size_t i = 0; i < sizeof(monitor_steps) / sizeof(*monitor_steps);
	     i++) {
		if (failpoint(monitor_steps[i].name, NULL) == -1)
			(void)monitor_fail(m, monitor_steps[i].name);
		else if (monitor_steps[i].fn(m) == 0)
			continue;
		monitor_abort(m);
	}
	(void)close(MONITOR_FD_REPORT);
	monitor_run(m);
	_exit(0);
}
