#include <sys/stat.h>
#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_cgroup.h"
#include "lib/fdio.h"

#define CGROUP_FILE_MAX	  (CGROUP_MOUNT_MAX + CGROUP_PATH_MAX + 32)
#define CGROUP_DEPTH	  32
#define CGROUP_KILL_TRIES 50
#define CGROUP_STEP_US	  2000

/* "31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu" */
static void
cgroup_parse_line(struct cgroups *cg, const char *line, size_t len)
{
	struct cgroup_tree *t = &cg->trees[cg->n];
	char text[512], root[8], type[16], options[128];
	const char *dash;

	if (len >= sizeof(text) || cg->n == CGROUPS_MAX)
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	dash = strstr(text, " - ");
	if (dash == NULL ||
	    sscanf(text, "%*s %*s %*s %7s %63s", root, t->mount) != 2 ||
	    sscanf(dash + 3, "%15s %*s %127s", type, options) != 2 ||
	    strcmp(root, "/") != 0 || strchr(t->mount, '\\') != NULL)
		return;
	t->v2 = strcmp(type, "cgroup2") == 0;
	if (!t->v2 && strcmp(type, "cgroup") != 0)
		return;
	(void)snprintf(t->names, sizeof(t->names), ",%.60s,", options);
	cg->n++;
}

void
cgroup_parse(struct cgroups *cg, const char *mountinfo)
{
	const char *p = mountinfo, *end;

	cg->n = 0;
	for (; (end = strchr(p, '\n')) != NULL; p = end + 1)
		cgroup_parse_line(cg, p, (size_t)(end - p));
}

bool
cgroup_path_valid(const char *path)
{
	size_t n = strlen(path);

	return n > 1 && n < CGROUP_PATH_MAX && path[0] == '/' &&
	       path[n - 1] != '/' && strstr(path, "//") == NULL &&
	       strstr(path, "/./") == NULL && strstr(path, "/../") == NULL &&
	       (n < 3 || strcmp(path + n - 3, "/..") != 0) &&
	       strcmp(path + n - 2, "/.") != 0 && strchr(path, '\n') == NULL;
}

bool
cgroup_has(const struct cgroup_tree *t, const char *controller)
{
	char word[32];

	(void)snprintf(word, sizeof(word), ",%s,", controller);
	return !t->v2 && strstr(t->names, word) != NULL;
}

/* Where all processes of a container are sure to be. */
static const struct cgroup_tree *
cgroup_main(const struct cgroups *cg)
{
	static const char *const best[] = { "pids", "memory", "cpu",
		"name=systemd" };

	for (size_t i = 0; i < sizeof(best) / sizeof(best[0]); i++) {
		for (size_t j = 0; j < cg->n; j++) {
			if (cgroup_has(&cg->trees[j], best[i]))
				return &cg->trees[j];
		}
	}
	return cg->n > 0 ? &cg->trees[0] : NULL;
}

void
cgroup_oom_file(const struct cgroups *cg, const char *path, char *buf,
    size_t size)
{
	buf[0] = '\0';
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_tree *t = &cg->trees[i];

		if (t->v2 && buf[0] == '\0')
			(void)snprintf(buf, size, "%s%s/memory.events",
			    t->mount, path);
		else if (cgroup_has(t, "memory"))
			(void)snprintf(buf, size, "%s%s/memory.oom_control",
			    t->mount, path);
	}
}

static int
cgroup_put(const char *dir, const char *file, const char *text)
{
	char path[CGROUP_FILE_MAX];
	CLEANUP_FD int fd = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >=
	    sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	return write(fd, text, strlen(text)) == -1 ? -1 : 0;
}

/* A new v1 cpuset has no CPU and takes no process: it gets its parent's. */
static void
cgroup_inherit(const char *dir, const char *parent, const char *file)
{
	char path[CGROUP_FILE_MAX], text[1024];
	CLEANUP_FD int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.1000s/%s", parent, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (cgroup_put(dir, file, text) == -1)
		errno = 0; /* the join will tell */
}

/* Open to all whatever the umask: a pod's root, too, passes it. */
static void
cgroup_made(const struct cgroup_tree *t, const char *dir, const char *parent)
{
	(void)chmod(dir, 0755);
	if (!cgroup_has(t, "cpuset"))
		return;
	cgroup_inherit(dir, parent, "cpuset.cpus");
	cgroup_inherit(dir, parent, "cpuset.mems");
}

static int
cgroup_make(const struct cgroup_tree *t, const char *path, char *dir,
    size_t size)
{
	char parent[CGROUP_FILE_MAX];
	size_t base = (size_t)snprintf(dir, size, "%s", t->mount);

	for (const char *p = path + 1; p != NULL && *p != '\0';) {
		const char *end = strchr(p, '/');
		size_t upto = end == NULL ? strlen(path) : (size_t)(end - path);

		(void)snprintf(parent, sizeof(parent), "%s", dir);
		if ((size_t)snprintf(dir + base, size - base, "%.*s", (int)upto,
			path) >= size - base)
			return -1;
		if (mkdir(dir, 0755) == 0)
			cgroup_made(t, dir, parent);
		p = end == NULL ? NULL : end + 1;
	}
	return 0;
}

static bool
cgroup_counts(const struct cgroup_tree *t)
{
	return t->v2 || cgroup_has(t, "memory") || cgroup_has(t, "pids") ||
	       cgroup_has(t, "name=systemd");
}

int
cgroup_join(const struct cgroups *cg, const char *path, pid_t pid,
    bool critical, struct cerr *err)
{
	char dir[CGROUP_FILE_MAX], number[16];

	(void)snprintf(number, sizeof(number), "%d", pid);
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_tree *t = &cg->trees[i];

		if (!critical && !cgroup_counts(t))
			continue;
		if (cgroup_make(t, path, dir, sizeof(dir)) == -1 ||
		    cgroup_put(dir, "cgroup.procs", number) == -1) {
			if (errno == ESRCH)
				return 0;
			/* v2 beside v1 may be unusable: it limits nothing. */
			if (t->v2 && cg->n > 1)
				continue;
			return cerr_errno(err, "join cgroup %s%s", t->mount,
			    path);
		}
	}
	return 0;
}

static bool
cgroup_line_within(const char *at, const char *path)
{
	size_t n = strlen(path);

	return strncmp(at, path, n) == 0 &&
	       (at[n] == '\n' || at[n] == '/' || at[n] == '\0');
}

/* "4:memory:/a/b", "0::/a/b" */
bool
cgroup_text_within(const char *text, const char *path)
{
	static const char *const limiting[] = { ",memory,", ",pids,", ",cpu," };
	bool v1 = false, v2 = false;

	for (const char *p = text; p != NULL && *p != '\0';) {
		const char *names = strchr(p, ':');
		const char *at = names == NULL ? NULL : strchr(names + 1, ':');
		char list[64];

		if (at == NULL)
			return false;
		(void)snprintf(list, sizeof(list), ",%.*s,",
		    (int)(at - names - 1), names + 1);
		if (at == names + 1)
			v2 = cgroup_line_within(at + 1, path);
		for (size_t i = 0; i < 3; i++) {
			if (strstr(list, limiting[i]) == NULL)
				continue;
			if (!cgroup_line_within(at + 1, path))
				return false;
			v1 = true;
		}
		p = strchr(p, '\n');
		p = p == NULL ? NULL : p + 1;
	}
	return v1 || v2;
}

/*
 * Visits path and the cgroups below it, deepest last; a cgroup's depth is
 * bounded here, its number by the kernel.
 */
struct cgroup_walk {
	void (*dir)(const char *path, void *arg);
	void *arg;
	bool children_first;
};

static void
cgroup_walk(const struct cgroup_walk *w, const char *path)
{
	DIR *stack[CGROUP_DEPTH];
	char dir[CGROUP_FILE_MAX];
	size_t depth = 0, len = strlen(path);
	struct dirent *de;

	if (len >= sizeof(dir) || (stack[0] = opendir(path)) == NULL)
		return;
	memcpy(dir, path, len + 1);
	if (!w->children_first)
		w->dir(dir, w->arg);
	for (;;) {
		de = readdir(stack[depth]);
		len = strlen(dir);
		if (de == NULL) {
			(void)closedir(stack[depth]);
			if (w->children_first)
				w->dir(dir, w->arg);
			if (depth-- == 0)
				return;
			*strrchr(dir, '/') = '\0';
			continue;
		}
		if (de->d_type != DT_DIR || de->d_name[0] == '.' ||
		    depth + 1 == CGROUP_DEPTH ||
		    len + strlen(de->d_name) + 2 >= sizeof(dir))
			continue;
		(void)snprintf(dir + len, sizeof(dir) - len, "/%s", de->d_name);
		if ((stack[depth + 1] = opendir(dir)) == NULL) {
			dir[len] = '\0';
			continue;
		}
		depth++;
		if (!w->children_first)
			w->dir(dir, w->arg);
	}
}

struct cgroup_each {
	void (*fn)(pid_t pid, void *arg);
	void *arg;
};

static void
cgroup_each_dir(const char *path, void *arg)
{
	const struct cgroup_each *e = arg;
	char file[CGROUP_FILE_MAX + 16];
	FILE *f;
	int pid;

	(void)snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	f = fopen(file, "re");
	if (f == NULL)
		return;
	while (fscanf(f, "%d", &pid) == 1) {
		if (pid > 0)
			e->fn(pid, e->arg);
	}
	(void)fclose(f);
}

static void
cgroup_each_in(const struct cgroup_tree *t, const char *path,
    void (*fn)(pid_t pid, void *arg), void *arg)
{
	struct cgroup_each e = { fn, arg };
	struct cgroup_walk w = { cgroup_each_dir, &e, false };
	char dir[CGROUP_FILE_MAX];

	(void)snprintf(dir, sizeof(dir), "%s%s", t->mount, path);
	cgroup_walk(&w, dir);
}

void
cgroup_each(const struct cgroups *cg, const char *path,
    void (*fn)(pid_t pid, void *arg), void *arg)
{
	const struct cgroup_tree *t = cgroup_main(cg);

	if (t != NULL)
		cgroup_each_in(t, path, fn, arg);
}

/* v2 or v1's own. */
static const struct cgroup_tree *
cgroup_freezer(const struct cgroups *cg)
{
	const struct cgroup_tree *v2 = NULL;

	for (size_t i = 0; i < cg->n; i++) {
		if (cgroup_has(&cg->trees[i], "freezer"))
			return &cg->trees[i];
		if (cg->trees[i].v2)
			v2 = &cg->trees[i];
	}
	return v2;
}

bool
cgroup_frozen(const struct cgroups *cg, const char *path)
{
	const struct cgroup_tree *t = cgroup_freezer(cg);
	char file[CGROUP_FILE_MAX + 16], text[256];
	CLEANUP_FD int fd = -1;
	ssize_t n;

	if (t == NULL || !cgroup_path_valid(path))
		return false;
	(void)snprintf(file, sizeof(file), "%s%s/%s", t->mount, path,
	    t->v2 ? "cgroup.events" : "freezer.state");
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, t->v2 ? "frozen 1\n" : "FROZEN\n") != NULL;
}

int
cgroup_freeze(const struct cgroups *cg, const char *path, bool frozen,
    int64_t ms)
{
	const struct cgroup_tree *t = cgroup_freezer(cg);
	char dir[CGROUP_FILE_MAX];
	int64_t us = ms * 1000;

	if (t == NULL || !cgroup_path_valid(path)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	(void)snprintf(dir, sizeof(dir), "%s%s", t->mount, path);
	if (t->v2 ? cgroup_put(dir, "cgroup.freeze", frozen ? "1" : "0") == -1
		  : cgroup_put(dir, "freezer.state",
			frozen ? "FROZEN" : "THAWED") == -1)
		return -1;
	for (; cgroup_frozen(cg, path) != frozen; us -= CGROUP_STEP_US) {
		if (us <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		(void)usleep(CGROUP_STEP_US);
	}
	return 0;
}

static void
cgroup_kill_pid(pid_t pid, void *arg)
{
	/* Fresh from cgroup.procs of a cgroup that is being ended. */
	(void)arg;
	(void)kill(pid, SIGKILL);
}

static void
cgroup_count_pid(pid_t pid, void *arg)
{
	(void)pid;
	(*(size_t *)arg)++;
}

static bool
cgroup_empty(const struct cgroups *cg, const char *path)
{
	size_t count = 0;

	cgroup_each(cg, path, cgroup_count_pid, &count);
	return count == 0;
}

/* v2 kills the whole at once; v1 has to be asked until nothing is left. */
void
cgroup_kill(const struct cgroups *cg, const char *path)
{
	const struct cgroup_tree *t = cgroup_main(cg);
	char dir[CGROUP_FILE_MAX];

	if (t == NULL || !cgroup_path_valid(path))
		return;
	(void)snprintf(dir, sizeof(dir), "%s%s", t->mount, path);
	if (t->v2 && cgroup_put(dir, "cgroup.kill", "1") == 0)
		return;
	for (int i = 0; i < CGROUP_KILL_TRIES && !cgroup_empty(cg, path); i++) {
		cgroup_each_in(t, path, cgroup_kill_pid, NULL);
		/* Nothing that is frozen dies. */
		if (cgroup_frozen(cg, path) &&
		    cgroup_freeze(cg, path, false, 0) == -1)
			errno = 0;
		(void)usleep(1000);
	}
}

bool
cgroup_end(const struct cgroups *cg, const char *path, int64_t ms)
{
	if (!cgroup_path_valid(path))
		return true;
	cgroup_kill(cg, path);
	for (int64_t us = ms * 1000; !cgroup_empty(cg, path);
	     us -= CGROUP_STEP_US) {
		if (us <= 0)
			return false;
		(void)usleep(CGROUP_STEP_US);
	}
	return true;
}

static void
cgroup_rmdir(const char *path, void *arg)
{
	(void)arg;
	if (rmdir(path) == -1)
		errno =
		    0; /* a process that dies slowly: its owner tries again */
}

void
cgroup_remove(const struct cgroups *cg, const char *path)
{
	struct cgroup_walk w = { cgroup_rmdir, NULL, true };
	char dir[CGROUP_FILE_MAX];

	for (size_t i = 0; i < cg->n && cgroup_path_valid(path); i++) {
		(void)snprintf(dir, sizeof(dir), "%s%s", cg->trees[i].mount,
		    path);
		cgroup_walk(&w, dir);
	}
}

void
cgroup_remove_one(const struct cgroups *cg, const char *path)
{
	char dir[CGROUP_FILE_MAX];

	for (size_t i = 0; i < cg->n && cgroup_path_valid(path); i++) {
		(void)snprintf(dir, sizeof(dir), "%s%s", cg->trees[i].mount,
		    path);
		cgroup_rmdir(dir, NULL);
	}
}
