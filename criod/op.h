#ifndef CRIOD_CRIOD_OP_H
#define CRIOD_CRIOD_OP_H

/*
 * Work of several steps that never blocks: a const table of steps, each with
 * what it does and what undoes it.  A step starts something and says later,
 * or at once, by op_next that it ended.  When one fails, it and those before
 * it are undone in reverse order (so an undo must be harmless where nothing
 * was done).  What cannot be undone is tried again with back-off until it
 * can.  The others are undone meanwhile, unless a peer is only away
 * (UNAVAILABLE): what it would undo may need the steps before.  The first
 * step that has an undo (the one that wrote the record) is undone last,
 * after all others have succeeded.
 */

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"
#include "lib/cerr.h"

struct event_base;
struct link;
struct op;

struct op_step {
	const char *name;			/* for the log */
	void (*run)(void *ctx, struct op *op);	/* NULL: nothing */
	void (*undo)(void *ctx, struct op *op); /* NULL: nothing */
};

struct op_def {
	const char *name;
	const struct op_step *steps; /* at most OP_STEPS_MAX */
	size_t nsteps;
	/*
	 * The end, once: err is NULL when every step succeeded, else what
	 * failed; then all undoing has been tried at least once.  After NULL
	 * the op is gone and ctx may be freed.
	 */
	void (*done)(void *ctx, const struct cerr *err);
	/* After an error: all is undone, the op is gone.  May free ctx. */
	void (*undone)(void *ctx);
};

#define OP_STEPS_MAX 16

/* Runs the steps from the event loop.  Borrows def and ctx. */
struct op *op_start(struct event_base *base, const struct op_def *def,
    void *ctx);
/* Undoes all steps, done before by a process or op that is no more; only
 * undone is called. */
struct op *op_undo(struct event_base *base, const struct op_def *def,
    void *ctx);

/* The running step (or undo) ended; err is NULL if well. */
void op_next(struct op *op, const struct cerr *err);

/* Takes the reply's body for a step. */
typedef void (*op_take_fn)(void *ctx, const void *body);
/* A step that is one request: its reply ends the step.  take may be NULL. */
void op_request(struct op *op, struct link *link, enum msg_type type,
    const void *body, int64_t ms, op_take_fn take);

/* Fails the op as soon as it can: now if a request is waited for, else at
 * the end of the running step.  Nothing if it is being undone. */
void op_abort(struct op *op, const struct cerr *err);
/* When undoing waits to be tried again: tries now (a peer is back). */
void op_hurry(struct op *op);

#endif
