/*
 * unarchive: reads a checkpoint's archive, whose every byte may be meant to do
 * harm, from standard input into one directory, then ends.  What is wrong is
 * said on standard error.  It shuts itself in that directory before it reads.
 *
 *	unarchive -u UID -g GID -b BYTES [-l] DIRECTORY
 *
 * Without -l: the archive.  CRIU's images, regular files below checkpoint/,
 * and rootfs-diff.tar are kept; nothing else in it is looked at.
 * With -l: that second tar, as unpack does an image's layer.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/unarchive_fds.h"
#include "imaged/unpack_pax.h"
#include "imaged/unpack_tree.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

#define UNARCHIVE_DIR	  "checkpoint"
#define UNARCHIVE_DIFF	  "rootfs-diff.tar"
#define UNARCHIVE_DELETED "deleted.files" /* CRI-O's, instead of whiteouts */
#define UNARCHIVE_FDS	  UNARCHIVE_DIR "/descriptors.json"
#define UNARCHIVE_CGROUPS UNARCHIVE_DIR "/cgroup.img"
#define UNARCHIVE_IMAGES  65536
#define UNARCHIVE_OBJECTS 4194304
#define UNARCHIVE_MIB	  ((rlim_t)1024 * 1024)

extern const struct filter filter_unarchive;

struct unarchive {
	uint32_t uid, gid;
	uint64_t bytes;
	bool layer;
	const char *dir;
	uint8_t buf[65536];
};

static const struct confine_limit unarchive_limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_AS, 256 * UNARCHIVE_MIB },
	{ RLIMIT_NOFILE, 32 },
	{ RLIMIT_CPU, 1800 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

#define UNARCHIVE_CAP(name) (UINT64_C(1) << (name))

static const struct confine unarchive_confine = {
	.role = "unarchive",
	.caps = UNARCHIVE_CAP(CAP_CHOWN) | UNARCHIVE_CAP(CAP_DAC_OVERRIDE) |
		UNARCHIVE_CAP(CAP_FOWNER) | UNARCHIVE_CAP(CAP_FSETID) |
		UNARCHIVE_CAP(CAP_SETFCAP),
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = unarchive_limits,
	.filter = &filter_unarchive,
};

static struct unarchive unarchive;

static ssize_t
unarchive_get(void *source, const uint8_t **p, size_t max, struct cerr *err)
{
	struct unarchive *u = source;
	ssize_t n = fdio_read_upto(STDIN_FILENO, u->buf,
	    max < sizeof(u->buf) ? max : sizeof(u->buf));

	*p = u->buf;
	return n == -1 ? cerr_errno(err, "read the archive") : n;
}

/* "checkpoint/NAME", no directory below. */
static bool
unarchive_is_image(const char *path)
{
	size_t n = sizeof(UNARCHIVE_DIR) - 1;

	return strncmp(path, UNARCHIVE_DIR "/", n + 1) == 0 &&
	       path[n + 1] != '\0' && path[n + 1] != '.' &&
	       strchr(path + n + 1, '/') == NULL;
}

static int
unarchive_refuse(const char *path, const char *what, struct cerr *err)
{
	char text[128];

	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s of the archive %s",
	    unpack_path_print(path, text, sizeof(text)), what);
}

/*
 * Read by the runtime as root, which takes descriptors' numbers from it: only
 * three plain names are let through.
 */
static int
unarchive_fds(const struct tar_entry *e, struct tar *tar, struct cerr *err)
{
	char text[UNARCHIVE_FDS_MAX];
	size_t len = 0;
	CLEANUP_FD int fd = -1;

	while (len < e->size && e->size < sizeof(text) && e->nsegments == 1) {
		const uint8_t *p;
		ssize_t n = tar_data(tar, &p, e->size - len, err);

		if (n == -1)
			return -1;
		memcpy(text + len, p, (size_t)n);
		len += (size_t)n;
	}
	if (len != e->size || !unarchive_fds_valid(text, len))
		return unarchive_refuse(e->path,
		    "does not name three descriptors", err);
	fd = open("/" UNARCHIVE_FDS,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd == -1 || fdio_write_all(fd, text, len) == -1
		   ? cerr_errno(err, "write %s", UNARCHIVE_FDS)
		   : 0;
}

/* A private file of root's, whatever the archive says of it. */
static int
unarchive_keep(const struct tar_entry *e, const char *path, struct tar *tar,
    struct tree *tree, struct cerr *err)
{
	static struct tar_entry own;

	if (e->type != TAR_FILE)
		return unarchive_refuse(path, "is not a regular file", err);
	if (strcmp(path, UNARCHIVE_FDS) == 0)
		return unarchive_fds(e, tar, err);
	own = *e;
	(void)snprintf(own.path, sizeof(own.path), "%s", path);
	own.nxattrs = 0;
	own.uid = own.gid = 0;
	own.mode = 0600;
	return tree_apply(tree, &own, tar, err);
}

static int
unarchive_entry(const struct tar_entry *e, struct tar *tar, struct tree *tree,
    struct cerr *err)
{
	struct unpack_path p;

	if (unpack_path_parse(e->path, &p, err) == -1)
		return -1;
	if (strcmp(p.full, UNARCHIVE_DIR) == 0 && e->type != TAR_DIR)
		return unarchive_refuse(p.full, "is not a directory", err);
	if (strcmp(p.full, UNARCHIVE_DELETED) == 0)
		return unarchive_refuse(p.full, "is not understood", err);
	/* Which cgroups there are is not the archive's to say. */
	if (strcmp(p.full, UNARCHIVE_CGROUPS) == 0)
		return 0;
	if (p.kind == UNPACK_NAME_PLAIN &&
	    (unarchive_is_image(p.full) || strcmp(p.full, UNARCHIVE_DIFF) == 0))
		return unarchive_keep(e, p.full, tar, tree, err);
	if (strncmp(p.full, UNARCHIVE_DIR "/", sizeof(UNARCHIVE_DIR)) == 0)
		return unarchive_refuse(p.full, "is no image of CRIU", err);
	return 0;
}

static int
unarchive_entries(const struct unarchive *u, struct tar *tar, struct tree *tree,
    struct cerr *err)
{
	const struct tar_entry *e;
	int rc = u->layer ? tree_begin(tree, err) : 0;

	while (rc != -1 && (rc = tar_next(tar, &e, err)) == 1)
		rc = u->layer ? tree_apply(tree, e, tar, err)
			      : unarchive_entry(e, tar, tree, err);
	return rc;
}

/* What CRIU and the runtime are to read, nobody else may change. */
static int
unarchive_own(struct cerr *err)
{
	static const char *const made[] = { "/" UNARCHIVE_DIR,
		"/" UNARCHIVE_FDS };

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		if (fchownat(AT_FDCWD, made[i], 0, 0, AT_SYMLINK_NOFOLLOW) ==
			-1 &&
		    errno != ENOENT)
			return cerr_errno(err, "unpack the checkpoint");
	}
	return 0;
}

static int
unarchive_run(struct unarchive *u, struct cerr *err)
{
	uint64_t objects = u->layer ? UNARCHIVE_OBJECTS : UNARCHIVE_IMAGES;
	struct rlimit lim = { u->bytes, u->bytes };
	struct tree_usage usage;
	struct tar *tar;
	struct tree *tree;
	int rc = -1;

	if (setrlimit(RLIMIT_FSIZE, &lim) == -1 ||
	    (!u->layer && mkdirat(AT_FDCWD, "/" UNARCHIVE_DIR, 0700) == -1))
		return cerr_errno(err, "unpack the checkpoint");
	tar = tar_new(unarchive_get, u, 2 * objects);
	tree = tree_new(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), u->bytes,
	    objects);
	if (tar == NULL || tree == NULL)
		(void)cerr_errno(err, "unpack the checkpoint");
	else if (unarchive_entries(u, tar, tree, err) == 0)
		rc = u->layer ? tree_finish(tree, &usage, err)
			      : unarchive_own(err);
	tree_free(tree);
	tar_free(tar);
	return rc;
}

static uint64_t
unarchive_number(const char *s, uint64_t max)
{
	uint64_t v;

	if (pax_decimal(s, &v) == -1 || v > max)
		fatalx("not a number: %s", s);
	return v;
}

static void
unarchive_options(struct unarchive *u, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "u:g:b:l")) != -1) {
		switch (c) {
		case 'u':
			u->uid = (uint32_t)unarchive_number(optarg, INT32_MAX);
			break;
		case 'g':
			u->gid = (uint32_t)unarchive_number(optarg, INT32_MAX);
			break;
		case 'b':
			u->bytes = unarchive_number(optarg, INT64_MAX);
			break;
		case 'l':
			u->layer = true;
			break;
		default:
			fatalx("usage: unarchive -u uid -g gid -b bytes [-l] "
			       "directory");
		}
	}
	if (optind + 1 != argc)
		fatalx("no directory");
	u->dir = argv[optind];
}

int
main(int argc, char **argv)
{
	struct unarchive *u = &unarchive;
	struct cerr err;
	int root;

	log_init("unarchive");
	unarchive_options(u, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)umask(0);
	root = open(u->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root == -1)
		fatal("%s", u->dir);
	if (confine_enter(&unarchive_confine, root, u->uid, u->gid, &err) == -1)
		fatalx("confinement: %s", err.text);
	if (unarchive_run(u, &err) == 0)
		return 0;
	(void)dprintf(STDERR_FILENO, "%s", err.text);
	return 1;
}
