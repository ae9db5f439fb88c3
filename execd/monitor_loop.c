/* The monitor's life after create. */
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "execd/monitor.h"

/* Times LINE_MAX_TEXT: more than a pipe's 64 KiB. */
#define LOOP_LAST_READS 16

enum loop_slot {
	LOOP_LISTEN,
	LOOP_OUT,
	LOOP_ERR,
	LOOP_OOM,
	LOOP_STDIN,
	LOOP_CLIENTS,
	LOOP_ATTACH = LOOP_CLIENTS + MONITOR_CLIENTS_MAX,
	LOOP_COUNT = LOOP_ATTACH + MONITOR_ATTACH_MAX,
};

static void
loop_fill(const struct monitor *m, struct pollfd p[LOOP_COUNT])
{
	p[LOOP_LISTEN] = (struct pollfd){ m->listen_fd, POLLIN, 0 };
	p[LOOP_OUT] = (struct pollfd){ m->out.fd, POLLIN, 0 };
	p[LOOP_ERR] = (struct pollfd){ m->err.fd, POLLIN, 0 };
	/* v2 raises POLLPRI at each change; v1 has only its count. */
	p[LOOP_OOM] = (struct pollfd){ m->oom_fd, POLLPRI, 0 };
	for (size_t i = 0; i < MONITOR_CLIENTS_MAX; i++)
		p[LOOP_CLIENTS + i] =
		    (struct pollfd){ m->clients[i], POLLIN, 0 };
	monitor_attach_fill(m, &p[LOOP_STDIN], &p[LOOP_ATTACH]);
}

/* One read each: output without pause must not starve execd. */
static void
loop_serve(struct monitor *m, const struct pollfd p[LOOP_COUNT])
{
	if (p[LOOP_OUT].revents != 0)
		monitor_log_read(m, &m->out, false);
	if (p[LOOP_ERR].revents != 0)
		monitor_log_read(m, &m->err, false);
	if (p[LOOP_OOM].revents & POLLPRI)
		monitor_oom_read(m);
	if (p[LOOP_STDIN].revents != 0)
		monitor_attach_write(m);
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++) {
		/* Perhaps cut off meanwhile, for its output. */
		if (p[LOOP_ATTACH + i].revents != 0 && m->attach[i].fd != -1)
			monitor_attach_read(m, i);
	}
	for (size_t i = 0; i < MONITOR_CLIENTS_MAX; i++) {
		if (p[LOOP_CLIENTS + i].revents != 0)
			monitor_client_read(m, i);
	}
	if (p[LOOP_LISTEN].revents != 0)
		monitor_client_accept(m);
}

static void
loop_once(struct monitor *m, const struct timespec *timeout)
{
	struct pollfd p[LOOP_COUNT];
	sigset_t none;

	(void)sigemptyset(&none);
	loop_fill(m, p);
	if (ppoll(p, LOOP_COUNT, timeout, &none) > 0)
		loop_serve(m, p);
}

/*
 * Every child: beside the container's first process, those that were
 * orphaned in the host's PID namespace come here.
 */
static void
loop_reap(struct monitor *m)
{
	siginfo_t si;

	for (;;) {
		memset(&si, 0, sizeof(si));
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG) == -1 ||
		    si.si_pid == 0)
			return;
		if (si.si_pid != m->pid)
			continue;
		m->exited = true;
		m->finished_at = monitor_wall_ns();
		m->exit_code = (uint32_t)si.si_status +
			       (si.si_code == CLD_EXITED ? 0 : 128);
	}
}

static int64_t
loop_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
loop_tell(struct monitor *m)
{
	for (size_t i = 0; i < MONITOR_CLIENTS_MAX; i++) {
		if (m->clients[i] != -1)
			monitor_client_tell(m, i);
	}
}

/* Lines are being lost: that is told at once, then now and then. */
static void
loop_tell_lost(struct monitor *m)
{
	int64_t now;

	if (m->log_lost == m->log_told)
		return;
	now = loop_now_ms();
	if (m->log_told != 0 && now - m->log_told_ms < MONITOR_LOST_MS)
		return;
	m->log_told = m->log_lost;
	m->log_told_ms = now;
	loop_tell(m);
}

/* What a full pipe holds, then nothing more. */
static void
loop_last(struct monitor *m, struct monitor_stream *s)
{
	for (int i = 0; i < LOOP_LAST_READS && s->fd != -1; i++)
		monitor_log_read(m, s, true);
}

/*
 * Reads on until both streams end.  A process that escaped the container's
 * PID namespace (host or shared) may hold them open: it gets a moment, then
 * what is in the pipe is taken and no more.
 */
static void
loop_drain(struct monitor *m)
{
	int64_t end = loop_now_ms() + MONITOR_DRAIN_MS, left;
	struct timespec ts = { 0, 0 };

	while (m->out.fd != -1 || m->err.fd != -1) {
		left = end - loop_now_ms();
		if (left <= 0)
			break;
		ts.tv_nsec = (long)left * 1000000;
		loop_once(m, &ts);
	}
	loop_last(m, &m->out);
	loop_last(m, &m->err);
}

void
monitor_run(struct monitor *m)
{
	loop_reap(m);
	while (!m->exited) {
		loop_once(m, NULL);
		loop_reap(m);
		loop_tell_lost(m);
	}
	/* Killed processes were counted before they died. */
	monitor_oom_read(m);
	loop_drain(m);
	monitor_exit_write(m);
	loop_tell(m);
}
