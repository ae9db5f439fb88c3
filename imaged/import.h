#ifndef CRIOD_IMAGED_IMPORT_H
#define CRIOD_IMAGED_IMPORT_H

/*
 * Blobs that a client passed as descriptors (IMG_BLOB), for an import that
 * follows.  Nothing is read before it is asked for; what nobody asks for is
 * closed after IMPORT_KEEP_S, or when more than IMPORT_BLOBS_MAX came since.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define IMPORT_BLOBS_MAX 300
#define IMPORT_KEEP_S	 600

struct event_base;
struct import;

struct import *import_new(struct event_base *base); /* never NULL (fatal) */
/* Takes fd; digest must be valid. */
void import_add(struct import *im, const char *digest, int fd);
/* A duplicate of the blob's descriptor; -1 with NOT_FOUND. */
int import_open(struct import *im, const char *digest, struct cerr *err)
    __attribute__((warn_unused_result));
/*
 * All of a blob of at most max bytes; *buf is owned by the caller.  DATA_LOSS
 * if its digest is another.
 */
int import_read(struct import *im, const char *digest, size_t max,
    uint8_t **buf, size_t *len, struct cerr *err)
    __attribute__((warn_unused_result));
void import_drop(struct import *im, const char *digest);

#endif
