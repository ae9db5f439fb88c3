#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/layout.h"
#include "lib/json.h"

static int
image_send(struct ctl *ctl, struct layout *l, const char *reference,
    char **image_ref, struct cerr *err)
{
	for (size_t i = 0; i < l->nblobs; i++) {
		int fd = l->blobs[i].fd;

		if (lseek(fd, 0, SEEK_SET) == -1)
			return cerr_errno(err, "seek blob");
		if (ctl_blob(ctl, l->blobs[i].digest, fd, err) == -1)
			return -1;
		l->blobs[i].fd = -1;
	}
	return ctl_import(ctl, reference, l->manifest, image_ref, err);
}

int
image_import_main(struct ctl *ctl, int argc, char **argv)
{
	const char *reference = NULL;
	struct layout *l;
	char *image_ref;
	struct cerr err;
	int c;

	while ((c = getopt(argc, argv, "t:")) != -1) {
		if (c != 't')
			return 2;
		reference = optarg;
	}
	if (argc - optind != 1)
		errx(2, "image import: which layout or archive?");
	json_init();
	if (layout_open(argv[optind], &l, &err) == -1)
		errx(1, "%s: %s", argv[optind], err.text);
	if (reference == NULL)
		reference = l->reference;
	if (reference == NULL)
		errx(1, "%s names no reference; give one with -t",
		    argv[optind]);
	if (image_send(ctl, l, reference, &image_ref, &err) == -1)
		errx(1, "import %s: %s", reference, err.text);
	printf("%s\n", image_ref);
	free(image_ref);
	layout_free(l);
	return 0;
}
