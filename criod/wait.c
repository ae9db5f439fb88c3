#include <stdlib.h>

#include "criod/grpc.h"
#include "criod/pb.h"
#include "criod/wait.h"

struct wait {
	TAILQ_ENTRY(wait) entry;
	struct wait_list *list;
	struct grpc_call *call; /* NULL: fn */
	wait_fn fn;
	void *arg;
};

void
wait_init(struct wait_list *l)
{
	TAILQ_INIT(l);
}

static struct wait *
wait_add(struct wait_list *l)
{
	struct wait *w = pb_calloc(1, sizeof(*w));

	w->list = l;
	TAILQ_INSERT_TAIL(l, w, entry);
	return w;
}

static void
wait_left(void *arg)
{
	struct wait *w = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	TAILQ_REMOVE(w->list, w, entry);
	grpc_fail(w->call, &err);
	free(w);
}

void
wait_add_call(struct wait_list *l, struct grpc_call *call)
{
	struct wait *w = wait_add(l);

	w->call = call;
	grpc_on_cancel(call, wait_left, w);
}

void
wait_add_fn(struct wait_list *l, wait_fn fn, void *arg)
{
	struct wait *w = wait_add(l);

	w->fn = fn;
	w->arg = arg;
}

/* Frees w. */
static void
wait_end_one(struct wait *w, const struct cerr *err, const void *response)
{
	if (w->call == NULL) {
		if (w->fn != NULL)
			w->fn(w->arg, err);
	} else {
		grpc_on_cancel(w->call, NULL, NULL);
		if (err != NULL)
			grpc_fail(w->call, err);
		else
			grpc_reply(w->call, response);
	}
	free(w);
}

void
wait_move(struct wait_list *to, struct wait_list *from)
{
	struct wait *w;

	TAILQ_CONCAT(to, from, entry);
	TAILQ_FOREACH(w, to, entry)
		w->list = to;
}

size_t
wait_end(struct wait_list *l, const struct cerr *err, const void *response)
{
	struct wait_list now = TAILQ_HEAD_INITIALIZER(now);
	struct wait *w;
	size_t calls = 0;

	wait_move(&now, l);
	while ((w = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, w, entry);
		calls += w->call != NULL;
		wait_end_one(w, err, response);
	}
	return calls;
}
