#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/image.h"
#include "imaged/ref.h"
#include "lib/log.h"
#include "lib/pattern.h"

#define IMAGE_PREFIX_MIN 6 /* hexadecimal digits of an abbreviated id */

static void *
image_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static char *
image_strdup(const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		fatal("strdup");
	return copy;
}

static void
image_insert(struct image_list *list, struct image *im)
{
	struct image *other;

	TAILQ_FOREACH(other, list, entry) {
		if (strcmp(other->id, im->id) > 0)
			break;
	}
	if (other != NULL)
		TAILQ_INSERT_BEFORE(other, im, entry);
	else
		TAILQ_INSERT_TAIL(list, im, entry);
}

struct image *
image_new(struct image_list *list, const char *id, const char *user,
    uint64_t config_bytes)
{
	struct image *im = image_alloc(sizeof(*im));

	(void)snprintf(im->id, sizeof(im->id), "%s", id);
	im->user = image_strdup(user);
	im->config_bytes = config_bytes;
	im->news = true;
	image_insert(list, im);
	return im;
}

static void
image_free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void
image_free(struct image_list *list, struct image *im)
{
	TAILQ_REMOVE(list, im, entry);
	for (size_t i = 0; i < im->nlayers; i++)
		im->layers[i]->images--;
	image_free_names(im->tags, im->pub.ntags);
	image_free_names(im->digests, im->pub.ndigests);
	image_free_names(im->known, im->nknown);
	free(im->sigs);
	free(im->user);
	free(im);
}

void
image_add_layer(struct image *im, struct layer *l)
{
	if (l == NULL || im->nlayers == STORE_LAYERS_MAX) {
		im->broken = true;
		return;
	}
	l->images++;
	im->layers[im->nlayers++] = l;
}

struct layer *
image_set_layer(struct image *im, size_t i, struct layer *l)
{
	struct layer *old = im->layers[i];

	if (old == l)
		return NULL;
	old->images--;
	l->images++;
	im->layers[i] = l;
	im->news = true;
	return old;
}

/* ---- names ---- */

static bool
image_has(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool
image_name_take(char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		free(names[i]);
		memmove(&names[i], &names[i + 1],
		    (*n - i - 1) * sizeof(*names));
		--*n;
		return true;
	}
	return false;
}

/* Keeps the list in order. */
static void
image_name_put(char ***names, size_t *n, size_t *room, const char *name)
{
	size_t at = 0;

	if (*n == *room) {
		*room = *room == 0 ? 4 : 2 * *room;
		*names = reallocarray(*names, *room, sizeof(**names));
		if (*names == NULL)
			fatal("reallocarray");
	}
	while (at < *n && strcmp((*names)[at], name) < 0)
		at++;
	memmove(&(*names)[at + 1], &(*names)[at], (*n - at) * sizeof(**names));
	(*names)[at] = image_strdup(name);
	++*n;
}

void
image_add_name(struct image_list *list, struct image *im, const char *name)
{
	struct image *other;

	TAILQ_FOREACH(other, list, entry) {
		if (image_name_take(other->tags, &other->pub.ntags, name) ||
		    image_name_take(other->digests, &other->pub.ndigests,
			name)) {
			other->news = true;
			break;
		}
	}
	im->news = true;
	image_put_name(im, name);
}

void
image_put_name(struct image *im, const char *name)
{
	if (strchr(name, '@') != NULL)
		image_name_put(&im->digests, &im->pub.ndigests,
		    &im->digests_room, name);
	else
		image_name_put(&im->tags, &im->pub.ntags, &im->tags_room, name);
}

void
image_clear_names(struct image *im)
{
	image_free_names(im->tags, im->pub.ntags);
	image_free_names(im->digests, im->pub.ndigests);
	im->tags = im->digests = NULL;
	im->pub.ntags = im->pub.ndigests = 0;
	im->tags_room = im->digests_room = 0;
}

void
image_add_known(struct image *im, const char *name)
{
	im->known = reallocarray(im->known, im->nknown + 1, sizeof(*im->known));
	if (im->known == NULL)
		fatal("reallocarray");
	im->known[im->nknown++] = image_strdup(name);
}

bool
image_is_known(const struct image *im, const char *name)
{
	return image_has(im->known, im->nknown, name);
}

void
image_set_user(struct image *im, const char *user)
{
	free(im->user);
	im->user = image_strdup(user);
}

/* ---- what others see ---- */

/* An exact pattern may be a short name. */
static bool
image_pattern_means(const char *pattern, const char *name)
{
	struct ref ref;
	struct cerr err;
	char full[REF_TEXT_SIZE];

	if (pattern_match(pattern, name))
		return true;
	if (strchr(pattern, '*') != NULL ||
	    ref_parse(pattern, &ref, &err) == -1)
		return false;
	ref_text(&ref, full);
	return strcmp(full, name) == 0;
}

static bool
image_is_pinned(const struct image *im, const struct store_def *def)
{
	for (size_t p = 0; p < def->npinned; p++) {
		for (size_t i = 0; i < im->pub.ntags; i++) {
			if (image_pattern_means(def->pinned[p], im->tags[i]))
				return true;
		}
		for (size_t i = 0; i < im->pub.ndigests; i++) {
			if (image_pattern_means(def->pinned[p], im->digests[i]))
				return true;
		}
	}
	return false;
}

static bool
image_layer_is_above(const struct image *im, size_t i)
{
	for (size_t j = i + 1; j < im->nlayers; j++) {
		if (im->layers[j] == im->layers[i])
			return true;
	}
	return false;
}

/*
 * A layer that stands twice is seen where it stands highest: there it covers
 * all that it has lower down.  Overlay takes no directory twice.
 */
static void
image_publish_layers(struct image *im)
{
	size_t n = 0;

	im->pub.size = im->config_bytes;
	im->pub.damaged = false;
	for (size_t i = 0; i < im->nlayers; i++) {
		im->pub.damaged |= im->layers[i]->row.bad;
		if (image_layer_is_above(im, i))
			continue;
		im->numbers[n++] = layer_place(im->layers[i]);
		im->pub.size += im->layers[i]->row.bytes;
	}
	im->pub.nlayers = n;
}

void
image_publish(struct image *im, const struct store_def *def)
{
	image_publish_layers(im);
	im->pub.id = im->id;
	im->pub.tags = (const char *const *)im->tags;
	im->pub.digests = (const char *const *)im->digests;
	im->pub.layers = im->numbers;
	im->pub.user = im->user;
	im->pub.pinned = im->shelf != NULL || image_is_pinned(im, def);
}

/* ---- finding ---- */

struct image *
image_find_id(struct image_list *list, const char *id)
{
	struct image *im;

	TAILQ_FOREACH(im, list, entry) {
		if (strcmp(im->id, id) == 0)
			return im;
	}
	return NULL;
}

struct image *
image_find_name(struct image_list *list, const char *name)
{
	struct image *im;

	TAILQ_FOREACH(im, list, entry) {
		if (image_has(im->tags, im->pub.ntags, name) ||
		    image_has(im->digests, im->pub.ndigests, name))
			return im;
	}
	return NULL;
}

struct image *
image_find_prefix(struct image_list *list, const char *hex)
{
	struct image *im, *found = NULL;
	size_t len = strlen(hex);

	if (len < IMAGE_PREFIX_MIN || len > DIGEST_HEX_LEN ||
	    strspn(hex, "0123456789abcdef") != len)
		return NULL;
	TAILQ_FOREACH(im, list, entry) {
		if (strncmp(im->id + DIGEST_PREFIX_LEN, hex, len) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = im;
	}
	return found;
}

const char *
image_hex(const char *what)
{
	return strncmp(what, DIGEST_PREFIX, DIGEST_PREFIX_LEN) == 0
		   ? what + DIGEST_PREFIX_LEN
		   : what;
}
