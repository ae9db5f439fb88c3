/*
 * pack: reads one layer back as the tar that it came from, or only to see
 * whether it still is what it was.  It sees the layer's files read-only.
 */
#include <sys/resource.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "imaged/digest.h"
#include "imaged/repack.h"
#include "imaged/walk.h"
#include "imaged/worker.h"
#include "imsg/fixed.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

#define PACK_MIB ((rlim_t)1024 * 1024)

extern const struct filter filter_pack;

static const struct confine_limit pack_limits[] = {
	{ RLIMIT_CORE, 0 },
	/* the window of zstd, replaced files, names of directories */
	{ RLIMIT_AS, 256 * PACK_MIB },
	{ RLIMIT_NOFILE, 32 },
	{ RLIMIT_CPU, 1800 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

static const struct confine pack_confine = {
	.role = "pack",
	.caps = UINT64_C(1) << CAP_DAC_READ_SEARCH,
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		     MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = pack_limits,
	.filter = &filter_pack,
};

struct pack {
	struct digest *digest;
	int out; /* -1: nobody wants the tar */
	uint64_t size;
};

static int
pack_put(void *arg, const void *buf, size_t len, struct cerr *err)
{
	struct pack *p = arg;

	if (worker_check(NULL, err) == -1)
		return -1;
	digest_update(p->digest, buf, len);
	p->size += len;
	if (p->out != -1 && fdio_write_all(p->out, buf, len) == -1)
		return cerr_errno(err, "write the layer");
	return 0;
}

static int
pack_tree(int root, const struct repack_facts *f, struct cerr *err)
{
	char tree[DIGEST_SIZE];

	if (walk_digest(root, f->attributes, tree, err) == -1)
		return -1;
	if (strcmp(tree, f->tree) == 0)
		return 0;
	return cerr_set(err, CERR_DATA_LOSS,
	    "names, owners, modes or times are not what they were");
}

static int
pack_tar(struct pack *p, struct repack *r, const struct repack_facts *f,
    const char *diff_id, struct cerr *err)
{
	char digest[DIGEST_SIZE];

	if (f->lost)
		return p->out == -1
			   ? 0
			   : cerr_set(err, CERR_FAILED_PRECONDITION,
				 "the layer replaces its own directories or "
				 "links: its tar cannot be made again");
	if (repack_run(r, pack_put, p, err) == -1)
		return -1;
	digest_final(p->digest, digest);
	if (p->size == f->size &&
	    strcmp(digest + DIGEST_PREFIX_LEN, diff_id) == 0)
		return 0;
	return cerr_set(err, CERR_DATA_LOSS,
	    "the content of a file is not what it was");
}

static int
pack_all(struct pack *p, int recipe, int root, const char *diff_id,
    struct fixed_pack_done *done, struct cerr *err)
{
	struct repack_facts f;
	struct repack *r = repack_new(recipe, root, &f, err);
	int rc = -1;

	if (r == NULL)
		return -1;
	if (pack_tree(root, &f, err) == 0)
		rc = pack_tar(p, r, &f, diff_id, err);
	repack_free(r);
	done->size = f.size;
	done->lost = f.lost;
	return rc;
}

/* The recipe, then where the tar goes: -1 if that does not matter. */
static int
pack_fd(const struct wire_msg *m, size_t i)
{
	bool own = worker_recipe() != -1;

	if (own && i == 0)
		return worker_recipe();
	if (!own && m->nfds == 0)
		fatalx("a request without a recipe");
	i -= own;
	return m->nfds > i ? m->fds[i] : -1;
}

static int
pack_layer(struct wire_msg *m, void *body, struct cerr *err)
{
	struct fixed_pack_layer l;
	struct pack p = { .out = pack_fd(m, 1) };
	int recipe = pack_fd(m, 0);
	CLEANUP_FD int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (root == -1)
		return cerr_errno(err, "open the layer");
	if (fixed_decode(&fixed_desc_pack_layer, m->data, m->len, &l) == -1)
		fatalx("malformed request");
	p.digest = digest_new();
	rc = pack_all(&p, recipe, root, l.diff_id, body, err);
	digest_free(p.digest);
	return rc;
}

static int
pack_size(struct wire_msg *m, void *body, struct cerr *err)
{
	struct fixed_pack_done *done = body;
	struct repack_facts f;
	struct repack *r = repack_new(pack_fd(m, 0), -1, &f, err);

	if (r == NULL)
		return -1;
	repack_free(r);
	done->size = f.size;
	done->lost = f.lost;
	return 0;
}

static const struct worker_request pack_requests[] = {
	{ MSG_PACK_LAYER, MSG_PACK_DONE, pack_layer },
	{ MSG_PACK_SIZE, MSG_PACK_DONE, pack_size },
};

static const struct worker pack_worker = {
	.role = ROLE_PACK,
	.confine = &pack_confine,
	.warm = digest_warm,
	.requests = pack_requests,
	.nrequests = sizeof(pack_requests) / sizeof(pack_requests[0]),
};

int
main(int argc, char **argv)
{
	worker_run(&pack_worker, argc, argv);
}
