#ifndef CRIOD_EXECD_LAUNCH_JOB_H
#define CRIOD_EXECD_LAUNCH_JOB_H

/*
 * A job: a child of the launcher that carries out one operation with blocking
 * calls and answers with one imsg message over a socketpair.  The launcher's
 * own process watches, ends it at its deadline or when execd no longer wants
 * it, and, if the operation failed, runs its undo as another job before it
 * answers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/launch.h"
#include "imsg/link.h"

enum launch_class {
	LAUNCH_SHORT, /* at most LAUNCH_SHORT_MAX at once, others queue */
	LAUNCH_LONG,  /* at most LAUNCH_LONG_MAX, others are refused */
	LAUNCH_EXEC,  /* LAUNCH_EXEC_MAX: commands keep nothing else waiting */
	LAUNCH_CLASSES,
};

#define LAUNCH_SHORT_MAX 64
#define LAUNCH_QUEUE_MAX 4096
#define LAUNCH_LONG_MAX	 512
#define LAUNCH_EXEC_MAX	 768 /* what front and execd allow together */
#define LAUNCH_UNDO_MS	 60000

enum launch_cancel {
	LAUNCH_COMPLETE, /* goes on, its answer is dropped */
	LAUNCH_KILL,	 /* SIGKILL, then undo */
	LAUNCH_HANGUP,	 /* its socket ends: it tidies up and ends by itself */
};

struct launch_row {
	enum msg_type type;
	launch_fn fn;
	launch_fn undo;	     /* may be NULL */
	int64_t deadline_ms; /* 0: the operation has its own */
	enum launch_class class;
	enum launch_cancel cancel;	 /* when execd cancels or goes */
	int64_t (*ms)(const void *body); /* the deadline, if not NULL */
};

struct launch_jobs *launch_jobs_new(struct launch *l);

/*
 * Starts row's operation or queues it, and ends call.  Borrows m but takes
 * its descriptors; takes sysctls.
 */
void launch_job_start(struct launch *l, const struct launch_row *row,
    struct link_call *call, struct link_msg *m, struct launch_sysctl *sysctls,
    size_t nsysctls);

#endif
