#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/pb.h"
#include "criod/stream_list.h"
#include "lib/log.h"

#define STREAM_RETRY_US (20 * 1000)

struct stream_list {
	struct front *front;
	struct grpc_call *call;
	const void *request;
	stream_fn fn;
	struct event *timer;
	uint64_t after;
};

static void
stream_list_free(struct stream_list *s)
{
	event_free(s->timer);
	free(s);
}

static void
stream_list_left(void *arg)
{
	struct stream_list *s = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	grpc_fail(s->call, &err);
	stream_list_free(s);
}

static void
stream_list_turn(evutil_socket_t fd, short what, void *arg)
{
	struct stream_list *s = arg;
	struct timeval tv = { 0, 0 };
	int sent = s->fn(s->front, s->call, s->request, &s->after);

	(void)fd;
	(void)what;
	if (sent == 0) {
		grpc_on_cancel(s->call, NULL, NULL);
		grpc_end(s->call);
		stream_list_free(s);
		return;
	}
	if (sent == -1)
		tv.tv_usec = STREAM_RETRY_US;
	(void)evtimer_add(s->timer, &tv);
}

void
stream_list_begin(struct front *front, struct grpc_call *call,
    const void *request, stream_fn fn)
{
	struct stream_list *s = pb_calloc(1, sizeof(*s));
	struct timeval now = { 0, 0 };

	s->front = front;
	s->call = call;
	s->request = request;
	s->fn = fn;
	s->timer = evtimer_new(front->base, stream_list_turn, s);
	if (s->timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(s->timer, &now);
	grpc_on_cancel(call, stream_list_left, s);
}

/* ---- of one answer ---- */

static void
stream_list_fill(ProtobufCMessage *m, void *const *items, size_t n)
{
	const ProtobufCFieldDescriptor *f = &m->descriptor->fields[0];
	uint8_t *at = (uint8_t *)m;

	memcpy(at + f->quantifier_offset, &n, sizeof(n));
	memcpy(at + f->offset, &items, sizeof(items));
}

static ProtobufCMessage *
stream_list_response(const struct grpc_call *call)
{
	const ProtobufCMessageDescriptor *desc = grpc_response(call);
	ProtobufCMessage *m = pb_calloc(1, desc->sizeof_message);

	protobuf_c_message_init(desc, m);
	return m;
}

int
stream_list_send(struct grpc_call *call, void *const *items, size_t n)
{
	ProtobufCMessage *m = stream_list_response(call);
	int ret = 0;

	stream_list_fill(m, items, n);
	if (grpc_kind(call) == GRPC_UNARY)
		grpc_reply(call, m);
	else if (n > 0)
		ret = grpc_stream(call, m);
	free(m);
	return ret;
}

void
stream_list_items(struct grpc_call *call, void *const *items, size_t n)
{
	struct cerr err;

	for (size_t i = 0; i < n; i += STREAM_CHUNK) {
		if (stream_list_send(call, items + i,
			n - i < STREAM_CHUNK ? n - i : STREAM_CHUNK) == -1) {
			(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED,
			    "the client reads too slowly");
			grpc_fail(call, &err);
			return;
		}
	}
	grpc_end(call);
}
