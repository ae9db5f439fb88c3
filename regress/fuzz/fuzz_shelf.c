/*
 * What shelf says an additional store holds: the input itself as a dump, or one
 * made of it whose images have the digests that they should.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "imaged/dump.h"
#include "imaged/ref.h"
#include "imaged/shelfread.h"
#include "imaged/shelves.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "regress/fuzz/feed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct store_def store;
	shelfread_fn fn;
	void *arg;
	size_t layers;
} fuzz;

static const char *const stores[] = { "/store" };

/* ---- what shelves.c asks of others ---- */

struct shelfread *
shelfread_start(const struct store_def *def, uint64_t store, const char *print,
    shelfread_fn fn, void *arg)
{
	(void)def;
	(void)store;
	(void)print;
	fuzz.fn = fn;
	fuzz.arg = arg;
	return NULL;
}

void
shelfread_cancel(struct shelfread *r)
{
	(void)r;
}

struct layer *
layers_add_shelf(struct layers *ls, uint64_t place,
    const struct catalogue_layer *row)
{
	struct layer *l = calloc(1, sizeof(*l));

	(void)ls;
	assert(l != NULL && strlen(row->diff_id) == DIGEST_HEX_LEN);
	l->row = *row;
	l->place = place;
	fuzz.layers++;
	return l;
}

void
layers_drop_shelf(struct layer *l)
{
	assert(l->images == 0);
	fuzz.layers--;
	free(l);
}

uint64_t
layer_place(const struct layer *l)
{
	return l->place;
}

static void
changed(void *arg)
{
	(void)arg;
}

static void
gone(void *arg, const char *id)
{
	(void)arg;
	assert(digest_is_sha256(id));
}

/* ---- the dump ---- */

static void
make_layers(struct dump_out *d, struct feed *f)
{
	uint64_t n = feed_byte(f) % 8, number = 0;
	char diff_id[DIGEST_HEX_LEN + 1];

	dump_out_number(d, n);
	for (; n > 0; n--) {
		number += feed_byte(f);
		dump_out_number(d, number);
		dump_out_number(d, feed_u16(f));
		dump_out_number(d, feed_u16(f));
		memset(diff_id, '0' + (int)n, DIGEST_HEX_LEN);
		diff_id[DIGEST_HEX_LEN] = '\0';
		dump_out_text(d, diff_id);
	}
}

static void
make_image(struct dump_out *d, struct feed *f)
{
	char id[DIGEST_SIZE], text[REF_TEXT_SIZE];
	const uint8_t *config;
	size_t len = feed_bytes(f, feed_byte(f), &config);

	digest_of(config, len, id);
	dump_out_text(d, id);
	feed_text(f, text, sizeof(text));
	dump_out_text(d, text);
	dump_out_bytes(d, config, len);
	len = feed_byte(f) % 4;
	dump_out_number(d, len);
	while (len-- > 0)
		dump_out_number(d, feed_byte(f));
	len = feed_byte(f) % 4;
	dump_out_number(d, len);
	while (len-- > 0) {
		feed_text(f, text, sizeof(text));
		dump_out_text(d, text);
	}
	len = feed_byte(f) % 4;
	dump_out_number(d, len);
	while (len-- > 0) {
		feed_text(f, text, sizeof(text));
		dump_out_text(d, text);
	}
}

static void
make(int fd, struct feed *f, uint64_t *len)
{
	struct dump_out *d = dump_out_new(fd);
	size_t n;

	assert(d != NULL);
	make_layers(d, f);
	n = feed_byte(f) % 5;
	dump_out_number(d, n);
	while (n-- > 0)
		make_image(d, f);
	assert(dump_out_end(d, len) == 0);
}

/* ---- what is known then ---- */

static int
signature(void *arg, const uint8_t *buf, size_t len, struct cerr *err)
{
	(void)arg;
	(void)buf;
	(void)err;
	return len % 16 == 15 ? -1 : 0;
}

static void
check_image(struct shelves *sh, const struct image *im)
{
	char digest[DIGEST_SIZE];
	struct cerr err;
	struct ref ref;
	uint8_t *config;
	size_t len;

	assert(im->nlayers > 0 && im->nlayers <= STORE_LAYERS_MAX);
	assert(shelves_find_id(sh, im->id) == im);
	assert(strcmp(shelves_path(im), stores[0]) == 0);
	assert(shelves_config(im, &config, &len, &err) == 0);
	digest_of(config, len, digest);
	assert(strcmp(digest, im->id) == 0);
	free(config);
	(void)!shelves_signatures(im, signature, NULL, &err);
	for (size_t i = 0; i < im->nknown; i++)
		assert(ref_parse(im->known[i], &ref, &err) == 0);
}

static void
check(struct shelves *sh)
{
	struct image_list own = TAILQ_HEAD_INITIALIZER(own);
	struct image *im;

	for (size_t i = 0; (im = shelves_at(sh, i)) != NULL; i++)
		check_image(sh, im);
	shelves_publish(sh, &own);
	while ((im = shelves_news(sh)) != NULL)
		im->news = false;
}

static void
answer(struct feed *f)
{
	struct shelfread_done done = { .print = "x", .fd = -1 };
	bool raw = feed_byte(f) % 2 == 0;

	done.fd = memfd_create("dump", MFD_CLOEXEC);
	assert(done.fd != -1);
	if (raw) {
		assert(fdio_write_all(done.fd, f->p, f->n) == 0);
		done.len = f->n;
	} else {
		make(done.fd, f, &done.len);
	}
	fuzz.fn(fuzz.arg, &done, NULL);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	fuzz.store.base = event_base_new();
	fuzz.store.stores = stores;
	fuzz.store.nstores = 1;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shelves_def def = { .store = &fuzz.store,
		.changed = changed,
		.gone = gone };
	struct shelves *sh = shelves_new(&def);
	struct feed f = { data, size };

	shelves_start(sh);
	answer(&f);
	check(sh);
	answer(&f); /* what is left: another time */
	check(sh);
	shelves_free(sh);
	assert(fuzz.layers == 0);
	return 0;
}
