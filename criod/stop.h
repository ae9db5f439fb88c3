#ifndef CRIOD_CRIOD_STOP_H
#define CRIOD_CRIOD_STOP_H

/*
 * When to signal a container that is to stop: the stop signal once, SIGKILL
 * when the grace of whoever asked for the shortest has passed, then again
 * and again, ever more rarely, for as long as it has not exited.  No clock
 * and no timer of its own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/mono.h"

#define STOP_KILL_MIN_MS   500
#define STOP_KILL_MAX_MS   120000
#define STOP_TERM_RETRY_MS 500 /* when it could not be sent */

enum stop_act {
	STOP_WAIT,
	STOP_TERM,
	STOP_KILL,
};

struct stop_plan {
	bool on;
	bool term_sent;
	unsigned int kills;
	struct mono deadline;  /* of the grace */
	struct mono next_term; /* not before, if it failed */
	struct mono next_kill;
};

/* Someone asks, with ms of grace (0 or less: none). */
void stop_plan_ask(struct stop_plan *p, int64_t ms, struct mono now);
/*
 * What to do now; *wake is when to ask again.  To be called until the
 * container has exited.
 */
enum stop_act stop_plan_next(struct stop_plan *p, struct mono now,
    struct mono *wake);
/* The stop signal reached nobody: execd was away. */
void stop_plan_term_failed(struct stop_plan *p, struct mono now);
/* execd is back: what is due may be sent now. */
void stop_plan_hurry(struct stop_plan *p, struct mono now);
bool stop_plan_killing(const struct stop_plan *p);

#endif
