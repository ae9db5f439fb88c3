#ifndef CRIOD_KEEPER_FILES_H
#define CRIOD_KEEPER_FILES_H

/*
 * The copies: a directory for each kind, a record (lib/record.h) for each
 * id.  What is put is written aside; files_sync makes all of that safe, then
 * gives it its names, so that a power cut leaves the old or the new one.
 */

#include <stddef.h>
#include <stdint.h>

#include "imsg/keep.h"
#include "lib/cerr.h"
#include "lib/id.h"

struct files_aside {
	enum keep_kind kind;
	char id[ID_SIZE];
	int fd;
};

struct files {
	int dirs[KEEP_KINDS];
	bool changed[KEEP_KINDS]; /* the directory is to be synced */
	struct files_aside aside[KEEP_BATCH];
	size_t naside;
};

/* Opens the directories below "/", and removes what was half written. */
int files_open(struct files *f, struct cerr *err)
    __attribute__((warn_unused_result));
/* Nothing is written if the record is there and the same. */
int files_put(struct files *f, enum keep_kind kind, const char *id,
    const uint8_t *data, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));
int files_drop(struct files *f, enum keep_kind kind, const char *id,
    struct cerr *err) __attribute__((warn_unused_result));
/* Removes all but ids, which it sorts, and those of a newer version. */
int files_retain(struct files *f, enum keep_kind kind, char **ids, size_t n,
    struct cerr *err) __attribute__((warn_unused_result));
int files_sync(struct files *f, struct cerr *err)
    __attribute__((warn_unused_result));

struct files_record {
	char id[ID_SIZE];
	uint8_t *data; /* owned; NULL if there is none */
	size_t len;
	bool newer; /* or cannot be read now; else it was damaged */
};
/*
 * Up to n of the records whose ids follow after, in order; returns how many.
 * Stops early at max bytes.  One that is damaged is told of without data, and
 * put aside as ID.bad.
 */
int files_get(struct files *f, enum keep_kind kind, const char *after,
    struct files_record *r, size_t n, size_t max, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
