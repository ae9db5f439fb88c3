#ifndef CRIOD_NETD_LAUNCH_JOB_H
#define CRIOD_NETD_LAUNCH_JOB_H

/* The plugins that run now. */

#include "imsg/link.h"

struct event_base;
struct fixed_plugin_run;

#define LAUNCH_JOBS_MAX	      64
#define LAUNCH_TIMEOUT_MAX_MS (15 * 60 * 1000)

struct launch_jobs;

struct launch_jobs_def {
	struct event_base *base;
	const char *plugin_dir; /* also CNI_PATH */
	const char *netns_dir;	/* STATE/ns */
	int groups;		/* see launch_group_open */
	int own_netns;
};

/* Borrows def.  Never NULL (fatal). */
struct launch_jobs *launch_jobs_new(const struct launch_jobs_def *def);
/* Ends everything that runs, waiting for it; nobody is told. */
void launch_jobs_free(struct launch_jobs *jobs);

/*
 * Runs one plugin; ends call with PLUGIN_DONE when it and all that it started
 * is gone, or with FAIL.
 */
void launch_job_start(struct launch_jobs *jobs, struct link_call *call,
    struct link_msg *m);

#endif
