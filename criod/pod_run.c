#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/op.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "imsg/link.h"
#include "lib/log.h"
#include "lib/mono.h"

/* The only annotations that netd gets, by their whole names. */
static const char *const pod_net_annotations[] = {
	"kubernetes.io/ingress-bandwidth",
	"kubernetes.io/egress-bandwidth",
};

static const struct op_def pod_create_def;

static bool
pod_same(const Runtime__V1__PodSandboxMetadata *a,
    const Runtime__V1__PodSandboxMetadata *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       strcmp(a->namespace_, b->namespace_) == 0 &&
	       strcmp(a->uid, b->uid) == 0;
}

static struct pod *
pod_by_name(struct front *front, const Runtime__V1__PodSandboxMetadata *m)
{
	struct pod *pod;

	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (!pod->released && pod->state != POD_GONE &&
		    pod->config->metadata->attempt == m->attempt &&
		    pod_same(pod->config->metadata, m))
			return pod;
	}
	return NULL;
}

/* Later than any earlier attempt's, whatever the clock did. */
static int64_t
pod_created_at(const struct pod *pod)
{
	int64_t at = wall_now_ns();
	const struct pod *p;

	TAILQ_FOREACH(p, &pod->front->pods, entry) {
		if (p != pod && p->created_at >= at &&
		    pod_same(p->config->metadata, pod->config->metadata))
			at = p->created_at + 1;
	}
	return at;
}

/* ---- a result that nobody took ---- */

static void
pod_park_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pod *pod = arg;

	(void)fd;
	(void)what;
	log_info("pod %s: nobody asked for it again", pod->id);
	pod->parked = false;
	pod_set_state(pod, POD_NEW);
	pod_save(pod);
	pod_undo(pod);
}

static void
pod_park(struct pod *pod)
{
	struct timeval tv = { FRONT_PARK_S, 0 };

	pod->parked = true;
	pod->park_timer = evtimer_new(pod->front->base, pod_park_timer, pod);
	if (pod->park_timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(pod->park_timer, &tv);
}

void
pod_unpark(struct pod *pod)
{
	if (!pod->parked)
		return;
	pod->parked = false;
	event_free(pod->park_timer);
	pod->park_timer = NULL;
}

/* ---- the steps ---- */

static void
pod_step_record(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct cerr err;

	if (store_write_pod(pod, &err) == -1)
		op_next(op, &err);
	else
		op_next(op, NULL);
}

static void
pod_undo_record(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct cerr err;

	if (store_unlink_pod(pod->front, pod->id, &err) == -1)
		op_next(op, &err);
	else
		op_next(op, NULL);
}

static void
pod_step_create(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodCreate m = CRIOD__POD_CREATE__INIT;

	m.id = pod->id;
	m.config = pod->config;
	m.runtime = pod->runtime;
	op_request(op, pod->front->execd, MSG_POD_CREATE, &m, FRONT_POD_MS,
	    NULL);
}

static void
pod_undo_create(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodId m = CRIOD__POD_ID__INIT;

	m.id = pod->id;
	op_request(op, pod->front->execd, MSG_POD_REMOVE, &m, FRONT_CTR_MS,
	    NULL);
}

static size_t
pod_pick_annotations(const struct pod *pod, void **picked)
{
	const Runtime__V1__PodSandboxConfig *c = pod->config;
	size_t n = 0;

	for (size_t i = 0; i < c->n_annotations; i++) {
		for (size_t j = 0; j < 2; j++) {
			if (strcmp(pb_key(c->annotations[i]),
				pod_net_annotations[j]) == 0)
				picked[n++] = c->annotations[i];
		}
	}
	return n;
}

static void
pod_take_net(void *ctx, const void *body)
{
	const Criod__NetAdded *m = body;

	pod_set_ips(ctx, m->ips, m->n_ips);
}

static void
pod_step_net(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Runtime__V1__PodSandboxConfig *c = pod->config;
	Criod__NetPod m = CRIOD__NET_POD__INIT;
	void **picked;

	if (pod_host_network(pod)) {
		op_next(op, NULL);
		return;
	}
	picked = pb_calloc(c->n_annotations, sizeof(*picked));
	m.pod_id = pod->id;
	m.name = c->metadata->name;
	m.namespace_ = c->metadata->namespace_;
	m.uid = c->metadata->uid;
	m.n_port_mappings = c->n_port_mappings;
	m.port_mappings = c->port_mappings;
	m.n_annotations = pod_pick_annotations(pod, picked);
	m.annotations = PB_MAP(Criod__NetPod__AnnotationsEntry, picked);
	if (c->linux != NULL)
		m.cgroup_parent = c->linux->cgroup_parent;
	op_request(op, pod->front->netd, MSG_NET_ADD, &m, FRONT_POD_MS,
	    pod_take_net);
	free(picked);
}

static void
pod_undo_net(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	Criod__PodId m = CRIOD__POD_ID__INIT;

	if (pod_host_network(pod) || pod->net_done) {
		op_next(op, NULL);
		return;
	}
	m.id = pod->id;
	op_request(op, pod->front->netd, MSG_NET_DEL, &m, FRONT_NET_DEL_MS,
	    NULL);
}

static void
pod_step_nri(void *ctx, struct op *op)
{
	nri_pod_must(ctx, op, NRI__EVENT__RUN_POD_SANDBOX);
}

static void
pod_undo_nri(void *ctx, struct op *op)
{
	nri_pod_may(ctx, op, NRI__EVENT__REMOVE_POD_SANDBOX);
}

static void
pod_step_ready(void *ctx, struct op *op)
{
	struct pod *pod = ctx;
	struct cerr err;

	if (pod->lost) {
		(void)cerr_set(&err, CERR_ABORTED,
		    "the first process of its PID namespace has ended");
		op_next(op, &err);
		return;
	}
	pod->net_done = pod_host_network(pod);
	pod_set_state(pod, POD_READY);
	if (store_write_pod(pod, &err) == 0) {
		op_next(op, NULL);
		return;
	}
	pod_set_state(pod, POD_NEW);
	op_next(op, &err);
}

static const struct op_step pod_create_steps[] = {
	{ "record", pod_step_record, pod_undo_record },
	{ "namespaces", pod_step_create, pod_undo_create },
	{ "network", pod_step_net, pod_undo_net },
	{ "nri", pod_step_nri, pod_undo_nri },
	{ "ready", pod_step_ready, NULL },
};

static void
pod_create_done(void *ctx, const struct cerr *err)
{
	Runtime__V1__RunPodSandboxResponse resp =
	    RUNTIME__V1__RUN_POD_SANDBOX_RESPONSE__INIT;
	struct pod *pod = ctx;
	size_t takers;

	resp.pod_sandbox_id = pod->id;
	pod->released = err != NULL;
	takers = wait_end(&pod->create_waits, err, &resp);
	if (err != NULL) {
		log_warn("pod %s %s/%s: %s", pod->id,
		    pod->config->metadata->namespace_,
		    pod->config->metadata->name, err->text);
		return;
	}
	pod->create = NULL;
	if (takers == 0 && !pod->restoring)
		pod_park(pod);
	else
		events_pod_created(pod);
}

static void
pod_create_undone(void *ctx)
{
	pod_free(ctx);
}

static const struct op_def pod_create_def = {
	"RunPodSandbox",
	pod_create_steps,
	sizeof(pod_create_steps) / sizeof(pod_create_steps[0]),
	pod_create_done,
	pod_create_undone,
};

void
pod_undo(struct pod *pod)
{
	pod->released = true;
	pod->create = op_undo(pod->front->base, &pod_create_def, pod);
}

/* ---- the call ---- */

static void
pod_run_join(struct pod *pod, struct grpc_call *call)
{
	Runtime__V1__RunPodSandboxResponse resp =
	    RUNTIME__V1__RUN_POD_SANDBOX_RESPONSE__INIT;
	struct cerr err;

	if (pod->create != NULL) {
		wait_add_call(&pod->create_waits, call);
		return;
	}
	if (pod->state != POD_READY || pod->lost || pod->stop != NULL ||
	    pod->remove != NULL) {
		(void)cerr_set(&err, CERR_ALREADY_EXISTS,
		    "pod sandbox %s has this name and attempt and is stopped",
		    pod->id);
		grpc_fail(call, &err);
		return;
	}
	if (pod->parked) {
		pod_unpark(pod);
		events_pod_created(pod);
	}
	resp.pod_sandbox_id = pod->id;
	grpc_reply(call, &resp);
}

static int
pod_run_room(const struct front *front, const Runtime__V1__PodSandboxConfig *c,
    struct cerr *err)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = c->linux;
	bool host_net = l != NULL && l->security_context != NULL &&
			l->security_context->namespace_options != NULL &&
			l->security_context->namespace_options->network ==
			    RUNTIME__V1__NAMESPACE_MODE__NODE;

	const struct foreign *f = foreign_by_name(front, c->metadata);

	if (f != NULL)
		return cerr_set(err, CERR_ALREADY_EXISTS,
		    "pod sandbox %s, which a newer version of criod made, has "
		    "this name and attempt",
		    f->id);
	if (front->npods >= FRONT_PODS_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "there are %d pod sandboxes already", FRONT_PODS_MAX);
	if (front_need(front->execd, err) == -1)
		return -1;
	return host_net ? 0 : front_need(front->netd, err);
}

static struct pod *
pod_run_begin(struct front *front, const Runtime__V1__RunPodSandboxRequest *r,
    bool restoring)
{
	char id[ID_SIZE];
	struct pod *pod;

	id_new(id);
	pod = pod_new(front, id, pb_copy(r->config), r->runtime_handler);
	pod->created_at = pod_created_at(pod);
	pod->restoring = restoring;
	pod->create = op_start(front->base, &pod_create_def, pod);
	return pod;
}

struct pod *
pod_run_restoring(struct front *front,
    const Runtime__V1__RunPodSandboxRequest *r, struct cerr *err)
{
	struct pod *pod;

	if (check_run_pod(r, front->boot, err) == -1)
		return NULL;
	pod = pod_by_name(front, r->config->metadata);
	if (pod != NULL) {
		(void)cerr_set(err, CERR_ALREADY_EXISTS,
		    "pod sandbox %s has this name and attempt", pod->id);
		return NULL;
	}
	return pod_run_room(front, r->config, err) == -1
		   ? NULL
		   : pod_run_begin(front, r, true);
}

void
pod_handle_run(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__RunPodSandboxRequest *r = request_;
	struct front *front = ctx;
	struct pod *pod;
	struct cerr err;

	if (check_run_pod(r, front->boot, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	pod = pod_by_name(front, r->config->metadata);
	if (pod != NULL) {
		pod_run_join(pod, call);
		return;
	}
	if (pod_run_room(front, r->config, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	pod = pod_run_begin(front, r, false);
	wait_add_call(&pod->create_waits, call);
}
