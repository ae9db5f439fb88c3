#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/ctr_flags.h"
#include "execd/mon.h"
#include "execd/stream.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/record.h"

#define MON_TRIES    50
#define MON_RETRY_MS 100

static void mon_take_state(void *ctx, struct link_call *call,
    struct link_msg *m);
static void mon_lost(void *ctx, struct link *link, const char *breach);

static const struct link_handler mon_handlers[] = {
	{ MSG_MON_STATE, mon_take_state },
};

static const struct link_def mon_def = {
	.self = ROLE_EXECD,
	.peer = ROLE_MONITOR,
	.handlers = mon_handlers,
	.nhandlers = 1,
	.lost = mon_lost,
	.other_version = true,
};

/* A full disk, mostly; the container does not wait for it. */
static void
mon_lost_lines(struct ctr *c, const struct fixed_mon_state *s)
{
	if (s->log_lost <= c->log_lost)
		return;
	c->log_lost = s->log_lost;
	log_warn("container %s: %llu log lines were lost", c->id,
	    (unsigned long long)s->log_lost);
}

static void
mon_end(struct ctr *c, const struct fixed_mon_state *s)
{
	struct ctr_end end = { .set = true,
		.code = s->exit_code,
		.finished_at = s->finished_at,
		.oom = s->oom != 0 };

	mon_lost_lines(c, s);
	ctr_ended(c, &end);
}

static void
mon_take_state(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct ctr *c = ctx;
	const struct fixed_mon_state *s = m->body;

	(void)call;
	c->mon_version = s->version;
	if (s->state == MON_STATE_EXITED)
		mon_end(c, s);
	else
		mon_lost_lines(c, s);
}

void
mon_read_end(struct ctr *c)
{
	CLEANUP_FD int dir = ctr_open_dir(c);
	CLEANUP_FREE uint8_t *buf = NULL;
	struct fixed_mon_state s;
	size_t len;

	/* An exit file that is still all zero is no record. */
	if (dir == -1 ||
	    record_read(dir, CTR_EXIT_FILE, c->id, &buf, &len, NULL) == -1)
		return;
	if (fixed_decode_part(&fixed_desc_mon_state, buf, len, &s) == 0 &&
	    s.state == MON_STATE_EXITED)
		mon_end(c, &s);
}

void
mon_close(struct ctr *c)
{
	struct cerr gone;

	stream_ctr_gone(c);
	if (c->mon_timer != NULL)
		event_free(c->mon_timer);
	c->mon_timer = NULL;
	if (c->mon != NULL)
		link_free(c->mon);
	c->mon = NULL;
	(void)cerr_set(&gone, CERR_UNAVAILABLE, "container %s is gone", c->id);
	execd_wait_end(&c->reopens, MSG_CTR_REOPENED, &gone);
}

/* ---- a container without a monitor ---- */

struct mon_burial {
	struct execd *x;
	char id[ID_SIZE];
};

static void
mon_buried(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct mon_burial *b = arg;
	struct ctr *c = ctr_find(b->x, b->id);
	struct ctr_end end = { .set = true,
		.code = 255,
		.unknown = true,
		.finished_at = wall_now_ns() };

	(void)m;
	free(b);
	if (c == NULL || !c->orphan)
		return;
	/* Without its launcher nobody can be sure: later. */
	if (err != NULL && err->code != CERR_NOT_FOUND) {
		log_warn("container %s: cannot be killed: %s", c->id,
		    err->text);
		return;
	}
	c->orphan = false;
	ctr_ended(c, &end);
}

/*
 * Nobody writes its log or will see its end: what is left of it is killed,
 * and its end reported as unknown.
 */
void
mon_bury(struct ctr *c)
{
	struct fixed_ctr_signal body = { .runtime = c->runtime,
		.signal = SIGKILL };
	struct mon_burial *b;

	mon_read_end(c);
	if (c->end.set)
		return;
	if (!c->orphan)
		log_warn("container %s: its monitor is gone", c->id);
	c->orphan = true;
	b = execd_alloc(1, sizeof(*b));
	b->x = c->x;
	memcpy(b->id, c->id, sizeof(b->id));
	memcpy(body.ctr, c->id, sizeof(body.ctr));
	(void)link_request(execd_launcher(c->x), MSG_L_CTR_SIGNAL, &body, NULL,
	    0, mono_after_ms(EXECD_STEP_MS), mon_buried, b);
}

/* ---- connecting ---- */

static int
mon_dial(struct ctr *c)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, n;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "/%s/%s", c->id,
	    CTR_MONITOR_SOCK);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1)
		fdio_close(&fd);
	return fd;
}

static void
mon_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mon_connect(arg);
}

static void
mon_retry(struct ctr *c)
{
	struct timeval tv = { 0, MON_RETRY_MS * 1000 };

	if (c->mon_timer == NULL)
		c->mon_timer =
		    evtimer_new(helper_base(c->x->helper), mon_again, c);
	if (c->mon_timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(c->mon_timer, &tv);
}

void
mon_connect(struct ctr *c)
{
	int fd;

	if (c->end.set || c->undo != CTR_UNDO_NONE)
		return;
	fd = mon_dial(c);
	if (fd == -1 && errno == EAGAIN && c->mon_tries++ < MON_TRIES) {
		mon_retry(c);
		return;
	}
	if (fd == -1) {
		mon_bury(c);
		return;
	}
	c->mon_tries = 0;
	if (c->mon == NULL)
		c->mon = link_new(helper_base(c->x->helper), &mon_def, c);
	link_attach(c->mon, fd);
}

/*
 * An ordinary end follows the exit.  Otherwise the monitor died or cut us
 * off: the next attempt to connect tells which.
 */
static void
mon_lost(void *ctx, struct link *link, const char *breach)
{
	struct ctr *c = ctx;

	(void)link;
	if (breach != NULL)
		log_warn("container %s: its monitor broke the protocol: %s",
		    c->id, breach);
	if (!c->end.set && c->mon_tries++ < MON_TRIES)
		mon_retry(c);
	else if (!c->end.set)
		mon_bury(c);
}

/* ---- requests ---- */

/* The monitor answers in order: this is about the oldest. */
static void
mon_log_taken(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;
	struct execd_wait *w = SIMPLEQ_FIRST(&c->reopens);
	struct execd_waits one;

	(void)m;
	SIMPLEQ_REMOVE_HEAD(&c->reopens, entry);
	SIMPLEQ_INIT(&one);
	SIMPLEQ_INSERT_TAIL(&one, w, entry);
	execd_wait_end(&one, MSG_CTR_REOPENED, err);
}

void
mon_log(struct ctr *c, int fd, struct link_call *call)
{
	struct fixed_none none = { 0 };
	struct cerr err;

	if (c->mon == NULL) {
		fdio_close(&fd);
		(void)cerr_set(&err, CERR_UNAVAILABLE,
		    "container %s: no monitor", c->id);
		link_refuse(call, &err);
		return;
	}
	execd_wait_add(&c->reopens, call);
	(void)link_request(c->mon, MSG_MON_LOG, &none, &fd, 1,
	    mono_after_ms(EXECD_MONITOR_MS), mon_log_taken, c);
}

int
mon_attach(struct ctr *c, int fd, uint32_t streams, link_reply_fn fn, void *arg,
    uint32_t *request, struct cerr *err)
{
	struct fixed_mon_attach body = { .streams = streams };

	if (c->mon != NULL && c->mon_version >= MON_VERSION_ATTACH) {
		*request = link_request(c->mon, MSG_MON_ATTACH, &body, &fd, 1,
		    mono_after_ms(EXECD_MONITOR_MS), fn, arg);
		return 0;
	}
	fdio_close(&fd);
	if (c->mon_version == 0)
		return cerr_set(err, CERR_UNAVAILABLE,
		    "container %s: its monitor has not answered yet", c->id);
	return cerr_set(err, CERR_FAILED_PRECONDITION,
	    "container %s was made by an older version, whose monitor "
	    "cannot attach",
	    c->id);
}
