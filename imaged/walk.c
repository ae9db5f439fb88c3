#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <linux/openat2.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/unpack_path.h"
#include "imaged/walk.h"
#include "lib/fdio.h"

#define WALK_NAMES_MAX (64U * 1024 * 1024) /* bytes of names that wait */
#define WALK_XATTR_MAX (64U * 1024)

/*
 * Objects come in no fixed order, so the sum is of digests, one of each: the
 * same objects give the same sum.
 */
struct walk {
	int root;
	bool attributes;
	struct digest *digest;
	uint8_t sum[DIGEST_HEX_LEN / 2];
	char *stack; /* directories that wait: names, each with its NUL */
	size_t len, room;
	char *names, *value; /* of attributes */
};

static void
walk_add(struct walk *w)
{
	uint8_t md[DIGEST_HEX_LEN / 2];
	unsigned int carry = 0;

	digest_final_raw(w->digest, md);
	digest_reset(w->digest);
	for (size_t i = sizeof(md); i-- > 0;) {
		carry += (unsigned int)w->sum[i] + md[i];
		w->sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static int
walk_push(struct walk *w, const char *path, struct cerr *err)
{
	size_t len = strlen(path) + 1;

	if (w->len + len > WALK_NAMES_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "layer has too many directories");
	if (w->len + len > w->room) {
		char *more = realloc(w->stack, 2 * (w->room + len));

		if (more == NULL)
			return cerr_errno(err, "names of directories");
		w->stack = more;
		w->room = 2 * (w->room + len);
	}
	memcpy(w->stack + w->len, path, len);
	w->len += len;
	return 0;
}

/* The last pushed; false if there is none. */
static bool
walk_pop(struct walk *w, char path[UNPACK_PATH_MAX])
{
	size_t at = w->len;

	if (at == 0)
		return false;
	for (at--; at > 0 && w->stack[at - 1] != '\0';)
		at--;
	memcpy(path, w->stack + at, w->len - at);
	w->len = at;
	return true;
}

/* ---- one object ---- */

static int
walk_xattr(struct walk *w, int fd, const char *name, struct cerr *err)
{
	ssize_t n = fgetxattr(fd, name, w->value, WALK_XATTR_MAX);

	if (n == -1)
		return cerr_errno(err, "attribute of a layer's file");
	digest_update(w->digest, name, strlen(name) + 1);
	digest_update(w->digest, w->value, (size_t)n);
	return 0;
}

/* What this process may not see (security.*, of a label) is not the image's. */
static bool
walk_xattr_counts(const char *name)
{
	return strncmp(name, "user.", 5) == 0 ||
	       strcmp(name, "security.capability") == 0;
}

static int
walk_xattrs(struct walk *w, int dirfd, const char *name, struct cerr *err)
{
	CLEANUP_FD int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return cerr_errno(err, "attributes of a layer's file");
	n = flistxattr(fd, w->names, WALK_XATTR_MAX);
	if (n == -1)
		return errno == EOPNOTSUPP
			   ? 0
			   : cerr_errno(err, "attributes of a layer's file");
	for (const char *x = w->names; x < w->names + n; x += strlen(x) + 1) {
		if (walk_xattr_counts(x) && walk_xattr(w, fd, x, err) == -1)
			return -1;
	}
	return 0;
}

static int
walk_link(struct walk *w, int dirfd, const char *name, struct cerr *err)
{
	char to[UNPACK_PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, to, sizeof(to));

	if (n == -1)
		return cerr_errno(err, "link of a layer");
	digest_update(w->digest, to, (size_t)n);
	return 0;
}

static int
walk_object(struct walk *w, int dirfd, const char *name, const char *path,
    const struct stat *st, struct cerr *err)
{
	bool dir = S_ISDIR(st->st_mode), file = S_ISREG(st->st_mode);
	uint64_t facts[] = { st->st_mode, st->st_uid, st->st_gid,
		dir ? 0 : (uint64_t)st->st_nlink,
		file ? (uint64_t)st->st_size : 0,
		S_ISCHR(st->st_mode) ? 0 : (uint64_t)st->st_mtim.tv_sec,
		S_ISCHR(st->st_mode) ? 0 : (uint64_t)st->st_mtim.tv_nsec,
		S_ISCHR(st->st_mode) ? (uint64_t)st->st_rdev : 0 };

	digest_update(w->digest, path, strlen(path) + 1);
	digest_update(w->digest, facts, sizeof(facts));
	if (S_ISLNK(st->st_mode) && walk_link(w, dirfd, name, err) == -1)
		return -1;
	if (w->attributes && (dir || file) &&
	    walk_xattrs(w, dirfd, name, err) == -1)
		return -1;
	walk_add(w);
	return 0;
}

/* ---- directories ---- */

static int
walk_entry(struct walk *w, int dirfd, const char *dir, const char *name,
    struct cerr *err)
{
	char path[UNPACK_PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s%s%s", dir,
	    *dir != '\0' ? "/" : "", name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "layer has a path longer than %d bytes",
		    UNPACK_PATH_MAX - 1);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return cerr_errno(err, "look at a layer");
	if (walk_object(w, dirfd, name, path, &st, err) == -1)
		return -1;
	return S_ISDIR(st.st_mode) ? walk_push(w, path, err) : 0;
}

static bool
walk_is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
walk_open(struct walk *w, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, w->root, *path != '\0' ? path : ".",
	    &how, sizeof(how));
}

static int
walk_dir(struct walk *w, const char *path, struct cerr *err)
{
	int fd = walk_open(w, path), rc = 0;
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (dir == NULL) {
		fdio_close(&fd);
		return cerr_errno(err, "look at a layer");
	}
	while (rc == 0 && (errno = 0, de = readdir(dir)) != NULL) {
		if (!walk_is_dot(de->d_name))
			rc = walk_entry(w, fd, path, de->d_name, err);
	}
	if (rc == 0 && errno != 0)
		rc = cerr_errno(err, "look at a layer");
	(void)closedir(dir);
	return rc;
}

static int
walk_all(struct walk *w, struct cerr *err)
{
	char path[UNPACK_PATH_MAX];
	struct stat st;

	if (w->names == NULL || w->value == NULL)
		return cerr_errno(err, "attributes");
	if (fstat(w->root, &st) == -1)
		return cerr_errno(err, "look at a layer");
	if (walk_object(w, w->root, ".", "", &st, err) == -1 ||
	    walk_push(w, "", err) == -1)
		return -1;
	while (walk_pop(w, path)) {
		if (walk_dir(w, path, err) == -1)
			return -1;
	}
	return 0;
}

int
walk_digest(int root, bool attributes, char out[DIGEST_SIZE], struct cerr *err)
{
	struct walk w = { .root = root, .attributes = attributes };
	int rc;

	w.digest = digest_new();
	w.names = malloc(WALK_XATTR_MAX);
	w.value = malloc(WALK_XATTR_MAX);
	rc = walk_all(&w, err);
	digest_of(w.sum, sizeof(w.sum), out);
	digest_free(w.digest);
	free(w.names);
	free(w.value);
	free(w.stack);
	return rc;
}
