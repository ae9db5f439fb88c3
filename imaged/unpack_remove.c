#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "imaged/unpack_remove.h"
#include "lib/fdio.h"

#define REMOVE_DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool
remove_is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* 0 removed, 1 a directory that is not empty, -1 with errno. */
static int
remove_one(int dirfd, const char *name, bool may_be_dir)
{
	if (!may_be_dir) {
		if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR && errno != EPERM)
			return -1;
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR && may_be_dir)
		return remove_one(dirfd, name, false);
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
}

/*
 * Empties cur as far as it goes: *child is a directory in it that is not empty
 * and must be emptied first, or -1.
 */
static int
remove_level(int cur, int *child)
{
	int fd = openat(cur, ".", REMOVE_DIR_FLAGS), rc = 0;
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *de;

	*child = -1;
	if (dir == NULL) {
		fdio_close(&fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, de = readdir(dir)) != NULL) {
		if (remove_is_dot(de->d_name))
			continue;
		rc = remove_one(cur, de->d_name, de->d_type == DT_DIR);
		if (rc == 1) {
			*child = openat(cur, de->d_name, REMOVE_DIR_FLAGS);
			rc = *child == -1 ? -1 : 1;
		}
	}
	if (rc == 0 && errno != 0)
		rc = -1;
	(void)closedir(dir);
	return rc == -1 ? -1 : 0;
}

int
unpack_remove_contents(int dirfd, unpack_check_fn check, void *arg,
    struct cerr *err)
{
	CLEANUP_FD int cur = openat(dirfd, ".", REMOVE_DIR_FLAGS);
	size_t depth = 0;

	while (cur != -1) {
		int next;

		if (check != NULL && check(arg, err) == -1)
			return -1;
		if (remove_level(cur, &next) == -1)
			break;
		if (next != -1) {
			depth++;
		} else {
			if (depth-- == 0)
				return 0;
			next = openat(cur, "..", REMOVE_DIR_FLAGS);
		}
		fdio_close(&cur);
		cur = next;
	}
	return cerr_errno(err, "remove layer");
}

int
unpack_remove_at(int dirfd, const char *name, struct cerr *err)
{
	CLEANUP_FD int child = -1;
	int rc = remove_one(dirfd, name, false);

	if (rc == 0)
		return 0;
	if (rc == 1) {
		child = openat(dirfd, name, REMOVE_DIR_FLAGS);
		if (child != -1 &&
		    unpack_remove_contents(child, NULL, NULL, err) == -1)
			return -1;
		if (child != -1 && unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
			return 0;
	}
	return cerr_errno(err, "remove an earlier entry of the layer");
}
