#ifndef CRIOD_LIB_RECORD_H
#define CRIOD_LIB_RECORD_H

/*
 * One small state object in one file: "criod", a version, whose it is, the
 * length, a CRC-32 and the bytes.  Written aside and renamed, so that a reader
 * finds the old or the new one, whole.  A record that was moved to where
 * another owner's belongs is damaged.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define RECORD_VERSION 1
#define RECORD_MAX     (4U * 1024 * 1024)
#define RECORD_MAGIC   "criod"
#define RECORD_HEADER  16 /* magic 5, version 1, owner 2, length 4, crc 4 */

/* The parts, for who writes a record in place (lib/record_header.c). */
uint32_t record_crc(const uint8_t *p, size_t len);
void record_header(uint8_t header[RECORD_HEADER], const char *owner,
    const void *buf, size_t len);

/*
 * The two steps of a write, for who syncs between them, perhaps several at
 * once: dirfd/.name.new, whose descriptor is returned; then under its name.
 */
int record_aside(int dirfd, const char *name, const char *owner,
    const void *buf, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));
int record_place(int dirfd, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));
void record_aside_drop(int dirfd, const char *name);

/*
 * dirfd/name; name has no slash.  owner is the id of what it is about.  sync:
 * fsync file and directory too.
 */
int record_write(int dirfd, const char *name, const char *owner,
    const void *buf, size_t len, bool sync, struct cerr *err)
    __attribute__((warn_unused_result));
/*
 * *buf is owned by the caller.  NOT_FOUND if there is none, DATA_LOSS if
 * it is damaged, FAILED_PRECONDITION if of a newer version; others: it could
 * not be read.
 */
int record_read(int dirfd, const char *name, const char *owner, uint8_t **buf,
    size_t *len, struct cerr *err) __attribute__((warn_unused_result));
/*
 * The same of one of a newer version, which may be of use if only its body
 * is new.
 */
int record_read_newer(int dirfd, const char *name, uint8_t **buf, size_t *len,
    struct cerr *err) __attribute__((warn_unused_result));
/* The owner's two bytes; never 0, which is any owner's (older criods'). */
uint16_t record_owner(const char *owner);

/* fn gets each name in the directory. */
int record_each(int dirfd, void (*fn)(void *arg, const char *name), void *arg,
    struct cerr *err) __attribute__((warn_unused_result));
/* Removes what a writer that was killed has left half written. */
int record_clear_aside(int dirfd, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
