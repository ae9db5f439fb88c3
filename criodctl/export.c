#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/outfile.h"
#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/hash.h"
#include "criodctl/store.h"
#include "lib/fdio.h"
#include "lib/json.h"

/*
 * criod does not keep the blobs that it pulled.  Layers are written as plain
 * tars: the image's id is the same, its manifest and digest are others.
 */
#define EXPORT_OCI	"application/vnd.oci.image."
#define EXPORT_NAME_MAX 96

struct export
{
	struct ctl *ctl;
	struct outfile *out;
	const struct export_format *format;
	json_t *images; /* of index.json or manifest.json */
};

struct export_format {
	const char *name;
	bool directory;
	/* How a blob, "sha256:HEX", is named: before and behind HEX. */
	const char *prefix, *config_suffix, *layer_suffix;
	int (*image)(struct export *x, const Criod__ImgDetail *im,
	    json_t *layers, struct cerr *err);
	int (*end)(struct export *x, struct cerr *err);
};

static void
export_blob_name(const struct export *x, const char *digest, const char *suffix,
    char name[EXPORT_NAME_MAX])
{
	(void)snprintf(name, EXPORT_NAME_MAX, "%s%s%s", x->format->prefix,
	    digest + strlen("sha256:"), suffix);
}

/* ---- layers ---- */

static int
export_read(struct export *x, uint64_t layer, bool size_only, int fd,
    uint64_t *size, struct cerr *err)
{
	Criod__ImgRead req = CRIOD__IMG_READ__INIT;
	Criod__ImgReadDone *done;
	void *answer;

	req.layer = layer;
	req.size_only = size_only;
	if (ctl_begin(x->ctl, MSG_IMG_READ, &req, fd, err) == -1)
		return -1;
	if (size == NULL)
		return 0;
	if (ctl_end(x->ctl, MSG_IMG_READ, &answer, err) == -1)
		return -1;
	done = answer;
	*size = done->size;
	ctl_free_answer(MSG_IMG_READ, answer);
	return 0;
}

/* All that comes, but not more than was said. */
static int
export_copy(struct export *x, int fd, uint64_t size, struct cerr *err)
{
	CLEANUP_FREE char *buf = malloc(256 * 1024);
	ssize_t n = -1;

	while (buf != NULL && (n = read(fd, buf, 256 * 1024)) > 0) {
		if ((uint64_t)n > size)
			return cerr_set(err, CERR_INTERNAL,
			    "a layer is longer than was said");
		if (outfile_write(x->out, buf, (size_t)n, err) == -1)
			return -1;
		size -= (uint64_t)n;
	}
	return n == -1 ? cerr_errno(err, "read a layer") : 0;
}

static int
export_stream(struct export *x, uint64_t layer, uint64_t size, struct cerr *err)
{
	CLEANUP_FD int from = -1;
	struct cerr copied = { .code = CERR_OK };
	void *answer;
	int pipes[2], rc;

	if (pipe2(pipes, O_CLOEXEC) == -1)
		return cerr_errno(err, "pipe");
	from = pipes[0];
	if (export_read(x, layer, false, pipes[1], NULL, err) == -1)
		return -1;
	rc = export_copy(x, from, size, &copied);
	fdio_close(&from); /* or it would wait for ever */
	/* Why there is not all of it is the better answer. */
	if (ctl_end(x->ctl, MSG_IMG_READ, &answer, err) == -1 && rc == 0)
		return -1;
	if (rc == -1)
		*err = copied;
	else
		ctl_free_answer(MSG_IMG_READ, answer);
	return rc;
}

static int
export_layer(struct export *x, const Criod__ImgLayer *l, json_t *layers,
    struct cerr *err)
{
	char name[EXPORT_NAME_MAX];
	uint64_t size;

	export_blob_name(x, l->diff_id, x->format->layer_suffix, name);
	if (export_read(x, l->number, true, -1, &size, err) == -1)
		return -1;
	if (!outfile_has(x->out, name) &&
	    (outfile_begin(x->out, name, size, err) == -1 ||
		export_stream(x, l->number, size, err) == -1))
		return -1;
	return json_array_append_new(layers,
	    json_pack("{s:s, s:s, s:I, s:s}", "mediaType",
		EXPORT_OCI "layer.v1.tar", "digest", l->diff_id, "size",
		(json_int_t)size, "file", name));
}

/* ---- OCI ---- */

static json_t *
export_oci_manifest(const Criod__ImgDetail *im, const json_t *layers)
{
	json_t *list = json_array(), *l;
	size_t i;

	json_array_foreach(layers, i, l) {
		json_t *d = json_copy((json_t *)(uintptr_t)l);

		(void)json_object_del(d, "file");
		(void)json_array_append_new(list, d);
	}
	return json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion",
	    2, "mediaType", EXPORT_OCI "manifest.v1+json", "config",
	    "mediaType", EXPORT_OCI "config.v1+json", "digest", im->id, "size",
	    (json_int_t)im->config.len, "layers", list);
}

static int
export_oci_index(struct export *x, const char *digest, size_t size,
    const char *name)
{
	json_t *d = json_pack("{s:s, s:s, s:I}", "mediaType",
	    EXPORT_OCI "manifest.v1+json", "digest", digest, "size",
	    (json_int_t)size);

	if (name != NULL)
		(void)json_object_set_new(d, "annotations",
		    json_pack("{s:s}", "org.opencontainers.image.ref.name",
			name));
	return json_array_append_new(x->images, d);
}

static int
export_oci_image(struct export *x, const Criod__ImgDetail *im, json_t *layers,
    struct cerr *err)
{
	json_t *m = export_oci_manifest(im, layers);
	CLEANUP_FREE char *text = json_dumps(m, JSON_COMPACT);
	char digest[HASH_SIZE], name[EXPORT_NAME_MAX];

	json_decref(m);
	if (text == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	hash_buf(text, strlen(text), digest);
	export_blob_name(x, digest, "", name);
	if (!outfile_has(x->out, name) &&
	    outfile_file(x->out, name, text, strlen(text), err) == -1)
		return -1;
	if (im->n_tags == 0)
		return export_oci_index(x, digest, strlen(text), NULL);
	for (size_t i = 0; i < im->n_tags; i++)
		(void)export_oci_index(x, digest, strlen(text), im->tags[i]);
	return 0;
}

static int
export_json(struct export *x, const char *name, const json_t *doc,
    struct cerr *err)
{
	CLEANUP_FREE char *text = json_dumps(doc, JSON_COMPACT);

	if (text == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	return outfile_file(x->out, name, text, strlen(text), err);
}

static int
export_oci_end(struct export *x, struct cerr *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2,
	    "mediaType", EXPORT_OCI "index.v1+json", "manifests", x->images);
	int rc =
	    outfile_file(x->out, "oci-layout", layout, sizeof(layout) - 1, err);

	if (rc == 0)
		rc = export_json(x, "index.json", index, err);
	json_decref(index);
	return rc;
}

/* ---- docker ---- */

static int
export_docker_image(struct export *x, const Criod__ImgDetail *im,
    json_t *layers, struct cerr *err)
{
	json_t *files = json_array(), *tags = json_array(), *l;
	char config[EXPORT_NAME_MAX];
	size_t i;

	json_array_foreach(layers, i, l) {
		(void)json_array_append(files, json_object_get(l, "file"));
	}
	for (i = 0; i < im->n_tags; i++)
		(void)json_array_append_new(tags, json_string(im->tags[i]));
	export_blob_name(x, im->id, x->format->config_suffix, config);
	if (json_array_append_new(x->images,
		json_pack("{s:s, s:o, s:o}", "Config", config, "RepoTags", tags,
		    "Layers", files)) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	return 0;
}

static int
export_docker_end(struct export *x, struct cerr *err)
{
	return export_json(x, "manifest.json", x->images, err);
}

static const struct export_format export_formats[] = {
	{ "oci", false, "blobs/sha256/", "", "", export_oci_image,
	    export_oci_end },
	{ "layout", true, "blobs/sha256/", "", "", export_oci_image,
	    export_oci_end },
	{ "docker", false, "", ".json", ".tar", export_docker_image,
	    export_docker_end },
};

/* ---- the command ---- */

static int
export_image(struct export *x, const Criod__ImgDetail *im, struct cerr *err)
{
	json_t *layers = json_array();
	char config[EXPORT_NAME_MAX];
	int rc = 0;

	export_blob_name(x, im->id, x->format->config_suffix, config);
	if (!outfile_has(x->out, config))
		rc = outfile_file(x->out, config, im->config.data,
		    im->config.len, err);
	for (size_t i = 0; rc == 0 && i < im->n_layers; i++)
		rc = export_layer(x, im->layers[i], layers, err);
	if (rc == 0)
		rc = x->format->image(x, im, layers, err);
	json_decref(layers);
	return rc;
}

static int
export_all(struct export *x, char **images, int n, struct cerr *err)
{
	for (int i = 0; i < n; i++) {
		Criod__ImgDetailsAre *d =
		    store_details(x->ctl, images[i], true);
		int rc = export_image(x, d->images[0], err);

		store_details_free(d);
		if (rc == -1)
			return -1;
	}
	return x->format->end(x, err);
}

static const struct export_format *
export_format(const char *name)
{
	for (size_t i = 0; i < sizeof(export_formats) / sizeof(*export_formats);
	     i++) {
		if (strcmp(export_formats[i].name, name) == 0)
			return &export_formats[i];
	}
	return NULL;
}

/*
 * An artifact's manifest stands where an image's configuration does, and its
 * own configuration is not kept: what would be written is not the artifact.
 */
static void
export_refuse_artifact(struct ctl *ctl, const char *image)
{
	Criod__ImgDetailsAre *d = store_details(ctl, image, true);
	struct cerr err;
	json_t *config = json_read_bounded("config", d->images[0]->config.data,
	    d->images[0]->config.len, d->images[0]->config.len + 1, &err);

	if (config == NULL)
		errx(1, "export %s: %s", image, err.text);
	if (json_object_get(config, "rootfs") == NULL)
		errx(1, "export %s: it is an artifact, not an image", image);
	json_decref(config);
	store_details_free(d);
}

int
image_export_main(struct ctl *ctl, int argc, char **argv)
{
	struct export x = { .ctl = ctl, .format = &export_formats[0] };
	struct cerr err;
	int c;

	while ((c = getopt(argc, argv, "f:")) != -1) {
		x.format = c == 'f' ? export_format(optarg) : NULL;
		if (x.format == NULL)
			return 2;
	}
	if (argc - optind < 2)
		return 2;
	json_init();
	/* Before a file is made that would have to go again. */
	for (int i = optind + 1; i < argc; i++)
		export_refuse_artifact(ctl, argv[i]);
	x.images = json_array();
	x.out = outfile_new(argv[optind], x.format->directory, &err);
	if (x.out == NULL)
		errx(1, "%s", err.text);
	if (export_all(&x, argv + optind + 1, argc - optind - 1, &err) == -1) {
		outfile_undo(x.out);
		errx(1, "export: %s", err.text);
	}
	if (outfile_end(x.out, &err) == -1)
		errx(1, "export: %s", err.text);
	json_decref(x.images);
	return 0;
}
