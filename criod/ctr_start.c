#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/pod.h"
#include "imsg/link.h"
#include "lib/log.h"

static void
ctr_started(struct ctr *c, const Criod__CtrStarted *m)
{
	if (c->started_at == 0)
		c->started_at = m->started_at > c->created_at ? m->started_at
							      : c->created_at;
	if (c->finished_at != 0 && c->finished_at < c->started_at)
		c->started_at = c->finished_at; /* it was told first */
	if (c->state != CTR_CREATED) {
		ctr_save(c);
		return;
	}
	ctr_set_state(c, CTR_RUNNING);
	ctr_save(c);
	events_ctr_started(c);
	nri_ctr_tell(c, NRI__EVENT__POST_START_CONTAINER);
}

/*
 * An execd that went away or hangs may yet have started it: what is so is
 * then learnt from it later.  Any other failure is final.
 */
static void
ctr_start_refused(struct ctr *c, const struct cerr *err)
{
	log_warn("container %s: start: %s", c->id, err->text);
	if (err->code == CERR_UNAVAILABLE) {
		c->start_lost = true;
		return;
	}
	if (err->code == CERR_DEADLINE_EXCEEDED) {
		if (c->state == CTR_CREATED)
			ctr_stop(c, 0, NULL, NULL);
		return;
	}
	ctr_start_failed(c, err);
	ctr_kill_rest(c);
}

static void
ctr_start_reply(void *arg, struct link_msg *m, const struct cerr *err)
{
	Runtime__V1__StartContainerResponse resp =
	    RUNTIME__V1__START_CONTAINER_RESPONSE__INIT;
	struct ctr *c = arg;
	bool ended = c->state == CTR_EXITED; /* told before its start was */

	c->starting = false;
	if (err == NULL)
		ctr_started(c, m->body);
	else
		ctr_start_refused(c, err);
	if (ended)
		events_ctr_stopped(c);
	(void)wait_end(&c->start_waits, err, &resp);
}

static void
ctr_start_now(struct ctr *c)
{
	Criod__CtrId m = CRIOD__CTR_ID__INIT;

	m.id = c->id;
	(void)link_request(c->front->execd, MSG_CTR_START, &m, NULL, 0,
	    mono_after_ms(FRONT_CTR_MS), ctr_start_reply, c);
}

/* Nothing was started yet: a plugin's no is final, its absence is not. */
static void
ctr_start_asked(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;
	struct cerr own;

	(void)m;
	if (err == NULL && c->state != CTR_CREATED) {
		(void)cerr_set(&own, CERR_FAILED_PRECONDITION,
		    "container %s was stopped before it started", c->id);
		err = &own;
	}
	if (err == NULL) {
		ctr_start_now(c);
		return;
	}
	c->starting = false;
	log_warn("container %s: start: %s", c->id, err->text);
	if (err->code != CERR_UNAVAILABLE && c->state == CTR_CREATED) {
		ctr_start_failed(c, err);
		ctr_kill_rest(c);
	}
	(void)wait_end(&c->start_waits, err, NULL);
}

static int
ctr_start_may(const struct ctr *c, struct cerr *err)
{
	if (c->state != CTR_CREATED)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s was started before", c->id);
	if (c->remove != NULL || c->plan.on)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is being stopped", c->id);
	if (c->pod->state != POD_READY || c->pod->stop != NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pod sandbox %s is not ready", c->pod_id);
	return front_need(c->front->execd, err);
}

void
ctr_handle_start(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__StartContainerRequest *r = request_;
	struct front *front = ctx;
	struct cerr err;
	struct ctr *c = ctr_find(front, r->container_id, &err);

	if (c == NULL || (!c->starting && ctr_start_may(c, &err) == -1)) {
		grpc_fail(call, &err);
		return;
	}
	wait_add_call(&c->start_waits, call);
	if (c->starting)
		return;
	c->starting = true;
	if (!nri_ctr_ask(c, NRI__EVENT__START_CONTAINER, ctr_start_asked, c))
		ctr_start_now(c);
}
