/*
 * New limits of a container: the runtime's update, then files of the
 * container's own cgroup that runtimes leave out.  If any part fails, every
 * limit is put back to what it was.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_proc.h"
#include "execd/launch_run.h"
#include "execd/stat_file.h"
#include "execd/update_file.h"
#include "lib/fdio.h"

#define UPDATE_SAVED_MAX 512
#define UPDATE_TEXT_MAX	 4096
#define UPDATE_PASSES	 4
#define UPDATE_DIR_MAX	 (CGROUP_MOUNT_MAX + CGROUP_PATH_MAX + 16)

/* The text of one file that sets a limit. */
struct update_saved {
	char path[UPDATE_DIR_MAX + UPDATE_FILE_SIZE];
	char text[UPDATE_TEXT_MAX];
};

struct update {
	const struct launch *l;
	const struct fixed_launch_rec *rec;
	struct update_saved **saved;
	size_t nsaved;
};

/* Files of controllers that set a limit of their cgroup and no more. */
static bool
update_is_limit(const char *name)
{
	static const char *const prefixes[] = { "cpu.", "cpuset.", "hugetlb.",
		"io.", "memory.", "misc.", "pids.", "rdma." };
	static const char *const not [] = { ".pressure", ".peak", ".reclaim",
		".force_empty", ".pressure_level", ".max_usage_in_bytes",
		".failcnt", ".sched_relax_domain_level" };
	size_t len = strlen(name);
	bool known = false;

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '.' &&
		    name[i] != '_')
			return false;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		known |= strncmp(name, prefixes[i], strlen(prefixes[i])) == 0;
	for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++) {
		size_t n = strlen(not [i]);

		known &= len < n || strcmp(name + len - n, not [i]) != 0;
	}
	return known && len < UPDATE_FILE_SIZE;
}

/* ---- what was ---- */

static void
update_save_file(struct update *u, const char *dir, const char *name)
{
	struct update_saved *s;
	struct stat st;

	if (u->nsaved == UPDATE_SAVED_MAX)
		return;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return;
	(void)snprintf(s->path, sizeof(s->path), "%.1103s/%.95s", dir, name);
	if (lstat(s->path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IRUSR | S_IWUSR)) == (S_IRUSR | S_IWUSR) &&
	    launch_read_file(AT_FDCWD, s->path, s->text, sizeof(s->text)) > 0)
		u->saved[u->nsaved++] = s;
	else
		free(s);
}

static void
update_save_dir(struct update *u, const char *dir)
{
	struct dirent *de;
	DIR *d = opendir(dir);

	while (d != NULL && (de = readdir(d)) != NULL) {
		if (update_is_limit(de->d_name))
			update_save_file(u, dir, de->d_name);
	}
	if (d != NULL)
		(void)closedir(d);
}

/* In a scope of systemd's, crun limits a cgroup of its own. */
static int
update_save(struct update *u, struct cerr *err)
{
	static const char *const below[] = { "", "/container" };
	const struct cgroups *cg = &u->l->cgroups;
	const size_t n = u->l->systemd ? 2 : 1;
	char dir[UPDATE_DIR_MAX];

	u->saved = calloc(UPDATE_SAVED_MAX, sizeof(struct update_saved *));
	if (u->saved == NULL)
		return cerr_errno(err, "limits");
	for (size_t i = 0; i < cg->n * n; i++) {
		(void)snprintf(dir, sizeof(dir), "%s%.1023s%s",
		    cg->trees[i / n].mount, u->rec->cgroup, below[i % n]);
		update_save_dir(u, dir);
	}
	return 0;
}

/*
 * One limit may have to go before another (memory and memory with swap), so
 * several times, until all are as they were.
 */
static void
update_restore(struct update *u)
{
	char now[UPDATE_TEXT_MAX];
	bool differs = true;

	for (int pass = 0; differs && pass < UPDATE_PASSES; pass++) {
		differs = false;
		for (size_t i = 0; i < u->nsaved; i++) {
			const struct update_saved *s = u->saved[i];

			if (launch_read_file(AT_FDCWD, s->path, now,
				sizeof(now)) <= 0 ||
			    strcmp(now, s->text) == 0)
				continue;
			differs = true;
			if (launch_write_file(AT_FDCWD, s->path, s->text) == -1)
				errno = 0; /* the next pass may */
		}
	}
}

/* ---- what is to be ---- */

static int
update_run(const struct launch *l, const struct fixed_ctr *c, int resources,
    struct cerr *err)
{
	char root[LAUNCH_PATH_MAX];
	struct run r;
	int code;

	if (run_begin(&r, l, c->runtime, root, sizeof(root), err) == -1)
		return -1;
	r.in = resources;
	run_add(&r, "update");
	run_add(&r, "--resources");
	/* crun takes "-" for /dev/stdin, which need not be there. */
	run_add(&r, "/proc/self/fd/0");
	run_add(&r, c->ctr);
	code = run_wait(&r, err);
	if (code == -1)
		return -1;
	return code == 0 ? 0 : run_failed(&r, "update container", code, err);
}

static const struct cgroup_tree *
update_tree(const struct cgroups *cg, const char *file)
{
	char controller[UPDATE_FILE_SIZE];

	(void)snprintf(controller, sizeof(controller), "%.*s",
	    (int)strcspn(file, "."), file);
	for (size_t i = 0; i < cg->n; i++) {
		if (cgroup_has(&cg->trees[i], controller))
			return &cg->trees[i];
	}
	for (size_t i = 0; i < cg->n; i++) {
		if (cg->trees[i].v2)
			return &cg->trees[i];
	}
	return NULL;
}

static int
update_file(struct update *u, const struct update_file *f, struct cerr *err)
{
	const struct cgroup_tree *t;
	char path[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX + UPDATE_FILE_SIZE];

	if (memchr(f->name, '\0', sizeof(f->name)) == NULL ||
	    memchr(f->value, '\0', sizeof(f->value)) == NULL ||
	    !update_is_limit(f->name))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "not a limit of a cgroup");
	t = update_tree(&u->l->cgroups, f->name);
	if (t == NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%s: not on this host", f->name);
	(void)snprintf(path, sizeof(path), "%s%.1023s/%s", t->mount,
	    u->rec->cgroup, f->name);
	return launch_write_file(AT_FDCWD, path, f->value) == -1
		   ? cerr_errno(err, "%s: \"%.64s\"", f->name, f->value)
		   : 0;
}

static int
update_files(struct update *u, int fd, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct update_file f;
	size_t len;

	if (fdio_memfd_read(fd, UPDATE_FILES_MAX * sizeof(f), &buf, &len) == -1)
		return cerr_errno(err, "limits");
	if (len % sizeof(f) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "limits are malformed");
	for (size_t at = 0; at < len; at += sizeof(f)) {
		memcpy(&f, buf + at, sizeof(f));
		if (update_file(u, &f, err) == -1)
			return -1;
	}
	return 0;
}

static int
update_size(int fd, off_t *size, struct cerr *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "resources are not in a file");
	*size = st.st_size;
	return 0;
}

/* fds: what the runtime is to read (empty: nothing for it), the files. */
int
launch_ctr_update(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_ctr *c = op->body;
	struct fixed_launch_rec rec;
	struct update u = { .l = l, .rec = &rec };
	off_t size = 0;

	if (launch_check_id("container", c->ctr, err) == -1 ||
	    run_runtime_check(l, c->runtime, err) == -1 ||
	    launch_record_read(l, c->ctr, &rec, err) == -1 ||
	    update_size(op->fds[0], &size, err) == -1)
		return -1;
	if (!cgroup_path_valid(rec.cgroup))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s has no cgroup", c->ctr);
	if (update_save(&u, err) == -1)
		return -1;
	if ((size == 0 || update_run(l, c, op->fds[0], err) == 0) &&
	    update_files(&u, op->fds[1], err) == 0)
		return 0;
	update_restore(&u);
	return -1;
}
