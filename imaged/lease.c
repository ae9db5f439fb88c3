#include <sys/queue.h>

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/digest.h"
#include "imaged/lease.h"
#include "imaged/store.h"
#include "lib/id.h"
#include "lib/log.h"

#define LEASE_ALONE_MS (60 * 1000) /* without execd */

struct lease {
	TAILQ_ENTRY(lease) entry;
	char container[ID_SIZE];
	char id[DIGEST_SIZE];
	bool told; /* since execd connected */
};

struct leases {
	TAILQ_HEAD(, lease) all;
	struct event *timer;
	bool settled;
	void (*fn)(void *arg);
	void *arg;
};

static void
leases_settle(struct leases *ls)
{
	(void)evtimer_del(ls->timer);
	if (ls->settled)
		return;
	ls->settled = true;
	ls->fn(ls->arg);
}

static void
leases_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	leases_settle(arg);
}

struct leases *
leases_new(struct event_base *base, void (*settled)(void *arg), void *arg)
{
	struct leases *ls = calloc(1, sizeof(*ls));

	if (ls == NULL)
		fatal("calloc");
	TAILQ_INIT(&ls->all);
	ls->fn = settled;
	ls->arg = arg;
	ls->timer = evtimer_new(base, leases_timeout, ls);
	if (ls->timer == NULL)
		fatalx("evtimer_new");
	return ls;
}

static void
lease_free(struct leases *ls, struct lease *l)
{
	TAILQ_REMOVE(&ls->all, l, entry);
	free(l);
}

void
leases_free(struct leases *ls)
{
	if (ls == NULL)
		return;
	while (!TAILQ_EMPTY(&ls->all))
		lease_free(ls, TAILQ_FIRST(&ls->all));
	event_free(ls->timer);
	free(ls);
}

static void
leases_wait(struct leases *ls, long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (!ls->settled)
		(void)evtimer_add(ls->timer, &tv);
}

void
leases_start(struct leases *ls)
{
	if (!evtimer_pending(ls->timer, NULL))
		leases_wait(ls, LEASE_ALONE_MS);
}

bool
leases_settled(const struct leases *ls)
{
	return ls->settled;
}

static struct lease *
lease_find(struct leases *ls, const char *container, const char *id)
{
	struct lease *l;

	TAILQ_FOREACH(l, &ls->all, entry) {
		if (strcmp(l->container, container) == 0 &&
		    strcmp(l->id, id) == 0)
			return l;
	}
	return NULL;
}

static void
lease_add(struct leases *ls, const char *container, const char *id)
{
	struct lease *l = calloc(1, sizeof(*l));

	if (l == NULL)
		fatal("calloc");
	(void)snprintf(l->container, sizeof(l->container), "%s", container);
	(void)snprintf(l->id, sizeof(l->id), "%s", id);
	l->told = true;
	TAILQ_INSERT_TAIL(&ls->all, l, entry);
}

int
lease_get(struct leases *ls, const char *container, const char *id,
    struct cerr *err)
{
	struct lease *l = lease_find(ls, container, id);

	if (!id_valid(container) || !digest_is_sha256(id))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "container or image id of a lease");
	if (l == NULL)
		lease_add(ls, container, id);
	else
		l->told = true;
	return 0;
}

void
lease_put(struct leases *ls, const char *container)
{
	struct lease *l, *next;

	for (l = TAILQ_FIRST(&ls->all); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (strcmp(l->container, container) == 0)
			lease_free(ls, l);
	}
}

void
lease_begin(struct leases *ls)
{
	struct lease *l;

	TAILQ_FOREACH(l, &ls->all, entry)
		l->told = false;
	leases_wait(ls, STORE_SETTLE_MS);
}

void
lease_have(struct leases *ls, const char *container, const char *id)
{
	struct cerr err;

	if (lease_get(ls, container, id, &err) == -1)
		log_warn("lease of execd: %s", err.text);
}

void
lease_end(struct leases *ls)
{
	struct lease *l, *next;

	for (l = TAILQ_FIRST(&ls->all); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (!l->told)
			lease_free(ls, l);
	}
	leases_settle(ls);
}

const char *
lease_holder(const struct leases *ls, const char *id)
{
	const struct lease *l;

	TAILQ_FOREACH(l, &ls->all, entry) {
		if (strcmp(l->id, id) == 0)
			return l->container;
	}
	return NULL;
}

bool
lease_any(const struct leases *ls, bool (*fn)(void *arg, const char *id),
    void *arg)
{
	const struct lease *l;

	TAILQ_FOREACH(l, &ls->all, entry) {
		if (fn(arg, l->id))
			return true;
	}
	return false;
}
