#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <linux/openat2.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_tar.h"
#include "lib/fdio.h"

#define TAR_BLOCK	512
#define TAR_LIST	2048
#define TAR_DEPTH	256
#define TAR_META_MAX	(256U * 1024)
#define TAR_XATTRS_MAX	4096 /* names of one file's attributes */
#define TAR_VALUE_MAX	65536
#define TAR_WHITEOUT	".wh."
#define TAR_OPAQUE	TAR_WHITEOUT TAR_WHITEOUT ".opq"
#define TAR_OPAQUE_ATTR "user.overlay.opaque"
#define TAR_UNIT	512 /* of st_blocks */

/* Files may say that they are larger than they are, by so much. */
#define TAR_HOLES      16
#define TAR_HOLES_FREE (256U * 1024 * 1024)

struct tar_head {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8],
	    type, link[100], magic[8], user[32], group[32], major[8], minor[8],
	    prefix[155], pad[12];
};

_Static_assert(sizeof(struct tar_head) == TAR_BLOCK, "a header is a block");

struct tar_meta {
	size_t len;
	char buf[TAR_META_MAX];
};

static int tar_walk(struct tarout *t, int fd, int depth, struct cerr *err);

static int
tar_write(struct tarout *t, const void *data, size_t len, struct cerr *err)
{
	if (fdio_write_all(t->fd, data, len) == -1)
		return cerr_errno(err, "write the archive");
	t->at += len;
	return 0;
}

static int
tar_pad(struct tarout *t, struct cerr *err)
{
	static const char zero[TAR_BLOCK];
	size_t over = (size_t)(t->at % TAR_BLOCK);

	return over == 0 ? 0 : tar_write(t, zero, TAR_BLOCK - over, err);
}

/* Octal, or what is too large for that in base 256. */
static void
tar_number(char *field, size_t size, uint64_t v)
{
	if (v >> (3 * (size - 1)) == 0) {
		(void)snprintf(field, size, "%0*llo", (int)size - 1,
		    (unsigned long long)v);
		return;
	}
	for (size_t i = size; i > 1; i--, v >>= 8)
		field[i - 1] = (char)(v & 0xff);
	field[0] = (char)0x80;
}

/* What does not fit is in the pax header before it. */
static void
tar_text(char *field, size_t size, const char *text)
{
	size_t n = strlen(text);

	memcpy(field, text, n < size ? n : size);
}

static void
tar_head_fill(struct tar_head *h, const char *name, const char *link, char type,
    const struct stat *st, uint64_t size)
{
	unsigned int sum = 0;

	memset(h, 0, sizeof(*h));
	tar_text(h->name, sizeof(h->name), name);
	tar_text(h->link, sizeof(h->link), link);
	tar_number(h->mode, sizeof(h->mode), st->st_mode & 07777);
	tar_number(h->uid, sizeof(h->uid), st->st_uid);
	tar_number(h->gid, sizeof(h->gid), st->st_gid);
	tar_number(h->size, sizeof(h->size), size);
	tar_number(h->mtime, sizeof(h->mtime),
	    st->st_mtime > 0 ? (uint64_t)st->st_mtime : 0);
	h->type = type;
	memcpy(h->magic, "ustar\00000", 8);
	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	(void)snprintf(h->sum, sizeof(h->sum), "%06o", sum & 0777777);
}

/* ---- pax headers ---- */

/* "LENGTH KEY=VALUE\n": the length counts its own digits. */
static int
tar_record(struct tar_meta *m, const char *key, const void *value, size_t len,
    struct cerr *err)
{
	size_t body = strlen(key) + len + 3, total = body + 1;
	int n;

	while ((size_t)snprintf(NULL, 0, "%zu", total) + body > total)
		total++;
	if (total >= sizeof(m->buf) - m->len)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "a file of the container has too large attributes");
	n = snprintf(m->buf + m->len, sizeof(m->buf) - m->len, "%zu %s=", total,
	    key);
	memcpy(m->buf + m->len + n, value, len);
	m->len += total;
	m->buf[m->len - 1] = '\n';
	return 0;
}

static bool
tar_attr_kept(const char *name)
{
	return strcmp(name, "security.capability") == 0 ||
	       (strncmp(name, "user.", 5) == 0 &&
		   strncmp(name, "user.overlay.", 13) != 0);
}

static int
tar_attr(struct tar_meta *m, int fd, const char *name, struct cerr *err)
{
	static char value[TAR_VALUE_MAX];
	char key[XATTR_NAME_MAX + 32];
	ssize_t n = fgetxattr(fd, name, value, sizeof(value));

	if (n == -1)
		return cerr_errno(err, "attribute of a file");
	(void)snprintf(key, sizeof(key), "SCHILY.xattr.%.*s", XATTR_NAME_MAX,
	    name);
	return tar_record(m, key, value, (size_t)n, err);
}

/* fd -1: of what cannot be opened nothing is kept. */
static int
tar_attrs(struct tar_meta *m, int fd, struct cerr *err)
{
	char names[TAR_XATTRS_MAX];
	ssize_t n = fd == -1 ? 0 : flistxattr(fd, names, sizeof(names));

	if (n == -1 && errno != EOPNOTSUPP)
		return cerr_errno(err, "attributes of a file");
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		if (tar_attr_kept(names + at) &&
		    tar_attr(m, fd, names + at, err) == -1)
			return -1;
	}
	return 0;
}

static int
tar_meta_write(struct tarout *t, const struct tar_meta *m, struct cerr *err)
{
	static const struct stat st = { .st_mode = 0600 };
	struct tar_head h;

	if (m->len == 0)
		return 0;
	tar_head_fill(&h, "pax", "", 'x', &st, m->len);
	if (tar_write(t, &h, sizeof(h), err) == -1 ||
	    tar_write(t, m->buf, m->len, err) == -1)
		return -1;
	return tar_pad(t, err);
}

/* One entry's headers; fd: the object, for its attributes, or -1. */
static int
tar_header(struct tarout *t, const char *link, char type, const struct stat *st,
    int fd, struct cerr *err)
{
	static struct tar_meta m;
	uint64_t size = type == '0' ? (uint64_t)st->st_size : 0;
	struct tar_head h;

	m.len = 0;
	if (t->len > sizeof(h.name) &&
	    tar_record(&m, "path", t->path, t->len, err) == -1)
		return -1;
	if (strlen(link) > sizeof(h.link) &&
	    tar_record(&m, "linkpath", link, strlen(link), err) == -1)
		return -1;
	if (tar_attrs(&m, fd, err) == -1 || tar_meta_write(t, &m, err) == -1)
		return -1;
	tar_head_fill(&h, t->path, link, type, st, size);
	return tar_write(t, &h, sizeof(h), err);
}

/* ---- contents ---- */

static int
tar_open(int dir, const char *name, int flags)
{
	struct open_how how = {
		.flags =
		    (unsigned int)flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV | RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int
tar_holes(struct tarout *t, const struct stat *st, struct cerr *err)
{
	t->bytes += (uint64_t)st->st_size;
	t->disk += (uint64_t)st->st_blocks * TAR_UNIT;
	if (t->bytes / TAR_HOLES <= t->disk || t->bytes <= TAR_HOLES_FREE)
		return 0;
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "the container's files have too many holes to be archived");
}

/* Exactly as many bytes as the header says. */
static int
tar_copy(struct tarout *t, int fd, uint64_t size, struct cerr *err)
{
	static char buf[65536];

	while (size > 0) {
		size_t want = size < sizeof(buf) ? (size_t)size : sizeof(buf);
		ssize_t n = fdio_read_upto(fd, buf, want);

		if (n <= 0)
			return n == -1 ? cerr_errno(err, "read a file")
				       : cerr_set(err, CERR_ABORTED,
					     "a file became shorter");
		if (tar_write(t, buf, (size_t)n, err) == -1)
			return -1;
		size -= (uint64_t)n;
	}
	return tar_pad(t, err);
}

static int
tar_file(struct tarout *t, int dir, const char *name, struct cerr *err)
{
	CLEANUP_FD int fd = tar_open(dir, name, O_RDONLY);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return cerr_errno(err, "open a file");
	if (!S_ISREG(st.st_mode))
		return cerr_set(err, CERR_ABORTED, "a file changed its type");
	if (tar_holes(t, &st, err) == -1 ||
	    tar_header(t, "", '0', &st, fd, err) == -1)
		return -1;
	return tar_copy(t, fd, (uint64_t)st.st_size, err);
}

static int
tar_symlink(struct tarout *t, int dir, const char *name, const struct stat *st,
    struct cerr *err)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

	if (n == -1)
		return cerr_errno(err, "read a link");
	link[n] = '\0';
	return tar_header(t, link, '2', st, -1, err);
}

/* ---- names ---- */

/* Appends "/NAME"; *before is what tar_pop takes. */
static int
tar_push(struct tarout *t, const char *name, size_t *before, struct cerr *err)
{
	int n = snprintf(t->path + t->len, sizeof(t->path) - t->len, "%s%s",
	    t->len == 0 ? "" : "/", name);

	*before = t->len;
	if (n < 0 || (size_t)n >= sizeof(t->path) - t->len)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "a path of the container is too long");
	t->len += (size_t)n;
	return 0;
}

static void
tar_pop(struct tarout *t, size_t before)
{
	t->len = before;
	t->path[before] = '\0';
}

/* An empty file of that name where path is. */
static int
tar_mark(struct tarout *t, const char *name, struct cerr *err)
{
	static const struct stat st = { .st_mode = S_IFREG | 0600 };
	size_t before;
	int ret = tar_push(t, name, &before, err);

	if (ret == 0)
		ret = tar_header(t, "", '0', &st, -1, err);
	tar_pop(t, before);
	return ret;
}

static int
tar_whiteout(struct tarout *t, const char *name, struct cerr *err)
{
	char mark[NAME_MAX + sizeof(TAR_WHITEOUT) + 1];

	(void)snprintf(mark, sizeof(mark), TAR_WHITEOUT "%s", name);
	return tar_mark(t, mark, err);
}

static int
tar_dir(struct tarout *t, int dir, const char *name, int depth,
    struct cerr *err)
{
	CLEANUP_FD int fd = tar_open(dir, name, O_RDONLY | O_DIRECTORY);
	struct stat st;
	char opaque;

	if (fd == -1 || fstat(fd, &st) == -1)
		return cerr_errno(err, "open a directory");
	if (depth == TAR_DEPTH)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "directories of the container are nested too deeply");
	if (tar_header(t, "", '5', &st, fd, err) == -1)
		return -1;
	if (fgetxattr(fd, TAR_OPAQUE_ATTR, &opaque, 1) == 1 && opaque == 'y' &&
	    tar_mark(t, TAR_OPAQUE, err) == -1)
		return -1;
	return tar_walk(t, fd, depth + 1, err);
}

static int
tar_object(struct tarout *t, int dir, const char *name, const struct stat *st,
    int depth, struct cerr *err)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return tar_file(t, dir, name, err);
	case S_IFDIR:
		return tar_dir(t, dir, name, depth, err);
	case S_IFLNK:
		return tar_symlink(t, dir, name, st, err);
	case S_IFIFO:
		return tar_header(t, "", '6', st, -1, err);
	default:
		return 0;
	}
}

static int
tar_child(struct tarout *t, int dir, const char *name, int depth,
    struct cerr *err)
{
	struct stat st;
	size_t before;
	int ret;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strncmp(name, TAR_WHITEOUT, sizeof(TAR_WHITEOUT) - 1) == 0)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return cerr_errno(err, "look at a file");
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return tar_whiteout(t, name, err);
	ret = tar_push(t, name, &before, err);
	if (ret == 0)
		ret = tar_object(t, dir, name, &st, depth, err);
	tar_pop(t, before);
	return ret;
}

static int
tar_walk(struct tarout *t, int fd, int depth, struct cerr *err)
{
	_Alignas(struct dirent64) char buf[TAR_LIST];
	ssize_t n;

	while ((n = getdents64(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *de = (const void *)(buf + at);

			if (tar_child(t, fd, de->d_name, depth, err) == -1)
				return -1;
			at += de->d_reclen;
		}
	}
	return n == -1 ? cerr_errno(err, "list a directory") : 0;
}

/* ---- the parts ---- */

int
tarout_bytes(struct tarout *t, const char *name, const void *data, size_t len,
    struct cerr *err)
{
	struct stat st = { .st_mode = S_IFREG | 0600, .st_size = (off_t)len };
	size_t before;
	int ret = tar_push(t, name, &before, err);

	if (ret == 0)
		ret = tar_header(t, "", '0', &st, -1, err);
	if (ret == 0)
		ret = tar_write(t, data, len, err);
	tar_pop(t, before);
	return ret == 0 ? tar_pad(t, err) : -1;
}

static bool
tar_among(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i], name) == 0)
			return true;
	}
	return false;
}

static int
tar_plain(struct tarout *t, int dir, const char *name, const char *prefix,
    struct cerr *err)
{
	size_t outer, before;
	int ret = tar_push(t, prefix, &outer, err);

	if (ret == 0)
		ret = tar_push(t, name, &before, err);
	if (ret == 0)
		ret = tar_file(t, dir, name, err);
	tar_pop(t, outer);
	return ret;
}

int
tarout_files(struct tarout *t, int dir, const char *prefix,
    const char *const *top, size_t count, struct cerr *err)
{
	_Alignas(struct dirent64) char buf[TAR_LIST];
	ssize_t n;

	while ((n = getdents64(dir, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *de = (const void *)(buf + at);

			at += de->d_reclen;
			if (de->d_name[0] == '.')
				continue;
			if (tar_plain(t, dir, de->d_name,
				tar_among(de->d_name, top, count) ? "" : prefix,
				err) == -1)
				return -1;
		}
	}
	return n == -1 ? cerr_errno(err, "list CRIU's images") : 0;
}

int
tarout_layer(struct tarout *t, const char *name, int dir, struct cerr *err)
{
	static const struct stat st = { .st_mode = S_IFREG | 0600 };
	uint64_t head = t->at;
	struct tar_head h;

	tar_head_fill(&h, name, "", '0', &st, 0);
	if (tar_write(t, &h, sizeof(h), err) == -1 ||
	    tar_walk(t, dir, 0, err) == -1 || tarout_end(t, err) == -1)
		return -1;
	/* Only now its size is known. */
	tar_head_fill(&h, name, "", '0', &st, t->at - head - sizeof(h));
	return pwrite(t->fd, &h, sizeof(h), (off_t)head) == sizeof(h)
		   ? 0
		   : cerr_errno(err, "write the archive");
}

int
tarout_end(struct tarout *t, struct cerr *err)
{
	static const char zero[2 * TAR_BLOCK];

	return tar_write(t, zero, sizeof(zero), err);
}
