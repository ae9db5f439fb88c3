/*
 * unpack: turns one blob into one layer's directory, or empties that
 * directory, then ends.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "imaged/artifact.h"
#include "imaged/digest.h"
#include "imaged/recipe.h"
#include "imaged/unpack_pax.h"
#include "imaged/unpack_remove.h"
#include "imaged/unpack_stream.h"
#include "imaged/unpack_tree.h"
#include "imaged/worker.h"
#include "imsg/fixed.h"
#include "imsg/wire.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

#define UNPACK_MIB ((rlim_t)1024 * 1024)

extern const struct filter filter_unpack;

/* The blob on its way. */
struct unpack_blob {
	int *fd; /* the message's */
	uint64_t have;
	struct unpack_stream *stream;
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

/*
 * How much of the blob is there; anything else that imaged says, or its end,
 * means: stop.  The blob's last byte is announced when its digest
 * was found right, so that no blob that was not verified becomes a layer.
 */
static int
unpack_more(uint64_t *have, struct cerr *err)
{
	struct fixed_unpack_more more;
	struct wire_msg m;
	int rc = wire_recv(WORKER_LINK_FD, &m, WIRE_INLINE_MAX);

	if (rc == 1 && m.type == MSG_UNPACK_MORE && m.nfds == 0 &&
	    fixed_decode(&fixed_desc_unpack_more, m.data, m.len, &more) == 0) {
		*have = more.have;
		wire_clear(&m);
		return 0;
	}
	if (rc == 1)
		wire_clear(&m);
	return cerr_set(err, CERR_CANCELLED, "unpacking was called off");
}

static int
unpack_wait(void *arg, uint64_t *have, struct cerr *err)
{
	struct unpack_blob *b = arg;

	if (b->have == *have && unpack_more(&b->have, err) == -1)
		return -1;
	*have = b->have;
	return 0;
}

/* Whether imaged went away; what it announces meanwhile is kept. */
static int
unpack_check(void *arg, struct cerr *err)
{
	struct unpack_blob *b = arg;
	struct pollfd pfd = { WORKER_LINK_FD, POLLIN, 0 };

	while (poll(&pfd, 1, 0) != 0) {
		if (unpack_more(&b->have, err) == -1)
			return -1;
	}
	return 0;
}

static int
unpack_entries(struct tar *tar, struct tree *tree, struct cerr *err)
{
	const struct tar_entry *e;
	int rc = tree_begin(tree, err);

	while (rc == 0) {
		rc = tar_next(tar, &e, err);
		if (rc == 0)
			return 0;
		if (rc == 1)
			rc = tree_apply(tree, e, tar, err);
	}
	return -1;
}

static int
unpack_stream(struct unpack_blob *b, struct tar *tar, struct tree *tree,
    const char *diff_id, struct fixed_unpack_done *done, struct cerr *err)
{
	struct tree_usage usage;
	char digest[DIGEST_SIZE];

	/* The digest is of everything, what follows the tar's end included. */
	if (unpack_entries(tar, tree, err) == -1 || tar_drain(tar, err) == -1)
		return -1;
	unpack_stream_digest(b->stream, digest);
	if (strcmp(digest + DIGEST_PREFIX_LEN, diff_id) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "layer is %s, but the image says it is %s%s", digest,
		    DIGEST_PREFIX, diff_id);
	/* Nobody needs the blob on disk, where syncfs would put it. */
	fdio_close(b->fd);
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
unpack_blob(struct unpack_blob *b, int recipe_fd,
    const struct fixed_unpack_layer *l, struct fixed_unpack_done *done,
    struct cerr *err)
{
	struct recipe *recipe =
	    recipe_new(recipe_fd, unpack_stream_get, b->stream);
	struct tar *tar = tar_new(recipe_get, recipe, 2 * l->max_entries);
	struct tree *tree =
	    tree_new(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		l->max_bytes, l->max_entries);
	int rc = -1;

	if (recipe == NULL || tar == NULL || tree == NULL) {
		(void)cerr_errno(err, "unpack");
	} else {
		tree_set_recipe(tree, recipe);
		rc = unpack_stream(b, tar, tree, l->diff_id, done, err);
	}
	tree_free(tree);
	tar_free(tar);
	recipe_free(recipe);
	return rc;
}

static int
unpack_layer(struct wire_msg *m, void *body, struct cerr *err)
{
	struct fixed_unpack_layer l;
	struct unpack_blob b = { .fd = &m->fds[0] };
	struct unpack_stream_def def = { .fd = m->fds[0],
		.wait = unpack_wait,
		.check = unpack_check,
		.arg = &b };
	int rc;

	if (fixed_decode(&fixed_desc_unpack_layer, m->data, m->len, &l) == -1)
		fatalx("malformed request");
	b.have = l.have;
	if (l.compression == UNPACK_FILE && !artifact_name_valid(l.name))
		fatalx("malformed name");
	def.compression = l.compression;
	def.name = l.name;
	def.size = l.blob_size;
	def.have = l.have;
	def.max = l.max_bytes;
	if (unpack_limit_files(l.max_bytes, err) == -1)
		return -1;
	b.stream = unpack_stream_new(&def, err);
	if (b.stream == NULL)
		return -1;
	rc = unpack_blob(&b, m->fds[1], &l, body, err);
	unpack_stream_free(b.stream);
	return rc;
}

static int
unpack_remove(struct wire_msg *m, void *body, struct cerr *err)
{
	CLEANUP_FD int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)m;
	(void)body;
	if (root == -1)
		return cerr_errno(err, "open the layer");
	return unpack_remove_contents(root, worker_check, NULL, err);
}

static const struct worker_request unpack_requests[] = {
	{ MSG_UNPACK_LAYER, MSG_UNPACK_DONE, unpack_layer },
	{ MSG_UNPACK_REMOVE, MSG_UNPACK_DONE, unpack_remove },
};

static const struct worker unpack_worker = {
	.role = ROLE_UNPACK,
	.confine = &unpack_confine,
	.warm = digest_warm,
	.requests = unpack_requests,
	.nrequests = sizeof(unpack_requests) / sizeof(unpack_requests[0]),
};

int
main(int argc, char **argv)
{
	worker_run(&unpack_worker, argc, argv);
}
