#include <event2/event.h>

#include <signal.h>

#include "criod/ctr.h"
#include "criod/facts.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/op.h"
#include "criod/signals.h"
#include "imsg/link.h"
#include "lib/log.h"

static void ctr_stop_turn(struct ctr *c);

static int32_t
ctr_stop_signal(const struct ctr *c)
{
	int asked = signals_to_linux((int)c->config->stop_signal);

	if (asked != 0)
		return asked;
	return c->made != NULL && c->made->stop_signal > 0
		   ? c->made->stop_signal
		   : SIGTERM;
}

static void
ctr_signalled(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;

	(void)m;
	c->signal_request = 0;
	if (err == NULL || !c->plan.on)
		return;
	log_warn("container %s: signal: %s", c->id, err->text);
	if (err->code == CERR_NOT_FOUND)
		facts_ask(c->front); /* perhaps its exit was missed */
	if (c->signal_is_term) {
		stop_plan_term_failed(&c->plan, mono_now());
		ctr_stop_turn(c);
	}
}

/* A signal that is not answered yet gives way to the next one. */
static void
ctr_signal(struct ctr *c, int32_t number, link_reply_fn fn)
{
	Criod__CtrSignal m = CRIOD__CTR_SIGNAL__INIT;

	if (c->signal_request != 0)
		link_cancel(c->front->execd, c->signal_request);
	m.id = c->id;
	m.signal = number;
	c->signal_request = link_request(c->front->execd, MSG_CTR_SIGNAL, &m,
	    NULL, 0, mono_after_ms(FRONT_QUERY_MS), fn, c);
}

static void
ctr_signal_stop(struct ctr *c, int32_t number, bool is_term)
{
	c->signal_is_term = is_term;
	ctr_signal(c, number, ctr_signalled);
}

static void
ctr_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ctr_stop_turn(arg);
}

static void
ctr_stop_arm(struct ctr *c, struct mono wake)
{
	struct timeval tv = mono_timeval(wake);

	if (c->stop_timer == NULL)
		c->stop_timer = evtimer_new(c->front->base, ctr_stop_timer, c);
	if (c->stop_timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(c->stop_timer, &tv);
}

static void
ctr_stop_turn(struct ctr *c)
{
	struct mono wake;

	if (!c->plan.on)
		return;
	switch (stop_plan_next(&c->plan, mono_now(), &wake)) {
	case STOP_TERM:
		ctr_signal_stop(c, ctr_stop_signal(c), true);
		break;
	case STOP_KILL:
		ctr_signal_stop(c, SIGKILL, false);
		break;
	case STOP_WAIT:
		break;
	}
	ctr_stop_arm(c, wake);
}

void
ctr_stop(struct ctr *c, int64_t grace_ms, wait_fn fn, void *arg)
{
	/* What was never started has nothing to say goodbye to. */
	if (c->state == CTR_CREATED && !c->starting)
		grace_ms = 0;
	stop_plan_ask(&c->plan, grace_ms, mono_now());
	if (fn != NULL)
		wait_add_fn(&c->stop_waits, fn, arg);
	ctr_stop_turn(c);
}

static void
ctr_signal_ignored(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;

	(void)m;
	(void)err;
	c->signal_request = 0;
}

void
ctr_kill_rest(struct ctr *c)
{
	ctr_signal(c, SIGKILL, ctr_signal_ignored);
}

void
ctr_hurry(struct ctr *c)
{
	if (c->create != NULL)
		op_hurry(c->create);
	if (c->plan.on) {
		stop_plan_hurry(&c->plan, mono_now());
		ctr_stop_turn(c);
	}
}

static int64_t
ctr_grace_ms(int64_t seconds)
{
	if (seconds <= 0)
		return 0;
	return seconds > INT64_MAX / 1000 ? INT64_MAX : seconds * 1000;
}

void
ctr_handle_stop(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__StopContainerRequest *r = request_;
	Runtime__V1__StopContainerResponse resp =
	    RUNTIME__V1__STOP_CONTAINER_RESPONSE__INIT;
	struct front *front = ctx;
	struct cerr err;
	struct ctr *c = ctr_find(front, r->container_id, &err);

	if (c == NULL && err.code != CERR_NOT_FOUND) {
		grpc_fail(call, &err);
		return;
	}
	if (c == NULL || c->state == CTR_EXITED) {
		grpc_reply(call, &resp);
		return;
	}
	if (!c->plan.on && front_need(front->execd, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	wait_add_call(&c->stop_waits, call);
	ctr_stop(c, ctr_grace_ms(r->timeout), NULL, NULL);
}
