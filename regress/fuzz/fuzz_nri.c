/* A plugin's socket, and its answers to CreateContainer put together. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nrid/merge.h"
#include "nrid/mux.h"
#include "proto/pbcheck.h"

static struct pballoc mem;
static struct merge m;
static char names[] = "a\0b\0c";

static int
take(void *ctx, uint32_t conn, const uint8_t *buf, size_t len, struct cerr *err)
{
	const ProtobufCMessageDescriptor *d =
	    &nri__create_container_response__descriptor;
	Nri__CreateContainerResponse *r;
	const char *plugin = &names[conn % 3 * 2];

	(void)ctx;
	if (pbcheck(d, buf, len, err) == -1)
		return 0;
	r = (void *)protobuf_c_message_unpack(d, &mem.alloc, len, buf);
	if (r == NULL)
		return 0;
	if (merge_adjust(&m, plugin, r->adjust, err) == -1)
		return -1;
	return merge_updates(&m, plugin, r->update, r->n_update, err);
}

static void
pack(const void *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *buf = malloc(len + 1);

	assert(buf != NULL);
	assert(protobuf_c_message_pack(message, buf) == len);
	free(buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Nri__Container view;
	Nri__OwningPlugins *owners;
	struct mux mux = { 0 };
	struct cerr err;

	pballoc_init(&mem, 1 << 20);
	nri__container__init(&view);
	if (merge_init(&m, &mem, "id") == 0) {
		m.view = &view;
		if (mux_input(&mux, data, size, take, NULL, &err) == 0) {
			pack(m.adjust);
			pack(&view);
			for (size_t i = 0; i < m.nupdates; i++)
				pack(m.updates[i]);
			owners = merge_owners(&m);
			if (owners != NULL)
				pack(owners);
		}
	}
	assert(mem.used <= 1 << 20);
	pballoc_clear(&mem);
	return 0;
}
