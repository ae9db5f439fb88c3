/*
 * Removal of a tree that a container wrote: by descriptor, following
 * nothing, in bounded memory however deep it is.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/fs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "lib/fdio.h"

enum tree_next { TREE_EMPTY, TREE_DOWN, TREE_FAILED };

/* A container may have made its files immutable. */
static void
tree_unlock_fd(int fd)
{
	unsigned int attr = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &attr) == -1)
		return;
	attr &= ~(unsigned int)(FS_IMMUTABLE_FL | FS_APPEND_FL);
	(void)ioctl(fd, FS_IOC_SETFLAGS, &attr);
}

static void
tree_unlock(int dirfd, const char *name)
{
	struct stat st;
	int fd;

	tree_unlock_fd(dirfd);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1)
		tree_unlock_fd(fd);
	fdio_close(&fd);
}

/* File or empty directory. */
static int
tree_unlink(int dirfd, const char *name)
{
	for (int i = 0; i < 2; i++) {
		if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno == EISDIR &&
		    (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 ||
			errno == ENOENT))
			return 0;
		if (errno != EPERM)
			return -1;
		tree_unlock(dirfd, name);
	}
	return -1;
}

/*
 * Removes what can be removed in fd; at the first directory that is not
 * empty, *child is it, opened.
 */
static enum tree_next
tree_sweep(int fd, int *child)
{
	enum tree_next next = TREE_EMPTY;
	struct dirent *de;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy == -1 ? NULL : fdopendir(copy);

	if (dir == NULL) {
		fdio_close(&copy);
		return TREE_FAILED;
	}
	while (next == TREE_EMPTY && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (tree_unlink(fd, de->d_name) == 0)
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST) {
			next = TREE_FAILED;
			break;
		}
		*child = openat(fd, de->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		next = *child == -1 ? TREE_FAILED : TREE_DOWN;
	}
	(void)closedir(dir);
	return next;
}

/* Down to what is not empty, up by ".." when it is; nothing else moves here. */
static int
tree_empty(int top, unsigned int depth)
{
	int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), to;

	while (fd != -1) {
		to = -1;
		switch (tree_sweep(fd, &to)) {
		case TREE_DOWN:
			depth++;
			break;
		case TREE_EMPTY:
			if (depth-- == 0) {
				fdio_close(&fd);
				return 0;
			}
			to = openat(fd, "..",
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			break;
		case TREE_FAILED:
		default:
			break;
		}
		fdio_close(&fd);
		fd = to;
	}
	return -1;
}

int
launch_tree_remove(int dirfd, const char *name)
{
	CLEANUP_FD int top = -1;

	if (tree_unlink(dirfd, name) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	top = openat(dirfd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top == -1 || tree_empty(top, 0) == -1)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}
