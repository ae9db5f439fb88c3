#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/securebits.h>

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

/* Kernel ABI that Debian 12's headers do not have yet. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#define CONFINE_LANDLOCK_SCOPE_ALL 3 /* abstract unix sockets, signals */

#ifdef CRIOD_SANDBOX_OFF
#define CONFINE_HARD false
#else
#define CONFINE_HARD true
#endif

/* struct landlock_ruleset_attr as of ABI 6 (landlock(7)). */
struct confine_ruleset {
	uint64_t fs, net, scoped;
};

static int
confine_limits(const struct confine_limit *l, struct cerr *err)
{
	for (; l != NULL && l->resource != -1; l++) {
		struct rlimit lim = { l->value, l->value };

		if (!CONFINE_HARD && l->resource == RLIMIT_AS)
			continue;
		if (setrlimit((__rlimit_resource_t)l->resource, &lim) == -1)
			return cerr_errno(err, "setrlimit %d", l->resource);
	}
	return 0;
}

/*
 * The new root was made the working directory before the mount namespace was
 * unshared: that is how the kernel hands the same directory over, whereas a
 * descriptor stays with the mount of the old namespace.
 */
static int
confine_enter_dir(int rootfd, struct cerr *err)
{
	return fchdir(rootfd) == -1 ? cerr_errno(err, "enter the new root") : 0;
}

/*
 * pivot_root onto a detached copy of the working directory's tree.  The old
 * root is then unmounted, so that no path leads out.
 */
static int
confine_root(uint64_t attr, struct cerr *err)
{
	CLEANUP_FD int tree = -1;
	struct mount_attr ma = { .attr_set = attr };

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return cerr_errno(err, "make / private");
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, ".",
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree == -1)
		return cerr_errno(err, "open_tree of the new root");
	if (attr != 0 && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH,
			     &ma, sizeof(ma)) == -1)
		return cerr_errno(err, "mount_setattr of the new root");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, ".",
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		return cerr_errno(err, "move_mount of the new root");
	if (fchdir(tree) == -1 || syscall(SYS_pivot_root, ".", ".") == -1 ||
	    umount2(".", MNT_DETACH) == -1 || chdir("/") == -1)
		return cerr_errno(err, "pivot_root");
	return 0;
}

static int
confine_ids(const struct confine *c, uid_t uid, gid_t gid, struct cerr *err)
{
	uid_t r, e, s;

	if (c->keep_ids)
		return 0;
	if (uid == 0 || gid == 0)
		return cerr_set(err, CERR_INTERNAL, "no account for the role");
	if (prctl(PR_SET_KEEPCAPS, c->caps != 0 ? 1L : 0L) == -1)
		return cerr_errno(err, "PR_SET_KEEPCAPS");
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return cerr_errno(err, "set ids to %u:%u", uid, gid);
	if (getresuid(&r, &e, &s) == -1 || r != uid || e != uid || s != uid)
		return cerr_set(err, CERR_INTERNAL, "ids did not change");
	return 0;
}

static void
confine_caps_fill(uint64_t caps, capng_type_t types)
{
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (caps & (UINT64_C(1) << cap))
			(void)capng_update(CAPNG_ADD, types, cap);
	}
}

/* While CAP_SETPCAP is still there: bounding set and securebits. */
static int
confine_bounding(const struct confine *c, struct cerr *err)
{
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap);

		/* EINVAL: an older kernel does not know it. */
		if (has == -1 && errno != EINVAL)
			return cerr_errno(err, "read bounding %lu", cap);
		if (has == 1 && !(c->caps & (UINT64_C(1) << cap)) &&
		    prctl(PR_CAPBSET_DROP, cap) == -1)
			return cerr_errno(err, "drop bounding %lu", cap);
	}
	if (!c->keep_ids &&
	    prctl(PR_SET_SECUREBITS,
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS |
		    SECBIT_NO_CAP_AMBIENT_RAISE |
		    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) == -1)
		return cerr_errno(err, "PR_SET_SECUREBITS");
	return 0;
}

static int
confine_caps(const struct confine *c, uid_t uid, struct cerr *err)
{
	capng_clear(CAPNG_SELECT_CAPS);
	confine_caps_fill(c->caps, CAPNG_EFFECTIVE | CAPNG_PERMITTED);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return cerr_errno(err, "capset");
	if (capng_get_caps_process() != 0)
		return cerr_set(err, CERR_INTERNAL, "cannot read capabilities");
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (capng_have_capability(CAPNG_PERMITTED, cap) &&
		    !(c->caps & (UINT64_C(1) << cap)))
			return cerr_set(err, CERR_INTERNAL,
			    "capability %u is still there", cap);
	}
	if (!c->keep_ids && !(c->caps & (UINT64_C(1) << CAP_SETUID)) &&
	    uid != 0 && setresuid(0, 0, 0) != -1)
		return cerr_set(err, CERR_INTERNAL, "could become root again");
	return 0;
}

static bool
confine_absent(void)
{
	return errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP;
}

static int
confine_landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

/* Bits per ABI: 13 in 1, REFER in 2, TRUNCATE in 3, IOCTL_DEV in 5. */
static uint64_t
confine_landlock_fs(int abi)
{
	static const unsigned int bits[] = { 0, 13, 14, 15, 15, 16 };
	size_t top = sizeof(bits) / sizeof(bits[0]) - 1;
	size_t row = (size_t)abi > top ? top : (size_t)abi;

	return (UINT64_C(1) << bits[row]) - 1;
}

static int
confine_landlock(const struct confine *c, struct cerr *err)
{
	CLEANUP_FD int set = -1;
	CLEANUP_FD int root = -1;
	int abi;
	struct confine_ruleset attr = { 0 };
	struct landlock_path_beneath_attr beneath;

	if (c->landlock == CONFINE_LANDLOCK_NONE || !CONFINE_HARD)
		return 0;
	abi = confine_landlock_abi();
	if (abi < 1 && (confine_absent() || abi == 0)) {
		log_info("Landlock: not in this kernel");
		return 0;
	}
	attr.fs = confine_landlock_fs(abi);
	attr.scoped = abi >= 6 ? CONFINE_LANDLOCK_SCOPE_ALL : 0;
	set = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    abi >= 6   ? sizeof(attr)
	    : abi >= 4 ? 16
		       : 8,
	    0);
	if (set == -1)
		return cerr_errno(err, "landlock_create_ruleset");
	if (c->landlock == CONFINE_LANDLOCK_ROOT) {
		root = open("/", O_PATH | O_CLOEXEC);
		beneath.allowed_access = attr.fs;
		beneath.parent_fd = root;
		if (root == -1 ||
		    syscall(SYS_landlock_add_rule, set,
			LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == -1)
			return cerr_errno(err, "landlock_add_rule");
	}
	if (syscall(SYS_landlock_restrict_self, set, 0) == -1)
		return cerr_errno(err, "landlock_restrict_self");
	return 0;
}

static int
confine_process(struct cerr *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		return cerr_errno(err, "PR_SET_DUMPABLE");
	if (CONFINE_HARD &&
	    prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L) == -1 &&
	    !confine_absent())
		return cerr_errno(err, "PR_SET_MDWE");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1)
		return cerr_errno(err, "PR_SET_NO_NEW_PRIVS");
	return 0;
}

static int
confine_seal(const struct confine *c, struct cerr *err)
{
	if (confine_process(err) == -1 || confine_landlock(c, err) == -1)
		return -1;
	if (!CONFINE_HARD) {
		log_warn("sanitizer build: no system call filter");
		return 0;
	}
	if (filter_install(c->filter) == -1)
		return cerr_errno(err, "system call filter");
	return 0;
}

int
confine_enter(const struct confine *c, int rootfd, uid_t uid, gid_t gid,
    struct cerr *err)
{
	CLEANUP_FD int root = rootfd;
	int ns = c->unshare | (c->own_root ? CLONE_NEWNS : 0);

	if (confine_limits(c->limits, err) == -1)
		return -1;
	if (c->own_root && confine_enter_dir(root, err) == -1)
		return -1;
	if (ns != 0 && unshare(ns) == -1)
		return cerr_errno(err, "unshare 0x%x", (unsigned int)ns);
	/* Read /proc while it can still be seen: libcap-ng looks there. */
	if (capng_get_caps_process() != 0)
		return cerr_set(err, CERR_INTERNAL, "cannot read capabilities");
	if (c->own_root && confine_root(c->root_attr, err) == -1)
		return -1;
	fdio_close(&root);
	if (confine_bounding(c, err) == -1 ||
	    confine_ids(c, uid, gid, err) == -1 ||
	    confine_caps(c, uid, err) == -1)
		return -1;
	return c->inherit ? 0 : confine_seal(c, err);
}
