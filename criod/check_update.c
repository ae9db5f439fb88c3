#include "criod/check.h"
#include "criod/check_linux.h"
#include "criod/check_tab.h"

int
check_update_container(const Runtime__V1__UpdateContainerResourcesRequest *r,
    struct cerr *err)
{
	if (r->windows != NULL)
		return check_fail(err, "", "windows", "this host runs Linux");
	return check_resources(r->linux, "linux", err);
}

int
check_update_pod(const Runtime__V1__UpdatePodSandboxResourcesRequest *r,
    struct cerr *err)
{
	if (check_resources(r->overhead, "overhead", err) == -1)
		return -1;
	return check_resources(r->resources, "resources", err);
}
