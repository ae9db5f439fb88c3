#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/catalogue.h"
#include "imaged/check.h"
#include "imaged/digest.h"
#include "imaged/image.h"
#include "imaged/imgconf.h"
#include "imaged/kept.h"
#include "imaged/layer.h"
#include "imaged/lease.h"
#include "imaged/shelves.h"
#include "imaged/store.h"
#include "lib/fdio.h"
#include "lib/log.h"

/* A RemoveImage that waits: for leases to settle, then for its layers. */
struct store_removal {
	TAILQ_ENTRY(store_removal) entry;
	struct store *store;
	char id[DIGEST_SIZE];
	store_done_fn fn;
	void *arg;
	bool failed;
	struct cerr err;
};

/* An image that was removed, to be told of. */
struct store_lost {
	SLIST_ENTRY(store_lost) entry;
	char id[STORE_ID_SIZE];
};

/* What waits until it is known what additional stores hold. */
struct store_settled {
	TAILQ_ENTRY(store_settled) entry;
	struct store *store;
	void (*fn)(void *arg);
	void *arg;
};

struct store {
	struct store_def def;
	struct catalogue *catalogue;
	struct layers *layers;
	struct leases *leases;
	struct checks *checks;
	struct kept *kept;
	struct shelves *shelves;
	struct image_list images;
	SLIST_HEAD(, store_lost) lost;
	TAILQ_HEAD(, store_settled) unsettled;
	bool leases_known; /* and nothing was removed for it yet */
	TAILQ_HEAD(, store_removal) waiting; /* for leases to settle */
	uint64_t *missing; /* layers with a row and without a directory */
	size_t nmissing;
};

/* ---- news ---- */

static void
store_changed(struct store *s)
{
	if (s->def.changed != NULL)
		s->def.changed(s->def.changed_arg);
}

/* Only who hears of changes takes them away. */
static void
store_tell_gone(void *arg, const char *id)
{
	struct store *s = arg;
	struct store_lost *l;

	if (s->def.changed == NULL)
		return;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		fatal("calloc");
	(void)snprintf(l->id, sizeof(l->id), "%s", id);
	SLIST_INSERT_HEAD(&s->lost, l, entry);
}

static void
store_lose(struct store *s, struct image *im)
{
	store_tell_gone(s, im->id);
	image_free(&s->images, im);
}

const struct store_image *
store_news(struct store *s)
{
	struct image *im;

	TAILQ_FOREACH(im, &s->images, entry) {
		if (im->news) {
			im->news = false;
			return &im->pub;
		}
	}
	im = shelves_news(s->shelves);
	return im != NULL ? &im->pub : NULL;
}

bool
store_gone(struct store *s, char id[STORE_ID_SIZE])
{
	struct store_lost *l = SLIST_FIRST(&s->lost);

	if (l == NULL)
		return false;
	SLIST_REMOVE_HEAD(&s->lost, entry);
	memcpy(id, l->id, STORE_ID_SIZE);
	free(l);
	return true;
}

/* ---- reading the catalogue ---- */

static void
store_read_layer(void *arg, const struct catalogue_layer *row)
{
	struct store *s = arg;

	if (layers_add_row(s->layers, row))
		return;
	log_warn("layer %llu is in the catalogue, its directory is not there",
	    (unsigned long long)row->number);
	s->missing =
	    reallocarray(s->missing, s->nmissing + 1, sizeof(*s->missing));
	if (s->missing == NULL)
		fatal("reallocarray");
	s->missing[s->nmissing++] = row->number;
}

static void
store_read_image(void *arg, const char *id, const char *user,
    uint64_t config_bytes)
{
	struct store *s = arg;

	(void)image_new(&s->images, id, user, config_bytes);
}

/* One that is elsewhere is bad until it is known where. */
static struct layer *
store_elsewhere(struct store *s, const char *diff_id)
{
	struct layer *l = layers_find_diff_id(s->layers, diff_id);
	struct catalogue_layer row = { 0 };

	if (l != NULL)
		return l;
	(void)snprintf(row.diff_id, sizeof(row.diff_id), "%s", diff_id);
	return layers_add_shelf(s->layers, 0, &row);
}

static void
store_read_image_layer(void *arg, const char *id, uint64_t layer,
    const char *diff_id)
{
	struct store *s = arg;
	struct image *im = image_find_id(&s->images, id);

	if (im == NULL)
		return;
	image_add_layer(im, diff_id != NULL ? store_elsewhere(s, diff_id)
					    : layers_find(s->layers, layer));
}

static void
store_read_kept(void *arg, const char *id, uint64_t layer)
{
	struct store *s = arg;
	struct layer *l = layers_find(s->layers, layer);

	if (l != NULL)
		kept_add(s->kept, l, id);
}

static void
store_read_name(void *arg, const char *name, const char *id)
{
	struct store *s = arg;
	struct image *im = image_find_id(&s->images, id);

	if (im != NULL)
		image_add_name(&s->images, im, name);
}

/* Images that cannot be used: pulled again they will be whole. */
static int
store_drop_broken(struct store *s, struct cerr *err)
{
	struct image *im, *next;

	for (im = TAILQ_FIRST(&s->images); im != NULL; im = next) {
		next = TAILQ_NEXT(im, entry);
		if (im->nlayers > 0 && !im->broken) {
			image_publish(im, &s->def);
			continue;
		}
		log_warn("image %s is dropped: a layer is missing", im->id);
		if (catalogue_remove(s->catalogue, im->id, NULL, 0, err) == -1)
			return -1;
		image_free(&s->images, im);
	}
	if (s->nmissing == 0)
		return 0;
	return catalogue_remove(s->catalogue, NULL, s->missing, s->nmissing,
	    err);
}

static int
store_read(struct store *s, struct cerr *err)
{
	struct catalogue_reader reader = { store_read_layer, store_read_image,
		store_read_image_layer, store_read_kept, store_read_name, s };
	uint64_t last;

	if (catalogue_begin_boot(s->catalogue, s->def.boot, err) == -1 ||
	    catalogue_last_layer(s->catalogue, &last, err) == -1 ||
	    catalogue_read(s->catalogue, &reader, err) == -1 ||
	    layers_scan(s->layers, last, err) == -1)
		return -1;
	return store_drop_broken(s, err);
}

/* ---- removing ---- */

static void
store_freed(void *arg)
{
	struct store *s = arg;

	catalogue_reserve(s->catalogue);
}

static void
store_removal_end(void *arg)
{
	struct store_removal *r = arg;

	r->fn(r->arg, r->failed ? &r->err : NULL);
	free(r);
}

/* The layers that go with im: nobody else has them. */
static size_t
store_only_layers(const struct image *im, struct layer **layers,
    uint64_t *numbers)
{
	size_t n = 0;

	for (size_t i = 0; i < im->nlayers; i++) {
		struct layer *l = im->layers[i];
		unsigned int own = 0;
		bool seen = false;

		for (size_t j = 0; j < im->nlayers; j++) {
			own += im->layers[j] == l;
			seen |= j < i && im->layers[j] == l;
		}
		if (seen || l->elsewhere || l->images > own || l->kept > 0)
			continue;
		layers[n] = l;
		numbers[n++] = l->row.number;
	}
	return n;
}

/* Out of the catalogue, then out of memory; then the directories. */
static int
store_remove_image(struct store *s, struct image *im, struct store_removal *r)
{
	struct layer *layers[STORE_LAYERS_MAX];
	uint64_t numbers[STORE_LAYERS_MAX];
	size_t n = store_only_layers(im, layers, numbers);
	const char *holder = lease_holder(s->leases, im->id);

	if (holder != NULL)
		return cerr_set(&r->err, CERR_FAILED_PRECONDITION,
		    "image %s is in use by container %s", im->id, holder);
	if (catalogue_remove(s->catalogue, im->id, numbers, n, &r->err) == -1)
		return -1;
	store_lose(s, im);
	shelves_publish(s->shelves, &s->images);
	for (size_t i = 0; i < n; i++)
		layers[i]->committed = false;
	layers_remove(s->layers, layers, n, store_removal_end, r);
	kept_review(s->kept, s->catalogue, s->layers, s->leases);
	store_changed(s);
	return 0;
}

static void
store_removal_run(struct store_removal *r)
{
	struct store *s = r->store;
	struct image *im = image_find_id(&s->images, r->id);
	struct image *other = shelves_find_id(s->shelves, r->id);

	if (im != NULL && store_remove_image(s, im, r) == 0)
		return;
	r->failed = im != NULL;
	if (im == NULL && other != NULL) {
		r->failed = true;
		(void)cerr_set(&r->err, CERR_FAILED_PRECONDITION,
		    "image %s is in additional store %s, where nothing is "
		    "removed",
		    r->id, shelves_path(other));
	}
	layers_remove(s->layers, NULL, 0, store_removal_end, r);
}

void
store_image_remove(struct store *s, const char *id, store_done_fn fn, void *arg)
{
	struct store_removal *r = calloc(1, sizeof(*r));

	if (r == NULL)
		fatal("calloc");
	r->store = s;
	(void)strncpy(r->id, id, sizeof(r->id) - 1);
	r->fn = fn;
	r->arg = arg;
	if (leases_settled(s->leases))
		store_removal_run(r);
	else
		TAILQ_INSERT_TAIL(&s->waiting, r, entry);
}

/* ---- when it is known what containers hold ---- */

static bool
store_is_unknown(void *arg, const char *id)
{
	struct store *s = arg;

	return image_find_id(&s->images, id) == NULL &&
	       shelves_find_id(s->shelves, id) == NULL;
}

/* Layers of the catalogue that no image has: images were dropped. */
static void
store_drop_orphans(struct store *s)
{
	struct layer *l;
	struct cerr err;

	for (l = layers_first(s->layers); l != NULL; l = TAILQ_NEXT(l, entry)) {
		if (!l->committed || l->elsewhere || l->images > 0 ||
		    l->kept > 0)
			continue;
		if (catalogue_remove(s->catalogue, NULL, &l->row.number, 1,
			&err) == -1)
			log_warn("%s", err.text);
		else
			l->committed = false;
	}
}

/*
 * Directories that no row names are what a crash left, unless a container's
 * image is not known: then the catalogue was lost, and they are in use.
 */
static void
store_sweep(struct store *s)
{
	struct store_removal *r;

	s->leases_known = false;
	if (lease_any(s->leases, store_is_unknown, s)) {
		log_warn("containers use images that are not in the "
			 "catalogue: no directory is removed");
	} else {
		kept_review(s->kept, s->catalogue, s->layers, s->leases);
		store_drop_orphans(s);
		layers_sweep(s->layers);
	}
	while ((r = TAILQ_FIRST(&s->waiting)) != NULL) {
		TAILQ_REMOVE(&s->waiting, r, entry);
		store_removal_run(r);
	}
}

/* The images of additional stores must be known, too. */
static void
store_leases_settled(void *arg)
{
	struct store *s = arg;

	s->leases_known = true;
	if (shelves_settled(s->shelves))
		store_sweep(s);
}

/* ---- additional stores ---- */

/* Layers that are elsewhere now, or no more. */
static void
store_resolve(struct store *s, struct image *im)
{
	for (size_t i = 0; i < im->nlayers; i++) {
		struct layer *l = im->layers[i];
		struct layer *now =
		    l->elsewhere && l->row.bad
			? layers_find_diff_id(s->layers, l->row.diff_id)
			: NULL;

		if (now != NULL)
			(void)image_set_layer(im, i, now);
	}
	image_publish(im, &s->def);
}

static void
store_tell_settled(struct store *s)
{
	struct store_settled *w;

	while ((w = TAILQ_FIRST(&s->unsettled)) != NULL) {
		void (*fn)(void *arg) = w->fn;
		void *arg = w->arg;

		store_settled_cancel(w);
		fn(arg);
	}
}

static void
store_shelves_changed(void *arg)
{
	struct store *s = arg;
	struct image *im;

	TAILQ_FOREACH(im, &s->images, entry)
		store_resolve(s, im);
	shelves_publish(s->shelves, &s->images);
	store_changed(s);
	if (!shelves_settled(s->shelves))
		return;
	if (s->leases_known)
		store_sweep(s);
	store_tell_settled(s);
}

struct store_settled *
store_when_settled(struct store *s, void (*fn)(void *arg), void *arg)
{
	struct store_settled *w;

	if (shelves_settled(s->shelves)) {
		fn(arg);
		return NULL;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		fatal("calloc");
	*w = (struct store_settled){ .store = s, .fn = fn, .arg = arg };
	TAILQ_INSERT_TAIL(&s->unsettled, w, entry);
	return w;
}

void
store_settled_cancel(struct store_settled *w)
{
	if (w == NULL)
		return;
	TAILQ_REMOVE(&w->store->unsettled, w, entry);
	free(w);
}

/* ---- damage ---- */

/* Its images are not used any more; pulled again they get another layer. */
static void
store_set_bad(void *arg, struct layer *l, const char *why)
{
	struct store *s = arg;
	struct image *im;
	struct cerr err;

	if (l->row.bad)
		return;
	l->row.bad = true;
	if (l->committed && !l->elsewhere &&
	    catalogue_set_bad(s->catalogue, l->row.number, &err) == -1)
		log_warn("%s", err.text);
	shelves_publish(s->shelves, &s->images);
	TAILQ_FOREACH(im, &s->images, entry) {
		bool before = im->pub.damaged;

		image_publish(im, &s->def);
		if (im->pub.damaged && !before)
			log_error("image %s is damaged and not used until it "
				  "is pulled again: layer %llu: %s",
			    im->id, (unsigned long long)l->row.number, why);
	}
}

/* ---- opening ---- */

static void
store_make(struct store *s)
{
	struct checks_def def = { .layers = s->layers,
		.catalogue = s->catalogue,
		.images = &s->images,
		.bad = store_set_bad,
		.arg = s };

	struct shelves_def shelves = { &s->def, s->layers,
		store_shelves_changed, store_tell_gone, s };

	s->checks = checks_new(&def);
	s->kept = kept_new();
	s->shelves = shelves_new(&shelves);
}

struct store *
store_open(const struct store_def *def, struct cerr *err)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	s->def = *def;
	TAILQ_INIT(&s->images);
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->unsettled);
	s->leases = leases_new(def->base, store_leases_settled, s);
	s->catalogue = catalogue_open(def->root, err);
	if (s->catalogue != NULL)
		s->layers = layers_new(&s->def, store_freed, s, err);
	if (s->layers != NULL) {
		store_make(s);
		if (store_read(s, err) == 0)
			return s;
	}
	store_free(s);
	return NULL;
}

void
store_start(struct store *s)
{
	leases_start(s->leases);
	layers_start(s->layers);
	shelves_start(s->shelves);
	checks_start(s->checks);
}

void
store_clean(struct store *s)
{
	struct cerr err;

	if (catalogue_clean(s->catalogue, &err) == -1)
		log_warn("%s", err.text);
}

void
store_free(struct store *s)
{
	struct store_removal *r;
	char id[STORE_ID_SIZE];

	if (s == NULL)
		return;
	while (store_gone(s, id))
		continue;
	while ((r = TAILQ_FIRST(&s->waiting)) != NULL) {
		TAILQ_REMOVE(&s->waiting, r, entry);
		free(r);
	}
	while (!TAILQ_EMPTY(&s->unsettled))
		store_settled_cancel(TAILQ_FIRST(&s->unsettled));
	while (!TAILQ_EMPTY(&s->images))
		image_free(&s->images, TAILQ_FIRST(&s->images));
	shelves_free(s->shelves);
	checks_free(s->checks);
	kept_free(s->kept);
	layers_free(s->layers);
	leases_free(s->leases);
	catalogue_close(s->catalogue);
	free(s->missing);
	free(s);
}

/* ---- layers ---- */

uint64_t
store_layer_find(struct store *s, const char *diff_id)
{
	struct layer *l = layers_find_diff_id(s->layers, diff_id);

	if (l == NULL)
		return 0;
	layer_hold(l);
	return l->row.number;
}

void
store_layer_drop(struct store *s, uint64_t layer)
{
	struct layer *l = layers_find(s->layers, layer);

	if (l == NULL)
		fatalx("layer %llu is held but not there",
		    (unsigned long long)layer);
	layer_drop(l);
}

uint64_t
store_layer_hold(struct store *s, uint64_t layer)
{
	struct layer *l = layers_find_place(s->layers, layer);

	if (l == NULL || l->state != LAYER_READY || l->row.bad)
		return 0;
	layer_hold(l);
	return l->row.number;
}

struct store_unpack *
store_layer_unpack(struct store *s, const struct store_blob *blob,
    const char *diff_id, store_layer_fn fn, void *arg)
{
	return layer_unpack(s->layers, blob, diff_id, fn, arg);
}

struct store_unpack *
store_layer_ahead(struct store *s, const struct store_blob *blob, uint64_t have,
    const char *diff_id, store_layer_fn fn, void *arg)
{
	return layer_unpack_ahead(s->layers, blob, have, diff_id, fn, arg);
}

void
store_unpack_more(struct store_unpack *u, uint64_t have)
{
	layer_unpack_more(u, have);
}

void
store_unpack_cancel(struct store_unpack *u)
{
	layer_unpack_cancel(u);
}

/* What store_layer_read waits for. */
struct store_reading {
	struct store *store;
	uint64_t layer;
	store_read_fn fn;
	void *arg;
};

static void
store_read_ended(void *arg, const struct store_read_done *done,
    const struct cerr *err)
{
	struct store_reading *rd = arg;
	struct layer *l = layers_find(rd->store->layers, rd->layer);

	if (err != NULL && err->code == CERR_DATA_LOSS && l != NULL)
		store_set_bad(rd->store, l, err->text);
	rd->fn(rd->arg, done, err);
	free(rd);
}

int
store_layer_read(struct store *s, uint64_t layer, int out, bool size_only,
    store_read_fn fn, void *arg, struct cerr *err)
{
	struct layer *l = layers_find_place(s->layers, layer);
	struct store_reading *rd;

	if (l == NULL || l->state != LAYER_READY) {
		fdio_close(&out);
		return cerr_set(err, CERR_NOT_FOUND, "no layer %llu",
		    (unsigned long long)layer);
	}
	rd = calloc(1, sizeof(*rd));
	if (rd == NULL)
		fatal("calloc");
	*rd = (struct store_reading){ s, l->row.number, fn, arg };
	(void)layer_read(l, out, size_only, store_read_ended, rd);
	return 0;
}

/* ---- images ---- */

static int
store_check_new(const struct store_new_image *n, struct cerr *err)
{
	if (n->nlayers == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "image has no layers");
	if (n->nlayers > STORE_LAYERS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "image has more than %d layers", STORE_LAYERS_MAX);
	if (!digest_is_sha256(n->id) || !digest_valid(n->manifest_digest) ||
	    n->config_len > STORE_CONFIG_MAX || n->nnames > STORE_NAMES_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "image has a bad id, config or list of names");
	return 0;
}

/* The held layers that new names, and their rows. */
static int
store_take_layers(struct store *s, const struct store_new_image *n,
    struct layer **layers, struct catalogue_layer *rows, struct cerr *err)
{
	for (size_t i = 0; i < n->nlayers; i++) {
		layers[i] = layers_find(s->layers, n->layers[i]);
		if (layers[i] == NULL || layers[i]->state != LAYER_READY ||
		    (layers[i]->elsewhere && layers[i]->row.bad))
			return cerr_set(err, CERR_INTERNAL,
			    "layer %llu is not there",
			    (unsigned long long)n->layers[i]);
		rows[i] = layers[i]->row;
	}
	return 0;
}

/* A layer that was damaged was unpacked anew. */
static void
store_replace(struct store *s, struct image *im, size_t i, struct layer *l)
{
	struct layer *old = image_set_layer(im, i, l);

	if (old != NULL && !old->elsewhere)
		kept_add(s->kept, old, im->id);
}

/* As the catalogue has it now. */
static void
store_remember(struct store *s, const struct store_new_image *n,
    const char *user, struct layer *const *layers)
{
	struct image *im = image_find_id(&s->images, n->id);
	bool is_new = im == NULL;

	if (is_new)
		im = image_new(&s->images, n->id, user, n->config_len);
	for (size_t i = 0; i < n->nlayers; i++) {
		layers[i]->committed = true;
		if (is_new)
			image_add_layer(im, layers[i]);
		else
			store_replace(s, im, i, layers[i]);
	}
	for (size_t i = 0; i < n->nnames; i++)
		image_add_name(&s->images, im, n->names[i]);
	/* Names may have moved from any other. */
	TAILQ_FOREACH(im, &s->images, entry)
		image_publish(im, &s->def);
	shelves_publish(s->shelves, &s->images);
	kept_review(s->kept, s->catalogue, s->layers, s->leases);
	store_changed(s);
}

/* All that is to be said is said by an additional store. */
static bool
store_is_known(struct store *s, const struct store_new_image *n,
    struct layer *const *layers)
{
	struct image *im = shelves_find_id(s->shelves, n->id);
	struct image *named;

	if (im == NULL || image_find_id(&s->images, n->id) != NULL)
		return false;
	for (size_t i = 0; i < n->nlayers; i++) {
		if (!layers[i]->elsewhere)
			return false;
	}
	for (size_t i = 0; i < n->nnames; i++) {
		named = image_find_name(&s->images, n->names[i]);
		if (named == NULL)
			named = shelves_find_name(s->shelves, n->names[i]);
		if (named != im)
			return false;
	}
	return true;
}

int
store_image_commit(struct store *s, const struct store_new_image *n,
    struct cerr *err)
{
	struct layer *layers[STORE_LAYERS_MAX];
	struct catalogue_layer rows[STORE_LAYERS_MAX];
	struct imgconf *conf;
	int rc;

	if (store_check_new(n, err) == -1 ||
	    store_take_layers(s, n, layers, rows, err) == -1)
		return -1;
	conf = imgconf_parse(n->config, n->config_len, err);
	if (conf == NULL)
		return -1;
	if (store_is_known(s, n, layers)) {
		imgconf_free(conf);
		return 0;
	}
	rc = catalogue_add(s->catalogue, n, conf->user, rows, n->nlayers, err);
	if (rc == 0)
		store_remember(s, n, conf->user, layers);
	imgconf_free(conf);
	return rc;
}

/* criod's own counts before another's. */
static struct image *
store_find_id(struct store *s, const char *id)
{
	struct image *im = image_find_id(&s->images, id);

	return im != NULL ? im : shelves_find_id(s->shelves, id);
}

static struct image *
store_find_prefix(struct store *s, const char *hex)
{
	struct image *im = image_find_prefix(&s->images, hex);
	struct image *other = shelves_find_prefix(s->shelves, hex);

	if (im == NULL || other == NULL)
		return im != NULL ? im : other;
	return strcmp(im->id, other->id) == 0 ? im : NULL;
}

const struct store_image *
store_image_find(struct store *s, const char *what)
{
	struct image *im = image_find_name(&s->images, what);

	if (im == NULL)
		im = shelves_find_name(s->shelves, what);
	if (im == NULL)
		im = store_find_prefix(s, image_hex(what));
	return im != NULL ? &im->pub : NULL;
}

const struct store_image *
store_image_at(struct store *s, size_t index)
{
	struct image *im = TAILQ_FIRST(&s->images);

	while (im != NULL && index > 0) {
		im = TAILQ_NEXT(im, entry);
		index--;
	}
	if (im == NULL)
		im = shelves_at(s->shelves, index);
	return im != NULL ? &im->pub : NULL;
}

size_t
store_image_layers(struct store *s, const char *id,
    const struct catalogue_layer *rows[STORE_LAYERS_MAX],
    uint64_t places[STORE_LAYERS_MAX])
{
	struct image *im = store_find_id(s, id);
	size_t n = im != NULL ? im->nlayers : 0;

	for (size_t i = 0; i < n; i++) {
		rows[i] = &im->layers[i]->row;
		places[i] = layer_place(im->layers[i]);
	}
	return n;
}

const char *
store_image_where(struct store *s, const char *id)
{
	struct image *im = store_find_id(s, id);

	return im != NULL ? shelves_path(im) : "";
}

/* Between its two halves: an image's stores, then its own layers. */
struct store_settling {
	struct store *store;
	char id[DIGEST_SIZE];
	store_ready_fn fn;
	void *arg;
};

static void
store_shelves_checked(void *arg, const struct cerr *err)
{
	struct store_settling *g = arg;

	if (err != NULL)
		g->fn(g->arg, err);
	else
		checks_wait(g->store->checks, g->id, g->fn, g->arg);
	free(g);
}

void
store_image_settle(struct store *s, const char *id, store_ready_fn fn,
    void *arg)
{
	struct image *im = store_find_id(s, id);
	struct store_settling *g;

	if (im == NULL) {
		fn(arg, NULL);
		return;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		fatal("calloc");
	*g = (struct store_settling){ .store = s, .fn = fn, .arg = arg };
	(void)snprintf(g->id, sizeof(g->id), "%s", id);
	shelves_check(s->shelves, im, store_shelves_checked, g);
}

int
store_image_config(struct store *s, const char *id, uint8_t **config,
    size_t *len, struct cerr *err)
{
	const struct image *im = store_find_id(s, id);

	if (im != NULL && im->shelf != NULL)
		return shelves_config(im, config, len, err);
	return catalogue_config(s->catalogue, id, config, len, err);
}

int
store_image_signatures(struct store *s, const char *id,
    int (*fn)(void *arg, const uint8_t *buf, size_t len, struct cerr *err),
    void *arg, struct cerr *err)
{
	const struct image *im = store_find_id(s, id);

	if (im != NULL && im->shelf != NULL)
		return shelves_signatures(im, fn, arg, err);
	return catalogue_signatures(s->catalogue, id, fn, arg, err);
}

/* ---- leases, usage ---- */

int
store_lease_get(struct store *s, const char *container, const char *id,
    struct cerr *err)
{
	const struct image *im = store_find_id(s, id);

	if (im == NULL)
		return cerr_set(err, CERR_NOT_FOUND, "no image %.80s", id);
	if (im->pub.damaged)
		return cerr_set(err, CERR_DATA_LOSS,
		    "image %.80s is damaged: it must be pulled again", id);
	return lease_get(s->leases, container, id, err);
}

void
store_lease_put(struct store *s, const char *container)
{
	lease_put(s->leases, container);
	kept_review(s->kept, s->catalogue, s->layers, s->leases);
}

const char *
store_lease_holder(struct store *s, const char *id)
{
	return lease_holder(s->leases, id);
}

void
store_lease_begin(struct store *s)
{
	lease_begin(s->leases);
}

void
store_lease_have(struct store *s, const char *container, const char *id)
{
	lease_have(s->leases, container, id);
}

void
store_lease_end(struct store *s)
{
	lease_end(s->leases);
}

void
store_usage(struct store *s, struct store_usage *u)
{
	const struct image *im;

	u->directory = s->def.image_directory;
	layers_usage(s->layers, &u->bytes, &u->inodes);
	TAILQ_FOREACH(im, &s->images, entry)
		u->bytes += im->config_bytes;
}
