#include <err.h>
#include <stdio.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "proto/cri.pb-c.h"

/* Calls method with an empty request; exits if that fails. */
static void *
status_get(struct ctl *ctl, const char *method,
    const ProtobufCMessageDescriptor *request,
    const ProtobufCMessageDescriptor *response)
{
	ProtobufCMessage *empty =
	    protobuf_c_message_unpack(request, NULL, 0, (const uint8_t *)"");
	ProtobufCMessage *out;
	struct cerr err;

	if (empty == NULL)
		errx(1, "out of memory");
	if (ctl_call(ctl, method, empty, response, &out, &err) == -1)
		errx(1, "%s: %s", method, err.text);
	protobuf_c_message_free_unpacked(empty, NULL);
	return out;
}

#define STATUS_GET(ctl, service, method, snake)                                \
	status_get(ctl, service "/" method,                                    \
	    &runtime__v1__##snake##_request__descriptor,                       \
	    &runtime__v1__##snake##_response__descriptor)

static void
status_conditions(const Runtime__V1__StatusResponse *st)
{
	for (size_t i = 0; i < st->status->n_conditions; i++) {
		const Runtime__V1__RuntimeCondition *c =
		    st->status->conditions[i];

		printf("%-16s%s%s%s%s%s\n", c->type, c->status ? "yes" : "no",
		    *c->reason ? " (" : "", c->reason, *c->reason ? "): " : "",
		    c->message);
	}
	for (size_t i = 0; i < st->n_runtime_handlers; i++) {
		const char *name = st->runtime_handlers[i]->name;

		if (*name != '\0')
			printf("%-16s%s\n", "runtime", name);
	}
}

static size_t
status_count_ready(const Runtime__V1__ListPodSandboxResponse *pods)
{
	size_t ready = 0;

	for (size_t i = 0; i < pods->n_items; i++)
		ready += pods->items[i]->state ==
			 RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY;
	return ready;
}

static size_t
status_count_running(const Runtime__V1__ListContainersResponse *ctrs)
{
	size_t running = 0;

	for (size_t i = 0; i < ctrs->n_containers; i++)
		running += ctrs->containers[i]->state ==
			   RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING;
	return running;
}

int
status_main(struct ctl *ctl, int argc, char **argv)
{
	Runtime__V1__VersionResponse *v;
	Runtime__V1__StatusResponse *st;
	Runtime__V1__ListPodSandboxResponse *pods;
	Runtime__V1__ListContainersResponse *ctrs;
	Runtime__V1__ListImagesResponse *images;

	(void)argv;
	if (argc != 1)
		errx(2, "status takes no arguments");
	v = STATUS_GET(ctl, "RuntimeService", "Version", version);
	st = STATUS_GET(ctl, "RuntimeService", "Status", status);
	pods = STATUS_GET(ctl, "RuntimeService", "ListPodSandbox",
	    list_pod_sandbox);
	ctrs = STATUS_GET(ctl, "RuntimeService", "ListContainers",
	    list_containers);
	printf("%-16s%s %s (CRI %s)\n", "version", v->runtime_name,
	    v->runtime_version, v->runtime_api_version);
	status_conditions(st);
	printf("%-16s%zu, %zu ready\n", "pods", pods->n_items,
	    status_count_ready(pods));
	printf("%-16s%zu, %zu running\n", "containers", ctrs->n_containers,
	    status_count_running(ctrs));
	/* Last: they may be what cannot be told. */
	images = STATUS_GET(ctl, "ImageService", "ListImages", list_images);
	printf("%-16s%zu\n", "images", images->n_images);
	runtime__v1__version_response__free_unpacked(v, NULL);
	runtime__v1__status_response__free_unpacked(st, NULL);
	runtime__v1__list_pod_sandbox_response__free_unpacked(pods, NULL);
	runtime__v1__list_containers_response__free_unpacked(ctrs, NULL);
	runtime__v1__list_images_response__free_unpacked(images, NULL);
	return 0;
}
