#ifndef CRIOD_CRIODCTL_HASH_H
#define CRIOD_CRIODCTL_HASH_H

#include <stddef.h>

#include "lib/cerr.h"

#define HASH_SIZE 72 /* "sha256:HEX" and NUL */

/* Of a file, from its start. */
int hash_fd(int fd, char out[HASH_SIZE], struct cerr *err)
    __attribute__((warn_unused_result));
void hash_buf(const void *buf, size_t len, char out[HASH_SIZE]);

#endif
