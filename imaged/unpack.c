/*
 * unpack: turns one verified blob into one layer's directory, or empties that
 * directory, then ends.  Descriptor 3 is the link to imaged, 4 the directory.
 * It shuts itself in that directory before it reads the first message.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/digest.h"
#include "imaged/unpack_pax.h"
#include "imaged/unpack_remove.h"
#include "imaged/unpack_stream.h"
#include "imaged/unpack_tree.h"
#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/wire.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

#define UNPACK_LINK_FD 3
#define UNPACK_ROOT_FD 4
#define UNPACK_MIB     ((rlim_t)1024 * 1024)

extern const struct filter filter_unpack;

struct unpack {
	uint32_t uid, gid, level, format;
};

static const struct confine_limit unpack_limits[] = {
	{ RLIMIT_CORE, 0 },
	/* the window of zstd, entry's maps and names, the program itself */
	{ RLIMIT_AS, 512 * UNPACK_MIB },
	{ RLIMIT_NOFILE, 32 },
	{ RLIMIT_CPU, 1800 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

#define UNPACK_CAP(name) (UINT64_C(1) << (name))

static const struct confine unpack_confine = {
	.role = "unpack",
	.caps = UNPACK_CAP(CAP_CHOWN) | UNPACK_CAP(CAP_DAC_OVERRIDE) |
		UNPACK_CAP(CAP_FOWNER) | UNPACK_CAP(CAP_FSETID) |
		UNPACK_CAP(CAP_SETFCAP),
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = unpack_limits,
	.filter = &filter_unpack,
};

/* imaged says nothing more, so anything on the link means: stop. */
static int
unpack_check(void *arg, struct cerr *err)
{
	struct pollfd pfd = { UNPACK_LINK_FD, POLLIN, 0 };

	(void)arg;
	if (poll(&pfd, 1, 0) == 0)
		return 0;
	return cerr_set(err, CERR_CANCELLED, "unpacking was called off");
}

static int
unpack_entries(struct tar *tar, struct tree *tree, struct cerr *err)
{
	const struct tar_entry *e;
	int rc = tree_begin(tree, err);

	while (rc == 0) {
		rc = unpack_check(NULL, err);
		if (rc == 0)
			rc = tar_next(tar, &e, err);
		if (rc == 0)
			return 0;
		if (rc == 1)
			rc = tree_apply(tree, e, tar, err);
	}
	return -1;
}

static int
unpack_stream(struct unpack_stream *s, struct tar *tar, struct tree *tree,
    const char *diff_id, struct fixed_unpack_done *done, struct cerr *err)
{
	struct tree_usage usage;
	char digest[DIGEST_SIZE];

	/* The digest is of everything, what follows the tar's end included. */
	if (unpack_entries(tar, tree, err) == -1 || tar_drain(tar, err) == -1)
		return -1;
	unpack_stream_digest(s, digest);
	if (strcmp(digest + DIGEST_PREFIX_LEN, diff_id) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "layer is %s, but the image says it is %s%s", digest,
		    DIGEST_PREFIX, diff_id);
	if (tree_finish(tree, &usage, err) == -1)
		return -1;
	done->bytes = usage.bytes;
	done->inodes = usage.inodes;
	return FIXED_SET_STR(done->diff_id, diff_id);
}

/* EFBIG and not a signal, should a file pass the limit that was computed. */
static int
unpack_limit_files(uint64_t max, struct cerr *err)
{
	struct rlimit lim = { max, max };

	if (setrlimit(RLIMIT_FSIZE, &lim) == -1)
		return cerr_errno(err, "limit of file sizes");
	return 0;
}

static int
unpack_layer(const struct wire_msg *m, struct fixed_unpack_done *done,
    struct cerr *err)
{
	struct fixed_unpack_layer l;
	struct unpack_stream_def def = { .fd = m->fds[0],
		.check = unpack_check };
	struct unpack_stream *s;
	struct tar *tar;
	struct tree *tree;
	int rc = -1;

	if (fixed_decode(&fixed_desc_unpack_layer, m->data, m->len, &l) == -1)
		fatalx("malformed request");
	def.compression = l.compression;
	def.size = l.blob_size;
	def.max = l.max_bytes;
	if (unpack_limit_files(l.max_bytes, err) == -1)
		return -1;
	s = unpack_stream_new(&def, err);
	if (s == NULL)
		return -1;
	tar = tar_new(unpack_stream_get, s, 2 * l.max_entries);
	tree = tree_new(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    l.max_bytes, l.max_entries);
	if (tar == NULL || tree == NULL)
		(void)cerr_errno(err, "unpack");
	else
		rc = unpack_stream(s, tar, tree, l.diff_id, done, err);
	tree_free(tree);
	tar_free(tar);
	unpack_stream_free(s);
	return rc;
}

static int
unpack_remove(const struct wire_msg *m, struct fixed_unpack_done *done,
    struct cerr *err)
{
	CLEANUP_FD int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)m;
	(void)done;
	if (root == -1)
		return cerr_errno(err, "open the layer");
	return unpack_remove_contents(root, unpack_check, NULL, err);
}

static const struct unpack_request {
	enum msg_type type;
	int (*fn)(const struct wire_msg *m, struct fixed_unpack_done *done,
	    struct cerr *err);
} unpack_requests[] = {
	{ MSG_UNPACK_LAYER, unpack_layer },
	{ MSG_UNPACK_REMOVE, unpack_remove },
};

static int
unpack_dispatch(const struct wire_msg *m, struct fixed_unpack_done *done,
    struct cerr *err)
{
	size_t n = sizeof(unpack_requests) / sizeof(unpack_requests[0]);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned int)unpack_requests[i].type == m->type)
			return unpack_requests[i].fn(m, done, err);
	}
	fatalx("message %u is not taken here", m->type);
}

static void
unpack_answer(uint32_t id, enum msg_type type, const void *body)
{
	struct wire_msg m = { .type = type, .id = id };

	if (codec_pack(NULL, type, body, &m.data, &m.len) == -1)
		fatalx("answer");
	if (wire_send(UNPACK_LINK_FD, &m) == -1)
		fatal("answer");
	wire_clear(&m);
}

/* The one request; its sender may also just go away. */
static void
unpack_serve(void)
{
	struct wire_msg m;
	struct fixed_unpack_done done = { 0 };
	struct fixed_fail fail = { 0 };
	struct cerr err;
	const char *breach;
	int rc = wire_recv(UNPACK_LINK_FD, &m, WIRE_INLINE_MAX);

	if (rc == 0)
		return;
	if (rc == -1)
		fatal("request");
	breach = msg_check(&m, ROLE_IMAGED, ROLE_UNPACK, MSG_STATE_RUN);
	if (breach != NULL)
		fatalx("request: %s", breach);
	if (unpack_dispatch(&m, &done, &err) == 0) {
		unpack_answer(m.id, MSG_UNPACK_DONE, &done);
	} else {
		log_debug("%s", err.text);
		fail.code = err.code;
		if (FIXED_SET_STR(fail.text, err.text) == -1)
			fatalx("text too long");
		unpack_answer(m.id, MSG_FAIL, &fail);
	}
	wire_clear(&m);
}

static uint32_t
unpack_number(const char *s)
{
	uint64_t v;

	if (pax_decimal(s, &v) == -1 || v > INT32_MAX)
		fatalx("not a number: %s", s);
	return (uint32_t)v;
}

static void
unpack_options(struct unpack *u, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "u:g:v:w:")) != -1) {
		switch (c) {
		case 'u':
			u->uid = unpack_number(optarg);
			break;
		case 'g':
			u->gid = unpack_number(optarg);
			break;
		case 'v':
			u->level = unpack_number(optarg);
			break;
		case 'w':
			u->format = unpack_number(optarg);
			break;
		default:
			fatalx("usage: unpack -u uid -g gid [-v level] "
			       "[-w format]");
		}
	}
	if (optind != argc || u->level > LOG_LVL_DEBUG ||
	    u->format > LOG_FMT_JSON)
		fatalx("bad arguments");
}

/* What libcrypto does once it does while the host's files are still there. */
static void
unpack_warm(void)
{
	char digest[DIGEST_SIZE];

	digest_init();
	digest_of("", 0, digest);
}

int
main(int argc, char **argv)
{
	struct unpack u = { .level = LOG_LVL_INFO, .format = LOG_FMT_TEXT };
	struct cerr err;

	log_init("unpack");
	unpack_options(&u, argc, argv);
	log_configure((enum log_level)u.level, (enum log_format)u.format);
	if (fdio_expect_only(UNPACK_ROOT_FD) == -1)
		fatalx("descriptors at start are not exactly 0 to %d",
		    UNPACK_ROOT_FD);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)umask(0);
	unpack_warm();
	if (confine_enter(&unpack_confine, UNPACK_ROOT_FD, u.uid, u.gid,
		&err) == -1)
		fatalx("confinement: %s", err.text);
	unpack_serve();
	return 0;
}
