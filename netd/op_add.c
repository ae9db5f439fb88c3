/* NET_ADD, from the cache's record to the plugins' result. */
#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "imsg/helper.h"
#include "imsg/link.h"
#include "lib/log.h"
#include "netd/cache.h"
#include "netd/chain.h"
#include "netd/conf.h"
#include "netd/confdir.h"
#include "netd/netd.h"
#include "netd/op_int.h"
#include "netd/result.h"
#include "netd/scan.h"

static void
op_add_fail(struct op *op, const struct cerr *err)
{
	op->fail = *err;
	op_undo(op);
}

struct op_sync {
	int cache;
	char pod[ID_SIZE];
};

static void
op_sync_now(evutil_socket_t fd, short what, void *arg)
{
	struct op_sync *sync = arg;
	struct cerr err;

	(void)fd;
	(void)what;
	if (cache_sync(sync->cache, sync->pod, &err) == -1 &&
	    err.code != CERR_NOT_FOUND) {
		log_warn("%s; it is written anew", err.text);
		if (cache_renew(sync->cache, sync->pod, &err) == -1)
			log_error("%s", err.text);
	}
	free(sync);
}

#define OP_SYNC_S 1 /* by then the answer has left, and most likely others */

/*
 * Has the record made durable, behind the answer's back: what the disk takes
 * is no part of the pod's start.  Power lost in between loses the pod as well,
 * and the plugins' own leases are no more durable at that time.
 */
static void
op_sync_soon(const struct op *op)
{
	static const struct timeval soon = { OP_SYNC_S, 0 };
	struct netd *n = op->ops->netd;
	struct op_sync *sync = calloc(1, sizeof(*sync));

	if (sync == NULL)
		fatal("calloc");
	sync->cache = n->cache;
	memcpy(sync->pod, op->pod->id, ID_SIZE);
	if (event_base_once(helper_base(n->helper), -1, EV_TIMEOUT, op_sync_now,
		sync, &soon) == -1)
		fatalx("event_base_once");
}

static void
op_add_done(void *arg, const struct cerr *err)
{
	struct op *op = arg;
	struct result_ips ips;
	struct cerr why;

	op->chain = NULL;
	if (err != NULL) {
		op_add_fail(op, err);
		return;
	}
	op->a->complete = true;
	if (op_ips(op, &ips, &why) == -1 ||
	    cache_write(op->ops->netd->cache, op->a, false, &why) == -1) {
		op_add_fail(op, &why);
		return;
	}
	op_sync_soon(op);
	op_added(op);
}

static void
op_add_run(struct op *op, struct conf *conf)
{
	struct netd *n = op->ops->netd;
	struct cerr err;

	op->a = attachment_new(op->pod->id, conf, op->args, op->capabilities);
	op->capabilities = NULL;
	if (cache_write(n->cache, op->a, false, &err) == -1) {
		op_fail(op, &err);
		return;
	}
	op->chain = chain_start(n->runner, CHAIN_ADD, op->a,
	    mono_after_ms(OP_ADD_MS), op_add_done, op);
}

static bool
op_cancelled(const struct op *op, struct cerr *err)
{
	if (op->call == NULL || !link_call_cancelled(op->call))
		return false;
	(void)cerr_set(err, CERR_CANCELLED, "the caller has left");
	return true;
}

void
op_add_scanned(void *arg)
{
	struct op *op = arg;
	struct conf *conf;
	struct cerr err;

	if (op->ops->hold) {
		TAILQ_INSERT_TAIL(&op->ops->held, op, held_entry);
		return;
	}
	conf = confdir_choose(op->ops->netd->confdir, &err);
	if (conf == NULL || op_cancelled(op, &err))
		op_fail(op, &err);
	else
		op_add_run(op, conf);
}

/* What an ADD left that did not end goes first; then it begins anew. */
static void
op_add_cleaned(void *arg, const struct cerr *err)
{
	struct op *op = arg;
	struct cerr why;

	if (err == NULL &&
	    cache_remove(op->ops->netd->cache, op->pod->id, &why) == -1)
		err = &why;
	attachment_free(op->a);
	op->a = NULL;
	if (err != NULL)
		op_fail(op, err);
	else
		scan_want(op->ops->netd->scan, op_add_scanned, op);
}

void
op_add_clean(struct op *op)
{
	(void)chain_start(op->ops->netd->runner, CHAIN_UNDO, op->a,
	    mono_after_ms(OP_OTHER_MS), op_add_cleaned, op);
}

void
op_add_cancel(void *arg)
{
	struct op *op = arg;

	if (op->chain != NULL)
		chain_abort(op->chain);
}

void
op_add_begin(struct op *op)
{
	struct cerr err;

	if (op_cancelled(op, &err)) {
		op_fail(op, &err);
		return;
	}
	op->a = cache_read(op->ops->netd->cache, op->pod->id, &err);
	if (op->a != NULL && op->a->complete)
		op_added(op);
	else if (op->a != NULL)
		op_add_clean(op);
	else if (err.code == CERR_NOT_FOUND)
		scan_want(op->ops->netd->scan, op_add_scanned, op);
	else if (err.code == CERR_DATA_LOSS)
		op_damaged(op, &err);
	else
		op_fail(op, &err);
}
