/* Every message between processes, fixed or protobuf, as its receiver sees it;
 * what it takes, it can say again.  Of fixed ones, which have one length each,
 * also what the input makes with zeros behind it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "imsg/msg.h"
#include "imsg/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

_Static_assert(MSG_COUNT + 2 <= 256, "a byte is enough for a type");

/* Of imsg/link.c, which codec_pb names. */
void
link_reply(struct link_call *call, enum msg_type type, const void *body,
    const int *fds, size_t nfds)
{
	(void)call;
	(void)type;
	(void)body;
	(void)fds;
	(void)nfds;
}

static void
decode(enum msg_type type, const uint8_t *data, size_t len)
{
	void *body = codec_unpack(&codec_pb, type, data, len);
	uint8_t *again;
	size_t n;

	if (body == NULL)
		return;
	if (codec_pack(&codec_pb, type, body, &again, &n) == -1)
		abort();
	if (msg_info(type)->fixed != NULL)
		assert(n == len && memcmp(again, data, n) == 0);
	free(again);
	codec_free(&codec_pb, type, body);
}

static void
decode_filled(enum msg_type type, const uint8_t *data, size_t len)
{
	size_t n = fixed_size(msg_info(type)->fixed);
	uint8_t *full = calloc(1, n + 1);

	assert(full != NULL);
	memcpy(full, data, len < n ? len : n);
	decode(type, full, n);
	free(full);
}

/* A byte each: type, sender, receiver, descriptors; then the payload. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_msg m = { 0 };

	if (size < 4)
		return 0;
	m.type = data[0] % (MSG_COUNT + 2);
	m.nfds = data[3] % (WIRE_FDS_MAX + 1);
	m.len = size - 4;
	(void)msg_check(&m, 1U << data[1] % 17, 1U << data[2] % 17,
	    MSG_STATE_RUN);
	if (msg_info(m.type) == NULL)
		return 0;
	if (msg_info(m.type)->fixed != NULL)
		decode_filled((enum msg_type)m.type, data + 4, m.len);
	if (m.len <= msg_info(m.type)->max)
		decode((enum msg_type)m.type, data + 4, m.len);
	return 0;
}
