#include <stdlib.h>

#include "criod/grpc_int.h"
#include "criod/h2.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "proto/grpc_status.h"

#define GRPC_CONTENT_TYPE "application/grpc"

void
grpc_answer_http(struct h2_stream *st, const char *status)
{
	const struct h2_field fields[] = { { ":status", status } };

	h2_stream_headers(st, fields, 1, true);
}

void
grpc_answer_refuse(struct h2_stream *st, const struct cerr *err)
{
	char text[GRPC_TEXT_MAX];
	const struct h2_field fields[] = {
		{ ":status", "200" },
		{ "content-type", GRPC_CONTENT_TYPE },
		{ "grpc-accept-encoding", "identity" },
		{ "grpc-status", grpc_status_number(err->code) },
		{ "grpc-message", text },
	};

	grpc_text_encode(err->text, text);
	h2_stream_headers(st, fields, sizeof(fields) / sizeof(fields[0]), true);
}

static void
grpc_answer_begin(struct grpc_call *call)
{
	static const struct h2_field fields[] = {
		{ ":status", "200" },
		{ "content-type", GRPC_CONTENT_TYPE },
		{ "grpc-accept-encoding", "identity" },
	};

	if (call->answering)
		return;
	call->answering = true;
	h2_stream_headers(call->stream, fields,
	    sizeof(fields) / sizeof(fields[0]), false);
}

/* err NULL: OK. */
static void
grpc_answer_trailers(struct grpc_call *call, const struct cerr *err)
{
	char text[GRPC_TEXT_MAX];
	struct h2_field fields[] = {
		{ "grpc-status",
		    grpc_status_number(err == NULL ? CERR_OK : err->code) },
		{ "grpc-message", text },
	};

	if (err != NULL)
		grpc_text_encode(err->text, text);
	h2_stream_trailers(call->stream, fields, err == NULL ? 1 : 2);
}

void
grpc_answer_status(struct grpc_call *call, const struct cerr *err)
{
	struct h2_stream *st = call->stream;

	if (st == NULL)
		return;
	log_debug("%s: %s: %s after %lld ms", call->peer, call->method->path,
	    err == NULL ? "OK" : cerr_name(err->code),
	    (long long)((mono_now().ns - call->started.ns) / MONO_NS_PER_MS));
	if (err != NULL && !call->answering) {
		grpc_answer_refuse(st, err);
	} else {
		grpc_answer_begin(call);
		grpc_answer_trailers(call, err);
	}
	h2_stream_set_user(st, NULL);
	call->stream = NULL;
}

static int
grpc_answer_pack(const void *response, uint8_t **buf, size_t *len,
    struct cerr *err)
{
	size_t size = protobuf_c_message_get_packed_size(response);

	if (size > GRPC_MESSAGE_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "response of %zu bytes is larger than the %u allowed", size,
		    GRPC_MESSAGE_MAX);
	*buf = malloc(size + GRPC_FRAME_HEADER);
	if (*buf == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "out of memory for the response");
	grpc_frame_header(*buf, (uint32_t)size);
	*len = GRPC_FRAME_HEADER +
	       protobuf_c_message_pack(response, *buf + GRPC_FRAME_HEADER);
	return 0;
}

static int
grpc_answer_message(struct grpc_call *call, const void *response,
    struct cerr *err)
{
	uint8_t *buf;
	size_t len;

	if (grpc_answer_pack(response, &buf, &len, err) == -1)
		return -1;
	grpc_answer_begin(call);
	if (h2_stream_body(call->stream, buf, len) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "too many unread responses");
	return 0;
}

static void
grpc_answer_local(struct grpc_call *call, const void *response,
    const struct cerr *fail)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct cerr err;
	size_t len = 0;

	if (call->done == NULL)
		return;
	if (fail == NULL && grpc_answer_pack(response, &buf, &len, &err) == -1)
		fail = &err;
	if (fail != NULL)
		call->done(call->done_arg, fail, NULL, 0);
	else
		call->done(call->done_arg, NULL, buf + GRPC_FRAME_HEADER,
		    len - GRPC_FRAME_HEADER);
}

void
grpc_answer_ended(const struct grpc_call *call, const void *response,
    const struct cerr *err)
{
	const struct grpc_server *s = call->server;
	struct grpc_outcome o = {
		.method = call->method,
		.path = call->method->path,
		.request = call->request,
		.response = response,
		.err = err,
		.took_ns = mono_now().ns - call->started.ns,
		.uid = call->uid,
		.pid = call->pid,
		.gone = call->cancelled,
		.local = call->local,
	};

	if (s->ended != NULL)
		s->ended(s->ctx, &o);
}

void
grpc_answer_unknown(struct grpc_server *s, struct h2_stream *st,
    const char *path, const struct cerr *err)
{
	struct grpc_outcome o = { .path = path,
		.err = err,
		.uid = h2_stream_uid(st),
		.pid = h2_stream_pid(st) };

	if (s->ended != NULL)
		s->ended(s->ctx, &o);
	grpc_answer_refuse(st, err);
}

void
grpc_reply(struct grpc_call *call, const void *response)
{
	struct cerr err;

	grpc_answer_local(call, response, NULL);
	if (call->stream != NULL &&
	    grpc_answer_message(call, response, &err) == -1)
		grpc_answer_status(call, &err);
	grpc_answer_status(call, NULL);
	grpc_answer_ended(call, response, NULL);
	grpc_call_free(call);
}

void
grpc_fail(struct grpc_call *call, const struct cerr *err)
{
	struct cerr wrong;

	if (err->code == CERR_OK) {
		(void)cerr_set(&wrong, CERR_INTERNAL, "failed without a cause");
		err = &wrong;
	}
	grpc_answer_local(call, NULL, err);
	grpc_answer_status(call, err);
	grpc_answer_ended(call, NULL, err);
	grpc_call_free(call);
}

int
grpc_stream(struct grpc_call *call, const void *response)
{
	struct cerr err;

	if (call->stream == NULL ||
	    h2_stream_queued(call->stream) > GRPC_BACKLOG_MAX)
		return -1;
	return grpc_answer_message(call, response, &err);
}

void
grpc_begin(struct grpc_call *call)
{
	if (call->stream != NULL)
		grpc_answer_begin(call);
}

size_t
grpc_queued(const struct grpc_call *call)
{
	return call->stream == NULL ? 0 : h2_stream_queued(call->stream);
}

void
grpc_end(struct grpc_call *call)
{
	grpc_answer_status(call, NULL);
	grpc_answer_ended(call, NULL, NULL);
	grpc_call_free(call);
}
