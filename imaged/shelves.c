#include <sys/queue.h>

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/dump.h"
#include "imaged/imgconf.h"
#include "imaged/ref.h"
#include "imaged/shelfread.h"
#include "imaged/shelves.h"
#include "lib/fdio.h"
#include "lib/layerid.h"
#include "lib/log.h"

#define SHELF_LAYERS_MAX 100000
#define SHELF_IMAGES_MAX 10000
#define SHELF_NAMES_MAX	 1024 /* of an image */
#define SHELF_ALL_NAMES	 20000
#define SHELF_SIGS_MAX	 64 /* likewise */
#define SHELF_SIG_MAX	 (8U * 1024 * 1024)
#define SHELF_USER_MAX	 4096
#define SHELF_WAIT_S	 10 /* for one that does not answer */
#define SHELF_RETRY_S	 30 /* until one that failed is tried again */

/* Somebody who wants to know whether a shelf is as it was. */
struct shelf_wait {
	TAILQ_ENTRY(shelf_wait) entry;
	struct shelf *shelves[SHELVES_MAX]; /* one after the other */
	size_t n, at;
	struct event *late;
	store_ready_fn fn;
	void *arg;
};
TAILQ_HEAD(shelf_waits, shelf_wait);

/* What it holds, as of one reading. */
struct shelf_books {
	int fd; /* of the dump */
	struct image_list images;
	struct layer **layers; /* in order of number */
	uint64_t *numbers;
	size_t nlayers, nnames;
};

struct shelf {
	struct shelves *all;
	uint64_t id;
	const char *path;
	struct shelf_books books;
	char print[SHELFREAD_PRINT];
	struct shelfread *read; /* being asked */
	struct event *timer;	/* until it is asked again */
	struct shelf_waits waits;
	bool answered;
	char why[CERR_TEXT_MAX]; /* it is not used; "" */
};

struct shelves {
	struct shelves_def def;
	struct shelf list[SHELVES_MAX];
	size_t n;
	struct event *late;
	bool started, waited;
};

static void shelf_ask(struct shelf *s);

/* ---- taking books in and out ---- */

static void
books_init(struct shelf_books *b)
{
	memset(b, 0, sizeof(*b));
	b->fd = -1;
	TAILQ_INIT(&b->images);
}

static void
books_clear(struct shelf_books *b)
{
	struct image *im;

	while ((im = TAILQ_FIRST(&b->images)) != NULL)
		image_free(&b->images, im);
	for (size_t i = 0; i < b->nlayers; i++)
		layers_drop_shelf(b->layers[i]);
	free(b->layers);
	free(b->numbers);
	fdio_close(&b->fd);
	books_init(b);
}

/* They were told of. */
static void
books_close(struct shelf *s)
{
	const struct image *im;

	TAILQ_FOREACH(im, &s->books.images, entry) {
		if (!im->hidden)
			s->all->def.gone(s->all->def.arg, im->id);
	}
	books_clear(&s->books);
}

static int
books_bad(struct cerr *err, const char *what)
{
	return cerr_set(err, CERR_DATA_LOSS, "its catalogue: %s", what);
}

/* Where a layer's number is, or would be. */
static size_t
books_find(const struct shelf_books *b, uint64_t number)
{
	size_t low = 0, high = b->nlayers;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->numbers[mid] < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
books_hex(const char *s)
{
	return strlen(s) == DIGEST_HEX_LEN &&
	       strspn(s, "0123456789abcdef") == DIGEST_HEX_LEN;
}

static int
books_layer(struct shelf *s, struct shelf_books *b, struct dump_in *in,
    struct cerr *err)
{
	const uint64_t max = UINT64_C(1) << LAYERID_BITS;
	struct catalogue_layer row = { 0 };
	uint64_t number = dump_in_number(in, max - 1);

	row.bytes = dump_in_number(in, max);
	row.inodes = dump_in_number(in, max);
	dump_in_text(in, row.diff_id, sizeof(row.diff_id));
	if (in->bad || !books_hex(row.diff_id) || number == 0 ||
	    (b->nlayers > 0 && number <= b->numbers[b->nlayers - 1]))
		return books_bad(err, "a layer");
	b->numbers[b->nlayers] = number;
	b->layers[b->nlayers++] = layers_add_shelf(s->all->def.layers,
	    layerid_make(s->id, number), &row);
	return 0;
}

static int
books_layers(struct shelf *s, struct shelf_books *b, struct dump_in *in,
    struct cerr *err)
{
	uint64_t n = dump_in_number(in, SHELF_LAYERS_MAX);

	b->numbers = calloc(n + 1, sizeof(*b->numbers));
	b->layers = calloc(n + 1, sizeof(*b->layers));
	if (b->numbers == NULL || b->layers == NULL)
		fatal("calloc");
	for (; n > 0; n--) {
		if (books_layer(s, b, in, err) == -1)
			return -1;
	}
	return in->bad ? books_bad(err, "its layers") : 0;
}

/* The configuration is what the image's id says, and one. */
static int
books_config(struct image *im, int fd, uint64_t at, uint64_t len,
    struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = malloc(len + 1);
	struct imgconf *conf;
	char digest[DIGEST_SIZE];

	if (buf == NULL)
		fatal("malloc");
	if (pread(fd, buf, len, (off_t)at) != (ssize_t)len)
		return cerr_errno(err, "read what was found");
	digest_of(buf, len, digest);
	if (strcmp(digest, im->id) != 0)
		return books_bad(err, "a configuration has another digest");
	conf = imgconf_parse(buf, len, err);
	if (conf == NULL)
		return -1;
	image_set_user(im, conf->user);
	imgconf_free(conf);
	im->config_at = at;
	im->config_bytes = len;
	return 0;
}

static int
books_image_layers(struct shelf_books *b, struct image *im, struct dump_in *in,
    struct cerr *err)
{
	uint64_t n = dump_in_number(in, STORE_LAYERS_MAX);

	im->broken = n == 0;
	for (; n > 0 && !in->bad; n--) {
		uint64_t number = dump_in_number(in, UINT64_MAX);
		size_t i = books_find(b, number);
		bool there = i < b->nlayers && b->numbers[i] == number;

		image_add_layer(im, there ? b->layers[i] : NULL);
	}
	return in->bad ? books_bad(err, "an image's layers") : 0;
}

static int
books_names(struct shelf_books *b, struct image *im, struct dump_in *in,
    struct cerr *err)
{
	uint64_t n = dump_in_number(in, SHELF_NAMES_MAX);
	char name[REF_TEXT_SIZE], full[REF_TEXT_SIZE];
	struct ref ref;

	for (; n > 0 && !in->bad; n--) {
		dump_in_text(in, name, sizeof(name));
		if (in->bad || b->nnames++ == SHELF_ALL_NAMES ||
		    ref_parse(name, &ref, NULL) == -1)
			return books_bad(err, "a name, or too many");
		ref_text(&ref, full);
		if (strcmp(name, full) != 0)
			return books_bad(err, "a name");
		image_add_known(im, name);
	}
	return in->bad ? books_bad(err, "an image's names") : 0;
}

static int
books_signatures(struct image *im, struct dump_in *in, struct cerr *err)
{
	uint64_t n = dump_in_number(in, SHELF_SIGS_MAX);

	im->sigs = calloc(n + 1, sizeof(*im->sigs));
	if (im->sigs == NULL)
		fatal("calloc");
	for (; n > 0 && !in->bad; n--) {
		struct image_part *p = &im->sigs[im->nsigs++];

		p->len = dump_in_skip(in, SHELF_SIG_MAX, &p->at);
	}
	return in->bad ? books_bad(err, "an image's signatures") : 0;
}

static int
books_image_parts(struct shelf_books *b, struct image *im, struct dump_in *in,
    struct cerr *err)
{
	char user[SHELF_USER_MAX];
	uint64_t at, len;

	dump_in_text(in, user, sizeof(user));
	len = dump_in_skip(in, STORE_CONFIG_MAX, &at);
	if (in->bad)
		return books_bad(err, "an image");
	if (books_config(im, in->fd, at, len, err) == -1 ||
	    books_image_layers(b, im, in, err) == -1 ||
	    books_names(b, im, in, err) == -1)
		return -1;
	return books_signatures(im, in, err);
}

static int
books_image(struct shelf *s, struct shelf_books *b, struct dump_in *in,
    struct cerr *err)
{
	char id[DIGEST_SIZE];
	struct image *im;

	dump_in_text(in, id, sizeof(id));
	if (in->bad || !digest_is_sha256(id) ||
	    image_find_id(&b->images, id) != NULL)
		return books_bad(err, "an image's id");
	im = image_new(&b->images, id, "", 0);
	im->shelf = s;
	if (books_image_parts(b, im, in, err) == -1)
		return -1;
	if (im->broken)
		image_free(&b->images, im); /* damaged there */
	return 0;
}

static int
books_take(struct shelf *s, struct shelf_books *b, int fd, uint64_t len,
    struct cerr *err)
{
	struct dump_in in;
	uint64_t n;

	books_init(b);
	b->fd = fd;
	dump_in_begin(&in, fd, len);
	if (books_layers(s, b, &in, err) == -1)
		return -1;
	for (n = dump_in_number(&in, SHELF_IMAGES_MAX); n > 0; n--) {
		if (books_image(s, b, &in, err) == -1)
			return -1;
	}
	return dump_in_good(&in) ? 0 : books_bad(err, "its end");
}

/* ---- one shelf ---- */

static size_t
shelf_count(const struct shelf *s)
{
	const struct image *im;
	size_t n = 0;

	TAILQ_FOREACH(im, &s->books.images, entry)
		n++;
	return n;
}

/* Told once for each reason. */
static void
shelf_unusable(struct shelf *s, const struct cerr *err)
{
	struct timeval later = { SHELF_RETRY_S, 0 };

	if (strcmp(s->why, err->text) != 0)
		log_warn("additional store %s is not used: %s", s->path,
		    err->text);
	(void)snprintf(s->why, sizeof(s->why), "%s", err->text);
	books_close(s);
	s->print[0] = '\0';
	(void)evtimer_add(s->timer, &later);
}

static void
shelf_read_books(struct shelf *s, const struct shelfread_done *done)
{
	struct shelf_books fresh;
	struct cerr err;

	if (books_take(s, &fresh, done->fd, done->len, &err) == -1) {
		books_clear(&fresh);
		shelf_unusable(s, &err);
		return;
	}
	books_close(s);
	s->books = fresh;
	TAILQ_INIT(&s->books.images);
	TAILQ_CONCAT(&s->books.images, &fresh.images, entry);
	memcpy(s->print, done->print, sizeof(s->print));
	s->why[0] = '\0';
	log_info("additional store %s: %zu images", s->path, shelf_count(s));
}

static void
shelf_wait_free(struct shelf_wait *w)
{
	event_free(w->late);
	free(w);
}

static void
shelf_wait_end(struct shelf_wait *w, const struct cerr *err)
{
	store_ready_fn fn = w->fn;
	void *arg = w->arg;

	shelf_wait_free(w);
	fn(arg, err);
}

static void
shelf_wait_next(struct shelf_wait *w)
{
	struct shelf *s;

	if (w->at == w->n) {
		shelf_wait_end(w, NULL);
		return;
	}
	s = w->shelves[w->at++];
	TAILQ_INSERT_TAIL(&s->waits, w, entry);
	shelf_ask(s);
}

/* Each is told, or goes on to its next; that may bring new ones. */
static void
shelf_tell(struct shelf *s)
{
	struct shelf_waits waits;
	struct shelf_wait *w;
	struct cerr err;

	TAILQ_INIT(&waits);
	TAILQ_CONCAT(&waits, &s->waits, entry);
	while ((w = TAILQ_FIRST(&waits)) != NULL) {
		TAILQ_REMOVE(&waits, w, entry);
		if (s->why[0] == '\0') {
			shelf_wait_next(w);
			continue;
		}
		(void)cerr_set(&err, CERR_FAILED_PRECONDITION,
		    "additional store %s: %.512s", s->path, s->why);
		shelf_wait_end(w, &err);
	}
}

static void
shelf_answered(void *arg, const struct shelfread_done *done,
    const struct cerr *err)
{
	struct shelf *s = arg;
	bool was_bad = s->why[0] != '\0', first = !s->answered;

	s->read = NULL;
	s->answered = true;
	if (err != NULL)
		shelf_unusable(s, err);
	else if (done->fd != -1)
		shelf_read_books(s, done);
	if (first || was_bad || err != NULL || done->fd != -1)
		s->all->def.changed(s->all->def.arg);
	shelf_tell(s);
}

static void
shelf_ask(struct shelf *s)
{
	if (s->read != NULL)
		return;
	(void)evtimer_del(s->timer);
	s->read = shelfread_start(s->all->def.store, s->id, s->print,
	    shelf_answered, s);
}

static void
shelf_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	shelf_ask(arg);
}

/* ---- all of them ---- */

static void
shelves_late(evutil_socket_t fd, short what, void *arg)
{
	struct shelves *sh = arg;

	(void)fd;
	(void)what;
	sh->waited = true;
	for (size_t i = 0; i < sh->n; i++) {
		if (!sh->list[i].answered)
			log_warn("additional store %s does not answer",
			    sh->list[i].path);
	}
	sh->def.changed(sh->def.arg);
}

struct shelves *
shelves_new(const struct shelves_def *def)
{
	struct shelves *sh = calloc(1, sizeof(*sh));

	if (sh == NULL)
		fatal("calloc");
	sh->def = *def;
	sh->late = evtimer_new(def->store->base, shelves_late, sh);
	if (sh->late == NULL)
		fatalx("evtimer_new");
	for (size_t i = 0; i < def->store->nstores && i < SHELVES_MAX; i++) {
		struct shelf *s = &sh->list[sh->n++];

		s->all = sh;
		s->path = def->store->stores[i];
		s->id = layerid_of_path(s->path);
		books_init(&s->books);
		TAILQ_INIT(&s->waits);
		s->timer = evtimer_new(def->store->base, shelf_again, s);
		if (s->timer == NULL)
			fatalx("evtimer_new");
	}
	return sh;
}

void
shelves_free(struct shelves *sh)
{
	struct shelf_wait *w;

	for (size_t i = 0; sh != NULL && i < sh->n; i++) {
		struct shelf *s = &sh->list[i];

		shelfread_cancel(s->read);
		event_free(s->timer);
		while ((w = TAILQ_FIRST(&s->waits)) != NULL) {
			TAILQ_REMOVE(&s->waits, w, entry);
			shelf_wait_free(w);
		}
		books_clear(&s->books);
	}
	if (sh != NULL)
		event_free(sh->late);
	free(sh);
}

void
shelves_start(struct shelves *sh)
{
	struct timeval late = { SHELF_WAIT_S, 0 };

	sh->started = true;
	for (size_t i = 0; i < sh->n; i++)
		shelf_ask(&sh->list[i]);
	if (sh->n > 0)
		(void)evtimer_add(sh->late, &late);
}

bool
shelves_settled(const struct shelves *sh)
{
	for (size_t i = 0; i < sh->n; i++) {
		if (!sh->list[i].answered && !sh->waited)
			return false;
	}
	return true;
}

/* ---- images ---- */

struct image *
shelves_find_id(struct shelves *sh, const char *id)
{
	struct image *im = NULL;

	for (size_t i = 0; im == NULL && i < sh->n; i++)
		im = image_find_id(&sh->list[i].books.images, id);
	return im;
}

struct image *
shelves_find_name(struct shelves *sh, const char *name)
{
	struct image *im;

	for (size_t i = 0; i < sh->n; i++) {
		TAILQ_FOREACH(im, &sh->list[i].books.images, entry) {
			if (image_is_known(im, name))
				return im;
		}
	}
	return NULL;
}

struct image *
shelves_find_prefix(struct shelves *sh, const char *hex)
{
	struct image *found = NULL;

	for (size_t i = 0; i < sh->n; i++) {
		struct image *im =
		    image_find_prefix(&sh->list[i].books.images, hex);

		if (im == NULL ||
		    (found != NULL && strcmp(im->id, found->id) == 0))
			continue;
		if (found != NULL)
			return NULL;
		found = im;
	}
	return found;
}

struct image *
shelves_at(struct shelves *sh, size_t index)
{
	struct image *im;

	for (size_t i = 0; i < sh->n; i++) {
		TAILQ_FOREACH(im, &sh->list[i].books.images, entry) {
			if (!im->hidden && index-- == 0)
				return im;
		}
	}
	return NULL;
}

/* ---- who has which name: a set of texts that others own ---- */

struct taken {
	const char **slots;
	size_t mask;
};

static size_t
taken_count(const struct image_list *list)
{
	const struct image *im;
	size_t n = 0;

	TAILQ_FOREACH(im, list, entry)
		n += 1 + im->pub.ntags + im->pub.ndigests + im->nknown;
	return n;
}

static void
taken_init(struct taken *t, size_t n)
{
	t->mask = 15;
	while (t->mask < 2 * n)
		t->mask = 2 * t->mask + 1;
	t->slots = calloc(t->mask + 1, sizeof(*t->slots));
	if (t->slots == NULL)
		fatal("calloc");
}

/* Where s is, or would be. */
static const char **
taken_slot(const struct taken *t, const char *s)
{
	uint32_t hash = 2166136261U;

	for (const char *p = s; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619U;
	for (size_t i = hash & t->mask;; i = (i + 1) & t->mask) {
		if (t->slots[i] == NULL || strcmp(t->slots[i], s) == 0)
			return &t->slots[i];
	}
}

static bool
taken_has(const struct taken *t, const char *s)
{
	return *taken_slot(t, s) != NULL;
}

static void
taken_add(struct taken *t, char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*taken_slot(t, names[i]) = names[i];
}

static void
taken_add_images(struct taken *t, const struct image_list *list)
{
	const struct image *im;

	TAILQ_FOREACH(im, list, entry) {
		*taken_slot(t, im->id) = im->id;
		taken_add(t, im->tags, im->pub.ntags);
		taken_add(t, im->digests, im->pub.ndigests);
		taken_add(t, im->known, im->nknown);
	}
}

static void
shelves_publish_image(struct shelves *sh, struct image *im,
    const struct taken *t)
{
	bool hidden = taken_has(t, im->id);
	size_t names = im->pub.ntags + im->pub.ndigests;

	im->news |= hidden != im->hidden;
	im->hidden = hidden;
	image_clear_names(im);
	for (size_t i = 0; i < im->nknown; i++) {
		if (!taken_has(t, im->known[i]))
			image_put_name(im, im->known[i]);
	}
	image_publish(im, sh->def.store);
	im->news |= names != im->pub.ntags + im->pub.ndigests;
}

void
shelves_publish(struct shelves *sh, struct image_list *own)
{
	struct taken t;
	struct image *im;
	size_t n = taken_count(own);

	for (size_t i = 0; i < sh->n; i++)
		n += taken_count(&sh->list[i].books.images);
	if (sh->n == 0)
		return;
	taken_init(&t, n);
	taken_add_images(&t, own);
	for (size_t i = 0; i < sh->n; i++) {
		TAILQ_FOREACH(im, &sh->list[i].books.images, entry)
			shelves_publish_image(sh, im, &t);
		taken_add_images(&t, &sh->list[i].books.images);
	}
	free(t.slots);
}

struct image *
shelves_news(struct shelves *sh)
{
	struct image *im;

	for (size_t i = 0; i < sh->n; i++) {
		TAILQ_FOREACH(im, &sh->list[i].books.images, entry) {
			if (im->news && !im->hidden) {
				im->news = false;
				return im;
			}
		}
	}
	return NULL;
}

const char *
shelves_path(const struct image *im)
{
	return im->shelf != NULL ? im->shelf->path : "";
}

/* ---- what was written down of an image ---- */

static int
shelves_part(const struct image *im, uint64_t at, uint64_t len, uint8_t **buf,
    struct cerr *err)
{
	*buf = calloc(1, len + 1);
	if (*buf == NULL)
		fatal("calloc");
	if (pread(im->shelf->books.fd, *buf, len, (off_t)at) == (ssize_t)len)
		return 0;
	free(*buf);
	*buf = NULL;
	return cerr_errno(err, "what is known of additional store %s",
	    im->shelf->path);
}

int
shelves_config(const struct image *im, uint8_t **config, size_t *len,
    struct cerr *err)
{
	*len = (size_t)im->config_bytes;
	return shelves_part(im, im->config_at, im->config_bytes, config, err);
}

int
shelves_signatures(const struct image *im,
    int (*fn)(void *arg, const uint8_t *buf, size_t len, struct cerr *err),
    void *arg, struct cerr *err)
{
	uint8_t *buf;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < im->nsigs; i++) {
		rc = shelves_part(im, im->sigs[i].at, im->sigs[i].len, &buf,
		    err);
		if (rc == 0)
			rc = fn(arg, buf, (size_t)im->sigs[i].len, err);
		free(buf);
	}
	return rc;
}

/* ---- whether they are as they were ---- */

static void
shelf_wait_late(evutil_socket_t fd, short what, void *arg)
{
	struct shelf_wait *w = arg;
	struct shelf *s = w->shelves[w->at - 1];
	struct cerr err;

	(void)fd;
	(void)what;
	TAILQ_REMOVE(&s->waits, w, entry);
	(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED,
	    "additional store %s does not answer", s->path);
	shelf_wait_end(w, &err);
}

static void
shelf_wait_add(struct shelf_wait *w, struct shelves *sh, uint64_t store)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->shelves[i]->id == store)
			return;
	}
	for (size_t i = 0; i < sh->n; i++) {
		if (sh->list[i].id == store)
			w->shelves[w->n++] = &sh->list[i];
	}
}

void
shelves_check(struct shelves *sh, const struct image *im, store_ready_fn fn,
    void *arg)
{
	struct shelf_wait *w = calloc(1, sizeof(*w));
	struct timeval late = { SHELF_WAIT_S, 0 };

	if (w == NULL)
		fatal("calloc");
	w->fn = fn;
	w->arg = arg;
	w->late = evtimer_new(sh->def.store->base, shelf_wait_late, w);
	if (w->late == NULL || evtimer_add(w->late, &late) == -1)
		fatalx("evtimer_new");
	for (size_t i = 0; i < im->nlayers; i++)
		shelf_wait_add(w, sh, layerid_store(im->layers[i]->place));
	shelf_wait_next(w);
}
