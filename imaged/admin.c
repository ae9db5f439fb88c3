#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/admin.h"
#include "imaged/catalogue.h"
#include "imaged/digest.h"
#include "imaged/images.h"
#include "imaged/store.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

/* An image's message and what it points to. */
struct admin_item {
	Criod__ImgDetail detail;
	Criod__ImgLayer layers[STORE_LAYERS_MAX];
	Criod__ImgLayer *list[STORE_LAYERS_MAX];
	char diff_ids[STORE_LAYERS_MAX][DIGEST_SIZE];
};

/* protobuf-c's bodies are not const, but packing only reads them. */
static char *
admin_str(const char *s)
{
	char *p;

	if (s == NULL)
		s = "";
	memcpy(&p, &s, sizeof(p));
	return p;
}

static void *
admin_alloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static void
admin_fill_layers(struct admin_item *it, struct store *s)
{
	const struct catalogue_layer *rows[STORE_LAYERS_MAX];
	uint64_t places[STORE_LAYERS_MAX];
	size_t n = store_image_layers(s, it->detail.id, rows, places);

	for (size_t i = 0; i < n; i++) {
		Criod__ImgLayer *l = &it->layers[i];

		criod__img_layer__init(l);
		(void)snprintf(it->diff_ids[i], DIGEST_SIZE, "%s%s",
		    DIGEST_PREFIX, rows[i]->diff_id);
		l->number = places[i];
		l->diff_id = it->diff_ids[i];
		l->bytes = rows[i]->bytes;
		l->inodes = rows[i]->inodes;
		l->damaged = rows[i]->bad;
		l->suspect = rows[i]->suspect;
		it->list[i] = l;
	}
	it->detail.layers = it->list;
	it->detail.n_layers = n;
}

static struct admin_item *
admin_item(struct store *s, const struct store_image *im, bool config)
{
	struct admin_item *it = admin_alloc(1, sizeof(*it));
	Criod__ImgDetail *d = &it->detail;
	struct cerr err;

	criod__img_detail__init(d);
	d->id = admin_str(im->id);
	memcpy(&d->tags, &im->tags, sizeof(d->tags));
	d->n_tags = im->ntags;
	memcpy(&d->digests, &im->digests, sizeof(d->digests));
	d->n_digests = im->ndigests;
	d->size = im->size;
	d->pinned = im->pinned;
	d->damaged = im->damaged;
	d->holder = admin_str(store_lease_holder(s, im->id));
	d->store = admin_str(store_image_where(s, im->id));
	admin_fill_layers(it, s);
	if (config && store_image_config(s, im->id, &d->config.data,
			  &d->config.len, &err) == -1)
		log_warn("%s", err.text);
	return it;
}

static void
admin_item_free(Criod__ImgDetail *d)
{
	free(d->config.data);
	free(d); /* the item's first member */
}

static size_t
admin_collect(const struct images_ctx *c, const Criod__ImgDetails *req,
    Criod__ImgDetail ***items)
{
	struct store *s = c->store;
	const struct store_image *im;
	size_t n = 0;

	if (*req->image != '\0') {
		*items = admin_alloc(1, sizeof(**items));
		im = images_find(c, req->image);
		if (im != NULL)
			(*items)[n++] = &admin_item(s, im, req->config)->detail;
		return n;
	}
	while (store_image_at(s, n) != NULL)
		n++;
	*items = admin_alloc(n, sizeof(**items));
	for (size_t i = 0; i < n; i++)
		(*items)[i] =
		    &admin_item(s, store_image_at(s, i), req->config)->detail;
	return n;
}

void
admin_details(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Criod__ImgDetails *req = m->body;
	Criod__ImgDetailsAre body = CRIOD__IMG_DETAILS_ARE__INIT;
	struct cerr err;

	body.n_images = admin_collect(c, req, &body.images);
	if (body.n_images == 0 && *req->image != '\0') {
		(void)cerr_set(&err, CERR_NOT_FOUND, "no image %.256s",
		    req->image);
		link_refuse(call, &err);
	} else {
		link_reply(call, MSG_IMG_DETAILS_ARE, &body, NULL, 0);
	}
	for (size_t i = 0; i < body.n_images; i++)
		admin_item_free(body.images[i]);
	free(body.images);
}

static void
admin_read_done(void *arg, const struct store_read_done *done,
    const struct cerr *err)
{
	struct link_call *call = arg;
	Criod__ImgReadDone body = CRIOD__IMG_READ_DONE__INIT;

	if (err != NULL) {
		link_refuse(call, err);
		return;
	}
	body.size = done->size;
	body.lost = done->lost;
	link_reply(call, MSG_IMG_READ_DONE, &body, NULL, 0);
}

void
admin_read(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Criod__ImgRead *req = m->body;
	int out = m->nfds > 0 ? link_take_fd(m, 0) : -1;
	struct cerr err;

	if (store_layer_read(c->store, req->layer, out, req->size_only,
		admin_read_done, call, &err) == -1)
		link_refuse(call, &err);
}
