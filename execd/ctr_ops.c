#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/mon.h"
#include "execd/pod.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/log.h"

static void
ctr_refuse(struct link_call *call, enum cerr_code code, const struct ctr *c,
    const char *what)
{
	struct cerr err;

	(void)cerr_set(&err, code, "container %s %s", c->id, what);
	link_refuse(call, &err);
}

/* ---- start ---- */

static void
ctr_start_reply(struct ctr *c)
{
	Criod__CtrStarted body;

	if (c->start == NULL)
		return;
	criod__ctr_started__init(&body);
	body.started_at = c->started_at;
	body.pid = (int32_t)c->pid;
	link_reply(c->start, MSG_CTR_STARTED, &body, NULL, 0);
	c->start = NULL;
}

/* What had to wait for the start's end. */
static void
ctr_start_after(struct ctr *c)
{
	if (c->end.set)
		ctr_ended(c, &c->end);
	if (!SIMPLEQ_EMPTY(&c->removals))
		ctr_remove(c);
}

static void
ctr_start_failed(struct ctr *c, const struct cerr *err)
{
	struct cerr own;

	if (ctr_set_state(c, CTR_CREATED, &own) == -1)
		log_warn("container %s: %s", c->id, own.text);
	if (c->start != NULL)
		link_refuse(c->start, err);
	c->start = NULL;
	ctr_start_after(c);
}

static void
ctr_start_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;
	struct cerr own;

	(void)m;
	/* It may have happened: ctr_resume asks the next launcher. */
	if (err != NULL && err->code == CERR_UNAVAILABLE)
		return;
	if (err != NULL) {
		ctr_start_failed(c, err);
		return;
	}
	c->started_at = wall_now_ns();
	if (ctr_set_state(c, CTR_RUNNING, &own) == -1)
		log_warn("container %s: %s", c->id, own.text);
	ctr_start_reply(c);
	ctr_start_after(c);
}

static void
ctr_start_send(struct ctr *c, link_reply_fn fn)
{
	struct fixed_ctr body = { .runtime = c->runtime };

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	(void)link_request(execd_launcher(c->x), MSG_L_CTR_START, &body, NULL,
	    0, mono_after_ms(EXECD_STEP_MS), fn, c);
}

void
ctr_take_start(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrId *body = m->body;
	struct cerr err;
	struct ctr *c = ctr_find_or(ctx, body->id, &err);

	if (c == NULL) {
		link_refuse(call, &err);
		return;
	}
	if (c->state != CTR_CREATED || c->end.set) {
		ctr_refuse(call, CERR_FAILED_PRECONDITION, c,
		    "is not in the state CREATED");
		return;
	}
	if (ctr_set_state(c, CTR_STARTING, &err) == -1) {
		c->state = CTR_CREATED;
		link_refuse(call, &err);
		return;
	}
	c->start = call;
	ctr_start_send(c, ctr_start_done);
}

/*
 * A start was under way when this process or the launcher ended.  It is asked
 * for again; a runtime refuses if it had happened, which then is the answer.
 */
static void
ctr_started_again(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;

	if (err != NULL && err->code == CERR_UNAVAILABLE)
		return;
	if (err != NULL)
		log_info("container %s: start, repeated after a restart: %s",
		    c->id, err->text);
	ctr_start_done(c, m, NULL);
}

void
ctr_start_again(struct ctr *c)
{
	ctr_start_send(c, ctr_started_again);
}

/* ---- signals ---- */

static void
ctr_signalled(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct link_call *call = arg;
	Criod__Empty empty;

	(void)m;
	criod__empty__init(&empty);
	if (err != NULL)
		link_refuse(call, err);
	else
		link_reply(call, MSG_CTR_SIGNALLED, &empty, NULL, 0);
}

/* SIGKILL after the end reaches what a host PID container left behind. */
void
ctr_take_signal(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrSignal *s = m->body;
	struct cerr err;
	struct ctr *c = ctr_find_or(ctx, s->id, &err);
	struct fixed_ctr_signal body = { .signal = (uint32_t)s->signal };

	if (c == NULL) {
		link_refuse(call, &err);
		return;
	}
	if (s->signal < 1 || s->signal > 64) {
		ctr_refuse(call, CERR_INVALID_ARGUMENT, c, "no such signal");
		return;
	}
	if (c->state == CTR_CREATING || c->state == CTR_REMOVING) {
		ctr_refuse(call, CERR_FAILED_PRECONDITION, c,
		    "is being made or removed");
		return;
	}
	if (c->end.set && s->signal != SIGKILL) {
		ctr_signalled(call, NULL, NULL);
		return;
	}
	body.runtime = c->runtime;
	memcpy(body.ctr, c->id, sizeof(body.ctr));
	(void)link_request(execd_launcher(c->x), MSG_L_CTR_SIGNAL, &body, NULL,
	    0, mono_after_ms(EXECD_STEP_MS), ctr_signalled, call);
}

/* ---- log ---- */

/* The new file exists; only now is the monitor told of it. */
static void
ctr_log_opened(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_ref *r = arg;
	struct ctr *c = ctr_find(r->x, r->id);
	struct cerr own;

	if (c == NULL) {
		(void)cerr_set(&own, CERR_NOT_FOUND, "no container %s", r->id);
		err = &own;
	}
	if (err != NULL)
		link_refuse(r->call, err);
	else
		mon_log(c, link_take_fd(m, 0), r->call);
	free(r);
}

void
ctr_take_reopen(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrId *b = m->body;
	struct cerr err;
	struct ctr *c = ctr_find_or(ctx, b->id, &err);
	struct fixed_ctr_log body = { 0 };

	if (c == NULL) {
		link_refuse(call, &err);
		return;
	}
	if (!ctr_alive(c) || c->log_dir == NULL || c->log_dir[0] == '\0') {
		ctr_refuse(call, CERR_FAILED_PRECONDITION, c,
		    ctr_alive(c) ? "has no log" : "is not running");
		return;
	}
	if (FIXED_SET_STR(body.log_dir, c->log_dir) == -1 ||
	    FIXED_SET_STR(body.log_name, c->log_name) == -1) {
		ctr_refuse(call, CERR_INTERNAL, c, "has a bad log path");
		return;
	}
	memcpy(body.ctr, c->id, sizeof(body.ctr));
	(void)link_request(execd_launcher(c->x), MSG_L_CTR_LOG, &body, NULL, 0,
	    mono_after_ms(EXECD_STEP_MS), ctr_log_opened, ctr_ref_new(c, call));
}

/* ---- the list ---- */

static Criod__CtrFact__State
ctr_fact_state(const struct ctr *c)
{
	if (c->state == CTR_EXITED)
		return CRIOD__CTR_FACT__STATE__EXITED;
	if (c->state == CTR_RUNNING || c->state == CTR_STARTING)
		return CRIOD__CTR_FACT__STATE__RUNNING;
	return CRIOD__CTR_FACT__STATE__CREATED;
}

struct ctr_fact {
	Criod__CtrFact fact;
	Criod__CtrExited end;
};

static void
ctr_fact_fill(struct ctr_fact *f, struct ctr *c)
{
	criod__ctr_fact__init(&f->fact);
	criod__ctr_exited__init(&f->end);
	f->fact.id = c->id;
	f->fact.pod_id = c->pod;
	f->fact.state = ctr_fact_state(c);
	f->fact.pid = (int32_t)c->pid;
	f->fact.started_at = c->started_at;
	if (c->state != CTR_EXITED)
		return;
	f->end.id = c->id;
	f->end.exit_code = (int32_t)c->end.code;
	f->end.finished_at = c->end.finished_at;
	f->end.oom_killed = c->end.oom;
	f->end.unknown = c->end.unknown;
	f->fact.exit = &f->end;
}

/* Those being made or removed are not there. */
static size_t
ctr_list_fill(struct execd *x, struct ctr_fact *facts, Criod__CtrFact **list)
{
	struct ctr *c = NULL;
	size_t n = 0;

	LIST_FOREACH(c, &x->ctrs, entry) {
		if (c->state == CTR_CREATING || c->state == CTR_REMOVING ||
		    c->foreign)
			continue;
		ctr_fact_fill(&facts[n], c);
		list[n] = &facts[n].fact;
		n++;
	}
	return n;
}

static size_t
ctr_list_pods(struct execd *x, char **pods)
{
	struct pod *p = NULL;
	size_t n = 0;

	LIST_FOREACH(p, &x->pods, entry) {
		if (p->state == POD_READY && !p->lost)
			pods[n++] = p->id;
	}
	return n;
}

void
ctr_take_list(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct execd *x = ctx;
	size_t nctrs = 0, npods = 0;
	struct ctr_fact *facts;
	Criod__CtrFacts body;
	struct ctr *c = NULL;
	struct pod *p;

	(void)m;
	LIST_FOREACH(c, &x->ctrs, entry)
		nctrs++;
	LIST_FOREACH(p, &x->pods, entry)
		npods++;
	criod__ctr_facts__init(&body);
	facts = execd_alloc(nctrs + 1, sizeof(*facts));
	body.containers = execd_alloc(nctrs + 1, sizeof(*body.containers));
	body.pods = execd_alloc(npods + 1, sizeof(*body.pods));
	body.n_containers = ctr_list_fill(x, facts, body.containers);
	body.n_pods = ctr_list_pods(x, body.pods);
	link_reply(call, MSG_CTR_LISTED, &body, NULL, 0);
	free(facts);
	free(body.containers);
	free(body.pods);
}
