#include <sys/stat.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/json.h"

#include "criodctl/layout.h"

/* Whole names, as containerd and docker write them, before short ones. */
static const char *const layout_notes[] = { "io.containerd.image.name",
	"org.opencontainers.image.ref.name" };

json_t *
layout_json(struct layout *l, const char *name, struct cerr *err)
{
	const struct layout_file *f = layout_find(l, name);
	CLEANUP_FREE char *buf = NULL;
	struct stat st;
	ssize_t n;

	if (f == NULL || f->fd == -1 || fstat(f->fd, &st) == -1) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT, "there is no %.200s",
		    name);
		return NULL;
	}
	if (st.st_size > (off_t)LAYOUT_DOC_MAX) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%.200s is over 4 MiB", name);
		return NULL;
	}
	buf = malloc((size_t)st.st_size + 1);
	n = buf == NULL ? -1 : pread(f->fd, buf, (size_t)st.st_size, 0);
	if (n == -1) {
		(void)cerr_errno(err, "read %.200s", name);
		return NULL;
	}
	return json_read_bounded(name, buf, (size_t)n, LAYOUT_DOC_MAX, err);
}

static const char *
layout_reference(const json_t *manifest)
{
	const json_t *notes = json_object_get(manifest, "annotations");

	for (size_t i = 0; i < 2; i++) {
		const char *name =
		    json_string_value(json_object_get(notes, layout_notes[i]));

		if (name != NULL)
			return name;
	}
	return "";
}

static int
layout_index_image(struct layout *l, const json_t *manifest, struct cerr *err)
{
	struct layout_image *im = &l->images[l->nimages];
	const char *digest;
	int n;

	if (l->nimages == LAYOUT_IMAGES_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "more than %d images", LAYOUT_IMAGES_MAX);
	if (json_want_str(manifest, "digest", true, &digest, err) == -1)
		return -1;
	n = snprintf(im->manifest, sizeof(im->manifest), "%s", digest);
	if (n < 0 || (size_t)n >= sizeof(im->manifest))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "index.json: a digest is too long");
	n = snprintf(im->reference, sizeof(im->reference), "%s",
	    layout_reference(manifest));
	if (n < 0 || (size_t)n >= sizeof(im->reference))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "index.json: a name is too long");
	l->nimages++;
	return 0;
}

static int
layout_index(struct layout *l, struct cerr *err)
{
	json_t *root = layout_json(l, "index.json", err), *list;
	int rc;

	if (root == NULL)
		return -1;
	rc = json_want(root, "manifests", JSON_ARRAY, true, &list, err);
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
		rc = layout_index_image(l, json_array_get(list, i), err);
	json_decref(root);
	return rc;
}

int
layout_choose(struct layout *l, struct cerr *err)
{
	int rc;

	json_init();
	if (layout_find(l, "index.json") != NULL)
		rc = layout_index(l, err);
	else if (layout_find(l, "manifest.json") != NULL)
		rc = layout_docker(l, err);
	else
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "neither index.json (an OCI layout) nor manifest.json "
		    "(of docker save) is in there");
	if (rc == 0 && l->nimages == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "it holds no image");
	return rc;
}
