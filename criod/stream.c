#include <event2/event.h>

#include <stdlib.h>

#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/pb.h"
#include "criod/stream.h"
#include "lib/log.h"

#define STREAM_RETRY_US (20 * 1000)

struct stream {
	struct front *front;
	struct grpc_call *call;
	const void *request;
	stream_fn fn;
	struct event *timer;
	uint64_t after;
};

static void
stream_free(struct stream *s)
{
	event_free(s->timer);
	free(s);
}

static void
stream_left(void *arg)
{
	struct stream *s = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	grpc_fail(s->call, &err);
	stream_free(s);
}

static void
stream_turn(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct timeval tv = { 0, 0 };
	int sent = s->fn(s->front, s->call, s->request, &s->after);

	(void)fd;
	(void)what;
	if (sent == 0) {
		grpc_on_cancel(s->call, NULL, NULL);
		grpc_end(s->call);
		stream_free(s);
		return;
	}
	if (sent == -1)
		tv.tv_usec = STREAM_RETRY_US;
	(void)evtimer_add(s->timer, &tv);
}

void
stream_begin(struct front *front, struct grpc_call *call, const void *request,
    stream_fn fn)
{
	struct stream *s = pb_calloc(1, sizeof(*s));
	struct timeval now = { 0, 0 };

	s->front = front;
	s->call = call;
	s->request = request;
	s->fn = fn;
	s->timer = evtimer_new(front->base, stream_turn, s);
	if (s->timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(s->timer, &now);
	grpc_on_cancel(call, stream_left, s);
}
