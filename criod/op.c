#include <event2/event.h>

#include <stdlib.h>

#include "criod/op.h"
#include "criod/pb.h"
#include "imsg/link.h"
#include "lib/failpoint.h"
#include "lib/log.h"

#define OP_BACKOFF_MIN_S 1
#define OP_BACKOFF_MAX_S 120

struct op {
	struct event_base *base;
	const struct op_def *def;
	void *ctx;
	struct event *timer; /* the start, or the next try to undo */
	bool undoing, told, waiting;
	bool calling, ended; /* a step is being called; it ended */
	bool failed, aborted;
	struct cerr step_err, err, abort_err;
	size_t step;	   /* one after the step that was called last */
	unsigned int left; /* bits of the steps still to undo */
	int backoff;
	struct link *link;
	uint32_t request;
	op_take_fn take;
};

static void
op_free(struct op *op)
{
	event_free(op->timer);
	free(op);
}

static void
op_arm(struct op *op, int seconds)
{
	struct timeval tv = { seconds, 0 };

	op->waiting = true;
	(void)evtimer_add(op->timer, &tv);
}

static void
op_fail_errno(struct op *op, const char *step)
{
	struct cerr err;

	(void)cerr_errno(&err, "%s", step);
	op_next(op, &err);
}

/* Calls the step after the last; false when there is none. */
static bool
op_do(struct op *op)
{
	const struct op_step *s;

	if (op->step == op->def->nsteps) {
		if (op->def->done != NULL)
			op->def->done(op->ctx, NULL);
		op_free(op);
		return false;
	}
	s = &op->def->steps[op->step++];
	if (failpoint(op->def->name, s->name) == -1)
		op_fail_errno(op, s->name);
	else if (s->run != NULL)
		s->run(op->ctx, op);
	else
		op_next(op, NULL);
	return true;
}

static unsigned int
op_undo_bits(const struct op *op, size_t nsteps)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < nsteps; i++) {
		if (op->def->steps[i].undo != NULL)
			bits |= 1U << i;
	}
	return bits;
}

static void
op_undo_begin(struct op *op)
{
	op->undoing = true;
	op->err = op->step_err;
	op->left = op_undo_bits(op, op->step);
	op->failed = false;
	log_debug("%s: %s: %s", op->def->name,
	    op->step > 0 ? op->def->steps[op->step - 1].name : "",
	    op->err.text);
}

/* The first step with an undo goes last, when it alone is left. */
static bool
op_undo_may(const struct op *op, size_t i)
{
	unsigned int bit = 1U << i;
	unsigned int before = op_undo_bits(op, i);

	return (op->left & bit) != 0 && (before != 0 || op->left == bit);
}

/* All is undone, or the pass is over and another one comes later. */
static bool
op_undo_pass_end(struct op *op)
{
	if (!op->told && op->def->done != NULL)
		op->def->done(op->ctx, &op->err);
	op->told = true;
	if (op->left == 0) {
		if (op->def->undone != NULL)
			op->def->undone(op->ctx);
		op_free(op);
		return false;
	}
	op_arm(op, op->backoff);
	op->backoff = op->backoff * 2 > OP_BACKOFF_MAX_S ? OP_BACKOFF_MAX_S
							 : op->backoff * 2;
	return false;
}

static bool
op_undo_step(struct op *op)
{
	while (op->step > 0) {
		const struct op_step *s = &op->def->steps[--op->step];

		if (!op_undo_may(op, op->step))
			continue;
		s->undo(op->ctx, op);
		return true;
	}
	return op_undo_pass_end(op);
}

/*
 * Where a peer is away the pass ends: what it would undo may need what was
 * done before it, as a network's removal needs the namespace.
 */
static void
op_undo_result(struct op *op)
{
	const char *step = op->def->steps[op->step].name;

	if (!op->failed) {
		op->left &= ~(1U << op->step);
		return;
	}
	log_warn("%s: undoing %s: %s; will be tried again", op->def->name, step,
	    op->step_err.text);
	if (op->step_err.code == CERR_UNAVAILABLE)
		op->step = 0;
	op->failed = false;
}

static bool
op_turn(struct op *op)
{
	if (op->undoing) {
		op_undo_result(op);
		return op_undo_step(op);
	}
	if (op->aborted && !op->failed) {
		op->failed = true;
		op->step_err = op->abort_err;
	}
	if (!op->failed)
		return op_do(op);
	op_undo_begin(op);
	return op_undo_step(op);
}

static void
op_run(struct op *op)
{
	bool more = true;

	while (more && op->ended) {
		op->ended = false;
		op->calling = true;
		more = op_turn(op);
		if (more)
			op->calling = false;
	}
}

void
op_next(struct op *op, const struct cerr *err)
{
	op->request = 0;
	op->ended = true;
	op->failed = err != NULL;
	if (err != NULL)
		op->step_err = *err;
	if (!op->calling)
		op_run(op);
}

/* The start of the op, or of one more pass of undoing. */
static void
op_timer(evutil_socket_t fd, short what, void *arg)
{
	struct op *op = arg;

	(void)fd;
	(void)what;
	op->waiting = false;
	op->calling = true;
	if (op->undoing)
		op->step = op->def->nsteps;
	if (op->undoing ? op_undo_step(op) : op_turn(op)) {
		op->calling = false;
		op_run(op);
	}
}

static struct op *
op_new(struct event_base *base, const struct op_def *def, void *ctx)
{
	struct op *op = pb_calloc(1, sizeof(*op));

	if (def->nsteps > OP_STEPS_MAX)
		fatalx("op %s: too many steps", def->name);
	op->base = base;
	op->def = def;
	op->ctx = ctx;
	op->backoff = OP_BACKOFF_MIN_S;
	op->timer = evtimer_new(base, op_timer, op);
	if (op->timer == NULL)
		fatalx("evtimer_new");
	op_arm(op, 0);
	return op;
}

struct op *
op_start(struct event_base *base, const struct op_def *def, void *ctx)
{
	return op_new(base, def, ctx);
}

struct op *
op_undo(struct event_base *base, const struct op_def *def, void *ctx)
{
	struct op *op = op_new(base, def, ctx);

	op->undoing = op->told = true;
	op->left = op_undo_bits(op, def->nsteps);
	return op;
}

static void
op_reply(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct op *op = arg;

	op->request = 0;
	if (err == NULL && op->take != NULL)
		op->take(op->ctx, m->body);
	op_next(op, err);
}

void
op_request(struct op *op, struct link *link, enum msg_type type,
    const void *body, int64_t ms, op_take_fn take)
{
	op->link = link;
	op->take = take;
	op->request = link_request(link, type, body, NULL, 0, mono_after_ms(ms),
	    op_reply, op);
}

void
op_abort(struct op *op, const struct cerr *err)
{
	if (op->undoing || op->aborted)
		return;
	op->aborted = true;
	op->abort_err = *err;
	if (op->request != 0) {
		link_cancel(op->link, op->request);
		op_next(op, err);
	}
}

void
op_hurry(struct op *op)
{
	if (op->undoing && op->waiting)
		op_arm(op, 0);
}
