#include <event2/event.h>

#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/stats.h"
#include "criod/stream_list.h"
#include "imsg/link.h"
#include "lib/log.h"

#define STATS_RETRY_US (20 * 1000)

struct stats_asked {
	struct front *front;
	struct grpc_call *call;
	const void *request;
	const struct stats_kind *kind;
	uint64_t after, last; /* last: of the piece that was asked for */
	uint32_t id;	      /* of the request, or 0 */
	struct event *timer;
};

static bool
stats_is_stream(const struct stats_asked *a)
{
	return grpc_kind(a->call) == GRPC_SERVER_STREAM;
}

static void
stats_asked_free(struct stats_asked *a)
{
	event_free(a->timer);
	free(a);
}

static void
stats_asked_fail(struct stats_asked *a, const struct cerr *err)
{
	grpc_on_cancel(a->call, NULL, NULL);
	grpc_fail(a->call, err);
	stats_asked_free(a);
}

static void
stats_left(void *arg)
{
	struct stats_asked *a = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	if (a->id != 0)
		link_cancel(a->front->execd, a->id);
	grpc_fail(a->call, &err);
	stats_asked_free(a);
}

static void
stats_again(struct stats_asked *a, long us)
{
	struct timeval tv = { 0, us };

	(void)evtimer_add(a->timer, &tv);
}

static void
stats_answered(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct stats_asked *a = arg;

	a->id = 0;
	if (err != NULL) {
		stats_asked_fail(a, err);
		return;
	}
	if (!stats_is_stream(a)) {
		grpc_on_cancel(a->call, NULL, NULL);
		(void)a->kind->answer(a->front, a->call, m->body);
		stats_asked_free(a);
		return;
	}
	if (a->kind->answer(a->front, a->call, m->body) == -1) {
		stats_again(a, STATS_RETRY_US);
		return;
	}
	a->after = a->last;
	stats_again(a, 0);
}

static void
stats_get_clear(Criod__StatsGet *get)
{
	free(get->containers);
	free(get->pods);
	free(get->networks);
}

/* The next piece, or all. */
static void
stats_turn(evutil_socket_t fd, short what, void *arg)
{
	struct stats_asked *a = arg;
	struct front *front = a->front;
	Criod__StatsGet get = CRIOD__STATS_GET__INIT;
	size_t n;

	(void)fd;
	(void)what;
	a->last = a->after;
	n = a->kind->gather(front, a->request, &a->last,
	    stats_is_stream(a) ? STREAM_CHUNK : front->nctrs + front->npods + 1,
	    &get);
	if (n == 0 && stats_is_stream(a)) {
		grpc_on_cancel(a->call, NULL, NULL);
		grpc_end(a->call);
		stats_asked_free(a);
	} else {
		a->id = link_request(front->execd, MSG_STATS_GET, &get, NULL, 0,
		    mono_after_ms(FRONT_QUERY_MS), stats_answered, a);
	}
	stats_get_clear(&get);
}

void
stats_ask(struct front *front, struct grpc_call *call, const void *request,
    const struct stats_kind *kind)
{
	struct stats_asked *a = pb_calloc(1, sizeof(*a));

	a->front = front;
	a->call = call;
	a->request = request;
	a->kind = kind;
	a->timer = evtimer_new(front->base, stats_turn, a);
	if (a->timer == NULL)
		fatalx("evtimer_new");
	stats_again(a, 0);
	grpc_on_cancel(call, stats_left, a);
}

/* ---- what is asked for ---- */

static void
stats_add(char ***list, size_t *n, const char *id)
{
	/* A power of two is full. */
	if ((*n & (*n - 1)) == 0) {
		*list =
		    reallocarray(*list, *n == 0 ? 1 : 2 * *n, sizeof(**list));
		if (*list == NULL)
			fatal("reallocarray");
	}
	(*list)[(*n)++] = pb_str(id);
}

void
stats_want_ctr(Criod__StatsGet *get, const struct ctr *c)
{
	stats_add(&get->containers, &get->n_containers, c->id);
}

/* Pods that name no cgroup share one, whose numbers say nothing of a pod. */
static bool
stats_own_cgroup(const struct pod *pod)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;

	return l != NULL && l->cgroup_parent[0] != '\0';
}

void
stats_want_pod(Criod__StatsGet *get, const struct pod *pod)
{
	const struct ctr *c;

	if (pod->state == POD_READY && stats_own_cgroup(pod))
		stats_add(&get->pods, &get->n_pods, pod->id);
	else if (pod->state == POD_READY)
		stats_add(&get->networks, &get->n_networks, pod->id);
	TAILQ_FOREACH(c, &pod->front->ctrs, entry) {
		if (c->pod == pod && ctr_visible(c) && c->state != CTR_EXITED)
			stats_want_ctr(get, c);
	}
}
