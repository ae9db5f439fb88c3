#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/op.h"
#include "criod/pod.h"
#include "imsg/link.h"
#include "lib/log.h"
#include "lib/mono.h"

#define POD_NET_TRIES 2

/* ---- waiting for several containers ---- */

static void
pod_pending_end(struct pod *pod)
{
	if (--pod->pending == 0)
		op_next(pod->stop, NULL);
}

static void
pod_ctr_stopped(void *arg, const struct cerr *err)
{
	(void)err; /* only its exit ends the wait */
	pod_pending_end(arg);
}

static void
pod_stop_ctr(struct pod *pod, struct ctr *c)
{
	if (c->create != NULL) {
		if (c->released)
			return; /* is being undone */
		pod->pending++;
		wait_add_fn(&c->create_waits, pod_ctr_stopped, pod);
		ctr_abort(c);
	} else if (c->state != CTR_EXITED) {
		pod->pending++;
		/* Forcibly, says the CRI: grace was StopContainer's to give. */
		ctr_stop(c, 0, pod_ctr_stopped, pod);
	}
}

static void
pod_step_ctrs(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct ctr *c, *next;

	(void)op;
	pod->pending = 1;
	for (c = TAILQ_FIRST(&pod->front->ctrs); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry); /* aborting may free c */
		if (c->pod == pod)
			pod_stop_ctr(pod, c);
	}
	pod_pending_end(pod);
}

static void
pod_step_nri(void *ctx, struct op *op)
{
	struct pod *pod = ctx;

	if (pod->state == POD_READY)
		nri_pod_may(pod, op, NRI__EVENT__STOP_POD_SANDBOX);
	else
		op_next(op, NULL);
}

/* ---- the network ---- */

static void
pod_net_undo_record(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct cerr err;

	pod->net_done = true;
	pod->net_dirty = false;
	if (pod->state != POD_GONE)
		pod_save(pod);
	else if (store_unlink_pod(pod->front, pod->id, &err) == -1) {
		op_next(op, &err);
		return;
	}
	op_next(op, NULL);
}

static void
pod_net_undo_del(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodId m = CRIOD__POD_ID__INIT;

	m.id = pod->id;
	op_request(op, pod->front->netd, MSG_NET_DEL, &m, FRONT_NET_DEL_MS,
	    NULL);
}

static void
pod_net_undone(void *ctx)
{
	struct pod *pod = ctx;

	pod->net = NULL;
	if (pod->state == POD_GONE)
		pod_free(pod);
}

static const struct op_step pod_net_steps[] = {
	{ "record", NULL, pod_net_undo_record },
	{ "network", NULL, pod_net_undo_del },
};

static const struct op_def pod_net_def = { "network of a stopped pod",
	pod_net_steps, 2, NULL, pod_net_undone };

void
pod_net_retry(struct pod *pod)
{
	pod->net_dirty = true;
	if (pod->net == NULL)
		pod->net = op_undo(pod->front->base, &pod_net_def, pod);
}

/*
 * A DEL that fails fails the first StopPodSandbox; from the second on it is
 * left to the background, so that the pod can go.
 */
static void
pod_net_deleted(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct pod *pod = arg;
	struct cerr why;

	(void)m;
	if (err == NULL) {
		pod->net_done = true;
		op_next(pod->stop, NULL);
		return;
	}
	if (err->code != CERR_UNAVAILABLE &&
	    ++pod->net_fails >= POD_NET_TRIES) {
		log_warn("pod %s: network not removed: %s; goes on behind",
		    pod->id, err->text);
		pod_net_retry(pod);
		op_next(pod->stop, NULL);
		return;
	}
	(void)cerr_set(&why, err->code, "remove the network of pod %s: %s",
	    pod->id, err->text);
	op_next(pod->stop, &why);
}

static void
pod_step_net_del(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodId m = CRIOD__POD_ID__INIT;

	if (pod->net_done || pod->net_dirty) {
		op_next(op, NULL);
		return;
	}
	m.id = pod->id;
	(void)link_request(pod->front->netd, MSG_NET_DEL, &m, NULL, 0,
	    mono_after_ms(FRONT_NET_DEL_MS), pod_net_deleted, pod);
}

/* ---- the rest ---- */

static void
pod_take_ns(void *ctx, const void *body)
{
	struct pod *pod = ctx;

	(void)body;
	pod->ns_gone = true;
}

static void
pod_step_ns(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodId m = CRIOD__POD_ID__INIT;

	m.id = pod->id;
	op_request(op, pod->front->execd, MSG_POD_REMOVE, &m, FRONT_CTR_MS,
	    pod_take_ns);
}

/* Not written on a full disk: then told anew by execd after a restart. */
static void
pod_step_notready(void *ctx, struct op *op)
{
	struct pod *pod = ctx;

	pod_set_ips(pod, NULL, 0);
	if (pod->state == POD_READY) {
		pod_set_state(pod, POD_NOTREADY);
		events_pod_stopped(pod);
	}
	pod_save(pod);
	op_next(op, NULL);
}

static const struct op_step pod_stop_steps[] = {
	{ "containers", pod_step_ctrs, NULL },
	{ "nri", pod_step_nri, NULL },
	{ "network", pod_step_net_del, NULL },
	{ "namespaces", pod_step_ns, NULL },
	{ "record", pod_step_notready, NULL },
};

static void
pod_stop_done(void *ctx, const struct cerr *err)
{
	Runtime__V1__StopPodSandboxResponse resp =
	    RUNTIME__V1__STOP_POD_SANDBOX_RESPONSE__INIT;
	struct pod *pod = ctx;

	pod->stop = NULL;
	(void)wait_end(&pod->stop_waits, err, &resp);
}

static const struct op_def pod_stop_def = {
	"StopPodSandbox",
	pod_stop_steps,
	sizeof(pod_stop_steps) / sizeof(pod_stop_steps[0]),
	pod_stop_done,
	NULL,
};

static void
pod_stop_begin(struct pod *pod)
{
	if (pod->stop == NULL)
		pod->stop = op_start(pod->front->base, &pod_stop_def, pod);
}

void
pod_stop(struct pod *pod, wait_fn fn, void *arg)
{
	pod_stop_begin(pod);
	wait_add_fn(&pod->stop_waits, fn, arg);
}

void
pod_handle_stop(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__StopPodSandboxRequest *r = request_;
	Runtime__V1__StopPodSandboxResponse resp =
	    RUNTIME__V1__STOP_POD_SANDBOX_RESPONSE__INIT;
	struct front *front = ctx;
	struct cerr err;
	struct pod *pod = pod_find(front, r->pod_sandbox_id, &err);

	if (pod == NULL && err.code != CERR_NOT_FOUND) {
		grpc_fail(call, &err);
		return;
	}
	if (pod == NULL || (pod->state == POD_NOTREADY && pod->stop == NULL)) {
		grpc_reply(call, &resp);
		return;
	}
	if (pod->stop == NULL && front_need(front->execd, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	pod_stop_begin(pod);
	wait_add_call(&pod->stop_waits, call);
}
