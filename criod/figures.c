#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "criod/figures.h"
#include "criod/front.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "imsg/link.h"
#include "lib/log.h"

#define FIGURES_EVERY_S 1
#define FIGURES_CODES	(CERR_UNAUTHENTICATED + 1)
#define FIGURES_PULL	"/runtime.v1.ImageService/PullImage"

struct figures {
	struct front *front;
	Criod__FrontOperation *ops; /* one for each method */
	struct event *timer;
	bool waiting; /* the timer is set */
	uint64_t pulls, oom_kills, pull_failures[FIGURES_CODES];
};

static void
figures_late(evutil_socket_t fd, short what, void *arg)
{
	struct figures *f = arg;

	(void)fd;
	(void)what;
	f->waiting = false;
	figures_send(f->front);
}

struct figures *
figures_new(struct front *front)
{
	struct figures *f = pb_calloc(1, sizeof(*f));

	f->front = front;
	f->ops = pb_calloc(methods_cri_count, sizeof(*f->ops));
	for (size_t i = 0; i < methods_cri_count; i++) {
		criod__front_operation__init(&f->ops[i]);
		f->ops[i].name = pb_str(strrchr(methods_cri[i].path, '/') + 1);
	}
	f->timer = evtimer_new(front->base, figures_late, f);
	if (f->timer == NULL)
		fatalx("evtimer_new");
	return f;
}

/* Told at most once in so long, and only if there is something to tell. */
static void
figures_changed(struct figures *f)
{
	struct timeval tv = { FIGURES_EVERY_S, 0 };

	if (f->waiting)
		return;
	f->waiting = true;
	(void)evtimer_add(f->timer, &tv);
}

void
figures_call(struct front *front, const struct grpc_outcome *o)
{
	struct figures *f = front->figures;
	Criod__FrontOperation *op;

	/* No row of the table, or nobody waited for it to begin. */
	if (o->method == NULL || o->method->handler == NULL ||
	    (o->gone && o->request == NULL))
		return;
	op = &f->ops[o->method - methods_cri];
	op->count++;
	op->errors += o->err != NULL;
	op->last_ns = (uint64_t)o->took_ns;
	op->took_ns += (uint64_t)o->took_ns;
	if (strcmp(o->method->path, FIGURES_PULL) == 0) {
		if (o->err == NULL)
			f->pulls++;
		else
			f->pull_failures[cerr_code_from(o->err->code)]++;
	}
	figures_changed(f);
}

void
figures_oom(struct front *front)
{
	front->figures->oom_kills++;
	figures_changed(front->figures);
}

void
figures_send(struct front *front)
{
	struct figures *f = front->figures;
	Criod__FrontFigures body = CRIOD__FRONT_FIGURES__INIT;
	Criod__FrontOperation **ops =
	    pb_calloc(methods_cri_count, sizeof(Criod__FrontOperation *));
	Criod__FrontFailures codes[FIGURES_CODES], *list[FIGURES_CODES];

	for (size_t i = 0; i < methods_cri_count; i++) {
		if (f->ops[i].count > 0)
			ops[body.n_operations++] = &f->ops[i];
	}
	for (unsigned int i = 0; i < FIGURES_CODES; i++) {
		if (f->pull_failures[i] == 0)
			continue;
		criod__front_failures__init(&codes[i]);
		codes[i].code = pb_str(cerr_name((enum cerr_code)i));
		codes[i].count = f->pull_failures[i];
		list[body.n_pull_failures++] = &codes[i];
	}
	body.operations = ops;
	body.pull_failures = list;
	body.pulls = f->pulls;
	body.oom_kills = f->oom_kills;
	body.pods = front->npods;
	body.containers = front->nctrs;
	body.default_runtime = front->boot->default_runtime;
	(void)link_send(front->streamd, MSG_FRONT_FIGURES, &body, NULL, 0);
	free(ops);
}
