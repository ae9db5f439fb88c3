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

struct list {
	void *items;
	void **list; /* to each of them */
	size_t n;
};

/* At most max of those made after the one numbered *after. */
static void
list_gather_pods(const struct front *front,
    const Runtime__V1__PodSandboxFilter *f, uint64_t *after, size_t max,
    struct list *l)
{
	Runtime__V1__PodSandbox *items = pb_calloc(max, sizeof(*items));
	const struct pod *pod;

	*l = (struct list){ items, pb_calloc(max, sizeof(*l->list)), 0 };
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (l->n == max)
			break;
		if (pod->seq <= *after || !pod_visible(pod) ||
		    !filter_match_pod(pod, f))
			continue;
		view_pod_item(pod, &items[l->n]);
		l->list[l->n] = &items[l->n];
		l->n++;
		*after = pod->seq;
	}
}

static void
list_gather_ctrs(const struct front *front,
    const Runtime__V1__ContainerFilter *f, uint64_t *after, size_t max,
    struct list *l)
{
	struct view_ctr_item *items = pb_calloc(max, sizeof(*items));
	const struct ctr *c;

	*l = (struct list){ items, pb_calloc(max, sizeof(*l->list)), 0 };
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (l->n == max)
			break;
		if (c->seq <= *after || !ctr_visible(c) ||
		    !filter_match_ctr(c, f))
			continue;
		view_ctr_item(c, &items[l->n]);
		l->list[l->n] = &items[l->n].item;
		l->n++;
		*after = c->seq;
	}
}

/* All, or one piece; clears l. */
static int
list_send(struct grpc_call *call, struct list *l)
{
	int ret = stream_list_send(call, l->list, l->n);

	free(l->items);
	free(l->list);
	return ret;
}

void
list_handle_pods(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ListPodSandboxRequest *r = request_;
	struct front *front = ctx;
	uint64_t after = 0;
	struct list l;

	list_gather_pods(front, r->filter, &after, front->npods, &l);
	(void)list_send(call, &l);
}

void
list_handle_ctrs(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ListContainersRequest *r = request_;
	struct front *front = ctx;
	uint64_t after = 0;
	struct list l;

	list_gather_ctrs(front, r->filter, &after, front->nctrs, &l);
	(void)list_send(call, &l);
}

/* ---- the same in pieces ---- */

/* The piece up to the one numbered last; as stream_fn. */
static int
list_send_piece(struct grpc_call *call, struct list *l, uint64_t last,
    uint64_t *after)
{
	size_t n = l->n;

	if (list_send(call, l) == -1)
		return -1;
	*after = last;
	return n > 0;
}

static int
list_send_pods(struct front *front, struct grpc_call *call, const void *request,
    uint64_t *after)
{
	const Runtime__V1__StreamPodSandboxesRequest *r = request;
	uint64_t last = *after;
	struct list l;

	list_gather_pods(front, r->filter, &last, STREAM_CHUNK, &l);
	return list_send_piece(call, &l, last, after);
}

static int
list_send_ctrs(struct front *front, struct grpc_call *call, const void *request,
    uint64_t *after)
{
	const Runtime__V1__StreamContainersRequest *r = request;
	uint64_t last = *after;
	struct list l;

	list_gather_ctrs(front, r->filter, &last, STREAM_CHUNK, &l);
	return list_send_piece(call, &l, last, after);
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
