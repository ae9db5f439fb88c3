/* What clients ask for, from its bytes to the word that it makes sense. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "proto/pballoc.h"
#include "proto/pbcheck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run(const void *r, struct cerr *err)
{
	Criod__BootFront boot = CRIOD__BOOT_FRONT__INIT;

	return check_run_pod(r, &boot, err);
}

static int
create(const void *r, struct cerr *err)
{
	const Runtime__V1__CreateContainerRequest *c = r;

	if (check_create_container(c, err) == -1)
		return -1;
	(void)check_ctr_namespaces(c->config);
	return c->sandbox_config == NULL
		   ? 0
		   : check_ctr_fits_pod(c->config, c->sandbox_config, err);
}

static int
update(const void *r, struct cerr *err)
{
	return check_update_container(r, err);
}

static int
update_pod(const void *r, struct cerr *err)
{
	return check_update_pod(r, err);
}

static int
pull(const void *r, struct cerr *err)
{
	return check_pull(r, err);
}

static const struct {
	const ProtobufCMessageDescriptor *desc;
	int (*check)(const void *r, struct cerr *err);
} requests[] = {
	{ &runtime__v1__run_pod_sandbox_request__descriptor, run },
	{ &runtime__v1__create_container_request__descriptor, create },
	{ &runtime__v1__update_container_resources_request__descriptor,
	    update },
	{ &runtime__v1__update_pod_sandbox_resources_request__descriptor,
	    update_pod },
	{ &runtime__v1__pull_image_request__descriptor, pull },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pballoc mem;
	struct cerr err;
	size_t i;
	void *r;

	if (size < 1)
		return 0;
	i = data[0] % (sizeof(requests) / sizeof(requests[0]));
	if (pbcheck(requests[i].desc, data + 1, size - 1, &err) == -1)
		return 0;
	pballoc_init(&mem, 1 << 20);
	r = protobuf_c_message_unpack(requests[i].desc, &mem.alloc, size - 1,
	    data + 1);
	if (r != NULL && requests[i].check(r, &err) == -1)
		assert(err.code != CERR_OK && err.text[0] != '\0');
	pballoc_clear(&mem);
	return 0;
}
