#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/item.h"
#include "imaged/news.h"
#include "imsg/link.h"
#include "lib/log.h"

struct news {
	struct link *front;
	struct store *store; /* NULL until there is one */
	bool asking;	     /* it was told to ask */
	uint64_t bytes, inodes;
};

/* One message that is being put together. */
struct news_page {
	Criod__ImgNews body;
	size_t images_room, gone_room;
	struct item_fs fs;
};

struct news *
news_new(struct link *front)
{
	struct news *n = calloc(1, sizeof(*n));

	if (n == NULL)
		fatal("calloc");
	n->front = front;
	return n;
}

/* Room for one more pointer. */
static void *
news_grow(void *list, size_t n, size_t *room)
{
	if (n < *room)
		return list;
	*room = *room == 0 ? 16 : 2 * *room;
	list = reallocarray(list, *room, sizeof(void *));
	if (list == NULL)
		fatal("reallocarray");
	return list;
}

static void
news_add_image(struct news_page *p, const struct store_image *im)
{
	struct item_image *it = calloc(1, sizeof(*it));

	if (it == NULL)
		fatal("calloc");
	item_image_fill(it, im);
	p->body.images =
	    news_grow(p->body.images, p->body.n_images, &p->images_room);
	p->body.images[p->body.n_images++] = &it->image;
}

static void
news_add_gone(struct news_page *p, const char *id)
{
	char *copy = strdup(id);

	if (copy == NULL)
		fatal("strdup");
	p->body.gone = news_grow(p->body.gone, p->body.n_gone, &p->gone_room);
	p->body.gone[p->body.n_gone++] = copy;
}

/* image is the first member of its item. */
static void
news_page_free(struct news_page *p)
{
	for (size_t i = 0; i < p->body.n_images; i++)
		free(p->body.images[i]);
	for (size_t i = 0; i < p->body.n_gone; i++)
		free(p->body.gone[i]);
	free(p->body.images);
	free(p->body.gone);
}

static void
news_add_fs(struct news *n, struct news_page *p)
{
	item_fs_fill(&p->fs, n->store);
	n->bytes = p->fs.bytes.value;
	n->inodes = p->fs.inodes.value;
	p->body.fs = &p->fs.body;
}

/* What the front does not get it must not believe to have. */
static void
news_ask(struct news *n)
{
	Criod__ImgNews body = CRIOD__IMG_NEWS__INIT;

	n->asking = true;
	body.what = CRIOD__IMG_NEWS__WHAT__ASK;
	if (link_send(n->front, MSG_IMG_NEWS, &body, NULL, 0) == -1 &&
	    errno != ENOTCONN)
		log_warn("the front does not hear of images");
}

static void
news_send(struct news *n, const struct news_page *p)
{
	if (link_send(n->front, MSG_IMG_NEWS, &p->body, NULL, 0) == -1 &&
	    errno != ENOTCONN)
		news_ask(n);
}

void
news_begin(struct news *n, struct store *store)
{
	struct news_page page = { .body = CRIOD__IMG_NEWS__INIT };
	const struct store_image *im;
	char id[STORE_ID_SIZE];

	n->store = store;
	n->asking = false;
	page.body.what = CRIOD__IMG_NEWS__WHAT__ALL;
	while (store_gone(store, id) || store_news(store) != NULL)
		continue;
	for (size_t i = 0; (im = store_image_at(store, i)) != NULL; i++)
		news_add_image(&page, im);
	news_add_fs(n, &page);
	news_send(n, &page);
	news_page_free(&page);
}

void
news_changed(void *news)
{
	struct news *n = news;
	struct news_page page = { .body = CRIOD__IMG_NEWS__INIT };
	const struct store_image *im;
	struct store_usage usage;
	char id[STORE_ID_SIZE];

	if (n->store == NULL)
		return;
	while (store_gone(n->store, id))
		news_add_gone(&page, id);
	while ((im = store_news(n->store)) != NULL)
		news_add_image(&page, im);
	store_usage(n->store, &usage);
	if (usage.bytes != n->bytes || usage.inodes != n->inodes)
		news_add_fs(n, &page);
	if (!n->asking && (page.body.n_gone > 0 || page.body.n_images > 0 ||
			      page.body.fs != NULL))
		news_send(n, &page);
	news_page_free(&page);
}
