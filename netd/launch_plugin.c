#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "netd/launch_plugin.h"
#include "netd/plugin.h"

#define PLUGIN_OTHERS (S_IWGRP | S_IWOTH)

static const char *
launch_plugin_wrong(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != 0)
		return "does not belong to root";
	if (st->st_mode & PLUGIN_OTHERS)
		return "can be written by others than root";
	if ((st->st_mode & S_IXUSR) == 0)
		return "is not executable";
	return NULL;
}

/* Opened anew each time: packages replace the directory's contents. */
static int
launch_plugin_dir(const char *path, struct cerr *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return cerr_set(err, CERR_NOT_FOUND, "no plugin directory %s",
		    path);
	if (fd == -1 || fstat(fd, &st) == -1) {
		fdio_close(&fd);
		return cerr_errno(err, "plugin directory %s", path);
	}
	if (st.st_uid != 0 || (st.st_mode & PLUGIN_OTHERS)) {
		fdio_close(&fd);
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "plugin directory %s can be changed by others than root",
		    path);
	}
	return fd;
}

int
launch_plugin_open(const char *path, const char *name, struct cerr *err)
{
	CLEANUP_FD int dir = -1;
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	struct stat st;
	const char *wrong;
	int fd;

	if (!plugin_name_valid(name))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "plugin name not allowed");
	dir = launch_plugin_dir(path, err);
	if (dir == -1)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "no plugin %s in %s", name,
		    path);
	if (fd == -1 || fstat(fd, &st) == -1) {
		fdio_close(&fd);
		return cerr_errno(err, "plugin %s/%s", path, name);
	}
	wrong = launch_plugin_wrong(&st);
	if (wrong != NULL) {
		fdio_close(&fd);
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "plugin %s/%s %s", path, name, wrong);
	}
	return fd;
}
