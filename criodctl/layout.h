#ifndef CRIOD_CRIODCTL_LAYOUT_H
#define CRIOD_CRIODCTL_LAYOUT_H

/*
 * Images in files: an OCI image layout (OCI image-spec, image-layout.md), as a
 * directory or a tar archive of one, or an archive as "docker save" writes it;
 * archives compressed or not.
 *
 * What is in there may be anybody's: archives and documents are read by a
 * child that has no privilege and no connection to criod.
 */

#include <stddef.h>

#include "lib/cerr.h"

#define LAYOUT_FILES_MAX     512
#define LAYOUT_IMAGES_MAX    64
#define LAYOUT_DOC_MAX	     (4U * 1024 * 1024)
#define LAYOUT_REFERENCE_MAX 512
#define LAYOUT_DIGEST_SIZE   136

/* A file of it; digest is what imaged will check. */
struct layout_file {
	char *name; /* as in the archive, without "./" */
	char *link; /* it is another name of that file; else NULL */
	int fd;	    /* open for reading; -1 */
	char digest[LAYOUT_DIGEST_SIZE]; /* "sha256:HEX", or as the
					    layout says; "": no blob */
};

struct layout_image {
	char reference[LAYOUT_REFERENCE_MAX]; /* ""; it has no name */
	char manifest[LAYOUT_DIGEST_SIZE];
};

struct layout {
	struct layout_file files[LAYOUT_FILES_MAX];
	size_t nfiles;
	struct layout_image images[LAYOUT_IMAGES_MAX];
	size_t nimages;
};

/*
 * Only the blobs and the images are known then, no names of files.  *layout is
 * owned by the caller.
 */
int layout_open(const char *path, struct layout **layout, struct cerr *err)
    __attribute__((warn_unused_result));
void layout_free(struct layout *layout);

/* ---- for layout_*.c ---- */

/* Opens or spools all files of a directory or archive; takes fd. */
int layout_read(struct layout *l, int fd, struct cerr *err)
    __attribute__((warn_unused_result));
/* Another file; takes fd, copies the names. */
int layout_add(struct layout *l, const char *name, const char *link, int fd,
    struct cerr *err) __attribute__((warn_unused_result));
/* Follows links; NULL if it is not there. */
struct layout_file *layout_find(struct layout *l, const char *name);
/* Finds the images: index.json or manifest.json. */
int layout_choose(struct layout *l, struct cerr *err)
    __attribute__((warn_unused_result));
/* A document of the layout, as "manifest.json" says; adds what it makes. */
int layout_docker(struct layout *l, struct cerr *err)
    __attribute__((warn_unused_result));
struct json_t;
struct json_t *layout_json(struct layout *l, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
