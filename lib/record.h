#ifndef CRIOD_LIB_RECORD_H
#define CRIOD_LIB_RECORD_H

/*
 * One small state object in one file: "criod", a version, the length, a CRC-32
 * and the bytes.  Written aside and renamed, so that a reader finds the old
 * or the new one, whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define RECORD_VERSION 1
#define RECORD_MAX     (4U * 1024 * 1024)
#define RECORD_MAGIC   "criod"
#define RECORD_HEADER  16 /* magic 5, version 1, zero 2, length 4, crc 4 */

/* The parts, for who writes a record in place (lib/record_header.c). */
uint32_t record_crc(const uint8_t *p, size_t len);
void record_header(uint8_t header[RECORD_HEADER], const void *buf, size_t len);

/* dirfd/name; name has no slash.  sync: fsync file and directory too. */
int record_write(int dirfd, const char *name, const void *buf, size_t len,
    bool sync, struct cerr *err) __attribute__((warn_unused_result));
/*
 * *buf is owned by the caller.  NOT_FOUND if there is none, DATA_LOSS if
 * it is damaged, FAILED_PRECONDITION if of a newer version.
 */
int record_read(int dirfd, const char *name, uint8_t **buf, size_t *len,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
