/* cAdvisor's metrics of pods and containers, as "pod metrics" chooses. */
#include <stdlib.h>
#include <string.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/stats.h"
#include "criod/stream_list.h"
#include "lib/metric.h"

/* What all have, in this order, before a metric's own labels. */
static const char *const metrics_base[] = { "id", "image", "namespace", "pod",
	"container" };

#define METRICS_BASE	  (sizeof(metrics_base) / sizeof(metrics_base[0]))
#define METRICS_LABELS	  (METRICS_BASE + METRIC_LABELS_MAX)
#define METRICS_NAMES_MAX 64 /* bytes of a metric's own label names */

/* ---- what there is ---- */

struct metrics_descriptor {
	Runtime__V1__MetricDescriptor row;
	char names[METRICS_NAMES_MAX];
	char *keys[METRICS_LABELS];
};

static void
metrics_describe(struct metrics_descriptor *d, const struct metric_info *info)
{
	char *rest = d->names, *word;
	size_t n = 0;

	runtime__v1__metric_descriptor__init(&d->row);
	d->row.name = pb_str(info->name);
	d->row.help = pb_str(info->help);
	for (; n < METRICS_BASE; n++)
		d->keys[n] = pb_str(metrics_base[n]);
	(void)strncpy(d->names, info->labels, sizeof(d->names) - 1);
	while ((word = strsep(&rest, " ")) != NULL && n < METRICS_LABELS) {
		if (*word != '\0')
			d->keys[n++] = word;
	}
	d->row.label_keys = d->keys;
	d->row.n_label_keys = n;
}

void
metrics_handle_descriptors(void *ctx, struct grpc_call *call,
    const void *request_)
{
	Runtime__V1__ListMetricDescriptorsResponse resp =
	    RUNTIME__V1__LIST_METRIC_DESCRIPTORS_RESPONSE__INIT;
	struct metrics_descriptor *rows =
	    pb_calloc(METRIC_COUNT, sizeof(*rows));
	Runtime__V1__MetricDescriptor *list[METRIC_COUNT];
	const struct front *front = ctx;

	(void)request_;
	for (uint32_t i = 0; i < METRIC_COUNT; i++) {
		const struct metric_info *info = metric_info(i);

		if ((info->groups & front->boot->pod_metrics) == 0)
			continue;
		metrics_describe(&rows[i], info);
		list[resp.n_descriptors++] = &rows[i].row;
	}
	resp.descriptors = list;
	grpc_reply(call, &resp);
	free(rows);
}

/* ---- one pod or container ---- */

struct metrics_one {
	Runtime__V1__Metric row;
	Runtime__V1__UInt64Value value;
	char *labels[METRICS_LABELS];
};

struct metrics_list {
	struct metrics_one *rows;
	Runtime__V1__Metric **list;
	size_t n;
	int64_t at;
	const char *base[METRICS_BASE];
};

/* What the front itself knows of a container. */
#define METRICS_OWN 6

static void
metrics_add(struct metrics_list *l, uint32_t id, uint64_t value,
    char *const *labels, size_t n)
{
	const struct metric_info *info = metric_info(id);
	struct metrics_one *m = &l->rows[l->n];

	if (info == NULL || n > METRIC_LABELS_MAX)
		return;
	runtime__v1__metric__init(&m->row);
	runtime__v1__uint64_value__init(&m->value);
	m->row.name = pb_str(info->name);
	m->row.timestamp = l->at;
	m->row.metric_type = info->kind == METRIC_COUNTER
				 ? RUNTIME__V1__METRIC_TYPE__COUNTER
				 : RUNTIME__V1__METRIC_TYPE__GAUGE;
	m->value.value = value;
	m->row.value = &m->value;
	for (size_t i = 0; i < METRICS_BASE; i++)
		m->labels[i] = pb_str(l->base[i]);
	for (size_t i = 0; i < n; i++)
		m->labels[METRICS_BASE + i] = labels[i];
	m->row.label_values = m->labels;
	m->row.n_label_values = METRICS_BASE + n;
	l->list[l->n++] = &m->row;
}

static void
metrics_fill(struct metrics_list *l, const Criod__StatsItem *item)
{
	l->rows = pb_calloc(item->n_metrics + METRICS_OWN, sizeof(*l->rows));
	l->list = pb_calloc(item->n_metrics + METRICS_OWN, sizeof(*l->list));
	l->at = item->sampled_at;
	for (size_t i = 0; i < item->n_metrics; i++) {
		const Criod__StatsMetric *m = item->metrics[i];

		metrics_add(l, m->id, m->value, m->labels, m->n_labels);
	}
}

static void
metrics_free(struct metrics_list *l)
{
	free(l->rows);
	free(l->list);
}

/* No limit is 0. */
static uint64_t
metrics_limit(int64_t v)
{
	return v > 0 ? (uint64_t)v : 0;
}

/* What it was given is what the front knows, not the kernel's rounding. */
static void
metrics_spec(struct metrics_list *l, const struct ctr *c)
{
	const Runtime__V1__LinuxContainerConfig *cl = c->config->linux;
	const Runtime__V1__LinuxContainerResources *r =
	    cl == NULL ? NULL : cl->resources;

	metrics_add(l, METRIC_ID_START_TIME,
	    (uint64_t)((c->started_at > 0 ? c->started_at : c->created_at) /
		       MONO_NS_PER_S),
	    NULL, 0);
	if (r == NULL)
		return;
	metrics_add(l, METRIC_ID_SPEC_PERIOD, (uint64_t)r->cpu_period, NULL, 0);
	metrics_add(l, METRIC_ID_SPEC_SHARES, (uint64_t)r->cpu_shares, NULL, 0);
	metrics_add(l, METRIC_ID_SPEC_MEMORY,
	    metrics_limit(r->memory_limit_in_bytes), NULL, 0);
	metrics_add(l, METRIC_ID_SPEC_SWAP,
	    metrics_limit(r->memory_swap_limit_in_bytes), NULL, 0);
	if (r->cpu_quota > 0)
		metrics_add(l, METRIC_ID_SPEC_QUOTA, (uint64_t)r->cpu_quota,
		    NULL, 0);
}

static void
metrics_name(struct metrics_list *l, const char *id, const char *image,
    const struct pod *pod, const char *container)
{
	const Runtime__V1__PodSandboxMetadata *m = pod->config->metadata;

	l->base[0] = id;
	l->base[1] = image;
	l->base[2] = m->namespace_;
	l->base[3] = m->name;
	l->base[4] = container;
}

/* ---- all ---- */

struct metrics_pod {
	Runtime__V1__PodSandboxMetrics row;
	struct metrics_list own;
};

struct metrics_ctr {
	Runtime__V1__ContainerMetrics row;
	struct metrics_list own;
};

struct metrics_all {
	struct metrics_pod *pods;
	Runtime__V1__PodSandboxMetrics **pod_list;
	size_t npods;
	struct metrics_ctr *ctrs;
	Runtime__V1__ContainerMetrics **ctr_list; /* each pod's together */
	size_t nctrs;
	const struct ctr **known; /* of the answer's items; NULL: gone */
};

static void
metrics_all_ctr(struct metrics_all *a, const struct ctr *c,
    const struct pod *pod, const Criod__StatsItem *item)
{
	struct metrics_ctr *m = &a->ctrs[a->nctrs];

	runtime__v1__container_metrics__init(&m->row);
	metrics_name(&m->own, c->id,
	    c->image_name != NULL && c->image_name[0] != '\0'
		? c->image_name
		: c->config->image->image,
	    pod, c->config->metadata->name);
	metrics_fill(&m->own, item);
	if (item->sampled_at != 0 &&
	    (pod->front->boot->pod_metrics & METRIC_IN_SPEC) != 0)
		metrics_spec(&m->own, c);
	m->row.container_id = pb_str(c->id);
	m->row.metrics = m->own.list;
	m->row.n_metrics = m->own.n;
	a->ctr_list[a->nctrs++] = &m->row;
}

static void
metrics_all_pod(struct metrics_all *a, const struct pod *pod,
    const Criod__StatsItem *item, const Criod__Stats *body)
{
	struct metrics_pod *m = &a->pods[a->npods];

	runtime__v1__pod_sandbox_metrics__init(&m->row);
	metrics_name(&m->own, pod->id, "", pod, "POD");
	metrics_fill(&m->own, item);
	m->row.pod_sandbox_id = pb_str(pod->id);
	m->row.metrics = m->own.list;
	m->row.n_metrics = m->own.n;
	m->row.container_metrics = a->ctr_list + a->nctrs;
	for (size_t i = 0; i < body->n_containers; i++) {
		const struct ctr *c = a->known[i];

		if (c != NULL && c->pod == pod)
			metrics_all_ctr(a, c, pod, body->containers[i]);
	}
	m->row.n_container_metrics =
	    (size_t)(a->ctr_list + a->nctrs - m->row.container_metrics);
	a->pod_list[a->npods++] = &m->row;
}

static void
metrics_all_fill(struct metrics_all *a, struct front *front,
    const Criod__Stats *body)
{
	a->pods = pb_calloc(body->n_pods, sizeof(*a->pods));
	a->pod_list = pb_calloc(body->n_pods, sizeof(*a->pod_list));
	a->ctrs = pb_calloc(body->n_containers, sizeof(*a->ctrs));
	a->ctr_list = pb_calloc(body->n_containers, sizeof(*a->ctr_list));
	a->known = pb_calloc(body->n_containers, sizeof(*a->known));
	for (size_t i = 0; i < body->n_containers; i++)
		a->known[i] = ctr_by_id(front, body->containers[i]->id);
	for (size_t i = 0; i < body->n_pods; i++) {
		const struct pod *pod = pod_by_id(front, body->pods[i]->id);

		if (pod != NULL && pod_visible(pod))
			metrics_all_pod(a, pod, body->pods[i], body);
	}
}

static void
metrics_all_free(struct metrics_all *a)
{
	for (size_t i = 0; i < a->npods; i++)
		metrics_free(&a->pods[i].own);
	for (size_t i = 0; i < a->nctrs; i++)
		metrics_free(&a->ctrs[i].own);
	free(a->pods);
	free(a->pod_list);
	free(a->ctrs);
	free(a->ctr_list);
	free(a->known);
}

static size_t
metrics_gather(struct front *front, const void *request, uint64_t *after,
    size_t max, Criod__StatsGet *get)
{
	const struct pod *pod;
	size_t n = 0;

	(void)request;
	get->metrics = front->boot->pod_metrics;
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (n == max || get->metrics == 0)
			break;
		if (pod->seq <= *after || !pod_visible(pod) ||
		    pod->state != POD_READY)
			continue;
		stats_want_pod(get, pod);
		*after = pod->seq;
		n++;
	}
	return n;
}

static int
metrics_answer(struct front *front, struct grpc_call *call,
    const Criod__Stats *body)
{
	struct metrics_all a = { 0 };
	int ret;

	metrics_all_fill(&a, front, body);
	ret = stream_list_send(call, (void *const *)a.pod_list, a.npods);
	metrics_all_free(&a);
	return ret;
}

void
metrics_handle_list(void *ctx, struct grpc_call *call, const void *request_)
{
	static const struct stats_kind kind = { metrics_gather,
		metrics_answer };

	stats_ask(ctx, call, request_, &kind);
}
