#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/guard.h"
#include "imsg/helper.h"
#include "imsg/link.h"
#include "lib/id.h"
#include "lib/log.h"
#include "netd/args.h"
#include "netd/cache.h"
#include "netd/chain.h"
#include "netd/conf.h"
#include "netd/confdir.h"
#include "netd/netd.h"
#include "netd/op.h"
#include "netd/op_int.h"
#include "netd/result.h"
#include "netd/scan.h"
#include "proto/msg.pb-c.h"

static void op_begin(struct op *op);

struct ops *
ops_new(struct netd *n)
{
	struct ops *o = calloc(1, sizeof(*o));

	if (o == NULL)
		fatal("calloc");
	o->netd = n;
	LIST_INIT(&o->pods);
	TAILQ_INIT(&o->held);
	return o;
}

static struct op_pod *
ops_find(const struct ops *o, const char *id)
{
	struct op_pod *p;

	LIST_FOREACH(p, &o->pods, entry) {
		if (strcmp(p->id, id) == 0)
			return p;
	}
	return NULL;
}

bool
ops_busy(const struct ops *o, const char *pod)
{
	return ops_find(o, pod) != NULL;
}

static struct op_pod *
ops_pod(struct ops *o, const char *id)
{
	struct op_pod *p = ops_find(o, id);

	if (p != NULL)
		return p;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		fatal("calloc");
	memcpy(p->id, id, ID_LEN);
	TAILQ_INIT(&p->queue);
	LIST_INSERT_HEAD(&o->pods, p, entry);
	return p;
}

static struct op *
op_new(struct ops *o, enum op_kind kind, const char *pod)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		fatal("calloc");
	op->ops = o;
	op->kind = kind;
	op->pod = ops_pod(o, pod);
	return op;
}

static void
op_enqueue(struct op *op)
{
	bool first = TAILQ_EMPTY(&op->pod->queue);

	TAILQ_INSERT_TAIL(&op->pod->queue, op, entry);
	if (first)
		op_begin(op);
}

static void
op_pod_next(evutil_socket_t fd, short what, void *arg)
{
	struct op_pod *p = arg;

	(void)fd;
	(void)what;
	op_begin(TAILQ_FIRST(&p->queue));
}

/* The next one begins from the loop: many in a row must not nest. */
static void
op_free(struct op *op)
{
	static const struct timeval now = { 0, 0 };
	struct op_pod *p = op->pod;
	bool first = TAILQ_FIRST(&p->queue) == op;
	struct event_base *base = helper_base(op->ops->netd->helper);

	TAILQ_REMOVE(&p->queue, op, entry);
	attachment_free(op->a);
	json_decref(op->capabilities);
	free(op);
	if (TAILQ_EMPTY(&p->queue)) {
		LIST_REMOVE(p, entry);
		free(p);
	} else if (first && event_base_once(base, -1, EV_TIMEOUT, op_pod_next,
				p, &now) == -1) {
		fatalx("event_base_once");
	}
}

/* ---- ends ---- */

void
op_fail(struct op *op, const struct cerr *err)
{
	if (op->call != NULL)
		link_refuse(op->call, err);
	else
		op->fn(op->fn_arg, err);
	op_free(op);
}

static void
op_deleted(struct op *op)
{
	Criod__Empty empty = CRIOD__EMPTY__INIT;

	if (op->call != NULL)
		link_reply(op->call, MSG_NET_DELETED, &empty, NULL, 0);
	else
		op->fn(op->fn_arg, NULL);
	op_free(op);
}

int
op_ips(const struct op *op, struct result_ips *ips, struct cerr *err)
{
	if (result_ips_get(op->a->result, CHAIN_IFNAME, ips, err) == -1)
		return -1;
	if (ips->n == 0)
		return cerr_set(err, CERR_INTERNAL,
		    "network %s gave the pod no address", op->a->conf->name);
	return 0;
}

void
op_added(struct op *op)
{
	Criod__NetAdded added = CRIOD__NET_ADDED__INIT;
	char *list[RESULT_IPS_MAX];
	struct result_ips ips;
	struct cerr err;

	if (op_ips(op, &ips, &err) == -1) {
		op_fail(op, &err);
		return;
	}
	for (size_t i = 0; i < ips.n; i++)
		list[i] = ips.ip[i];
	added.n_ips = ips.n;
	added.ips = list;
	link_reply(op->call, MSG_NET_ADDED, &added, NULL, 0);
	op_free(op);
}

/* ---- undo: an ADD that failed, or one that a dead netd did not end ---- */

static void
op_undone(void *arg, const struct cerr *err)
{
	struct op *op = arg;
	struct cerr why;

	if (err == NULL &&
	    cache_remove(op->ops->netd->cache, op->pod->id, &why) == -1)
		err = &why;
	if (err != NULL) {
		log_warn("pod %.12s: undoing its network failed: %s",
		    op->pod->id, err->text);
		op_fail(op, op->kind == OP_ADD ? &op->fail : err);
	} else if (op->kind == OP_DEL) {
		op_deleted(op);
	} else {
		op_fail(op, &op->fail);
	}
}

void
op_undo(struct op *op)
{
	if (op->a->begun == 0) {
		op_undone(op, NULL);
		return;
	}
	(void)chain_start(op->ops->netd->runner, CHAIN_UNDO, op->a,
	    mono_after_ms(OP_OTHER_MS), op_undone, op);
}

/* ---- a record that cannot be read ---- */

/*
 * The configuration of that time is lost; today's is the best guess, and the
 * plugins find what is the pod's by its id.
 */
static void
op_damaged_scanned(void *arg)
{
	struct op *op = arg;
	struct conf *conf;
	struct cerr err;

	conf = confdir_choose(op->ops->netd->confdir, &err);
	if (conf == NULL) {
		op_fail(op, &err);
		return;
	}
	op->a =
	    attachment_new(op->pod->id, conf, "IgnoreUnknown=1", json_object());
	if (op->kind == OP_ADD)
		op_add_clean(op);
	else
		op_undo(op);
}

void
op_damaged(struct op *op, const struct cerr *err)
{
	log_error("%s; using today's configuration", err->text);
	scan_want(op->ops->netd->scan, op_damaged_scanned, op);
}

/* ---- beginnings ---- */

static void
op_del_begin(struct op *op)
{
	struct cerr err;

	op->a = cache_read(op->ops->netd->cache, op->pod->id, &err);
	if (op->a != NULL && op->a->complete)
		(void)chain_start(op->ops->netd->runner, CHAIN_DEL, op->a,
		    mono_after_ms(OP_OTHER_MS), op_undone, op);
	else if (op->a != NULL)
		op_undo(op);
	else if (err.code == CERR_NOT_FOUND)
		op_deleted(op);
	else if (err.code == CERR_DATA_LOSS)
		op_damaged(op, &err);
	else
		op_fail(op, &err);
}

static void
op_check_done(void *arg, const struct cerr *err)
{
	struct op *op = arg;

	if (err != NULL)
		op_fail(op, err);
	else
		op_added(op);
}

static void
op_check_begin(struct op *op)
{
	struct cerr err;

	op->a = cache_read(op->ops->netd->cache, op->pod->id, &err);
	if (op->a != NULL && !op->a->complete)
		(void)cerr_set(&err, CERR_NOT_FOUND,
		    "the pod's network is not complete");
	if (op->a == NULL || !op->a->complete)
		op_fail(op, &err);
	else if (op->a->conf->disable_check || !conf_speaks(op->a->conf, 0, 4))
		op_added(op);
	else
		(void)chain_start(op->ops->netd->runner, CHAIN_CHECK, op->a,
		    mono_after_ms(OP_OTHER_MS), op_check_done, op);
}

static void
op_begin(struct op *op)
{
	static void (*const begin[])(struct op *) = {
		[OP_ADD] = op_add_begin,
		[OP_DEL] = op_del_begin,
		[OP_CHECK] = op_check_begin,
	};

	begin[op->kind](op);
}

/* ---- what others call ---- */

static bool
ops_refuse_id(struct link_call *call, const char *pod)
{
	struct cerr err;

	if (id_valid(pod))
		return false;
	(void)cerr_set(&err, CERR_INVALID_ARGUMENT, "pod_id: not an id");
	link_refuse(call, &err);
	return true;
}

/* Ports of the host's, as far as the policy goes. */
static int
ops_check_ports(const struct ops *o, const Criod__NetPod *pod, struct cerr *err)
{
	struct guard_for who = { pod->namespace_, pod->pod_id, "" };
	char port[16];
	struct rule_ask ask = { .what = RULE_HOST_PORT, .value = port };

	for (size_t i = 0; i < pod->n_port_mappings; i++) {
		if (pod->port_mappings[i]->host_port == 0)
			continue;
		(void)snprintf(port, sizeof(port), "%d",
		    pod->port_mappings[i]->host_port);
		if (guard_check(o->netd->guard, &who, &ask, err) == -1)
			return -1;
	}
	return 0;
}

void
ops_add(struct ops *o, struct link_call *call, const Criod__NetPod *pod)
{
	struct op *op;
	struct cerr err;

	if (ops_refuse_id(call, pod->pod_id))
		return;
	op = op_new(o, OP_ADD, pod->pod_id);
	op->call = call;
	if (ops_check_ports(o, pod, &err) == 0 &&
	    args_make(pod, op->args, &err) == 0)
		op->capabilities = args_capabilities(pod, &err);
	link_call_on_cancel(call, op_add_cancel, op);
	if (op->capabilities != NULL) {
		op_enqueue(op);
		return;
	}
	TAILQ_INSERT_TAIL(&op->pod->queue, op, entry);
	op_fail(op, &err);
}

void
ops_del(struct ops *o, struct link_call *call, const char *pod)
{
	struct op *op;

	if (ops_refuse_id(call, pod))
		return;
	op = op_new(o, OP_DEL, pod);
	op->call = call;
	op_enqueue(op);
}

void
ops_check(struct ops *o, struct link_call *call, const char *pod)
{
	struct op *op;

	if (ops_refuse_id(call, pod))
		return;
	op = op_new(o, OP_CHECK, pod);
	op->call = call;
	op_enqueue(op);
}

void
ops_del_quietly(struct ops *o, const char *pod,
    void (*fn)(void *arg, const struct cerr *err), void *arg)
{
	struct op *op = op_new(o, OP_DEL, pod);

	op->fn = fn;
	op->fn_arg = arg;
	op_enqueue(op);
}

void
ops_hold(struct ops *o)
{
	o->hold = true;
}

void
ops_release(struct ops *o)
{
	struct op *op;

	o->hold = false;
	while ((op = TAILQ_FIRST(&o->held)) != NULL) {
		TAILQ_REMOVE(&o->held, op, held_entry);
		op_add_scanned(op);
	}
}
