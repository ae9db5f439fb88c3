#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/op.h"
#include "criod/pod.h"
#include "imsg/link.h"

static void
ctr_remove_settled(void *arg, const struct cerr *err)
{
	struct ctr *c = arg;

	(void)err;
	op_next(c->remove, NULL);
}

static void
ctr_step_stop(void *ctx, struct op *op)
{
	struct ctr *c = ctx;

	if (c->state == CTR_EXITED)
		op_next(op, NULL);
	else
		ctr_stop(c, 0, ctr_remove_settled, c);
}

/* A start under way has this container as its argument. */
static void
ctr_step_settle(void *ctx, struct op *op)
{
	struct ctr *c = ctx;

	if (c->starting)
		wait_add_fn(&c->start_waits, ctr_remove_settled, c);
	else
		op_next(op, NULL);
}

void
ctr_step_remove(void *ctx, struct op *op)
{
	struct ctr *c = ctx;
	Criod__CtrId m = CRIOD__CTR_ID__INIT;

	m.id = c->id;
	op_request(op, c->front->execd, MSG_CTR_REMOVE, &m, FRONT_CTR_MS, NULL);
}

void
ctr_step_forget(void *ctx, struct op *op)
{
	struct ctr *c = ctx;
	struct cerr err;

	if (store_unlink_ctr(c->front, c->id, &err) == -1)
		op_next(op, &err);
	else
		op_next(op, NULL);
}

static void
ctr_step_nri(void *ctx, struct op *op)
{
	nri_ctr_may(ctx, op, NRI__EVENT__REMOVE_CONTAINER);
}

static const struct op_step ctr_remove_steps[] = {
	{ "stop", ctr_step_stop, NULL },
	{ "settle", ctr_step_settle, NULL },
	{ "container", ctr_step_remove, NULL },
	{ "nri", ctr_step_nri, NULL },
	{ "record", ctr_step_forget, NULL },
};

static void
ctr_remove_done(void *ctx, const struct cerr *err)
{
	Runtime__V1__RemoveContainerResponse resp =
	    RUNTIME__V1__REMOVE_CONTAINER_RESPONSE__INIT;
	struct wait_list waits;
	struct ctr *c = ctx;

	c->remove = NULL;
	wait_init(&waits);
	wait_move(&waits, &c->remove_waits);
	if (err == NULL) {
		events_ctr_deleted(c);
		ctr_free(c);
	}
	(void)wait_end(&waits, err, &resp);
}

static const struct op_def ctr_remove_def = {
	"RemoveContainer",
	ctr_remove_steps,
	sizeof(ctr_remove_steps) / sizeof(ctr_remove_steps[0]),
	ctr_remove_done,
	NULL,
};

static void
ctr_remove_begin(struct ctr *c)
{
	if (c->remove == NULL)
		c->remove = op_start(c->front->base, &ctr_remove_def, c);
}

void
ctr_remove(struct ctr *c, wait_fn fn, void *arg)
{
	ctr_remove_begin(c);
	wait_add_fn(&c->remove_waits, fn, arg);
}

void
ctr_handle_remove(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__RemoveContainerRequest *r = request_;
	Runtime__V1__RemoveContainerResponse resp =
	    RUNTIME__V1__REMOVE_CONTAINER_RESPONSE__INIT;
	struct front *front = ctx;
	struct cerr err;
	struct ctr *c = ctr_find(front, r->container_id, &err);

	if (c == NULL && err.code == CERR_NOT_FOUND) {
		grpc_reply(call, &resp);
		return;
	}
	if (c == NULL ||
	    (c->remove == NULL && front_need(front->execd, &err) == -1)) {
		grpc_fail(call, &err);
		return;
	}
	ctr_remove_begin(c);
	wait_add_call(&c->remove_waits, call);
}
