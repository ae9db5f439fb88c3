#ifndef CRIOD_EXECD_LAUNCH_RUN_H
#define CRIOD_EXECD_LAUNCH_RUN_H

/* How a job runs an OCI runtime, or one of criod's own programs. */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/launch.h"
#include "lib/mono.h"

#define RUN_ARGS_MAX (24 + LAUNCH_ARGUMENTS_MAX)
#define RUN_TEXT_MAX 4096

struct run {
	const struct launch *l;
	const char *argv[RUN_ARGS_MAX];
	size_t argc;
	int in;			 /* -1: null */
	int out, err;		 /* -1: what is said goes into text */
	char text[RUN_TEXT_MAX]; /* its end, if it is much */
	size_t text_len;
	struct mono until; /* it is killed then, if this is set */
	bool wanted;	   /* and when the launcher wants the job no more */
	bool killed;	   /* it was, for one of the two */
};

/*
 * Checks that runtime is one we were started with, and that its file is
 * root's alone.
 */
int run_runtime_check(const struct launch *l, uint32_t runtime,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * "RUNTIME --root ROOT [--systemd-cgroup] [ARGUMENT ...]"; more is added with
 * run_add.
 */
int run_begin(struct run *r, const struct launch *l, uint32_t runtime,
    char *root, size_t size, struct cerr *err)
    __attribute__((warn_unused_result));
void run_add(struct run *r, const char *arg);

/*
 * Runs it to its end, or until it is killed for its lateness.  Returns its exit
 * code (128 + signal), -1 with err if it could not be run.
 */
int run_wait(struct run *r, struct cerr *err)
    __attribute__((warn_unused_result));

/* RESOURCE_EXHAUSTED if that is what its words mean, else INTERNAL. */
enum cerr_code run_code(const char *text);

/* With what it said: "crun start: ...". */
int run_failed(const struct run *r, const char *what, int code,
    struct cerr *err);

/*
 * For a child before exec: default signals, nothing blocked, umask 022, and
 * only the n descriptors of fds open, as 0 to n - 1.
 */
void run_settle(const int *fds, size_t n);

/*
 * A null device that nobody else has: runtimes give descriptors 0 to 2 to the
 * container's user, who could then change the host's /dev/null.  -1: errno.
 */
int run_null(const struct launch *l);

/* What every program we start gets. */
char **run_environ(void);

#endif
