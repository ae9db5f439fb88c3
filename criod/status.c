#include <stdio.h>
#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/view.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"

/*
 * Verbose answers carry one entry, "info", a JSON object.  What execd knows of
 * it is asked for; without an answer the entry has no runtimeSpec.  The rest
 * needs no quoting: ids, numbers and names of criod.conf's grammar.
 */

struct status {
	struct front *front;
	struct grpc_call *call;
	const char *id; /* of the request, which lasts as long as the call */
	uint32_t request;
	void (*answer)(struct status *s, const Criod__Info *info);
};

/* ---- asking execd ---- */

static void
status_info(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct status *s = arg;

	grpc_on_cancel(s->call, NULL, NULL);
	if (err != NULL)
		log_debug("verbose status: %s", err->text);
	s->answer(s, err == NULL ? m->body : NULL);
	free(s);
}

static void
status_left(void *arg)
{
	struct status *s = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel(s->front->execd, s->request);
	grpc_fail(s->call, &err);
	free(s);
}

/* body: of either type, a full id. */
static void
status_ask(const struct status *with, enum msg_type type, const void *body)
{
	struct status *s = pb_calloc(1, sizeof(*s));

	*s = *with;
	s->request = link_request(s->front->execd, type, body, NULL, 0,
	    mono_after_ms(FRONT_QUERY_MS), status_info, s);
	grpc_on_cancel(s->call, status_left, s);
}

/* ,"runtimeSpec":{...}, or nothing. */
static const char *
status_spec_key(const Criod__Info *info)
{
	return info != NULL && info->spec[0] != '\0' ? ",\"runtimeSpec\":" : "";
}

static const char *
status_spec(const Criod__Info *info)
{
	return info != NULL ? info->spec : "";
}

/* ---- pods ---- */

static char *
status_pod_text(const struct pod *pod, const Criod__Info *info)
{
	char *text;

	if (asprintf(&text,
		"{\"id\":\"%s\",\"pid\":%d,\"runtimeHandler\":\"%s\","
		"\"networkRemoved\":%s%s%s}",
		pod->id, info != NULL ? info->pid : 0, pod->runtime,
		pod->net_done ? "true" : "false", status_spec_key(info),
		status_spec(info)) == -1)
		fatalx("out of memory");
	return text;
}

/* text: of verbose info, or NULL. */
static void
status_reply_pod(const struct status *s, const struct pod *pod, char *text)
{
	Runtime__V1__PodSandboxStatusResponse resp =
	    RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INIT;
	Runtime__V1__PodSandboxStatusResponse__InfoEntry info =
	    RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INFO_ENTRY__INIT;
	Runtime__V1__PodSandboxStatusResponse__InfoEntry *infos[] = { &info };
	struct view_pod_status v;
	struct view_pod_ctrs ctrs;

	view_pod_status(pod, &v);
	view_pod_ctrs(pod, NULL, &ctrs);
	resp.status = &v.status;
	resp.timestamp = events_now(&s->front->events);
	resp.n_containers_statuses = ctrs.n;
	resp.containers_statuses = ctrs.list;
	info.key = pb_str("info");
	info.value = text;
	resp.n_info = text != NULL;
	resp.info = infos;
	grpc_reply(s->call, &resp);
	view_pod_ctrs_clear(&ctrs);
}

static void
status_answer_pod(struct status *s, const Criod__Info *info)
{
	CLEANUP_FREE char *text = NULL;
	struct cerr err;
	const struct pod *pod = pod_find(s->front, s->id, &err);

	if (pod == NULL) {
		grpc_fail(s->call, &err);
		return;
	}
	text = status_pod_text(pod, info);
	status_reply_pod(s, pod, text);
}

void
status_handle_pod(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__PodSandboxStatusRequest *r = request_;
	struct status s = { ctx, call, r->pod_sandbox_id, 0,
		status_answer_pod };
	Criod__PodId m = CRIOD__POD_ID__INIT;
	struct cerr err;
	struct pod *pod = pod_find(ctx, r->pod_sandbox_id, &err);

	if (pod == NULL) {
		grpc_fail(call, &err);
	} else if (r->verbose) {
		m.id = pod->id;
		status_ask(&s, MSG_POD_INFO, &m);
	} else {
		status_reply_pod(&s, pod, NULL);
	}
}

/* ---- containers ---- */

static bool
status_privileged(const struct ctr *c)
{
	const Runtime__V1__LinuxContainerConfig *l = c->config->linux;

	return l != NULL && l->security_context != NULL &&
	       l->security_context->privileged;
}

static char *
status_ctr_text(const struct ctr *c, const Criod__Info *info)
{
	const struct front *front = c->front;
	int pid = c->made != NULL && c->state != CTR_EXITED ? c->made->pid : 0;
	char *text;

	if (asprintf(&text,
		"{\"sandboxID\":\"%s\",\"pid\":%d,\"runtimeHandler\":\"%s\","
		"\"bundle\":\"%s/%s\",\"privileged\":%s%s%s}",
		c->pod_id, pid, c->pod->runtime, front->boot->bundle_directory,
		c->id, status_privileged(c) ? "true" : "false",
		status_spec_key(info), status_spec(info)) == -1)
		fatalx("out of memory");
	return text;
}

static void
status_reply_ctr(const struct status *s, const struct ctr *c, char *text)
{
	Runtime__V1__ContainerStatusResponse resp =
	    RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INIT;
	Runtime__V1__ContainerStatusResponse__InfoEntry info =
	    RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INFO_ENTRY__INIT;
	Runtime__V1__ContainerStatusResponse__InfoEntry *infos[] = { &info };
	struct view_ctr_status v;

	view_ctr_status(c, &v);
	resp.status = &v.status;
	info.key = pb_str("info");
	info.value = text;
	resp.n_info = text != NULL;
	resp.info = infos;
	grpc_reply(s->call, &resp);
}

static void
status_answer_ctr(struct status *s, const Criod__Info *info)
{
	CLEANUP_FREE char *text = NULL;
	struct cerr err;
	const struct ctr *c = ctr_find(s->front, s->id, &err);

	if (c == NULL) {
		grpc_fail(s->call, &err);
		return;
	}
	text = status_ctr_text(c, info);
	status_reply_ctr(s, c, text);
}

void
status_handle_ctr(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ContainerStatusRequest *r = request_;
	struct status s = { ctx, call, r->container_id, 0, status_answer_ctr };
	Criod__CtrId m = CRIOD__CTR_ID__INIT;
	struct cerr err;
	struct ctr *c = ctr_find(ctx, r->container_id, &err);

	if (c == NULL) {
		grpc_fail(call, &err);
	} else if (r->verbose) {
		m.id = c->id;
		status_ask(&s, MSG_CTR_INFO, &m);
	} else {
		status_reply_ctr(&s, c, NULL);
	}
}
