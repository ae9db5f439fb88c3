#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/securebits.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "execd/monitor_drop.h"
#include "lib/filter.h"

/* Kernel ABI that Debian 12's headers do not have yet. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

#define DROP_CAPS 64 /* a capability set has 64 bits */

/* Read-only, with room for its root alone. */
static int
drop_tmpfs(const char *label)
{
	static const char *const options[][2] = { { "mode", "555" },
		{ "nr_inodes", "1" }, { "size", "4k" } };
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int ret = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "context",
	    label, 0);
	int tree = -1;

	for (int i = 0; ret == 0 && i < 3; i++)
		ret = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING,
		    options[i][0], options[i][1], 0);
	if (ret == 0 &&
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			MOUNT_ATTR_NOEXEC);
	(void)close(fs);
	return tree;
}

/*
 * In a mount namespace of its own, onto a detached copy, and the old root
 * unmounted: the container that shares this process's PID namespace can reach
 * its /proc/PID/root and ns/mnt, and must find nothing there.
 */
static const char *
drop_pivot(int rootfd, const char *label)
{
	int tree;

	/* The kernel takes the working directory along, not a descriptor. */
	if (fchdir(rootfd) == -1 || unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return "mount namespace";
	tree = label != NULL ? drop_tmpfs(label)
			     : (int)syscall(SYS_open_tree, AT_FDCWD, ".",
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree == -1 || syscall(SYS_move_mount, tree, "", AT_FDCWD, ".",
			      MOVE_MOUNT_F_EMPTY_PATH) == -1)
		return "mount of the root";
	if (fchdir(tree) == -1 || syscall(SYS_pivot_root, ".", ".") == -1 ||
	    umount2(".", MNT_DETACH) == -1 || chdir("/") == -1)
		return "pivot_root";
	(void)close(tree);
	return NULL;
}

static const char *
drop_root(const struct drop *d)
{
	const char *what = NULL;

	if (d->own_mounts)
		what = drop_pivot(d->rootfd, d->label);
	else if (fchdir(d->rootfd) == -1 || chroot(".") == -1)
		what = "chroot";
	if (what == NULL)
		(void)close(d->rootfd);
	return what;
}

static const char *
drop_bounding(void)
{
	for (unsigned long cap = 0; cap < DROP_CAPS; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap);

		/* EINVAL: the kernel does not know it. */
		if ((has == -1 && errno != EINVAL) ||
		    (has == 1 && prctl(PR_CAPBSET_DROP, cap) == -1))
			return "bounding set";
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) == -1)
		return "ambient set";
	if (prctl(PR_SET_SECUREBITS,
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		    SECBIT_NO_CAP_AMBIENT_RAISE |
		    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) == -1)
		return "securebits";
	return NULL;
}

static const char *
drop_ids(const struct drop *d)
{
	uid_t r, e, s;

	if (d->uid == 0 || d->gid == 0) {
		errno = EINVAL;
		return "no account";
	}
	if (setgroups(0, NULL) == -1 ||
	    setresgid(d->gid, d->gid, d->gid) == -1 ||
	    setresuid(d->uid, d->uid, d->uid) == -1)
		return "ids";
	if (getresuid(&r, &e, &s) == -1 || r != d->uid || e != d->uid ||
	    s != d->uid)
		return "ids did not change";
	return NULL;
}

static const char *
drop_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capset, &head, data) == -1)
		return "capset";
	if (syscall(SYS_capget, &head, data) == -1 || data[0].permitted != 0 ||
	    data[1].permitted != 0)
		return "capabilities are still there";
	if (setresuid(0, 0, 0) != -1)
		return "could become root again";
	return NULL;
}

static const char *
drop_seal(const struct drop *d)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1 ||
	    setrlimit(RLIMIT_NPROC, &none) == -1)
		return "limits";
	if (prctl(PR_SET_DUMPABLE, 0L) == -1)
		return "dumpable";
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L) == -1 &&
	    errno != EINVAL)
		return "MDWE"; /* EINVAL: a kernel before 6.3 */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1)
		return "no_new_privs";
	return filter_install(d->filter) == -1 ? "system call filter" : NULL;
}

const char *
drop_enter(const struct drop *d)
{
	const char *what = drop_root(d);

	if (what == NULL)
		what = drop_bounding();
	if (what == NULL)
		what = drop_ids(d);
	if (what == NULL)
		what = drop_caps();
	return what != NULL ? what : drop_seal(d);
}
