#include "criod/check.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
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

/*
 * The kubelet has already changed the pod's cgroup: what remains is to know
 * it.
 */
void
pod_handle_update(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__UpdatePodSandboxResourcesRequest *r = request_;
	Runtime__V1__UpdatePodSandboxResourcesResponse resp =
	    RUNTIME__V1__UPDATE_POD_SANDBOX_RESOURCES_RESPONSE__INIT;
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
	grpc_reply(call, &resp);
}
