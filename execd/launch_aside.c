#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "execd/launch_aside.h"
#include "lib/fdio.h"

int
launch_aside_enter(struct aside *a, struct cerr *err)
{
	a->home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (a->home == -1 || unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return cerr_errno(err, "private mount namespace");
	return 0;
}

int
launch_aside_leave(struct aside *a, struct cerr *err)
{
	int ret = setns(a->home, CLONE_NEWNS);

	if (ret == -1)
		(void)cerr_errno(err, "leave the private mount namespace");
	fdio_close(&a->home);
	return ret;
}

int
launch_aside_attach(int tree, const char *path, struct cerr *err)
{
	return syscall(SYS_move_mount, tree, "", AT_FDCWD, path,
		   MOVE_MOUNT_F_EMPTY_PATH) == -1
		   ? cerr_errno(err, "mount for the container")
		   : 0;
}

int
launch_aside_take(const char *path, struct cerr *err)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	return tree == -1 ? cerr_errno(err, "mount for the container") : tree;
}

bool
launch_mounted(const char *path)
{
	struct statx sx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &sx) == 0 &&
	       (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}
