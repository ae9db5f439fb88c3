#ifndef CRIOD_EXECD_USER_H
#define CRIOD_EXECD_USER_H

/*
 * Who a container's process is: from the request, the image's USER and the
 * image's /etc/passwd and /etc/group.  Everything here is untrusted text in
 * memory; no C library lookup is involved.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define USER_FILE_MAX	(1024U * 1024) /* bytes of passwd or group */
#define USER_GROUPS_MAX 1024U
#define USER_HOME_MAX	1024U

struct user_text {
	const char *buf; /* not ended by NUL */
	size_t len;
};

struct user_in {
	bool has_uid, has_gid;
	int64_t uid, gid;     /* run_as_user, run_as_group */
	const char *username; /* run_as_username; "" if none */
	const char *image;    /* the image's USER; "" if none */
	const int64_t *groups;
	size_t ngroups;
	bool strict; /* no groups from the image */
	struct user_text passwd, group;
};

struct user {
	uint32_t uid, gid;
	uint32_t *groups; /* ascending, gid among them */
	size_t ngroups;
	char home[USER_HOME_MAX]; /* "" if passwd does not say */
};

/*
 * -1 with err.  Nothing that does not parse whole as a number is ever taken
 * for one, and nothing that starts like a number is looked up as a name.
 */
int user_resolve(const struct user_in *in, struct user *out, struct cerr *err)
    __attribute__((warn_unused_result));
void user_clear(struct user *u);

/* Decimal digits only, no leading zero, at most 4294967294.  -1: not so. */
int user_parse_id(const char *s, size_t len, uint32_t *id)
    __attribute__((warn_unused_result));

#endif
