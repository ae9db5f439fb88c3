#ifndef CRIOD_IMAGED_UNARCHIVE_FDS_H
#define CRIOD_IMAGED_UNARCHIVE_FDS_H

/* What a checkpoint's descriptors.json may be. */

#include <stdbool.h>
#include <stddef.h>

#define UNARCHIVE_FDS_MAX 1024

/* A JSON array of three strings without escapes, and nothing else. */
bool unarchive_fds_valid(const char *text, size_t len);

#endif
