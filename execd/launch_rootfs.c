/* A container's root file system: an overlay of its image's layers. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_label.h"
#include "execd/launch_aside.h"
#include "execd/launch_lower.h"
#include "execd/launch_userns.h"
#include "execd/rootfile.h"
#include "lib/fdio.h"
#include "lib/id.h"

#define ROOTFS_LAYERS_MAX   128
#define ROOTFS_OPTIONS_MAX  4096 /* one page is all that mount(2) copies */
#define ROOTFS_UMOUNT_TRIES 8

int
launch_rootfs_path(const struct launch *l, const char *ctr, const char *name,
    char path[LAUNCH_PATH_MAX], struct cerr *err)
{
	char base[ID_SIZE + 16];

	(void)snprintf(base, sizeof(base), "%s/%.14s", ctr, name);
	if (launch_state_path(l, path, LAUNCH_PATH_MAX, "rootfs", base) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	return 0;
}

static int
rootfs_check(const struct launch *l, const struct fixed_rootfs *r,
    struct cerr *err)
{
	if (launch_check_id("container", r->ctr, err) == -1)
		return -1;
	if (label_check_files(r->label, err) == -1)
		return -1;
	if (r->nlayers > ROOTFS_LAYERS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "an image of more than %u layers", ROOTFS_LAYERS_MAX);
	for (uint32_t i = 0; i < r->nlayers; i++) {
		CLEANUP_FD int fd = launch_lower_open(l, r->layers[i], err);

		if (fd == -1)
			return -1;
	}
	return 0;
}

/*
 * The root directory is the upper one's: it must look like the image's, as the
 * container is to see it.
 */
static int
rootfs_like(const struct launch *l, int upper, const struct userns *u,
    const struct fixed_rootfs *r, struct cerr *err)
{
	struct stat st = { .st_mode = 0755,
		.st_uid = u->uid,
		.st_gid = u->gid };

	if (r->nlayers > 0 && launch_lower_stat(l, r->layers[r->nlayers - 1],
				  u->fd, &st, err) == -1)
		return -1;
	return fchown(upper, st.st_uid, st.st_gid) == -1 ||
		       fchmod(upper, st.st_mode & 07777) == -1
		   ? cerr_errno(err, "writable layer")
		   : 0;
}

/*
 * A directory that the container's root may pass, by its group, and nobody
 * else.  It owns nothing there: what this launcher opens by name stays.
 */
static int
rootfs_at(const struct launch *l, const char *ctr, const struct userns *u)
{
	CLEANUP_FD int dir =
	    launch_make_dir(l->dirs[LAUNCH_DIR_ROOTFS], ctr, 0710);
	CLEANUP_FD int fs = dir == -1 ? -1 : launch_make_dir(dir, "fs", 0700);

	return fs == -1 ? -1 : fchown(dir, 0, u->gid);
}

static int
rootfs_dirs(const struct launch *l, const struct fixed_rootfs *r,
    const struct userns *u, struct cerr *err)
{
	CLEANUP_FD int ctr =
	    launch_make_dir(l->dirs[LAUNCH_DIR_CONTAINER], r->ctr, 0700);
	CLEANUP_FD int upper =
	    ctr == -1 ? -1 : launch_make_dir(ctr, "upper", 0755);
	CLEANUP_FD int work =
	    ctr == -1 ? -1 : launch_make_dir(ctr, "work", 0700);

	if (ctr == -1 || upper == -1 || work == -1 ||
	    rootfs_at(l, r->ctr, u) == -1)
		return cerr_errno(err, "writable layer");
	return rootfs_like(l, upper, u, r, err);
}

static int
rootfs_options(const struct launch *l, const struct fixed_rootfs *r, char *buf,
    size_t size, struct cerr *err)
{
	char context[LABEL_MAX + 32];
	size_t n = (size_t)snprintf(buf, size,
	    "userxattr,volatile%s,upperdir=%s/%s/upper,workdir=%s/%s/work,"
	    "lowerdir=",
	    label_option(r->label, context), l->container, r->ctr, l->container,
	    r->ctr);

	if (r->nlayers == 0 && n < size)
		n += (size_t)snprintf(buf + n, size - n, "%s/empty", l->state);
	if (n < size)
		n += launch_lower_names(r->layers, r->nlayers, buf + n,
		    size - n);
	return n < size ? 0
			: cerr_set(err, CERR_RESOURCE_EXHAUSTED,
			      "the image's layers do not fit one mount");
}

int
launch_rootfs_room(const struct launch *l, struct cerr *err)
{
	struct statvfs v;

	if (statvfs(l->container, &v) == -1 || v.f_bavail == 0 ||
	    (v.f_files != 0 && v.f_favail == 0))
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "the file system of %s is full", l->container);
	return 0;
}

/* Without room for its working directory an overlay is made read-only. */
static int
rootfs_writable(const struct launch *l, const char *path, struct cerr *err)
{
	struct statvfs v;

	if (statvfs(path, &v) == -1)
		return cerr_errno(err, "root file system");
	if ((v.f_flag & ST_RDONLY) == 0)
		return 0;
	(void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (launch_rootfs_room(l, err) == -1)
		return -1;
	return cerr_set(err, CERR_INTERNAL,
	    "mount root file system: it would be read-only");
}

/*
 * volatile: what a container writes need not survive a power cut, after which
 * it is not there any more; unmounting then does not sync the disk.
 */
static int
rootfs_mount(const struct launch *l, const struct fixed_rootfs *r, int layers,
    const char *path, struct cerr *err)
{
	char options[ROOTFS_OPTIONS_MAX];

	if (rootfs_options(l, r, options, sizeof(options), err) == -1)
		return -1;
	if (fchdir(layers) == -1 ||
	    mount("overlay", path, "overlay", MS_NODEV, options) == -1)
		return cerr_errno(err, "mount root file system");
	return rootfs_writable(l, path, err);
}

/*
 * Overlay takes its layers from mounts of its caller's namespace: those made
 * for it are mounted in one that only this job has, and go with it.
 */
static int
rootfs_mount_aside(const struct launch *l, const struct fixed_rootfs *r,
    const struct userns *u, const char *path, struct cerr *err)
{
	CLEANUP_FD int layers = -1;
	struct lower lower;
	struct aside a;
	int tree = -1;

	if (launch_lower_get(&lower, l, r->layers, r->nlayers, u->fd, err) ==
		-1 ||
	    launch_aside_enter(&a, err) == -1)
		return -1;
	layers = launch_lower_mount(&lower, path, err);
	if (layers != -1 && rootfs_mount(l, r, layers, path, err) == 0)
		tree = launch_aside_take(path, err);
	if (launch_aside_leave(&a, err) == -1 || tree == -1)
		return -1;
	return launch_aside_attach(tree, path, err);
}

static int
rootfs_make(const struct launch *l, const struct fixed_rootfs *r,
    const struct userns *u, const char *path, struct cerr *err)
{
	if (rootfs_dirs(l, r, u, err) == -1)
		return -1;
	if (launch_mounted(path))
		return 0; /* asked again */
	if (u->fd != -1 || launch_lower_apart(r->layers, r->nlayers))
		return rootfs_mount_aside(l, r, u, path, err);
	return rootfs_mount(l, r, l->dirs[LAUNCH_DIR_LAYER], path, err);
}

static int
rootfs_open(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
launch_rootfs(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	static const char *const files[] = { "/etc/passwd", "/etc/group" };
	const struct fixed_rootfs *r = op->body;
	char path[LAUNCH_PATH_MAX];
	struct userns u;
	int root;

	if (rootfs_check(l, r, err) == -1 ||
	    launch_rootfs_path(l, r->ctr, "fs", path, err) == -1 ||
	    launch_userns_open(l, r->userns, &u, err) == -1)
		return -1;
	launch_begun();
	if (rootfs_make(l, r, &u, path, err) == -1)
		return -1;
	root = rootfs_open(path);
	if (root == -1)
		return cerr_errno(err, "root file system");
	/* From here on this process can do nothing else. */
	if (rootfile_enter(root, ROOTFILE_READ, u.uid, u.gid, err) == -1)
		return -1;
	for (op->nout = 0; op->nout < 2; op->nout++) {
		op->out[op->nout] = rootfile_read(files[op->nout], err);
		if (op->out[op->nout] == -1)
			return -1;
	}
	return 0;
}

int
launch_rootfs_dir(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_rootfs_dir *d = op->body;
	char path[LAUNCH_PATH_MAX];
	struct userns u;
	int root;

	if (launch_check_id("container", d->ctr, err) == -1 ||
	    launch_rootfs_path(l, d->ctr, "fs", path, err) == -1)
		return -1;
	if (strcmp(d->path, "/") == 0)
		return 0;
	if (!launch_path_clean(d->path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "directory %.256s: not an absolute, clean path", d->path);
	if (launch_userns_open(l, d->userns, &u, err) == -1)
		return -1;
	if (!launch_mounted(path))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s has no root file system", d->ctr);
	root = rootfs_open(path);
	if (root == -1)
		return cerr_errno(err, "root file system");
	/* Its root owns what this directory was made for. */
	if (rootfile_enter(root, ROOTFILE_MAKE, u.uid, u.gid, err) == -1)
		return -1;
	return rootfile_make_dir(d->path, err);
}

/* Never looks into what is mounted: that may be the host's own. */
static int
rootfs_unmount(const struct launch *l, int dir, const char *ctr,
    const char *name, struct cerr *err)
{
	char path[LAUNCH_PATH_MAX];
	int i = 0;

	if (launch_rootfs_path(l, ctr, name, path, err) == -1)
		return -1;
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
		if (++i == ROOTFS_UMOUNT_TRIES)
			break;
	}
	if (errno != EINVAL && errno != ENOENT)
		return cerr_errno(err, "unmount %s of the container", name);
	if (unlinkat(dir, name, AT_REMOVEDIR) == -1 &&
	    (errno != ENOTDIR || unlinkat(dir, name, 0) == -1))
		return cerr_errno(err, "%s of the container", name);
	return 0;
}

/* keep: a name that stays, or "". */
static int
rootfs_unmount_all(const struct launch *l, const char *ctr, const char *keep,
    struct cerr *err)
{
	int fd = launch_open_beneath(l->dirs[LAUNCH_DIR_ROOTFS], ctr,
	    O_RDONLY | O_DIRECTORY);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *de;
	int ret = 0;

	if (dir == NULL) {
		fdio_close(&fd);
		return errno == ENOENT ? 0
				       : cerr_errno(err, "root file system");
	}
	while (ret == 0 && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0 &&
		    strcmp(de->d_name, keep) != 0)
			ret = rootfs_unmount(l, fd, ctr, de->d_name, err);
	}
	(void)closedir(dir);
	return ret;
}

static int
rootfs_remove(const struct launch *l, const char *ctr, struct cerr *err)
{
	if (launch_check_id("container", ctr, err) == -1 ||
	    rootfs_unmount_all(l, ctr, "", err) == -1)
		return -1;
	if (unlinkat(l->dirs[LAUNCH_DIR_ROOTFS], ctr, AT_REMOVEDIR) == -1 &&
	    errno != ENOENT)
		return cerr_errno(err, "root file system");
	if (launch_tree_remove(l->dirs[LAUNCH_DIR_CONTAINER], ctr) == -1)
		return cerr_errno(err, "writable layer");
	return 0;
}

int
launch_rootfs_bound(const struct launch *l, const char *ctr, struct cerr *err)
{
	return rootfs_unmount_all(l, ctr, "fs", err);
}

int
launch_rootfs_drop(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_ctr *c = op->body;

	return rootfs_remove(l, c->ctr, err);
}

int
launch_rootfs_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_rootfs *r = op->body;

	return rootfs_remove(l, r->ctr, err);
}
