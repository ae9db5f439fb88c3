#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/grpc_int.h"
#include "lib/log.h"

/* In the place of a row for what the table does not have. */
static const struct grpc_method grpc_local_none = { .path = "(none)" };

static int
grpc_local_check(struct grpc_call *call, struct cerr *err)
{
	if (call->method == &grpc_local_none)
		return cerr_set(err, CERR_UNIMPLEMENTED,
		    "unknown or unimplemented method");
	if (call->method->kind == GRPC_SERVER_STREAM)
		return cerr_set(err, CERR_UNIMPLEMENTED,
		    "method %s answers with a stream", call->method->path);
	if (!grpc_frame_whole(&call->frame))
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "request too large");
	return grpc_call_charge(call, err);
}

static void
grpc_local_start(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_call *call = arg;
	struct cerr err;

	(void)fd;
	(void)what;
	if (grpc_local_check(call, &err) == -1)
		grpc_fail(call, &err);
	else
		grpc_call_run(call);
}

/* The request travels in the frame reader, as if it had come framed. */
static void
grpc_local_keep(struct grpc_call *call, const uint8_t *req, size_t len)
{
	uint8_t head[GRPC_FRAME_HEADER];
	struct cerr err;

	if (len > GRPC_MESSAGE_MAX)
		return;
	grpc_frame_header(head, (uint32_t)len);
	if (grpc_frame_feed(&call->frame, head, sizeof(head), GRPC_MESSAGE_MAX,
		&err) == -1 ||
	    grpc_frame_feed(&call->frame, req, len, GRPC_MESSAGE_MAX, &err) ==
		-1)
		log_warn("criodctl's request: %s", err.text);
}

struct grpc_call *
grpc_call_local(struct grpc_server *s, const char *path, const uint8_t *req,
    size_t len,
    void (*done)(void *arg, const struct cerr *err, const uint8_t *resp,
	size_t len),
    void *arg)
{
	const struct grpc_method *m = grpc_method_find(s, path, NULL);
	struct grpc_call *call;

	call = grpc_call_new(s, m != NULL ? m : &grpc_local_none);
	if (call == NULL)
		fatalx("grpc_call_local: out of memory");
	(void)snprintf(call->peer, sizeof(call->peer), "criodctl");
	call->local = true;
	call->done = done;
	call->done_arg = arg;
	grpc_local_keep(call, req, len);
	call->timer = evtimer_new(s->base, grpc_local_start, call);
	if (call->timer == NULL)
		fatalx("grpc_call_local: out of memory");
	event_active(call->timer, EV_TIMEOUT, 0);
	return call;
}

void
grpc_local_peer(struct grpc_call *call, unsigned int uid, int pid)
{
	call->uid = uid;
	call->pid = pid;
}

void
grpc_local_cancel(struct grpc_call *call)
{
	call->done = NULL;
	grpc_call_cancel(call);
}
