#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/layout.h"

/* Blobs go with each image; their descriptors are needed again for the next. */
static int
import_send(struct ctl *ctl, const struct layout *l, struct cerr *err)
{
	for (size_t i = 0; i < l->nfiles; i++) {
		const struct layout_file *f = &l->files[i];
		int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);

		if (fd == -1 || lseek(fd, 0, SEEK_SET) == -1)
			return cerr_errno(err, "blob");
		if (ctl_blob(ctl, f->digest, fd, err) == -1)
			return -1;
	}
	return 0;
}

static int
import_image(struct ctl *ctl, const struct layout *l, const char *reference,
    const char *manifest)
{
	char *image_ref;
	struct cerr err;

	if (import_send(ctl, l, &err) == -1 ||
	    ctl_import(ctl, reference, manifest, &image_ref, &err) == -1) {
		warnx("import %s: %s", reference, err.text);
		return 1;
	}
	printf("%s\n", image_ref);
	free(image_ref);
	return 0;
}

static int
import_all(struct ctl *ctl, const struct layout *l, const char *path,
    const char *reference)
{
	int rc = 0;

	if (reference != NULL)
		return import_image(ctl, l, reference, l->images[0].manifest);
	for (size_t i = 0; i < l->nimages; i++) {
		const struct layout_image *im = &l->images[i];

		if (im->reference[0] == '\0') {
			warnx("%s: %s has no name; give one with -t", path,
			    im->manifest);
			rc = 1;
			continue;
		}
		rc |= import_image(ctl, l, im->reference, im->manifest);
	}
	return rc;
}

int
image_import_main(struct ctl *ctl, int argc, char **argv)
{
	const char *reference = NULL;
	struct layout *l;
	struct cerr err;
	int c, rc;

	while ((c = getopt(argc, argv, "t:")) != -1) {
		if (c != 't')
			return 2;
		reference = optarg;
	}
	if (argc - optind != 1)
		return 2;
	if (layout_open(argv[optind], &l, &err) == -1)
		errx(1, "%s: %s", argv[optind], err.text);
	rc = import_all(ctl, l, argv[optind], reference);
	layout_free(l);
	return rc;
}
