#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/resources.h"

static void
pod_update_part(Runtime__V1__LinuxContainerResources **part,
    const Runtime__V1__LinuxContainerResources *change)
{
	Runtime__V1__LinuxContainerResources *merged;

	if (change == NULL)
		return;
	merged = resources_merge(*part, change);
	pb_free(*part);
	*part = merged;
}

/* Owned by the pod's configuration, which is freed as a whole. */
static Runtime__V1__LinuxPodSandboxConfig *
pod_update_linux(struct pod *pod)
{
	Runtime__V1__LinuxPodSandboxConfig none =
	    RUNTIME__V1__LINUX_POD_SANDBOX_CONFIG__INIT;

	if (pod->config->linux == NULL)
		pod->config->linux = pb_copy(&none);
	return pod->config->linux;
}

struct pod_update {
	struct front *front;
	char id[ID_SIZE];
	struct wait_list waits; /* the one call, if its client is there */
};

/* Plugins were asked. */
static void
pod_update_asked(void *arg, struct link_msg *m, const struct cerr *err)
{
	Runtime__V1__UpdatePodSandboxResourcesResponse resp =
	    RUNTIME__V1__UPDATE_POD_SANDBOX_RESOURCES_RESPONSE__INIT;
	struct pod_update *u = arg;
	struct pod *pod = pod_by_id(u->front, u->id);

	(void)m;
	(void)wait_end(&u->waits, err, &resp);
	if (err == NULL && pod != NULL)
		nri_pod_tell(pod, NRI__EVENT__POST_UPDATE_POD_SANDBOX);
	free(u);
}

static void
pod_update_tell(struct pod *pod, struct grpc_call *call,
    const Runtime__V1__UpdatePodSandboxResourcesRequest *r)
{
	struct pod_update *u = pb_calloc(1, sizeof(*u));

	u->front = pod->front;
	memcpy(u->id, pod->id, sizeof(u->id));
	wait_init(&u->waits);
	wait_add_call(&u->waits, call);
	if (!nri_pod_update(pod, r->overhead, r->resources, pod_update_asked,
		u))
		pod_update_asked(u, NULL, NULL);
}

/*
 * The kubelet has already changed the pod's cgroup: what remains is to know
 * it.
 */
void
pod_handle_update(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__UpdatePodSandboxResourcesRequest *r = request_;
	Runtime__V1__LinuxPodSandboxConfig *l;
	struct pod *pod;
	struct cerr err;

	pod = pod_find(ctx, r->pod_sandbox_id, &err);
	if (pod == NULL || check_update_pod(r, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	l = pod_update_linux(pod);
	pod_update_part(&l->overhead, r->overhead);
	pod_update_part(&l->resources, r->resources);
	pod_save(pod);
	pod_update_tell(pod, call, r);
}
