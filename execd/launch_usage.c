/*
 * What a container's writable layer takes: a walk through a tree that the
 * container may be changing, in bounded memory however deep it is.
 */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/rootfile.h"
#include "lib/fdio.h"
#include "lib/id.h"

/* Small: what follows a directory in the list is read again after it. */
#define USAGE_LIST     2048
#define USAGE_TRIES    3
#define USAGE_SEEN_MAX (1U << 20) /* hard links told apart, a power of two */
#define USAGE_DEPTH    (1U << 20)
#define USAGE_BLOCK    512 /* of st_blocks, stat(2) */

enum usage_next { USAGE_UP, USAGE_DOWN, USAGE_FAILED };

/* Where to go on in a directory, and how to know it again. */
struct usage_level {
	ino_t ino;
	off_t offset;
};

struct usage {
	uint64_t bytes, inodes;
	struct usage_level *levels;
	size_t depth, size;
	ino_t *seen; /* inodes with several names; 0: free */
	size_t nseen;
};

/* True the first time.  More than the set holds are counted each time. */
static bool
usage_first(struct usage *u, ino_t ino)
{
	size_t i = (size_t)ino * 0x9e3779b97f4a7c15U & (USAGE_SEEN_MAX - 1);

	if (u->nseen >= USAGE_SEEN_MAX / 2)
		return true;
	if (u->seen == NULL)
		u->seen = calloc(USAGE_SEEN_MAX, sizeof(*u->seen));
	if (u->seen == NULL)
		return true;
	while (u->seen[i] != 0 && u->seen[i] != ino)
		i = (i + 1) & (USAGE_SEEN_MAX - 1);
	if (u->seen[i] == ino)
		return false;
	u->seen[i] = ino;
	u->nseen++;
	return true;
}

static void
usage_count(struct usage *u, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1 &&
	    !usage_first(u, st->st_ino))
		return;
	u->inodes++;
	u->bytes += (uint64_t)st->st_blocks * USAGE_BLOCK;
}

static int
usage_push(struct usage *u, ino_t ino, off_t offset)
{
	struct usage_level *grown;

	if (u->depth == u->size) {
		if (u->size >= USAGE_DEPTH)
			return -1;
		u->size = u->size == 0 ? 64 : 2 * u->size;
		grown = reallocarray(u->levels, u->size, sizeof(*grown));
		if (grown == NULL)
			return -1;
		u->levels = grown;
	}
	u->levels[u->depth++] = (struct usage_level){ ino, offset };
	return 0;
}

/* What is gone again does not count. */
static enum usage_next
usage_entry(struct usage *u, int fd, const struct dirent64 *de, int *child)
{
	struct stat st, here;

	if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
	    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return USAGE_UP;
	usage_count(u, &st);
	if (!S_ISDIR(st.st_mode))
		return USAGE_UP;
	*child = rootfile_open_dir(fd, de->d_name);
	if (*child == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? USAGE_UP
			   : USAGE_FAILED;
	return fstat(fd, &here) == -1 ||
		       usage_push(u, here.st_ino, de->d_off) == -1
		   ? USAGE_FAILED
		   : USAGE_DOWN;
}

/* Counts what fd lists from where it stands, as far as the next directory. */
static enum usage_next
usage_list(struct usage *u, int fd, int *child)
{
	_Alignas(struct dirent64) char buf[USAGE_LIST];
	enum usage_next next = USAGE_UP;
	ssize_t n;

	while (next == USAGE_UP && (n = getdents64(fd, buf, USAGE_LIST)) != 0) {
		if (n == -1)
			return errno == ENOENT ? USAGE_UP : USAGE_FAILED;
		for (ssize_t at = 0; next == USAGE_UP && at < n;) {
			const struct dirent64 *de = (const void *)(buf + at);

			next = usage_entry(u, fd, de, child);
			at += de->d_reclen;
		}
	}
	return next;
}

/* The directory that led here; -1 if it is another one by now. */
static int
usage_up(struct usage *u, int fd)
{
	const struct usage_level *l = &u->levels[--u->depth];
	int up = rootfile_open_dir(fd, "..");
	struct stat st;

	if (up != -1 && (fstat(up, &st) == -1 || st.st_ino != l->ino ||
			    lseek(up, l->offset, SEEK_SET) == -1))
		fdio_close(&up);
	return up;
}

static int
usage_walk(struct usage *u)
{
	int fd = rootfile_open_dir(AT_FDCWD, "/"), to;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return -1;
	u->bytes = u->inodes = u->depth = 0;
	u->nseen = 0;
	if (u->seen != NULL)
		memset(u->seen, 0, USAGE_SEEN_MAX * sizeof(*u->seen));
	usage_count(u, &st);
	while (fd != -1) {
		enum usage_next next = usage_list(u, fd, &to);

		if (next == USAGE_UP && u->depth == 0) {
			fdio_close(&fd);
			return 0;
		}
		if (next != USAGE_DOWN)
			to = next == USAGE_UP ? usage_up(u, fd) : -1;
		fdio_close(&fd);
		fd = to;
	}
	return -1;
}

static int
usage_space(int fd, struct fixed_usage *f, struct cerr *err)
{
	struct statvfs vfs;

	if (fstatvfs(fd, &vfs) == -1)
		return cerr_errno(err, "file system of the writable layer");
	f->fs_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	f->fs_inodes = vfs.f_files;
	f->fs_free_inodes = vfs.f_favail;
	return 0;
}

int
launch_usage(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_ctr *c = op->body;
	struct fixed_usage *f = &op->reply.usage;
	struct usage u = { 0 };
	char path[ID_SIZE + 8];
	int root;

	if (launch_check_id("container", c->ctr, err) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/upper", c->ctr);
	root = launch_open_beneath(l->dirs[LAUNCH_DIR_CONTAINER], path,
	    O_RDONLY | O_DIRECTORY);
	if (root == -1)
		return cerr_errno(err, "writable layer");
	if (usage_space(root, f, err) == -1 ||
	    rootfile_enter(root, ROOTFILE_COUNT, 0, 0, err) == -1)
		return -1;
	for (int i = 0; i < USAGE_TRIES; i++) {
		if (usage_walk(&u) == -1)
			continue;
		f->bytes = u.bytes;
		f->inodes = u.inodes;
		return 0;
	}
	return cerr_set(err, CERR_ABORTED,
	    "the writable layer changes too quickly to be counted");
}
