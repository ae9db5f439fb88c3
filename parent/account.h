#ifndef CRIOD_PARENT_ACCOUNT_H
#define CRIOD_PARENT_ACCOUNT_H

/* The accounts that the roles run as, made when criod is installed. */

#include <sys/types.h>

#include "lib/cerr.h"

enum account {
	ACCOUNT_ROOT,
	ACCOUNT_FRONT,
	ACCOUNT_STREAM,
	ACCOUNT_IMAGE,
	ACCOUNT_NET,
	ACCOUNT_EXEC,
	ACCOUNT_MON,
	ACCOUNT_NRI,
	ACCOUNT_AUDIT,
	ACCOUNT_KEEP,
	ACCOUNT_COUNT,
};

struct account_ids {
	uid_t uid;
	gid_t gid;
};

/* All accounts must exist, be apart from each other and not be root. */
int account_load(struct account_ids ids[ACCOUNT_COUNT], struct cerr *err)
    __attribute__((warn_unused_result));

/* A user's or group's number, by name or as digits. */
int account_user(const char *name, uid_t *uid, struct cerr *err)
    __attribute__((warn_unused_result));
int account_group(const char *name, gid_t *gid, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
