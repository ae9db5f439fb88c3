#include <stdio.h>
#include <string.h>

#include "lib/json.h"

#include "imaged/payload.h"
#include "imaged/sigbundle.h"
#include "imaged/sigreferrer.h"
#include "imaged/sigset.h"

/* Some clients say no more of what they attach in a list that they write. */
#define SIGREFERRER_EMPTY "application/vnd.oci.empty.v1+json"

#define SIGREFERRER_PREDICATE "dev.sigstore.bundle.predicateType"

const char *const sigreferrer_accept =
    "application/vnd.oci.image.index.v1+json";

void
sigreferrer_tag(const char *digest, char tag[DIGEST_SIZE])
{
	(void)snprintf(tag, DIGEST_SIZE, "sha256-%s",
	    digest + DIGEST_PREFIX_LEN);
}

static int
sigreferrer_desc(const json_t *obj, size_t max, struct sigreferrer_desc *d,
    struct cerr *err)
{
	const char *digest;
	uint64_t size;

	if (json_want_str(obj, "digest", true, &digest, err) == -1 ||
	    json_want_size(obj, "size", true, &size, err) == -1)
		return -1;
	if (!digest_is_sha256(digest) || size == 0 || size > max)
		return cerr_set(err, CERR_DATA_LOSS,
		    "a referrer without a sha256 digest, or over %zu bytes",
		    max);
	(void)snprintf(d->digest, sizeof(d->digest), "%s", digest);
	d->size = (size_t)size;
	return 0;
}

/* By what the list says of it. */
static bool
sigreferrer_wanted(const json_t *one)
{
	const char *type =
	    json_string_value(json_object_get(one, "artifactType"));
	const char *says = json_string_value(
	    json_object_get(json_object_get(one, "annotations"),
		SIGREFERRER_PREDICATE));

	if (type != NULL && strcmp(type, SIGBUNDLE_TYPE) != 0 &&
	    strcmp(type, SIGREFERRER_EMPTY) != 0)
		return false;
	return says == NULL || strcmp(says, PAYLOAD_PREDICATE) == 0;
}

static int
sigreferrer_add(const json_t *one, struct sigreferrer_list *l, struct cerr *err)
{
	if (!sigreferrer_wanted(one))
		return 0;
	if (l->n == SIGREFERRER_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "the image has more than %d referrers that may be "
		    "signatures",
		    SIGREFERRER_MAX);
	if (sigreferrer_desc(one, SIGREFERRER_DOC_MAX, &l->list[l->n], err) ==
	    -1)
		return -1;
	l->n++;
	return 0;
}

int
sigreferrer_parse(const void *buf, size_t len, struct sigreferrer_list *l,
    struct cerr *err)
{
	json_t *doc = json_read_bounded("a list of referrers", buf, len,
	    SIGREFERRER_LIST_MAX, err);
	json_t *list, *one;
	size_t i;
	int rc;

	l->n = 0;
	if (doc == NULL)
		return -1;
	rc = json_want(doc, "manifests", JSON_ARRAY, false, &list, err);
	json_array_foreach(list, i, one) {
		if (rc == 0)
			rc = sigreferrer_add(one, l, err);
	}
	json_decref(doc);
	return rc;
}

/* ---- one of them ---- */

static bool
sigreferrer_text_is(const json_t *obj, const char *key, const char *want)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s != NULL && strcmp(s, want) == 0;
}

int
sigreferrer_blob(const void *buf, size_t len, const char *digest,
    struct sigreferrer_desc *blob, struct cerr *err)
{
	json_t *doc =
	    json_read_bounded("a referrer", buf, len, SIGREFERRER_DOC_MAX, err);
	const json_t *layers, *layer;
	int rc = 0;

	blob->size = 0;
	if (doc == NULL)
		return -1;
	layers = json_object_get(doc, "layers");
	layer = json_array_get(layers, 0);
	if (json_array_size(layers) == 1 &&
	    sigreferrer_text_is(doc, "artifactType", SIGBUNDLE_TYPE) &&
	    sigreferrer_text_is(layer, "mediaType", SIGBUNDLE_TYPE) &&
	    sigreferrer_text_is(json_object_get(doc, "subject"), "digest",
		digest))
		rc = sigreferrer_desc(layer, SIGSET_PART_MAX, blob, err);
	json_decref(doc);
	return rc;
}
