#include <event2/event.h>

#include <stdlib.h>

#include "lib/log.h"
#include "parent/notify.h"
#include "parent/parent.h"
#include "parent/proc.h"
#include "parent/watch.h"

#ifndef WATCH_PERIOD_MS
#define WATCH_PERIOD_MS 30000
#define WATCH_KILL_MS	120000
#endif

struct watch {
	struct parent *parent;
	struct event *timer;
};

static void
watch_turn(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	struct proc *front = proc_find(w->parent, ROLE_FRONT);

	(void)fd;
	(void)what;
	for (size_t i = 0; i < w->parent->nprocs; i++)
		proc_ask(w->parent->procs[i], WATCH_KILL_MS);
	if (w->parent->ready && proc_silent_ms(front) == 0)
		notify_watchdog();
}

static struct timeval
watch_period(void)
{
	int64_t ms = notify_watchdog_ms() / 2;

	if (ms == 0 || ms > WATCH_PERIOD_MS)
		ms = WATCH_PERIOD_MS;
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

struct watch *
watch_new(struct parent *parent)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct timeval tv = watch_period();

	if (w == NULL)
		fatal("calloc");
	w->parent = parent;
	w->timer = event_new(parent->base, -1, EV_PERSIST, watch_turn, w);
	if (w->timer == NULL || event_add(w->timer, &tv) == -1)
		fatalx("evtimer_new");
	return w;
}

void
watch_free(struct watch *w)
{
	event_free(w->timer);
	free(w);
}
