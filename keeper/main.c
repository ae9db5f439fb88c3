/*
 * keeper: a copy on a disk of what the front knows of pods and containers,
 * for the time after a reboot.  The front's own records are on a tmpfs; it
 * sends their bytes once a second and waits for nothing.  What is in them is
 * no business of this process, which may hang on its disk.
 */
#include <sys/resource.h>

#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>

#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/helper.h"
#include "imsg/keep.h"
#include "keeper/files.h"
#include "lib/confine.h"
#include "lib/filter.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

#define KEEPER_ANSWER_MAX (2U * 1024 * 1024)

extern const struct filter filter_keeper;

struct keeper {
	struct helper *helper; /* first: see helper_link_lost */
	struct files files;
	bool failed; /* something since the last KEEP_SYNC */
	struct cerr fail;
};

/* The first failure is told by the answer to KEEP_SYNC. */
static void
keeper_note(struct keeper *k, int rc, const struct cerr *err)
{
	if (rc == 0 || k->failed)
		return;
	k->failed = true;
	k->fail = *err;
}

static int
keeper_check(const Criod__KeepRecord *r, struct cerr *err)
{
	if (r->kind < KEEP_KINDS && id_valid(r->id))
		return 0;
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "not the name of a pod or container");
}

/* KEEP_PUT and KEEP_DROP. */
static void
keeper_take_change(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__KeepRecord *r = m->body;
	enum keep_kind kind = (enum keep_kind)r->kind;
	struct keeper *k = ctx;
	struct cerr err;
	int rc = keeper_check(r, &err);

	(void)call;
	if (rc == 0 && m->type == MSG_KEEP_DROP)
		rc = files_drop(&k->files, kind, r->id, &err);
	else if (rc == 0)
		rc = files_put(&k->files, kind, r->id, r->data.data,
		    r->data.len, &err);
	keeper_note(k, rc, &err);
}

static void
keeper_take_retain(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__KeepRetain *r = m->body;
	struct keeper *k = ctx;
	struct cerr err;

	(void)call;
	keeper_note(k,
	    files_retain(&k->files, KEEP_POD, r->pods, r->n_pods, &err), &err);
	keeper_note(k,
	    files_retain(&k->files, KEEP_CTR, r->containers, r->n_containers,
		&err),
	    &err);
}

static void
keeper_take_sync(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct fixed_none none = { 0 };
	struct keeper *k = ctx;
	struct cerr err;

	(void)m;
	keeper_note(k, files_sync(&k->files, &err), &err);
	if (k->failed)
		link_refuse(call, &k->fail);
	else
		link_reply(call, MSG_KEPT, &none, NULL, 0);
	k->failed = false;
}

static void
keeper_answer(struct link_call *call, enum keep_kind kind,
    struct files_record *r, size_t n)
{
	Criod__KeepRecord records[KEEP_BATCH], *list[KEEP_BATCH];
	Criod__KeepGot got = CRIOD__KEEP_GOT__INIT;

	for (size_t i = 0; i < n; i++) {
		criod__keep_record__init(&records[i]);
		records[i].kind = kind;
		records[i].id = r[i].id;
		records[i].data.data = r[i].data;
		records[i].data.len = r[i].len;
		records[i].newer = r[i].newer;
		list[i] = &records[i];
	}
	got.records = list;
	got.n_records = n;
	link_reply(call, MSG_KEEP_GOT, &got, NULL, 0);
}

static void
keeper_take_get(void *ctx, struct link_call *call, struct link_msg *m)
{
	static struct files_record records[KEEP_BATCH];
	const Criod__KeepRecord *r = m->body;
	struct keeper *k = ctx;
	struct cerr err;
	int n = -1;

	if (r->kind >= KEEP_KINDS || (*r->id != '\0' && !id_valid(r->id)))
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT, "no such records");
	else
		n = files_get(&k->files, (enum keep_kind)r->kind, r->id,
		    records, KEEP_BATCH, KEEPER_ANSWER_MAX, &err);
	if (n == -1) {
		link_refuse(call, &err);
		return;
	}
	keeper_answer(call, (enum keep_kind)r->kind, records, (size_t)n);
	for (int i = 0; i < n; i++)
		free(records[i].data);
}

static int
keeper_boot(void *ctx, const Criod__Boot *boot, struct cerr *err)
{
	struct keeper *k = ctx;

	(void)boot;
	return files_open(&k->files, err);
}

static const struct link_handler keeper_front_handlers[] = {
	{ MSG_KEEP_PUT, keeper_take_change },
	{ MSG_KEEP_DROP, keeper_take_change },
	{ MSG_KEEP_RETAIN, keeper_take_retain },
	{ MSG_KEEP_SYNC, keeper_take_sync },
	{ MSG_KEEP_GET, keeper_take_get },
};

static const struct link_def keeper_links[] = {
	{
	    .self = ROLE_KEEPER,
	    .peer = ROLE_FRONT,
	    .handlers = keeper_front_handlers,
	    .nhandlers = sizeof(keeper_front_handlers) /
			 sizeof(keeper_front_handlers[0]),
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
};

static const struct confine_limit keeper_limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, KEEP_BATCH + 64 },
	{ RLIMIT_FSIZE, 8UL * 1024 * 1024 },
	{ RLIMIT_AS, 256UL * 1024 * 1024 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_CORE, 0 },
	{ -1, 0 },
};

static const struct confine keeper_confine = {
	.role = "keeper",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = keeper_limits,
	.filter = &filter_keeper,
};

static const struct helper_def keeper_def = {
	.role = ROLE_KEEPER,
	.pb = &codec_pb,
	.confine = &keeper_confine,
	.links = keeper_links,
	.nlinks = 1,
	.boot = keeper_boot,
};

int
main(void)
{
	static struct keeper k;

	k.helper = helper_new(&keeper_def, &k, HELPER_PARENT_FD);
	helper_boot_run(k.helper);
}
