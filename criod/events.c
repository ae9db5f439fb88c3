#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/events.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/view.h"
#include "lib/log.h"
#include "lib/mono.h"

struct events_client {
	TAILQ_ENTRY(events_client) entry;
	struct events *events;
	struct grpc_call *call;
};

enum {
	EVENTS_CREATED =
	    RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT,
	EVENTS_STARTED =
	    RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT,
	EVENTS_STOPPED =
	    RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT,
	EVENTS_DELETED =
	    RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT,
};

void
events_init(struct events *e)
{
	TAILQ_INIT(&e->clients);
}

int64_t
events_now(struct events *e)
{
	int64_t now = wall_now_ns();

	e->last = now > e->last ? now : e->last + 1;
	return e->last;
}

/* ---- clients ---- */

static void
events_drop(struct events_client *cl, const struct cerr *err)
{
	grpc_on_cancel(cl->call, NULL, NULL);
	grpc_fail(cl->call, err);
	TAILQ_REMOVE(&cl->events->clients, cl, entry);
	cl->events->nclients--;
	free(cl);
}

static void
events_left(void *arg)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	events_drop(arg, &err);
}

void
events_handle_get(void *ctx, struct grpc_call *call, const void *request_)
{
	struct front *front = ctx;
	struct events *e = &front->events;
	struct events_client *cl;
	struct cerr err;

	(void)request_;
	if (e->nclients == EVENTS_CLIENTS_MAX) {
		(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED,
		    "there are %d clients of events already",
		    EVENTS_CLIENTS_MAX);
		grpc_fail(call, &err);
		return;
	}
	cl = pb_calloc(1, sizeof(*cl));
	cl->events = e;
	cl->call = call;
	TAILQ_INSERT_TAIL(&e->clients, cl, entry);
	e->nclients++;
	grpc_begin(call);
	grpc_on_cancel(call, events_left, cl);
}

static void
events_send(struct events *e, const Runtime__V1__ContainerEventResponse *ev)
{
	struct events_client *cl, *next;
	struct cerr err;

	for (cl = TAILQ_FIRST(&e->clients); cl != NULL; cl = next) {
		next = TAILQ_NEXT(cl, entry);
		if (grpc_queued(cl->call) <= EVENTS_BACKLOG_MAX &&
		    grpc_stream(cl->call, ev) == 0)
			continue;
		log_warn("%s reads events too slowly: its stream ends",
		    grpc_peer(cl->call));
		(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED,
		    "events were lost: the client reads too slowly");
		events_drop(cl, &err);
	}
}

/* ---- what is told ---- */

/* without: a container that is no more, or NULL. */
static void
events_tell(struct pod *pod, const char *id, const struct ctr *without,
    int type)
{
	Runtime__V1__ContainerEventResponse ev =
	    RUNTIME__V1__CONTAINER_EVENT_RESPONSE__INIT;
	struct events *e = &pod->front->events;
	struct view_pod_status status;
	struct view_pod_ctrs ctrs;

	if (e->nclients == 0)
		return;
	view_pod_status(pod, &status);
	view_pod_ctrs(pod, without, &ctrs);
	ev.container_id = pb_str(id);
	ev.container_event_type = (Runtime__V1__ContainerEventType)type;
	ev.created_at = events_now(e);
	ev.pod_sandbox_status = &status.status;
	ev.n_containers_statuses = ctrs.n;
	ev.containers_statuses = ctrs.list;
	events_send(e, &ev);
	view_pod_ctrs_clear(&ctrs);
}

void
events_pod_created(struct pod *pod)
{
	events_tell(pod, pod->id, NULL, EVENTS_CREATED);
	events_tell(pod, pod->id, NULL, EVENTS_STARTED);
}

void
events_pod_stopped(struct pod *pod)
{
	if (pod_visible(pod))
		events_tell(pod, pod->id, NULL, EVENTS_STOPPED);
}

void
events_pod_deleted(struct pod *pod)
{
	if (!pod->parked)
		events_tell(pod, pod->id, NULL, EVENTS_DELETED);
}

static void
events_ctr(struct ctr *c, int type)
{
	if (c->pod != NULL && ctr_visible(c))
		events_tell(c->pod, c->id, type == EVENTS_DELETED ? c : NULL,
		    type);
}

void
events_ctr_created(struct ctr *c)
{
	events_ctr(c, EVENTS_CREATED);
	if (c->state == CTR_EXITED)
		events_ctr_stopped(c);
}

void
events_ctr_started(struct ctr *c)
{
	events_ctr(c, EVENTS_STARTED);
	c->start_told = true;
}

void
events_ctr_stopped(struct ctr *c)
{
	if (c->started_at != 0 && !c->start_told)
		events_ctr_started(c);
	events_ctr(c, EVENTS_STOPPED);
}

void
events_ctr_deleted(struct ctr *c)
{
	events_ctr(c, EVENTS_DELETED);
}
