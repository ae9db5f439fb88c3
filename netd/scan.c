#include <sys/queue.h>

#include <stdbool.h>
#include <stdlib.h>

#include "imsg/fixed.h"
#include "imsg/helper.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "netd/confdir.h"
#include "netd/netd.h"
#include "netd/scan.h"
#include "proto/msg.pb-c.h"

#define SCAN_FRESH_MS	 1000
#define SCAN_DEADLINE_MS 3000

struct scan_waiter {
	TAILQ_ENTRY(scan_waiter) entry;
	void (*fn)(void *);
	void *arg;
};

struct scan {
	struct netd *netd;
	TAILQ_HEAD(, scan_waiter) waiters;
	bool asked;
	struct mono fresh_until;
};

struct scan *
scan_new(struct netd *n)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	s->netd = n;
	TAILQ_INIT(&s->waiters);
	return s;
}

static void
scan_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct scan *s = arg;
	struct scan_waiter *w;

	s->asked = false;
	if (m != NULL)
		confdir_commit(s->netd->confdir);
	else
		log_warn("network configuration not read again: %s", err->text);
	s->fresh_until = mono_after_ms(SCAN_FRESH_MS);
	while ((w = TAILQ_FIRST(&s->waiters)) != NULL) {
		TAILQ_REMOVE(&s->waiters, w, entry);
		w->fn(w->arg);
		free(w);
	}
}

static void
scan_ask(struct scan *s)
{
	struct fixed_scan body = { CRIOD__FILE__KIND__CNI_CONF };

	s->asked = true;
	confdir_begin(s->netd->confdir);
	(void)link_request(helper_link(s->netd->helper, ROLE_PARENT), MSG_SCAN,
	    &body, NULL, 0, mono_after_ms(SCAN_DEADLINE_MS), scan_done, s);
}

void
scan_want(struct scan *s, void (*fn)(void *arg), void *arg)
{
	struct scan_waiter *w;

	if (!s->asked && mono_is_set(s->fresh_until) &&
	    !mono_passed(s->fresh_until)) {
		fn(arg);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		fatal("calloc");
	w->fn = fn;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&s->waiters, w, entry);
	if (!s->asked)
		scan_ask(s);
}
