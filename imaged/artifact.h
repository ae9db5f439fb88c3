#ifndef CRIOD_IMAGED_ARTIFACT_H
#define CRIOD_IMAGED_ARTIFACT_H

/*
 * Files of OCI artifacts.  A blob that is no tar becomes a layer as if it had
 * been in one: a header, its bytes, and what ends a tar.  imaged hashes that
 * tar while the blob comes, so that it has a diff_id like any other; unpack
 * makes the same around the same blob.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARTIFACT_NAME_SIZE 256
#define ARTIFACT_HEAD_MAX  1536

/*
 * Relative, without empty components, ".", "..", what would be a whiteout,
 * and characters that no terminal should see.
 */
bool artifact_name_valid(const char *name);

/* The bytes before those of the file, their count returned. */
size_t artifact_head(const char *name, uint64_t size,
    uint8_t buf[ARTIFACT_HEAD_MAX]);
/* How many zero bytes follow it; at most ARTIFACT_HEAD_MAX. */
size_t artifact_tail(uint64_t size);

#endif
