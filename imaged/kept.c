#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/catalogue.h"
#include "imaged/digest.h"
#include "imaged/kept.h"
#include "imaged/lease.h"
#include "lib/log.h"

struct kept_one {
	TAILQ_ENTRY(kept_one) entry;
	struct layer *layer;
	char id[DIGEST_SIZE];
};

struct kept {
	TAILQ_HEAD(, kept_one) all;
};

struct kept *
kept_new(void)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (k == NULL)
		fatal("calloc");
	TAILQ_INIT(&k->all);
	return k;
}

void
kept_free(struct kept *k)
{
	struct kept_one *o;

	if (k == NULL)
		return;
	while ((o = TAILQ_FIRST(&k->all)) != NULL) {
		TAILQ_REMOVE(&k->all, o, entry);
		free(o);
	}
	free(k);
}

void
kept_add(struct kept *k, struct layer *l, const char *id)
{
	struct kept_one *o = calloc(1, sizeof(*o));

	if (o == NULL)
		fatal("calloc");
	o->layer = l;
	(void)snprintf(o->id, sizeof(o->id), "%s", id);
	l->kept++;
	TAILQ_INSERT_TAIL(&k->all, o, entry);
}

static void
kept_gone(void *arg)
{
	(void)arg;
}

static void
kept_drop_layer(struct catalogue *c, struct layers *layers, struct layer *l)
{
	struct cerr err;

	if (l->images > 0 || l->kept > 0)
		return;
	if (catalogue_remove(c, NULL, &l->row.number, 1, &err) == -1) {
		log_warn("%s", err.text);
		return;
	}
	l->committed = false;
	layers_remove(layers, &l, 1, kept_gone, NULL);
}

void
kept_review(struct kept *k, struct catalogue *c, struct layers *layers,
    const struct leases *leases)
{
	struct kept_one *o, *next;
	struct cerr err;

	if (!leases_settled(leases))
		return;
	for (o = TAILQ_FIRST(&k->all); o != NULL; o = next) {
		next = TAILQ_NEXT(o, entry);
		if (lease_holder(leases, o->id) != NULL)
			continue;
		if (catalogue_forget_kept(c, o->id, &err) == -1) {
			log_warn("%s", err.text);
			return;
		}
		TAILQ_REMOVE(&k->all, o, entry);
		o->layer->kept--;
		kept_drop_layer(c, layers, o->layer);
		free(o);
	}
}
