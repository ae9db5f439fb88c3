#include <sys/mman.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/json.h"

#include "criodctl/hash.h"
#include "criodctl/layout.h"

/*
 * What "docker save" writes has no manifest: one is made here.  Layers are by
 * their first bytes what they are.
 */
#define DOCKER_CONFIG "application/vnd.oci.image.config.v1+json"
#define DOCKER_LAYER  "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_OCI    "application/vnd.oci.image.manifest.v1+json"

static const struct {
	const char *magic;
	size_t len;
	const char *type;
} docker_layers[] = {
	{ "\x1f\x8b", 2, DOCKER_LAYER "+gzip" },
	{ "\x28\xb5\x2f\xfd", 4, DOCKER_LAYER "+zstd" },
	{ "", 0, DOCKER_LAYER },
};

static const char *
docker_layer_type(int fd)
{
	char head[4] = { 0 };
	size_t i = 0;

	if (pread(fd, head, sizeof(head), 0) == -1)
		return DOCKER_LAYER;
	while (memcmp(head, docker_layers[i].magic, docker_layers[i].len) != 0)
		i++;
	return docker_layers[i].type;
}

/* A file that becomes a blob; its descriptor in the manifest. */
static json_t *
docker_blob(struct layout *l, const json_t *name, const char *type,
    struct cerr *err)
{
	const char *path = json_string_value(name);
	struct layout_file *f = path != NULL ? layout_find(l, path) : NULL;
	struct stat st;

	if (f == NULL || f->fd == -1) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "manifest.json names \"%.200s\", which is not there",
		    path != NULL ? path : "");
		return NULL;
	}
	if (f->digest[0] == '\0' && hash_fd(f->fd, f->digest, err) == -1)
		return NULL;
	if (fstat(f->fd, &st) == -1) {
		(void)cerr_errno(err, "stat");
		return NULL;
	}
	return json_pack("{s:s, s:s, s:I}", "mediaType",
	    type != NULL ? type : docker_layer_type(f->fd), "digest", f->digest,
	    "size", (json_int_t)st.st_size);
}

static int
docker_layers_of(struct layout *l, const json_t *image, json_t *out,
    struct cerr *err)
{
	const json_t *names = json_object_get(image, "Layers"), *name;
	size_t i;

	if (!json_is_array(names))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "manifest.json: an image without Layers");
	json_array_foreach(names, i, name) {
		json_t *blob = docker_blob(l, name, NULL, err);

		if (blob == NULL)
			return -1;
		if (json_array_append_new(out, blob) == -1)
			return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
			    "no memory");
	}
	return 0;
}

static json_t *
docker_manifest(struct layout *l, const json_t *image, struct cerr *err)
{
	json_t *layers = json_array();
	json_t *config = docker_blob(l, json_object_get(image, "Config"),
	    DOCKER_CONFIG, err);

	if (config == NULL || docker_layers_of(l, image, layers, err) == -1) {
		json_decref(config);
		json_decref(layers);
		return NULL;
	}
	return json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2,
	    "mediaType", DOCKER_OCI, "config", config, "layers", layers);
}

/* As a blob of its own. */
static int
docker_add_manifest(struct layout *l, json_t *manifest, char *digest,
    struct cerr *err)
{
	CLEANUP_FREE char *text = json_dumps(manifest, JSON_COMPACT);
	int fd = text == NULL ? -1 : memfd_create("manifest", MFD_CLOEXEC);

	if (fd == -1 || fdio_write_all(fd, text, strlen(text)) == -1) {
		fdio_close(&fd);
		return cerr_errno(err, "manifest");
	}
	if (layout_add(l, "", NULL, fd, err) == -1 ||
	    hash_fd(fd, l->files[l->nfiles - 1].digest, err) == -1)
		return -1;
	memcpy(digest, l->files[l->nfiles - 1].digest, LAYOUT_DIGEST_SIZE);
	return 0;
}

static int
docker_name(struct layout *l, const char *digest, const char *reference,
    struct cerr *err)
{
	struct layout_image *im = &l->images[l->nimages];

	if (l->nimages == LAYOUT_IMAGES_MAX ||
	    strlen(reference) >= sizeof(im->reference))
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "manifest.json: too many images, or too long a name");
	memcpy(im->manifest, digest, sizeof(im->manifest));
	(void)snprintf(im->reference, sizeof(im->reference), "%s", reference);
	l->nimages++;
	return 0;
}

static int
docker_names(struct layout *l, const json_t *image, const char *digest,
    struct cerr *err)
{
	const json_t *tags = json_object_get(image, "RepoTags"), *tag;
	size_t i;

	if (json_array_size(tags) == 0)
		return docker_name(l, digest, "", err);
	json_array_foreach(tags, i, tag) {
		if (!json_is_string(tag))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "manifest.json: a tag that is no string");
		if (docker_name(l, digest, json_string_value(tag), err) == -1)
			return -1;
	}
	return 0;
}

static int
docker_image(struct layout *l, const json_t *image, struct cerr *err)
{
	char digest[LAYOUT_DIGEST_SIZE];
	json_t *manifest = docker_manifest(l, image, err);
	int rc = -1;

	if (manifest == NULL)
		return -1;
	if (docker_add_manifest(l, manifest, digest, err) == 0)
		rc = docker_names(l, image, digest, err);
	json_decref(manifest);
	return rc;
}

int
layout_docker(struct layout *l, struct cerr *err)
{
	json_t *root = layout_json(l, "manifest.json", err);
	int rc = 0;

	if (root == NULL)
		return -1;
	for (size_t i = 0; rc == 0 && i < json_array_size(root); i++)
		rc = docker_image(l, json_array_get(root, i), err);
	json_decref(root);
	return rc;
}
