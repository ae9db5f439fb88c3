#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "criod/ctr.h"
#include "criod/facts.h"
#include "criod/front.h"
#include "criod/orphan.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/serve.h"
#include "imsg/link.h"
#include "lib/id.h"
#include "lib/log.h"

#define FACTS_AGAIN_S 2

void
facts_handle_exited(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrExited *e = m->body;
	struct ctr *c = ctr_by_id(ctx, e->id);

	(void)call;
	if (c != NULL)
		ctr_exited(c, e);
}

static void
facts_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	facts_ask(arg);
}

/* execd may be about to finish a start that its death interrupted. */
static void
facts_ask_again(struct front *front)
{
	struct timeval tv = { FACTS_AGAIN_S, 0 };

	if (front->facts_timer == NULL)
		front->facts_timer =
		    evtimer_new(front->base, facts_timer, front);
	if (front->facts_timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(front->facts_timer, &tv);
}

static void
facts_running(struct ctr *c, const Criod__CtrFact *f)
{
	if (f->state == CRIOD__CTR_FACT__STATE__CREATED) {
		if (c->start_lost)
			facts_ask_again(c->front);
		c->start_lost = false;
		return;
	}
	if (c->started_at == 0)
		c->started_at = f->started_at;
	if (c->state == CTR_CREATED && !c->starting &&
	    f->state == CRIOD__CTR_FACT__STATE__RUNNING) {
		ctr_set_state(c, CTR_RUNNING);
		ctr_save(c);
		events_ctr_started(c);
	}
	if (f->state == CRIOD__CTR_FACT__STATE__EXITED && f->exit != NULL)
		ctr_exited(c, f->exit);
}

static int
facts_compare(const void *a, const void *b)
{
	const Criod__CtrFact *const *x = a;
	const Criod__CtrFact *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static const Criod__CtrFact *
facts_find(const Criod__CtrFacts *m, const char *id)
{
	Criod__CtrFact key = CRIOD__CTR_FACT__INIT;
	Criod__CtrFact *k = &key;
	Criod__CtrFact *const *found;

	key.id = pb_str(id);
	found = m->n_containers == 0
		    ? NULL
		    : bsearch(&k, m->containers, m->n_containers,
			  sizeof(m->containers[0]), facts_compare);
	return found == NULL ? NULL : *found;
}

static bool
facts_has_pod(const Criod__CtrFacts *m, const char *id)
{
	for (size_t i = 0; i < m->n_pods; i++) {
		if (strcmp(m->pods[i], id) == 0)
			return true;
	}
	return false;
}

/* Only what was settled when the question left is compared. */
static void
facts_take_ctrs(struct front *front, const Criod__CtrFacts *m)
{
	struct ctr *c;

	TAILQ_FOREACH(c, &front->ctrs, entry) {
		const Criod__CtrFact *f = facts_find(m, c->id);

		if (!c->asked || c->state == CTR_NEW)
			continue;
		if (f != NULL)
			facts_running(c, f);
		else if (c->remove == NULL)
			ctr_lost(c, "its process is gone, and no record of "
				    "how it ended was found");
	}
}

static void
facts_lost(struct pod *pod, const char *what)
{
	if (pod->state != POD_READY || pod->parked || pod->stop != NULL)
		return;
	log_error("pod %s: %s", pod->id, what);
	pod_set_state(pod, POD_NOTREADY);
	pod_save(pod);
	events_pod_stopped(pod);
	if (!pod->net_done)
		pod_net_retry(pod);
}

/* The kubelet makes another one then. */
void
facts_handle_lost(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__PodId *body = m->body;
	struct pod *pod = pod_by_id(ctx, body->id);

	(void)call;
	if (pod == NULL)
		return;
	pod->lost = pod->state == POD_NEW || pod->parked;
	facts_lost(pod, "the first process of its PID namespace has ended");
}

static void
facts_take_pods(struct front *front, const Criod__CtrFacts *m)
{
	struct pod *pod;

	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (pod->asked && !facts_has_pod(m, pod->id))
			facts_lost(pod, "its namespaces are gone");
	}
}

static void
facts_take_unknown(struct front *front, const Criod__CtrFacts *m)
{
	for (size_t i = 0; i < m->n_containers; i++) {
		const char *id = m->containers[i]->id;

		if (id_valid(id) && ctr_by_id(front, id) == NULL &&
		    !foreign_has(front, KEEP_CTR, id))
			orphan_ctr(front, id);
	}
	for (size_t i = 0; i < m->n_pods; i++) {
		if (id_valid(m->pods[i]) &&
		    pod_by_id(front, m->pods[i]) == NULL &&
		    !foreign_has(front, KEEP_POD, m->pods[i]))
			orphan_pod(front, m->pods[i]);
	}
}

static void
facts_answer(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct front *front = arg;
	const Criod__CtrFacts *facts;

	front->facts_asked = false;
	if (err != NULL) {
		log_warn("what runs is not known: %s", err->text);
	} else {
		facts = m->body;
		if (facts->n_containers > 0)
			qsort(facts->containers, facts->n_containers,
			    sizeof(facts->containers[0]), facts_compare);
		facts_take_ctrs(front, facts);
		facts_take_pods(front, facts);
		facts_take_unknown(front, facts);
	}
	serve_begin(front);
}

void
facts_ask(struct front *front)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;
	struct pod *pod;
	struct ctr *c;

	if (front->facts_asked)
		return;
	front->facts_asked = true;
	TAILQ_FOREACH(c, &front->ctrs, entry)
		c->asked = c->state != CTR_NEW;
	TAILQ_FOREACH(pod, &front->pods, entry)
		pod->asked = pod->state == POD_READY;
	(void)link_request(front->execd, MSG_CTR_LIST, &none, NULL, 0,
	    mono_after_ms(FRONT_QUERY_MS), facts_answer, front);
}

static void
facts_runtimes(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct front *front = arg;

	if (err != NULL) {
		log_warn("runtimes are not known: %s", err->text);
		return;
	}
	pb_free(front->runtimes);
	front->runtimes = pb_copy(m->body);
}

void
facts_handle_runtimes(void *ctx, struct link_call *call, struct link_msg *m)
{
	(void)call;
	facts_runtimes(ctx, m, NULL);
}

static void
facts_hurry(struct front *front)
{
	struct pod *pod;
	struct ctr *c;

	TAILQ_FOREACH(pod, &front->pods, entry)
		pod_hurry(pod);
	TAILQ_FOREACH(c, &front->ctrs, entry)
		ctr_hurry(c);
	orphan_hurry(front);
}

/*
 * The writable layers of containers that were made in the last moment before
 * a power cut: there is neither a record of them nor a copy.
 */
static void
facts_dirs_answer(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct front *front = arg;
	const Criod__CtrDirs *dirs;

	front->dirs_asked = false;
	if (err != NULL) {
		log_warn("writable layers without a container: %s", err->text);
		return;
	}
	front->dirs_done = true;
	dirs = m->body;
	for (size_t i = 0; i < dirs->n_ids; i++) {
		const char *id = dirs->ids[i];

		if (!id_valid(id) || ctr_by_id(front, id) != NULL ||
		    foreign_has(front, KEEP_CTR, id))
			continue;
		log_info("container %s: nothing is known of it; its writable "
			 "layer is removed",
		    id);
		orphan_ctr(front, id);
	}
}

static void
facts_ask_dirs(struct front *front)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;

	if (!front->keep.rebooted || front->dirs_done || front->dirs_asked)
		return;
	front->dirs_asked = true;
	(void)link_request(front->execd, MSG_CTR_DIRS, &none, NULL, 0,
	    mono_after_ms(FRONT_CTR_MS), facts_dirs_answer, front);
}

void
facts_execd_back(struct front *front)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;

	(void)link_request(front->execd, MSG_RUNTIMES, &none, NULL, 0,
	    mono_after_ms(FRONT_QUERY_MS), facts_runtimes, front);
	facts_ask(front);
	facts_ask_dirs(front);
	facts_hurry(front);
}

static void
facts_gc_answer(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)arg;
	(void)m;
	if (err != NULL)
		log_warn("networks of lost pods: %s", err->text);
}

static void
facts_gc(struct front *front)
{
	Criod__NetGc gc = CRIOD__NET_GC__INIT;
	size_t nforeign = foreign_ids(front, KEEP_POD, NULL);
	char **ids = pb_calloc(front->npods + nforeign, sizeof(*ids));
	struct pod *pod;

	gc.n_pod_ids = foreign_ids(front, KEEP_POD, ids);
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (!pod->net_done && pod->state != POD_GONE)
			ids[gc.n_pod_ids++] = pod->id;
	}
	gc.pod_ids = ids;
	(void)link_request(front->netd, MSG_NET_GC, &gc, NULL, 0,
	    mono_after_ms(FRONT_CTR_MS), facts_gc_answer, front);
	free(ids);
}

void
facts_netd_back(struct front *front)
{
	if (!front->gc_done)
		facts_gc(front);
	front->gc_done = true;
	facts_hurry(front);
}
