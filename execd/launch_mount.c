/* Mounts made for a container: see mount_flags.h. */
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

#include "execd/launch.h"
#include "execd/launch_aside.h"
#include "execd/launch_label.h"
#include "execd/launch_lower.h"
#include "execd/launch_userns.h"
#include "execd/mount_flags.h"
#include "lib/fdio.h"

#define MOUNT_LAYERS_MAX  128
#define MOUNT_OPTIONS_MAX 4096
#define MOUNT_INFO_MAX	  (4 * 1024 * 1024)

#define MOUNT_IMAGE_ATTR                                                       \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |            \
	    MOUNT_ATTR_NOEXEC)

/* ---- image volumes ---- */

/*
 * Highest first, relative to IMAGE/layer.  Overlay wants two layers at least:
 * an empty directory is the lowest.
 */
static int
mount_image_options(const struct launch *l, const struct fixed_mount *m,
    char *buf, size_t size)
{
	char context[LABEL_MAX + 32];
	size_t n = (size_t)snprintf(buf, size,
	    "userxattr%s,lowerdir=", label_option(m->label, context));

	if (n < size)
		n += launch_lower_names(m->layers, m->nlayers, buf + n,
		    size - n);
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, ":%s/empty", l->state);
	return n < size ? 0 : -1;
}

/* Names in there are the image's: none leads out of it. */
static int
mount_image_part(const char *at, const char *path, struct cerr *err)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve =
		    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	CLEANUP_FD int root = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD int part = -1;
	int tree;

	if (root != -1)
		part = (int)syscall(SYS_openat2, root,
		    path[0] == '\0' ? "." : path, &how, sizeof(how));
	if (part == -1)
		return cerr_errno(err, "%.256s in the image", path);
	tree = (int)syscall(SYS_open_tree, part, "",
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return tree == -1 ? cerr_errno(err, "mount the image") : tree;
}

static int
mount_image_aside(const struct launch *l, const struct fixed_mount *m,
    struct lower *lower, const char *at, struct cerr *err)
{
	char options[MOUNT_OPTIONS_MAX];
	CLEANUP_FD int layers = -1;

	if (mount_image_options(l, m, options, sizeof(options)) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "the image's layers do not fit one mount");
	layers = launch_lower_mount(lower, at, err);
	if (layers == -1)
		return -1;
	if (fchdir(layers) == -1 ||
	    mount("overlay", at, "overlay",
		MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == -1)
		return cerr_errno(err, "mount the image");
	return mount_image_part(at, m->path, err);
}

/* at: any directory; what is put over it there, nobody else sees. */
static int
mount_image(const struct launch *l, const struct fixed_mount *m,
    const struct userns *u, const char *at, struct cerr *err)
{
	struct lower lower;
	struct aside a;
	int tree;

	if (label_check_files(m->label, err) == -1)
		return -1;
	if (m->nlayers == 0 || m->nlayers > MOUNT_LAYERS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "an image of %u layers", m->nlayers);
	if (launch_lower_get(&lower, l, m->layers, m->nlayers, u->fd, err) ==
		-1 ||
	    launch_aside_enter(&a, err) == -1)
		return -1;
	tree = mount_image_aside(l, m, &lower, at, err);
	if (launch_aside_leave(&a, err) == -1)
		fdio_close(&tree);
	return tree;
}

/* ---- of the host ---- */

/* By name; or, if a rule depends on the name, by a name without links. */
static int
mount_host_clone(const struct fixed_mount *m, const struct userns *u)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	CLEANUP_FD int fd = -1;

	if ((m->flags & MOUNT_FLAG_REAL) == 0)
		return launch_userns_clone(AT_FDCWD, m->path, u->fd);
	fd = (int)syscall(SYS_openat2, AT_FDCWD, m->path, &how, sizeof(how));
	return fd == -1 ? -1 : launch_userns_clone(fd, "", u->fd);
}

static int
mount_host(const struct fixed_mount *m, const struct userns *u,
    struct cerr *err)
{
	int tree;

	if (strcmp(m->path, "/") != 0 && !launch_path_clean(m->path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%.256s: not an absolute, clean path", m->path);
	tree = mount_host_clone(m, u);
	if (tree == -1 && errno == EINVAL && u->fd != -1)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "mounts: the file system of %.256s cannot show other ids",
		    m->path);
	return tree == -1 ? cerr_errno(err, "mount %.256s", m->path) : tree;
}

/*
 * Never shared: unmounting a copy would unmount what is beneath it in the
 * original, too.
 */
static int
mount_settle(int tree, const struct fixed_mount *m, struct cerr *err)
{
	struct mount_attr attr = {
		.propagation =
		    (m->flags & MOUNT_FLAG_SLAVE) != 0 ? MS_SLAVE : MS_PRIVATE,
		.attr_set =
		    (m->flags & MOUNT_FLAG_IMAGE) != 0 ? MOUNT_IMAGE_ATTR
		    : (m->flags & MOUNT_FLAG_RRO) != 0 ? MOUNT_ATTR_RDONLY
						       : 0,
	};

	return syscall(SYS_mount_setattr, tree, "",
		   AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) == -1
		   ? cerr_errno(err, "attributes of a mount")
		   : 0;
}

/* A file or directory of the tree's kind to mount it at. */
static int
mount_point(int dir, const char *name, int tree, struct cerr *err)
{
	struct stat st;
	int fd;

	if (fstat(tree, &st) == -1)
		return cerr_errno(err, "mount for the container");
	fd = S_ISDIR(st.st_mode)
		 ? launch_make_dir(dir, name, 0700)
		 : openat(dir, name,
		       O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd == -1)
		return cerr_errno(err, "mount for the container");
	fdio_close(&fd);
	return 0;
}

int
launch_mount(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_mount *m = op->body;
	char name[16], path[LAUNCH_PATH_MAX];
	CLEANUP_FD int tree = -1;
	CLEANUP_FD int dir = -1;
	struct userns u;

	if (launch_check_id("container", m->ctr, err) == -1)
		return -1;
	if (m->number >= MOUNT_MAX || (m->flags & ~MOUNT_FLAG_ALL) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "not a mount");
	(void)snprintf(name, sizeof(name), "m%" PRIu32, m->number);
	dir = launch_open_beneath(l->dirs[LAUNCH_DIR_ROOTFS], m->ctr,
	    O_RDONLY | O_DIRECTORY);
	if (dir == -1 || launch_rootfs_path(l, m->ctr, "fs", path, err) == -1)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s has no root file system", m->ctr);
	if (launch_userns_open(l, m->userns, &u, err) == -1)
		return -1;
	tree = (m->flags & MOUNT_FLAG_IMAGE) != 0
		   ? mount_image(l, m, &u, path, err)
		   : mount_host(m, &u, err);
	if (tree == -1 || mount_settle(tree, m, err) == -1 ||
	    mount_point(dir, name, tree, err) == -1 ||
	    launch_rootfs_path(l, m->ctr, name, path, err) == -1)
		return -1;
	return launch_mounted(path) ? 0 : launch_aside_attach(tree, path, err);
}

/* ---- what a source's mount does ---- */

/* "ID PARENT MAJ:MIN ROOT AT OPTIONS [shared:N] [master:N] - ..." */
static const char *
mount_info_line(const char *text, uint64_t id)
{
	while (text != NULL && *text != '\0') {
		if (strtoull(text, NULL, 10) == id)
			return text;
		text = strchr(text, '\n');
		text = text == NULL ? NULL : text + 1;
	}
	return NULL;
}

static bool
mount_info_has(const char *line, const char *tag)
{
	const char *end = line == NULL ? NULL : strstr(line, " - ");
	const char *at = line == NULL ? NULL : strstr(line, tag);

	return end != NULL && at != NULL && at < end;
}

int
launch_mount_source(const char *path, uint32_t want, struct cerr *err)
{
	CLEANUP_FREE char *text = NULL;
	const char *line;
	struct statx sx;

	if (want == MOUNT_SOURCE_ANY)
		return 0;
	text = malloc(MOUNT_INFO_MAX);
	if (text == NULL || statx(AT_FDCWD, path, 0, STATX_MNT_ID, &sx) == -1 ||
	    launch_read_file(AT_FDCWD, "/proc/self/mountinfo", text,
		MOUNT_INFO_MAX) == -1)
		return cerr_errno(err, "mount of %.256s", path);
	line = mount_info_line(text, sx.stx_mnt_id);
	if (mount_info_has(line, " shared:") ||
	    (want == MOUNT_SOURCE_SLAVE && mount_info_has(line, " master:")))
		return 0;
	return cerr_set(err, CERR_FAILED_PRECONDITION,
	    "mounts: %.256s is not on a shared%s mount", path,
	    want == MOUNT_SOURCE_SLAVE ? " or slave" : "");
}
