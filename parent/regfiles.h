#ifndef CRIOD_PARENT_REGFILES_H
#define CRIOD_PARENT_REGFILES_H

/*
 * Files that say how registries are reached, as bytes for imaged: nothing of
 * them is understood here.
 */

#include "lib/cerr.h"

#define REGFILES_FILE_MAX  (1024U * 1024) /* bytes of one */
#define REGFILES_TOTAL_MAX (3U * 1024 * 1024)
#define REGFILES_MAX	   4096 /* files */

struct Criod__BootImaged;
struct conf;

/* b's files; b is freed by the caller in any case. */
int regfiles_read(struct Criod__BootImaged *b, const struct conf *c,
    struct cerr *err) __attribute__((warn_unused_result));

/* Whether that would do. */
int regfiles_check(const struct conf *c, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * The file of credentials that was left for a namespace and an image (the
 * sha256 of its name, in hexadecimal), which is removed; without a namespace
 * the one that the configuration names.  A descriptor in *fd, or -1 if there is
 * none.
 */
int regfiles_take(const struct conf *c, const char *namespace,
    const char *digest, int *fd, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
