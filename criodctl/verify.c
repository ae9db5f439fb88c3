#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/store.h"

/* Layers whose state is known by now. */
struct verify {
	struct ctl *ctl;
	bool quiet;
	uint64_t *good, *bad;
	size_t ngood, nbad;
	bool unknown; /* something could not be checked */
};

static bool
verify_has(const uint64_t *list, size_t n, uint64_t layer)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == layer)
			return true;
	}
	return false;
}

static void
verify_put(uint64_t **list, size_t *n, uint64_t layer)
{
	*list = reallocarray(*list, *n + 1, sizeof(**list));
	if (*list == NULL)
		err(1, "reallocarray");
	(*list)[(*n)++] = layer;
}

static int
verify_read(struct verify *v, uint64_t layer, struct cerr *err)
{
	Criod__ImgRead req = CRIOD__IMG_READ__INIT;
	void *answer;

	req.layer = layer;
	if (ctl_begin(v->ctl, MSG_IMG_READ, &req, -1, err) == -1 ||
	    ctl_end(v->ctl, MSG_IMG_READ, &answer, err) == -1)
		return -1;
	ctl_free_answer(MSG_IMG_READ, answer);
	return 0;
}

/* True if the layer is damaged. */
static bool
verify_layer(struct verify *v, const Criod__ImgDetail *im, uint64_t layer)
{
	struct cerr err;

	if (verify_has(v->good, v->ngood, layer))
		return false;
	if (verify_has(v->bad, v->nbad, layer))
		return true;
	if (verify_read(v, layer, &err) == 0) {
		verify_put(&v->good, &v->ngood, layer);
		return false;
	}
	warnx("%s: layer %" PRIu64 ": %s", store_name(im), layer, err.text);
	if (err.code == CERR_DATA_LOSS) {
		verify_put(&v->bad, &v->nbad, layer);
		return true;
	}
	v->unknown = true;
	return false;
}

static bool
verify_image(struct verify *v, const Criod__ImgDetail *im)
{
	bool bad = false;

	for (size_t i = 0; i < im->n_layers; i++)
		bad |= verify_layer(v, im, im->layers[i]->number);
	if (!v->quiet || bad)
		printf("%s %s\n", bad ? "damaged" : "ok     ", store_name(im));
	fflush(stdout);
	return bad;
}

static bool
verify_some(struct verify *v, const char *image)
{
	Criod__ImgDetailsAre *d = store_details(v->ctl, image, false);
	bool bad = false;

	for (size_t i = 0; i < d->n_images; i++)
		bad |= verify_image(v, d->images[i]);
	store_details_free(d);
	return bad;
}

static int
verify_options(int argc, char **argv, bool *quiet)
{
	int c;

	while ((c = getopt(argc, argv, "q")) != -1) {
		if (c != 'q')
			return -1;
		*quiet = true;
	}
	return 0;
}

int
image_verify_main(struct ctl *ctl, int argc, char **argv)
{
	struct verify v = { .ctl = ctl };
	bool bad = false;

	if (verify_options(argc, argv, &v.quiet) == -1)
		return 2;
	if (argc == optind)
		bad = verify_some(&v, NULL);
	for (int i = optind; i < argc; i++)
		bad |= verify_some(&v, argv[i]);
	free(v.good);
	free(v.bad);
	return bad || v.unknown;
}

/* ---- repair ---- */

/* By digest: then it is the same image, whatever its tags mean by now. */
static int
repair_image(struct ctl *ctl, const Criod__ImgDetail *im, bool quiet)
{
	struct cerr why;
	char *id = NULL;

	if (!im->damaged) {
		printf("ok       %s\n", store_name(im));
		return 0;
	}
	(void)cerr_set(&why, CERR_FAILED_PRECONDITION,
	    "has no name by which it could be pulled: import it again");
	for (size_t i = 0; i < im->n_digests && id == NULL; i++)
		id = store_pull(ctl, im->digests[i], quiet, &why);
	if (id == NULL) {
		warnx("%s: %s", store_name(im), why.text);
		return 1;
	}
	free(id);
	printf("repaired %s\n", store_name(im));
	return 0;
}

int
image_repair_main(struct ctl *ctl, int argc, char **argv)
{
	Criod__ImgDetailsAre *d;
	bool quiet = false;
	int rc = 0;

	if (verify_options(argc, argv, &quiet) == -1)
		return 2;
	for (int i = optind; i < argc; i++) {
		d = store_details(ctl, argv[i], false);
		rc |= repair_image(ctl, d->images[0], quiet);
		store_details_free(d);
	}
	if (argc > optind)
		return rc;
	d = store_details(ctl, NULL, false);
	for (size_t i = 0; i < d->n_images; i++) {
		if (d->images[i]->damaged)
			rc |= repair_image(ctl, d->images[i], quiet);
	}
	store_details_free(d);
	return rc;
}
