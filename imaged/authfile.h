#ifndef CRIOD_IMAGED_AUTHFILE_H
#define CRIOD_IMAGED_AUTHFILE_H

/*
 * Files of credentials as container tools write them (auth.json, Docker's
 * config.json): which go to which registry, namespace or repository.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"

#define AUTHFILE_MAX	 (1024U * 1024) /* bytes */
#define AUTHFILE_ENTRIES 4096U

struct auth_creds;
struct authfile;

/*
 * NULL with err, "NAME: what is wrong" without any of its secrets,
 * INVALID_ARGUMENT.
 */
struct authfile *authfile_parse(const char *name, const void *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));
void authfile_free(struct authfile *f); /* wipes; NULL is fine */

/* Whether it names programs that would be asked; they never are. */
bool authfile_helpers(const struct authfile *f);

/*
 * Those of the longest key that NAME, HOST[:PORT]/REPOSITORY, begins with;
 * borrowed.  NULL if there are none; f may be NULL.
 */
struct auth_creds *authfile_find(const struct authfile *f, const char *name);
/* The same for the same credentials in the same places: "" for NULL. */
const char *authfile_key(const struct authfile *f);

#endif
