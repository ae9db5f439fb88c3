/*
 * Labels of SELinux on a volume: on all that is in it, then on itself.  It is
 * gone through by descriptor, following nothing, on one file system.
 */
#include <sys/stat.h>
#include <sys/xattr.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_label.h"
#include "lib/fdio.h"

#define RELABEL_DEPTH 128
#define RELABEL_ATTR  "security.selinux"

struct relabel {
	const char *label;
	dev_t dev;
	DIR *dirs[RELABEL_DEPTH]; /* the way down */
	size_t depth;
};

/* The host's own: not these, nor anything below. */
static const char *const relabel_trees[] = { "/bin", "/boot", "/dev", "/etc",
	"/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys",
	"/usr" };

/* Nor these, where others' files are. */
static const char *const relabel_tops[] = { "/", "/home", "/media", "/mnt",
	"/opt", "/root", "/run", "/srv", "/tmp", "/var", "/var/cache",
	"/var/lib", "/var/lib/kubelet", "/var/lib/kubelet/pods", "/var/log",
	"/var/run", "/var/spool", "/var/tmp" };

static bool
relabel_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

bool
relabel_allowed(const struct launch *l, const char *path)
{
	const char *const own[] = { l->state, l->image, l->container };

	for (size_t i = 0; i < sizeof(relabel_trees) / sizeof(char *); i++) {
		if (relabel_within(path, relabel_trees[i]))
			return false;
	}
	for (size_t i = 0; i < sizeof(relabel_tops) / sizeof(char *); i++) {
		if (strcmp(path, relabel_tops[i]) == 0)
			return false;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (relabel_within(path, own[i]) ||
		    relabel_within(own[i], path))
			return false;
	}
	return true;
}

static bool
relabel_same(ssize_t n, const char *have, const char *label)
{
	/* The kernel's own end in a NUL, others' may not. */
	return n > 0 && strncmp(have, label, (size_t)n) == 0 &&
	       strlen(label) + 1 >= (size_t)n && strlen(label) <= (size_t)n;
}

/* What is not a directory, whatever name has become meanwhile. */
static int
relabel_file(const struct relabel *r, int dirfd, const char *name)
{
	char path[32 + NAME_MAX], have[LABEL_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	n = lgetxattr(path, RELABEL_ATTR, have, sizeof(have));
	if (relabel_same(n, have, r->label))
		return 0;
	return lsetxattr(path, RELABEL_ATTR, r->label, strlen(r->label) + 1,
		   0) == -1 &&
		       errno != ENOENT
		   ? -1
		   : 0;
}

static int
relabel_fd(const struct relabel *r, int fd)
{
	char have[LABEL_MAX];
	ssize_t n = fgetxattr(fd, RELABEL_ATTR, have, sizeof(have));

	return relabel_same(n, have, r->label)
		   ? 0
		   : fsetxattr(fd, RELABEL_ATTR, r->label, strlen(r->label) + 1,
			 0);
}

/* Takes fd, a directory. */
static int
relabel_push(struct relabel *r, int fd)
{
	DIR *dir = NULL;

	if (r->depth == RELABEL_DEPTH)
		errno = ELOOP;
	else
		dir = fdopendir(fd);
	if (dir == NULL) {
		fdio_close(&fd);
		return -1;
	}
	r->dirs[r->depth++] = dir;
	return 0;
}

/* Its contents are done. */
static int
relabel_pop(struct relabel *r)
{
	DIR *dir = r->dirs[--r->depth];
	int ret = relabel_fd(r, dirfd(dir));

	(void)closedir(dir);
	return ret;
}

static int
relabel_entry(struct relabel *r, int dir, const char *name)
{
	struct stat st;
	int fd;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -1;
	if (st.st_dev != r->dev)
		return 0; /* of another file system */
	if (!S_ISDIR(st.st_mode))
		return relabel_file(r, dir, name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	return relabel_push(r, fd);
}

/* Directories after what is in them: one that has the label is done. */
static int
relabel_walk(struct relabel *r)
{
	struct dirent *de;
	int ret = 0;

	while (ret == 0 && r->depth > 0) {
		DIR *dir = r->dirs[r->depth - 1];

		errno = 0;
		de = readdir(dir);
		if (de != NULL)
			ret = relabel_entry(r, dirfd(dir), de->d_name);
		else
			ret = errno != 0 ? -1 : relabel_pop(r);
	}
	while (r->depth > 0)
		(void)closedir(r->dirs[--r->depth]);
	return ret;
}

/* fd is what the path led to when it was looked at. */
int
relabel_tree(int fd, const char *label)
{
	struct relabel r = { .label = label };
	char have[LABEL_MAX], path[32];
	struct stat st;
	int dir;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) == -1)
		return -1;
	r.dev = st.st_dev;
	if (relabel_same(getxattr(path, RELABEL_ATTR, have, sizeof(have)), have,
		label))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return setxattr(path, RELABEL_ATTR, label, strlen(label) + 1,
		    0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1 || relabel_push(&r, dir) == -1)
		return -1;
	return relabel_walk(&r);
}

int
launch_relabel(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_relabel *r = op->body;
	char link[32], real[LAUNCH_PATH_MAX];
	CLEANUP_FD int fd = -1;
	ssize_t n;

	if ((strcmp(r->path, "/") != 0 && !launch_path_clean(r->path)) ||
	    !label_valid(r->label))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%.256s: not a path, or not a label", r->path);
	fd = open(r->path, O_PATH | O_CLOEXEC);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fd == -1 ? -1 : readlink(link, real, sizeof(real));
	if (n < 0 || (size_t)n >= sizeof(real))
		return cerr_errno(err, "%.256s", r->path);
	real[n] = '\0';
	if (!relabel_allowed(l, real))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "selinux_relabel: %.256s belongs to the host", real);
	/* One without labels has what its mount gave it. */
	if (relabel_tree(fd, r->label) == -1 && errno != ENOTSUP)
		return cerr_errno(err, "selinux_relabel: %.256s", real);
	return 0;
}
