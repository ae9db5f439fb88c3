#ifndef CRIOD_PARENT_PROC_H
#define CRIOD_PARENT_PROC_H

/* One supervised helper. */

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "imsg/role.h"

struct link;
struct parent;
struct plan;
struct proc;
struct roles_info;

/* Takes plan.  Nothing runs yet.  Fatal without memory. */
struct proc *proc_new(struct parent *parent, const struct roles_info *info,
    struct plan *plan);
void proc_free(struct proc *p);

/*
 * Forks, and sends BOOT, listeners, files and links.  -1: it is logged and
 * will be tried again.
 */
int proc_start(struct proc *p);
/* After the first proc_start of all: links among all, and START to each. */
void proc_begin(struct proc *p);

/* The audit log, if p is there and for it. */
void proc_send_audit(struct proc *p);

/* STOP, then SIGKILL; restarted after that unless criod itself stops. */
void proc_stop(struct proc *p);
/*
 * A new configuration: plan, which is taken, is for the next start.  That is
 * now if it differs from the old one, or must is set.
 */
void proc_reload(struct proc *p, struct plan *plan, bool must);

void proc_kill(struct proc *p, const char *why);

/*
 * Asks a running helper if it is there, unless it was asked and has not
 * answered: then it is named, or killed if it has been silent for kill_ms.
 */
void proc_ask(struct proc *p, int64_t kill_ms);
/* How long it has owed an answer; 0: it does not. */
int64_t proc_silent_ms(const struct proc *p);

/* True if pid was p's: its end is dealt with. */
bool proc_reaped(struct proc *p, pid_t pid, int status);

/* READY came, or the configuration does not want it. */
bool proc_running(const struct proc *p);
bool proc_gone(const struct proc *p); /* there is no process */
const struct roles_info *proc_info(const struct proc *p);
/* NULL while there is no process. */
struct link *proc_link(struct proc *p);

/* To streamd's metrics: restarts, deaths by its own filter, silence. */
void proc_tell_figures(const struct proc *p);

/* NULL if role is not a supervised one. */
struct proc *proc_find(struct parent *parent, unsigned int role);

/* Says how a child ended; true if its own filter killed it. */
bool proc_log_end(const char *name, pid_t pid, int status, bool expected);

#endif
