#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <linux/mount.h>
#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "netd/launch_root.h"

#define ROOT_OLD    "/.old"
#define ROOT_CGROUP "/.cgroup"

#define ROOT_RO	 (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define ROOT_RW	 (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define ROOT_DEV (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

enum {
	ROOT_OPTIONAL = 1,  /* absent on the host: left out */
	ROOT_RECURSIVE = 2, /* what is mounted below comes along */
	ROOT_SLAVE = 4,	    /* and what will be mounted there later */
	ROOT_MKDIR = 8,	    /* made on the host if absent */
	ROOT_MKFILE = 16,
};

struct launch_root_entry {
	const char *path;
	uint64_t attr;
	unsigned int flags;
};

/*
 * Programs that plugins run (iptables, nft, tc, ip, sysctl) and their
 * libraries, name service for plugins that talk to an API server, and the
 * kernel's files.  /proc is read-only but for the network's variables: a
 * plugin has no business with core_pattern.
 */
static const struct launch_root_entry launch_root_entries[] = {
	{ "/usr/bin", ROOT_RO, ROOT_OPTIONAL },
	{ "/usr/sbin", ROOT_RO, ROOT_OPTIONAL },
	{ "/usr/lib", ROOT_RO, ROOT_OPTIONAL },
	{ "/usr/lib32", ROOT_RO, ROOT_OPTIONAL },
	{ "/usr/lib64", ROOT_RO, ROOT_OPTIONAL },
	{ "/usr/libx32", ROOT_RO, ROOT_OPTIONAL },
	{ "/bin", ROOT_RO, ROOT_OPTIONAL },
	{ "/sbin", ROOT_RO, ROOT_OPTIONAL },
	{ "/lib", ROOT_RO, ROOT_OPTIONAL },
	{ "/lib32", ROOT_RO, ROOT_OPTIONAL },
	{ "/lib64", ROOT_RO, ROOT_OPTIONAL },
	{ "/libx32", ROOT_RO, ROOT_OPTIONAL },
	{ "/usr/share/ca-certificates", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/ld.so.cache", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/alternatives", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/cni", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/ethertypes", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/hosts", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/iproute2", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/nsswitch.conf", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/protocols", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/resolv.conf", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/services", ROOT_RO, ROOT_OPTIONAL },
	{ "/etc/ssl", ROOT_RO, ROOT_OPTIONAL },
	{ "/proc", ROOT_RO, 0 },
	{ "/proc/sys/net", ROOT_RW, 0 },
	{ "/sys", ROOT_RO, 0 },
	{ "/dev/full", ROOT_DEV, ROOT_OPTIONAL },
	{ "/dev/null", ROOT_DEV, 0 },
	{ "/dev/random", ROOT_DEV, ROOT_OPTIONAL },
	{ "/dev/urandom", ROOT_DEV, ROOT_OPTIONAL },
	{ "/dev/zero", ROOT_DEV, ROOT_OPTIONAL },
	{ "/dev/net/tun", ROOT_DEV, ROOT_OPTIONAL },
	{ "/run/cni", ROOT_RW, ROOT_OPTIONAL },
	/* iptables' lock must be the host's: all its users share it. */
	{ "/run/xtables.lock", ROOT_RW, ROOT_MKFILE },
	{ "/var/lib/cni", ROOT_RW, ROOT_MKDIR },
};

/* path of the host, seen from the old root: no link leads out of it. */
static int
launch_root_host(const char *path)
{
	CLEANUP_FD int old = open(ROOT_OLD, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (old == -1)
		return -1;
	return (int)syscall(SYS_openat2, old, path, &how, sizeof(how));
}

/* Makes path and its parents in the new root. */
static int
launch_root_make(const char *path, bool directory)
{
	char buf[PATH_MAX];
	char *slash = buf;
	CLEANUP_FD int fd = -1;

	if (snprintf(buf, sizeof(buf), "%s", path) >= (int)sizeof(buf)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (mkdir(buf, 0755) == -1 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	if (directory)
		return mkdir(buf, 0755) == -1 && errno != EEXIST ? -1 : 0;
	fd = open(buf, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd == -1 ? -1 : 0;
}

/* A directory that is a link on the host ("/bin") becomes the same link. */
static int
launch_root_symlink(const char *path)
{
	char host[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	if (strchr(path + 1, '/') != NULL)
		return -1;
	(void)snprintf(host, sizeof(host), "%s%s", ROOT_OLD, path);
	n = readlink(host, target, sizeof(target) - 1);
	if (n <= 0)
		return -1;
	target[n] = '\0';
	return symlink(target, path);
}

static int
launch_root_tree(int source, const struct launch_root_entry *e)
{
	CLEANUP_FD int tree = -1;
	struct mount_attr ma = {
		.attr_set = e->attr,
		.propagation = e->flags & ROOT_SLAVE ? MS_SLAVE : MS_PRIVATE,
	};
	unsigned int rec = e->flags & ROOT_RECURSIVE ? AT_RECURSIVE : 0;

	tree = (int)syscall(SYS_open_tree, source, "",
	    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | rec);
	if (tree == -1 || syscall(SYS_mount_setattr, tree, "",
			      AT_EMPTY_PATH | rec, &ma, sizeof(ma)) == -1)
		return -1;
	return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, e->path,
	    MOVE_MOUNT_F_EMPTY_PATH);
}

static int
launch_root_show(const struct launch_root_entry *e, struct cerr *err)
{
	CLEANUP_FD int source = -1;
	struct stat st;

	if (launch_root_symlink(e->path) == 0)
		return 0;
	source = launch_root_host(e->path);
	if (source == -1 && errno == ENOENT && (e->flags & ROOT_OPTIONAL))
		return 0;
	if (source == -1 || fstat(source, &st) == -1)
		return cerr_errno(err, "%s", e->path);
	/* What an entry above shows already needs only its own attributes. */
	if (access(e->path, F_OK) == -1 &&
	    launch_root_make(e->path, S_ISDIR(st.st_mode)) == -1)
		return cerr_errno(err, "place for %s", e->path);
	if (launch_root_tree(source, e) == -1)
		return cerr_errno(err, "mount %s", e->path);
	return 0;
}

/* Before the pivot: what plugins share with others must exist. */
static int
launch_root_prepare(const struct launch_root *spec, struct cerr *err)
{
	/* It may be filled later; that it cannot be made is no error yet. */
	(void)launch_root_make(spec->plugin_dir, true);
	for (size_t i = 0;
	     i < sizeof(launch_root_entries) / sizeof(launch_root_entries[0]);
	     i++) {
		const struct launch_root_entry *e = &launch_root_entries[i];

		if ((e->flags & (ROOT_MKDIR | ROOT_MKFILE)) != 0 &&
		    launch_root_make(e->path, e->flags & ROOT_MKDIR) == -1)
			return cerr_errno(err, "create %s", e->path);
	}
	return 0;
}

/* STATE/empty exists for this: any directory will do as a mount point. */
static int
launch_root_pivot(const char *state, struct cerr *err)
{
	char place[PATH_MAX];

	(void)snprintf(place, sizeof(place), "%s/empty", state);
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == -1)
		return cerr_errno(err, "private mount namespace");
	if (mount("netlaunch", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"mode=0755,size=4m,nr_inodes=1024") == -1)
		return cerr_errno(err, "mount %s", place);
	if (chdir(place) == -1 || mkdir("." ROOT_OLD, 0700) == -1 ||
	    syscall(SYS_pivot_root, ".", "." ROOT_OLD) == -1 ||
	    chdir("/") == -1)
		return cerr_errno(err, "pivot_root to %s", place);
	return 0;
}

static int
launch_root_fill(const struct launch_root *spec, struct cerr *err)
{
	char ns[PATH_MAX];
	struct launch_root_entry e = { ns, ROOT_RO | MOUNT_ATTR_NOEXEC,
		ROOT_RECURSIVE | ROOT_SLAVE };

	for (size_t i = 0;
	     i < sizeof(launch_root_entries) / sizeof(launch_root_entries[0]);
	     i++) {
		if (launch_root_show(&launch_root_entries[i], err) == -1)
			return -1;
	}
	(void)snprintf(ns, sizeof(ns), "%s/ns", spec->state);
	if (launch_root_show(&e, err) == -1)
		return -1;
	e = (struct launch_root_entry){ spec->plugin_dir, ROOT_RO,
		ROOT_OPTIONAL };
	if (launch_root_show(&e, err) == -1)
		return -1;
	for (size_t i = 0; i < spec->nextra; i++) {
		e = (struct launch_root_entry){ spec->extra[i],
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			ROOT_OPTIONAL | ROOT_RECURSIVE };
		if (launch_root_show(&e, err) == -1)
			return -1;
	}
	return 0;
}

static int
launch_root_cgroup(int *cgroup, struct cerr *err)
{
	if (mkdir(ROOT_CGROUP, 0700) == -1 ||
	    mount("none", ROOT_CGROUP, "cgroup2",
		MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1)
		return cerr_errno(err, "mount cgroup2");
	*cgroup = open(ROOT_CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*cgroup == -1 || umount2(ROOT_CGROUP, MNT_DETACH) == -1 ||
	    rmdir(ROOT_CGROUP) == -1)
		return cerr_errno(err, "cgroup2");
	return 0;
}

/* Plugins' scratch space, and /var/run for those that say so. */
static int
launch_root_misc(struct cerr *err)
{
	if (launch_root_make("/tmp", true) == -1 ||
	    launch_root_make("/var", true) == -1 ||
	    (symlink("../run", "/var/run") == -1 && errno != EEXIST) ||
	    mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"mode=1777,size=16m,nr_inodes=1024") == -1)
		return cerr_errno(err, "/tmp");
	return 0;
}

static int
launch_root_seal(struct cerr *err)
{
	struct mount_attr ma = { .attr_set = ROOT_RO | MOUNT_ATTR_NOEXEC };

	if (umount2(ROOT_OLD, MNT_DETACH) == -1 || rmdir(ROOT_OLD) == -1)
		return cerr_errno(err, "leave the old root");
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &ma, sizeof(ma)) == -1)
		return cerr_errno(err, "make the root read-only");
	return 0;
}

int
launch_root_enter(const struct launch_root *spec, int *cgroup, struct cerr *err)
{
	if (launch_root_prepare(spec, err) == -1 ||
	    launch_root_pivot(spec->state, err) == -1 ||
	    launch_root_misc(err) == -1 || launch_root_fill(spec, err) == -1 ||
	    launch_root_cgroup(cgroup, err) == -1)
		return -1;
	return launch_root_seal(err);
}
