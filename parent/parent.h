#ifndef CRIOD_PARENT_PARENT_H
#define CRIOD_PARENT_PARENT_H

/* What main.c owns and the parent's own files share. */

#include <stdbool.h>
#include <stddef.h>

#include "lib/mono.h"
#include "parent/account.h"
#include "parent/conf_file.h"
#include "parent/host.h"
#include "parent/listeners.h"
#include "parent/plan.h"

struct conf;
struct event;
struct event_base;
struct proc;
struct plugins;
struct unpacks;
struct watch;

#define PARENT_PROCS_MAX 10
#define PARENT_SIGNALS	 4

struct parent {
	struct event_base *base;
	struct conf_options options;
	bool debug; /* -d: to stderr, everything */
	struct conf *conf;
	struct host host;
	struct account_ids ids[ACCOUNT_COUNT];
	struct listeners listeners;
	int null_fd, lock_fd;
	int audit_fd;			      /* of the audit log; -1: none */
	struct proc *procs[PARENT_PROCS_MAX]; /* as in roles_table */
	size_t nprocs;
	struct unpacks *unpacks;
	struct plugins *plugins;
	struct watch *watch;
	struct event *signals[PARENT_SIGNALS];
	struct event *stop_timer; /* the front has had its time */
	bool linked;		  /* first start: START may be sent */
	bool ready;		  /* it was once */
	bool reloading;		  /* READY is to be notified again */
	bool stopping;
	int status; /* of exit */
};

struct plan_facts parent_facts(const struct parent *p, const struct conf *conf);

/* Begins to stop; status is criod's exit status. */
void parent_stop(struct parent *p, int status);
/* A helper got READY or ended: see whether all are there, or all gone. */
void parent_review(struct parent *p);

#endif
