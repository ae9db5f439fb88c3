#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/store.h"
#include "lib/json.h"

#define IMAGE_SHORT_ID 19 /* "sha256:" and 12 digits */

/* Options without arguments, each a letter of known; -1: another. */
static int
image_flags(int argc, char **argv, const char *known, bool *flags)
{
	int c;

	while ((c = getopt(argc, argv, known)) != -1) {
		const char *at = c == '?' ? NULL : strchr(known, c);

		if (at == NULL)
			return -1;
		flags[at - known] = true;
	}
	return 0;
}

/* ---- list, inspect ---- */

static const char *
image_state(const Criod__ImgDetail *im)
{
	if (im->damaged)
		return "damaged";
	if (*im->holder != '\0')
		return "in use";
	return im->pinned ? "pinned" : "";
}

static void
image_print(const Criod__ImgDetail *im)
{
	char size[32];

	printf("%-60s %.*s %10s  %s\n", store_name(im), IMAGE_SHORT_ID, im->id,
	    store_size(im->size, size), image_state(im));
	for (size_t i = 1; i < im->n_tags; i++)
		printf("%s\n", im->tags[i]);
}

int
image_list_main(struct ctl *ctl, int argc, char **argv)
{
	Criod__ImgDetailsAre *d;
	bool quiet = false;

	if (image_flags(argc, argv, "q", &quiet) == -1 || argc - optind > 1)
		return 2;
	d = store_details(ctl, NULL, false);
	for (size_t i = 0; i < d->n_images; i++) {
		if (!store_matches(d->images[i], argv[optind]))
			continue;
		if (quiet)
			puts(d->images[i]->id);
		else
			image_print(d->images[i]);
	}
	store_details_free(d);
	return 0;
}

static json_t *
image_strings(char **list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(a, json_string(list[i]));
	return a;
}

static json_t *
image_layers_json(const Criod__ImgDetail *im)
{
	json_t *a = json_array();

	for (size_t i = 0; i < im->n_layers; i++) {
		const Criod__ImgLayer *l = im->layers[i];

		(void)json_array_append_new(a,
		    json_pack("{s:I, s:s, s:I, s:I, s:b, s:b}", "number",
			(json_int_t)l->number, "diffID", l->diff_id, "bytes",
			(json_int_t)l->bytes, "inodes", (json_int_t)l->inodes,
			"damaged", l->damaged, "unchecked", l->suspect));
	}
	return a;
}

static json_t *
image_json(const Criod__ImgDetail *im)
{
	struct cerr err;
	json_t *config = json_read_bounded("config", im->config.data,
	    im->config.len, im->config.len + 1, &err);

	if (config == NULL)
		config = json_null();
	return json_pack("{s:s, s:o, s:o, s:I, s:b, s:b, s:s, s:s, s:o, s:o}",
	    "id", im->id, "tags", image_strings(im->tags, im->n_tags),
	    "digests", image_strings(im->digests, im->n_digests), "size",
	    (json_int_t)im->size, "pinned", im->pinned, "damaged", im->damaged,
	    "usedBy", im->holder, "store", im->store, "layers",
	    image_layers_json(im), "config", config);
}

int
image_inspect_main(struct ctl *ctl, int argc, char **argv)
{
	json_t *all;

	if (image_flags(argc, argv, "", NULL) == -1 || argc == optind)
		return 2;
	json_init();
	all = json_array();
	for (int i = optind; i < argc; i++) {
		Criod__ImgDetailsAre *d = store_details(ctl, argv[i], true);

		(void)json_array_append_new(all, image_json(d->images[0]));
		store_details_free(d);
	}
	if (json_dumpf(all, stdout, JSON_INDENT(2)) == -1)
		errx(1, "out of memory");
	putchar('\n');
	json_decref(all);
	return 0;
}

/* ---- pull, remove, prune ---- */

int
image_pull_main(struct ctl *ctl, int argc, char **argv)
{
	bool quiet = false;
	struct cerr err;
	int rc = 0;

	if (image_flags(argc, argv, "q", &quiet) == -1 || argc == optind)
		return 2;
	for (int i = optind; i < argc; i++) {
		char *id = store_pull(ctl, argv[i], quiet, &err);

		if (id == NULL) {
			warnx("%s", err.text);
			rc = 1;
			continue;
		}
		puts(id);
		free(id);
	}
	return rc;
}

int
image_remove_main(struct ctl *ctl, int argc, char **argv)
{
	struct cerr err;
	int rc = 0;

	if (image_flags(argc, argv, "", NULL) == -1 || argc == optind)
		return 2;
	for (int i = optind; i < argc; i++) {
		/* RemoveImage says nothing of an image that is not there. */
		Criod__ImgDetailsAre *d = store_details(ctl, argv[i], false);

		if (store_remove(ctl, d->images[0]->id, &err) == -1) {
			warnx("%s", err.text);
			rc = 1;
		} else {
			puts(d->images[0]->id);
		}
		store_details_free(d);
	}
	return rc;
}

/* What a node can do without: unused, not pinned, and without -a no tag. */
static bool
image_may_go(const Criod__ImgDetail *im, bool all, const char *pattern)
{
	return *im->holder == '\0' && !im->pinned && (all || im->n_tags == 0) &&
	       store_matches(im, pattern);
}

int
image_prune_main(struct ctl *ctl, int argc, char **argv)
{
	Criod__ImgDetailsAre *d;
	bool flags[2] = { false, false }; /* a, n */
	struct cerr err;
	uint64_t freed = 0;
	char size[32];
	int rc = 0;

	if (image_flags(argc, argv, "an", flags) == -1 || argc - optind > 1)
		return 2;
	d = store_details(ctl, NULL, false);
	for (size_t i = 0; i < d->n_images; i++) {
		const Criod__ImgDetail *im = d->images[i];

		if (!image_may_go(im, flags[0], argv[optind]))
			continue;
		if (!flags[1] && store_remove(ctl, im->id, &err) == -1) {
			warnx("%s", err.text);
			rc = 1;
			continue;
		}
		freed += im->size;
		printf("%s %s\n", im->id, store_name(im));
	}
	fprintf(stderr, "%s%s, less what other images share\n",
	    flags[1] ? "would free " : "freed ", store_size(freed, size));
	store_details_free(d);
	return rc;
}
