#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/json.h"

#include "imaged/manifest.h"

#define MANIFEST_DOCKER "application/vnd.docker."
#define MANIFEST_OCI	"application/vnd.oci.image."
#define MANIFEST_DIFF	MANIFEST_DOCKER "image.rootfs."
#define MANIFEST_LOCAL	MANIFEST_OCI "layer.nondistributable."

/* clang-format off */
const char *const manifest_accept =
    MANIFEST_OCI "manifest.v1+json, "
    MANIFEST_OCI "index.v1+json, "
    MANIFEST_DOCKER "distribution.manifest.v2+json, "
    MANIFEST_DOCKER "distribution.manifest.list.v2+json";
/* clang-format on */

#define MANIFEST_SCHEMA1 0

/* Media types of documents. */
static const struct {
	const char *type;
	int kind;
} manifest_types[] = {
	{ MANIFEST_OCI "manifest.v1+json", MANIFEST_IMAGE },
	{ MANIFEST_OCI "index.v1+json", MANIFEST_INDEX },
	{ MANIFEST_DOCKER "distribution.manifest.v2+json", MANIFEST_IMAGE },
	{ MANIFEST_DOCKER "distribution.manifest.list.v2+json",
	    MANIFEST_INDEX },
	{ MANIFEST_DOCKER "distribution.manifest.v1+json", MANIFEST_SCHEMA1 },
	{ MANIFEST_DOCKER "distribution.manifest.v1+prettyjws",
	    MANIFEST_SCHEMA1 },
};

static const struct {
	const char *type;
	enum manifest_compression compression;
	bool foreign;
} manifest_layer_types[] = {
	{ MANIFEST_OCI "layer.v1.tar", MANIFEST_PLAIN, false },
	{ MANIFEST_OCI "layer.v1.tar+gzip", MANIFEST_GZIP, false },
	{ MANIFEST_OCI "layer.v1.tar+zstd", MANIFEST_ZSTD, false },
	{ MANIFEST_DIFF "diff.tar", MANIFEST_PLAIN, false },
	{ MANIFEST_DIFF "diff.tar.gzip", MANIFEST_GZIP, false },
	{ MANIFEST_DIFF "diff.tar.zstd", MANIFEST_ZSTD, false },
	{ MANIFEST_DIFF "foreign.diff.tar", MANIFEST_PLAIN, true },
	{ MANIFEST_DIFF "foreign.diff.tar.gzip", MANIFEST_GZIP, true },
	{ MANIFEST_LOCAL "v1.tar", MANIFEST_PLAIN, true },
	{ MANIFEST_LOCAL "v1.tar+gzip", MANIFEST_GZIP, true },
	{ MANIFEST_LOCAL "v1.tar+zstd", MANIFEST_ZSTD, true },
};

static const char *const manifest_config_types[] = {
	MANIFEST_OCI "config.v1+json",
	MANIFEST_DOCKER "container.image.v1+json",
};

static const char *const manifest_v_none[] = { "", NULL };
/* The best first: a machine of level n begins at 4 - n. */
static const char *const manifest_v_amd64[] = { "v4", "v3", "v2", "", "v1",
	NULL };
static const char *const manifest_v_arm64[] = { "v8", "", NULL };
static const char *const manifest_v_arm7[] = { "v7", "v6", "v5", "", NULL };
static const char *const manifest_v_arm6[] = { "v6", "v5", "", NULL };

static const struct {
	const char *machine;
	struct manifest_platform platform;
} manifest_machines[] = {
	{ "x86_64", { "amd64", manifest_v_amd64 + 3 } },
	{ "x86_64-v2", { "amd64", manifest_v_amd64 + 2 } },
	{ "x86_64-v3", { "amd64", manifest_v_amd64 + 1 } },
	{ "x86_64-v4", { "amd64", manifest_v_amd64 } },
	{ "aarch64", { "arm64", manifest_v_arm64 } },
	{ "armv8l", { "arm", manifest_v_arm7 } },
	{ "armv7l", { "arm", manifest_v_arm7 } },
	{ "armv6l", { "arm", manifest_v_arm6 } },
	{ "i686", { "386", manifest_v_none } },
	{ "ppc64le", { "ppc64le", manifest_v_none } },
	{ "s390x", { "s390x", manifest_v_none } },
	{ "riscv64", { "riscv64", manifest_v_none } },
	{ "loongarch64", { "loong64", manifest_v_none } },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *
manifest_machine(const char *uname)
{
#ifdef __x86_64__
	if (strcmp(uname, "x86_64") != 0 || !__builtin_cpu_supports("sse4.2") ||
	    !__builtin_cpu_supports("popcnt"))
		return uname;
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
	    !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma"))
		return "x86_64-v2";
	if (!__builtin_cpu_supports("avx512f") ||
	    !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512cd") ||
	    !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512vl"))
		return "x86_64-v3";
	return "x86_64-v4";
#else
	return uname;
#endif
}

const struct manifest_platform *
manifest_platform_of(const char *machine)
{
	for (size_t i = 0; i < COUNT(manifest_machines); i++) {
		if (strcmp(manifest_machines[i].machine, machine) == 0)
			return &manifest_machines[i].platform;
	}
	return NULL;
}

static int
manifest_bad(struct cerr *err, const char *why)
{
	return cerr_set(err, CERR_DATA_LOSS, "manifest: %s", why);
}

/* What lib/json found wrong is the registry's fault, not the caller's. */
static int
manifest_bad_json(struct cerr *err, const char *what)
{
	char text[CERR_TEXT_MAX / 2];

	(void)snprintf(text, sizeof(text), "%.500s", err->text);
	return cerr_set(err, CERR_DATA_LOSS, "%s: %s", what, text);
}

/* Media types reach error texts and comparisons: printable, no spaces. */
static bool
manifest_type_valid(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '"')
			return false;
	}
	return n > 0 && n < MANIFEST_TYPE_SIZE;
}

static int
manifest_desc_parse(const json_t *obj, struct manifest_desc *d,
    struct cerr *err)
{
	const char *type, *digest;

	if (json_want_str(obj, "mediaType", true, &type, err) == -1 ||
	    json_want_str(obj, "digest", true, &digest, err) == -1 ||
	    json_want_size(obj, "size", true, &d->size, err) == -1)
		return manifest_bad_json(err, "manifest");
	if (!manifest_type_valid(type))
		return manifest_bad(err, "a media type is not valid");
	if (!digest_valid(digest))
		return manifest_bad(err, digest_problem(digest));
	if (d->size > MANIFEST_BLOB_MAX)
		return manifest_bad(err, "a size is out of range");
	(void)snprintf(d->type, sizeof(d->type), "%s", type);
	(void)snprintf(d->digest, sizeof(d->digest), "%s", digest);
	return 0;
}

/* One of what is never empty. */
static int
manifest_full_parse(const json_t *obj, struct manifest_desc *d,
    struct cerr *err)
{
	if (manifest_desc_parse(obj, d, err) == -1)
		return -1;
	return d->size > 0 ? 0 : manifest_bad(err, "a size is out of range");
}

static int
manifest_layer_parse(const json_t *obj, struct manifest_desc *d,
    struct cerr *err)
{
	if (manifest_full_parse(obj, d, err) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(manifest_layer_types); i++) {
		if (strcmp(manifest_layer_types[i].type, d->type) != 0)
			continue;
		d->compression = manifest_layer_types[i].compression;
		d->foreign = manifest_layer_types[i].foreign;
		return 0;
	}
	return cerr_set(err, CERR_FAILED_PRECONDITION,
	    "layers of type %s are not supported", d->type);
}

static int
manifest_config_desc(const json_t *doc, struct manifest_desc *d,
    struct cerr *err)
{
	json_t *config;

	if (json_want(doc, "config", JSON_OBJECT, true, &config, err) == -1)
		return manifest_bad_json(err, "manifest");
	if (manifest_full_parse(config, d, err) == -1)
		return -1;
	if (d->size > MANIFEST_CONFIG_MAX)
		return manifest_bad(err, "the image's configuration is over "
					 "4 MiB");
	return 0;
}

/* ---- artifacts ---- */

/* By its configuration's type, or because it says so itself. */
static int
manifest_is_artifact(const json_t *doc, const struct manifest_desc *config,
    bool *is, struct cerr *err)
{
	const char *type;

	if (json_want_str(doc, "artifactType", false, &type, err) == -1)
		return manifest_bad_json(err, "manifest");
	*is = true;
	if (type[0] != '\0')
		return 0;
	for (size_t i = 0; i < COUNT(manifest_config_types); i++) {
		if (strcmp(manifest_config_types[i], config->type) == 0)
			*is = false;
	}
	return 0;
}

/* "" if it has none, and is no file. */
static int
manifest_file_name(const json_t *layer, const char **name, struct cerr *err)
{
	static const char *const keys[] = { "org.opencontainers.image.title",
		"org.cncf.model.filepath", "org.cnai.model.filepath" };
	json_t *notes;

	*name = "";
	if (json_want(layer, "annotations", JSON_OBJECT, false, &notes, err) ==
	    -1)
		return manifest_bad_json(err, "manifest");
	for (size_t i = 0; notes != NULL && i < COUNT(keys); i++) {
		if (**name == '\0' &&
		    json_want_str(notes, keys[i], false, name, err) == -1)
			return manifest_bad_json(err, "manifest");
	}
	return 0;
}

static bool
manifest_has_file(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->nlayers; i++) {
		if (strcmp(m->layers[i].name, name) == 0)
			return true;
	}
	return false;
}

static int
manifest_file(const json_t *layer, struct manifest *m, struct cerr *err)
{
	struct manifest_desc *d = &m->layers[m->nlayers];
	const char *name;

	if (manifest_desc_parse(layer, d, err) == -1 ||
	    manifest_file_name(layer, &name, err) == -1)
		return -1;
	if (*name == '\0')
		return 0;
	if (!artifact_name_valid(name))
		return manifest_bad(err, "a file's title is not a path below "
					 "the artifact");
	if (manifest_has_file(m, name))
		return manifest_bad(err, "two files of one title");
	(void)snprintf(d->name, sizeof(d->name), "%s", name);
	d->compression = MANIFEST_FILE;
	m->nlayers++;
	return 0;
}

static int
manifest_artifact(const json_t *layers, struct manifest *m, struct cerr *err)
{
	json_t *layer;
	size_t i;

	m->kind = MANIFEST_ARTIFACT;
	json_array_foreach(layers, i, layer) {
		if (manifest_file(layer, m, err) == -1)
			return -1;
	}
	if (m->nlayers == 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "an artifact without files: no layer has a title "
		    "(its configuration is %s)",
		    m->config.type);
	return 0;
}

/* ---- images ---- */

static int
manifest_image(const json_t *doc, struct manifest *m, struct cerr *err)
{
	json_t *layers, *layer;
	bool artifact = false;
	size_t i;

	if (manifest_config_desc(doc, &m->config, err) == -1 ||
	    manifest_is_artifact(doc, &m->config, &artifact, err) == -1)
		return -1;
	if (json_want(doc, "layers", JSON_ARRAY, true, &layers, err) == -1)
		return manifest_bad_json(err, "manifest");
	if (json_array_size(layers) > MANIFEST_LAYERS_MAX)
		return manifest_bad(err, "more than 127 layers");
	if (artifact)
		return manifest_artifact(layers, m, err);
	json_array_foreach(layers, i, layer) {
		if (manifest_layer_parse(layer, &m->layers[i], err) == -1)
			return -1;
	}
	m->nlayers = json_array_size(layers);
	return m->nlayers > 0 ? 0 : manifest_bad(err, "no layers");
}

static int
manifest_kind_of(const char *type)
{
	for (size_t i = 0; i < COUNT(manifest_types); i++) {
		if (strcmp(manifest_types[i].type, type) == 0)
			return manifest_types[i].kind;
	}
	return -1;
}

/* What ranks in the platform's list of variants; -1: not for us. */
static int
manifest_variant_rank(const struct manifest_platform *p, const char *variant)
{
	for (int i = 0; p->variants[i] != NULL; i++) {
		if (strcmp(p->variants[i], variant) == 0)
			return i;
	}
	return -1;
}

#define MANIFEST_RANK_UNSAID 100 /* an entry that names no platform */

/* Lower is better; -1: not for us; -2: malformed. */
static int
manifest_entry_rank(const json_t *entry, const struct manifest_platform *p,
    struct cerr *err)
{
	const char *os, *arch, *variant, *type;
	json_t *platform;

	if (json_want_str(entry, "mediaType", true, &type, err) == -1 ||
	    json_want(entry, "platform", JSON_OBJECT, false, &platform, err) ==
		-1)
		return -2;
	if (manifest_kind_of(type) == -1)
		return -1; /* an artifact beside the images */
	if (platform == NULL)
		return MANIFEST_RANK_UNSAID;
	if (json_want_str(platform, "os", true, &os, err) == -1 ||
	    json_want_str(platform, "architecture", true, &arch, err) == -1 ||
	    json_want_str(platform, "variant", false, &variant, err) == -1)
		return -2;
	if (strcmp(os, "linux") != 0 || strcmp(arch, p->arch) != 0)
		return -1;
	return manifest_variant_rank(p, variant);
}

static int
manifest_index(const json_t *doc, const struct manifest_platform *p,
    struct manifest *m, struct cerr *err)
{
	json_t *list, *entry;
	const json_t *best = NULL;
	int best_rank = 0;
	size_t i;

	if (json_want(doc, "manifests", JSON_ARRAY, true, &list, err) == -1)
		return manifest_bad_json(err, "index");
	if (json_array_size(list) > MANIFEST_ENTRIES_MAX)
		return manifest_bad(err, "too many entries in the index");
	json_array_foreach(list, i, entry) {
		int rank = manifest_entry_rank(entry, p, err);

		if (rank == -2)
			return manifest_bad_json(err, "index");
		if (rank >= 0 && (best == NULL || rank < best_rank)) {
			best = entry;
			best_rank = rank;
		}
	}
	if (best == NULL)
		return cerr_set(err, CERR_NOT_FOUND,
		    "the image has nothing for platform linux/%s", p->arch);
	return manifest_full_parse(best, &m->chosen, err);
}

/* "type; charset=..." to "type", in lower case; "" if absent or absurd. */
static void
manifest_bare_type(const char *content_type, char out[MANIFEST_TYPE_SIZE])
{
	size_t n = content_type == NULL ? 0 : strcspn(content_type, "; \t");

	if (n >= MANIFEST_TYPE_SIZE)
		n = 0;
	for (size_t i = 0; i < n; i++)
		out[i] = content_type[i] >= 'A' && content_type[i] <= 'Z'
			     ? (char)(content_type[i] + ('a' - 'A'))
			     : content_type[i];
	out[n] = '\0';
}

/* The kind that the structure shows; 0 if none or two. */
static int
manifest_shape(const json_t *doc)
{
	bool image = json_object_get(doc, "layers") != NULL ||
		     json_object_get(doc, "config") != NULL;
	bool index = json_object_get(doc, "manifests") != NULL;

	if (image == index || json_object_get(doc, "fsLayers") != NULL)
		return 0;
	return image ? MANIFEST_IMAGE : MANIFEST_INDEX;
}

static int
manifest_schema1(struct cerr *err)
{
	return cerr_set(err, CERR_FAILED_PRECONDITION,
	    "Docker schema 1 manifests are not supported: push the image "
	    "again with a newer tool");
}

/* Whether a stated type, if it is one of a document, fits kind. */
static int
manifest_type_fits(const char *type, int kind, const char *whose,
    struct cerr *err)
{
	int stated = manifest_kind_of(type);

	if (stated == MANIFEST_SCHEMA1)
		return manifest_schema1(err);
	if (stated != kind)
		return cerr_set(err, CERR_DATA_LOSS,
		    "manifest: its structure is not of the type that its %s "
		    "says",
		    whose);
	return 0;
}

/*
 * The document's own mediaType binds; a Content-Type that is one of a manifest
 * must be equal to it; a general one (application/json) will do only if the
 * document or a descriptor names its type.
 */
static int
manifest_types_agree(const char *own, const char *header, const char *expected,
    int kind, struct cerr *err)
{
	bool header_says = manifest_kind_of(header) != -1;

	if (own[0] != '\0' &&
	    manifest_type_fits(own, kind, "mediaType", err) == -1)
		return -1;
	if (header_says &&
	    manifest_type_fits(header, kind, "Content-Type", err) == -1)
		return -1;
	if (expected != NULL &&
	    manifest_type_fits(expected, kind, "descriptor", err) == -1)
		return -1;
	if (own[0] != '\0' && header_says && strcmp(own, header) != 0)
		return manifest_bad(err, "mediaType and Content-Type differ");
	if (own[0] != '\0' && expected != NULL && strcmp(own, expected) != 0)
		return manifest_bad(err, "mediaType and descriptor differ");
	if (header_says && expected != NULL && strcmp(header, expected) != 0)
		return manifest_bad(err, "Content-Type and descriptor differ");
	return 0;
}

static int
manifest_parse_doc(const json_t *doc, const char *content_type,
    const char *expected, const struct manifest_platform *platform,
    struct manifest *m, struct cerr *err)
{
	char header[MANIFEST_TYPE_SIZE];
	const char *own;
	uint64_t schema;
	int kind;

	manifest_bare_type(content_type, header);
	if (json_want_size(doc, "schemaVersion", true, &schema, err) == -1 ||
	    json_want_str(doc, "mediaType", false, &own, err) == -1)
		return manifest_bad_json(err, "manifest");
	if (schema == 1)
		return manifest_schema1(err);
	kind = manifest_shape(doc);
	if (schema != 2 || kind == 0)
		return manifest_bad(err,
		    "neither an image manifest nor an index, or both");
	if (manifest_types_agree(own, header, expected, kind, err) == -1)
		return -1;
	if (content_type != NULL && expected == NULL && own[0] == '\0' &&
	    manifest_kind_of(header) == -1)
		return manifest_bad(err, "nothing says its media type");
	m->kind = (enum manifest_kind)kind;
	return kind == MANIFEST_IMAGE ? manifest_image(doc, m, err)
				      : manifest_index(doc, platform, m, err);
}

int
manifest_parse(const void *buf, size_t len, const char *content_type,
    const char *expected, const struct manifest_platform *platform,
    struct manifest *m, struct cerr *err)
{
	struct cerr why;
	json_t *doc;
	int rc;

	memset(m, 0, sizeof(*m));
	doc = json_read_bounded("manifest", buf, len, MANIFEST_MAX, &why);
	if (doc == NULL)
		return cerr_set(err, CERR_DATA_LOSS, "%s", why.text);
	rc = manifest_parse_doc(doc, content_type, expected, platform, m, &why);
	json_decref(doc);
	return rc == 0 ? 0 : cerr_set(err, why.code, "%s", why.text);
}

static int
manifest_diff_ids(const json_t *rootfs, struct manifest_config *c,
    struct cerr *err)
{
	json_t *list, *id;
	size_t i;

	if (json_want(rootfs, "diff_ids", JSON_ARRAY, true, &list, err) == -1)
		return -1;
	if (json_array_size(list) > MANIFEST_LAYERS_MAX)
		return cerr_set(err, CERR_DATA_LOSS, "too many diff_ids");
	json_array_foreach(list, i, id) {
		const char *s = json_string_value(id);

		if (s != NULL && digest_valid(s) && !digest_is_sha256(s))
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "diff_ids that are not sha256 are not supported");
		if (s == NULL || !digest_valid(s))
			return cerr_set(err, CERR_DATA_LOSS,
			    "a diff_id is not sha256: and 64 hexadecimal "
			    "digits");
		memcpy(c->diff_ids[i], s + DIGEST_PREFIX_LEN,
		    DIGEST_HEX_LEN + 1);
	}
	c->ndiff_ids = json_array_size(list);
	return 0;
}

static int
manifest_config_doc(const json_t *doc, size_t nlayers,
    struct manifest_config *c, struct cerr *err)
{
	const char *os, *arch, *type;
	json_t *rootfs;

	if (json_want_str(doc, "os", false, &os, err) == -1 ||
	    json_want_str(doc, "architecture", false, &arch, err) == -1 ||
	    json_want(doc, "rootfs", JSON_OBJECT, true, &rootfs, err) == -1 ||
	    json_want_str(rootfs, "type", true, &type, err) == -1)
		return -1;
	if (os[0] != '\0' && strcmp(os, "linux") != 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the image is not for Linux");
	if (strcmp(type, "layers") != 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "its root file system is not made of layers");
	if (strlen(arch) >= sizeof(c->arch))
		return cerr_set(err, CERR_DATA_LOSS, "architecture too long");
	(void)snprintf(c->arch, sizeof(c->arch), "%s", arch);
	if (manifest_diff_ids(rootfs, c, err) == -1)
		return -1;
	if (c->ndiff_ids != nlayers)
		return cerr_set(err, CERR_DATA_LOSS,
		    "it has %zu diff_ids, the manifest %zu layers",
		    c->ndiff_ids, nlayers);
	return 0;
}

int
manifest_config_parse(const void *buf, size_t len, size_t nlayers,
    struct manifest_config *c, struct cerr *err)
{
	struct cerr why;
	json_t *doc;
	int rc;

	memset(c, 0, sizeof(*c));
	doc = json_read_bounded("image configuration", buf, len,
	    MANIFEST_CONFIG_MAX, &why);
	if (doc == NULL)
		return cerr_set(err, CERR_DATA_LOSS, "%s", why.text);
	rc = manifest_config_doc(doc, nlayers, c, &why);
	json_decref(doc);
	if (rc == 0)
		return 0;
	return cerr_set(err,
	    why.code == CERR_INVALID_ARGUMENT ? CERR_DATA_LOSS : why.code,
	    "image configuration: %s", why.text);
}
