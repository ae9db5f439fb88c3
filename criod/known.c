#include <stdlib.h>
#include <string.h>

#include "criod/front.h"
#include "criod/known.h"
#include "criod/pb.h"
#include "lib/log.h"

/* The place of id: *there if one has it. */
static size_t
known_place(const struct known *k, const char *id, bool *there)
{
	size_t low = 0, high = k->n;

	*there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(k->images[mid]->id, id);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
known_drop(struct known *k, const char *id)
{
	bool there;
	size_t at = known_place(k, id, &there);

	if (!there)
		return;
	k->bytes -= runtime__v1__image__get_packed_size(k->images[at]);
	pb_free(k->images[at]);
	k->n--;
	memmove(&k->images[at], &k->images[at + 1],
	    (k->n - at) * sizeof(k->images[0]));
}

static void
known_grow(struct known *k)
{
	if (k->n < k->room)
		return;
	k->room = k->room == 0 ? 64 : 2 * k->room;
	k->images = reallocarray(k->images, k->room, sizeof(k->images[0]));
	if (k->images == NULL)
		fatal("reallocarray");
}

static void
known_put(struct known *k, const Runtime__V1__Image *image)
{
	bool there;
	size_t at;

	known_drop(k, image->id);
	known_grow(k);
	at = known_place(k, image->id, &there);
	memmove(&k->images[at + 1], &k->images[at],
	    (k->n - at) * sizeof(k->images[0]));
	k->images[at] = pb_copy(image);
	k->bytes += runtime__v1__image__get_packed_size(image);
	k->n++;
}

static void
known_forget_images(struct known *k)
{
	for (size_t i = 0; i < k->n; i++)
		pb_free(k->images[i]);
	free(k->images);
	k->images = NULL;
	k->n = k->room = k->bytes = 0;
	k->complete = false;
}

void
known_forget(struct known *k)
{
	known_forget_images(k);
	pb_free(k->fs);
	k->fs = NULL;
}

static void
known_take_images(struct known *k, const Criod__ImgNews *news)
{
	for (size_t i = 0; i < news->n_gone; i++)
		known_drop(k, news->gone[i]);
	for (size_t i = 0; i < news->n_images; i++)
		known_put(k, news->images[i]);
	if (k->bytes > KNOWN_BYTES_MAX)
		known_forget_images(k);
}

void
known_take(struct known *k, const Criod__ImgNews *news)
{
	if (news->what != CRIOD__IMG_NEWS__WHAT__CHANGES)
		known_forget(k);
	if (news->what == CRIOD__IMG_NEWS__WHAT__ALL)
		k->complete = true;
	if (k->complete)
		known_take_images(k, news);
	if (news->what == CRIOD__IMG_NEWS__WHAT__ASK || news->fs == NULL)
		return;
	pb_free(k->fs);
	k->fs = pb_copy(news->fs);
}

void
known_handle_news(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct front *front = ctx;

	(void)call;
	known_take(&front->images, m->body);
}
