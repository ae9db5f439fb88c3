#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "criod/ctr.h"
#include "criod/filter_match.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/stats.h"
#include "criod/stream_list.h"
#include "criod/view.h"

/* ---- views ---- */

struct stats_ctr {
	Runtime__V1__ContainerStats stats;
	Runtime__V1__ContainerAttributes attributes;
};

struct stats_pod {
	Runtime__V1__PodSandboxStats stats;
	Runtime__V1__PodSandboxAttributes attributes;
	Runtime__V1__LinuxPodSandboxStats linux_stats;
	/* Sums over its containers. */
	Runtime__V1__CpuUsage cpu;
	Runtime__V1__MemoryUsage memory;
	Runtime__V1__ProcessUsage process;
	Runtime__V1__UInt64Value sums[8];
};

/* Answers: views of all that execd knew. */
struct stats_lists {
	struct stats_ctr *ctrs;
	Runtime__V1__ContainerStats **ctr_list;
	size_t nctrs;
	const char **pod_of; /* of each of ctrs */
	struct stats_pod *pods;
	Runtime__V1__PodSandboxStats **pod_list;
	size_t npods;
};

/* item may be NULL: nothing is known but who it is. */
static void
stats_view_ctr(struct stats_ctr *v, const struct ctr *c,
    const Criod__StatsItem *item)
{
	const Runtime__V1__ContainerConfig *cfg = c->config;

	runtime__v1__container_stats__init(&v->stats);
	runtime__v1__container_attributes__init(&v->attributes);
	v->stats.attributes = &v->attributes;
	v->attributes.id = pb_str(c->id);
	view_describe(&v->attributes, cfg);
	if (item == NULL)
		return;
	v->stats.cpu = item->cpu;
	v->stats.memory = item->memory;
	v->stats.swap = item->swap;
	v->stats.io = item->io;
	v->stats.writable_layer = item->writable_layer;
}

static void
stats_view_pod(struct stats_pod *v, const struct pod *pod,
    const Criod__StatsItem *item)
{
	const Runtime__V1__PodSandboxConfig *cfg = pod->config;

	memset(v, 0, sizeof(*v));
	runtime__v1__pod_sandbox_stats__init(&v->stats);
	runtime__v1__pod_sandbox_attributes__init(&v->attributes);
	runtime__v1__linux_pod_sandbox_stats__init(&v->linux_stats);
	v->stats.attributes = &v->attributes;
	v->stats.linux = &v->linux_stats;
	v->attributes.id = pb_str(pod->id);
	view_describe(&v->attributes, cfg);
	if (item == NULL)
		return;
	v->linux_stats.cpu = item->cpu;
	v->linux_stats.memory = item->memory;
	v->linux_stats.io = item->io;
	v->linux_stats.process = item->process;
	v->linux_stats.network = item->network;
}

static const Criod__StatsItem *
stats_item(Criod__StatsItem *const *items, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(items[i]->id, id) == 0)
			return items[i];
	}
	return NULL;
}

/* ---- sums ---- */

static void
stats_sum(Runtime__V1__UInt64Value **to, Runtime__V1__UInt64Value *sum,
    const Runtime__V1__UInt64Value *v)
{
	if (v == NULL)
		return;
	if (*to == NULL)
		runtime__v1__uint64_value__init(sum);
	*to = sum;
	sum->value += v->value;
}

static void
stats_sum_cpu(struct stats_pod *v, const Runtime__V1__CpuUsage *cpu)
{
	if (cpu == NULL)
		return;
	if (v->linux_stats.cpu == NULL)
		runtime__v1__cpu_usage__init(&v->cpu);
	v->linux_stats.cpu = &v->cpu;
	v->cpu.timestamp = cpu->timestamp;
	stats_sum(&v->cpu.usage_core_nano_seconds, &v->sums[0],
	    cpu->usage_core_nano_seconds);
	stats_sum(&v->cpu.usage_nano_cores, &v->sums[1], cpu->usage_nano_cores);
}

static void
stats_sum_memory(struct stats_pod *v, const Runtime__V1__MemoryUsage *m)
{
	if (m == NULL)
		return;
	if (v->linux_stats.memory == NULL)
		runtime__v1__memory_usage__init(&v->memory);
	v->linux_stats.memory = &v->memory;
	v->memory.timestamp = m->timestamp;
	stats_sum(&v->memory.working_set_bytes, &v->sums[2],
	    m->working_set_bytes);
	stats_sum(&v->memory.usage_bytes, &v->sums[3], m->usage_bytes);
	stats_sum(&v->memory.rss_bytes, &v->sums[4], m->rss_bytes);
	stats_sum(&v->memory.page_faults, &v->sums[5], m->page_faults);
	stats_sum(&v->memory.major_page_faults, &v->sums[6],
	    m->major_page_faults);
}

static void
stats_sum_process(struct stats_pod *v, const Runtime__V1__ProcessUsage *p)
{
	if (p == NULL)
		return;
	if (v->linux_stats.process == NULL)
		runtime__v1__process_usage__init(&v->process);
	v->linux_stats.process = &v->process;
	v->process.timestamp = p->timestamp;
	stats_sum(&v->process.process_count, &v->sums[7], p->process_count);
}

/* Where a pod has no cgroup of its own. */
static void
stats_sum_ctrs(struct stats_pod *v, const char *pod, const struct front *front,
    const Criod__Stats *body)
{
	const struct ctr *c;

	TAILQ_FOREACH(c, &front->ctrs, entry) {
		const Criod__StatsItem *item =
		    strcmp(c->pod_id, pod) != 0
			? NULL
			: stats_item(body->containers, body->n_containers,
			      c->id);

		if (item == NULL)
			continue;
		stats_sum_cpu(v, item->cpu);
		stats_sum_memory(v, item->memory);
		stats_sum_process(v, item->process);
	}
}

/* ---- lists ---- */

static void
stats_lists_ctrs(struct stats_lists *l, struct front *front,
    const Criod__Stats *body)
{
	l->ctrs = pb_calloc(body->n_containers, sizeof(*l->ctrs));
	l->ctr_list = pb_calloc(body->n_containers, sizeof(*l->ctr_list));
	l->pod_of = pb_calloc(body->n_containers, sizeof(*l->pod_of));
	for (size_t i = 0; i < body->n_containers; i++) {
		const Criod__StatsItem *item = body->containers[i];
		const struct ctr *c = ctr_by_id(front, item->id);

		if (c == NULL || !ctr_visible(c))
			continue;
		stats_view_ctr(&l->ctrs[l->nctrs], c, item);
		l->ctr_list[l->nctrs] = &l->ctrs[l->nctrs].stats;
		l->pod_of[l->nctrs++] = c->pod_id;
	}
}

/* Containers of one pod are moved together, so that its list is a part. */
static void
stats_lists_group(struct stats_lists *l, size_t *at, struct stats_pod *v,
    const char *pod)
{
	size_t from = *at;

	for (size_t i = from; i < l->nctrs; i++) {
		Runtime__V1__ContainerStats *s = l->ctr_list[i];
		const char *of = l->pod_of[i];

		if (strcmp(of, pod) != 0)
			continue;
		l->ctr_list[i] = l->ctr_list[*at];
		l->pod_of[i] = l->pod_of[*at];
		l->ctr_list[*at] = s;
		l->pod_of[(*at)++] = of;
	}
	v->linux_stats.containers = l->ctr_list + from;
	v->linux_stats.n_containers = *at - from;
}

static void
stats_lists_pods(struct stats_lists *l, struct front *front,
    const Criod__Stats *body)
{
	size_t at = 0;

	l->pods = pb_calloc(body->n_pods, sizeof(*l->pods));
	l->pod_list = pb_calloc(body->n_pods, sizeof(*l->pod_list));
	for (size_t i = 0; i < body->n_pods; i++) {
		const Criod__StatsItem *item = body->pods[i];
		const struct pod *pod = pod_by_id(front, item->id);
		struct stats_pod *v = &l->pods[l->npods];

		if (pod == NULL || !pod_visible(pod))
			continue;
		stats_view_pod(v, pod, item);
		stats_lists_group(l, &at, v, pod->id);
		if (v->linux_stats.cpu == NULL && v->linux_stats.memory == NULL)
			stats_sum_ctrs(v, pod->id, front, body);
		l->pod_list[l->npods++] = &v->stats;
	}
}

static void
stats_lists_free(struct stats_lists *l)
{
	free(l->ctrs);
	free(l->ctr_list);
	free(l->pod_of);
	free(l->pods);
	free(l->pod_list);
}

/* All four requests of lists and streams have the filter first. */
_Static_assert(
    offsetof(Runtime__V1__ListContainerStatsRequest, filter) ==
	    offsetof(Runtime__V1__StreamContainerStatsRequest, filter) &&
	offsetof(Runtime__V1__ListContainerStatsRequest, filter) ==
	    offsetof(Runtime__V1__ListPodSandboxStatsRequest, filter) &&
	offsetof(Runtime__V1__ListContainerStatsRequest, filter) ==
	    offsetof(Runtime__V1__StreamPodSandboxStatsRequest, filter),
    "the filter's place");

static const void *
stats_filter(const void *request)
{
	const Runtime__V1__ListContainerStatsRequest *r = request;

	return r->filter;
}

/* ---- of containers ---- */

static size_t
stats_gather_ctrs(struct front *front, const void *request, uint64_t *after,
    size_t max, Criod__StatsGet *get)
{
	const Runtime__V1__ContainerStatsFilter *f = stats_filter(request);
	Runtime__V1__ContainerFilter same = RUNTIME__V1__CONTAINER_FILTER__INIT;
	const struct ctr *c;
	size_t n = 0;

	if (f != NULL) {
		same.id = f->id;
		same.pod_sandbox_id = f->pod_sandbox_id;
		same.n_label_selector = f->n_label_selector;
		same.label_selector =
		    PB_MAP(Runtime__V1__ContainerFilter__LabelSelectorEntry,
			f->label_selector);
	}
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (n == max)
			break;
		if (c->seq <= *after || !ctr_visible(c) ||
		    c->state == CTR_EXITED || !filter_match_ctr(c, &same))
			continue;
		stats_want_ctr(get, c);
		*after = c->seq;
		n++;
	}
	return n;
}

static int
stats_answer_ctrs(struct front *front, struct grpc_call *call,
    const Criod__Stats *body)
{
	struct stats_lists l = { 0 };
	int ret;

	stats_lists_ctrs(&l, front, body);
	ret = stream_list_send(call, (void *const *)l.ctr_list, l.nctrs);
	stats_lists_free(&l);
	return ret;
}

/* The one that was asked for by name: also if it has ended. */
static size_t
stats_one_gather_ctr(struct front *front, const void *request, uint64_t *after,
    size_t max, Criod__StatsGet *get)
{
	const Runtime__V1__ContainerStatsRequest *r = request;
	const struct ctr *c = ctr_find(front, r->container_id, NULL);

	(void)after;
	(void)max;
	if (c != NULL)
		stats_want_ctr(get, c);
	return c != NULL;
}

static int
stats_one_ctr(struct front *front, struct grpc_call *call,
    const Criod__Stats *body)
{
	Runtime__V1__ContainerStatsResponse resp =
	    RUNTIME__V1__CONTAINER_STATS_RESPONSE__INIT;
	struct stats_lists l = { 0 };
	struct cerr err;

	stats_lists_ctrs(&l, front, body);
	if (l.nctrs == 1) {
		resp.stats = l.ctr_list[0];
		grpc_reply(call, &resp);
	} else {
		(void)cerr_set(&err, CERR_NOT_FOUND, "the container is gone");
		grpc_fail(call, &err);
	}
	stats_lists_free(&l);
	return 0;
}

void
stats_handle_ctr(void *ctx, struct grpc_call *call, const void *request_)
{
	static const struct stats_kind kind = { stats_one_gather_ctr,
		stats_one_ctr };
	const Runtime__V1__ContainerStatsRequest *r = request_;
	struct cerr err;

	if (ctr_find(ctx, r->container_id, &err) == NULL)
		grpc_fail(call, &err);
	else
		stats_ask(ctx, call, request_, &kind);
}

void
stats_handle_ctrs(void *ctx, struct grpc_call *call, const void *request_)
{
	static const struct stats_kind kind = { stats_gather_ctrs,
		stats_answer_ctrs };

	stats_ask(ctx, call, request_, &kind);
}

/* ---- of pods ---- */

static size_t
stats_gather_pods(struct front *front, const void *request, uint64_t *after,
    size_t max, Criod__StatsGet *get)
{
	const Runtime__V1__PodSandboxStatsFilter *f = stats_filter(request);
	Runtime__V1__PodSandboxFilter same =
	    RUNTIME__V1__POD_SANDBOX_FILTER__INIT;
	const struct pod *pod;
	size_t n = 0;

	if (f != NULL) {
		same.id = f->id;
		same.n_label_selector = f->n_label_selector;
		same.label_selector =
		    PB_MAP(Runtime__V1__PodSandboxFilter__LabelSelectorEntry,
			f->label_selector);
	}
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (n == max)
			break;
		if (pod->seq <= *after || !pod_visible(pod) ||
		    pod->state != POD_READY || !filter_match_pod(pod, &same))
			continue;
		stats_want_pod(get, pod);
		*after = pod->seq;
		n++;
	}
	return n;
}

static int
stats_answer_pods(struct front *front, struct grpc_call *call,
    const Criod__Stats *body)
{
	struct stats_lists l = { 0 };
	int ret;

	stats_lists_ctrs(&l, front, body);
	stats_lists_pods(&l, front, body);
	ret = stream_list_send(call, (void *const *)l.pod_list, l.npods);
	stats_lists_free(&l);
	return ret;
}

static size_t
stats_one_gather_pod(struct front *front, const void *request, uint64_t *after,
    size_t max, Criod__StatsGet *get)
{
	const Runtime__V1__PodSandboxStatsRequest *r = request;
	const struct pod *pod = pod_find(front, r->pod_sandbox_id, NULL);

	(void)after;
	(void)max;
	if (pod != NULL)
		stats_want_pod(get, pod);
	return pod != NULL;
}

static int
stats_one_pod(struct front *front, struct grpc_call *call,
    const Criod__Stats *body)
{
	Runtime__V1__PodSandboxStatsResponse resp =
	    RUNTIME__V1__POD_SANDBOX_STATS_RESPONSE__INIT;
	struct stats_lists l = { 0 };
	struct cerr err;

	stats_lists_ctrs(&l, front, body);
	stats_lists_pods(&l, front, body);
	if (l.npods == 1) {
		resp.stats = l.pod_list[0];
		grpc_reply(call, &resp);
	} else {
		(void)cerr_set(&err, CERR_NOT_FOUND, "the pod is gone");
		grpc_fail(call, &err);
	}
	stats_lists_free(&l);
	return 0;
}

void
stats_handle_pod(void *ctx, struct grpc_call *call, const void *request_)
{
	static const struct stats_kind kind = { stats_one_gather_pod,
		stats_one_pod };
	const Runtime__V1__PodSandboxStatsRequest *r = request_;
	struct pod *pod;
	struct cerr err;

	pod = pod_find(ctx, r->pod_sandbox_id, &err);
	if (pod != NULL && pod->state != POD_READY) {
		(void)cerr_set(&err, CERR_FAILED_PRECONDITION,
		    "pod sandbox %s is not ready", pod->id);
		pod = NULL;
	}
	if (pod == NULL)
		grpc_fail(call, &err);
	else
		stats_ask(ctx, call, request_, &kind);
}

void
stats_handle_pods(void *ctx, struct grpc_call *call, const void *request_)
{
	static const struct stats_kind kind = { stats_gather_pods,
		stats_answer_pods };

	stats_ask(ctx, call, request_, &kind);
}
