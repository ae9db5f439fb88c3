#include <sys/ioctl.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "execd/shim.h"
#include "execd/shim_pump.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/ttrpc.h"
#include "proto/task.pb-c.h"

#define PUMP_LOST	 255
#define PUMP_DRAIN_MS	 500 /* for output that the shim still holds */
#define PUMP_ASK_MS	 10000
#define PUMP_BUFFER	 16384
#define PUMP_REQUEST_MAX 1024

/* Carries bytes one way, as fast as the slower side goes. */
struct pump_way {
	int from, to; /* -1: ended */
	size_t at, len;
	uint8_t buf[PUMP_BUFFER];
};

enum pump_name {
	PUMP_IN,
	PUMP_OUT,
	PUMP_ERR,
	PUMP_WAYS,
};

struct pump {
	struct shim *shim;
	const char *id, *exec;
	struct pump_way ways[PUMP_WAYS];
	bool ended; /* what we stand for */
	int code;
	bool in_closed; /* the shim was told */
};

static struct pump pump;
static volatile sig_atomic_t pump_resized;

static void
pump_winch(int sig)
{
	(void)sig;
	pump_resized = 1;
}

void
pump_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
		SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN };
	struct sigaction sa;
	sigset_t mask;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGWINCH);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = pump_winch;
	(void)sigaction(SIGWINCH, &sa, NULL);
}

/* ---- the shim ---- */

static char *
pump_str(const char *s)
{
	static char none[1];
	char *p = none;

	/* protobuf-c takes pointers to non-const but does not write. */
	if (s != NULL)
		memcpy(&p, &s, sizeof(p));
	return p;
}

static void
pump_waited(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered)
{
	struct pump *p = arg;
	Task__Exited *m = NULL;

	(void)answered;
	if (err == NULL)
		m = task__exited__unpack(NULL, len, payload);
	p->ended = true;
	p->code = m == NULL ? PUMP_LOST : (int)(m->exit_status & 0xff);
	if (m != NULL)
		task__exited__free_unpacked(m, NULL);
}

static void
pump_ignore(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered)
{
	(void)arg;
	(void)payload;
	(void)len;
	(void)err;
	(void)answered;
}

static void
pump_ask(struct pump *p, const char *method, const void *m, int64_t ms,
    ttrpc_reply_fn fn)
{
	uint8_t buf[PUMP_REQUEST_MAX];
	struct cerr err;
	size_t len = protobuf_c_message_get_packed_size(m);

	/* Two ids and numbers. */
	if (len > sizeof(buf))
		return;
	(void)protobuf_c_message_pack(m, buf);
	if (ttrpc_call(shim_ttrpc(p->shim), SHIM_SERVICE, method, buf, len, ms,
		fn, p, &err) == -1)
		fn(p, NULL, 0, &err, false);
}

static void
pump_wait(struct pump *p)
{
	Task__Target m = TASK__TARGET__INIT;

	m.id = pump_str(p->id);
	m.exec_id = pump_str(p->exec);
	pump_ask(p, "Wait", &m, 0, pump_waited);
}

static void
pump_resize(struct pump *p)
{
	Task__ResizePty m = TASK__RESIZE_PTY__INIT;
	struct winsize ws;

	pump_resized = 0;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == -1)
		return;
	m.id = pump_str(p->id);
	m.exec_id = pump_str(p->exec);
	m.width = ws.ws_col;
	m.height = ws.ws_row;
	pump_ask(p, "ResizePty", &m, PUMP_ASK_MS, pump_ignore);
}

static void
pump_close_in(struct pump *p)
{
	Task__CloseIO m = TASK__CLOSE_IO__INIT;

	p->in_closed = true;
	m.id = pump_str(p->id);
	m.exec_id = pump_str(p->exec);
	m.stdin = true;
	pump_ask(p, "CloseIO", &m, PUMP_ASK_MS, pump_ignore);
}

/* ---- bytes ---- */

static void
way_end(struct pump_way *w)
{
	fdio_close(&w->from);
	fdio_close(&w->to);
	w->len = 0;
}

static void
way_read(struct pump_way *w)
{
	ssize_t n = read(w->from, w->buf, sizeof(w->buf));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		way_end(w);
		return;
	}
	w->at = 0;
	w->len = (size_t)n;
}

static void
way_write(struct pump_way *w)
{
	ssize_t n = write(w->to, w->buf + w->at, w->len);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		way_end(w);
		return;
	}
	w->at += (size_t)n;
	w->len -= (size_t)n;
}

static struct pollfd
way_poll(const struct pump_way *w)
{
	return w->len > 0 ? (struct pollfd){ w->to, POLLOUT, 0 }
			  : (struct pollfd){ w->from, POLLIN, 0 };
}

static void
way_serve(struct pump_way *w, short revents)
{
	if (w->from == -1 || revents == 0)
		return;
	if (w->len > 0)
		way_write(w);
	else
		way_read(w);
}

/* ---- the loop ---- */

static void
pump_once(struct pump *p, int64_t ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * MONO_NS_PER_MS };
	struct pollfd fds[PUMP_WAYS + 1];
	struct cerr err;
	sigset_t none;

	for (int i = 0; i < PUMP_WAYS; i++)
		fds[i] = way_poll(&p->ways[i]);
	fds[PUMP_WAYS] = (struct pollfd){ PUMP_FD_SHIM, POLLIN, 0 };
	if (p->ended)
		fds[PUMP_WAYS].fd = -1;
	(void)sigemptyset(&none);
	if (ppoll(fds, PUMP_WAYS + 1, ms == INT64_MAX ? NULL : &ts, &none) >
	    0) {
		for (int i = 0; i < PUMP_WAYS; i++)
			way_serve(&p->ways[i], fds[i].revents);
		if (fds[PUMP_WAYS].revents != 0 &&
		    shim_input(p->shim, &err) == -1)
			p->ended = true; /* pump_waited was told */
	}
}

static void
pump_serve(struct pump *p)
{
	while (!p->ended) {
		pump_once(p, mono_left_ms(ttrpc_deadline(shim_ttrpc(p->shim))));
		ttrpc_expire(shim_ttrpc(p->shim));
		if (pump_resized)
			pump_resize(p);
		if (p->ways[PUMP_IN].from == -1 && !p->in_closed)
			pump_close_in(p);
	}
}

/* The shim closes its ends when it has written all. */
static void
pump_drain(struct pump *p)
{
	struct mono end = mono_after_ms(PUMP_DRAIN_MS);

	way_end(&p->ways[PUMP_IN]);
	while (!mono_passed(end) &&
	       (p->ways[PUMP_OUT].from != -1 || p->ways[PUMP_ERR].from != -1))
		pump_once(p, mono_left_ms(end));
}

/*
 * The shim keeps a command that has ended until it is told.  A container stays:
 * with it would go its cgroup, which the monitor has yet to look at.
 */
static void
pump_forget(struct pump *p)
{
	Task__Target m = TASK__TARGET__INIT;
	struct cerr err;

	if (p->exec == NULL || p->code == PUMP_LOST)
		return;
	m.id = pump_str(p->id);
	m.exec_id = pump_str(p->exec);
	if (shim_call(p->shim, "Delete", &m, NULL, NULL, PUMP_ASK_MS, &err) ==
	    -1)
		return; /* "delete" will do it */
}

void
pump_run(struct shim *s, const char *id, const char *exec,
    const struct shim_io *io)
{
	const char ready = PUMP_READY;
	struct pump *p = &pump;
	bool in = io->in[0] != '\0', err = io->err[0] != '\0';

	*p = (struct pump){ .shim = s, .id = id, .exec = exec };
	p->in_closed = !in;
	p->ways[PUMP_IN].from = in ? STDIN_FILENO : -1;
	p->ways[PUMP_IN].to = in ? PUMP_FD_IN : -1;
	p->ways[PUMP_OUT].from = PUMP_FD_OUT;
	p->ways[PUMP_OUT].to = STDOUT_FILENO;
	p->ways[PUMP_ERR].from = err ? PUMP_FD_ERR : -1;
	p->ways[PUMP_ERR].to = err ? STDERR_FILENO : -1;
	pump_wait(p);
	shim_stay(s);
	if (write(PUMP_FD_READY, &ready, 1) != 1)
		_exit(PUMP_LOST);
	(void)close(PUMP_FD_READY);
	pump_serve(p);
	pump_drain(p);
	pump_forget(p);
	_exit(p->code);
}
