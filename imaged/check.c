#include <sys/queue.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/catalogue.h"
#include "imaged/check.h"
#include "lib/log.h"

struct checks_wait {
	TAILQ_ENTRY(checks_wait) entry;
	char id[DIGEST_SIZE];
	store_ready_fn fn;
	void *arg;
};

struct checks {
	struct checks_def def;
	TAILQ_HEAD(, checks_wait) waits;
	struct layer *now; /* held by its reading */
	bool started;
	unsigned int done;
};

static void checks_next(struct checks *ck);

struct checks *
checks_new(const struct checks_def *def)
{
	struct checks *ck = calloc(1, sizeof(*ck));

	if (ck == NULL)
		fatal("calloc");
	ck->def = *def;
	TAILQ_INIT(&ck->waits);
	return ck;
}

void
checks_free(struct checks *ck)
{
	struct checks_wait *w;

	if (ck == NULL)
		return;
	while ((w = TAILQ_FIRST(&ck->waits)) != NULL) {
		TAILQ_REMOVE(&ck->waits, w, entry);
		free(w);
	}
	free(ck);
}

/* ---- which ---- */

static bool
checks_may(const struct layer *l)
{
	return l->row.suspect && l->state == LAYER_READY && !l->row.bad;
}

static struct layer *
checks_of_image(struct checks *ck, const char *id)
{
	struct image *im = image_find_id(ck->def.images, id);

	for (size_t i = 0; im != NULL && i < im->nlayers; i++) {
		if (checks_may(im->layers[i]))
			return im->layers[i];
	}
	return NULL;
}

static struct layer *
checks_choose(struct checks *ck)
{
	struct checks_wait *w;
	struct layer *l;

	TAILQ_FOREACH(w, &ck->waits, entry) {
		l = checks_of_image(ck, w->id);
		if (l != NULL)
			return l;
	}
	for (l = layers_first(ck->def.layers); l != NULL;
	     l = TAILQ_NEXT(l, entry)) {
		if (checks_may(l))
			return l;
	}
	return NULL;
}

/* ---- what came of it ---- */

static void
checks_tell(struct checks *ck)
{
	struct checks_wait *w, *next;

	for (w = TAILQ_FIRST(&ck->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (checks_of_image(ck, w->id) != NULL)
			continue;
		TAILQ_REMOVE(&ck->waits, w, entry);
		w->fn(w->arg, NULL);
		free(w);
	}
}

static void
checks_done(void *arg, const struct store_read_done *done,
    const struct cerr *why)
{
	struct checks *ck = arg;
	struct layer *l = ck->now;
	struct cerr err;

	ck->now = NULL;
	l->row.suspect = false;
	if (done != NULL) {
		if (catalogue_set_checked(ck->def.catalogue, l->row.number,
			&err) == -1)
			log_warn("%s", err.text);
	} else if (why->code == CERR_DATA_LOSS) {
		ck->def.bad(ck->def.arg, l, why->text);
	} else {
		log_warn("layer %" PRIu64 " could not be checked: %s",
		    l->row.number, why->text);
	}
	ck->done++;
	checks_tell(ck);
	checks_next(ck);
}

static void
checks_next(struct checks *ck)
{
	if (!ck->started || ck->now != NULL)
		return;
	ck->now = checks_choose(ck);
	if (ck->now != NULL)
		(void)layer_read(ck->now, -1, false, checks_done, ck);
	else if (ck->done > 0)
		log_info("%u layers were checked after an unclean end",
		    ck->done);
	if (ck->now == NULL)
		ck->done = 0;
}

void
checks_start(struct checks *ck)
{
	ck->started = true;
	checks_next(ck);
}

void
checks_wait(struct checks *ck, const char *id, store_ready_fn fn, void *arg)
{
	struct checks_wait *w;

	if (checks_of_image(ck, id) == NULL) {
		fn(arg, NULL);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		fatal("calloc");
	(void)snprintf(w->id, sizeof(w->id), "%s", id);
	w->fn = fn;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&ck->waits, w, entry);
}
