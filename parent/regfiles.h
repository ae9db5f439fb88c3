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
struct Criod__RegistryFiles;
struct conf;
struct plan_facts;

/*
 * b's files, registries.conf and its drop-ins; b is freed by the caller in any
 * case.
 */
int regfiles_read(struct Criod__BootImaged *b, const struct conf *c,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * Directories of hosts, and files that those may name, as they are now; f is
 * freed by the caller in any case.
 */
int regfiles_now(struct Criod__RegistryFiles *f, const struct conf *c,
    struct cerr *err) __attribute__((warn_unused_result));

/* Whether b and those make sense to who will read them; INVALID_ARGUMENT. */
int regfiles_understood(const struct Criod__BootImaged *b,
    const struct plan_facts *f, struct cerr *err)
    __attribute__((warn_unused_result));

/* Whether all of them may be read. */
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
