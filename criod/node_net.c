#include <sys/queue.h>

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>

#include "criod/front.h"
#include "criod/node_net.h"
#include "criod/pb.h"
#include "imsg/link.h"
#include "lib/log.h"

#define NODE_NET_SOON_MS  20   /* a Status waits so long for an answer */
#define NODE_NET_FIRST_MS 500  /* if there never was one */
#define NODE_NET_LATE_MS  6000 /* netd's own inquiries take 5 s at most */

struct node_net_waiter {
	TAILQ_ENTRY(node_net_waiter) entry;
	node_net_fn fn;
	void *arg;
};

struct node_net {
	struct front *front;
	TAILQ_HEAD(, node_net_waiter) waiters;
	struct event *timer;
	bool asking, known;
	struct node_net_word word; /* the last */
};

static void
node_net_set(struct node_net *net, bool ready, const char *reason,
    const char *message)
{
	net->word.ready = ready;
	(void)snprintf(net->word.reason, sizeof(net->word.reason), "%s",
	    reason);
	(void)snprintf(net->word.message, sizeof(net->word.message), "%s",
	    message);
}

static void
node_net_tell(struct node_net *net)
{
	struct node_net_waiter *w;

	(void)evtimer_del(net->timer);
	while ((w = TAILQ_FIRST(&net->waiters)) != NULL) {
		TAILQ_REMOVE(&net->waiters, w, entry);
		w->fn(w->arg, &net->word);
		free(w);
	}
}

static void
node_net_soon(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	node_net_tell(arg);
}

static void
node_net_answer(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct node_net *net = arg;
	const Criod__NetStatus *s = err == NULL ? m->body : NULL;

	net->asking = false;
	net->known = true;
	if (s == NULL)
		node_net_set(net, false, "NetworkPluginNotReady", err->text);
	else
		node_net_set(net, s->ready, s->ready ? "" : s->reason,
		    s->ready ? "" : s->message);
	node_net_tell(net);
}

struct node_net *
node_net_new(struct front *front)
{
	struct node_net *net = pb_calloc(1, sizeof(*net));

	net->front = front;
	TAILQ_INIT(&net->waiters);
	net->timer = evtimer_new(front->base, node_net_soon, net);
	if (net->timer == NULL)
		fatalx("evtimer_new");
	node_net_set(net, false, "NetworkPluginNotReady",
	    "netd has not answered yet");
	return net;
}

void
node_net_ask(struct node_net *net, node_net_fn fn, void *arg)
{
	struct node_net_waiter *w = pb_calloc(1, sizeof(*w));
	struct timeval tv = { 0,
		(net->known ? NODE_NET_SOON_MS : NODE_NET_FIRST_MS) * 1000 };
	Criod__Empty none = CRIOD__EMPTY__INIT;

	w->fn = fn;
	w->arg = arg;
	if (TAILQ_EMPTY(&net->waiters))
		(void)evtimer_add(net->timer, &tv);
	TAILQ_INSERT_TAIL(&net->waiters, w, entry);
	if (net->asking)
		return;
	net->asking = true;
	(void)link_request(net->front->netd, MSG_NET_STATUS, &none, NULL, 0,
	    mono_after_ms(NODE_NET_LATE_MS), node_net_answer, net);
}

void
node_net_forget(struct node_net *net, const void *arg)
{
	struct node_net_waiter *w;

	TAILQ_FOREACH(w, &net->waiters, entry) {
		if (w->arg == arg)
			break;
	}
	if (w == NULL)
		return;
	TAILQ_REMOVE(&net->waiters, w, entry);
	free(w);
}
