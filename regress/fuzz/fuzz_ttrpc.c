/* One end of a conversation, fed whatever comes in pieces of any size. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ttrpc.h"

static int
sent(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	assert(buf != NULL && len >= TTRPC_HEADER);
	return 0;
}

static void
request(void *ctx, const struct ttrpc_request *r)
{
	assert(memchr(r->service, '\0', sizeof(r->service)) != NULL);
	assert(memchr(r->method, '\0', sizeof(r->method)) != NULL);
	if (r->len % 2 == 0)
		(void)ttrpc_answer(*(struct ttrpc **)ctx, r->stream, r->payload,
		    r->len, NULL);
}

static void
reply(void *arg, const uint8_t *payload, size_t len, const struct cerr *err,
    bool answered)
{
	(void)payload;
	(void)len;
	(void)err;
	(void)answered;
	++*(size_t *)arg;
}

static const struct ttrpc_def def = { .send = sent,
	.request = request,
	.max = 1 << 16 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ttrpc *t;
	struct cerr err;
	size_t ended = 0, step, at;

	if (size < 1)
		return 0;
	step = data[0] + 1U;
	t = ttrpc_new(&def, &t);
	for (int i = 0; i < 3; i++)
		assert(ttrpc_call(t, "s", "m", data, size % 64, 0, reply,
			   &ended, &err) == 0);
	for (at = 1; at < size; at += step) {
		if (ttrpc_input(t, data + at,
			size - at < step ? size - at : step, &err) == -1)
			break;
	}
	(void)cerr_set(&err, CERR_UNAVAILABLE, "end");
	ttrpc_fail(t, &err);
	assert(ended == 3);
	ttrpc_free(t);
	return 0;
}
