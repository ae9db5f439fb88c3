/*
 * Checkpoints: containers are stopped by the freezer of their cgroups, CRIU
 * dumps each through the runtime, a child without privileges writes it and the
 * writable layer into a file that has no name yet, and all go on.  Only then
 * the files get their names: what fails leaves none.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/checkpoint_list.h"
#include "execd/ctr_flags.h"
#include "execd/launch_dump.h"
#include "execd/launch_run.h"
#include "execd/launch_tar.h"
#include "execd/rootfile.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define CHECKPOINT_FREEZE_MS 10000
#define CHECKPOINT_LOG_MAX   16384
#define CHECKPOINT_MARK	     (ID_SIZE + 16)

/* A file that was given its name, for the undo. */
struct checkpoint_made {
	uint64_t dev, ino;
};

struct checkpoint {
	const struct launch *l;
	const struct fixed_checkpoint *c;
	uint8_t *list;
	size_t list_len;
	const struct checkpoint_item *items;
	const uint8_t *text; /* of the first item */
	struct fixed_launch_rec recs[CHECKPOINT_MAX];
	int out[CHECKPOINT_MAX];
	int dir;
};

/* Large, and a job has one at most. */
static struct checkpoint checkpoint;

/* ---- the request ---- */

static bool
checkpoint_file_valid(const char *file)
{
	return memchr(file, '\0', CHECKPOINT_NAME_MAX) != NULL &&
	       file[0] != '\0' && file[0] != '.' && strchr(file, '/') == NULL;
}

static int
checkpoint_item(struct checkpoint *k, uint32_t i, size_t *used,
    struct cerr *err)
{
	const struct checkpoint_item *it = &k->items[i];
	size_t left = k->list_len - *used;

	if (memchr(it->ctr, '\0', sizeof(it->ctr)) == NULL ||
	    !checkpoint_file_valid(it->file) || it->config_len > left ||
	    it->spec_len > left - it->config_len)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "checkpoint: the list is malformed");
	*used += (size_t)it->config_len + it->spec_len;
	if (launch_check_id("container", it->ctr, err) == -1 ||
	    run_runtime_check(k->l, it->runtime, err) == -1 ||
	    launch_record_read(k->l, it->ctr, &k->recs[i], err) == -1)
		return -1;
	if (k->l->runtimes[it->runtime].type != LAUNCH_RUNTIME_OCI ||
	    k->recs[i].pid == 0 ||
	    (k->recs[i].flags & CTR_FLAGS_NO_CHECKPOINT) != 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s has a terminal, or a namespace of the host's "
		    "or another container's: it cannot be checkpointed",
		    it->ctr);
	return 0;
}

static int
checkpoint_read(struct checkpoint *k, int fd, struct cerr *err)
{
	size_t used = k->c->n * sizeof(struct checkpoint_item);

	if (fdio_memfd_read(fd, CHECKPOINT_LIST_MAX, &k->list, &k->list_len) ==
	    -1)
		return cerr_errno(err, "checkpoint: list");
	if (k->c->n == 0 || k->c->n > CHECKPOINT_MAX || k->list_len < used)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "checkpoint: the list is malformed");
	k->items = (const void *)k->list;
	k->text = k->list + used;
	for (uint32_t i = 0; i < k->c->n; i++) {
		if (checkpoint_item(k, i, &used, err) == -1)
			return -1;
	}
	return 0;
}

static int
checkpoint_empty(int dir, const char *path, struct cerr *err)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *de;
	size_t n = 0;

	if (d == NULL) {
		fdio_close(&copy);
		return cerr_errno(err, "%.512s", path);
	}
	while ((de = readdir(d)) != NULL)
		n++;
	(void)closedir(d);
	return n == 2 ? 0
		      : cerr_set(err, CERR_FAILED_PRECONDITION,
			    "%.512s: not empty", path);
}

/* Anybody who may write there could put something else in its place. */
static int
checkpoint_own(int dir, const char *path, struct cerr *err)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return cerr_errno(err, "%.512s", path);
	return st.st_uid == 0 && ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ||
				     (st.st_mode & S_ISVTX) != 0)
		   ? 0
		   : cerr_set(err, CERR_FAILED_PRECONDITION,
			 "%.512s: not root's, or others may write it", path);
}

static int
checkpoint_free(struct checkpoint *k, struct cerr *err)
{
	for (uint32_t i = 0; i < k->c->n; i++) {
		if (faccessat(k->dir, k->items[i].file, F_OK,
			AT_SYMLINK_NOFOLLOW) == 0)
			return cerr_set(err, CERR_ALREADY_EXISTS,
			    "%.512s/%s: exists", k->c->dir, k->items[i].file);
	}
	return 0;
}

static int
checkpoint_dir(struct checkpoint *k, struct cerr *err)
{
	const char *path = k->c->dir;

	if (strcmp(path, "/") != 0 && !launch_path_clean(path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%.512s: not an absolute, clean path", path);
	k->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k->dir == -1)
		return cerr_set(err, CERR_FAILED_PRECONDITION, "%.512s: %s",
		    path, strerror(errno));
	if (checkpoint_own(k->dir, path, err) == -1)
		return -1;
	return k->c->empty != 0 ? checkpoint_empty(k->dir, path, err)
				: checkpoint_free(k, err);
}

/* ---- stopping and going on ---- */

static int
checkpoint_freeze(const struct checkpoint *k, struct cerr *err)
{
	for (uint32_t i = 0; i < k->c->n; i++) {
		if (cgroup_freeze(&k->l->cgroups, k->recs[i].cgroup, true,
			CHECKPOINT_FREEZE_MS) == -1)
			return cerr_errno(err, "stop container %s",
			    k->items[i].ctr);
	}
	return 0;
}

static int
checkpoint_go_on(const struct launch *l, const char *ctr,
    const struct fixed_launch_rec *r, struct cerr *err)
{
	if (cgroup_freeze(&l->cgroups, r->cgroup, false,
		CHECKPOINT_FREEZE_MS) == -1 &&
	    errno != ENOENT && errno != ENODEV)
		return cerr_errno(err, "let container %s go on", ctr);
	return 0;
}

/* Every one, whatever happens to the others. */
static int
checkpoint_thaw(const struct checkpoint *k, struct cerr *err)
{
	int ret = 0;

	for (uint32_t i = 0; i < k->c->n; i++) {
		if (checkpoint_go_on(k->l, k->items[i].ctr, &k->recs[i], err) ==
		    -1)
			ret = -1;
	}
	return ret;
}

/* ---- CRIU ---- */

int
launch_dump_path(const struct launch *l, const char *ctr, const char *name,
    char path[LAUNCH_PATH_MAX], struct cerr *err)
{
	if ((size_t)snprintf(path, LAUNCH_PATH_MAX, "%s/%s/%s", l->container,
		ctr, name) >= LAUNCH_PATH_MAX)
		return cerr_set(err, CERR_INTERNAL, "container path too long");
	return 0;
}

int
launch_dump_remove(const struct launch *l, const char *ctr, const char *name)
{
	CLEANUP_FD int dir = launch_open_beneath(l->dirs[LAUNCH_DIR_CONTAINER],
	    ctr, O_RDONLY | O_DIRECTORY);

	if (dir == -1)
		return errno == ENOENT ? 0 : -1;
	return launch_tree_remove(dir, name);
}

static bool
dump_line_has(const char *line, const char *what)
{
	return memmem(line, strcspn(line, "\n"), what, strlen(what)) != NULL;
}

void
launch_dump_why(const char *dir, const char *log, char *text, size_t size)
{
	char path[LAUNCH_PATH_MAX], buf[CHECKPOINT_LOG_MAX];
	CLEANUP_FD int fd = -1;
	const char *why = NULL;
	ssize_t n;
	off_t end;

	text[0] = '\0';
	(void)snprintf(path, sizeof(path), "%.4000s/%s", dir, log);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	end = fd == -1 ? -1 : lseek(fd, 0, SEEK_END);
	if (end > (off_t)sizeof(buf) - 1)
		(void)lseek(fd, end - ((off_t)sizeof(buf) - 1), SEEK_SET);
	else if (end != -1)
		(void)lseek(fd, 0, SEEK_SET);
	n = fd == -1 ? -1 : fdio_read_upto(fd, buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = '\0';
	/* The first of several names the cause; limits that it could not
	 * raise for itself are none. */
	why = strstr(buf, "Error (");
	while (why != NULL && dump_line_has(why, "RLIMIT_NOFILE for self"))
		why = strstr(why + 1, "Error (");
	if (why == NULL)
		return;
	(void)snprintf(text, size, "%.*s", (int)strcspn(why, "\n"), why);
	launch_clean_text(text);
}

static int
checkpoint_dump(const struct checkpoint *k, uint32_t i, struct cerr *err)
{
	const struct checkpoint_item *it = &k->items[i];
	char root[LAUNCH_PATH_MAX], dir[LAUNCH_PATH_MAX], why[256];
	struct run r;
	int code;

	if (launch_dump_path(k->l, it->ctr, DUMP_DIR, dir, err) == -1 ||
	    run_begin(&r, k->l, it->runtime, root, sizeof(root), err) == -1)
		return -1;
	if (mkdir(dir, 0700) == -1)
		return cerr_errno(err, "directory for CRIU's images");
	run_add(&r, "checkpoint");
	run_add(&r, "--image-path");
	run_add(&r, dir);
	run_add(&r, "--work-path");
	run_add(&r, dir);
	run_add(&r, "--leave-running");
	run_add(&r, "--file-locks");
	run_add(&r, "--tcp-established");
	run_add(&r, it->ctr);
	code = run_wait(&r, err);
	if (code <= 0)
		return code;
	launch_dump_why(dir, "dump.log", why, sizeof(why));
	return why[0] == '\0'
		   ? run_failed(&r, "checkpoint", code, err)
		   : cerr_set(err, CERR_INTERNAL, "checkpoint: %s", why);
}

/* ---- the archive ---- */

static int
checkpoint_archive(const struct checkpoint_item *it, const uint8_t *text,
    struct cerr *err)
{
	static const char *const top[] = { "dump.log", "stats-dump" };
	static struct tarout t = { .fd = ROOTFILE_OUT_FD };
	CLEANUP_FD int dump = rootfile_open_dir(AT_FDCWD, "/" DUMP_DIR);
	CLEANUP_FD int upper = rootfile_open_dir(AT_FDCWD, "/upper");

	if (dump == -1 || upper == -1)
		return cerr_errno(err, "checkpoint");
	if (tarout_bytes(&t, "config.dump", text, it->config_len, err) == -1 ||
	    tarout_bytes(&t, "spec.dump", text + it->config_len, it->spec_len,
		err) == -1 ||
	    tarout_files(&t, dump, LOAD_IMAGES, top, 2, err) == -1 ||
	    tarout_layer(&t, LOAD_DIFF, upper, err) == -1)
		return -1;
	return tarout_end(&t, err);
}

/* In a child: the names and bytes are the container's. */
static void
checkpoint_writer(const struct checkpoint *k, uint32_t i, const uint8_t *text,
    int say)
{
	struct cerr err;
	int root = launch_open_beneath(k->l->dirs[LAUNCH_DIR_CONTAINER],
	    k->items[i].ctr, O_RDONLY | O_DIRECTORY);
	int fds[3];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Up first: the numbers to be may be among these. */
	fds[0] = fcntl(root, F_DUPFD_CLOEXEC, 64);
	fds[1] = fcntl(k->out[i], F_DUPFD_CLOEXEC, 64);
	fds[2] = fcntl(say, F_DUPFD_CLOEXEC, 64);
	if (fds[0] == -1 || dup2(fds[1], ROOTFILE_OUT_FD) == -1 ||
	    dup2(fds[2], ROOTFILE_SAY_FD) == -1)
		_exit(2);
	if (rootfile_enter(fds[0], ROOTFILE_ARCHIVE, 0, 0, &err) == 0 &&
	    checkpoint_archive(&k->items[i], text, &err) == 0)
		_exit(0);
	if (write(ROOTFILE_SAY_FD, err.text, strlen(err.text)) == -1)
		_exit(2);
	_exit(1);
}

static int
checkpoint_wait(pid_t pid, int say, struct cerr *err)
{
	char text[CERR_TEXT_MAX / 2];
	ssize_t n = fdio_read_upto(say, text, sizeof(text) - 1);
	int status = 0;

	text[n < 0 ? 0 : n] = '\0';
	launch_clean_text(text);
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(err, "checkpoint");
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		   ? 0
		   : cerr_set(err, CERR_INTERNAL, "checkpoint: %s",
			 text[0] != '\0' ? text : "it could not be written");
}

static int
checkpoint_write(struct checkpoint *k, uint32_t i, const uint8_t *text,
    struct cerr *err)
{
	CLEANUP_FD int say = -1;
	int p[2];
	pid_t pid;

	k->out[i] = openat(k->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (k->out[i] == -1)
		return cerr_errno(err, "file in %.512s", k->c->dir);
	if (pipe2(p, O_CLOEXEC) == -1)
		return cerr_errno(err, "pipe");
	say = p[0];
	pid = fork();
	if (pid == 0)
		checkpoint_writer(k, i, text, p[1]);
	fdio_close(&p[1]);
	return pid == -1 ? cerr_errno(err, "fork")
			 : checkpoint_wait(pid, say, err);
}

static int
checkpoint_save(struct checkpoint *k, struct cerr *err)
{
	const uint8_t *text = k->text;

	for (uint32_t i = 0; i < k->c->n; i++) {
		const struct checkpoint_item *it = &k->items[i];

		if (checkpoint_dump(k, i, err) == -1 ||
		    checkpoint_write(k, i, text, err) == -1)
			return -1;
		if (launch_dump_remove(k->l, it->ctr, DUMP_DIR) == -1)
			return cerr_errno(err, "remove CRIU's images");
		text += (size_t)it->config_len + it->spec_len;
	}
	return 0;
}

/* ---- names ---- */

static void
checkpoint_mark(const struct checkpoint *k, char name[CHECKPOINT_MARK])
{
	(void)snprintf(name, CHECKPOINT_MARK, "%s.ckpt", k->items[0].ctr);
}

/* What is about to get a name, for the undo. */
static int
checkpoint_note(const struct checkpoint *k, struct cerr *err)
{
	struct checkpoint_made made[CHECKPOINT_MAX];
	char name[CHECKPOINT_MARK];
	CLEANUP_FD int fd = -1;
	struct stat st;

	for (uint32_t i = 0; i < k->c->n; i++) {
		if (fsync(k->out[i]) == -1 || fstat(k->out[i], &st) == -1)
			return cerr_errno(err, "checkpoint");
		made[i] = (struct checkpoint_made){ st.st_dev, st.st_ino };
	}
	checkpoint_mark(k, name);
	fd = openat(k->l->dirs[LAUNCH_DIR_SCRATCH], name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd == -1 ||
		       fdio_write_all(fd, made, k->c->n * sizeof(made[0])) == -1
		   ? cerr_errno(err, "checkpoint")
		   : 0;
}

static void
checkpoint_forget(const struct checkpoint *k)
{
	char name[CHECKPOINT_MARK];

	checkpoint_mark(k, name);
	(void)unlinkat(k->l->dirs[LAUNCH_DIR_SCRATCH], name, 0);
}

static int
checkpoint_name(const struct checkpoint *k, struct cerr *err)
{
	if (checkpoint_note(k, err) == -1)
		return -1;
	for (uint32_t i = 0; i < k->c->n; i++) {
		if (linkat(k->out[i], "", k->dir, k->items[i].file,
			AT_EMPTY_PATH) == -1)
			return cerr_errno(err, "%.512s/%s", k->c->dir,
			    k->items[i].file);
	}
	checkpoint_forget(k);
	return 0;
}

/* Nobody else's file of that name. */
static void
checkpoint_unname(const struct checkpoint *k)
{
	struct checkpoint_made made[CHECKPOINT_MAX];
	char name[CHECKPOINT_MARK];
	CLEANUP_FD int fd = -1;
	struct stat st;
	ssize_t n;

	checkpoint_mark(k, name);
	fd = openat(k->l->dirs[LAUNCH_DIR_SCRATCH], name,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	n = fd == -1 ? 0 : fdio_read_upto(fd, made, sizeof(made));
	for (uint32_t i = 0; i < k->c->n && (ssize_t)sizeof(made[0]) <= n;
	     i++, n -= (ssize_t)sizeof(made[0])) {
		if (fstatat(k->dir, k->items[i].file, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_dev == made[i].dev && st.st_ino == made[i].ino)
			(void)unlinkat(k->dir, k->items[i].file, 0);
	}
	checkpoint_forget(k);
}

/* ---- the operations ---- */

static struct checkpoint *
checkpoint_new(const struct launch *l, const struct launch_op *op)
{
	struct checkpoint *k = &checkpoint;

	k->l = l;
	k->c = op->body;
	k->dir = -1;
	for (size_t i = 0; i < CHECKPOINT_MAX; i++)
		k->out[i] = -1;
	return k;
}

int
launch_checkpoint(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	struct checkpoint *k = checkpoint_new(l, op);
	struct cerr later;
	int ret;

	if (!l->checkpoint)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "checkpoints are not configured");
	if (checkpoint_read(k, op->fds[0], err) == -1 ||
	    checkpoint_dir(k, err) == -1)
		return -1;
	launch_begun();
	ret = checkpoint_freeze(k, err);
	if (ret == 0)
		ret = checkpoint_save(k, err);
	if (checkpoint_thaw(k, &later) == -1 && ret == 0) {
		*err = later;
		ret = -1;
	}
	return ret == 0 ? checkpoint_name(k, err) : -1;
}

int
launch_checkpoint_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	struct checkpoint *k = checkpoint_new(l, op);
	int ret;

	if (checkpoint_read(k, op->fds[0], err) == -1)
		return -1;
	ret = checkpoint_thaw(k, err);
	for (uint32_t i = 0; i < k->c->n; i++) {
		if (launch_dump_remove(l, k->items[i].ctr, DUMP_DIR) == -1)
			ret = cerr_errno(err, "remove CRIU's images");
	}
	k->dir =
	    open(k->c->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k->dir != -1)
		checkpoint_unname(k);
	return ret;
}

/* One that a launcher which is no more had begun. */
int
launch_checkpoint_end(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_ctr *c = op->body;
	struct fixed_launch_rec r;

	if (launch_check_id("container", c->ctr, err) == -1 ||
	    launch_record_read(l, c->ctr, &r, err) == -1 ||
	    checkpoint_go_on(l, c->ctr, &r, err) == -1)
		return -1;
	return launch_dump_remove(l, c->ctr, DUMP_DIR) == -1
		   ? cerr_errno(err, "remove CRIU's images")
		   : 0;
}

int64_t
launch_checkpoint_ms(const void *body)
{
	return (int64_t)((const struct fixed_checkpoint *)body)->timeout_ms;
}
