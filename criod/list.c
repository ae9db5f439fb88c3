#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/filter_match.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/stream_list.h"
#include "criod/view.h"

/* Lists answer from memory, whatever else is going on. */

struct list_pods {
	Runtime__V1__PodSandbox *items;
	Runtime__V1__PodSandbox **list;
	size_t n;
};

struct list_ctrs {
	struct view_ctr_item *items;
	Runtime__V1__Container **list;
	size_t n;
};

/* At most max of those made after the one numbered *after. */
static void
list_gather_pods(const struct front *front,
    const Runtime__V1__PodSandboxFilter *f, uint64_t *after, size_t max,
    struct list_pods *l)
{
	const struct pod *pod;

	l->items = pb_calloc(max, sizeof(*l->items));
	l->list = pb_calloc(max, sizeof(*l->list));
	l->n = 0;
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (l->n == max)
			break;
		if (pod->seq <= *after || !pod_visible(pod) ||
		    !filter_match_pod(pod, f))
			continue;
		view_pod_item(pod, &l->items[l->n]);
		l->list[l->n] = &l->items[l->n];
		l->n++;
		*after = pod->seq;
	}
}

static void
list_gather_ctrs(const struct front *front,
    const Runtime__V1__ContainerFilter *f, uint64_t *after, size_t max,
    struct list_ctrs *l)
{
	const struct ctr *c;

	l->items = pb_calloc(max, sizeof(*l->items));
	l->list = pb_calloc(max, sizeof(*l->list));
	l->n = 0;
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (l->n == max)
			break;
		if (c->seq <= *after || !ctr_visible(c) ||
		    !filter_match_ctr(c, f))
			continue;
		view_ctr_item(c, &l->items[l->n]);
		l->list[l->n] = &l->items[l->n].item;
		l->n++;
		*after = c->seq;
	}
}

void
list_handle_pods(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ListPodSandboxRequest *r = request_;
	Runtime__V1__ListPodSandboxResponse resp =
	    RUNTIME__V1__LIST_POD_SANDBOX_RESPONSE__INIT;
	struct front *front = ctx;
	struct list_pods l;
	uint64_t after = 0;

	list_gather_pods(front, r->filter, &after, front->npods, &l);
	resp.n_items = l.n;
	resp.items = l.list;
	grpc_reply(call, &resp);
	free(l.items);
	free(l.list);
}

void
list_handle_ctrs(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ListContainersRequest *r = request_;
	Runtime__V1__ListContainersResponse resp =
	    RUNTIME__V1__LIST_CONTAINERS_RESPONSE__INIT;
	struct front *front = ctx;
	struct list_ctrs l;
	uint64_t after = 0;

	list_gather_ctrs(front, r->filter, &after, front->nctrs, &l);
	resp.n_containers = l.n;
	resp.containers = l.list;
	grpc_reply(call, &resp);
	free(l.items);
	free(l.list);
}

/* ---- the same in pieces ---- */

/* Sends one piece of n items, up to the one numbered last; as stream_fn. */
static int
list_send(struct grpc_call *call, const void *piece, size_t n, uint64_t last,
    uint64_t *after)
{
	if (n == 0)
		return 0;
	if (grpc_stream(call, piece) == -1)
		return -1;
	*after = last;
	return 1;
}

static int
list_send_pods(struct front *front, struct grpc_call *call, const void *request,
    uint64_t *after)
{
	const Runtime__V1__StreamPodSandboxesRequest *r = request;
	Runtime__V1__StreamPodSandboxesResponse resp =
	    RUNTIME__V1__STREAM_POD_SANDBOXES_RESPONSE__INIT;
	uint64_t last = *after;
	struct list_pods l;
	int sent;

	list_gather_pods(front, r->filter, &last, STREAM_CHUNK, &l);
	resp.n_pod_sandboxes = l.n;
	resp.pod_sandboxes = l.list;
	sent = list_send(call, &resp, l.n, last, after);
	free(l.items);
	free(l.list);
	return sent;
}

static int
list_send_ctrs(struct front *front, struct grpc_call *call, const void *request,
    uint64_t *after)
{
	const Runtime__V1__StreamContainersRequest *r = request;
	Runtime__V1__StreamContainersResponse resp =
	    RUNTIME__V1__STREAM_CONTAINERS_RESPONSE__INIT;
	uint64_t last = *after;
	struct list_ctrs l;
	int sent;

	list_gather_ctrs(front, r->filter, &last, STREAM_CHUNK, &l);
	resp.n_containers = l.n;
	resp.containers = l.list;
	sent = list_send(call, &resp, l.n, last, after);
	free(l.items);
	free(l.list);
	return sent;
}

void
list_handle_stream_pods(void *ctx, struct grpc_call *call, const void *request_)
{
	stream_list_begin(ctx, call, request_, list_send_pods);
}

void
list_handle_stream_ctrs(void *ctx, struct grpc_call *call, const void *request_)
{
	stream_list_begin(ctx, call, request_, list_send_ctrs);
}
