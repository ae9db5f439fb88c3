#include <sys/syscall.h>

#include <linux/mount.h>

#include <fcntl.h>
#include <unistd.h>

#include "lib/roexec.h"

int
roexec_open(const char *path)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd != -1 && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &ro,
			    sizeof(ro)) == -1) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

void
roexec(const char *path, char *const argv[], char *const env[])
{
	int fd = roexec_open(path);

	/* A script's interpreter would not find its close-on-exec file. */
	if (fd != -1)
		(void)syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
	(void)execve(path, argv, env);
}
