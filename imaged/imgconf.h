#ifndef CRIOD_IMAGED_IMGCONF_H
#define CRIOD_IMAGED_IMGCONF_H

/* What an image's config says about running it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define IMGCONF_STRINGS_MAX 8192 /* of one list */

struct imgconf_list {
	char **items;
	size_t n;
};

struct imgconf {
	char *user; /* never NULL; may be empty, as are the other strings */
	char *working_dir;
	char *stop_signal;
	struct imgconf_list env, entrypoint, cmd, volumes;
};

/* NULL with INVALID_ARGUMENT.  Freed by imgconf_free. */
struct imgconf *imgconf_parse(const uint8_t *buf, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));
void imgconf_free(struct imgconf *c);

/*
 * The user part of "USER[:GROUP]".  A number is all decimal digits, without
 * leading zeros, and below 4294967295; a name begins with none of digits,
 * blanks and signs.  What is neither is not a user at all, never the other
 * kind.
 */
enum imgconf_user {
	IMGCONF_USER_NONE, /* empty: root */
	IMGCONF_USER_UID,
	IMGCONF_USER_NAME,
	IMGCONF_USER_BAD,
};
enum imgconf_user imgconf_user_parse(const char *user, uint32_t *uid,
    char *name, size_t size);

#endif
