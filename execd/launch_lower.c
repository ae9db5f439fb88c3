#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/mount.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "execd/launch_aside.h"
#include "execd/launch_lower.h"
#include "execd/launch_userns.h"
#include "lib/fdio.h"
#include "lib/layerid.h"

static const char *
lower_store(const struct launch *l, uint64_t layer)
{
	for (size_t i = 0; i < l->nstores; i++) {
		if (layerid_of_path(l->stores[i]) == layerid_store(layer))
			return l->stores[i];
	}
	return NULL;
}

/* The directory that has its number. */
static int
lower_base(const struct launch *l, uint64_t layer, struct cerr *err)
{
	const char *store = lower_store(l, layer);
	int fd;

	if (layerid_store(layer) == 0) {
		fd = fcntl(l->dirs[LAUNCH_DIR_LAYER], F_DUPFD_CLOEXEC, 0);
		return fd == -1 ? cerr_errno(err, "layers") : fd;
	}
	if (store == NULL)
		return cerr_set(err, CERR_NOT_FOUND,
		    "the image's additional store is not there any more");
	fd = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd == -1 ? cerr_errno(err, "additional store %s", store) : fd;
}

int
launch_lower_open(const struct launch *l, uint64_t layer, struct cerr *err)
{
	CLEANUP_FD int base = lower_base(l, layer, err);
	char name[48];
	int fd;

	if (base == -1)
		return -1;
	(void)snprintf(name, sizeof(name), "%s%" PRIu64 "/fs",
	    layerid_store(layer) == 0 ? "" : "layer/", layerid_number(layer));
	fd = launch_open_beneath(base, name, O_PATH | O_DIRECTORY);
	return fd == -1 ? cerr_errno(err, "layer %s of store %" PRIu64, name,
			      layerid_store(layer))
			: fd;
}

bool
launch_lower_apart(const uint64_t *layers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (layerid_store(layers[i]) != 0)
			return true;
	}
	return false;
}

static int
lower_clone(const struct launch *l, uint64_t layer, int userns,
    struct cerr *err)
{
	CLEANUP_FD int fd = launch_lower_open(l, layer, err);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY |
					       MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV };
	CLEANUP_FD int tree = -1;
	int ret;

	if (fd == -1)
		return -1;
	tree = launch_userns_clone(fd, "", userns);
	if (tree == -1)
		return cerr_errno(err, "show the image's files");
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr,
		sizeof(attr)) == -1)
		return cerr_errno(err, "attributes of a layer");
	ret = tree;
	tree = -1;
	return ret;
}

/* An empty file system at path, for names to mount layers at. */
static int
lower_root(const char *path, struct cerr *err)
{
	CLEANUP_FD int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	CLEANUP_FD int tree = -1;
	int root;

	if (fs == -1 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "64k", 0) ==
		-1 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == -1)
		return cerr_errno(err, "tmpfs for layers");
	tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (tree == -1)
		return cerr_errno(err, "tmpfs for layers");
	if (launch_aside_attach(tree, path, err) == -1)
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return root == -1 ? cerr_errno(err, "tmpfs for layers") : root;
}

static int
lower_attach(int tree, int root, const char *name, struct cerr *err)
{
	if (mkdirat(root, name, 0700) == -1 ||
	    syscall(SYS_move_mount, tree, "", root, name,
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		return cerr_errno(err, "mount a layer");
	return 0;
}

static void
lower_clear(struct lower *w)
{
	while (w->n > 0)
		fdio_close(&w->trees[--w->n]);
}

int
launch_lower_get(struct lower *w, const struct launch *l,
    const uint64_t *layers, uint32_t n, int userns, struct cerr *err)
{
	w->apart = launch_lower_apart(layers, n);
	w->n = 0;
	if (!w->apart) {
		w->trees[0] =
		    launch_userns_clone(l->dirs[LAUNCH_DIR_LAYER], "", userns);
		if (w->trees[0] == -1)
			return cerr_errno(err,
			    "show the image's files in a user namespace");
		w->n = 1;
		return 0;
	}
	for (; w->n < n && w->n < LOWER_MAX; w->n++) {
		w->trees[w->n] = lower_clone(l, layers[w->n], userns, err);
		if (w->trees[w->n] == -1) {
			lower_clear(w);
			return -1;
		}
	}
	return 0;
}

/* Each at its name below a file system that is nothing else. */
static int
lower_mount_each(const struct lower *w, const char *path, struct cerr *err)
{
	int root = lower_root(path, err);
	char name[16];

	for (uint32_t i = 0; root != -1 && i < w->n; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		if (lower_attach(w->trees[i], root, name, err) == -1)
			fdio_close(&root);
	}
	return root;
}

int
launch_lower_mount(struct lower *w, const char *path, struct cerr *err)
{
	int root = -1;

	if (w->apart) {
		root = lower_mount_each(w, path, err);
	} else if (launch_aside_attach(w->trees[0], path, err) == 0) {
		root = w->trees[0];
		w->n = 0;
	}
	lower_clear(w);
	return root;
}

int
launch_lower_stat(const struct launch *l, uint64_t layer, int userns,
    struct stat *st, struct cerr *err)
{
	CLEANUP_FD int fd = userns == -1 ? launch_lower_open(l, layer, err)
					 : lower_clone(l, layer, userns, err);

	if (fd == -1)
		return -1;
	return fstat(fd, st) == -1 ? cerr_errno(err, "a layer") : 0;
}

size_t
launch_lower_names(const uint64_t *layers, uint32_t n, char *buf, size_t size)
{
	bool apart = launch_lower_apart(layers, n);
	size_t len = 0;

	for (uint32_t i = n; i > 0; i--) {
		size_t left = len < size ? size - len : 0;
		char *at = buf + (len < size ? len : size);
		const char *colon = i == n ? "" : ":";

		len += (size_t)(apart ? snprintf(at, left, "%s%u", colon, i - 1)
				      : snprintf(at, left, "%s%" PRIu64 "/fs",
					    colon, layers[i - 1]));
	}
	return len;
}
