/* See launch_restore.h. */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/launch_cgimg.h"
#include "execd/launch_dump.h"
#include "execd/launch_keep.h"
#include "execd/launch_label.h"
#include "execd/launch_proc.h"
#include "execd/launch_restore.h"
#include "execd/launch_run.h"
#include "execd/launch_verify.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"

#define RESTORE_MOUNTS_MAX (256U * 1024)
#define RESTORE_STATUS_MAX 16384
#define RESTORE_PIDS_MAX   16384
#define RESTORE_NAME_MAX   (ID_SIZE + 16)
#define RESTORE_FREEZE_MS  10000

/* What the request makes of a container. */
struct restore_like {
	char mounts[RESTORE_MOUNTS_MAX];
	char status[RESTORE_STATUS_MAX];
	struct rlimit limits[RLIMIT_NLIMITS];
	bool own_cgroups; /* a namespace of them */
};

/* ---- the archive ---- */

/* The host's own links on the way are followed, none at its end. */
static int
restore_open(const char *path, off_t *size, struct cerr *err)
{
	struct stat st;
	int fd;

	if (!launch_path_clean(path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%.512s: not an absolute, clean path", path);
	fd = open(path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "checkpoint %.512s: %s", path, strerror(errno));
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		fdio_close(&fd);
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "checkpoint %.512s: not a file that only root can write",
		    path);
	}
	*size = st.st_size;
	return fd;
}

/* Has unarchive unpack fd into CONTAINER/CTR/NAME. */
static int
restore_unpack(const struct launch *l, const char *ctr, const char *name,
    int fd, off_t size, struct cerr *err)
{
	char program[LAUNCH_PATH_MAX], dir[LAUNCH_PATH_MAX];
	char uid[12], gid[12], bytes[24];
	struct run r = { .l = l, .in = fd, .out = -1, .err = -1 };
	int code;

	(void)snprintf(program, sizeof(program), "%s/unarchive", l->libexec);
	(void)snprintf(uid, sizeof(uid), "%u", l->mon_uid);
	(void)snprintf(gid, sizeof(gid), "%u", l->mon_gid);
	(void)snprintf(bytes, sizeof(bytes), "%lld", (long long)size);
	if (launch_dump_path(l, ctr, name, dir, err) == -1)
		return -1;
	run_add(&r, program);
	run_add(&r, "-u");
	run_add(&r, uid);
	run_add(&r, "-g");
	run_add(&r, gid);
	run_add(&r, "-b");
	run_add(&r, bytes);
	if (strcmp(name, LOAD_DIR) != 0)
		run_add(&r, "-l");
	run_add(&r, dir);
	code = run_wait(&r, err);
	if (code <= 0)
		return code;
	return cerr_set(err, CERR_INVALID_ARGUMENT, "checkpoint: %.512s",
	    r.text_len > 0 ? r.text : "it cannot be unpacked");
}

/* What the container had written, below the root file system to be. */
static int
restore_diff(const struct launch *l, const char *ctr, int load,
    struct cerr *err)
{
	CLEANUP_FD int fd =
	    openat(load, LOAD_DIFF, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return errno == ENOENT ? 0 : cerr_errno(err, "checkpoint");
	if (fstat(fd, &st) == -1 ||
	    restore_unpack(l, ctr, "upper", fd, st.st_size, err) == -1)
		return -1;
	return unlinkat(load, LOAD_DIFF, 0) == -1
		   ? cerr_errno(err, "checkpoint")
		   : 0;
}

int
launch_restore(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_restore *c = op->body;
	CLEANUP_FD int fd = -1;
	CLEANUP_FD int dir = -1;
	CLEANUP_FD int load = -1;
	CLEANUP_FD int upper = -1;
	off_t size = 0;

	if (!l->restore)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "restoring checkpoints is not configured");
	if (launch_check_id("container", c->ctr, err) == -1 ||
	    (fd = restore_open(c->path, &size, err)) == -1)
		return -1;
	launch_begun();
	dir = launch_make_dir(l->dirs[LAUNCH_DIR_CONTAINER], c->ctr, 0700);
	if (dir != -1)
		load = launch_make_dir(dir, LOAD_DIR, 0700);
	if (load != -1)
		upper = launch_make_dir(dir, "upper", 0755);
	if (upper == -1)
		return cerr_errno(err, "writable layer");
	if (restore_unpack(l, c->ctr, LOAD_DIR, fd, size, err) == -1)
		return -1;
	return restore_diff(l, c->ctr, load, err);
}

int
launch_restore_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_restore *c = op->body;

	if (launch_tree_remove(l->dirs[LAUNCH_DIR_CONTAINER], c->ctr) == -1)
		return cerr_errno(err, "writable layer");
	return 0;
}

/* ---- what it must be like ---- */

static int
restore_read(pid_t pid, const char *file, char *buf, size_t size,
    struct cerr *err)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	n = launch_read_file(AT_FDCWD, path, buf, size);
	if (n == -1)
		return cerr_errno(err, "%s", path);
	return (size_t)n < size - 1 ? 0
				    : cerr_set(err, CERR_RESOURCE_EXHAUSTED,
					  "%s: too long", path);
}

/* Is it in the host's namespace of cgroups? */
static bool
restore_same_cgroups(pid_t pid)
{
	struct stat own, have;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/cgroup", pid);
	return stat("/proc/self/ns/cgroup", &own) == 0 &&
	       stat(path, &have) == 0 && own.st_ino == have.st_ino;
}

static int
restore_look(pid_t pid, struct restore_like *k, struct cerr *err)
{
	for (__rlimit_resource_t i = 0; i < RLIMIT_NLIMITS; i++) {
		k->limits[i].rlim_max = RLIM_INFINITY;
		/* Without CAP_SYS_RESOURCE CRIU can raise none, either. */
		if (prlimit(pid, i, NULL, &k->limits[i]) == -1 &&
		    errno != EPERM)
			return cerr_errno(err, "limits of the container");
	}
	k->own_cgroups = !restore_same_cgroups(pid);
	return restore_read(pid, "mountinfo", k->mounts, sizeof(k->mounts),
		   err) == -1
		   ? -1
		   : restore_read(pid, "status", k->status, sizeof(k->status),
			 err);
}

static pid_t
restore_pid(const char *pidfile)
{
	char text[24];
	ssize_t n = launch_read_file(AT_FDCWD, pidfile, text, sizeof(text));

	(void)unlink(pidfile);
	return n <= 0 ? -1 : (pid_t)strtol(text, NULL, 10);
}

static int
restore_command(const struct launch *l, const struct fixed_ctr_create *c,
    const char *const *words, size_t n, struct cerr *err)
{
	char root[LAUNCH_PATH_MAX];
	struct run r;
	int code;

	if (run_begin(&r, l, c->runtime, root, sizeof(root), err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		run_add(&r, words[i]);
	code = run_wait(&r, err);
	return code <= 0 ? code : run_failed(&r, words[0], code, err);
}

/* The container as the request has it; it is never started. */
static int
restore_rehearse(const struct launch *l, const struct fixed_ctr_create *c,
    const char *bundle, const char *pidfile, struct restore_like *k,
    struct cerr *err)
{
	const char *create[] = { "create", "--bundle", bundle, "--pid-file",
		pidfile, c->ctr };
	const char *delete[] = { "delete", "--force", c->ctr };
	pid_t pid;
	int ret;

	/* Its process becomes this job's child. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L) == -1)
		return cerr_errno(err, "PR_SET_CHILD_SUBREAPER");
	if (restore_command(l, c, create, 6, err) == -1)
		return -1;
	pid = restore_pid(pidfile);
	ret = pid <= 1 ? cerr_set(err, CERR_INTERNAL, "no pid") : 0;
	if (ret == 0)
		ret = verify_created(l, c, pid, err);
	if (ret == 0)
		ret = restore_look(pid, k, err);
	if (restore_command(l, c, delete, 3, ret == 0 ? err : NULL) == -1)
		return -1;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0L);
	return ret;
}

/* ---- CRIU's configuration ---- */

/*
 * config.json's org.criu.config names it, and checkpoints of this container
 * read it, too.
 */
static int
restore_configure(const struct launch *l, const char *ctr, const char *text,
    struct cerr *err)
{
	char name[RESTORE_NAME_MAX];
	CLEANUP_FD int fd = -1;

	(void)snprintf(name, sizeof(name), "%s.criu", ctr);
	fd = openat(l->dirs[LAUNCH_DIR_SCRATCH], name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd == -1 || fdio_write_all(fd, text, strlen(text)) == -1
		   ? cerr_errno(err, "CRIU's configuration")
		   : 0;
}

/* Without a namespace of its own CRIU leaves it where the runtime put CRIU. */
static int
restore_cgroups(const struct launch *l, const struct fixed_ctr_create *c,
    const struct restore_like *like, struct cerr *err)
{
	static uint8_t image[CGIMG_MAX];
	char path[LAUNCH_PATH_MAX];
	CLEANUP_FD int fd = -1;
	size_t len = cgimg_make(c->cgroup, image);

	if (!like->own_cgroups)
		return restore_configure(l, c->ctr,
		    "tcp-close\nleave-stopped\nmanage-cgroups=ignore\n", err);
	if (launch_dump_path(l, c->ctr, LOAD_DIR "/" LOAD_IMAGES "/cgroup.img",
		path, err) == -1)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1 || len == 0 || fdio_write_all(fd, image, len) == -1)
		return cerr_errno(err, "cgroup of the checkpoint");
	return restore_configure(l, c->ctr, "tcp-close\nleave-stopped\n", err);
}

const struct restore_like *
restore_begin(const struct launch *l, const struct fixed_ctr_create *c,
    const char *bundle, const char *pidfile, struct cerr *err)
{
	static struct restore_like like;

	if (!l->restore) {
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "restoring checkpoints is not configured");
		return NULL;
	}
	if (restore_rehearse(l, c, bundle, pidfile, &like, err) == -1 ||
	    keep_pod(l, c->pod, err) == -1 ||
	    restore_cgroups(l, c, &like, err) == -1)
		return NULL;
	return &like;
}

/* ---- processes ---- */

struct restore_check {
	const struct launch *l;
	const struct fixed_ctr_create *c;
	const struct fixed_launch_rec *r;
	const struct restore_like *like;
	struct cerr *err;
	ino_t mounts; /* the mount namespace that was looked at last */
	size_t n;
	int ret;
};

/* "\nGroups:\t1 2 \n" */
static const char *
restore_groups(const char *status, size_t *len)
{
	const char *p = strstr(status, "\nGroups:");

	if (p == NULL)
		p = "\n";
	*len = strcspn(p + 1, "\n");
	return p;
}

static int
restore_task(struct restore_check *k, pid_t pid, const char *task)
{
	char file[64], text[RESTORE_STATUS_MAX];
	const char *have, *want;
	size_t nhave, nwant;
	struct proc_status s;

	(void)snprintf(file, sizeof(file), "task/%.16s/status", task);
	if (restore_read(pid, file, text, sizeof(text), k->err) == -1)
		return -1;
	if (proc_status_parse(text, &s) == -1)
		return cerr_set(k->err, CERR_INTERNAL, "%s: malformed", file);
	have = restore_groups(text, &nhave);
	want = restore_groups(k->like->status, &nwant);
	if (restore_cannot(k->c, CAP_SETGID) &&
	    (nhave != nwant || memcmp(have, want, nhave) != 0))
		return cerr_set(k->err, CERR_FAILED_PRECONDITION,
		    "the checkpoint has other groups than the request");
	return restore_status(&s, k->c, k->err);
}

static int
restore_tasks(struct restore_check *k, pid_t pid)
{
	char path[40];
	struct dirent *de;
	int ret = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (d == NULL)
		return cerr_errno(k->err, "%s", path);
	while (ret == 0 && (de = readdir(d)) != NULL) {
		if (de->d_name[0] != '.')
			ret = restore_task(k, pid, de->d_name);
	}
	(void)closedir(d);
	return ret;
}

/* Nothing of the host's: what is not the pod's is its own. */
static int
restore_apart(struct restore_check *k, pid_t pid)
{
	static const char *const kinds[] = { "mnt", "pid", "net", "ipc", "uts",
		"cgroup" };
	/* With version 1 of cgroups all share the host's. */
	size_t n = k->like->own_cgroups ? 6 : 5;
	char path[40];
	struct stat own, have;

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s",
		    kinds[i]);
		if (stat(path, &own) == -1)
			return cerr_errno(k->err, "%s", path);
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid,
		    kinds[i]);
		if (stat(path, &have) == -1)
			return cerr_errno(k->err, "%s", path);
		if (own.st_ino == have.st_ino)
			return cerr_set(k->err, CERR_FAILED_PRECONDITION,
			    "the checkpoint is in the host's %s namespace",
			    kinds[i]);
	}
	return 0;
}

/* The container's part of the hierarchy that m is of, mounted nowhere. */
static int
restore_cgroup_tree(const struct cgroups *cg, const struct restore_mount *m)
{
	char path[CGROUP_MOUNT_MAX + PATH_MAX], dev[24];
	struct stat st;

	for (size_t i = 0; i < cg->n; i++) {
		if (stat(cg->trees[i].mount, &st) == -1)
			continue;
		(void)snprintf(dev, sizeof(dev), "%u:%u", major(st.st_dev),
		    minor(st.st_dev));
		(void)snprintf(path, sizeof(path), "%s%s", cg->trees[i].mount,
		    m->root);
		if (strcmp(dev, m->dev) == 0)
			return (int)syscall(SYS_open_tree, AT_FDCWD, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

static bool
restore_is_cgroup(const struct restore_mount *m)
{
	return strcmp(m->type, "cgroup") == 0 ||
	       strcmp(m->type, "cgroup2") == 0;
}

/* What want has, taken along. */
static int
restore_cgroup_trees(const struct cgroups *cg, const char *want,
    int trees[CGROUPS_MAX], struct cerr *err)
{
	static struct restore_mount m;
	size_t n = 0;

	for (int i = 0; restore_mount_get(want, i, &m); i++) {
		if (!restore_is_cgroup(&m))
			continue;
		if (n == CGROUPS_MAX ||
		    (trees[n++] = restore_cgroup_tree(cg, &m)) == -1)
			return cerr_errno(err, "cgroup for %.256s", m.at);
	}
	return 0;
}

/* CRIU mounts the checkpoint's: those of the request take their place. */
static int
restore_cgroups_off(const char *have, struct cerr *err)
{
	static struct restore_mount m;

	for (int i = 0; restore_mount_get(have, i, &m); i++) {
		if (restore_is_cgroup(&m) &&
		    umount2(m.at, MNT_DETACH | UMOUNT_NOFOLLOW) == -1)
			return cerr_errno(err, "unmount %.256s", m.at);
	}
	return 0;
}

static int
restore_cgroups_on(const char *want, const int trees[CGROUPS_MAX],
    struct cerr *err)
{
	static struct restore_mount m;
	size_t n = 0;

	for (int i = 0; restore_mount_get(want, i, &m); i++) {
		struct mount_attr attr = { .attr_set =
					       m.flags & RESTORE_ATTRIBUTES };

		if (!restore_is_cgroup(&m))
			continue;
		if (syscall(SYS_mount_setattr, trees[n], "", AT_EMPTY_PATH,
			&attr, sizeof(attr)) == -1 ||
		    syscall(SYS_move_mount, trees[n], "", AT_FDCWD, m.at,
			MOVE_MOUNT_F_EMPTY_PATH) == -1)
			return cerr_errno(err, "mount %.256s", m.at);
		n++;
	}
	return 0;
}

/* runc restores masked files with the host's null device, whose owner and
 * mode the container could change there. */
static int
restore_masks(const char *have, struct cerr *err)
{
	static struct restore_mount m;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY |
					       MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NOEXEC };

	for (int i = 0; restore_mount_get(have, i, &m); i++) {
		if (restore_mount_null(&m) &&
		    syscall(SYS_mount_setattr, AT_FDCWD, m.at,
			AT_SYMLINK_NOFOLLOW, &attr, sizeof(attr)) == -1)
			return cerr_errno(err, "mask %.256s", m.at);
	}
	return 0;
}

static int
restore_join(pid_t pid, struct cerr *err)
{
	char path[48];
	CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd == -1 || setns(fd, CLONE_NEWNS) == -1
		   ? cerr_errno(err, "%s", path)
		   : 0;
}

/*
 * In a child, which cannot come back: where it goes all names are the
 * archive's.  It runs nothing there, and what it did is looked at.
 */
static void
restore_mend(const struct cgroups *cg, pid_t pid, const char *have,
    const char *want)
{
	int trees[CGROUPS_MAX];
	struct cerr err;

	if (restore_cgroup_trees(cg, want, trees, &err) == 0 &&
	    restore_join(pid, &err) == 0 &&
	    restore_cgroups_off(have, &err) == 0 &&
	    restore_cgroups_on(want, trees, &err) == 0 &&
	    restore_masks(have, &err) == 0)
		_exit(0);
	log_info("restore: %s", err.text);
	_exit(1);
}

static int
restore_mend_apart(const struct restore_check *k, pid_t pid, const char *have)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		restore_mend(&k->l->cgroups, pid, have, k->like->mounts);
	while (child > 0 && waitpid(child, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(k->err, "wait");
	}
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0
		   ? 0
		   : cerr_set(k->err, CERR_FAILED_PRECONDITION,
			 "the checkpoint's mounts are not those of the "
			 "request");
}

static int
restore_mounted(struct restore_check *k, pid_t pid)
{
	static char text[RESTORE_MOUNTS_MAX];
	char path[40];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) == -1)
		return cerr_errno(k->err, "%s", path);
	if (st.st_ino == k->mounts)
		return 0;
	k->mounts = st.st_ino;
	if (restore_read(pid, "mountinfo", text, sizeof(text), k->err) == -1 ||
	    restore_mend_apart(k, pid, text) == -1 ||
	    restore_read(pid, "mountinfo", text, sizeof(text), k->err) == -1)
		return -1;
	return restore_mounts(text, k->like->mounts, k->err);
}

/* These are given, not compared: no more than the request allows. */
static int
restore_limits(struct restore_check *k, pid_t pid)
{
	char path[48], score[24];
	struct rlimit now;

	for (__rlimit_resource_t i = 0; i < RLIMIT_NLIMITS; i++) {
		const struct rlimit *want = &k->like->limits[i];

		if (want->rlim_max == RLIM_INFINITY)
			continue;
		if (prlimit(pid, i, NULL, &now) == -1)
			return cerr_errno(k->err, "limits");
		if (now.rlim_max <= want->rlim_max)
			continue;
		now.rlim_max = want->rlim_max;
		if (now.rlim_cur > now.rlim_max)
			now.rlim_cur = now.rlim_max;
		if (prlimit(pid, i, &now, NULL) == -1)
			return cerr_errno(k->err, "limits");
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	(void)snprintf(score, sizeof(score), "%" PRId64, k->c->oom_score_adj);
	return launch_write_file(AT_FDCWD, path, score) == -1
		   ? cerr_errno(k->err, "%s", path)
		   : 0;
}

static int
restore_label(struct restore_check *k, pid_t pid)
{
	static const struct label_program unknown;
	struct fixed_launch_rec r = *k->r;
	struct proc_stat st;

	if (proc_stat_read(pid, &st) == -1)
		return cerr_set(k->err, CERR_INTERNAL, "a process is gone");
	r.pid = (uint32_t)pid;
	r.start_time = st.start_time;
	return label_verify(&r, &unknown, k->err);
}

static void
restore_process(pid_t pid, void *arg)
{
	struct restore_check *k = arg;

	if (k->ret == -1)
		return;
	k->ret = -1;
	if (++k->n > RESTORE_PIDS_MAX)
		(void)cerr_set(k->err, CERR_RESOURCE_EXHAUSTED,
		    "the checkpoint has too many processes");
	else if (restore_apart(k, pid) == 0 && restore_mounted(k, pid) == 0 &&
		 restore_tasks(k, pid) == 0 && restore_label(k, pid) == 0)
		k->ret = restore_limits(k, pid);
}

/* ---- held ---- */

static void
restore_is_held(pid_t pid, void *arg)
{
	struct restore_check *k = arg;
	struct proc_stat st;

	if (proc_stat_read(pid, &st) == -1 ||
	    (st.state != 'T' && st.state != 'Z'))
		k->ret = -1;
}

/* CRIU left all of it stopped; from here on not even SIGCONT wakes it. */
static int
restore_hold(struct restore_check *k)
{
	cgroup_each(&k->l->cgroups, k->c->cgroup, restore_is_held, k);
	if (k->ret == -1)
		return cerr_set(k->err, CERR_FAILED_PRECONDITION,
		    "the runtime did not hold what it restored");
	return cgroup_freeze(&k->l->cgroups, k->c->cgroup, true,
		   RESTORE_FREEZE_MS) == -1
		   ? cerr_errno(k->err, "hold what was restored")
		   : 0;
}

int
restore_verify(const struct launch *l, const struct fixed_ctr_create *c,
    const struct fixed_launch_rec *r, const struct restore_like *like,
    struct cerr *err)
{
	struct restore_check k = { .l = l,
		.c = c,
		.r = r,
		.like = like,
		.err = err };

	if (restore_hold(&k) == -1 ||
	    verify_cgroup((pid_t)r->pid, c->cgroup, err) == -1 ||
	    verify_namespaces(l, c, (pid_t)r->pid, err) == -1)
		return -1;
	cgroup_each(&l->cgroups, c->cgroup, restore_process, &k);
	if (k.ret == 0 && k.n == 0)
		return cerr_set(err, CERR_INTERNAL, "nothing was restored");
	return k.ret == -1 ? -1 : restore_configure(l, c->ctr, "", err);
}

static void
restore_wake(pid_t pid, void *arg)
{
	(void)arg;
	(void)kill(pid, SIGCONT);
}

int
restore_start(const struct launch *l, const struct fixed_launch_rec *r,
    struct cerr *err)
{
	/* Frozen as it is, none sees another that has begun. */
	cgroup_each(&l->cgroups, r->cgroup, restore_wake, NULL);
	return cgroup_freeze(&l->cgroups, r->cgroup, false,
		   RESTORE_FREEZE_MS) == -1
		   ? cerr_errno(err, "let the container go on")
		   : 0;
}
