#ifndef CRIOD_CRIODCTL_LAYOUT_H
#define CRIOD_CRIODCTL_LAYOUT_H

/*
 * An OCI image layout (OCI image-spec, image-layout.md): a directory, or a tar
 * archive of one, compressed or not.
 */

#include <stddef.h>

#include "lib/cerr.h"

#define LAYOUT_BLOBS_MAX 512
#define LAYOUT_INDEX_MAX (4U * 1024 * 1024)

struct layout_blob {
	char digest[72]; /* "sha256:HEX" by its name; criod checks it */
	int fd;		 /* open for reading */
};

struct layout {
	struct layout_blob blobs[LAYOUT_BLOBS_MAX];
	size_t nblobs;
	char *index; /* index.json, NUL-terminated */
	size_t index_len;
	char *reference;   /* the image's name, or NULL */
	char manifest[72]; /* digest of its manifest or index */
};

/* *layout is owned by the caller. */
int layout_open(const char *path, struct layout **layout, struct cerr *err)
    __attribute__((warn_unused_result));
void layout_free(struct layout *layout);

#endif
