#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/front.h"
#include "criod/op.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "lib/log.h"

static const char *const pod_state_names[] = {
	[POD_NEW] = "NEW",
	[POD_READY] = "READY",
	[POD_NOTREADY] = "NOTREADY",
	[POD_GONE] = "GONE",
};

/* From each state, those that may follow. */
static const unsigned int pod_transitions[] = {
	[POD_NEW] = 1U << POD_READY,
	[POD_READY] = 1U << POD_NOTREADY | 1U << POD_NEW, /* nobody took it */
	[POD_NOTREADY] = 1U << POD_GONE,
	[POD_GONE] = 0,
};

bool
pod_visible(const struct pod *pod)
{
	return !pod->parked &&
	       (pod->state == POD_READY || pod->state == POD_NOTREADY);
}

const Runtime__V1__NamespaceOption *
pod_namespaces(const struct pod *pod)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;

	if (l == NULL || l->security_context == NULL)
		return NULL;
	return l->security_context->namespace_options;
}

bool
pod_host_network(const struct pod *pod)
{
	const Runtime__V1__NamespaceOption *ns = pod_namespaces(pod);

	return ns != NULL && ns->network == RUNTIME__V1__NAMESPACE_MODE__NODE;
}

bool
pod_privileged(const struct pod *pod)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;

	return l != NULL && l->security_context != NULL &&
	       l->security_context->privileged;
}

struct pod *
pod_new(struct front *front, const char *id,
    Runtime__V1__PodSandboxConfig *config, const char *runtime)
{
	struct pod *pod = pb_calloc(1, sizeof(*pod));

	pod->front = front;
	pod->seq = ++front->seq;
	(void)snprintf(pod->id, sizeof(pod->id), "%s", id);
	pod->state = POD_NEW;
	pod->config = config;
	pod->runtime = pb_strdup(runtime);
	wait_init(&pod->create_waits);
	wait_init(&pod->stop_waits);
	wait_init(&pod->remove_waits);
	TAILQ_INSERT_TAIL(&front->pods, pod, entry);
	front->npods++;
	return pod;
}

void
pod_set_ips(struct pod *pod, char *const *ips, size_t n)
{
	for (size_t i = 0; i < pod->nips; i++)
		free(pod->ips[i]);
	free(pod->ips);
	pod->ips = pb_calloc(n, sizeof(*pod->ips));
	pod->nips = n;
	for (size_t i = 0; i < n; i++)
		pod->ips[i] = pb_strdup(ips[i]);
}

void
pod_free(struct pod *pod)
{
	TAILQ_REMOVE(&pod->front->pods, pod, entry);
	pod->front->npods--;
	if (pod->park_timer != NULL)
		event_free(pod->park_timer);
	pod_set_ips(pod, NULL, 0);
	free(pod->ips);
	pb_free(pod->config);
	free(pod->runtime);
	free(pod);
}

void
pod_set_state(struct pod *pod, enum pod_state state)
{
	if ((pod_transitions[pod->state] & 1U << state) == 0)
		log_error("pod %s: %s follows %s", pod->id,
		    pod_state_names[state], pod_state_names[pod->state]);
	log_debug("pod %s: %s", pod->id, pod_state_names[state]);
	pod->state = state;
}

void
pod_save(struct pod *pod)
{
	struct cerr err;

	if (store_write_pod(pod, &err) == -1)
		log_error("pod %s: %s", pod->id, err.text);
}

/* Nobody is told: none has asked yet. */
void
pod_rebooted(struct pod *pod)
{
	if (pod->state != POD_READY)
		return;
	pod_set_ips(pod, NULL, 0);
	pod_set_state(pod, POD_NOTREADY);
	pod_save(pod);
}

struct pod *
pod_by_id(struct front *front, const char *id)
{
	struct pod *pod;

	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (strcmp(pod->id, id) == 0)
			return pod;
	}
	return NULL;
}

struct pod *
pod_find(struct front *front, const char *id, struct cerr *err)
{
	size_t len = strlen(id);
	struct pod *pod, *found = NULL;

	if (len == 0) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "pod_sandbox_id: must not be empty");
		return NULL;
	}
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (!pod_visible(pod) || strncmp(pod->id, id, len) != 0)
			continue;
		if (found != NULL) {
			(void)cerr_set(err, CERR_INVALID_ARGUMENT,
			    "pod_sandbox_id: %s is the beginning of several",
			    id);
			return NULL;
		}
		found = pod;
	}
	if (found == NULL)
		(void)cerr_set(err, CERR_NOT_FOUND,
		    "pod sandbox %.*s: not found", ID_LEN, id);
	return found;
}

void
pod_hurry(struct pod *pod)
{
	struct op *ops[] = { pod->create, pod->net };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (ops[i] != NULL)
			op_hurry(ops[i]);
	}
}
