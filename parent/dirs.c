#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "parent/conf.h"
#include "parent/dirs.h"

#define DIRS_OPEN (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A row without a name is the base itself; bases come before what is below. */
static const struct {
	enum conf_text base;
	const char *name;
	enum account owner;
	mode_t mode;
} dirs_table[] = {
	{ CONF_STATE, NULL, ACCOUNT_ROOT, 0711 },
	{ CONF_STATE, "front", ACCOUNT_FRONT, 0700 },
	{ CONF_STATE, "front/pod", ACCOUNT_FRONT, 0700 },
	{ CONF_STATE, "front/ctr", ACCOUNT_FRONT, 0700 },
	{ CONF_STATE, "bundle", ACCOUNT_EXEC, 0700 },
	{ CONF_STATE, "launch", ACCOUNT_ROOT, 0700 },
	{ CONF_STATE, "ns", ACCOUNT_ROOT, 0700 },
	{ CONF_STATE, "pod", ACCOUNT_ROOT, 0711 },
	{ CONF_STATE, "rootfs", ACCOUNT_ROOT, 0711 },
	{ CONF_STATE, "runtime", ACCOUNT_ROOT, 0700 },
	{ CONF_STATE, "empty", ACCOUNT_ROOT, 0555 },
	{ CONF_IMAGE, NULL, ACCOUNT_IMAGE, 0700 },
	{ CONF_IMAGE, "layer", ACCOUNT_IMAGE, 0700 },
	{ CONF_IMAGE, "tmp", ACCOUNT_IMAGE, 0700 },
	{ CONF_IMAGE, "etc", ACCOUNT_IMAGE, 0700 },
	{ CONF_CONTAINER, NULL, ACCOUNT_ROOT, 0700 },
	{ CONF_NETWORK, NULL, ACCOUNT_NET, 0700 },
	{ CONF_RECORD, NULL, ACCOUNT_KEEP, 0700 },
	{ CONF_RECORD, "pod", ACCOUNT_KEEP, 0700 },
	{ CONF_RECORD, "ctr", ACCOUNT_KEEP, 0700 },
};

static const struct {
	enum conf_text base;
	const char *name;
} dirs_roots[] = {
	[DIRS_FRONT] = { CONF_STATE, "front" },
	[DIRS_EMPTY] = { CONF_STATE, "empty" },
	[DIRS_IMAGE] = { CONF_IMAGE, NULL },
	[DIRS_NETWORK] = { CONF_NETWORK, NULL },
	[DIRS_RECORD] = { CONF_RECORD, NULL },
	[DIRS_BUNDLE] = { CONF_STATE, "bundle" },
	[DIRS_LAYER] = { CONF_IMAGE, "layer" },
};

#define DIRS_PATH_MAX 512 /* more than any base and its rows */

static void
dirs_path(char path[DIRS_PATH_MAX], const struct conf *c, enum conf_text base,
    const char *name)
{
	(void)snprintf(path, DIRS_PATH_MAX, "%s%s%s", c->text[base],
	    name == NULL ? "" : "/", name == NULL ? "" : name);
}

int
dirs_make_above(const char *path, struct cerr *err)
{
	char part[DIRS_PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(p - path),
		    path);
		if (mkdir(part, 0700) == -1) {
			if (errno != EEXIST)
				return cerr_errno(err, "mkdir %s", part);
		} else if (chmod(part, 0711) == -1) /* whatever the umask */
			return cerr_errno(err, "chmod %s", part);
	}
	return 0;
}

/*
 * A directory that root made a moment ago still is root's; one that was
 * there is its owner's or has been meddled with.
 */
static int
dirs_own(int fd, const char *path, const struct account_ids *ids, mode_t mode,
    bool made, struct cerr *err)
{
	struct stat st;

	if (made && fchown(fd, ids->uid, ids->gid) == -1)
		return cerr_errno(err, "chown %s", path);
	if (fstat(fd, &st) == -1)
		return cerr_errno(err, "%s", path);
	if (st.st_uid != ids->uid)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%s belongs to user %u, not to %u", path, st.st_uid,
		    ids->uid);
	if (st.st_gid != ids->gid && fchown(fd, ids->uid, ids->gid) == -1)
		return cerr_errno(err, "chown %s", path);
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) == -1)
		return cerr_errno(err, "chmod %s", path);
	return 0;
}

static int
dirs_make_one(const char *path, const struct account_ids *ids, mode_t mode,
    struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	bool made = mkdir(path, 0700) == 0;

	if (!made && errno != EEXIST)
		return cerr_errno(err, "mkdir %s", path);
	fd = open(path, DIRS_OPEN);
	if (fd == -1 && (errno == ELOOP || errno == ENOTDIR))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%s is not a directory, or is a symbolic link", path);
	if (fd == -1)
		return cerr_errno(err, "%s", path);
	return dirs_own(fd, path, ids, mode, made, err);
}

int
dirs_make(const struct conf *c, const struct account_ids ids[ACCOUNT_COUNT],
    struct cerr *err)
{
	char path[DIRS_PATH_MAX];

	for (size_t i = 0; i < sizeof(dirs_table) / sizeof(dirs_table[0]);
	     i++) {
		dirs_path(path, c, dirs_table[i].base, dirs_table[i].name);
		if (dirs_table[i].name == NULL &&
		    dirs_make_above(path, err) == -1)
			return -1;
		if (dirs_make_one(path, &ids[dirs_table[i].owner],
			dirs_table[i].mode, err) == -1)
			return -1;
	}
	return 0;
}

static int
dirs_is_mount(const char *path, bool *mount, struct cerr *err)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
		&stx) == -1)
		return cerr_errno(err, "statx %s", path);
	*mount = (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return 0;
}

/* Shared, so that a pin shows in the mount namespaces of the launchers. */
int
dirs_share_ns(const struct conf *c, struct cerr *err)
{
	char path[DIRS_PATH_MAX];
	bool mounted = false;

	dirs_path(path, c, CONF_STATE, "ns");
	if (dirs_is_mount(path, &mounted, err) == -1)
		return -1;
	if (!mounted && mount(path, path, NULL, MS_BIND, NULL) == -1)
		return cerr_errno(err, "bind %s", path);
	if (mount(NULL, path, NULL, MS_SHARED, NULL) == -1)
		return cerr_errno(err, "share %s", path);
	return 0;
}

int
dirs_lock(const struct conf *c, struct cerr *err)
{
	char path[DIRS_PATH_MAX];
	int fd;

	dirs_path(path, c, CONF_STATE, "lock");
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return cerr_errno(err, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		(void)cerr_set(err, CERR_ALREADY_EXISTS,
		    "%s: another criod uses this state directory", path);
	else
		(void)cerr_errno(err, "%s", path);
	fdio_close(&fd);
	return -1;
}

int
dirs_open(const struct conf *c, enum dirs_root root, struct cerr *err)
{
	char path[DIRS_PATH_MAX];
	int fd;

	dirs_path(path, c, dirs_roots[root].base, dirs_roots[root].name);
	fd = open(path, DIRS_OPEN);
	if (fd == -1)
		return cerr_errno(err, "%s", path);
	return fd;
}

static int
dirs_open_beneath(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = DIRS_OPEN,
		.resolve =
		    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

static int
dirs_layer_step(int dirfd, const char *name, struct cerr *err)
{
	int fd = dirs_open_beneath(dirfd, name);

	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "no layer/%s", name);
	return fd == -1 ? cerr_errno(err, "layer/%s", name) : fd;
}

int
dirs_open_layer(const struct conf *c, uint64_t number, struct cerr *err)
{
	CLEANUP_FD int base = dirs_open(c, DIRS_LAYER, err);
	CLEANUP_FD int layer = -1;
	char name[24];

	if (base == -1)
		return -1;
	(void)snprintf(name, sizeof(name), "%" PRIu64, number);
	layer = dirs_layer_step(base, name, err);
	return layer == -1 ? -1 : dirs_layer_step(layer, "fs", err);
}
