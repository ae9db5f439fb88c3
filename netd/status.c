#include <sys/queue.h>

#include <stdbool.h>
#include <stdlib.h>

#include "imsg/fixed.h"
#include "imsg/helper.h"
#include "lib/log.h"
#include "netd/chain.h"
#include "netd/conf.h"
#include "netd/confdir.h"
#include "netd/netd.h"
#include "netd/scan.h"
#include "netd/status.h"
#include "proto/msg.pb-c.h"

#define STATUS_MS 5000

struct status_waiter {
	TAILQ_ENTRY(status_waiter) entry;
	struct link_call *call;
};

/* One inquiry serves all who ask meanwhile. */
struct status {
	struct netd *netd;
	TAILQ_HEAD(, status_waiter) waiters;
	bool running, failed;
	struct conf *conf;
	size_t pending; /* answers of the launcher */
	struct cerr fail;
};

struct status *
status_new(struct netd *n)
{
	struct status *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	s->netd = n;
	TAILQ_INIT(&s->waiters);
	return s;
}

static void
status_end(struct status *s)
{
	Criod__NetStatus body = CRIOD__NET_STATUS__INIT;
	struct status_waiter *w;
	char reason[] = "NetworkPluginNotReady";

	body.ready = !s->failed;
	if (s->failed) {
		body.reason = reason;
		body.message = s->fail.text;
	}
	while ((w = TAILQ_FIRST(&s->waiters)) != NULL) {
		TAILQ_REMOVE(&s->waiters, w, entry);
		link_reply(w->call, MSG_NET_STATUS_IS, &body, NULL, 0);
		free(w);
	}
	conf_unref(s->conf);
	s->conf = NULL;
	s->running = false;
}

static void
status_note(struct status *s, const struct cerr *err)
{
	if (!s->failed)
		s->fail = *err;
	s->failed = true;
}

static void
status_asked(void *arg, const struct cerr *err)
{
	struct status *s = arg;

	if (err != NULL)
		status_note(s, err);
	status_end(s);
}

static void
status_found(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct status *s = arg;

	if (m == NULL)
		status_note(s, err);
	if (--s->pending > 0)
		return;
	if (s->failed || !conf_speaks(s->conf, 1, 1))
		status_end(s);
	else
		(void)chain_start_network(s->netd->runner, CHAIN_STATUS,
		    s->conf, NULL, mono_after_ms(STATUS_MS), status_asked, s);
}

static void
status_find(struct status *s, const char *plugin)
{
	struct fixed_plugin_find body = { 0 };

	if (plugin == NULL || FIXED_SET_STR(body.plugin, plugin) == -1)
		return;
	s->pending++;
	(void)link_request(helper_link(s->netd->helper, ROLE_NETLAUNCH),
	    MSG_PLUGIN_FIND, &body, NULL, 0, mono_after_ms(STATUS_MS),
	    status_found, s);
}

static void
status_scanned(void *arg)
{
	struct status *s = arg;
	struct cerr err;
	struct conf *conf = confdir_choose(s->netd->confdir, &err);

	if (conf == NULL) {
		status_note(s, &err);
		status_end(s);
		return;
	}
	s->conf = conf_ref(conf);
	s->pending = 0;
	for (size_t i = 0; i < conf_count(conf); i++) {
		status_find(s, conf_type(conf, i));
		status_find(s, conf_ipam(conf, i));
	}
}

void
status_take(struct status *s, struct link_call *call)
{
	struct status_waiter *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatal("calloc");
	w->call = call;
	TAILQ_INSERT_TAIL(&s->waiters, w, entry);
	if (s->running)
		return;
	s->running = true;
	s->failed = false;
	scan_want(s->netd->scan, status_scanned, s);
}
