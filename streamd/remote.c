#include <sys/ioctl.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "streamd/attach.h"
#include "streamd/client.h"
#include "streamd/pump.h"
#include "streamd/remote.h"
#include "streamd/resize.h"
#include "streamd/session.h"
#include "streamd/spdy.h"
#include "streamd/status.h"

/* The numbers of a WebSocket's channels. */
enum remote_flow {
	REMOTE_IN,
	REMOTE_OUT,
	REMOTE_ERR,
	REMOTE_STATUS,
	REMOTE_RESIZE,
	REMOTE_NFLOWS,
};

/* After the exit, if a grandchild holds a pipe. */
#define REMOTE_QUIET_MS 1000
/*
 * What a command wrote before it ended is in a pipe, which holds no more than
 * this; whatever follows is its grandchildren's.
 */
#define REMOTE_TAIL_MAX (1024U * 1024)
#define REMOTE_TEXT_MAX 1024

enum remote_pump {
	REMOTE_PUMP_IN,
	REMOTE_PUMP_OUT, /* both directions of a terminal */
	REMOTE_PUMP_ERR,
	REMOTE_NPUMPS,
};

struct remote {
	struct session s;
	struct flow *flows[REMOTE_NFLOWS];
	bool asked;    /* STREAM_BEGIN was sent */
	bool running;  /* the descriptors came */
	bool finished; /* the client was told the end */
	struct pump *pumps[REMOTE_NPUMPS];
	struct attach *attach;
	bool tty;
	struct resize resize;
	struct resize_size size;
	bool sized;
	uint64_t tail[REMOTE_NPUMPS]; /* moved when the command ended */
	struct event *timer;
	int32_t code;
	char why[REMOTE_TEXT_MAX]; /* not empty: it did not run, or is lost */
};

static const char *const remote_names[] = {
	[REMOTE_IN] = "stdin",
	[REMOTE_OUT] = "stdout",
	[REMOTE_ERR] = "stderr",
	[REMOTE_STATUS] = "error",
	[REMOTE_RESIZE] = "resize",
};

static struct remote *
remote_of(struct session *s)
{
	return (struct remote *)s;
}

static void
remote_expect(struct remote *r, int64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	(void)evtimer_add(r->timer, &tv);
}

/* ---- the end ---- */

static void
remote_detach(struct remote *r)
{
	for (size_t i = 0; i < REMOTE_NPUMPS; i++) {
		pump_free(r->pumps[i]);
		r->pumps[i] = NULL;
	}
	attach_free(r->attach);
	r->attach = NULL;
}

static void
remote_say_status(struct remote *r)
{
	struct flow *f = r->flows[REMOTE_STATUS];
	char *text = status_text(r->s.proto->version, r->code,
	    r->why[0] != '\0' ? r->why : NULL);

	if (f != NULL && text != NULL && *text != '\0')
		flow_send(f, text, strlen(text));
	free(text);
}

/* The status comes last, when all output is on its way. */
static void
remote_finish(struct remote *r)
{
	if (r->finished)
		return;
	r->finished = true;
	(void)event_del(r->timer);
	remote_detach(r);
	session_release(&r->s);
	remote_say_status(r);
	for (size_t i = 0; i < REMOTE_NFLOWS; i++) {
		if (r->flows[i] == NULL)
			continue;
		flow_ignore(r->flows[i]);
		flow_finish(r->flows[i]);
	}
	client_finish(r->s.client);
}

static void
remote_fail(struct remote *r, const char *why)
{
	if (r->why[0] == '\0')
		(void)snprintf(r->why, sizeof(r->why), "%s", why);
	remote_finish(r);
}

static bool
remote_drained(const struct remote *r)
{
	bool drained = r->attach == NULL;

	for (size_t i = 0; i < REMOTE_NPUMPS; i++)
		drained = drained &&
			  (r->pumps[i] == NULL || pump_read_ended(r->pumps[i]));
	return drained;
}

static bool
remote_held(const struct remote *r)
{
	bool held = r->attach != NULL && attach_held(r->attach);

	for (size_t i = 0; i < REMOTE_NPUMPS; i++)
		held = held || (r->pumps[i] != NULL && pump_held(r->pumps[i]));
	return held;
}

/* Is all that the command itself can have written through? */
static bool
remote_tail_done(const struct remote *r)
{
	for (size_t i = 0; i < REMOTE_NPUMPS; i++) {
		if (r->pumps[i] != NULL && !pump_read_ended(r->pumps[i]) &&
		    pump_moved(r->pumps[i]) - r->tail[i] <= REMOTE_TAIL_MAX)
			return false;
	}
	return r->attach == NULL;
}

static void
remote_check(struct remote *r)
{
	if (!r->s.exited || r->finished)
		return;
	if (remote_drained(r) || remote_tail_done(r))
		remote_finish(r);
	else
		remote_expect(r, REMOTE_QUIET_MS);
}

static void
remote_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct remote *r = arg;

	(void)fd;
	(void)what;
	if (!r->asked)
		remote_fail(r, "the client did not make its streams in time");
	else if (!r->running && !r->s.exited)
		remote_fail(r, "the command did not start in time");
	else if (r->s.exited && remote_held(r))
		remote_expect(r, REMOTE_QUIET_MS);
	else if (r->s.exited)
		remote_finish(r);
}

/* ---- what runs ---- */

static void
remote_on_moved(void *arg)
{
	remote_check(arg);
}

static void
remote_on_pump_ended(void *arg, struct pump *p)
{
	static const enum remote_flow flows[] = { REMOTE_IN, REMOTE_OUT,
		REMOTE_ERR };
	struct remote *r = arg;

	for (size_t i = 0; i < REMOTE_NPUMPS; i++) {
		if (r->pumps[i] == p && pump_read_ended(p) &&
		    i != REMOTE_PUMP_IN && r->flows[flows[i]] != NULL)
			flow_finish(r->flows[flows[i]]);
	}
	remote_check(r);
}

/* The monitor goes when its container has. */
static void
remote_on_attach_ended(void *arg)
{
	struct remote *r = arg;

	r->s.exited = true;
	r->code = 0;
	remote_finish(r);
}

static const struct pump_def remote_pump_def = {
	.moved = remote_on_moved,
	.ended = remote_on_pump_ended,
};

static const struct attach_def remote_attach_def = {
	.moved = remote_on_moved,
	.ended = remote_on_attach_ended,
};

static void
remote_apply_size(struct remote *r)
{
	struct winsize w = { .ws_col = r->size.columns,
		.ws_row = r->size.rows };

	if (!r->sized)
		return;
	if (r->attach != NULL)
		attach_resize(r->attach, &r->size);
	else if (r->tty && r->pumps[REMOTE_PUMP_OUT] != NULL)
		(void)ioctl(pump_fd(r->pumps[REMOTE_PUMP_OUT]), TIOCSWINSZ, &w);
}

static void
remote_on_resize(void *arg, struct flow *f)
{
	struct remote *r = arg;
	char text[RESIZE_TEXT_MAX];
	bool some = false;
	int n;

	while ((n = evbuffer_remove(f->in, text, sizeof(text))) > 0) {
		flow_took(f, (size_t)n);
		if (resize_take(&r->resize, text, (size_t)n, &r->size))
			some = true;
	}
	r->sized = r->sized || some;
	if (some)
		remote_apply_size(r);
}

static void
remote_on_stdin(void *arg, struct flow *f)
{
	struct remote *r = arg;

	(void)f;
	if (r->attach != NULL)
		attach_push(r->attach);
	else if (r->tty && r->pumps[REMOTE_PUMP_OUT] != NULL)
		pump_push(r->pumps[REMOTE_PUMP_OUT]);
	else if (r->pumps[REMOTE_PUMP_IN] != NULL)
		pump_push(r->pumps[REMOTE_PUMP_IN]);
}

static struct flow *
remote_if(struct remote *r, bool wanted, enum remote_flow which)
{
	return wanted ? r->flows[which] : NULL;
}

static int
remote_add_pump(struct remote *r, enum remote_pump which, enum pump_kind kind,
    int fd, struct flow *to, struct flow *from)
{
	r->pumps[which] =
	    pump_new(r->s.all->base, fd, kind, to, from, &remote_pump_def, r);
	return r->pumps[which] == NULL ? -1 : 0;
}

static int
remote_use_pipes(struct remote *r, struct link_msg *m)
{
	const struct want *w = &r->s.want;
	size_t i = 0;

	if (m->nfds != (size_t)w->in + w->out + w->err)
		return -1;
	if (w->in && remote_add_pump(r, REMOTE_PUMP_IN, PUMP_PIPE,
			 link_take_fd(m, i++), NULL, r->flows[REMOTE_IN]) == -1)
		return -1;
	if (w->out &&
	    remote_add_pump(r, REMOTE_PUMP_OUT, PUMP_PIPE, link_take_fd(m, i++),
		r->flows[REMOTE_OUT], NULL) == -1)
		return -1;
	if (w->err && remote_add_pump(r, REMOTE_PUMP_ERR, PUMP_PIPE,
			  link_take_fd(m, i), r->flows[REMOTE_ERR], NULL) == -1)
		return -1;
	return 0;
}

static int
remote_use_tty(struct remote *r, struct link_msg *m)
{
	const struct want *w = &r->s.want;

	r->tty = true;
	if (m->nfds != 1)
		return -1;
	return remote_add_pump(r, REMOTE_PUMP_OUT, PUMP_TTY, link_take_fd(m, 0),
	    remote_if(r, w->out, REMOTE_OUT), remote_if(r, w->in, REMOTE_IN));
}

static int
remote_use_attach(struct remote *r, struct link_msg *m)
{
	const struct want *w = &r->s.want;

	if (m->nfds != 1)
		return -1;
	r->attach = attach_new(r->s.all->base, link_take_fd(m, 0),
	    remote_if(r, w->in, REMOTE_IN), remote_if(r, w->out, REMOTE_OUT),
	    remote_if(r, w->err, REMOTE_ERR), &remote_attach_def, r);
	return r->attach == NULL ? -1 : 0;
}

static void
remote_stdio(struct session *s, unsigned int kind, struct link_msg *m)
{
	static int (*const uses[])(struct remote * r, struct link_msg * m) = {
		[CRIOD__STREAM_STDIO__KIND__PIPES] = remote_use_pipes,
		[CRIOD__STREAM_STDIO__KIND__TTY] = remote_use_tty,
		[CRIOD__STREAM_STDIO__KIND__ATTACH] = remote_use_attach,
	};
	struct remote *r = remote_of(s);

	if (!r->asked || r->running || r->finished)
		return;
	if (kind >= sizeof(uses) / sizeof(uses[0]) || uses[kind](r, m) == -1) {
		log_warn("%s: its descriptors cannot be used", s->want.id);
		remote_fail(r, "its descriptors cannot be used");
		return;
	}
	r->running = true;
	if (!s->exited)
		(void)event_del(r->timer);
	remote_apply_size(r);
}

static void
remote_exited(struct session *s, int32_t code, const char *text)
{
	struct remote *r = remote_of(s);

	if (r->finished)
		return;
	if (*text != '\0') {
		remote_fail(r, text);
		return;
	}
	r->code = s->want.kind == WANT_ATTACH ? 0 : code;
	for (size_t i = 0; i < REMOTE_NPUMPS; i++)
		r->tail[i] = r->pumps[i] == NULL ? 0 : pump_moved(r->pumps[i]);
	remote_check(r);
}

/* An attached client has its monitor, which lives on. */
static void
remote_lost(struct session *s)
{
	struct remote *r = remote_of(s);

	if (r->asked && !s->exited && r->attach == NULL)
		remote_fail(r,
		    "the exec daemon ended, its outcome is not known");
}

/* ---- the beginning ---- */

/* A bit for each flow that the client has to make. */
static unsigned int
remote_needs(const struct remote *r)
{
	const struct want *w = &r->s.want;

	return 1U << REMOTE_STATUS | (unsigned int)w->in << REMOTE_IN |
	       (unsigned int)w->out << REMOTE_OUT |
	       (unsigned int)w->err << REMOTE_ERR |
	       (unsigned int)(w->tty && r->s.proto->version >= 3)
		   << REMOTE_RESIZE;
}

static void
remote_try_begin(struct remote *r)
{
	unsigned int have = 0;

	for (unsigned int i = 0; i < REMOTE_NFLOWS; i++)
		have |= r->flows[i] == NULL ? 0 : 1U << i;
	if (r->asked || (have & remote_needs(r)) != remote_needs(r))
		return;
	r->asked = true;
	(void)event_del(r->timer);
	session_begin(&r->s);
}

static void
remote_adopt(struct remote *r, unsigned int i, struct flow *f)
{
	r->flows[i] = f;
	f->arg = r;
	if (i == REMOTE_IN && r->s.want.in)
		f->event = remote_on_stdin;
	else if (i == REMOTE_RESIZE && r->s.want.tty)
		f->event = remote_on_resize;
}

static int
remote_open(void *arg, struct flow *f, const struct spdy_headers *h)
{
	struct remote *r = arg;
	struct spdy_text type = spdy_header_get(h, "streamtype");

	for (unsigned int i = 0; i < REMOTE_NFLOWS; i++) {
		if (type.len != strlen(remote_names[i]) ||
		    memcmp(type.p, remote_names[i], type.len) != 0)
			continue;
		if (r->flows[i] != NULL || r->finished)
			return -1;
		remote_adopt(r, i, f);
		remote_try_begin(r);
		return 0;
	}
	return -1;
}

static void
remote_room(void *arg)
{
	struct remote *r = arg;

	for (size_t i = 0; i < REMOTE_NPUMPS; i++) {
		if (r->pumps[i] != NULL)
			pump_pull(r->pumps[i]);
	}
	if (r->attach != NULL)
		attach_pull(r->attach);
}

static void
remote_gone(void *arg, const char *why)
{
	struct remote *r = arg;

	session_end(&r->s, why);
}

const struct client_def remote_client = {
	.open = remote_open,
	.room = remote_room,
	.gone = remote_gone,
};

/* All channels are there; an empty message on one says so. */
static int
remote_make_channels(struct remote *r)
{
	const struct want *w = &r->s.want;
	enum remote_flow first = w->out	  ? REMOTE_OUT
				 : w->err ? REMOTE_ERR
					  : REMOTE_STATUS;

	for (unsigned int i = 0; i < REMOTE_NFLOWS; i++) {
		struct flow *f = client_channel(r->s.client, i);

		if (f == NULL)
			return -1;
		remote_adopt(r, i, f);
	}
	flow_send(r->flows[first], "", 0);
	remote_try_begin(r);
	return 0;
}

static int
remote_start(struct session *s)
{
	struct remote *r = remote_of(s);

	r->timer = evtimer_new(s->all->base, remote_on_time, r);
	if (r->timer == NULL)
		return -1;
	remote_expect(r, SESSION_WAIT_MS);
	return s->proto->transport == UPGRADE_WEBSOCKET
		   ? remote_make_channels(r)
		   : 0;
}

static void
remote_begun(struct session *s, const char *why)
{
	struct remote *r = remote_of(s);

	if (why != NULL)
		remote_fail(r, why);
	else if (!r->running && !s->exited)
		remote_expect(r, SESSION_WAIT_MS);
}

static void
remote_clean(struct session *s)
{
	struct remote *r = remote_of(s);

	remote_detach(r);
	if (r->timer != NULL)
		event_free(r->timer);
}

const struct session_type remote_type = {
	.size = sizeof(struct remote),
	.start = remote_start,
	.begun = remote_begun,
	.stdio = remote_stdio,
	.exited = remote_exited,
	.lost = remote_lost,
	.clean = remote_clean,
};
