#ifndef CRIOD_CRIODCTL_OUTFILE_H
#define CRIOD_CRIODCTL_OUTFILE_H

/*
 * Where an export goes: a directory, or a tar archive that appears under its
 * name when it is complete ("-": standard output).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

struct outfile;

/* A directory must not be there yet.  NULL with err. */
struct outfile *outfile_new(const char *path, bool directory, struct cerr *err)
    __attribute__((warn_unused_result));
/* A file of size bytes; all of them must follow. */
int outfile_begin(struct outfile *a, const char *name, uint64_t size,
    struct cerr *err) __attribute__((warn_unused_result));
int outfile_write(struct outfile *a, const void *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));
int outfile_file(struct outfile *a, const char *name, const void *buf,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));
/* Whether a file of that name was written. */
bool outfile_has(const struct outfile *a, const char *name);
/* Complete; a is gone. */
int outfile_end(struct outfile *a, struct cerr *err)
    __attribute__((warn_unused_result));
/* Nothing stays; a is gone. */
void outfile_undo(struct outfile *a);

#endif
