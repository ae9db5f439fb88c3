#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/op.h"
#include "criod/pod.h"
#include "imsg/link.h"

static void
pod_remove_stopped(void *arg, const struct cerr *err)
{
	struct pod *pod = arg;

	op_next(pod->remove, err);
}

static void
pod_step_stop(void *ctx, struct op *op)
{
	struct pod *pod = ctx;

	if (pod->state == POD_NOTREADY && pod->stop == NULL)
		op_next(op, NULL);
	else
		pod_stop(pod, pod_remove_stopped, pod);
}

static void
pod_remove_pending_end(struct pod *pod)
{
	if (--pod->pending == 0)
		op_next(pod->remove,
		    pod->pending_failed ? &pod->pending_err : NULL);
}

static void
pod_ctr_removed(void *arg, const struct cerr *err)
{
	struct pod *pod = arg;

	if (err != NULL && !pod->pending_failed) {
		pod->pending_failed = true;
		pod->pending_err = *err;
	}
	pod_remove_pending_end(pod);
}

/* Those whose making failed are undone in any case: they let go of it. */
static void
pod_step_remove_ctrs(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct ctr *c;

	(void)op;
	pod->pending = 1;
	pod->pending_failed = false;
	TAILQ_FOREACH(c, &pod->front->ctrs, entry) {
		if (c->pod != pod)
			continue;
		if (c->create != NULL) {
			c->pod = NULL;
			continue;
		}
		pod->pending++;
		ctr_remove(c, pod_ctr_removed, pod);
	}
	pod_remove_pending_end(pod);
}

static void
pod_step_remove_ns(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodId m = CRIOD__POD_ID__INIT;

	if (pod->ns_gone) {
		op_next(op, NULL);
		return;
	}
	m.id = pod->id;
	op_request(op, pod->front->execd, MSG_POD_REMOVE, &m, FRONT_CTR_MS,
	    NULL);
}

static void
pod_step_nri(void *ctx, struct op *op)
{
	nri_pod_may(ctx, op, NRI__EVENT__REMOVE_POD_SANDBOX);
}

/* While its network could not be removed, a record stays to remember that. */
static void
pod_step_forget(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct cerr err;

	if (pod->net != NULL) {
		pod_set_state(pod, POD_GONE);
		pod_save(pod);
	} else if (store_unlink_pod(pod->front, pod->id, &err) == -1) {
		op_next(op, &err);
		return;
	}
	op_next(op, NULL);
}

static const struct op_step pod_remove_steps[] = {
	{ "stop", pod_step_stop, NULL },
	{ "containers", pod_step_remove_ctrs, NULL },
	{ "namespaces", pod_step_remove_ns, NULL },
	{ "nri", pod_step_nri, NULL },
	{ "record", pod_step_forget, NULL },
};

static void
pod_remove_done(void *ctx, const struct cerr *err)
{
	Runtime__V1__RemovePodSandboxResponse resp =
	    RUNTIME__V1__REMOVE_POD_SANDBOX_RESPONSE__INIT;
	struct wait_list waits;
	struct pod *pod = ctx;

	pod->remove = NULL;
	wait_init(&waits);
	wait_move(&waits, &pod->remove_waits);
	if (err == NULL)
		events_pod_deleted(pod);
	if (err == NULL && pod->net == NULL)
		pod_free(pod);
	(void)wait_end(&waits, err, &resp);
}

static const struct op_def pod_remove_def = {
	"RemovePodSandbox",
	pod_remove_steps,
	sizeof(pod_remove_steps) / sizeof(pod_remove_steps[0]),
	pod_remove_done,
	NULL,
};

static void
pod_remove_begin(struct pod *pod)
{
	if (pod->remove == NULL)
		pod->remove = op_start(pod->front->base, &pod_remove_def, pod);
}

void
pod_remove(struct pod *pod, wait_fn fn, void *arg)
{
	pod_remove_begin(pod);
	wait_add_fn(&pod->remove_waits, fn, arg);
}

void
pod_handle_remove(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__RemovePodSandboxRequest *r = request_;
	Runtime__V1__RemovePodSandboxResponse resp =
	    RUNTIME__V1__REMOVE_POD_SANDBOX_RESPONSE__INIT;
	struct front *front = ctx;
	struct cerr err;
	struct pod *pod = pod_find(front, r->pod_sandbox_id, &err);

	if (pod == NULL && err.code == CERR_NOT_FOUND) {
		grpc_reply(call, &resp);
		return;
	}
	if (pod == NULL ||
	    (pod->remove == NULL && front_need(front->execd, &err) == -1)) {
		grpc_fail(call, &err);
		return;
	}
	pod_remove_begin(pod);
	wait_add_call(&pod->remove_waits, call);
}
