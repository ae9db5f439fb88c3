#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/nri.h"
#include "criod/nri_msg.h"
#include "criod/op.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "lib/log.h"

#define NRI_EVENT_MS (120 * 1000) /* several plugins, and those before */
#define NRI_CHUNK    (4U * 1024 * 1024)

/* ---- steps ---- */

static void
nri_event(Criod__NriEvent *e, struct nri_pod_msg *p, struct nri_ctr_msg *c,
    const struct pod *pod, const struct ctr *ctr, Nri__Event event)
{
	criod__nri_event__init(e);
	e->event = event;
	nri_msg_pod(p, pod);
	e->pod = &p->pod;
	if (ctr == NULL)
		return;
	nri_msg_ctr(c, ctr);
	e->container = &c->ctr;
}

void
nri_pod_must(struct pod *pod, struct op *op, Nri__Event event)
{
	struct nri_pod_msg p;
	Criod__NriEvent e;

	if (!pod->front->boot->nri) {
		op_next(op, NULL);
		return;
	}
	nri_event(&e, &p, NULL, pod, NULL, event);
	op_request(op, pod->front->nrid, MSG_NRI_EVENT, &e, NRI_EVENT_MS, NULL);
}

/* What goes away goes away, whatever plugins say. */
static void
nri_may_end(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)m;
	if (err != NULL)
		log_warn("NRI: %s", err->text);
	op_next(arg, NULL);
}

void
nri_pod_may(struct pod *pod, struct op *op, Nri__Event event)
{
	struct nri_pod_msg p;
	Criod__NriEvent e;

	if (!pod->front->boot->nri) {
		op_next(op, NULL);
		return;
	}
	nri_event(&e, &p, NULL, pod, NULL, event);
	(void)link_request(pod->front->nrid, MSG_NRI_EVENT, &e, NULL, 0,
	    mono_after_ms(NRI_EVENT_MS), nri_may_end, op);
}

bool
nri_ctr_ask(struct ctr *c, Nri__Event event, link_reply_fn fn, void *arg)
{
	struct nri_pod_msg p;
	struct nri_ctr_msg m;
	Criod__NriEvent e;

	if (!c->front->boot->nri || c->pod == NULL)
		return false;
	nri_event(&e, &p, &m, c->pod, c, event);
	(void)link_request(c->front->nrid, MSG_NRI_EVENT, &e, NULL, 0,
	    mono_after_ms(NRI_EVENT_MS), fn, arg);
	return true;
}

void
nri_ctr_may(struct ctr *c, struct op *op, Nri__Event event)
{
	if (!nri_ctr_ask(c, event, nri_may_end, op))
		op_next(op, NULL);
}

static void
nri_told(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)arg;
	(void)m;
	if (err != NULL)
		log_warn("NRI: %s", err->text);
}

void
nri_ctr_tell(struct ctr *c, Nri__Event event)
{
	(void)nri_ctr_ask(c, event, nri_told, NULL);
}

bool
nri_ctr_update(struct ctr *c,
    const Runtime__V1__LinuxContainerResources *change, link_reply_fn fn,
    void *arg)
{
	struct nri_resources_msg r;
	struct nri_pod_msg p;
	struct nri_ctr_msg m;
	Criod__NriEvent e;

	if (!c->front->boot->nri || c->pod == NULL)
		return false;
	nri_event(&e, &p, &m, c->pod, c, NRI__EVENT__UPDATE_CONTAINER);
	e.resources = nri_msg_resources(&r, change);
	(void)link_request(c->front->nrid, MSG_NRI_EVENT, &e, NULL, 0,
	    mono_after_ms(NRI_EVENT_MS), fn, arg);
	return true;
}

bool
nri_pod_update(struct pod *pod,
    const Runtime__V1__LinuxContainerResources *overhead,
    const Runtime__V1__LinuxContainerResources *resources, link_reply_fn fn,
    void *arg)
{
	struct nri_resources_msg o, r;
	struct nri_pod_msg p;
	Criod__NriEvent e;

	if (!pod->front->boot->nri)
		return false;
	nri_event(&e, &p, NULL, pod, NULL, NRI__EVENT__UPDATE_POD_SANDBOX);
	e.overhead = nri_msg_resources(&o, overhead);
	e.resources = nri_msg_resources(&r, resources);
	(void)link_request(pod->front->nrid, MSG_NRI_EVENT, &e, NULL, 0,
	    mono_after_ms(NRI_EVENT_MS), fn, arg);
	return true;
}

void
nri_pod_tell(struct pod *pod, Nri__Event event)
{
	struct nri_pod_msg p;
	Criod__NriEvent e;

	if (!pod->front->boot->nri)
		return;
	nri_event(&e, &p, NULL, pod, NULL, event);
	(void)link_request(pod->front->nrid, MSG_NRI_EVENT, &e, NULL, 0,
	    mono_after_ms(NRI_EVENT_MS), nri_told, NULL);
}

/* ---- the whole state ---- */

/* What fits into one message. */
struct nri_list {
	struct front *front;
	Nri__SynchronizeRequest body;
	struct nri_pod_msg *pods;
	struct nri_ctr_msg *ctrs;
	size_t size;
};

static void
nri_list_send(struct nri_list *l, bool more)
{
	l->body.more = more;
	(void)link_send(l->front->nrid, MSG_NRI_STATE, &l->body, NULL, 0);
	l->body.n_pods = 0;
	l->body.n_containers = 0;
	l->size = 0;
}

static void
nri_list_room(struct nri_list *l, const void *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);

	if (l->size > 0 && l->size + size > NRI_CHUNK)
		nri_list_send(l, true);
	l->size += size;
}

static void
nri_list_pod(struct nri_list *l, const struct pod *pod, size_t i)
{
	nri_msg_pod(&l->pods[i], pod);
	nri_list_room(l, &l->pods[i].pod);
	l->body.pods[l->body.n_pods++] = &l->pods[i].pod;
}

static void
nri_list_ctr(struct nri_list *l, const struct ctr *c, size_t i)
{
	nri_msg_ctr(&l->ctrs[i], c);
	nri_list_room(l, &l->ctrs[i].ctr);
	l->body.containers[l->body.n_containers++] = &l->ctrs[i].ctr;
}

void
nri_attached(struct front *front)
{
	struct nri_list l = { .front = front };
	const struct pod *pod;
	const struct ctr *c;
	size_t n = 0;

	nri__synchronize_request__init(&l.body);
	l.pods = pb_calloc(front->npods + 1, sizeof(*l.pods));
	l.ctrs = pb_calloc(front->nctrs + 1, sizeof(*l.ctrs));
	l.body.pods = pb_calloc(front->npods + 1, sizeof(*l.body.pods));
	l.body.containers =
	    pb_calloc(front->nctrs + 1, sizeof(*l.body.containers));
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (pod->state == POD_READY || pod->state == POD_NOTREADY)
			nri_list_pod(&l, pod, n++);
	}
	n = 0;
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (c->state != CTR_NEW && c->pod != NULL)
			nri_list_ctr(&l, c, n++);
	}
	nri_list_send(&l, false);
	free(l.pods);
	free(l.ctrs);
	free(l.body.pods);
	free(l.body.containers);
}

/* ---- what plugins want ---- */

void
nri_handle_evict(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Nri__ContainerEviction *e = m->body;
	struct ctr *c = ctr_by_id(ctx, e->container_id);

	(void)call;
	if (c == NULL || !ctr_visible(c) || c->state == CTR_EXITED)
		return;
	log_info("container %s: an NRI plugin evicts it: %.256s", c->id,
	    e->reason);
	ctr_stop(c, 0, NULL, NULL);
}
