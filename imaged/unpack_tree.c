#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/recipe.h"
#include "imaged/unpack_path.h"
#include "imaged/unpack_remove.h"
#include "imaged/unpack_tree.h"
#include "imaged/walk.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define TREE_BLOCK	  4096
#define TREE_TIMES_MAX	  (64U * 1024 * 1024) /* bytes of memory */
#define TREE_DIR_MODE	  0755
#define TREE_MODE	  0777 /* what a new file can have at once */
#define TREE_MODE_UNKNOWN UINT32_MAX
#define TREE_OPAQUE	  "user.overlay.opaque"
#define TREE_WRITE_MAX	  (256U * 1024)
#define TREE_FLUSH	  (UINT64_C(8) << 20)

/* A directory's times, set when nothing is put into it any more. */
struct tree_time {
	char *path;
	struct timespec mtime;
};

struct tree {
	int root;
	uint64_t bytes_left, inodes_left;
	struct tree_usage usage;
	/* The parent directory of the entry before, which is often the next's.
	 */
	char parent[UNPACK_PATH_MAX];
	int parent_fd;
	bool parent_stale;   /* something was removed: it may mean another */
	bool parent_is_file; /* why there is no parent_fd */
	struct tree_time *times;
	size_t ntimes, times_room, times_bytes;
	bool skipped;	 /* a device was not made, and that was logged */
	bool attributes; /* some were set */
	struct recipe *recipe;
};

/* The entry at hand: dirfd/base is where it goes. */
struct tree_at {
	const struct tar_entry *e;
	struct tar *tar;
	int dirfd;
	const char *base;
	const char *full;
};

struct tree *
tree_new(int root, uint64_t max_bytes, uint64_t max_inodes)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		fdio_close(&root);
		return NULL;
	}
	t->root = root;
	t->parent_fd = -1;
	t->bytes_left = max_bytes;
	t->inodes_left = max_inodes;
	return t;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->ntimes; i++)
		free(t->times[i].path);
	free(t->times);
	fdio_close(&t->parent_fd);
	fdio_close(&t->root);
	free(t);
}

void
tree_set_recipe(struct tree *t, struct recipe *recipe)
{
	t->recipe = recipe;
}

static int
tree_bad(const char *path, const char *why, struct cerr *err)
{
	char shown[200];

	return cerr_set(err, CERR_INVALID_ARGUMENT, "layer entry \"%s\": %s",
	    unpack_path_print(path, shown, sizeof(shown)), why);
}

/* What the image causes is its fault, the rest is the machine's. */
static bool
tree_errno_is_input(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP ||
	       error == ENAMETOOLONG || error == EFBIG || error == EISDIR ||
	       error == EEXIST || error == EINVAL || error == EMLINK;
}

static int
tree_errno(const char *path, const char *what, struct cerr *err)
{
	char shown[200];

	unpack_path_print(path, shown, sizeof(shown));
	if (tree_errno_is_input(errno))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "layer entry \"%s\": %s: %s", shown, what, strerror(errno));
	return cerr_errno(err, "layer entry \"%s\": %s", shown, what);
}

/* ---- limits ---- */

static int
tree_count(struct tree *t, uint64_t bytes, struct cerr *err)
{
	if (t->inodes_left == 0)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer has too many files");
	t->inodes_left--;
	t->usage.inodes++;
	t->usage.bytes += (bytes + TREE_BLOCK - 1) / TREE_BLOCK * TREE_BLOCK;
	return 0;
}

static int
tree_charge(struct tree *t, uint64_t bytes, struct cerr *err)
{
	if (bytes > t->bytes_left)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer's files are too large");
	t->bytes_left -= bytes;
	return 0;
}

/* ---- directories on the way ---- */

/* path relative to the root, inside it whatever links there are; or -1. */
static int
tree_open_dir(struct tree *t, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, t->root, *path != '\0' ? path : ".",
	    &how, sizeof(how));
}

static bool
tree_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int
tree_set_opaque(struct tree *t, int dirfd, const char *name)
{
	CLEANUP_FD int fd = openat(dirfd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	t->attributes = true;
	return fd == -1 ? -1 : fsetxattr(fd, TREE_OPAQUE, "y", 1, 0);
}

/*
 * A directory where nothing is, or where a whiteout is: then it must go on
 * hiding what lower layers have.  -1 with errno.
 */
static int
tree_mkdir_new(struct tree *t, int dirfd, const char *base)
{
	struct stat st;
	bool hidden;

	if (mkdirat(dirfd, base, TREE_DIR_MODE) == 0)
		return 0;
	if (errno != EEXIST ||
	    fstatat(dirfd, base, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	hidden = tree_is_whiteout(&st);
	if (!hidden) {
		errno = ENOTDIR;
		return -1;
	}
	if (unlinkat(dirfd, base, 0) == -1 ||
	    mkdirat(dirfd, base, TREE_DIR_MODE) == -1)
		return -1;
	return tree_set_opaque(t, dirfd, base);
}

/* Makes what is missing of path, a directory that no entry has named. */
static int
tree_make_parents(struct tree *t, const char *path, struct cerr *err)
{
	char part[UNPACK_PATH_MAX];
	CLEANUP_FD int dir = tree_open_dir(t, "");

	for (const char *c = path; dir != -1 && *c != '\0';) {
		size_t len = strcspn(c, "/"), end = (size_t)(c - path) + len;
		int next;

		memcpy(part, path, end);
		part[end] = '\0';
		next = tree_open_dir(t, part);
		if (next == -1) {
			const char *base = part + (c - path);

			if (tree_count(t, TREE_BLOCK, err) == -1)
				return -1;
			if (tree_mkdir_new(t, dir, base) == -1 ||
			    fchownat(dir, base, 0, 0, AT_SYMLINK_NOFOLLOW) ==
				-1) {
				t->parent_is_file = errno == ENOTDIR;
				break;
			}
			next = tree_open_dir(t, part);
		}
		fdio_close(&dir);
		dir = next;
		c += len + (c[len] == '/');
		if (*c == '\0' && dir != -1)
			return 0;
	}
	return tree_errno(path, "parent directory", err);
}

/* The directory that p goes into, kept for the next; -1 with err. */
static int
tree_parent(struct tree *t, const struct unpack_path *p, struct cerr *err)
{
	if (t->parent_fd != -1 && !t->parent_stale &&
	    strlen(t->parent) == p->parent_len &&
	    memcmp(t->parent, p->full, p->parent_len) == 0)
		return t->parent_fd;
	fdio_close(&t->parent_fd);
	t->parent_stale = false;
	t->parent_is_file = false;
	memcpy(t->parent, p->full, p->parent_len);
	t->parent[p->parent_len] = '\0';
	t->parent_fd = tree_open_dir(t, t->parent);
	if (t->parent_fd == -1) {
		if (tree_make_parents(t, t->parent, err) == -1)
			return -1;
		t->parent_fd = tree_open_dir(t, t->parent);
	}
	if (t->parent_fd == -1)
		(void)tree_errno(p->full, "parent directory", err);
	return t->parent_fd;
}

/* ---- metadata ---- */

static bool
tree_xattr_kept(const char *name)
{
	if (strncmp(name, "user.overlay.", 13) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 ||
	       strcmp(name, "security.capability") == 0;
}

static int
tree_xattrs(struct tree *t, int fd, const struct tree_at *at, struct cerr *err)
{
	for (size_t i = 0; i < at->e->nxattrs; i++) {
		const struct tar_xattr *x = &at->e->xattrs[i];

		if (!tree_xattr_kept(x->name))
			continue;
		t->attributes = true;
		if (fsetxattr(fd, x->name, x->value, x->len, 0) == 0)
			continue;
		/* A file system without user attributes: data still counts. */
		if (errno == EOPNOTSUPP && x->name[0] == 'u')
			continue;
		return tree_errno(at->full, "extended attribute", err);
	}
	return 0;
}

static struct timespec
tree_mtime(const struct tar_entry *e)
{
	return (struct timespec){ e->mtime, (long)e->mtime_ns };
}

/*
 * Owner first: changing it clears set-id bits and capabilities.  mode is what
 * the object has.
 */
static int
tree_owner_mode(struct tree *t, int fd, const struct tree_at *at, uint32_t mode,
    struct cerr *err)
{
	if (fchown(fd, at->e->uid, at->e->gid) == -1)
		return tree_errno(at->full, "owner", err);
	if (mode != at->e->mode && fchmod(fd, at->e->mode) == -1)
		return tree_errno(at->full, "mode", err);
	return tree_xattrs(t, fd, at, err);
}

static int
tree_set_times(int fd, struct timespec mtime)
{
	struct timespec ts[2] = { mtime, mtime };

	return futimens(fd, ts);
}

/* For what cannot be opened: symbolic links and fifos. */
static int
tree_owner_times_at(const struct tree_at *at, struct cerr *err)
{
	struct timespec ts[2] = { tree_mtime(at->e), tree_mtime(at->e) };

	if (fchownat(at->dirfd, at->base, at->e->uid, at->e->gid,
		AT_SYMLINK_NOFOLLOW) == -1)
		return tree_errno(at->full, "owner", err);
	if (utimensat(at->dirfd, at->base, ts, AT_SYMLINK_NOFOLLOW) == -1)
		return tree_errno(at->full, "times", err);
	return 0;
}

static int
tree_note_time(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	struct tree_time *more;
	size_t len = strlen(at->full) + 1;

	if (t->ntimes == t->times_room) {
		size_t room = t->times_room == 0 ? 256 : 2 * t->times_room;

		more = realloc(t->times, room * sizeof(*more));
		if (more == NULL)
			return cerr_errno(err, "times of directories");
		t->times = more;
		t->times_room = room;
	}
	t->times_bytes += len + sizeof(*more);
	if (t->times_bytes > TREE_TIMES_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer has too many directories");
	more = &t->times[t->ntimes];
	more->path = strdup(at->full);
	if (more->path == NULL)
		return cerr_errno(err, "times of directories");
	more->mtime = tree_mtime(at->e);
	t->ntimes++;
	return 0;
}

/* ---- the kinds of entries ---- */

/*
 * After making base failed: if something is in the way it goes, so that
 * making it can be tried again.  Before removing, tells why that would not do.
 */
static int
tree_clear(struct tree *t, const struct tree_at *at, const char *what,
    struct cerr *err)
{
	if (errno != EEXIST)
		return tree_errno(at->full, what, err);
	t->parent_stale = true;
	if (t->recipe != NULL &&
	    recipe_replace(t->recipe, at->dirfd, at->base, err) == -1)
		return -1;
	return unpack_remove_at(at->dirfd, at->base, err);
}

/*
 * The disk is given work each TREE_FLUSH bytes, so that little is left for
 * syncfs.  It is a hint: not every file system takes it.
 */
static void
tree_flush(int fd, uint64_t before, uint64_t now)
{
	if (before / TREE_FLUSH != now / TREE_FLUSH)
		(void)sync_file_range(fd,
		    (off_t)(before / TREE_FLUSH * TREE_FLUSH), TREE_FLUSH,
		    SYNC_FILE_RANGE_WRITE);
}

static int
tree_write(const struct tree_at *at, int fd, uint64_t offset, uint64_t len,
    struct cerr *err)
{
	while (len > 0) {
		const uint8_t *p;
		size_t want =
		    len < TREE_WRITE_MAX ? (size_t)len : TREE_WRITE_MAX;
		ssize_t n = tar_data(at->tar, &p, want, err);

		if (n == -1)
			return -1;
		for (ssize_t done = 0; done < n;) {
			ssize_t w = pwrite(fd, p + done, (size_t)(n - done),
			    (off_t)offset + done);

			if (w == -1)
				return tree_errno(at->full, "write", err);
			done += w;
		}
		tree_flush(fd, offset, offset + (uint64_t)n);
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int
tree_file_data(struct tree *t, const struct tree_at *at, int fd,
    struct cerr *err)
{
	const struct tar_entry *e = at->e;
	uint64_t end = 0, stored = 0;

	if (tree_charge(t, e->size, err) == -1 ||
	    (e->size > 0 && t->recipe != NULL &&
		recipe_file(t->recipe, at->full, fd, err) == -1))
		return -1;
	for (size_t i = 0; i < e->nsegments; i++) {
		const struct tar_segment *s = &e->segments[i];

		if ((t->recipe != NULL &&
			recipe_data(t->recipe, s->offset, s->len, err) == -1) ||
		    tree_write(at, fd, s->offset, s->len, err) == -1)
			return -1;
		end = s->len > 0 ? s->offset + s->len : end;
		stored += s->len;
	}
	if (e->size > end && ftruncate(fd, (off_t)e->size) == -1)
		return tree_errno(at->full, "size", err);
	return tree_count(t, stored, err);
}

static int
tree_create(const struct tree_at *at)
{
	return openat(at->dirfd, at->base,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    at->e->mode & TREE_MODE);
}

static int
tree_file(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	CLEANUP_FD int fd = tree_create(at);

	if (fd == -1) {
		if (tree_clear(t, at, "create", err) == -1)
			return -1;
		fd = tree_create(at);
	}
	if (fd == -1)
		return tree_errno(at->full, "create", err);
	if (tree_file_data(t, at, fd, err) == -1 ||
	    tree_owner_mode(t, fd, at, at->e->mode & TREE_MODE, err) == -1)
		return -1;
	if (tree_set_times(fd, tree_mtime(at->e)) == -1)
		return tree_errno(at->full, "times", err);
	return 0;
}

static int
tree_dir_make(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	struct stat st;

	if (tree_mkdir_new(t, at->dirfd, at->base) == 0)
		return tree_count(t, TREE_BLOCK, err);
	/* Only what is in the way can be cleared. */
	if (errno != ENOTDIR ||
	    fstatat(at->dirfd, at->base, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return tree_errno(at->full, "directory", err);
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = EEXIST;
	if (tree_clear(t, at, "directory", err) == -1)
		return -1;
	if (mkdirat(at->dirfd, at->base, TREE_DIR_MODE) == -1)
		return tree_errno(at->full, "directory", err);
	return tree_count(t, TREE_BLOCK, err);
}

static int
tree_dir(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	CLEANUP_FD int fd = -1;

	if (tree_dir_make(t, at, err) == -1)
		return -1;
	fd = openat(at->dirfd, at->base,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return tree_errno(at->full, "directory", err);
	if (tree_owner_mode(t, fd, at, TREE_MODE_UNKNOWN, err) == -1)
		return -1;
	return tree_note_time(t, at, err);
}

static int
tree_symlink(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	const char *to = at->e->link;

	if (symlinkat(to, at->dirfd, at->base) == -1) {
		if (tree_clear(t, at, "symbolic link", err) == -1)
			return -1;
		if (symlinkat(to, at->dirfd, at->base) == -1)
			return tree_errno(at->full, "symbolic link", err);
	}
	if (tree_count(t, 0, err) == -1)
		return -1;
	return tree_owner_times_at(at, err);
}

static int
tree_fifo(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	mode_t mode = at->e->mode;

	if (mkfifoat(at->dirfd, at->base, mode) == -1) {
		if (tree_clear(t, at, "fifo", err) == -1)
			return -1;
		if (mkfifoat(at->dirfd, at->base, mode) == -1)
			return tree_errno(at->full, "fifo", err);
	}
	if (tree_count(t, 0, err) == -1)
		return -1;
	return tree_owner_times_at(at, err);
}

/* The link's target: its directory, and in *p its name.  -1 with err. */
static int
tree_link_target(struct tree *t, const struct tree_at *at,
    struct unpack_path *p, struct stat *st, struct cerr *err)
{
	char dir[UNPACK_PATH_MAX];
	int fd;

	if (unpack_path_parse(at->e->link, p, err) == -1)
		return -1;
	if (p->kind != UNPACK_NAME_PLAIN || *p->base == '\0')
		return tree_bad(at->full, "a hard link to no file", err);
	memcpy(dir, p->full, p->parent_len);
	dir[p->parent_len] = '\0';
	fd = tree_open_dir(t, dir);
	if (fd == -1 || fstatat(fd, p->base, st, AT_SYMLINK_NOFOLLOW) == -1) {
		fdio_close(&fd);
		return tree_bad(at->full, "a hard link to what is not there",
		    err);
	}
	if (!S_ISDIR(st->st_mode) && !tree_is_whiteout(st))
		return fd;
	fdio_close(&fd);
	return tree_bad(at->full, "a hard link to no file", err);
}

static int
tree_link(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	struct unpack_path p;
	struct stat target, here;
	CLEANUP_FD int dir = tree_link_target(t, at, &p, &target, err);

	if (dir == -1)
		return -1;
	if (linkat(dir, p.base, at->dirfd, at->base, 0) == 0)
		return 0;
	if (errno == EEXIST) {
		if (fstatat(at->dirfd, at->base, &here, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    here.st_ino == target.st_ino)
			return 0;
		errno = EEXIST;
	}
	if (tree_clear(t, at, "hard link", err) == -1)
		return -1;
	if (linkat(dir, p.base, at->dirfd, at->base, 0) == -1)
		return tree_errno(at->full, "hard link", err);
	return 0;
}

static int
tree_device(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	if (at->e->type == TAR_CHAR && at->e->major == 0 && at->e->minor == 0)
		return tree_bad(at->full, "a forged whiteout", err);
	if (!t->skipped)
		log_info("device nodes of the layer are not made");
	t->skipped = true;
	return 0;
}

static const struct tree_kind {
	enum tar_type type;
	int (
	    *apply)(struct tree *t, const struct tree_at *at, struct cerr *err);
} tree_kinds[] = {
	{ TAR_FILE, tree_file },
	{ TAR_DIR, tree_dir },
	{ TAR_SYMLINK, tree_symlink },
	{ TAR_LINK, tree_link },
	{ TAR_FIFO, tree_fifo },
	{ TAR_CHAR, tree_device },
	{ TAR_BLOCKDEV, tree_device },
};

static int
tree_plain(struct tree *t, const struct tree_at *at, struct cerr *err)
{
	for (size_t i = 0; i < sizeof(tree_kinds) / sizeof(*tree_kinds); i++) {
		if (tree_kinds[i].type == at->e->type)
			return tree_kinds[i].apply(t, at, err);
	}
	return tree_bad(at->full, "an entry of unknown type", err);
}

/* ---- the root, whiteouts ---- */

static int
tree_root(struct tree *t, const struct tar_entry *e, struct cerr *err)
{
	struct tree_at at = { e, NULL, t->root, ".", "" };

	if (e->type != TAR_DIR)
		return tree_bad(e->path, "not a directory, but the root", err);
	if (tree_owner_mode(t, t->root, &at, TREE_MODE_UNKNOWN, err) == -1)
		return -1;
	return tree_note_time(t, &at, err);
}

static int
tree_whiteout(struct tree *t, int dirfd, const struct unpack_path *p,
    struct cerr *err)
{
	struct stat st;

	if (fstatat(dirfd, p->target, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode) &&
		    tree_set_opaque(t, dirfd, p->target) == -1)
			return tree_errno(p->full, "opaque directory", err);
		return 0;
	}
	if (errno != ENOENT)
		return tree_errno(p->full, "whiteout", err);
	if (mknodat(dirfd, p->target, S_IFCHR, makedev(0, 0)) == -1 ||
	    fchownat(dirfd, p->target, 0, 0, AT_SYMLINK_NOFOLLOW) == -1)
		return tree_errno(p->full, "whiteout", err);
	return tree_count(t, 0, err);
}

int
tree_begin(struct tree *t, struct cerr *err)
{
	if (fchown(t->root, 0, 0) == -1 || fchmod(t->root, TREE_DIR_MODE) == -1)
		return cerr_errno(err, "root of the layer");
	return 0;
}

int
tree_apply(struct tree *t, const struct tar_entry *e, struct tar *tar,
    struct cerr *err)
{
	struct unpack_path p;
	struct tree_at at = { e, tar, -1, NULL, NULL };

	if (unpack_path_parse(e->path, &p, err) == -1)
		return -1;
	if (p.kind == UNPACK_NAME_IGNORED)
		return 0;
	if (*p.full == '\0')
		return tree_root(t, e, err);
	at.dirfd = tree_parent(t, &p, err);
	/* What was a directory is a file here: that hides all it held. */
	if (at.dirfd == -1)
		return p.kind != UNPACK_NAME_PLAIN && t->parent_is_file ? 0
									: -1;
	at.base = p.base;
	at.full = p.full;
	if (p.kind == UNPACK_NAME_WHITEOUT)
		return tree_whiteout(t, at.dirfd, &p, err);
	if (p.kind == UNPACK_NAME_PLAIN)
		return tree_plain(t, &at, err);
	if (tree_set_opaque(t, at.dirfd, ".") == -1)
		return tree_errno(p.full, "opaque directory", err);
	return 0;
}

/* A directory that a later entry replaced has no times to set. */
static int
tree_finish_time(struct tree *t, const struct tree_time *time, struct cerr *err)
{
	struct unpack_path p;
	CLEANUP_FD int fd = -1;
	int dir;

	if (*time->path == '\0')
		return tree_set_times(t->root, time->mtime) == 0
			   ? 0
			   : tree_errno("/", "times", err);
	if (unpack_path_parse(time->path, &p, err) == -1)
		return -1;
	if (p.parent_len > 0)
		p.full[p.parent_len] = '\0';
	dir = tree_open_dir(t, p.parent_len > 0 ? p.full : "");
	if (dir == -1)
		return 0;
	fd = openat(dir, p.base,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	fdio_close(&dir);
	if (fd != -1 && tree_set_times(fd, time->mtime) == -1)
		return tree_errno(time->path, "times", err);
	return 0;
}

int
tree_finish(struct tree *t, struct tree_usage *usage, struct cerr *err)
{
	char digest[DIGEST_SIZE];

	for (size_t i = 0; i < t->ntimes; i++) {
		if (tree_finish_time(t, &t->times[i], err) == -1)
			return -1;
	}
	if (t->recipe != NULL &&
	    (walk_digest(t->root, t->attributes, digest, err) == -1 ||
		recipe_end(t->recipe, digest, t->attributes, err) == -1))
		return -1;
	if (syncfs(t->root) == -1)
		return cerr_errno(err, "put the layer on disk");
	*usage = t->usage;
	usage->inodes++; /* the root */
	usage->bytes += TREE_BLOCK;
	return 0;
}
