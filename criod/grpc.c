#include <event2/event.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "criod/grpc_int.h"
#include "criod/h2.h"
#include "proto/pbcheck.h"
#include "lib/log.h"

#define GRPC_MMAP_THRESHOLD (128 * 1024)

const struct grpc_method *
grpc_method_find(const struct grpc_server *s, const char *path,
    struct cerr *err)
{
	for (size_t i = 0; i < s->nmethods; i++) {
		const struct grpc_method *m = &s->methods[i];

		if (strcmp(m->path, path) != 0)
			continue;
		if (m->handler != NULL)
			return m;
		(void)cerr_set(err, CERR_UNIMPLEMENTED,
		    "method %s is not implemented", path);
		return NULL;
	}
	(void)cerr_set(err, CERR_UNIMPLEMENTED, "unknown method %s", path);
	return NULL;
}

struct grpc_call *
grpc_call_new(struct grpc_server *s, const struct grpc_method *m)
{
	struct grpc_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->server = s;
	call->method = m;
	call->started = mono_now();
	pballoc_init(&call->arena, 0);
	TAILQ_INSERT_TAIL(&s->calls, call, entry);
	return call;
}

static void
grpc_server_release(struct grpc_server *s)
{
	if (s->freed && TAILQ_EMPTY(&s->calls))
		free(s);
}

void
grpc_call_free(struct grpc_call *call)
{
	struct grpc_server *s = call->server;

	TAILQ_REMOVE(&s->calls, call, entry);
	if (call->running)
		s->nwork--;
	s->memory -= call->charged;
	if (call->timer != NULL)
		event_free(call->timer);
	grpc_frame_clear(&call->frame);
	pballoc_clear(&call->arena);
	free(call);
	grpc_server_release(s);
}

int
grpc_call_charge(struct grpc_call *call, struct cerr *err)
{
	struct grpc_server *s = call->server;
	size_t now = call->frame.cap + call->arena.used;

	s->memory += now - call->charged;
	call->charged = now;
	if (s->memory <= GRPC_MEMORY_MAX)
		return 0;
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "too many large requests at once");
}

/* Work that goes on for nobody counts as well: resets set nothing free. */
static int
grpc_call_admit(struct grpc_call *call, struct cerr *err)
{
	const struct grpc_server *s = call->server;
	const struct grpc_call *c;
	size_t same = 0, all = GRPC_WORK_MAX;

	TAILQ_FOREACH(c, &s->calls, entry)
		same += c->running && c->conn == call->conn;
	if (call->uid != 0)
		all -= GRPC_WORK_ROOT;
	if (s->nwork < all && same < GRPC_WORK_CONN_MAX)
		return 0;
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "too many calls in progress");
}

static size_t
grpc_call_budget(const struct grpc_call *call)
{
	size_t want = GRPC_DECODE_BASE + GRPC_DECODE_FACTOR * call->frame.len;
	size_t left = 0;

	if (call->server->memory < GRPC_MEMORY_MAX)
		left = GRPC_MEMORY_MAX - call->server->memory;
	return want < left ? want : left;
}

static int
grpc_call_decode(struct grpc_call *call, struct cerr *err)
{
	const ProtobufCMessageDescriptor *desc = call->method->request;
	const struct grpc_frame *f = &call->frame;

	if (pbcheck(desc, f->data, f->len, err) == -1)
		return -1;
	pballoc_init(&call->arena, grpc_call_budget(call));
	call->request = protobuf_c_message_unpack(desc, &call->arena.alloc,
	    f->len, f->data);
	if (call->request == NULL && call->arena.exhausted)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "request takes too much memory to decode");
	if (call->request == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "malformed protobuf");
	grpc_frame_clear(&call->frame);
	return grpc_call_charge(call, err);
}

void
grpc_call_run(struct grpc_call *call)
{
	struct cerr err;

	if (grpc_call_admit(call, &err) == -1 ||
	    grpc_call_decode(call, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	call->running = true;
	call->server->nwork++;
	call->method->handler(call->server->ctx, call, call->request);
}

void
grpc_call_cancel(struct grpc_call *call)
{
	void (*fn)(void *) = call->cancel;
	struct cerr err;

	if (!call->running) {
		(void)cerr_set(&err, CERR_CANCELLED, "the client left");
		call->cancelled = true;
		grpc_answer_ended(call, NULL, &err);
		grpc_call_free(call);
		return;
	}
	call->cancelled = true;
	call->cancel = NULL;
	if (fn != NULL)
		fn(call->cancel_arg);
}

void
grpc_on_cancel(struct grpc_call *call, void (*fn)(void *arg), void *arg)
{
	if (call->cancelled && fn != NULL) {
		fn(arg);
		return;
	}
	call->cancel = fn;
	call->cancel_arg = arg;
}

bool
grpc_cancelled(const struct grpc_call *call)
{
	return call->cancelled;
}

struct mono
grpc_deadline(const struct grpc_call *call)
{
	return call->deadline;
}

const char *
grpc_peer(const struct grpc_call *call)
{
	return call->peer;
}

int
grpc_peer_pid(const struct grpc_call *call)
{
	return call->pid;
}

const char *
grpc_path(const struct grpc_call *call)
{
	return call->method->path;
}

enum grpc_kind
grpc_kind(const struct grpc_call *call)
{
	return call->method->kind;
}

const ProtobufCMessageDescriptor *
grpc_response(const struct grpc_call *call)
{
	return call->method->response;
}

struct grpc_server *
grpc_server_new(struct event_base *base, const struct grpc_method *methods,
    size_t nmethods, void *ctx)
{
	struct grpc_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatalx("grpc_server_new: out of memory");
	/* Fixed, so that large messages always go back to the kernel. */
	(void)mallopt(M_MMAP_THRESHOLD, GRPC_MMAP_THRESHOLD);
	s->base = base;
	s->methods = methods;
	s->nmethods = nmethods;
	s->ctx = ctx;
	TAILQ_INIT(&s->calls);
	s->h2 = h2_server_new(base, &grpc_h2_ops, s);
	return s;
}

void
grpc_server_on_end(struct grpc_server *s, grpc_ended fn)
{
	s->ended = fn;
}

void
grpc_server_listen(struct grpc_server *s, int fd)
{
	h2_server_listen(s->h2, fd);
}

void
grpc_server_stop(struct grpc_server *s)
{
	struct grpc_call *call, *next;
	struct cerr err;

	(void)cerr_set(&err, CERR_UNAVAILABLE, "criod is stopping");
	for (call = TAILQ_FIRST(&s->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, entry);
		grpc_answer_status(call, &err);
	}
	h2_server_stop(s->h2);
}

void
grpc_server_free(struct grpc_server *s)
{
	struct grpc_call *call, *next;

	if (s == NULL)
		return;
	h2_server_free(s->h2);
	s->h2 = NULL;
	s->freed = true;
	for (call = TAILQ_FIRST(&s->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (!call->running)
			grpc_call_free(call);
	}
	grpc_server_release(s);
}
