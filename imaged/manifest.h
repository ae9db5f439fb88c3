#ifndef CRIOD_IMAGED_MANIFEST_H
#define CRIOD_IMAGED_MANIFEST_H

/*
 * Manifests, indexes and image configurations: Docker schema 2 and OCI.
 * What a document is follows from its structure; its mediaType member, the
 * registry's Content-Type and the descriptor that led to it must all agree.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/artifact.h"
#include "imaged/digest.h"
#include "lib/cerr.h"

#define MANIFEST_MAX	     (4U * 1024 * 1024)
#define MANIFEST_CONFIG_MAX  (4U * 1024 * 1024) /* what the store takes */
#define MANIFEST_LAYERS_MAX  127
#define MANIFEST_BLOB_MAX    (INT64_C(1) << 40)
#define MANIFEST_DEPTH_MAX   4 /* indexes in indexes */
#define MANIFEST_TYPE_SIZE   128
#define MANIFEST_ENTRIES_MAX 4096 /* of an index */

/* For the Accept header. */
extern const char *const manifest_accept;

enum manifest_kind {
	MANIFEST_IMAGE = 1,
	MANIFEST_INDEX,
	MANIFEST_ARTIFACT, /* its layers are files */
};

enum manifest_compression {
	MANIFEST_PLAIN = 0,
	MANIFEST_GZIP = 1,
	MANIFEST_ZSTD = 2,
	MANIFEST_FILE = 3,
};

struct manifest_desc {
	char type[MANIFEST_TYPE_SIZE];
	char digest[DIGEST_SIZE];
	uint64_t size;
	enum manifest_compression compression; /* layers only */
	bool foreign; /* likewise: not in the registry; imaged/foreign.h */
	char name[ARTIFACT_NAME_SIZE]; /* MANIFEST_FILE */
};

struct manifest {
	enum manifest_kind kind;
	struct manifest_desc config; /* of an image */
	struct manifest_desc layers[MANIFEST_LAYERS_MAX];
	size_t nlayers;
	struct manifest_desc chosen; /* of an index: for this platform */
};

/* What images are chosen for. */
struct manifest_platform {
	const char *arch;	     /* Go's name: "amd64" */
	const char *const *variants; /* best first, "" last; NULL ends */
};

/* uname -m, with the level of an amd64 processor: "x86_64-v3". */
const char *manifest_machine(const char *uname);
/* Of such a machine; NULL if it is not known. */
const struct manifest_platform *manifest_platform_of(const char *machine);

/*
 * content_type is the registry's ("" if it gave none), NULL for a document
 * that a client passed; expected is the descriptor's media type or NULL.
 * NOT_FOUND if an index has nothing for the platform,
 * FAILED_PRECONDITION for what is not supported, DATA_LOSS for what is wrong.
 */
int manifest_parse(const void *buf, size_t len, const char *content_type,
    const char *expected, const struct manifest_platform *platform,
    struct manifest *m, struct cerr *err) __attribute__((warn_unused_result));

struct manifest_config {
	char arch[64];
	char diff_ids[MANIFEST_LAYERS_MAX][DIGEST_HEX_LEN + 1];
	size_t ndiff_ids;
};

/* nlayers is the manifest's count, which the config must repeat. */
int manifest_config_parse(const void *buf, size_t len, size_t nlayers,
    struct manifest_config *c, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
