#include <signal.h>
#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/signals.h"
#include "criod/view.h"

Runtime__V1__PodSandboxState
view_pod_state(const struct pod *pod)
{
	return pod->state == POD_READY
		   ? RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY
		   : RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
}

Runtime__V1__ContainerState
view_ctr_state(const struct ctr *c)
{
	static const Runtime__V1__ContainerState states[] = {
		[CTR_NEW] = RUNTIME__V1__CONTAINER_STATE__CONTAINER_UNKNOWN,
		[CTR_CREATED] = RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED,
		[CTR_RUNNING] = RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING,
		[CTR_EXITED] = RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED,
	};

	return states[c->state];
}

void
view_describe(void *message, const void *config)
{
	pb_share(message, config, "metadata");
	pb_share(message, config, "labels");
	pb_share(message, config, "annotations");
}

void
view_pod_item(const struct pod *pod, Runtime__V1__PodSandbox *item)
{
	const Runtime__V1__PodSandboxConfig *c = pod->config;

	runtime__v1__pod_sandbox__init(item);
	item->id = pb_str(pod->id);
	view_describe(item, c);
	item->state = view_pod_state(pod);
	item->created_at = pod->created_at;
	item->runtime_handler = pod->runtime;
}

static void
view_pod_network(const struct pod *pod, struct view_pod_status *v)
{
	runtime__v1__pod_sandbox_network_status__init(&v->network);
	v->status.network = &v->network;
	if (pod->nips == 0)
		return;
	v->network.ip = pod->ips[0];
	v->network.additional_ips = v->more_list;
	for (size_t i = 1; i < pod->nips && i <= VIEW_IPS_MAX; i++) {
		runtime__v1__pod_ip__init(&v->more[i - 1]);
		v->more[i - 1].ip = pod->ips[i];
		v->more_list[i - 1] = &v->more[i - 1];
		v->network.n_additional_ips = i;
	}
}

void
view_pod_status(const struct pod *pod, struct view_pod_status *v)
{
	const Runtime__V1__PodSandboxConfig *c = pod->config;
	const Runtime__V1__NamespaceOption *ns = pod_namespaces(pod);

	runtime__v1__pod_sandbox_status__init(&v->status);
	v->status.id = pb_str(pod->id);
	view_describe(&v->status, c);
	v->status.state = view_pod_state(pod);
	v->status.created_at = pod->created_at;
	v->status.runtime_handler = pod->runtime;
	view_pod_network(pod, v);
	runtime__v1__linux_pod_sandbox_status__init(&v->linux_status);
	runtime__v1__namespace__init(&v->namespaces);
	runtime__v1__namespace_option__init(&v->no_options);
	v->status.linux = &v->linux_status;
	v->linux_status.namespaces = &v->namespaces;
	v->namespaces.options =
	    ns == NULL ? &v->no_options
		       : c->linux->security_context->namespace_options;
}

/* Shown as asked for, but under the name that was found for an id. */
static void
view_image(const struct ctr *c, Runtime__V1__ImageSpec *image)
{
	*image = *c->config->image;
	if (c->image_name != NULL && c->image_name[0] != '\0')
		image->image = c->image_name;
}

static char *
view_image_ref(const struct ctr *c)
{
	if (c->made == NULL)
		return pb_str("");
	return c->made->image_ref[0] != '\0' ? c->made->image_ref
					     : c->made->image_id;
}

void
view_ctr_item(const struct ctr *c, struct view_ctr_item *v)
{
	const Runtime__V1__ContainerConfig *cfg = c->config;

	runtime__v1__container__init(&v->item);
	view_image(c, &v->image);
	v->item.id = pb_str(c->id);
	v->item.pod_sandbox_id = pb_str(c->pod_id);
	view_describe(&v->item, cfg);
	v->item.image = &v->image;
	v->item.image_ref = view_image_ref(c);
	v->item.image_id = c->made == NULL ? pb_str("") : c->made->image_id;
	v->item.state = view_ctr_state(c);
	v->item.created_at = c->created_at;
}

static Runtime__V1__Signal
view_stop_signal(const struct ctr *c)
{
	if (c->config->stop_signal !=
	    RUNTIME__V1__SIGNAL__SIGNAL_RUNTIME_DEFAULT)
		return c->config->stop_signal;
	if (c->made != NULL && c->made->stop_signal > 0)
		return (Runtime__V1__Signal)signals_to_cri(
		    c->made->stop_signal);
	return (Runtime__V1__Signal)signals_to_cri(SIGTERM);
}

static void
view_ctr_times(const struct ctr *c, Runtime__V1__ContainerStatus *s)
{
	s->created_at = c->created_at;
	if (c->state == CTR_RUNNING || c->state == CTR_EXITED)
		s->started_at = c->started_at;
	if (c->state != CTR_EXITED)
		return;
	s->finished_at = c->finished_at;
	s->exit_code = c->exit_code;
	s->reason = c->reason;
	s->message = c->message;
}

static void
view_ctr_linux(const struct ctr *c, struct view_ctr_status *v)
{
	const Runtime__V1__LinuxContainerConfig *l = c->config->linux;

	runtime__v1__container_resources__init(&v->resources);
	runtime__v1__linux_container_resources__init(&v->no_resources);
	v->resources.linux =
	    l != NULL && l->resources != NULL ? l->resources : &v->no_resources;
	v->status.resources = &v->resources;
	if (c->made != NULL)
		v->status.user = c->made->user;
}

void
view_ctr_status(const struct ctr *c, struct view_ctr_status *v)
{
	const Runtime__V1__ContainerConfig *cfg = c->config;
	Runtime__V1__ContainerStatus *s = &v->status;

	runtime__v1__container_status__init(s);
	view_image(c, &v->image);
	s->id = pb_str(c->id);
	view_describe(s, cfg);
	s->state = view_ctr_state(c);
	s->image = &v->image;
	s->image_ref = view_image_ref(c);
	s->image_id = c->made == NULL ? pb_str("") : c->made->image_id;
	s->n_mounts = cfg->n_mounts;
	s->mounts = cfg->mounts;
	s->log_path = c->made == NULL ? pb_str("") : c->made->log_path;
	s->stop_signal = view_stop_signal(c);
	view_ctr_times(c, s);
	view_ctr_linux(c, v);
}

static bool
view_ctr_is_of(const struct ctr *c, const struct pod *pod,
    const struct ctr *without)
{
	return c->pod == pod && c != without && ctr_visible(c);
}

void
view_pod_ctrs(const struct pod *pod, const struct ctr *without,
    struct view_pod_ctrs *v)
{
	const struct ctr *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &pod->front->ctrs, entry)
		n += view_ctr_is_of(c, pod, without);
	v->items = pb_calloc(n, sizeof(*v->items));
	v->list = pb_calloc(n, sizeof(*v->list));
	v->n = 0;
	TAILQ_FOREACH(c, &pod->front->ctrs, entry) {
		if (!view_ctr_is_of(c, pod, without))
			continue;
		view_ctr_status(c, &v->items[v->n]);
		v->list[v->n] = &v->items[v->n].status;
		v->n++;
	}
}

void
view_pod_ctrs_clear(struct view_pod_ctrs *v)
{
	free(v->items);
	free(v->list);
}
