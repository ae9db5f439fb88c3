/* "criodctl wipe": leaves nothing of pods and, if wanted, images. */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/pod.h"
#include "criodctl/store.h"
#include "proto/msg.pb-c.h"

static int
wipe_images(struct ctl *ctl)
{
	Criod__ImgDetailsAre *d = store_details(ctl, NULL, false);
	struct cerr err;
	int rc = 0;

	for (size_t i = 0; i < d->n_images; i++) {
		if (store_remove(ctl, d->images[i]->id, &err) == -1) {
			warnx("%s", err.text);
			rc = -1;
		} else {
			printf("image %s\n", d->images[i]->id);
		}
	}
	store_details_free(d);
	return rc;
}

int
wipe_main(struct ctl *ctl, int argc, char **argv)
{
	bool images = false;
	int c, rc;

	while ((c = getopt(argc, argv, "i")) != -1) {
		if (c != 'i')
			return 2;
		images = true;
	}
	if (optind != argc)
		return 2;
	rc = pod_remove_all(ctl, true);
	if (images && wipe_images(ctl) == -1)
		rc = -1;
	return rc == -1 ? 1 : 0;
}
