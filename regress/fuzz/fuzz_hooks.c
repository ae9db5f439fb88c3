/* A file of OCI hooks, and a container that it is asked about. */
#include <stdlib.h>

#include "execd/hooks.h"
#include "lib/json.h"
#include "lib/log.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR + 1, LOG_FMT_TEXT);
	json_init();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Runtime__V1__PodSandboxConfig pod =
	    RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
	Runtime__V1__ContainerConfig ctr = RUNTIME__V1__CONTAINER_CONFIG__INIT;
	Runtime__V1__PodSandboxConfig__AnnotationsEntry a =
	    RUNTIME__V1__POD_SANDBOX_CONFIG__ANNOTATIONS_ENTRY__INIT;
	Runtime__V1__PodSandboxConfig__AnnotationsEntry *list[] = { &a };
	struct hooks *h = hooks_new();
	json_t *args = json_pack("[ss]", "/bin/sh", "-c"), *out = NULL;
	struct hooks_about about = { &pod, &ctr, args };
	struct cerr err;

	a.key = "key";
	a.value = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
	pod.annotations = list;
	pod.n_annotations = 1;
	hooks_add(h, "fuzz.json", data, size);
	if (hooks_make(h, &about, &out, &err) == 0)
		json_decref(out);
	json_decref(args);
	hooks_free(h);
	return 0;
}
