#include <stdio.h>
#include <string.h>

#include "lib/json.h"

#include "imaged/sigmanifest.h"

#define SIGMANIFEST_TYPE "application/vnd.dev.cosign.simplesigning.v1+json"

const char *const sigmanifest_accept =
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

static const struct {
	const char *name;
	enum sig_part part;
} sigmanifest_parts[] = {
	{ "dev.cosignproject.cosign/signature", SIG_SIGNATURE },
	{ "dev.sigstore.cosign/certificate", SIG_CERTIFICATE },
	{ "dev.sigstore.cosign/chain", SIG_CHAIN },
	{ "dev.sigstore.cosign/bundle", SIG_BUNDLE },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void
sigmanifest_tag(const char *digest, char tag[SIGMANIFEST_TAG_SIZE])
{
	(void)snprintf(tag, SIGMANIFEST_TAG_SIZE, "sha256-%s.sig",
	    digest + DIGEST_PREFIX_LEN);
}

static int
sigmanifest_annotations(const json_t *obj, struct sigset *set, struct sig *sig,
    struct cerr *err)
{
	for (size_t i = 0; i < COUNT(sigmanifest_parts); i++) {
		const json_t *v =
		    json_object_get(obj, sigmanifest_parts[i].name);

		if (v == NULL)
			continue;
		if (!json_is_string(v))
			return cerr_set(err, CERR_DATA_LOSS,
			    "an annotation of a signature is not text");
		if (json_string_length(v) > 0 &&
		    sigset_put(set, sig, sigmanifest_parts[i].part,
			json_string_value(v), json_string_length(v), err) == -1)
			return -1;
	}
	return 0;
}

static int
sigmanifest_layer(const json_t *layer, const char *digest, struct sigset *set,
    struct sigmanifest *m, struct cerr *err)
{
	struct sigmanifest_blob *b = &m->blobs[m->n];
	const char *type, *blob;
	uint64_t size;
	struct sig *sig;

	if (json_want_str(layer, "mediaType", true, &type, err) == -1)
		return -1;
	if (strcmp(type, SIGMANIFEST_TYPE) != 0)
		return 0;
	if (json_want_str(layer, "digest", true, &blob, err) == -1 ||
	    json_want_size(layer, "size", true, &size, err) == -1)
		return -1;
	if (!digest_is_sha256(blob) || size > SIGSET_PART_MAX)
		return cerr_set(err, CERR_DATA_LOSS,
		    "a signature without a sha256 digest, or over %u bytes",
		    SIGSET_PART_MAX);
	sig = sigset_add(set, SIG_SIGSTORE, digest, err);
	if (sig == NULL ||
	    sigmanifest_annotations(json_object_get(layer, "annotations"), set,
		sig, err) == -1)
		return -1;
	(void)snprintf(b->digest, sizeof(b->digest), "%s", blob);
	b->size = (size_t)size;
	b->sig = set->n - 1;
	m->n++;
	return 0;
}

static int
sigmanifest_layers(const json_t *doc, const char *digest, struct sigset *set,
    struct sigmanifest *m, struct cerr *err)
{
	json_t *layers, *one;
	size_t i;

	if (json_want(doc, "layers", JSON_ARRAY, true, &layers, err) == -1)
		return -1;
	json_array_foreach(layers, i, one) {
		if (sigmanifest_layer(one, digest, set, m, err) == -1)
			return -1;
	}
	return 0;
}

int
sigmanifest_parse(const void *buf, size_t len, const char *digest,
    struct sigset *set, struct sigmanifest *m, struct cerr *err)
{
	json_t *doc = json_read_bounded("a manifest of signatures", buf, len,
	    SIGMANIFEST_MAX, err);
	int rc;

	m->n = 0;
	if (doc == NULL)
		return -1;
	rc = sigmanifest_layers(doc, digest, set, m, err);
	json_decref(doc);
	return rc;
}
