#include <stdlib.h>

#include "criod/forward.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/pb.h"
#include "imsg/link.h"

struct forward {
	struct grpc_call *call;
	struct link *link;
	uint32_t request;
	forward_fn answer;
};

void
forward_same(struct grpc_call *call, const void *body)
{
	grpc_reply(call, body);
}

static void
forward_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct forward *f = arg;

	grpc_on_cancel(f->call, NULL, NULL);
	if (err != NULL)
		grpc_fail(f->call, err);
	else
		f->answer(f->call, m->body);
	free(f);
}

static void
forward_cancelled(void *arg)
{
	struct forward *f = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel(f->link, f->request);
	grpc_fail(f->call, &err);
	free(f);
}

void
forward_call(struct grpc_call *call, struct link *link, enum msg_type type,
    const void *body, int64_t ms, forward_fn answer)
{
	struct forward *f;
	struct cerr err;

	if (front_need(link, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	f = pb_calloc(1, sizeof(*f));
	f->call = call;
	f->link = link;
	f->answer = answer;
	f->request = link_request(link, type, body, NULL, 0,
	    ms == 0 ? mono_none() : mono_after_ms(ms), forward_done, f);
	grpc_on_cancel(call, forward_cancelled, f);
}
