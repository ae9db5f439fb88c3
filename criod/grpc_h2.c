#include <event2/event.h>

#include <stdio.h>
#include <string.h>

#include "criod/grpc_int.h"
#include "criod/h2.h"
#include "lib/log.h"
#include "proto/grpc_status.h"

/* A deadline so far away is none. */
#define GRPC_DEADLINE_FAR (INT64_C(365) * 24 * 3600 * 1000)

/* Everything that can be said no to before a byte of body is kept. */
static const struct grpc_method *
grpc_h2_check(const struct grpc_server *s, const struct h2_head *head,
    enum h2_fault fault, struct cerr *err)
{
	if (fault == H2_FAULT_TOO_LARGE) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "request headers are larger than %u bytes", H2_HEADERS_MAX);
		return NULL;
	}
	if (fault == H2_FAULT_MALFORMED) {
		(void)cerr_set(err, CERR_UNIMPLEMENTED,
		    "malformed request headers");
		return NULL;
	}
	if (head->encoding[0] != '\0' &&
	    strcmp(head->encoding, "identity") != 0) {
		(void)cerr_set(err, CERR_UNIMPLEMENTED,
		    "grpc-encoding %s is not supported", head->encoding);
		return NULL;
	}
	return grpc_method_find(s, head->path, err);
}

static void
grpc_h2_deadline_passed(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_call *call = arg;
	struct cerr err;

	(void)fd;
	(void)what;
	(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED,
	    "the client's deadline passed");
	grpc_answer_status(call, &err);
	grpc_call_cancel(call);
}

static int
grpc_h2_set_deadline(struct grpc_call *call, const char *timeout,
    struct cerr *err)
{
	struct timeval tv;
	int64_t ms;

	if (timeout[0] == '\0')
		return 0;
	if (grpc_timeout_parse(timeout, &ms) == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "malformed grpc-timeout");
	if (ms > GRPC_DEADLINE_FAR)
		return 0;
	call->deadline = mono_after_ms(ms);
	tv = mono_timeval(call->deadline);
	call->timer =
	    evtimer_new(call->server->base, grpc_h2_deadline_passed, call);
	if (call->timer == NULL || evtimer_add(call->timer, &tv) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "out of memory");
	return 0;
}

static void
grpc_h2_start(struct grpc_server *s, struct h2_stream *st,
    const struct grpc_method *m, const char *timeout)
{
	struct grpc_call *call = grpc_call_new(s, m);
	struct cerr err;

	if (call == NULL) {
		(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED, "out of memory");
		grpc_answer_refuse(st, &err);
		return;
	}
	call->stream = st;
	call->conn = h2_stream_conn(st);
	call->uid = h2_stream_uid(st);
	call->pid = h2_stream_pid(st);
	(void)snprintf(call->peer, sizeof(call->peer), "%s",
	    h2_stream_peer(st));
	h2_stream_set_user(st, call);
	if (grpc_h2_set_deadline(call, timeout, &err) == -1)
		grpc_fail(call, &err);
}

static void
grpc_h2_open(void *ctx, struct h2_stream *st, const struct h2_head *head,
    enum h2_fault fault)
{
	struct grpc_server *s = ctx;
	const struct grpc_method *m;
	struct cerr err;

	if (fault == H2_FAULT_NONE && strcmp(head->method, "POST") != 0) {
		grpc_answer_http(st, "405");
		return;
	}
	if (fault == H2_FAULT_NONE &&
	    !grpc_content_type_ok(head->content_type)) {
		grpc_answer_http(st, "415");
		return;
	}
	m = grpc_h2_check(s, head, fault, &err);
	if (m == NULL) {
		log_debug("%s: %s", h2_stream_peer(st), err.text);
		grpc_answer_unknown(s, st, head->path, &err);
		return;
	}
	grpc_h2_start(s, st, m, head->timeout);
}

static void
grpc_h2_data(void *ctx, struct h2_stream *st, const uint8_t *buf, size_t len)
{
	struct grpc_call *call = h2_stream_user(st);
	struct cerr err;

	(void)ctx;
	if (call == NULL)
		return;
	if (grpc_frame_feed(&call->frame, buf, len, GRPC_MESSAGE_MAX, &err) ==
		-1 ||
	    grpc_call_charge(call, &err) == -1)
		grpc_fail(call, &err);
}

static void
grpc_h2_end(void *ctx, struct h2_stream *st)
{
	struct grpc_call *call = h2_stream_user(st);
	struct cerr err;

	(void)ctx;
	if (call == NULL)
		return;
	if (!grpc_frame_whole(&call->frame)) {
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "the request has no whole message");
		grpc_fail(call, &err);
		return;
	}
	grpc_call_run(call);
}

static void
grpc_h2_closed(void *ctx, struct h2_stream *st)
{
	struct grpc_call *call = h2_stream_user(st);

	(void)ctx;
	if (call == NULL)
		return;
	log_debug("%s: %s: the client left after %lld ms", call->peer,
	    call->method->path,
	    (long long)((mono_now().ns - call->started.ns) / MONO_NS_PER_MS));
	call->stream = NULL;
	grpc_call_cancel(call);
}

const struct h2_ops grpc_h2_ops = {
	.open = grpc_h2_open,
	.data = grpc_h2_data,
	.end = grpc_h2_end,
	.closed = grpc_h2_closed,
};
