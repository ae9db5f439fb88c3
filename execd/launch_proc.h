#ifndef CRIOD_EXECD_LAUNCH_PROC_H
#define CRIOD_EXECD_LAUNCH_PROC_H

/*
 * Processes by pid and start time, and what /proc says of them.  The parsers
 * take the text, so that they can be tested alone.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/cerr.h"

struct proc_stat {
	char state; /* 'Z' and 'X' are dead */
	pid_t ppid, session;
	uint64_t start_time; /* field 22 of proc_pid_stat(5) */
};

struct proc_status {
	uint32_t uid[4], gid[4];
	uint64_t inh, prm, eff, bnd, amb;
	uint32_t nnp, seccomp;
};

int proc_stat_parse(const char *text, struct proc_stat *out)
    __attribute__((warn_unused_result));
int proc_status_parse(const char *text, struct proc_status *out)
    __attribute__((warn_unused_result));

/* -1 if there is no such process. */
int proc_stat_read(pid_t pid, struct proc_stat *out)
    __attribute__((warn_unused_result));
int proc_status_read(pid_t pid, struct proc_status *out)
    __attribute__((warn_unused_result));

/* A pidfd of exactly that process, alive; -1 if it is gone. */
int proc_open(pid_t pid, uint64_t start_time);
int proc_signal(int pidfd, int sig);
/* True once it has ended, at most ms later. */
bool proc_wait(int pidfd, int ms);

#endif
