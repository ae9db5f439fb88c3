#include <stdio.h>
#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/view.h"

/*
 * Verbose answers carry one entry, "info", a JSON object; what goes into it
 * needs no quoting: ids, numbers and names of criod.conf's grammar.
 */
#define STATUS_INFO_MAX 1024

void
status_handle_pod(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__PodSandboxStatusRequest *r = request_;
	Runtime__V1__PodSandboxStatusResponse resp =
	    RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INIT;
	Runtime__V1__PodSandboxStatusResponse__InfoEntry info =
	    RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INFO_ENTRY__INIT;
	Runtime__V1__PodSandboxStatusResponse__InfoEntry *infos[] = { &info };
	char text[STATUS_INFO_MAX];
	struct front *front = ctx;
	struct view_pod_status v;
	struct view_pod_ctrs ctrs;
	struct cerr err;
	struct pod *pod = pod_find(ctx, r->pod_sandbox_id, &err);

	if (pod == NULL) {
		grpc_fail(call, &err);
		return;
	}
	view_pod_status(pod, &v);
	view_pod_ctrs(pod, NULL, &ctrs);
	resp.status = &v.status;
	resp.timestamp = events_now(&front->events);
	resp.n_containers_statuses = ctrs.n;
	resp.containers_statuses = ctrs.list;
	if (r->verbose) {
		(void)snprintf(text, sizeof(text),
		    "{\"id\":\"%s\",\"runtimeHandler\":\"%s\","
		    "\"networkRemoved\":%s}",
		    pod->id, pod->runtime, pod->net_done ? "true" : "false");
		info.key = pb_str("info");
		info.value = text;
		resp.n_info = 1;
		resp.info = infos;
	}
	grpc_reply(call, &resp);
	view_pod_ctrs_clear(&ctrs);
}

static void
status_ctr_info(const struct ctr *c, char *text, size_t size)
{
	const struct front *front = c->front;

	(void)snprintf(text, size,
	    "{\"sandboxID\":\"%s\",\"pid\":%d,\"runtimeHandler\":\"%s\","
	    "\"bundle\":\"%s/%s\",\"privileged\":%s}",
	    c->pod_id,
	    c->made != NULL && c->state != CTR_EXITED ? c->made->pid : 0,
	    c->pod->runtime, front->boot->bundle_directory, c->id,
	    c->config->linux != NULL &&
		    c->config->linux->security_context != NULL &&
		    c->config->linux->security_context->privileged
		? "true"
		: "false");
}

void
status_handle_ctr(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ContainerStatusRequest *r = request_;
	Runtime__V1__ContainerStatusResponse resp =
	    RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INIT;
	Runtime__V1__ContainerStatusResponse__InfoEntry info =
	    RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INFO_ENTRY__INIT;
	Runtime__V1__ContainerStatusResponse__InfoEntry *infos[] = { &info };
	char text[STATUS_INFO_MAX];
	struct view_ctr_status v;
	struct cerr err;
	struct ctr *c = ctr_find(ctx, r->container_id, &err);

	if (c == NULL) {
		grpc_fail(call, &err);
		return;
	}
	view_ctr_status(c, &v);
	resp.status = &v.status;
	if (r->verbose) {
		status_ctr_info(c, text, sizeof(text));
		info.key = pb_str("info");
		info.value = text;
		resp.n_info = 1;
		resp.info = infos;
	}
	grpc_reply(call, &resp);
}
