/* "criodctl pod remove": stops and removes pods, with their containers. */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/pod.h"
#include "proto/cri.pb-c.h"

static int
pod_call(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
    const char *id)
{
	struct cerr err;

	if (ctl_call(ctl, method, request,
		&runtime__v1__stop_pod_sandbox_response__descriptor, NULL,
		&err) == 0)
		return 0;
	warnx("%s %s: %s", method, id, err.text);
	return -1;
}

int
pod_remove(struct ctl *ctl, char *id)
{
	Runtime__V1__StopPodSandboxRequest stop;
	Runtime__V1__RemovePodSandboxRequest rm;
	int rc;

	runtime__v1__stop_pod_sandbox_request__init(&stop);
	runtime__v1__remove_pod_sandbox_request__init(&rm);
	stop.pod_sandbox_id = rm.pod_sandbox_id = id;
	rc = pod_call(ctl, "RuntimeService/StopPodSandbox", &stop.base, id);
	if (pod_call(ctl, "RuntimeService/RemovePodSandbox", &rm.base, id) ==
	    -1)
		rc = -1;
	return rc;
}

int
pod_remove_all(struct ctl *ctl, bool say)
{
	Runtime__V1__ListPodSandboxRequest ask;
	Runtime__V1__ListPodSandboxResponse *list;
	ProtobufCMessage *msg;
	struct cerr err;
	int rc = 0;

	runtime__v1__list_pod_sandbox_request__init(&ask);
	if (ctl_call(ctl, "RuntimeService/ListPodSandbox", &ask.base,
		&runtime__v1__list_pod_sandbox_response__descriptor, &msg,
		&err) == -1)
		errx(1, "list pods: %s", err.text);
	list = (Runtime__V1__ListPodSandboxResponse *)msg;
	for (size_t i = 0; i < list->n_items; i++) {
		if (pod_remove(ctl, list->items[i]->id) == -1)
			rc = -1;
		else if (say)
			printf("pod %s\n", list->items[i]->id);
	}
	protobuf_c_message_free_unpacked(msg, NULL);
	return rc;
}

int
pod_remove_main(struct ctl *ctl, int argc, char **argv)
{
	bool all = false;
	int c, rc = 0;

	while ((c = getopt(argc, argv, "a")) != -1) {
		if (c != 'a')
			return 2;
		all = true;
	}
	if (all == (optind < argc))
		errx(2, "pod remove: either -a or ids");
	if (all)
		rc = pod_remove_all(ctl, false);
	for (; optind < argc; optind++) {
		if (pod_remove(ctl, argv[optind]) == -1)
			rc = -1;
	}
	return rc == -1 ? 1 : 0;
}
