#include <sys/queue.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "netd/result.h"
#include "netd/run.h"

#define RUN_UNKILLED_MS 60000
#define RUN_CHUNK	4096

enum run_state {
	RUN_WAITING, /* for a free place or for the launcher */
	RUN_RUNNING,
	RUN_ENDED, /* fn is due */
};

struct run_stream {
	struct run *run;
	struct event *readable;
	int fd;
	uint8_t *data; /* a NUL behind it */
	size_t len, size, max;
	bool strict; /* more than max is an error, not cut */
};

struct run {
	TAILQ_ENTRY(run) entry;
	struct runner *rn;
	enum run_state state;
	struct fixed_plugin_run body;
	int input;
	struct run_stream out, err;
	uint32_t request;
	struct mono deadline;
	struct event *timer;
	run_fn fn;
	void *arg;
	struct cerr fail; /* code OK: none */
};

TAILQ_HEAD(run_list, run);

struct runner {
	struct event_base *base;
	struct link *launcher;
	struct run_list waiting, running;
	size_t nrunning;
};

static void runner_pump(struct runner *rn);

struct runner *
runner_new(struct event_base *base, struct link *launcher)
{
	struct runner *rn = calloc(1, sizeof(*rn));

	if (rn == NULL)
		fatal("calloc");
	rn->base = base;
	rn->launcher = launcher;
	TAILQ_INIT(&rn->waiting);
	TAILQ_INIT(&rn->running);
	return rn;
}

void
runner_attached(struct runner *rn)
{
	runner_pump(rn);
}

static void
run_stream_close(struct run_stream *s)
{
	if (s->readable != NULL)
		event_free(s->readable);
	s->readable = NULL;
	fdio_close(&s->fd);
}

static void
run_free(struct run *r)
{
	run_stream_close(&r->out);
	run_stream_close(&r->err);
	free(r->out.data);
	free(r->err.data);
	fdio_close(&r->input);
	event_free(r->timer);
	free(r);
}

static void
run_timer_set(struct run *r, struct mono when)
{
	struct timeval tv = mono_timeval(when);

	(void)evtimer_add(r->timer, &tv);
}

static struct run_list *
run_list_of(struct run *r)
{
	return r->state == RUN_WAITING ? &r->rn->waiting : &r->rn->running;
}

/* Notes the first failure. */
static void
run_note(struct run *r, const struct cerr *err)
{
	if (r->fail.code == CERR_OK)
		r->fail = *err;
}

/* The plugin is gone, or never was: fn is called from the loop. */
static void
run_end(struct run *r)
{
	TAILQ_REMOVE(run_list_of(r), r, entry);
	if (r->state == RUN_RUNNING)
		r->rn->nrunning--;
	r->state = RUN_ENDED;
	(void)event_del(r->timer);
	event_active(r->timer, EV_TIMEOUT, 0);
}

static void
run_tell(struct run *r, int exit_code)
{
	struct run_output out = { exit_code, r->out.data, r->out.len,
		r->err.data == NULL ? "" : (const char *)r->err.data };
	struct runner *rn = r->rn;

	if (r->fail.code == CERR_OK)
		r->fn(r->arg, &out, NULL);
	else
		r->fn(r->arg, NULL, &r->fail);
	run_free(r);
	runner_pump(rn);
}

/* The launcher kills the plugin; its answer still comes. */
static void
run_kill(struct run *r)
{
	struct fixed_cancel body = { r->request };

	if (r->state == RUN_RUNNING)
		(void)link_send(r->rn->launcher, MSG_CANCEL, &body, NULL, 0);
	else if (r->state == RUN_WAITING)
		run_end(r);
}

/* ---- output ---- */

static int
run_stream_grow(struct run_stream *s)
{
	size_t size = s->size == 0 ? RUN_CHUNK : s->size * 2;
	uint8_t *data = realloc(s->data, size + 1);

	if (data == NULL)
		return -1;
	s->data = data;
	s->data[s->len] = '\0';
	s->size = size;
	return 0;
}

static void
run_stream_overflow(struct run_stream *s)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_INTERNAL,
	    "plugin %s: %s: printed more than %zu bytes", s->run->body.plugin,
	    s->run->body.command, s->max);
	run_note(s->run, &err);
	run_stream_close(s);
	run_kill(s->run);
}

/* One chunk; false when there is no more now. */
static bool
run_stream_read(struct run_stream *s)
{
	uint8_t rest[RUN_CHUNK];
	ssize_t n;

	if (s->fd == -1 ||
	    (s->len == s->size && s->len < s->max && run_stream_grow(s) == -1))
		return false;
	if (s->len == s->max)
		n = read(s->fd, rest, sizeof(rest));
	else
		n = read(s->fd, s->data + s->len,
		    (s->size < s->max ? s->size : s->max) - s->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		run_stream_close(s);
		return false;
	}
	if (s->len < s->max) {
		s->len += (size_t)n;
		s->data[s->len] = '\0';
	} else if (s->strict) {
		run_stream_overflow(s);
	}
	return true;
}

static void
run_stream_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)run_stream_read(arg);
}

/* What is in the pipe when nobody can write to it any more. */
static void
run_stream_drain(struct run_stream *s)
{
	while (run_stream_read(s))
		continue;
	run_stream_close(s);
}

/* The write end goes to the plugin and is blocking, as programs expect. */
static int
run_stream_open(struct run *r, struct run_stream *s, size_t max, bool strict)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) == -1)
		return -1;
	s->run = r;
	s->fd = p[0];
	s->max = max;
	s->strict = strict;
	if (fcntl(p[0], F_SETFL, O_NONBLOCK) == -1)
		fatal("pipe");
	s->readable = event_new(r->rn->base, p[0], EV_READ | EV_PERSIST,
	    run_stream_readable, s);
	if (s->readable == NULL)
		fatalx("event_new");
	(void)event_add(s->readable, NULL);
	return p[1];
}

/* ---- the launcher ---- */

static void
run_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct run *r = arg;
	const struct fixed_plugin_done *done;
	struct cerr late;

	if (m == NULL) {
		run_note(r, err);
		run_end(r);
		return;
	}
	done = m->body;
	run_stream_drain(&r->out);
	run_stream_drain(&r->err);
	if (done->timed_out) {
		(void)cerr_set(&late, CERR_DEADLINE_EXCEEDED,
		    "plugin %s: %s: did not end in time", r->body.plugin,
		    r->body.command);
		run_note(r, &late);
	}
	TAILQ_REMOVE(&r->rn->running, r, entry);
	r->rn->nrunning--;
	r->state = RUN_ENDED;
	run_tell(r, (int)done->exit_code);
}

static int
run_send(struct run *r)
{
	int fds[3] = { r->input, -1, -1 };
	struct mono last;

	fds[1] = run_stream_open(r, &r->out, RESULT_SIZE_MAX, true);
	if (fds[1] != -1)
		fds[2] = run_stream_open(r, &r->err, RUN_STDERR_MAX, false);
	if (fds[2] == -1) {
		fdio_close(&fds[1]);
		return cerr_errno(&r->fail, "plugin %s: pipe", r->body.plugin);
	}
	r->input = -1;
	r->body.timeout_ms = (uint64_t)mono_left_ms(r->deadline);
	if (r->body.timeout_ms == 0)
		r->body.timeout_ms = 1;
	last = mono_after_ms((int64_t)r->body.timeout_ms + RUN_UNKILLED_MS);
	r->request = link_request(r->rn->launcher, MSG_PLUGIN_RUN, &r->body,
	    fds, 3, last, run_done, r);
	(void)event_del(r->timer);
	return 0;
}

static void
runner_pump(struct runner *rn)
{
	struct run *r;

	while (rn->nrunning < RUN_MAX && link_attached(rn->launcher) &&
	       (r = TAILQ_FIRST(&rn->waiting)) != NULL) {
		if (run_send(r) == -1) {
			run_end(r);
			continue;
		}
		TAILQ_REMOVE(&rn->waiting, r, entry);
		TAILQ_INSERT_TAIL(&rn->running, r, entry);
		r->state = RUN_RUNNING;
		rn->nrunning++;
	}
}

/* The end is to be told, or the deadline passed while waiting. */
static void
run_timer(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;
	struct cerr late;

	(void)fd;
	(void)what;
	if (r->state == RUN_WAITING) {
		(void)cerr_set(&late,
		    link_attached(r->rn->launcher) ? CERR_DEADLINE_EXCEEDED
						   : CERR_UNAVAILABLE,
		    "plugin %s: %s: could not be started in time",
		    r->body.plugin, r->body.command);
		run_note(r, &late);
		TAILQ_REMOVE(&r->rn->waiting, r, entry);
		r->state = RUN_ENDED;
	}
	run_tell(r, -1);
}

static void
run_fill(struct run *r, const struct run_request *req)
{
	struct fixed_plugin_run *b = &r->body;

	b->netns = req->netns;
	if (FIXED_SET_STR(b->plugin, req->plugin) == -1 ||
	    FIXED_SET_STR(b->command, req->command) == -1 ||
	    FIXED_SET_STR(b->pod, req->pod) == -1 ||
	    FIXED_SET_STR(b->ifname, req->ifname) == -1 ||
	    FIXED_SET_STR(b->args, req->args) == -1)
		(void)cerr_set(&r->fail, CERR_INTERNAL,
		    "plugin %s: parameters are too long", req->plugin);
	r->input = fdio_memfd_sealed("cni", req->input, req->input_len);
	if (r->input == -1)
		(void)cerr_errno(&r->fail, "plugin %s: input", req->plugin);
}

struct run *
run_start(struct runner *rn, const struct run_request *req, run_fn fn,
    void *arg)
{
	struct run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		fatal("calloc");
	r->rn = rn;
	r->fn = fn;
	r->arg = arg;
	r->out.fd = r->err.fd = r->input = -1;
	r->deadline = req->deadline;
	r->timer = evtimer_new(rn->base, run_timer, r);
	if (r->timer == NULL)
		fatalx("evtimer_new");
	TAILQ_INSERT_TAIL(&rn->waiting, r, entry);
	run_fill(r, req);
	if (r->fail.code != CERR_OK) {
		run_end(r);
		return r;
	}
	run_timer_set(r, r->deadline);
	runner_pump(rn);
	return r;
}

void
run_abort(struct run *r)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "plugin %s: %s: no longer wanted",
	    r->body.plugin, r->body.command);
	run_note(r, &err);
	if (r->state != RUN_ENDED)
		run_kill(r);
}
