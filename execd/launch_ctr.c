/* Start, signals and removal of a container. */
#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/launch.h"
#include "execd/launch_label.h"
#include "execd/launch_proc.h"
#include "execd/launch_restore.h"
#include "execd/launch_run.h"
#include "execd/launch_verify.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"

#define CTR_GONE_MS    10000 /* for a killed container to be gone */
#define CTR_MONITOR_MS 2000  /* for its monitor to have written all */
#ifndef CTR_DELETE_MS
#define CTR_DELETE_MS 40000 /* for the runtime's delete */
#endif
#ifndef CTR_HUNG_MS
#define CTR_HUNG_MS 15000 /* likewise, while nobody removes it */
#endif
#define CTR_STEP_US  2000
#define CTR_SAID_MAX 512
#define CTR_FILE_MAX (ID_SIZE + 8)

static int
ctr_check(const struct launch *l, const char *ctr, uint32_t runtime,
    struct cerr *err)
{
	return launch_check_id("container", ctr, err) == -1
		   ? -1
		   : run_runtime_check(l, runtime, err);
}

static int
ctr_run_start(const struct launch *l, const struct fixed_ctr *c,
    struct cerr *err)
{
	char root[LAUNCH_PATH_MAX];
	struct run r;
	int code;

	if (run_begin(&r, l, c->runtime, root, sizeof(root), err) == -1)
		return -1;
	run_add(&r, "start");
	run_add(&r, c->ctr);
	code = run_wait(&r, err);
	if (code <= 0)
		return code;
	return run_failed(&r, "start container", code, err);
}

int
launch_ctr_start(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_ctr *c = op->body;
	struct fixed_launch_rec rec;
	struct label_program before;
	int ret;

	if (ctr_check(l, c->ctr, c->runtime, err) == -1 ||
	    launch_record_read(l, c->ctr, &rec, err) == -1)
		return -1;
	label_program_read((pid_t)rec.pid, &before);
	ret = (rec.flags & CTR_FLAG_RESTORE) != 0 ? restore_start(l, &rec, err)
						  : ctr_run_start(l, c, err);
	if (ret == -1)
		return -1;
	if (verify_started(l, c->runtime, &rec, err) == 0 &&
	    label_verify(&rec, &before, err) == 0)
		return 0;
	cgroup_kill(&l->cgroups, rec.cgroup);
	return -1;
}

/*
 * Its process here is not the container.  One that a shim cannot kill is
 * given up: its cgroup is killed, and so is what stands for it.
 */
static int
ctr_signal_shim(const struct launch *l, const struct fixed_ctr_signal *c,
    const struct fixed_launch_rec *rec, int pidfd, struct cerr *err)
{
	char root[LAUNCH_PATH_MAX], number[12];
	struct run r;
	int code;

	if (pidfd == -1)
		return 0;
	if (run_begin(&r, l, c->runtime, root, sizeof(root), err) == -1)
		return -1;
	(void)snprintf(number, sizeof(number), "%u", c->signal);
	run_add(&r, "kill");
	run_add(&r, c->ctr);
	run_add(&r, number);
	code = run_wait(&r, err);
	if (code == 0 || proc_wait(pidfd, 0))
		return 0;
	if (c->signal != (uint32_t)SIGKILL)
		return code == -1 ? -1 : run_failed(&r, "signal", code, err);
	log_warn("container %s: %s", c->ctr, r.text);
	cgroup_kill(&l->cgroups, rec->cgroup);
	return proc_signal(pidfd, SIGKILL) == -1 && errno != ESRCH
		   ? cerr_errno(err, "signal %u", c->signal)
		   : 0;
}

/* True if neither a create nor a monitor of it is left, after ms at most. */
static bool
ctr_unwatched(const struct launch *l, const char *ctr, int64_t ms)
{
	char name[CTR_FILE_MAX];
	CLEANUP_FD int fd = -1;

	(void)snprintf(name, sizeof(name), "%s.mon", ctr);
	fd = openat(l->dirs[LAUNCH_DIR_SCRATCH], name,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	for (int64_t us = ms * 1000; fd != -1 && us > 0; us -= CTR_STEP_US) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		(void)usleep(CTR_STEP_US);
	}
	return fd == -1;
}

/* It ends by itself after the container; one that does not is killed. */
static void
ctr_end_monitor(const struct launch *l, const char *ctr,
    const struct fixed_launch_rec *r, int64_t ms)
{
	CLEANUP_FD int pidfd = -1;

	if (ctr_unwatched(l, ctr, ms))
		return;
	log_warn("container %s: its monitor did not end", ctr);
	pidfd = proc_open((pid_t)r->monitor, r->monitor_start);
	if (pidfd == -1)
		return;
	(void)proc_signal(pidfd, SIGKILL);
	(void)proc_wait(pidfd, CTR_MONITOR_MS);
}

/*
 * A container that is not running takes any signal but 0, which asks whether
 * it runs: NOT_FOUND.  SIGKILL reaches all that is in its cgroup.
 */
int
launch_ctr_signal(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_ctr_signal *c = op->body;
	struct fixed_launch_rec r;
	CLEANUP_FD int pidfd = -1;
	int sig = (int)c->signal;

	if (ctr_check(l, c->ctr, c->runtime, err) == -1)
		return -1;
	if (c->signal > (uint32_t)SIGRTMAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "%u is no signal",
		    c->signal);
	if (launch_record_read(l, c->ctr, &r, err) == -1)
		return err->code == CERR_NOT_FOUND && sig != 0 ? 0 : -1;
	pidfd = proc_open((pid_t)r.pid, r.start_time);
	if (pidfd == -1 && sig == 0)
		return cerr_set(err, CERR_NOT_FOUND,
		    "container %s is not running", c->ctr);
	if (l->runtimes[c->runtime].type == LAUNCH_RUNTIME_VM && sig != 0)
		return ctr_signal_shim(l, c, &r, pidfd, err);
	if (pidfd != -1 && proc_signal(pidfd, sig) == -1 && errno != ESRCH)
		return cerr_errno(err, "signal %d", sig);
	if (sig == SIGKILL)
		cgroup_kill(&l->cgroups, r.cgroup);
	/* Who asks again does not hear of the end: the monitor may hang. */
	if (sig == SIGKILL && pidfd == -1 && r.monitor != 0)
		ctr_end_monitor(l, c->ctr, &r, CTR_HUNG_MS);
	return 0;
}

/* Until its processes are gone; those in D state may not go at all. */
static int
ctr_kill(const struct launch *l, const struct fixed_launch_rec *r,
    struct cerr *err)
{
	CLEANUP_FD int pidfd = proc_open((pid_t)r->pid, r->start_time);

	if (pidfd != -1) {
		(void)proc_signal(pidfd, SIGKILL);
		(void)proc_wait(pidfd, CTR_GONE_MS);
	}
	return cgroup_end(&l->cgroups, r->cgroup, CTR_GONE_MS)
		   ? 0
		   : cerr_set(err, CERR_FAILED_PRECONDITION,
			 "a process of the container cannot be killed");
}

static void
ctr_said(const struct launch *l, const char *ctr)
{
	char name[CTR_FILE_MAX], text[CTR_SAID_MAX];

	(void)snprintf(name, sizeof(name), "%s.mon", ctr);
	if (launch_read_file(l->dirs[LAUNCH_DIR_SCRATCH], name, text,
		sizeof(text)) > 0) {
		launch_clean_text(text);
		log_error("container %s: %s", ctr, text);
	}
	(void)unlinkat(l->dirs[LAUNCH_DIR_SCRATCH], name, 0);
}

static void
ctr_leftovers(const struct launch *l, const char *ctr)
{
	/* The second is runc's on its way to be the first. */
	static const struct {
		const char *before, *after;
	} names[] = { { "", ".pid" }, { ".", ".pid" }, { "", ".con" },
		{ "", ".criu" } };
	char name[CTR_FILE_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s%s", names[i].before,
		    ctr, names[i].after);
		(void)unlinkat(l->dirs[LAUNCH_DIR_SCRATCH], name, 0);
	}
	ctr_said(l, ctr);
}

/* What the runtime keeps below its --root; runsc has files of two suffixes. */
static void
ctr_state_name(const struct launch_runtime *r, const char *ctr,
    const char *suffix, char name[LAUNCH_PATH_MAX])
{
	if (r->type == LAUNCH_RUNTIME_GVISOR)
		(void)snprintf(name, LAUNCH_PATH_MAX, "%s/%s_sandbox:%s.%s",
		    r->name, ctr, ctr, suffix);
	else
		(void)snprintf(name, LAUNCH_PATH_MAX, "%s/%s", r->name, ctr);
}

static void
ctr_delete_run(struct run *r, const char *ctr)
{
	struct cerr err = { 0 };

	run_add(r, "delete");
	run_add(r, "--force");
	run_add(r, ctr);
	r->until = mono_after_ms(CTR_DELETE_MS);
	if (run_wait(r, &err) != 0)
		log_warn("container %s: delete: %s%s", ctr, r->text, err.text);
}

/* The runtime's own state, with or without the runtime's help. */
static int
ctr_runtime_delete(const struct launch *l, const char *ctr, uint32_t runtime,
    struct cerr *err)
{
	char root[LAUNCH_PATH_MAX], name[LAUNCH_PATH_MAX];
	char other[LAUNCH_PATH_MAX];
	const struct launch_runtime *own;
	int dir = l->dirs[LAUNCH_DIR_RUNTIME];
	struct run r;

	if (run_begin(&r, l, runtime, root, sizeof(root), err) == -1)
		return -1;
	own = &l->runtimes[runtime];
	ctr_state_name(own, ctr, "state", name);
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		ctr_delete_run(&r, ctr);
	ctr_state_name(own, ctr, "lock", other);
	if (launch_tree_remove(dir, name) == -1 ||
	    launch_tree_remove(dir, other) == -1)
		return cerr_errno(err, "runtime's state of the container");
	return 0;
}

int
launch_ctr_remove(const struct launch *l, const char *ctr, uint32_t runtime,
    struct cerr *err)
{
	struct fixed_launch_rec r;
	int known;

	if (ctr_check(l, ctr, runtime, err) == -1)
		return -1;
	known = launch_record_read(l, ctr, &r, err);
	if (known == -1 && err->code == CERR_FAILED_PRECONDITION)
		return -1;
	/* A create that was cut short: its monitor is ending the runtime, which
	 * may still make what is removed here. */
	if (known == 0 && r.pid == 0)
		(void)ctr_unwatched(l, ctr, CTR_GONE_MS);
	if (known == 0 && ctr_kill(l, &r, err) == -1)
		return -1;
	if (ctr_runtime_delete(l, ctr, runtime, err) == -1)
		return -1;
	if (known == 0) {
		ctr_end_monitor(l, ctr, &r, CTR_MONITOR_MS);
		cgroup_remove(&l->cgroups, r.cgroup);
	}
	ctr_leftovers(l, ctr);
	launch_record_remove(l, ctr);
	return 0;
}

int
launch_ctr_delete(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_ctr *c = op->body;

	return launch_ctr_remove(l, c->ctr, c->runtime, err);
}
