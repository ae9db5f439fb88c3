#include <jansson.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/link.h"
#include "lib/id.h"
#include "lib/log.h"
#include "netd/cache.h"
#include "netd/chain.h"
#include "netd/conf.h"
#include "netd/confdir.h"
#include "netd/gc.h"
#include "netd/netd.h"
#include "netd/op.h"
#include "netd/scan.h"
#include "proto/msg.pb-c.h"

#define GC_MS (30 * 1000)

/* One at a time. */
struct gc {
	struct netd *netd;
	struct link_call *call; /* NULL: not running */
	char **valid;		/* sorted; borrowed while the list is made */
	size_t nvalid;
	char (*orphans)[ID_SIZE];
	size_t norphans, pending;
	bool failed;
	struct cerr fail; /* the first */
};

struct gc *
gc_new(struct netd *n)
{
	struct gc *g = calloc(1, sizeof(*g));

	if (g == NULL)
		fatal("calloc");
	g->netd = n;
	return g;
}

static void
gc_note(struct gc *g, const struct cerr *err)
{
	if (!g->failed)
		g->fail = *err;
	g->failed = true;
}

static void
gc_end(struct gc *g)
{
	Criod__Empty empty = CRIOD__EMPTY__INIT;
	struct link_call *call = g->call;

	g->call = NULL;
	if (g->failed)
		link_refuse(call, &g->fail);
	else
		link_reply(call, MSG_NET_DELETED, &empty, NULL, 0);
}

/* ---- the GC command ---- */

static void
gc_collected(void *arg, const struct cerr *err)
{
	struct gc *g = arg;

	ops_release(g->netd->ops);
	if (err != NULL)
		gc_note(g, err);
	gc_end(g);
}

static void
gc_add_valid(void *arg, const char *pod)
{
	(void)json_array_append_new(arg,
	    json_pack("{s:s,s:s}", "containerID", pod, "ifname", CHAIN_IFNAME));
}

/*
 * All that have a record now are valid; no ADD may begin meanwhile, or its
 * plugins' work could be collected.
 */
static void
gc_scanned(void *arg)
{
	struct gc *g = arg;
	struct cerr err;
	struct conf *conf = confdir_choose(g->netd->confdir, &err);
	json_t *valid;

	if (conf == NULL || !conf_speaks(conf, 1, 1) || conf->disable_gc) {
		gc_end(g);
		return;
	}
	valid = json_array();
	if (cache_list(g->netd->cache, gc_add_valid, valid, &err) == -1) {
		gc_note(g, &err);
		gc_end(g);
	} else {
		ops_hold(g->netd->ops);
		(void)chain_start_network(g->netd->runner, CHAIN_GC, conf,
		    valid, mono_after_ms(GC_MS), gc_collected, g);
	}
	json_decref(valid);
}

/* ---- DEL of what is left ---- */

static void
gc_deleted(void *arg, const struct cerr *err)
{
	struct gc *g = arg;

	if (err != NULL)
		gc_note(g, err);
	if (--g->pending == 0)
		scan_want(g->netd->scan, gc_scanned, g);
}

static int
gc_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
gc_add_orphan(void *arg, const char *pod)
{
	struct gc *g = arg;
	void *more;

	if (ops_busy(g->netd->ops, pod) ||
	    (g->nvalid > 0 && bsearch(&pod, g->valid, g->nvalid,
				  sizeof(*g->valid), gc_compare) != NULL))
		return;
	more = reallocarray(g->orphans, g->norphans + 1, sizeof(*g->orphans));
	if (more == NULL)
		fatal("reallocarray");
	g->orphans = more;
	memcpy(g->orphans[g->norphans++], pod, ID_SIZE);
}

static int
gc_find_orphans(struct gc *g, const Criod__NetGc *req, struct cerr *err)
{
	int rc;

	g->valid = calloc(req->n_pod_ids + 1, sizeof(*g->valid));
	if (g->valid == NULL)
		return cerr_errno(err, "GC");
	if (req->n_pod_ids > 0)
		memcpy(g->valid, req->pod_ids,
		    req->n_pod_ids * sizeof(*g->valid));
	g->nvalid = req->n_pod_ids;
	qsort(g->valid, g->nvalid, sizeof(*g->valid), gc_compare);
	g->norphans = 0;
	rc = cache_list(g->netd->cache, gc_add_orphan, g, err);
	free(g->valid);
	g->valid = NULL;
	return rc;
}

void
gc_start(struct gc *g, struct link_call *call, const Criod__NetGc *req)
{
	struct cerr err;
	size_t n;

	if (g->call != NULL) {
		(void)cerr_set(&err, CERR_ABORTED,
		    "garbage collection is running already");
		link_refuse(call, &err);
		return;
	}
	if (gc_find_orphans(g, req, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	g->call = call;
	g->failed = false;
	g->pending = 1; /* ours, until all have begun */
	n = g->norphans;
	for (size_t i = 0; i < n; i++) {
		log_info("pod %.12s is gone: undoing its network",
		    g->orphans[i]);
		g->pending++;
		ops_del_quietly(g->netd->ops, g->orphans[i], gc_deleted, g);
	}
	free(g->orphans);
	g->orphans = NULL;
	gc_deleted(g, NULL);
}
