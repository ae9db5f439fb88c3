/*
 * The start of a container: a monitor runs the runtime's create, this job
 * looks at the result, and only then is the monitor let go.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/launch.h"
#include "execd/launch_keep.h"
#include "execd/launch_label.h"
#include "execd/launch_dump.h"
#include "execd/launch_proc.h"
#include "execd/launch_restore.h"
#include "execd/launch_run.h"
#include "execd/launch_shim.h"
#include "execd/launch_verify.h"
#include "execd/monitor.h"
#include "lib/fdio.h"
#include "lib/id.h"

#define CREATE_NUMBER	 24
#define CREATE_EXE_FD	 16 /* above those that run_settle fills */
#define CREATE_FILES_MAX (ID_SIZE + 8)

#define CREATE_SHIM_ARGS 4 /* more for a shim */

_Static_assert(LAUNCH_ARGUMENTS_MAX + CREATE_SHIM_ARGS == MONITOR_MORE_MAX,
    "arguments");

/* All that the monitor is told; the strings live as long as its start. */
struct create {
	const struct launch *l;
	const struct fixed_ctr_create *c;
	int log, bundle, said, report;
	char bundle_path[LAUNCH_PATH_MAX], root[LAUNCH_PATH_MAX],
	    pidfile[LAUNCH_PATH_MAX], oom[CGROUP_PATH_MAX + 128];
	char numbers[5][CREATE_NUMBER];
	char rootfs[LAUNCH_PATH_MAX]; /* for a shim */
	char images[LAUNCH_PATH_MAX]; /* CRIU's, or empty */
	const struct restore_like *like;
	char *argv[MONITOR_ARG_COUNT + MONITOR_MORE_MAX + 1];
};

static int
create_check(const struct launch *l, const struct fixed_ctr_create *c,
    struct cerr *err)
{
	const char *base = strrchr(c->cgroup, '/');

	if (launch_check_id("container", c->ctr, err) == -1 ||
	    run_runtime_check(l, c->runtime, err) == -1)
		return -1;
	if ((c->pod[0] != '\0' || launch_shim_is(l, c->runtime)) &&
	    launch_check_id("pod", c->pod, err) == -1)
		return -1;
	/* What is killed with the container must be the container's alone. */
	if (!cgroup_path_valid(c->cgroup) || strstr(base, c->ctr) == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cgroup %.256s is not the container's", c->cgroup);
	return 0;
}

static int
create_log(const struct fixed_ctr_create *c, struct cerr *err)
{
	int fd;

	if (c->log_dir[0] != '\0')
		return launch_log_open(c->log_dir, c->log_name, err);
	fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);
	return fd == -1 ? cerr_errno(err, "/dev/null") : fd;
}

/*
 * Where the monitor's own last words go: a violation of its filter.  It is
 * locked for as long as this job or the monitor has it open, so that who
 * removes the container can wait for both.
 */
static int
create_said(const struct launch *l, const char *ctr, struct cerr *err)
{
	char name[CREATE_FILES_MAX];
	int fd;

	(void)snprintf(name, sizeof(name), "%s.mon", ctr);
	fd = openat(l->dirs[LAUNCH_DIR_SCRATCH], name,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return cerr_errno(err, "monitor's messages");
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		fdio_close(&fd);
		return cerr_set(err, CERR_ALREADY_EXISTS,
		    "container %s has a monitor", ctr);
	}
	return fd;
}

static int
create_paths(struct create *k, struct cerr *err)
{
	char name[CREATE_FILES_MAX], base[CREATE_FILES_MAX];
	const struct launch *l = k->l;

	(void)snprintf(name, sizeof(name), "%s.pid", k->c->ctr);
	(void)snprintf(base, sizeof(base), "%s/fs", k->c->ctr);
	if (launch_state_path(l, k->rootfs, LAUNCH_PATH_MAX, "rootfs", base) ==
		NULL ||
	    launch_state_path(l, k->bundle_path, LAUNCH_PATH_MAX, "bundle",
		k->c->ctr) == NULL ||
	    launch_state_path(l, k->root, LAUNCH_PATH_MAX, "runtime",
		l->runtimes[k->c->runtime].name) == NULL ||
	    launch_state_path(l, k->pidfile, LAUNCH_PATH_MAX, "launch/exec",
		name) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	if ((k->c->flags & CTR_FLAG_RESTORE) != 0 &&
	    launch_dump_path(l, k->c->ctr, LOAD_DIR "/" LOAD_IMAGES, k->images,
		err) == -1)
		return -1;
	cgroup_oom_file(&l->cgroups, k->c->cgroup, k->oom, sizeof(k->oom));
	return 0;
}

/* execve takes pointers to non-const but does not write. */
static void
create_arg(struct create *k, size_t arg, const char *value)
{
	memcpy(&k->argv[arg], &value, sizeof(value));
}

static void
create_shim_args(struct create *k, size_t at)
{
	const char *words[CREATE_SHIM_ARGS] = { "--pod", k->c->pod, "--rootfs",
		k->rootfs };

	for (size_t i = 0; i < CREATE_SHIM_ARGS; i++)
		create_arg(k, at + i, words[i]);
	k->argv[at + CREATE_SHIM_ARGS] = NULL;
}

static void
create_argv(struct create *k)
{
	const struct launch *l = k->l;
	const struct launch_runtime *own = &l->runtimes[k->c->runtime];
	const uint32_t numbers[5] = { k->c->flags, l->mon_uid, l->mon_gid,
		l->exec_uid, l->exec_gid };
	static const enum monitor_arg at[5] = { MONITOR_ARG_FLAGS,
		MONITOR_ARG_UID, MONITOR_ARG_GID, MONITOR_ARG_EXEC_UID,
		MONITOR_ARG_EXEC_GID };

	create_arg(k, 0, "monitor");
	create_arg(k, MONITOR_ARG_CTR, k->c->ctr);
	create_arg(k, MONITOR_ARG_BUNDLE, k->bundle_path);
	create_arg(k, MONITOR_ARG_RUNTIME, own->path);
	create_arg(k, MONITOR_ARG_ROOT, k->root);
	create_arg(k, MONITOR_ARG_SYSTEMD, l->systemd ? "1" : "0");
	create_arg(k, MONITOR_ARG_PIDFILE, k->pidfile);
	create_arg(k, MONITOR_ARG_OOM, k->oom);
	create_arg(k, MONITOR_ARG_IMAGES, k->images);
	for (size_t i = 0; i < 5; i++) {
		(void)snprintf(k->numbers[i], CREATE_NUMBER, "%" PRIu32,
		    numbers[i]);
		create_arg(k, at[i], k->numbers[i]);
	}
	for (size_t i = 0; i < own->narguments; i++)
		create_arg(k, MONITOR_ARG_COUNT + i, own->arguments[i]);
	k->argv[MONITOR_ARG_COUNT + own->narguments] = NULL;
	if (own->type == LAUNCH_RUNTIME_VM)
		create_shim_args(k, MONITOR_ARG_COUNT + own->narguments);
}

static int
create_open(struct create *k, struct cerr *err)
{
	k->log = create_log(k->c, err);
	if (k->log == -1)
		return -1;
	k->said = create_said(k->l, k->c->ctr, err);
	if (k->said == -1)
		return -1;
	k->bundle = launch_open_beneath(k->l->dirs[LAUNCH_DIR_BUNDLE],
	    k->c->ctr, O_RDONLY | O_DIRECTORY);
	if (k->bundle == -1)
		return cerr_errno(err, "bundle of container %s", k->c->ctr);
	if (create_paths(k, err) == -1)
		return -1;
	create_argv(k);
	return 0;
}

static void
create_exec(struct create *k, int report)
{
	struct cerr err;
	int null = run_null(k->l);
	int exe = fcntl(k->l->exe_monitor, F_DUPFD_CLOEXEC, CREATE_EXE_FD);
	int fds[MONITOR_FD_LAST + 1] = { null, null,
		STDERR_FILENO, [MONITOR_FD_REPORT] = report,
		[MONITOR_FD_LOG] = k->log, [MONITOR_FD_BUNDLE] = k->bundle,
		[MONITOR_FD_EMPTY] = k->l->dirs[LAUNCH_DIR_EMPTY],
		[MONITOR_FD_SCRATCH] = k->l->dirs[LAUNCH_DIR_SCRATCH],
		[MONITOR_FD_STDERR] = k->said };

	/* A shim that is started stays where the monitor was. */
	if (launch_shim_is(k->l, k->c->runtime) &&
	    launch_shim_join(k->l, k->c->pod, &err) == -1)
		_exit(1);
	if (chdir("/") == 0) {
		run_settle(fds, sizeof(fds) / sizeof(fds[0]));
		(void)execveat(exe, "", k->argv, run_environ(), AT_EMPTY_PATH);
	}
	_exit(1);
}

static int
create_count(const struct create *k, pid_t monitor, struct cerr *err)
{
	return cgroup_join(&k->l->cgroups, LAUNCH_CGROUP_MONITOR, monitor,
	    false, err);
}

/*
 * The monitor is put into its cgroup from here, while it starts the runtime:
 * in version 1 that waits for every CPU, for longer than anything else here
 * takes.  The runtime's own cgroups then cost it less.  One that starts a shim
 * has to wait for that.
 */
static pid_t
create_spawn(struct create *k, struct cerr *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return cerr_errno(err, "socketpair");
	k->report = pair[0];
	pid = fork();
	if (pid == 0)
		create_exec(k, pair[1]);
	fdio_close(&pair[1]);
	if (pid == -1)
		return cerr_errno(err, "fork");
	if (launch_shim_is(k->l, k->c->runtime))
		return pid;
	return create_count(k, pid, err) == -1 ? -1 : pid;
}

/* Waits for one report of kind; text is what comes with it. */
static int
create_hear(struct create *k, char kind, char *text, size_t size,
    struct cerr *err)
{
	char buf[MONITOR_TEXT_MAX + 2];
	ssize_t n;
	size_t skip;

	do
		n = recv(k->report, buf, sizeof(buf) - 1, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return cerr_set(err, CERR_INTERNAL,
		    "the monitor ended unexpectedly");
	buf[n] = '\0';
	launch_clean_text(buf + 1);
	if (buf[0] != kind) {
		skip = (size_t)n > CERR_TEXT_MAX / 2
			   ? (size_t)n - CERR_TEXT_MAX / 2
			   : 1;
		(void)cerr_set(err, run_code(buf + 1), "create container: %s",
		    buf + skip);
		/* Overlay's own words for a full disk may be others. */
		if (launch_rootfs_room(k->l, NULL) == -1 && err != NULL)
			err->code = CERR_RESOURCE_EXHAUSTED;
		return -1;
	}
	(void)snprintf(text, size, "%.16s", buf + 1);
	return 0;
}

static int
create_inspect(struct create *k, struct fixed_launch_rec *r, const char *number,
    struct cerr *err)
{
	struct proc_stat st, mon;
	pid_t pid = (pid_t)strtol(number, NULL, 10);

	if (proc_stat_read(pid, &st) == -1 ||
	    proc_stat_read((pid_t)r->monitor, &mon) == -1)
		return cerr_set(err, CERR_INTERNAL,
		    "the container's process is gone");
	r->pid = (uint32_t)pid;
	r->start_time = st.start_time;
	r->monitor_start = mon.start_time;
	/* The pid comes by way of a file: it must be the monitor's child. */
	if (st.ppid != (pid_t)r->monitor)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime named a process that is not the container's");
	return k->like != NULL ? restore_verify(k->l, k->c, r, k->like, err)
			       : verify_created(k->l, k->c, pid, err);
}

static int
create_follow(struct create *k, struct fixed_launch_rec *r, struct cerr *err)
{
	char text[20], go = MONITOR_REPORT_GO;

	if (create_hear(k, MONITOR_REPORT_PID, text, sizeof(text), err) == -1 ||
	    (launch_shim_is(k->l, k->c->runtime) &&
		create_count(k, (pid_t)r->monitor, err) == -1) ||
	    create_inspect(k, r, text, err) == -1 ||
	    launch_record_write(k->l, k->c->ctr, r, err) == -1)
		return -1;
	if (send(k->report, &go, 1, MSG_NOSIGNAL) == -1)
		return cerr_errno(err, "monitor");
	if (create_hear(k, MONITOR_REPORT_CONFINED, text, sizeof(text), err) ==
	    -1)
		return -1;
	return verify_monitor(k->l, (pid_t)r->monitor, err);
}

/* CRIU's own words, if it is what failed. */
static int
create_unrestored(const struct create *k, struct cerr *err)
{
	char why[256];

	if (k->like == NULL)
		return -1;
	launch_dump_why(k->images, "restore.log", why, sizeof(why));
	return why[0] == '\0'
		   ? -1
		   : cerr_set(err, CERR_INTERNAL, "restore: %s", why);
}

int
launch_ctr_create(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_ctr_create *c = op->body;
	struct create k = { .l = l,
		.c = c,
		.log = -1,
		.bundle = -1,
		.said = -1,
		.report = -1 };
	struct fixed_launch_rec r;
	struct cerr later;
	pid_t monitor;
	int ret;

	memset(&r, 0, sizeof(r));
	r.flags = c->flags;
	r.caps = c->caps;
	memcpy(r.cgroup, c->cgroup, sizeof(r.cgroup));
	if (create_check(l, c, err) == -1 || label_check(c, &r, err) == -1)
		return -1;
	/* The process that is seen here is shimrun, which has no label. */
	if (launch_shim_is(l, c->runtime))
		memset(r.selinux, 0, sizeof(r.selinux));
	if (launch_record_read(l, c->ctr, &(struct fixed_launch_rec){ 0 },
		NULL) == 0)
		return cerr_set(err, CERR_ALREADY_EXISTS, "container %s exists",
		    c->ctr);
	launch_begun();
	/* Before anything exists, for whoever has to clean up. */
	if (launch_record_write(l, c->ctr, &r, err) == -1 ||
	    create_open(&k, err) == -1)
		return -1;
	if ((c->flags & CTR_FLAG_RESTORE) != 0) {
		k.like = restore_begin(l, c, k.bundle_path, k.pidfile, err);
		if (k.like == NULL)
			return -1;
	}
	monitor = create_spawn(&k, err);
	if (monitor == -1)
		return -1;
	r.monitor = (uint32_t)monitor;
	ret = create_follow(&k, &r, err);
	if (keep_pod_back(l, c->pod, &later) == -1 && ret == 0) {
		*err = later;
		return -1;
	}
	if (ret == -1)
		return create_unrestored(&k, err);
	if (l->runtimes[c->runtime].type == LAUNCH_RUNTIME_OCI &&
	    launch_rootfs_bound(l, c->ctr, err) == -1)
		return -1;
	if (k.like != NULL && launch_dump_remove(l, c->ctr, LOAD_DIR) == -1)
		return cerr_errno(err, "remove CRIU's images");
	op->reply.ctr_created.pid = r.pid;
	op->reply.ctr_created.start_time = r.start_time;
	return 0;
}

int
launch_ctr_undo(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_ctr_create *c = op->body;
	int ret = launch_ctr_remove(l, c->ctr, c->runtime, err);

	if (launch_shim_is(l, c->runtime))
		launch_shim_failed(l, c->runtime, c->pod);
	return ret;
}
