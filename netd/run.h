#ifndef CRIOD_NETD_RUN_H
#define CRIOD_NETD_RUN_H

/*
 * One plugin run by the launcher: its input as a sealed file, its output
 * collected from pipes, within bounds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "lib/mono.h"

struct event_base;
struct link;
struct run;
struct runner;

#define RUN_MAX	       32 /* processes at once; more wait their turn */
#define RUN_STDERR_MAX 4096

struct run_request { /* borrowed for the call */
	const char *plugin, *command;
	const char *pod, *ifname, *args; /* "" where none apply */
	uint32_t netns;			 /* NETNS_* */
	const char *input;
	size_t input_len;
	struct mono deadline; /* must be set */
};

struct run_output {
	int exit_code;	    /* 128 + N: killed by signal N */
	const uint8_t *out; /* standard output, whole */
	size_t out_len;
	const char *errout; /* the start of standard error */
};

/* out is NULL if err is set: the plugin did not run, or not to its end. */
typedef void (
    *run_fn)(void *arg, const struct run_output *out, const struct cerr *err);

/* Borrows both.  Never NULL (fatal). */
struct runner *runner_new(struct event_base *base, struct link *launcher);
/* The launcher is back: what waits for it can run. */
void runner_attached(struct runner *rn);

/*
 * fn is called once, from the event loop, when the plugin and all that it
 * started are gone.
 */
struct run *run_start(struct runner *rn, const struct run_request *req,
    run_fn fn, void *arg);
/* Has the plugin killed; fn is still called, with CANCELLED. */
void run_abort(struct run *r);

#endif
