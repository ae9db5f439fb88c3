/* Framing, then everything between a message's bytes and a handler. */
#include <assert.h>
#include <stdlib.h>

#include "proto/pballoc.h"
#include "proto/pbcheck.h"
#include "proto/cri.pb-c.h"
#include "proto/grpc_frame.h"
#include "proto/grpc_status.h"

#define METHOD(svc, rpc, req, resp, how, fn)  &runtime__v1__##req##__descriptor,
#define METHOD_NONE(svc, rpc, req, resp, how) METHOD(svc, rpc, req, resp, , )
static const ProtobufCMessageDescriptor *const descs[] = {
#include "criod/method_table.h"
};

static void
decode(const ProtobufCMessageDescriptor *desc, const uint8_t *buf, size_t len,
    size_t budget)
{
	struct pballoc a;
	struct cerr err;
	void *m;

	if (pbcheck(desc, buf, len, &err) == -1)
		assert(err.code == CERR_INVALID_ARGUMENT);
	pballoc_init(&a, budget);
	m = protobuf_c_message_unpack(desc, &a.alloc, len, buf);
	if (m != NULL)
		(void)protobuf_c_message_get_packed_size(m);
	assert(a.used <= budget);
	pballoc_clear(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct grpc_frame f = { 0 };
	struct cerr err;
	size_t step, at;
	int rv = 0;

	if (size < 3)
		return 0;
	step = data[1] + 1U;
	for (at = 3; at < size && rv == 0; at += step)
		rv = grpc_frame_feed(&f, data + at,
		    size - at < step ? size - at : step, 1 << 16, &err);
	assert(f.cap <= 1 << 16);
	if (rv == 0 && grpc_frame_whole(&f))
		decode(descs[data[0] % (sizeof(descs) / sizeof(descs[0]))],
		    f.data, f.len, data[2] * 64U);
	grpc_frame_clear(&f);
	return 0;
}
