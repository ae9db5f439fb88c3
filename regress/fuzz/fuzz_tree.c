/*
 * A layer's entries as unpack makes them on a disk, in a directory of its own:
 * nothing beside that is touched.  Files are made as nobody, and owners are not
 * set, so that it does not matter who runs this.
 */
#include <sys/fsuid.h>
#include <sys/stat.h>

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/unpack_remove.h"
#include "imaged/unpack_tree.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "regress/fuzz/feed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOBODY	    65534
#define ENTRIES_MAX 32
#define BYTES_MAX   (UINT64_C(1) << 20)

static char base[] = "/dev/shm/fuzz_tree.XXXXXX";
static int basefd = -1;
static struct stat outside; /* the file beside the root */

/* ---- what is not tried ---- */

int
fchown(int fd, uid_t uid, gid_t gid)
{
	(void)fd;
	(void)uid;
	(void)gid;
	return 0;
}

int
fchownat(int fd, const char *path, uid_t uid, gid_t gid, int flags)
{
	(void)fd;
	(void)path;
	(void)uid;
	(void)gid;
	(void)flags;
	return 0;
}

/* ---- the tar: its data is what follows in the input ---- */

ssize_t
tar_data(struct tar *tar, const uint8_t **p, size_t max, struct cerr *err)
{
	static const uint8_t zeros[4096];
	size_t n = feed_bytes((struct feed *)tar, max, p);

	(void)err;
	if (n > 0)
		return (ssize_t)n;
	*p = zeros;
	return (ssize_t)(max < sizeof(zeros) ? max : sizeof(zeros));
}

static void
clean(void)
{
	struct cerr err;

	(void)unpack_remove_at(basefd, "root", &err);
	(void)unlinkat(basefd, "outside", 0);
	(void)rmdir(base);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd;

	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	(void)setfsgid(NOBODY);
	(void)setfsuid(NOBODY);
	assert(mkdtemp(base) != NULL);
	basefd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(basefd, "outside", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666);
	assert(
	    basefd != -1 && write(fd, "x", 1) == 1 && fstat(fd, &outside) == 0);
	(void)close(fd);
	(void)atexit(clean);
	(void)setfsuid(getuid());
	(void)setfsgid(getgid());
	return 0;
}

static void
take_xattr(struct feed *f, struct tar_entry *e)
{
	static char name[64];
	struct tar_xattr *x = &e->xattrs[0];

	feed_text(f, name, sizeof(name));
	if (name[0] == '\0')
		return;
	x->name = name;
	x->len = feed_bytes(f, feed_byte(f) % 32, &x->value);
	e->nxattrs = 1;
}

/* A type and its bits, two names, a mode; a file's size and where it has
 * data. */
static void
take(struct feed *f, struct tar_entry *e)
{
	static const enum tar_type types[] = { TAR_FILE, TAR_DIR, TAR_SYMLINK,
		TAR_LINK, TAR_FIFO, TAR_CHAR, TAR_BLOCKDEV, TAR_FILE };
	static struct tar_segment segment;
	uint8_t bits = feed_byte(f);

	memset(e, 0, sizeof(*e));
	e->type = types[bits & 7];
	feed_text(f, e->path, sizeof(e->path));
	feed_text(f, e->link, sizeof(e->link));
	e->mode = feed_u16(f) & 07777;
	if (e->type == TAR_DIR) /* else nobody could go on */
		e->mode |= 0700;
	e->major = (bits & 8) != 0;
	if ((bits & 16) != 0)
		take_xattr(f, e);
	if (e->type != TAR_FILE)
		return;
	e->size = feed_byte(f);
	segment = (struct tar_segment){ .len = e->size };
	e->segments = &segment;
	e->nsegments = 1;
	if ((bits & 32) != 0) { /* a hole before it */
		segment.offset = 4096;
		e->size += 4096 + feed_byte(f);
	}
}

static int
unpack(int root, struct feed *f)
{
	static struct tar_entry e;
	struct tree *t = tree_new(root, BYTES_MAX, ENTRIES_MAX);
	struct tree_usage usage;
	struct cerr err;
	int rc;

	assert(t != NULL);
	rc = tree_begin(t, &err);
	for (int i = 0; rc == 0 && f->n > 0 && i < ENTRIES_MAX; i++) {
		take(f, &e);
		rc = tree_apply(t, &e, (struct tar *)f, &err);
	}
	if (rc == 0)
		rc = tree_finish(t, &usage, &err);
	tree_free(t);
	assert(rc == 0 || (err.code != CERR_OK && err.text[0] != '\0'));
	return rc;
}

/* The directory has the root and the file, and the file is as it was. */
static void
check(void)
{
	DIR *d = fdopendir(openat(basefd, ".", O_RDONLY | O_DIRECTORY));
	struct stat st;
	size_t n = 0;

	assert(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	assert(n == 4 && fstatat(basefd, "outside", &st, 0) == 0);
	assert(st.st_ino == outside.st_ino && st.st_nlink == 1 &&
	       st.st_size == 1 && st.st_mode == outside.st_mode &&
	       memcmp(&st.st_ctim, &outside.st_ctim, sizeof(st.st_ctim)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	struct cerr err;
	int root;

	(void)setfsgid(NOBODY);
	(void)setfsuid(NOBODY);
	assert(mkdirat(basefd, "root", 0755) == 0);
	root = openat(basefd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(root != -1);
	(void)unpack(root, &f);
	check();
	assert(unpack_remove_at(basefd, "root", &err) == 0);
	(void)setfsuid(getuid());
	(void)setfsgid(getgid());
	return 0;
}
